//! Each datagram is a message.

use super::message::{Parsed, Snmp};
use crate::applayer::der::{INTEGER, OCTETS, Reader, SEQUENCE, Size, size};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// A sequence that begins with a known version and goes on as that version does.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    if proto == Proto::Udp && looks_like_snmp(data).is_some() {
        Probe::Certain
    } else {
        Probe::No
    }
}

fn looks_like_snmp(data: &[u8]) -> Option<()> {
    let Size::Bytes(len) = size(data) else {
        return None;
    };
    let mut message = Reader::new(data.get(..len)?).enter(SEQUENCE)?;
    let next = match message.expect(INTEGER)? {
        [0 | 1] => OCTETS,
        [3] => SEQUENCE,
        _ => return None,
    };
    message.expect(next)?;
    message.next()?;
    Some(())
}

#[derive(Debug, Default)]
struct Parser {
    /// That of the first message.
    version: Option<u32>,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let Some(parsed) = Parsed::of(data) else {
            cx.anomaly("malformed_data");
            return Next::More;
        };
        let version = *self.version.get_or_insert(parsed.version);
        if version != parsed.version {
            cx.anomaly_in_next("version_mismatch");
        }
        if parsed.is_model_unknown {
            cx.anomaly_in_next("unknown_security_model");
        }
        let message = Snmp {
            tx_id: cx.transaction_id(),
            first_ts_ns: cx.ts_ns,
            direction,
            version,
            community: parsed.community,
            usm: parsed.usm,
            pdu: parsed.pdu,
        };
        cx.transaction(&message);
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::More
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `get` of sysName.0 in version 2c with community `public`.
    const GET: &[u8] = &[
        0x30, 0x26, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x19, 2, 1, 77, 2, 1,
        0, 2, 1, 0, 0x30, 0x0e, 0x30, 0x0c, 6, 8, 0x2b, 6, 1, 2, 1, 1, 5, 0, 5, 0,
    ];

    #[test]
    fn a_request() {
        assert_eq!(probe(Proto::Udp, Direction::ToServer, GET), Probe::Certain);
        assert_eq!(probe(Proto::Tcp, Direction::ToServer, GET), Probe::No);
        let parsed = Parsed::of(GET).unwrap();
        assert_eq!(parsed.version, 2);
        assert_eq!(parsed.community.unwrap(), b"public");
        let pdu = parsed.pdu.unwrap();
        assert_eq!((pdu.kind, pdu.error), (0, 0));
        assert_eq!(pdu.variables, ["1.3.6.1.2.1.1.5.0"]);
    }

    #[test]
    fn damaged_messages_are_refused() {
        for len in 0..GET.len() {
            assert!(Parsed::of(&GET[..len]).is_none());
            probe(Proto::Udp, Direction::ToServer, &GET[..len]);
        }
        for at in 0..GET.len() {
            for bits in [1, 0x80, 0xff] {
                let mut message = GET.to_vec();
                message[at] ^= bits;
                _ = Parsed::of(&message);
            }
        }
    }
}
