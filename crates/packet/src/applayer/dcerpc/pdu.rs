//! Protocol data units of the connection-oriented protocol, version 5 (C706 section 12.6).

use std::fmt;

/// The head that all have (C706 section 12.6.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Minor version: 0 or 1.
    pub(crate) minor: u8,
    /// What it is: [`REQUEST`], [`BIND`], ...
    pub(crate) kind: u8,
    /// [`FIRST`], [`LAST`], ...
    pub(crate) flags: u8,
    /// Numbers are little-endian.
    pub(crate) little: bool,
    /// Bytes of the whole, head included.
    pub(crate) len: u16,
    /// Number that ties an answer to its request.
    pub(crate) call_id: u32,
}

/// A universally unique identifier, in the order in which it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uuid(pub [u8; 16]);

/// An interface that a client wants to call, and what the server says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Number by which requests name it.
    pub context: u16,
    /// Which.
    pub uuid: Uuid,
    /// Its version, major and minor.
    pub version: (u16, u16),
    /// Result and reason (C706 section 12.6.3.1): 0 accepted, 2 refused.
    pub ack: Option<(u16, u16)>,
}

/// What a request says before its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// The interface.
    pub(crate) context: u16,
    /// The operation.
    pub(crate) opnum: u16,
    /// Bytes of data.
    pub(crate) stub_bytes: u32,
}

/// Length of the head, bytes.
pub(crate) const HEAD: usize = 16;
/// Kinds (C706 section 12.6.4).
pub(crate) const REQUEST: u8 = 0;
pub(crate) const RESPONSE: u8 = 2;
pub(crate) const FAULT: u8 = 3;
pub(crate) const BIND: u8 = 11;
pub(crate) const BIND_ACK: u8 = 12;
pub(crate) const BIND_NAK: u8 = 13;
pub(crate) const ALTER_CONTEXT: u8 = 14;
pub(crate) const ALTER_CONTEXT_RESPONSE: u8 = 15;
/// In the flags: the first, and the last, of the fragments.
pub(crate) const FIRST: u8 = 1;
pub(crate) const LAST: u8 = 2;
/// Most interfaces kept of a bind.
pub(crate) const INTERFACES_MAX: usize = 64;

/// Names by kind, as logged.
const NAMES: [&str; 20] = [
    "REQUEST",
    "PING",
    "RESPONSE",
    "FAULT",
    "WORKING",
    "NOCALL",
    "REJECT",
    "ACK",
    "CL_CANCEL",
    "FACK",
    "CANCEL_ACK",
    "BIND",
    "BINDACK",
    "BINDNAK",
    "ALTER_CONTEXT",
    "ALTER_CONTEXT_RESP",
    "AUTH3",
    "SHUTDOWN",
    "CO_CANCEL",
    "ORPHANED",
];

/// The name of a kind, as logged.
pub(crate) fn name(kind: u8) -> String {
    let name = NAMES.get(usize::from(kind));
    name.map_or_else(|| format!("UNKNOWN_{kind}"), |name| (*name).to_owned())
}

impl Head {
    /// Reads a head; `None` where it is none or not all there.
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        let (major, rest) = data.split_first()?;
        let [minor, kind, flags, format, ..] = *rest else {
            return None;
        };
        // integers: 0 big-endian, 1 little-endian; characters: 0 ASCII, 1 EBCDIC
        let is_format_sound = format & 0xee == 0;
        if *major != 5 || minor > 1 || usize::from(kind) >= NAMES.len() || !is_format_sound {
            return None;
        }
        let little = format & 0x10 != 0;
        let len = u16_at(data, 8, little)?;
        (usize::from(len) >= HEAD).then_some(())?;
        Some(Self {
            minor,
            kind,
            flags,
            little,
            len,
            call_id: u32_at(data, 12, little)?,
        })
    }
}

impl Request {
    /// Reads what stands behind the head; as Suricata has it, an object and the verifier count as
    /// data.
    pub(crate) fn of(head: &Head, body: &[u8]) -> Option<Self> {
        Some(Self {
            context: u16_at(body, 4, head.little)?,
            opnum: u16_at(body, 6, head.little)?,
            stub_bytes: u32::from(head.len).checked_sub(24)?,
        })
    }
}

/// The data of a request or response behind its head of eight bytes.
pub(crate) fn stub(body: &[u8]) -> &[u8] {
    body.get(8..).unwrap_or_default()
}

/// The interfaces of a bind or a change of context.
pub(crate) fn bind(head: &Head, body: &[u8]) -> Option<Vec<Interface>> {
    let count = *body.get(8)?;
    let mut rest = body.get(12..)?;
    let mut interfaces = Vec::new();
    for _ in 0..count {
        let Some(interface) = interface(rest, head.little) else {
            break;
        };
        let transfers = usize::from(*rest.get(2)?);
        interfaces.push(interface);
        rest = rest
            .get(transfers.saturating_mul(SYNTAX).saturating_add(24)..)
            .unwrap_or_default();
        if interfaces.len() >= INTERFACES_MAX {
            break;
        }
    }
    Some(interfaces)
}

