//! A message a datagram.

use super::message::Message;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser)
}

/// A dictionary that says that it is a query, an answer or an error, and of what transaction.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    let is_it = proto == Proto::Udp
        && data.first() == Some(&b'd')
        && Message::parse(data, direction).is_some_and(|found| !found.transaction_id.is_empty());
    if is_it { Probe::Certain } else { Probe::No }
}

#[derive(Debug)]
struct Parser;

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        // torrents go over the same ports
        if data.first() != Some(&b'd') {
            return Next::More;
        }
        let mut message = Message::parse(data, direction).unwrap_or_else(|| {
            // it is logged as empty
            Message::new(direction)
        });
        message.tx_id = cx.transaction_id();
        if message.transaction_id.is_empty() {
            cx.anomaly_in(message.tx_id, "malformed_packet");
        }
        message.first_ts_ns = cx.ts_ns;
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
