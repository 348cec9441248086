//! The operations (RFC 4511 sections 4.2 to 4.14).

use crate::applayer::der::{
    BOOLEAN, ENUMERATED, Element, INTEGER, OCTETS, Reader, SEQUENCE, SET, integer,
};

/// What a message asks or answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Who am I?
    Bind {
        /// Version of the protocol.
        version: u32,
        /// Name of the object that binds.
        name: Vec<u8>,
        /// How it proves that.
        authentication: Authentication,
    },
    /// The answer, with the server's credentials.
    BindResponse(Outcome, Option<Vec<u8>>),
    /// Good bye.
    Unbind,
    /// Looks for entries.
    Search(Search),
    /// An entry that was found.
    Entry(Vec<u8>, Vec<Attribute>),
    /// No more are found.
    SearchDone(Outcome),
    /// Other servers know more.
    Reference,
    /// Changes an entry.
    Modify(Vec<u8>, Vec<Change>),
    /// The answer.
    ModifyResponse(Outcome),
    /// A new entry.
    Add(Vec<u8>, Vec<Attribute>),
    /// The answer.
    AddResponse(Outcome),
    /// Away with an entry.
    Delete(Vec<u8>),
    /// The answer.
    DeleteResponse(Outcome),
    /// Renames or moves an entry.
    Rename {
        /// Which.
        entry: Vec<u8>,
        /// Its new name below its superior.
        name: Vec<u8>,
        /// Whether the old name goes.
        delete_old: bool,
        /// Its new superior.
        superior: Option<Vec<u8>>,
    },
    /// The answer.
    RenameResponse(Outcome),
    /// Does an entry have this value?
    Compare {
        /// Which.
        entry: Vec<u8>,
        /// The attribute.
        attribute: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// The answer.
    CompareResponse(Outcome),
    /// Never mind the request with this number.
    Abandon(u32),
    /// Something else, by its object identifier.
    Extended(Vec<u8>, Option<Vec<u8>>),
    /// The answer.
    ExtendedResponse(Outcome, Option<Vec<u8>>, Option<Vec<u8>>),
    /// A part of the answer to something else.
    Intermediate(Option<Vec<u8>>, Option<Vec<u8>>),
}

/// How a client proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// With a password, which is not kept.
    Simple,
    /// With a mechanism of SASL and its credentials.
    Sasl(Vec<u8>, Option<Vec<u8>>),
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Where it begins.
    pub base: Vec<u8>,
    /// How deep it goes: 0 the entry alone, 1 one level, 2 the whole tree.
    pub scope: u32,
    /// When aliases are followed.
    pub aliases: u32,
    /// Most entries wanted; 0 is no bound.
    pub entries_max: u32,
    /// Longest that it may last, seconds; 0 is no bound.
    pub time_max_s: u32,
    /// Whether values are left out.
    pub types_only: bool,
    /// The attribute that must be there, where the filter is that alone.
    pub present: Option<Vec<u8>>,
    /// Attributes that are wanted.
    pub attributes: Vec<Vec<u8>>,
}

/// An attribute with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its type.
    pub kind: Vec<u8>,
    /// Its values.
    pub values: Vec<Vec<u8>>,
}

/// A change of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// 0 add, 1 delete, 2 replace.
    pub operation: u32,
    /// What.
    pub attribute: Attribute,
}

/// How a request fared (RFC 4511 section 4.1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The code.
    pub code: u32,
    /// The nearest entry that exists.
    pub matched: Vec<u8>,
    /// What a person may read.
    pub message: Vec<u8>,
}

/// Most attributes, changes and values read of one message; what comes beyond is passed by.
pub(super) const ITEMS_MAX: usize = 16_384;

impl Operation {
    /// Reads an operation by its tag.
    pub(super) fn of(element: Element<'_>) -> Option<Self> {
        let body = &mut Reader::new(element.body);
        Some(match element.tag {
            0x60 => bind(body)?,
            0x61 => Self::BindResponse(Outcome::of(body)?, owned(last(body, 0x87))),
            0x42 => Self::Unbind,
            0x63 => Self::Search(Search::of(body)?),
            0x64 => Self::Entry(body.expect(OCTETS)?.to_vec(), attributes(body)?),
            0x65 => Self::SearchDone(Outcome::of(body)?),
            0x73 => Self::Reference,
            0x66 => Self::Modify(body.expect(OCTETS)?.to_vec(), changes(body)?),
            0x67 => Self::ModifyResponse(Outcome::of(body)?),
            0x68 => Self::Add(body.expect(OCTETS)?.to_vec(), attributes(body)?),
            0x69 => Self::AddResponse(Outcome::of(body)?),
            0x4a => Self::Delete(element.body.to_vec()),
            0x6b => Self::DeleteResponse(Outcome::of(body)?),
            0x6c => rename(body)?,
            0x6d => Self::RenameResponse(Outcome::of(body)?),
            0x6e => compare(body)?,
            0x6f => Self::CompareResponse(Outcome::of(body)?),
            0x50 => Self::Abandon(u32::try_from(integer(element.body)?).ok()?),
            0x77 => Self::Extended(body.expect(0x80)?.to_vec(), owned(body.expect(0x81))),
            0x78 => {
                let outcome = Outcome::of(body)?;
                let name = owned(last(body, 0x8a));
                Self::ExtendedResponse(outcome, name, owned(body.expect(0x8b)))
            }
            0x79 => Self::Intermediate(owned(body.expect(0x80)), owned(body.expect(0x81))),
            _ => return None,
        })
    }

