//! Messages: version, who speaks, and the protocol data unit.

use std::net::IpAddr;

use crate::applayer::der::{INTEGER, OCTETS, OID, Reader, SEQUENCE, integer, oid};
use crate::flow::Direction;

/// Most variables kept of a message; more are passed by.
pub const VARIABLES_MAX: usize = 1024;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snmp {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// Version as spoken of: 1, 2 (2c) or 3; that of the flow's first message.
    pub version: u32,
    /// The community of versions 1 and 2c.
    pub community: Option<Vec<u8>>,
    /// The user of version 3, where the user-based security model tells it (RFC 3414).
    pub usm: Option<Vec<u8>>,
    /// What is asked or told; `None` when it is encrypted.
    pub pdu: Option<Pdu>,
}

/// A protocol data unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// Its kind: 0 get, 1 get next, 2 response, 3 set, 4 trap of version 1, 5 get bulk, 6 inform,
    /// 7 trap, 8 report.
    pub kind: u8,
    /// Error status; 0 is none.
    pub error: u32,
    /// What a trap of version 1 says.
    pub trap: Option<Trap>,
    /// Names of the variables, in dots.
    pub variables: Vec<String>,
}

/// The head of a trap of version 1 (RFC 1157 section 4.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// The kind of object that tells it.
    pub enterprise: String,
    /// Address of that object.
    pub address: Option<IpAddr>,
    /// Generic trap.
    pub generic: u8,
}

/// What a message says before it belongs to a flow.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) version: u32,
    pub(super) community: Option<Vec<u8>>,
    pub(super) usm: Option<Vec<u8>>,
    pub(super) pdu: Option<Pdu>,
    /// Version 3 with a security model that is not the user-based one.
    pub(super) is_model_unknown: bool,
}

impl Parsed {
    /// Reads a datagram; what follows the message is passed by.
    pub(super) fn of(data: &[u8]) -> Option<Self> {
        let mut message = Reader::new(data).enter(SEQUENCE)?;
        match message.integer(INTEGER)? {
            version @ (0 | 1) => Some(Self {
                version: if version == 0 { 1 } else { 2 },
                community: Some(message.expect(OCTETS)?.to_vec()),
                pdu: Some(Pdu::of(&mut message)?),
                ..Self::default()
            }),
            3 => Self::version_3(message),
            _ => None,
        }
    }

    /// RFC 3412 section 6.
    fn version_3(mut message: Reader<'_>) -> Option<Self> {
        let mut head = message.enter(SEQUENCE)?;
        head.integer(INTEGER)?;
        head.integer(INTEGER)?;
        let flags = *head.expect(OCTETS)?.first()?;
        let model = head.integer(INTEGER)?;
        let security = message.expect(OCTETS)?;
        let mut parsed = Self {
            version: 3,
            is_model_unknown: model != USER_BASED,
            ..Self::default()
        };
        if model == USER_BASED {
            parsed.usm = user(security).map(<[u8]>::to_vec);
        }
        if flags & PRIVACY != 0 || message.peek() == Some(OCTETS) {
            return Some(parsed);
        }
        (parsed.is_model_unknown || parsed.usm.is_some()).then_some(())?;
        let mut scoped = message.enter(SEQUENCE)?;
        scoped.expect(OCTETS)?;
        scoped.expect(OCTETS)?;
        parsed.pdu = Some(Pdu::of(&mut scoped)?);
        Some(parsed)
    }
}

/// The user's name in the parameters of the user-based model (RFC 3414 section 2.4).
fn user(security: &[u8]) -> Option<&[u8]> {
    let mut parameters = Reader::new(security).enter(SEQUENCE)?;
    parameters.expect(OCTETS)?;
    parameters.integer(INTEGER)?;
    parameters.integer(INTEGER)?;
    parameters.expect(OCTETS)
}

impl Pdu {
    fn of(message: &mut Reader<'_>) -> Option<Self> {
        let element = message.next()?;
        let kind = element
            .tag
            .checked_sub(CONTEXT)
            .filter(|kind| *kind <= REPORT)?;
        let mut body = Reader::new(element.body);
        let (mut error, mut trap) = (0, None);
        if kind == TRAP_1 {
            trap = Some(Trap::of(&mut body)?);
        } else {
            body.integer(INTEGER)?;
            error = u32::try_from(body.integer(INTEGER)?).unwrap_or(u32::MAX);
            body.integer(INTEGER)?;
        }
        let mut list = body.enter(SEQUENCE)?;
        let mut variables = Vec::new();
        while !list.is_empty() && variables.len() < VARIABLES_MAX {
            let name = list.enter(SEQUENCE)?.expect(OID)?;
            variables.push(oid(name).unwrap_or_else(|| spaced(name)));
        }
        Some(Self {
            kind,
            // get bulk has other numbers in the place of the error
            error: if kind == GET_BULK { 0 } else { error },
            trap,
            variables,
        })
    }
}

/// Bytes that are no identifier, one by one.
fn spaced(bytes: &[u8]) -> String {
    let bytes = bytes.iter().take(SPACED_MAX);
    let bytes: Vec<String> = bytes.map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

impl Trap {
    fn of(body: &mut Reader<'_>) -> Option<Self> {
        let enterprise = oid(body.expect(OID)?)?;
        let address = match *body.expect(IP_ADDRESS)? {
            [a, b, c, d] => Some(IpAddr::from([a, b, c, d])),
            _ => None,
        };
        let generic = u8::try_from(body.integer(INTEGER)?).ok()?;
        body.integer(INTEGER)?;
        integer(body.expect(TIME_TICKS)?)?;
        Some(Self {
            enterprise,
            address,
            generic,
        })
    }
}

/// Most bytes written one by one.
const SPACED_MAX: usize = 128;
/// In the flags of version 3: the rest is encrypted.
const PRIVACY: u8 = 2;
/// The user-based security model (RFC 3411 section 5).
const USER_BASED: i64 = 3;
/// Tag of the data unit with number 0.
const CONTEXT: u8 = 0xa0;
const TRAP_1: u8 = 4;
const GET_BULK: u8 = 5;
const REPORT: u8 = 8;
/// Tags of the application class (RFC 1155 section 3.2.3).
const IP_ADDRESS: u8 = 0x40;
const TIME_TICKS: u8 = 0x43;
