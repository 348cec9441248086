//! A message a datagram.

use super::message::{Message, looks_like_dhcp};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser)
}

/// The cookie stands where it has to.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    if proto == Proto::Udp && looks_like_dhcp(data) {
        Probe::Certain
    } else {
        Probe::No
    }
}

#[derive(Debug)]
struct Parser;

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        if let Some(mut message) = Message::parse(data, direction) {
            message.id = cx.transaction_id();
            if message.truncated {
                cx.anomaly_in(message.id, "truncated_options");
            }
            message.first_ts_ns = cx.ts_ns;
            cx.transaction(&message);
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
