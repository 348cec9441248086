//! Messages from the stream, and which response belongs to which request.

use std::collections::VecDeque;

use super::message::{Request, TEXTS_MAX, error, parameter, sasl_initial, startup, text_of};
use super::options::Options;
use super::probe::probe;
use super::transaction::Exchange;
use crate::applayer::buffer::Buffer;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::{be16, be32};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        options: config.apps.pgsql,
        ..Parser::default()
    })
}

#[derive(Debug, Default)]
struct Parser {
    options: Options,
    to_server: Buffer,
    to_client: Buffer,
    /// Directions of which it is not known where the next message begins.
    lost: [bool; 2],
    /// Last code of authentication, which says what a password message holds.
    auth: u32,
    logged_in: bool,
    waiting: VecDeque<Exchange>,
    /// Bytes of those that wait, about.
    waiting_bytes: usize,
}

/// What stands at the front of a direction.
enum Front {
    /// A message: its type, 0 where it has none; length of its head and of all of it.
    Message(u8, usize, u64),
    /// More bytes are needed.
    Partial,
    /// Its length makes no sense.
    Invalid,
}

fn front(data: &[u8], direction: Direction) -> Front {
    let Some(kind) = data.first().copied() else {
        return Front::Partial;
    };
    let is_startup = kind == 0 && direction == Direction::ToServer;
    let at = usize::from(!is_startup);
    match be32(data, at) {
        None => Front::Partial,
        Some(0..=3) => Front::Invalid,
        Some(len) => {
            let head = at.saturating_add(4);
            let len = u64::from(len).saturating_add(u64::from(!is_startup));
            Front::Message(if is_startup { 0 } else { kind }, head, len)
        }
    }
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        // behind what was missed, a message is known by what makes the first of a flow known
        if self.is_lost(direction) && probe(Proto::Tcp, direction, data) != Probe::Certain {
            return Next::More;
        }
        self.set_lost(direction, false);
        let mut buffer = std::mem::take(self.buffer(direction));
        buffer.push(data, cx.ts_ns);
        if direction == Direction::ToClient
            && let Some(next) = self.encryption(cx, &mut buffer, data.len())
        {
            return next;
        }
        loop {
            let (kind, head, len) = match front(buffer.front(), direction) {
                Front::Message(kind, head, len) => (kind, head, len),
                Front::Partial => break,
                Front::Invalid => {
                    self.damaged(cx, "invalid_length", buffer.ts_ns());
                    self.set_lost(direction, true);
                    return Next::More;
                }
            };
            // of rows and copied data the length is all that is wanted, of long texts the beginning
            let wanted = match kind {
                b'd' => head,
                b'D' if direction == Direction::ToClient => head.saturating_add(2),
                _ => cx.config.head_bytes_max,
            };
            let whole = usize::try_from(len).unwrap_or(usize::MAX);
            let Some(body) = buffer.front().get(head..whole.min(wanted)) else {
                break;
            };
            let body_len = len.saturating_sub(u64::try_from(head).unwrap_or(0));
            let ts_ns = buffer.ts_ns();
            match direction {
                Direction::ToServer => self.request(cx, kind, body, body_len, ts_ns),
                Direction::ToClient => self.response(cx, kind, body, body_len, ts_ns),
            }
            buffer.consume(len);
        }
        *self.buffer(direction) = buffer;
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        if !self.buffer(direction).gap(len) {
            self.set_lost(direction, true);
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        while !self.waiting.is_empty() {
            self.close(cx);
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

    /// The server's answer to a wish for encryption is one byte.
    fn encryption(
        &mut self,
        cx: &mut Context<'_, '_>,
        buffer: &mut Buffer,
        data_len: usize,
    ) -> Option<Next> {
        let answer = *buffer.front().first()?;
        let exchange = self.waiting.front_mut()?;
        let behind = buffer.front().len().saturating_sub(1);
        let next = match (&exchange.request, answer) {
            (Some(Request::Ssl), b'S') => {
                exchange.response.ssl_accepted = Some(true);
                Some(Next::Redetect(data_len.saturating_sub(behind)))
            }
            (Some(Request::Ssl), b'N') => {
                exchange.response.ssl_accepted = Some(false);
                None
            }
            (Some(Request::Gss), b'N') => None,
            (Some(Request::Gss), b'G') => Some(Next::Done),
            _ => return None,
        };
        buffer.consume(1);
        self.close(cx);
        next
    }

    fn request(
        &mut self,
        cx: &mut Context<'_, '_>,
        kind: u8,
        body: &[u8],
        body_len: u64,
        ts_ns: u64,
    ) {
        let request = match kind {
            0 => startup(body),
            b'Q' => Some(Request::Query(text_of(body))),
            b'p' => match self.auth {
                AUTH_SASL => sasl_initial(body),
                AUTH_SASL_CONTINUE => Some(Request::SaslResponse(body.to_vec())),
                _ => Some(Request::Password(text_of(body))),
            },
            b'd' | b'c' | b'f' => return self.copy(cx, kind, body, body_len, ts_ns),
            b'P' | b'B' | b'D' | b'E' | b'H' | b'C' | b'S' | b'F' => {
                return self.extended(matches!(kind, b'S' | b'F'), ts_ns);
            }
            b'X' => Some(Request::Terminate),
            // types that no version knows so far are passed by
            _ => return,
        };
        match request {
            None => self.damaged(cx, "malformed_request", ts_ns),
            Some(Request::Terminate) => self.alone(cx, Some(Request::Terminate), ts_ns),
            Some(cancel @ Request::Cancel { .. }) => self.alone(cx, Some(cancel), ts_ns),
            Some(request) => self.open(cx, Some(request), ts_ns),
        }
    }

    /// Data of a COPY to the server, or its end.
    fn copy(&mut self, cx: &mut Context<'_, '_>, kind: u8, body: &[u8], body_len: u64, ts_ns: u64) {
        let is_open =
            |exchange: &Exchange| matches!(exchange.request, Some(Request::Copy { end: None, .. }));
        if !self.waiting.back().is_some_and(is_open) {
            let request = Request::Copy {
                data: (0, 0),
                end: None,
            };
            self.open(cx, Some(request), ts_ns);
        }
        if let Some(Exchange {
            request: Some(Request::Copy { data, end }),
            ..
        }) = self.waiting.back_mut()
        {
            match kind {
                b'd' => add(data, body_len),
                b'c' => *end = Some(Ok(())),
                // with its zero byte, as it is logged in the field
                _ => *end = Some(Err(body.to_vec())),
            }
        }
    }

    /// Messages of the extended query protocol; all of them up to a synchronisation have one end.
    fn extended(&mut self, sync: bool, ts_ns: u64) {
        if let Some(Exchange {
            request: Some(Request::Extended { synced }),
            ..
        }) = self.waiting.back_mut()
            && !*synced
        {
            *synced = sync;
        } else if self.waiting.len() < self.options.transactions_max {
            let request = Some(Request::Extended { synced: sync });
            self.push(Exchange {
                request,
                first_ts_ns: ts_ns,
                ..Exchange::default()
            });
        }
    }

    fn response(
        &mut self,
        cx: &mut Context<'_, '_>,
        kind: u8,
        body: &[u8],
        body_len: u64,
        ts_ns: u64,
    ) {
        // what comes by itself begins no exchange
        let asked = matches!(
            kind,
            b'R' | b'K' | b'E' | b'G' | b'H' | b'd' | b'T' | b'D' | b'C'
        );
        if asked && self.waiting.is_empty() {
            self.open(cx, None, ts_ns);
        }
        let Some(exchange) = self.waiting.front_mut() else {
            return;
        };
        let response = &mut exchange.response;
        let number16 = be16(body, 0);
        match kind {
            b'R' => self.authentication(cx, body),
            b'S' if response.parameters.len() < TEXTS_MAX && response.has_room() => {
                response.parameters.extend(parameter(body));
            }
            b'K' => response.key = be32(body, 0).zip(be32(body, 4)),
            b'E' => {
                response.error = error(body);
                if !self.logged_in && self.auth_is_open() {
                    // the server ends the session
                    self.close(cx);
                }
            }
            b'G' => {
                response.copy_in = be16(body, 1);
                self.close(cx);
            }
            b'H' => response.copy_out = be16(body, 1),
            b'd' => add(&mut response.copy_data, body_len),
            b'c' => response.copy_done = true,
            b'T' => {
                response.fields = number16;
                response.rows = (0, 0);
            }
            b'D' => {
                let heads = u64::from(number16.unwrap_or(0)).saturating_mul(4);
                add(
                    &mut response.rows,
                    body_len.saturating_sub(2).saturating_sub(heads),
                );
            }
            b'C' => response.completed = Some(text_of(body)),
            b'Z' => {
                self.logged_in = true;
                self.close(cx);
            }
            _ => {}
        }
    }

    /// A step of authentication: the client has to answer, or is in.
    fn authentication(&mut self, cx: &mut Context<'_, '_>, body: &[u8]) {
        let Some(code) = be32(body, 0) else {
            return cx.anomaly("malformed_response");
        };
        let rest = body.get(4..).unwrap_or_default();
        if let Some(exchange) = self.waiting.front_mut()
            && exchange.response.authentication.len() < STEPS_MAX
            && exchange.response.has_room()
        {
            let step = (code, rest.to_vec());
            exchange.response.authentication.push(step);
        }
        match code {
            AUTH_OK => self.logged_in = true,
            AUTH_SASL_FINAL => {}
            _ => {
                self.auth = code;
                self.close(cx);
            }
        }
    }

    /// Whether what waits is a step of authentication.
    fn auth_is_open(&self) -> bool {
        let request = self
            .waiting
            .front()
            .and_then(|first| first.request.as_ref());
        matches!(
            request,
            Some(
                Request::Startup { .. }
                    | Request::Password(_)
                    | Request::SaslInitial { .. }
                    | Request::SaslResponse(_)
                    | Request::Ssl
            )
        )
    }

    /// A message that makes no sense has an empty record.
    fn damaged(&self, cx: &mut Context<'_, '_>, name: &'static str, ts_ns: u64) {
        let exchange = Exchange {
            id: cx.transaction_id(),
            first_ts_ns: ts_ns,
            ..Exchange::default()
        };
        cx.anomaly_in(exchange.id, name);
        cx.transaction(&exchange);
    }

    /// An exchange that nothing follows.
    fn alone(&self, cx: &mut Context<'_, '_>, request: Option<Request>, ts_ns: u64) {
        let exchange = Exchange {
            id: cx.transaction_id(),
            first_ts_ns: ts_ns,
            request,
            ..Exchange::default()
        };
        cx.transaction(&exchange);
    }

    fn open(&mut self, cx: &mut Context<'_, '_>, request: Option<Request>, ts_ns: u64) {
        let is_logged = !matches!(request, Some(Request::Gss));
        let id = if is_logged { cx.transaction_id() } else { 0 };
        self.push(Exchange {
            id,
            first_ts_ns: ts_ns,
            request,
            ..Exchange::default()
        });
        while self.waiting.len() > self.options.transactions_max.max(1)
            || self.waiting_bytes > WAITING_BYTES_MAX && self.waiting.len() > 1
        {
            let oldest = self.waiting.front().map_or(0, |oldest| oldest.id);
            cx.too_large_in(oldest, "too_many_transactions");
            self.close(cx);
        }
    }

    fn push(&mut self, exchange: Exchange) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(exchange.size());
        self.waiting.push_back(exchange);
    }

    /// The first exchange that waits is complete.
    fn close(&mut self, cx: &mut Context<'_, '_>) {
        if let Some(exchange) = self.waiting.pop_front() {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(exchange.size());
            if exchange.is_logged() {
                cx.transaction(&exchange);
            }
        }
    }
}

/// Counts a message and the bytes in it.
fn add((messages, bytes): &mut (u64, u64), len: u64) {
    *messages = messages.saturating_add(1);
    *bytes = bytes.saturating_add(len);
}

pub(super) const AUTH_OK: u32 = 0;
pub(super) const AUTH_SASL: u32 = 10;
pub(super) const AUTH_SASL_CONTINUE: u32 = 11;
pub(super) const AUTH_SASL_FINAL: u32 = 12;
/// Most steps of authentication kept of one exchange.
const STEPS_MAX: usize = 16;
/// Most bytes of exchanges that wait, for one flow.
const WAITING_BYTES_MAX: usize = 4 << 20;
