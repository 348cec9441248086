//! Messages (RFC 4120 section 5).

use crate::applayer::der::{GENERAL_STRING, INTEGER, Reader, SEQUENCE, integer};
use crate::flow::Direction;

/// The messages that are read; the number is the one on the wire (RFC 4120 section 5.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    /// Asks for a first ticket.
    AsReq = 10,
    /// Gives it.
    AsRep = 11,
    /// Asks for a ticket to a service.
    TgsReq = 12,
    /// Gives it.
    TgsRep = 13,
    /// Refuses.
    Error = 30,
}

/// Why a request was refused (RFC 4120 section 7.5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub i64);

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Krb5 {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// What it is.
    pub kind: MessageType,
    /// Of an error: the request that it answers, where it was seen.
    pub failed: Option<MessageType>,
    /// Of an error: why.
    pub error: Option<ErrorCode>,
    /// The client's name, its components joined with `/`.
    pub cname: Option<Vec<u8>>,
    /// The realm.
    pub realm: Option<Vec<u8>>,
    /// The service's name.
    pub sname: Option<Vec<u8>>,
    /// Encryption of an answer's part for the client.
    pub encryption: Option<i64>,
    /// Encryption of the ticket.
    pub ticket_encryption: Option<i64>,
}

/// What a message says before it belongs to a flow.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) error: Option<ErrorCode>,
    pub(super) cname: Option<Vec<u8>>,
    pub(super) realm: Option<Vec<u8>>,
    pub(super) sname: Option<Vec<u8>>,
    pub(super) encryption: Option<i64>,
    pub(super) ticket_encryption: Option<i64>,
}

impl MessageType {
    /// By the tag that a message begins with.
    pub(super) fn of(tag: u8) -> Option<Self> {
        match tag {
            0x6a => Some(Self::AsReq),
            0x6b => Some(Self::AsRep),
            0x6c => Some(Self::TgsReq),
            0x6d => Some(Self::TgsRep),
            0x7e => Some(Self::Error),
            _ => None,
        }
    }

    pub(super) fn is_request(self) -> bool {
        matches!(self, Self::AsReq | Self::TgsReq)
    }
}

impl Parsed {
    /// Reads the contents of a message.
    pub(super) fn of(kind: MessageType, body: &[u8]) -> Option<Self> {
        let fields = Fields::of(Reader::new(body).enter(SEQUENCE)?);
        match kind {
            MessageType::AsReq | MessageType::TgsReq => Self::request(&fields),
            MessageType::AsRep | MessageType::TgsRep => Self::answer(&fields),
            MessageType::Error => Self::error(&fields),
        }
    }

    /// RFC 4120 section 5.4.1.
    fn request(fields: &Fields<'_>) -> Option<Self> {
        let body = Fields::of(Reader::new(fields.at(4)?).enter(SEQUENCE)?);
        Some(Self {
            cname: optional(body.at(1), principal)?,
            realm: Some(text(body.at(2)?)?),
            sname: optional(body.at(3), principal)?,
            ..Self::default()
        })
    }

    /// RFC 4120 section 5.4.2.
    fn answer(fields: &Fields<'_>) -> Option<Self> {
        let ticket = Reader::new(fields.at(5)?).enter(TICKET)?.enter(SEQUENCE)?;
        let ticket = Fields::of(ticket);
        Some(Self {
            cname: Some(principal(fields.at(4)?)?),
            realm: Some(text(fields.at(3)?)?),
            sname: Some(principal(ticket.at(2)?)?),
            encryption: Some(encryption(fields.at(6)?)?),
            ticket_encryption: Some(encryption(ticket.at(3)?)?),
            error: None,
        })
    }

    /// RFC 4120 section 5.9.1.
    fn error(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            error: Some(ErrorCode(Reader::new(fields.at(6)?).integer(INTEGER)?)),
            cname: optional(fields.at(8), principal)?,
            realm: optional(fields.at(7), text)?,
            sname: Some(principal(fields.at(10)?)?),
            ..Self::default()
        })
    }
}

/// The fields of a sequence by the number of their tag; of two with one number the first counts.
struct Fields<'a>([Option<&'a [u8]>; FIELDS_MAX]);

impl<'a> Fields<'a> {
    fn of(mut sequence: Reader<'a>) -> Self {
        let mut fields = [None; FIELDS_MAX];
        while let Some(element) = sequence.next() {
            let number = usize::from(element.tag ^ CONTEXT);
            if let Some(field) = fields.get_mut(number) {
                field.get_or_insert(element.body);
            }
        }
        Self(fields)
    }

    fn at(&self, number: usize) -> Option<&'a [u8]> {
        self.0.get(number).copied().flatten()
    }
}

/// Reads what need not be there; `None` when it is there and damaged.
fn optional<T>(field: Option<&[u8]>, read: fn(&[u8]) -> Option<T>) -> Option<Option<T>> {
    field.map_or(Some(None), |field| read(field).map(Some))
}

fn text(field: &[u8]) -> Option<Vec<u8>> {
    Reader::new(field)
        .expect(GENERAL_STRING)
        .map(<[u8]>::to_vec)
}

/// RFC 4120 section 5.2.2.
fn principal(field: &[u8]) -> Option<Vec<u8>> {
    let name = Fields::of(Reader::new(field).enter(SEQUENCE)?);
    let mut components = Reader::new(name.at(1)?).enter(SEQUENCE)?;
    let mut joined = Vec::new();
    for number in 0..COMPONENTS_MAX {
        if components.is_empty() {
            break;
        }
        if number > 0 {
            joined.push(b'/');
        }
        joined.extend_from_slice(components.expect(GENERAL_STRING)?);
    }
    Some(joined)
}

/// The type in encrypted data (RFC 4120 section 5.2.9).
fn encryption(field: &[u8]) -> Option<i64> {
    let data = Fields::of(Reader::new(field).enter(SEQUENCE)?);
    integer(Reader::new(data.at(0)?).expect(INTEGER)?)
}

/// Tag of the field with number 0.
const CONTEXT: u8 = 0xa0;
/// Tag of a ticket.
const TICKET: u8 = 0x61;
/// Fields that a message can have.
const FIELDS_MAX: usize = 14;
/// Most components of a name that are read.
const COMPONENTS_MAX: usize = 32;
