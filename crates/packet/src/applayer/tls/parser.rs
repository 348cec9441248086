//! Handshake messages from records: the ClientHello may be spread over records and TCP segments.

use super::hello::Hello;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be16;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// A handshake record of SSL 3.0 or TLS that begins with a hello of either side.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    let hello = match direction {
        Direction::ToServer => CLIENT_HELLO,
        Direction::ToClient => SERVER_HELLO,
    };
    let fits = |at: usize, fits: &dyn Fn(u8) -> bool| data.get(at).copied().is_none_or(fits);
    let possible = proto == Proto::Tcp
        && fits(0, &|kind| kind == HANDSHAKE)
        && fits(1, &|major| major == 3)
        && fits(2, &|minor| minor <= 4)
        && record_len_fits(data)
        && fits(5, &|kind| kind == hello);
    match (possible, data.len() > RECORD_HEADER) {
        (true, true) => Probe::Certain,
        (true, false) => Probe::Unsure,
        (false, _) => Probe::No,
    }
}

fn record_len_fits(data: &[u8]) -> bool {
    be16(data, 3).is_none_or(|len| (1..=RECORD_BYTES_MAX).contains(&len))
}

/// What is there of the ClientHello.
#[derive(Debug, Default)]
struct Parser {
    /// The header of the record, as far as it is there.
    header: Vec<u8>,
    /// Bytes left of the record.
    left: usize,
    /// The handshake message, as far as it is there.
    message: Vec<u8>,
    /// Time of the packet that the first byte came with.
    ts_ns: Option<u64>,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        if direction == Direction::ToClient {
            return Next::More;
        }
        self.ts_ns.get_or_insert(cx.ts_ns);
        let mut rest = data;
        while !rest.is_empty() {
            let taken = if self.left == 0 {
                self.take_header(rest)
            } else {
                self.take_body(rest)
            };
            let Some(taken) = taken else {
                cx.anomaly("tls.invalid_record");
                return Next::Done;
            };
            rest = rest.get(taken..).unwrap_or_default();
            if let Some(len) = self.message_len() {
                if self.message.len() >= len {
                    self.emit(cx, len);
                    return Next::Done;
                }
                if len > cx.config.head_bytes_max {
                    cx.too_large("tls.client_hello_too_large");
                    return Next::Done;
                }
            }
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        match direction {
            Direction::ToServer => Next::Done,
            Direction::ToClient => Next::More,
        }
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        self.header.len().saturating_add(self.message.len())
    }
}

impl Parser {
    /// Takes bytes of a record's header; `None` when it is not one of a handshake.
    fn take_header(&mut self, data: &[u8]) -> Option<usize> {
        let missing = RECORD_HEADER.saturating_sub(self.header.len());
        let taken = data.get(..missing).unwrap_or(data);
        self.header.extend_from_slice(taken);
        if let Some(len) = be16(&self.header, 3) {
            let sound = self.header.first() == Some(&HANDSHAKE) && record_len_fits(&self.header);
            self.left = usize::from(len);
            self.header.clear();
            sound.then_some(())?;
        }
        Some(taken.len())
    }

    fn take_body(&mut self, data: &[u8]) -> Option<usize> {
        let taken = data.get(..self.left).unwrap_or(data);
        self.message.extend_from_slice(taken);
        self.left = self.left.saturating_sub(taken.len());
        (self.message.first() == Some(&CLIENT_HELLO)).then_some(taken.len())
    }

    /// Length of the handshake message with its header.
    fn message_len(&self) -> Option<usize> {
        let &[_, a, b, c] = self.message.first_chunk::<4>()?;
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        len.checked_add(4)
    }

    fn emit(&self, cx: &mut Context<'_, '_>, len: usize) {
        let message = self.message.get(..len).unwrap_or_default();
        match Hello::parse(message, self.ts_ns.unwrap_or(cx.ts_ns)) {
            Some(mut hello) => {
                hello.tx_id = cx.transaction_id();
                cx.transaction(&hello);
            }
            None => cx.anomaly("tls.invalid_client_hello"),
        }
    }
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const RECORD_HEADER: usize = 5;
/// RFC 5246 section 6.2.3: 2^14 bytes of content and 2048 of expansion.
const RECORD_BYTES_MAX: u16 = (1 << 14) + 2048;

#[cfg(test)]
mod tests;