/// Writes what the server says to each interface, in their order.
pub(crate) fn bind_ack(head: &Head, body: &[u8], interfaces: &mut [Interface]) -> Option<()> {
    let address_len = usize::from(u16_at(body, 8, head.little)?);
    // the address, and the padding to a multiple of four
    let at = address_len.saturating_add(10 + 3) & !3;
    let count = usize::from(*body.get(at)?);
    let results = body.get(at.saturating_add(4)..)?;
    for (interface, result) in interfaces
        .iter_mut()
        .zip(results.chunks_exact(RESULT))
        .take(count)
    {
        let said = u16_at(result, 0, head.little).zip(u16_at(result, 2, head.little));
        interface.ack = said;
    }
    Some(())
}

fn interface(item: &[u8], little: bool) -> Option<Interface> {
    Some(Interface {
        context: u16_at(item, 0, little)?,
        uuid: Uuid::of(item.get(4..20)?, little)?,
        version: (u16_at(item, 20, little)?, u16_at(item, 22, little)?),
        ack: None,
    })
}

impl Uuid {
    /// As it stands on the wire: its first three numbers have the byte order of the message.
    pub(crate) fn of(bytes: &[u8], little: bool) -> Option<Self> {
        let bytes: [u8; 16] = *bytes.first_chunk()?;
        if !little {
            return Some(Self(bytes));
        }
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let [i, j, k, l, m, n, o, p] = rest;
        Some(Self([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

pub(crate) fn u16_at(data: &[u8], at: usize, little: bool) -> Option<u16> {
    let bytes = *data.get(at..)?.first_chunk()?;
    Some(match little {
        true => u16::from_le_bytes(bytes),
        false => u16::from_be_bytes(bytes),
    })
}

pub(crate) fn u32_at(data: &[u8], at: usize, little: bool) -> Option<u32> {
    let bytes = *data.get(at..)?.first_chunk()?;
    Some(match little {
        true => u32::from_le_bytes(bytes),
        false => u32::from_be_bytes(bytes),
    })
}

/// Length of a syntax: an identifier and a version, bytes.
const SYNTAX: usize = 20;
/// Length of a result: two numbers and a syntax, bytes.
const RESULT: usize = 24;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn pdu(kind: u8, call_id: u8, body: &[u8]) -> Vec<u8> {
        let len = u8::try_from(body.len()).unwrap().checked_add(16).unwrap();
        let mut out = vec![5, 0, kind, 3, 0x10, 0, 0, 0, len, 0, 0, 0, call_id, 0, 0, 0];
        out.extend(body);
        out
    }

    pub(crate) fn bind_body() -> Vec<u8> {
        let mut body = vec![0; 8];
        body.extend([1, 0, 0, 0, 0, 0, 1, 0]);
        body.extend([0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab]);
        body.extend([0xef, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xac, 1, 0, 0, 0]);
        body.extend([0; 20]);
        body
    }

    pub(crate) fn ack_body() -> Vec<u8> {
        let mut body = vec![0; 8];
        body.extend([4, 0, b'1', b'3', b'5', 0, 0, 0]);
        body.extend([1, 0, 0, 0, 0, 0, 7, 0]);
        body.extend([0; 20]);
        body
    }

    #[test]
    fn a_bind_and_its_answer() {
        let message = pdu(BIND, 1, &bind_body());
        let head = Head::of(&message).unwrap();
        assert_eq!(
            (head.kind, head.call_id, usize::from(head.len)),
            (BIND, 1, message.len())
        );
        let mut interfaces = bind(&head, &message[HEAD..]).unwrap();
        assert_eq!(interfaces.len(), 1);
        let first = interfaces[0];
        assert_eq!(
            first.uuid.to_string(),
            "12345778-1234-abcd-ef00-0123456789ac"
        );
        assert_eq!(first.version, (1, 0));
        bind_ack(&head, &ack_body(), &mut interfaces).unwrap();
        assert_eq!(interfaces[0].ack, Some((0, 7)));
    }

    #[test]
    fn heads_are_told_from_other_bytes() {
        let message = pdu(REQUEST, 1, &[0; 8]);
        for len in 0..HEAD {
            assert_eq!(Head::of(&message[..len]), None);
        }
        for (at, byte) in [(0, 4), (1, 2), (2, 20), (4, 0x20), (8, 3)] {
            let mut bent = message.clone();
            bent[at] = byte;
            assert_eq!(Head::of(&bent), None, "{at}");
        }
    }
}
