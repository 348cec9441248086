//! Each datagram is a message.

use super::transaction::Ntp;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser)
}

/// There is no magic number: a header (RFC 5905 section 7.3) in which nothing makes no sense.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    match proto == Proto::Udp && is_likely(data) {
        true => Probe::Certain,
        false => Probe::No,
    }
}

fn is_likely(data: &[u8]) -> bool {
    let Some(message) = Ntp::parse(data) else {
        return false;
    };
    let [_, _, poll, precision, ..] = *data else {
        return false;
    };
    // the distance from the source of time, in units of 2^-16 seconds
    let is_near = |at: usize| be32(data, at).is_some_and(|time| time <= DISTANCE_MAX);
    // what follows the header is cut in words
    data.len() <= BYTES_MAX
        && data.len().is_multiple_of(4)
        && message.stratum <= STRATUM_MAX
        && poll <= POLL_MAX
        && matches!(precision, 0 | 0x20 | 0xe0..)
        && is_near(4)
        && is_near(8)
}

#[derive(Debug)]
struct Parser;

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        match Ntp::parse(data) {
            Some(message) => {
                let message = Ntp {
                    tx_id: cx.transaction_id(),
                    first_ts_ns: cx.ts_ns,
                    direction,
                    ..message
                };
                cx.transaction(&message);
            }
            None => cx.anomaly("malformed_data"),
        }
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

/// 16: not synchronised.
const STRATUM_MAX: u8 = 16;
/// Longest interval between questions, as a power of two of seconds.
const POLL_MAX: u8 = 17;
/// 16 seconds.
const DISTANCE_MAX: u32 = 16 << 16;
/// Longest message that is likely one, with extensions, bytes.
const BYTES_MAX: usize = 1280;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applayer::testing::{anomalies, corpus, endures, records};

    #[test]
    fn first_bytes() {
        let probe = |data: &[u8]| probe(Proto::Udp, Direction::ToServer, data);
        let mut message = [0; 48];
        assert_eq!(probe(&message), Probe::No);
        message[0] = 0x23;
        assert_eq!(probe(&message), Probe::Certain);
        assert_eq!(probe(&message[..47]), Probe::No);
        message[4] = 1;
        assert_eq!(probe(&message), Probe::No, "as far away as a star");
    }

    #[test]
    fn questions_and_answers() {
        let mut messages = corpus("ntp/client.bin");
        let found = records(Proto::Udp, "", &messages);
        assert_eq!(found[0]["mode"], 3);
        assert_eq!(found[1]["mode"], 4);
        assert_eq!(found[1]["version"], 4);
        assert_eq!(found[1]["stratum"], 1);
        assert_eq!(found[1]["reference_id"], "47:50:53:00");
        endures(Proto::Udp, &messages);
        messages[1].1.truncate(20);
        let found = records(Proto::Udp, "", &messages);
        assert_eq!(anomalies(&found), ["malformed_data"]);
    }
}
