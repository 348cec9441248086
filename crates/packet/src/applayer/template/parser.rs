//! Messages of both directions, and which response belongs to which request.

use std::collections::VecDeque;

use super::Exchange;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// The client begins with a digit, and a colon follows the digits.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp || direction == Direction::ToClient {
        return Probe::No;
    }
    match length(data) {
        Length::Known { .. } => Probe::Certain,
        Length::Open if !data.is_empty() => Probe::Unsure,
        Length::Open | Length::Wrong => Probe::No,
    }
}

#[derive(Debug, Default)]
struct Parser {
    /// Bytes of a message that is not whole, from the client and from the server.
    kept: [Vec<u8>; 2],
    /// Requests that wait for their response.
    pending: VecDeque<Exchange>,
    first_ts_ns: Option<u64>,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        self.first_ts_ns.get_or_insert(cx.ts_ns);
        self.kept_of(direction).extend_from_slice(data);
        loop {
            let kept = self.kept_of(direction);
            let (start, len) = match length(kept) {
                Length::Known { start, len } => (start, len),
                Length::Open => return Next::More,
                Length::Wrong => {
                    cx.anomaly("template.length_invalid");
                    return Next::Done;
                }
            };
            let end = start.saturating_add(len);
            if end > cx.config.head_bytes_max {
                cx.too_large("template.message_too_long");
                return Next::Done;
            }
            let Some(message) = kept.get(start..end).map(<[u8]>::to_vec) else {
                return Next::More;
            };
            kept.drain(..end);
            self.message(cx, direction, message);
        }
    }

    /// Where the next message begins is not known any more.
    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::Done
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        for exchange in std::mem::take(&mut self.pending) {
            cx.transaction(&exchange);
        }
    }

    fn buffered(&self) -> usize {
        let pending = self.pending.iter().map(|exchange| exchange.request.len());
        let kept = self.kept.iter().map(Vec::len);
        pending.chain(kept).fold(0, usize::saturating_add)
    }
}

impl Parser {
    fn kept_of(&mut self, direction: Direction) -> &mut Vec<u8> {
        let [to_server, to_client] = &mut self.kept;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    fn message(&mut self, cx: &mut Context<'_, '_>, direction: Direction, message: Vec<u8>) {
        let first_ts_ns = self.first_ts_ns.take().unwrap_or(cx.ts_ns);
        match direction {
            Direction::ToServer => {
                if self.pending.len() >= cx.config.pending_max {
                    cx.counters.pending_max_hit = cx.counters.pending_max_hit.saturating_add(1);
                    self.answered(cx, None);
                }
                let tx_id = cx.transaction_id();
                self.pending.push_back(Exchange {
                    tx_id,
                    first_ts_ns,
                    request: message,
                    response: None,
                });
            }
            Direction::ToClient => self.answered(cx, Some(message)),
        }
    }

    /// The oldest request has its response, or will not get one.
    fn answered(&mut self, cx: &mut Context<'_, '_>, response: Option<Vec<u8>>) {
        match self.pending.pop_front() {
            Some(mut exchange) => {
                exchange.response = response;
                cx.transaction(&exchange);
            }
            None => cx.anomaly("template.unrequested_response"),
        }
    }
}

/// What the bytes say of the length of the message that they begin.
enum Length {
    /// The message is `len` bytes from `start`.
    Known {
        start: usize,
        len: usize,
    },
    /// More bytes will tell.
    Open,
    Wrong,
}

/// Most digits of a length.
const DIGITS_MAX: usize = 6;

fn length(data: &[u8]) -> Length {
    let digits = data.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = data.split_at_checked(digits).unwrap_or((data, &[]));
    match rest.first() {
        _ if digits > DIGITS_MAX => Length::Wrong,
        None => Length::Open,
        Some(b':') if digits > 0 => {
            let number = std::str::from_utf8(number).ok();
            number
                .and_then(|number| number.parse().ok())
                .map_or(Length::Wrong, |len| Length::Known {
                    start: digits.saturating_add(1),
                    len,
                })
        }
        Some(_) => Length::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_and_a_colon() {
        let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
        for (data, expected) in [
            (&b"12:hello"[..], Probe::Certain),
            (b"12", Probe::Unsure),
            (b"1234567", Probe::No),
            (b":x", Probe::No),
            (b"GET", Probe::No),
            (b"", Probe::No),
        ] {
            assert_eq!(probe(data), expected, "{data:?}");
        }
    }
}
