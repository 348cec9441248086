//! Messages from datagrams and from the stream, and which response answers which request.

use std::collections::VecDeque;

use super::message::{
    HEADER, LIST_IDENTITY, LIST_INTERFACES, LIST_SERVICES, Message, REGISTER_SESSION, SEND_RR_DATA,
    SEND_UNIT_DATA,
};
use super::names::status_name;
use super::options::Options;
use super::transaction::Exchange;
use crate::applayer::buffer::Buffer;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        options: config.apps.enip,
        ..Parser::default()
    })
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
    to_server: Buffer,
    to_client: Buffer,
    /// Directions of which it is not known where the next message begins.
    lost: [bool; 2],
    waiting: VecDeque<Exchange>,
    /// Bytes of those that wait, about.
    waiting_bytes: usize,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        // behind what was missed, a message is known by what makes the first of a flow known
        if self.is_lost(direction)
            && probe(cx.flow().tuple.proto, direction, data) != Probe::Certain
        {
            return Next::More;
        }
        self.set_lost(direction, false);
        let mut buffer = std::mem::take(self.buffer(direction));
        buffer.push(data, cx.ts_ns);
        while let Some(len) = Message::len(buffer.front()) {
            let Some(message) = buffer.front().get(..len) else {
                break;
            };
            let ts_ns = buffer.ts_ns();
            if let Some(message) = Message::parse(message) {
                self.message(cx, direction, message, ts_ns);
            }
            buffer.consume(len.try_into().unwrap_or(u64::MAX));
        }
        if cx.flow().tuple.proto != Proto::Udp {
            *self.buffer(direction) = buffer;
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        if !self.buffer(direction).gap(len) {
            self.set_lost(direction, true);
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        for exchange in std::mem::take(&mut self.waiting) {
            cx.transaction(&exchange);
        }
    }

    fn buffered(&self) -> usize {
        let buffered = self.to_server.len().saturating_add(self.to_client.len());
        buffered.saturating_add(self.waiting_bytes)
    }
}

impl Parser {
    fn buffer(&mut self, direction: Direction) -> &mut Buffer {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    fn is_lost(&self, direction: Direction) -> bool {
        let [to_server, to_client] = self.lost;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    fn set_lost(&mut self, direction: Direction, lost: bool) {
        let [to_server, to_client] = &mut self.lost;
        match direction {
            Direction::ToServer => *to_server = lost,
            Direction::ToClient => *to_client = lost,
        }
    }

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
