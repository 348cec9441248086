//! Messages from datagrams.

use super::transaction::{Body, Header, Message};
use super::{v1, v2};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// A header whose every field makes sense, and whose length is the datagram's.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    let likely = |header: &Header, whole: usize| {
        let kinds = match header.major() {
            1 => matches!(header.exchange, 1..=6 | 32 | 33) && header.next < 23 && header.flags < 8,
            2 => {
                let kind = header.next == 0 || (33..=53).contains(&header.next);
                matches!(header.exchange, 34..=43) && kind && header.flags & 0xc7 == 0
            }
            _ => false,
        };
        kinds && header.init_spi != [0; 8] && usize::try_from(header.len) == Ok(whole)
    };
    let data = without_marker(data);
    match Header::read(data) {
        Some((header, _)) if proto == Proto::Udp && likely(&header, data.len()) => Probe::Certain,
        _ => Probe::No,
    }
}

/// On port 4500 four zero bytes tell IKE from ESP (RFC 3948 section 2.2).
fn without_marker(data: &[u8]) -> &[u8] {
    data.strip_prefix(&[0; 4]).unwrap_or(data)
}

#[derive(Debug, Default)]
struct Parser {
    one: v1::State,
    two: v2::State,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let data = without_marker(data);
        let Some((header, body)) = Header::read(data) else {
            // keep-alives (RFC 3948 section 2.3) are one byte
            return Next::More;
        };
        // ESP shares port 4500
        if usize::try_from(header.len).is_ok_and(|len| len > data.len()) {
            return Next::More;
        }
        if !matches!(header.major(), 1 | 2) {
            return Next::More;
        }
        let tx_id = cx.transaction_id();
        let body = match header.major() {
            1 => {
                let to_server = direction == Direction::ToServer;
                let (exchange, sound) = self.one.message(&header, body, to_server);
                if !sound {
                    cx.anomaly_in(tx_id, "malformed_data");
                }
                if exchange.server_offers.len() > 1 {
                    cx.anomaly_in(tx_id, "multiple_server_proposal");
                }
                Body::One(Box::new(exchange))
            }
            _ => {
                let mut report = |name: &'static str| cx.anomaly_in(tx_id, name);
                let exchange = self.two.message(&header, body, &mut report);
                Body::Two(Box::new(exchange))
            }
        };
        let message = Message {
            first_ts_ns: cx.ts_ns,
            tx_id,
            direction,
            header,
            body,
        };
        cx.transaction(&message);
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::More
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        self.one.kept()
    }
}

#[cfg(test)]
mod tests;
