//! Messages from the stream, and which response belongs to which request.

use std::collections::VecDeque;

use super::message::{Request, TEXTS_MAX, error, parameter, sasl_initial, startup, text_of};
use super::options::Options;
use super::probe::probe;
use super::transaction::Exchange;
use crate::applayer::records::{Found, Framed, RECORD_BYTES_MAX, Record, Records, Size};
use crate::applayer::{AppLayer, AppProto, Context, Next};
use crate::bytes::{be16, be32};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        options: config.apps.pgsql,
        ..Parser::default()
    }))
}

#[derive(Debug, Default)]
struct Parser {
    options: Options,
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
    Message(u8, usize, usize),
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
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let len = len.saturating_add(at);
            Front::Message(if is_startup { 0 } else { kind }, head, len)
        }
    }
}

/// How much is wanted of a message: of rows and copied data the length is all, of long texts the
/// beginning.
fn wanted(direction: Direction, kind: u8, head: usize, len: usize) -> usize {
    len.min(match kind {
        b'd' => head,
        b'D' if direction == Direction::ToClient => head.saturating_add(2),
        _ => RECORD_BYTES_MAX,
    })
}

impl Records for Parser {
    fn size(&mut self, direction: Direction, data: &[u8]) -> Size {
        if direction == Direction::ToClient && self.encryption(data).is_some() {
            return Size::Bytes(1);
        }
        match front(data, direction) {
            Front::Message(_, _, len) => Size::Bytes(len),
            Front::Partial => Size::Unsure,
            Front::Invalid => Size::Bad,
        }
    }

    fn wanted(&self, direction: Direction, data: &[u8], len: usize) -> usize {
        match front(data, direction) {
            Front::Message(kind, head, _) => wanted(direction, kind, head, len),
            Front::Partial | Front::Invalid => len,
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
        if direction == Direction::ToClient
            && let Some(answer) = self.encryption(record.bytes)
        {
            return self.encrypt(cx, answer);
        }
        let Front::Message(kind, head, len) = front(record.bytes, direction) else {
            return Next::More;
        };
        let end = wanted(direction, kind, head, len);
        let body = record.bytes.get(head..end).unwrap_or_default();
        let body_len = u64::try_from(len.saturating_sub(head)).unwrap_or(u64::MAX);
        match direction {
            Direction::ToServer => self.request(cx, kind, body, body_len, record.ts_ns),
            Direction::ToClient => self.response(cx, kind, body, body_len, record.ts_ns),
        }
        Next::More
    }

    fn bad(&mut self, cx: &mut Context<'_, '_>, _: Direction, ts_ns: u64) -> Next {
        self.damaged(cx, "invalid_length", ts_ns);
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        while !self.waiting.is_empty() {
            self.close(cx);
        }
    }

    fn buffered(&self) -> usize {
        self.waiting_bytes
    }
}

impl Parser {
    /// The server's answer to a wish for encryption is one byte.
    fn encryption(&self, data: &[u8]) -> Option<u8> {
        let asked = self.waiting.front()?.request.as_ref()?;
        let answer = *data.first()?;
        let fits = match answer {
            b'S' => *asked == Request::Ssl,
            b'G' => *asked == Request::Gss,
            b'N' => matches!(asked, Request::Ssl | Request::Gss),
            _ => false,
        };
        fits.then_some(answer)
    }

    fn encrypt(&mut self, cx: &mut Context<'_, '_>, answer: u8) -> Next {
        if let Some(exchange) = self.waiting.front_mut()
            && matches!(exchange.request, Some(Request::Ssl))
        {
            exchange.response.ssl_accepted = Some(answer == b'S');
        }
        self.close(cx);
        match answer {
            b'S' => {
                cx.expect_change_to(AppProto::Tls);
                Next::Redetect(0)
            }
            b'G' => Next::Done,
            _ => Next::More,
        }
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
        let exchange = Exchange {
            id,
            first_ts_ns: ts_ns,
            request,
            ..Exchange::default()
        };
        if is_logged {
            cx.progress_of(&exchange, Direction::ToServer);
        }
        self.push(exchange);
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
