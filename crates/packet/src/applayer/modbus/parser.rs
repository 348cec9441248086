//! Messages from the stream, and which response answers which request.

use std::collections::VecDeque;

use super::message::{Body, Flaw, Message};
use super::options::Options;
use super::transaction::Exchange;
use crate::applayer::records::{Found, Framed, Record, Records, Size};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::{Cursor, be16};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        options: config.apps.modbus,
        ..Parser::default()
    }))
}

/// There is no magic number: a whole message of a public function whose length fits.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp || be16(data, 2).is_some_and(|protocol| protocol != 0) {
        return Probe::No;
    }
    let (Some(len), Some(function)) = (be16(data, 4), data.get(7)) else {
        return if data.len() < HEADER {
            Probe::Unsure
        } else {
            Probe::No
        };
    };
    let is_known = matches!(function & 0x7f, 1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43);
    if !(LEN_MIN..=LEN_MAX).contains(&len) || !is_known {
        return Probe::No;
    }
    let end = usize::from(len).saturating_add(6);
    let Some(pdu) = data.get(7..end) else {
        return Probe::Unsure;
    };
    // another message may stand behind it
    let is_next = |behind: &[u8]| be16(behind, 2).is_none_or(|protocol| protocol == 0);
    let is_response = direction == Direction::ToClient;
    let message = Message::parse((0, 0, 0), pdu, is_response);
    let is_plain = matches!(message.body, Body::Data(_)) && pdu.len() > 9;
    // servers are asked nonsense; they do not answer it
    let may_be = |flaw: &Flaw| *flaw == Flaw::DataValue && !is_response;
    let fits = message.flaws.iter().all(may_be);
    if fits && !is_plain && is_next(data.get(end..).unwrap_or_default()) {
        Probe::Certain
    } else {
        Probe::No
    }
}

#[derive(Debug, Default)]
struct Parser {
    options: Options,
    waiting: VecDeque<Exchange>,
}

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        be16(data, 4).map_or(Size::Unsure, |len| {
            Size::Bytes(usize::from(len).saturating_add(LEN_END))
        })
    }

    /// Of a message whose length makes no sense, the header is enough.
    fn wanted(&self, _: Direction, data: &[u8], len: usize) -> usize {
        match be16(data, 4) {
            Some(LEN_MIN..=LEN_MAX) => len,
            _ => LEN_END,
        }
    }

    fn find(&self, direction: Direction, data: &[u8]) -> Found {
        Found::by(probe(Proto::Tcp, direction, data))
    }

    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next {
        let mut cursor = Cursor::new(record.bytes);
        if let (Some(id), Some(protocol), Some(len)) = (cursor.u16(), cursor.u16(), cursor.u16()) {
            let message = match cursor.rest().split_first() {
                Some((unit, pdu)) if (LEN_MIN..=LEN_MAX).contains(&len) => {
                    Message::parse((id, protocol, *unit), pdu, direction == Direction::ToClient)
                }
                _ => Message::broken(id, protocol),
            };
            self.message(cx, direction, message, record.ts_ns);
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        for exchange in std::mem::take(&mut self.waiting) {
            cx.transaction(&exchange);
        }
    }

    fn buffered(&self) -> usize {
        self.waiting.len().saturating_mul(usize::from(LEN_MAX))
    }
}

impl Parser {
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        mut message: Message,
        ts_ns: u64,
    ) {
        if message.protocol_id != 0 {
            message.flaw(Flaw::ProtocolId);
        }
        if direction == Direction::ToServer {
            let id = cx.transaction_id();
            report(cx, id, &message, "invalid_value");
            let exchange = Exchange {
                id,
                first_ts_ns: ts_ns,
                request: Some(message),
                response: None,
            };
            cx.progress_of(&exchange, direction);
            self.waiting.push_back(exchange);
            while self.waiting.len() > self.options.transactions_max.max(1) {
                if let Some(oldest) = self.waiting.pop_front() {
                    cx.too_large_in(oldest.id, "flooded");
                    cx.transaction(&oldest);
                }
            }
            return;
        }
        let is_asked = |exchange: &Exchange| {
            exchange.request.as_ref().is_some_and(|request| {
                request.transaction_id == message.transaction_id
                    && request.unit_id == message.unit_id
                    && request.function & 0x7f == message.function & 0x7f
            })
        };
        let found = self.waiting.iter().position(is_asked);
        let exchange = found.and_then(|at| self.waiting.remove(at));
        let mut exchange = exchange.unwrap_or_else(|| {
            let id = cx.transaction_id();
            cx.anomaly_in(id, "unsolicited_response");
            Exchange {
                id,
                first_ts_ns: ts_ns,
                request: None,
                response: None,
            }
        });
        if let Some(request) = &exchange.request {
            message.compare(request);
        }
        report(cx, exchange.id, &message, "value_mismatch");
        exchange.response = Some(message);
        cx.transaction(&exchange);
    }
}

/// Reports each flaw; `value` is what a wrong value is called in this direction.
fn report(cx: &mut Context<'_, '_>, id: u32, message: &Message, value: &'static str) {
    for flaw in &message.flaws {
        let name = match flaw {
            Flaw::DataValue => value,
            Flaw::DataLength => "invalid_length",
            Flaw::ExceptionCode => "invalid_exception_code",
            Flaw::FunctionCode => "invalid_function_code",
            Flaw::ProtocolId => "invalid_protocol_id",
        };
        cx.anomaly_in(id, name);
    }
}

/// Header with the function code behind it, bytes.
const HEADER: usize = 8;
/// Where the bytes begin that the length field counts.
const LEN_END: usize = 6;
/// What the length field counts: unit and function code at least, 253 bytes behind the unit at most.
const LEN_MIN: u16 = 2;
const LEN_MAX: u16 = 254;
