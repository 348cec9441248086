//! Requests from datagrams.

use super::transaction::Request;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser)
}

/// A request that can be read whole, with one of the three modes: on any port.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    let is_request =
        proto == Proto::Udp && direction == Direction::ToServer && Request::parse(data).is_some();
    if is_request {
        Probe::Certain
    } else {
        Probe::No
    }
}

#[derive(Debug)]
struct Parser;

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let request = Request::parse(data).filter(|_| direction == Direction::ToServer);
        if let Some(mut request) = request {
            request.tx_id = cx.transaction_id();
            request.first_ts_ns = cx.ts_ns;
            cx.transaction(&request);
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