    /// Whether nothing answers it.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self, Self::Unbind | Self::Abandon(_))
    }

    /// Whether it ends the answers to a request.
    pub(super) fn is_final(&self) -> bool {
        !matches!(
            self,
            Self::Entry(..) | Self::Reference | Self::Intermediate(..)
        )
    }
}

impl Search {
    fn of(body: &mut Reader<'_>) -> Option<Self> {
        let base = body.expect(OCTETS)?.to_vec();
        let scope = unsigned(body.integer(ENUMERATED)?)?;
        let aliases = unsigned(body.integer(ENUMERATED)?)?;
        let entries_max = unsigned(body.integer(INTEGER)?)?;
        let time_max_s = unsigned(body.integer(INTEGER)?)?;
        let types_only = boolean(body)?;
        let filter = body.next()?;
        let mut attributes = Vec::new();
        let mut list = body.enter(SEQUENCE)?;
        while !list.is_empty() && attributes.len() < ITEMS_MAX {
            attributes.push(list.expect(OCTETS)?.to_vec());
        }
        Some(Self {
            base,
            scope,
            aliases,
            entries_max,
            time_max_s,
            types_only,
            present: (filter.tag == PRESENT).then(|| filter.body.to_vec()),
            attributes,
        })
    }
}

impl Outcome {
    fn of(body: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            code: unsigned(body.integer(ENUMERATED)?)?,
            matched: body.expect(OCTETS)?.to_vec(),
            message: body.expect(OCTETS)?.to_vec(),
        })
    }
}

fn bind(body: &mut Reader<'_>) -> Option<Operation> {
    let version = unsigned(body.integer(INTEGER)?)?;
    let name = body.expect(OCTETS)?.to_vec();
    let element = body.next()?;
    let authentication = match element.tag {
        0x80 => Authentication::Simple,
        0xa3 => {
            let mut sasl = Reader::new(element.body);
            let mechanism = sasl.expect(OCTETS)?.to_vec();
            Authentication::Sasl(mechanism, owned(sasl.expect(OCTETS)))
        }
        // Microsoft's own ways to bind with NTLM ([MS-ADTS] 5.1.1.1.3)
        0x89..=0x8b => Authentication::Simple,
        _ => return None,
    };
    Some(Operation::Bind {
        version,
        name,
        authentication,
    })
}

fn rename(body: &mut Reader<'_>) -> Option<Operation> {
    Some(Operation::Rename {
        entry: body.expect(OCTETS)?.to_vec(),
        name: body.expect(OCTETS)?.to_vec(),
        delete_old: boolean(body)?,
        superior: owned(body.expect(0x80)),
    })
}

fn compare(body: &mut Reader<'_>) -> Option<Operation> {
    let entry = body.expect(OCTETS)?.to_vec();
    let mut assertion = body.enter(SEQUENCE)?;
    Some(Operation::Compare {
        entry,
        attribute: assertion.expect(OCTETS)?.to_vec(),
        value: assertion.expect(OCTETS)?.to_vec(),
    })
}

fn attributes(body: &mut Reader<'_>) -> Option<Vec<Attribute>> {
    let mut list = body.enter(SEQUENCE)?;
    let (mut attributes, mut room) = (Vec::new(), ITEMS_MAX);
    while !list.is_empty() && room > 0 {
        attributes.push(attribute(&mut list.enter(SEQUENCE)?, &mut room)?);
    }
    Some(attributes)
}

/// Reads an attribute; `room` is the number of items that may still be read.
fn attribute(body: &mut Reader<'_>, room: &mut usize) -> Option<Attribute> {
    let kind = body.expect(OCTETS)?.to_vec();
    let mut list = body.enter(SET)?;
    let mut values = Vec::new();
    *room = room.saturating_sub(1);
    while !list.is_empty() && *room > 0 {
        values.push(list.expect(OCTETS)?.to_vec());
        *room = room.saturating_sub(1);
    }
    Some(Attribute { kind, values })
}

fn changes(body: &mut Reader<'_>) -> Option<Vec<Change>> {
    let mut list = body.enter(SEQUENCE)?;
    let (mut changes, mut room) = (Vec::new(), ITEMS_MAX);
    while !list.is_empty() && room > 0 {
        let mut change = list.enter(SEQUENCE)?;
        changes.push(Change {
            operation: unsigned(change.integer(ENUMERATED)?)?,
            attribute: attribute(&mut change.enter(SEQUENCE)?, &mut room)?,
        });
    }
    Some(changes)
}

/// The next element with this tag; referrals may stand before it.
fn last<'a>(body: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    _ = body.expect(REFERRAL);
    body.expect(tag)
}

fn boolean(body: &mut Reader<'_>) -> Option<bool> {
    body.expect(BOOLEAN)?.first().map(|byte| *byte != 0)
}

fn unsigned(number: i64) -> Option<u32> {
    u32::try_from(number).ok()
}

fn owned(bytes: Option<&[u8]>) -> Option<Vec<u8>> {
    bytes.map(<[u8]>::to_vec)
}

/// Tag of a filter that asks for an attribute to be there.
const PRESENT: u8 = 0x87;
/// Tag of the referrals in an outcome.
const REFERRAL: u8 = 0xa3;
