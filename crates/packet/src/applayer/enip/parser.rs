//! Messages from datagrams and from the stream, and which response answers which request.

use std::collections::VecDeque;

use super::message::{
    HEADER, LIST_IDENTITY, LIST_INTERFACES, LIST_SERVICES, Message, REGISTER_SESSION, SEND_RR_DATA,
    SEND_UNIT_DATA,
};
use super::names::status_name;
use super::options::Options;
use super::transaction::Exchange;
use crate::applayer::records::{Found, Framed, Record, Records, Size};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        options: config.apps.enip,
        ..Parser::default()
    }))
}

/// A header of a known command and status without options, and a length that the command can have.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    let Some(message) = data.get(..HEADER).and_then(Message::parse) else {
        let may_be =
            proto == Proto::Tcp && matches!(data, [] | [4 | 0x63..=0x66 | 0x6f | 0x70, ..]);
        let may_be = may_be && matches!(data, [] | [_] | [_, 0, ..]);
        return if may_be { Probe::Unsure } else { Probe::No };
    };
    let len = Message::len(data).unwrap_or(0).saturating_sub(HEADER);
    let is_request = direction == Direction::ToServer;
    let fits = match message.command {
        LIST_SERVICES | LIST_IDENTITY | LIST_INTERFACES => len == 0 || !is_request,
        REGISTER_SESSION => matches!(len, 0 | 4),
        // the interface is that of CIP
        SEND_RR_DATA | SEND_UNIT_DATA => {
            len >= 8 && be32(data, HEADER).is_none_or(|interface| interface == 0)
        }
        _ => false,
    };
    let is_whole = match proto {
        Proto::Udp => len.saturating_add(HEADER) == data.len(),
        Proto::Tcp => true,
        Proto::Icmp | Proto::Icmp6 | Proto::Other(_) => false,
    };
    let is_status = status_name(message.status).is_some();
    if fits && is_whole && is_status && be32(data, 20) == Some(0) {
        Probe::Certain
    } else {
        Probe::No
    }
}

#[derive(Debug, Default)]
struct Parser {
    options: Options,
    waiting: VecDeque<Exchange>,
    /// Bytes of those that wait, about.
    waiting_bytes: usize,
}

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        Message::len(data).map_or(Size::Unsure, Size::Bytes)
    }

    /// The length has 16 bits.
    fn wanted(&self, _: Direction, _: &[u8], len: usize) -> usize {
        len
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
        if let Some(message) = Message::parse(record.bytes) {
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
        self.waiting_bytes
    }
}

impl Parser {
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        message: Message,
        ts_ns: u64,
    ) {
        if direction == Direction::ToClient {
            return self.response(cx, message, ts_ns);
        }
        let is_one_way = message.is_one_way();
        let id = cx.transaction_id();
        report(cx, id, &message);
        let exchange = Exchange {
            id,
            first_ts_ns: ts_ns,
            request: Some(message),
            response: None,
        };
        if is_one_way {
            return cx.transaction(&exchange);
        }
        cx.progress_of(&exchange, direction);
        if cx.flow().tuple.proto == Proto::Tcp && !cx.is_prompt() {
            // what is asked is looked into with the server's acknowledgement, too
            cx.progress_of(&exchange, direction.reversed());
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(exchange.size());
        self.waiting.push_back(exchange);
        while self.waiting.len() > self.options.transactions_max.max(1)
            || self.waiting_bytes > WAITING_BYTES_MAX && !self.waiting.is_empty()
        {
            if let Some(oldest) = self.take(0) {
                cx.too_large_in(oldest.id, "too_many_transactions");
                cx.transaction(&oldest);
            }
        }
    }

    /// Takes one that waits out of its row.
    fn take(&mut self, at: usize) -> Option<Exchange> {
        let exchange = self.waiting.remove(at)?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(exchange.size());
        Some(exchange)
    }

    fn response(&mut self, cx: &mut Context<'_, '_>, message: Message, ts_ns: u64) {
        let asked = |same_context: bool| {
            self.waiting.iter().position(|exchange| {
                exchange.request.as_ref().is_some_and(|request| {
                    request.command == message.command
                        && (!same_context || request.context == message.context)
                })
            })
        };
        // connected messages leave the context empty
        let found = asked(true).or_else(|| asked(false));
        let exchange = found.and_then(|at| self.take(at));
        let mut exchange = exchange.unwrap_or_else(|| Exchange {
            id: cx.transaction_id(),
            first_ts_ns: ts_ns,
            request: None,
            response: None,
        });
        report(cx, exchange.id, &message);
        exchange.response = Some(message);
        cx.transaction(&exchange);
    }
}

fn report(cx: &mut Context<'_, '_>, id: u32, message: &Message) {
    if message.is_invalid {
        cx.anomaly_in(id, "invalid_pdu");
    }
}

/// Most bytes of requests that wait, for one flow.
const WAITING_BYTES_MAX: usize = 1 << 20;
