//! Messages from datagrams and from a TCP stream; answers find their request by its number.

use std::collections::VecDeque;

use super::message::{CONTROLS, Message};
use super::operation::Operation;
use super::options::Options;
use crate::applayer::der::{INTEGER, SEQUENCE, Size, size};
use crate::applayer::records::{Format, Outcome, Records, Take};
use crate::applayer::{AppLayer, AppProto, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// Largest message taken, bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Most bytes of messages kept of one flow while requests wait for their answers; beyond it answers
/// are not kept, and the oldest request is yielded as it is.
const PENDING_BYTES_MAX: usize = 4 << 20;

/// A request with its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ldap {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    /// The request, where it was seen.
    pub request: Option<Message>,
    /// What answers it.
    pub responses: Vec<Message>,
    /// Bytes of the messages.
    bytes: usize,
}

pub(super) fn start(proto: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        is_tcp: proto == Proto::Tcp,
        to_server: Records::default(),
        to_client: Records::default(),
        state: State {
            options: config.apps.ldap,
            ..State::default()
        },
    })
}

/// An envelope whose number is small and positive and whose operation, of a known tag, fills it but
/// for controls.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    match (proto, looks_like_ldap(data)) {
        (Proto::Tcp | Proto::Udp, Some(true)) => Probe::Certain,
        (Proto::Tcp, None) if data.len() < HEAD_BYTES_MAX => Probe::Unsure,
        _ => Probe::No,
    }
}

/// `None` where more bytes will tell.
fn looks_like_ldap(data: &[u8]) -> Option<bool> {
    if *data.first()? != SEQUENCE {
        return Some(false);
    }
    let (whole, head) = sized(data)?;
    let message = data.get(head..)?;
    let id_len = usize::from(*message.get(1)?);
    if *message.first()? != INTEGER || !(1..=4).contains(&id_len) {
        return Some(false);
    }
    let operation = message.get(id_len.saturating_add(2)..)?;
    if *message.get(2)? >= 0x80 || !TAGS.contains(operation.first()?) {
        return Some(false);
    }
    let (len, _) = sized(operation)?;
    let end = head
        .saturating_add(id_len)
        .saturating_add(2)
        .saturating_add(len);
    if end < whole {
        return data
            .get(end)
            .map_or(Some(true), |tag| Some(*tag == CONTROLS));
    }
    Some(end == whole)
}

/// Size of the element that begins here, and of its head; of a damaged one, nothing that fits.
fn sized(data: &[u8]) -> Option<(usize, usize)> {
    let head = match *data.get(1)? {
        len if len < 0x80 => 2,
        len => usize::from(len & 0x7f).saturating_add(2),
    };
    match size(data) {
        Size::Bytes(len) => Some((len, head)),
        Size::Unsure => None,
        Size::Bad => Some((0, head)),
    }
}

#[derive(Debug)]
struct Parser {
    is_tcp: bool,
    to_server: Records,
    to_client: Records,
    state: State,
}

const FORMAT: Format = Format {
    size: |data| match data.first() {
        Some(tag) if *tag != SEQUENCE => Size::Bad,
        _ => size(data),
    },
    is_start: |data| looks_like_ldap(data) == Some(true),
    bytes_max: MESSAGE_BYTES_MAX,
};

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let Self {
            is_tcp,
            to_server,
            to_client,
            state,
        } = self;
        if !*is_tcp {
            // several messages may share a datagram
            let mut lone = Records::default();
            let outcome = lone.data(data, cx.ts_ns, FORMAT, &mut |record, ts_ns| {
                state.message(cx, direction, record, ts_ns);
                Take::Next
            });
            if outcome == Outcome::Bad || lone.buffered() > 0 {
                cx.anomaly("invalid_data");
            }
            return Next::More;
        }
        let records = match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        };
        let outcome = records.data(data, cx.ts_ns, FORMAT, &mut |record, ts_ns| {
            state.message(cx, direction, record, ts_ns);
            match state.is_tls_next || state.is_full {
                true => Take::Stop,
                false => Take::Next,
            }
        });
        match outcome {
            Outcome::More => Next::More,
            Outcome::TooLarge => {
                cx.too_large("invalid_data");
                Next::More
            }
            Outcome::Stopped(used) if self.state.is_tls_next => {
                self.state.end(cx);
                cx.expect_change_to(AppProto::Tls);
                Next::Redetect(used)
            }
            Outcome::Stopped(_) => {
                self.state.end(cx);
                Next::Error
            }
            // behind a SASL security layer nothing can be read (RFC 4513 section 5.2.1)
            Outcome::Bad => {
                cx.anomaly("invalid_data");
                self.state.end(cx);
                Next::Error
            }
        }
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        match direction {
            Direction::ToServer => self.to_server.gap(len, FORMAT),
            Direction::ToClient => self.to_client.gap(len, FORMAT),
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.state.end(cx);
    }

    fn buffered(&self) -> usize {
        let [a, b] = [&self.to_server, &self.to_client].map(Records::buffered);
        a.saturating_add(b).saturating_add(self.state.bytes)
    }
}

#[derive(Debug, Default)]
struct State {
    options: Options,
    /// Requests that wait for answers.
    pending: VecDeque<Ldap>,
    /// Bytes of the messages that are kept.
    bytes: usize,
    /// StartTLS is granted.
    is_tls_next: bool,
    /// Too many requests wait.
    is_full: bool,
}

impl State {
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
        first_ts_ns: u64,
    ) {
        let Some(message) = Message::of(data) else {
            return cx.anomaly("invalid_data");
        };
        match direction {
            Direction::ToServer => self.request(cx, message, data.len(), first_ts_ns),
            Direction::ToClient => self.response(cx, message, data.len(), first_ts_ns),
        }
    }

    fn request(
        &mut self,
        cx: &mut Context<'_, '_>,
        message: Message,
        bytes: usize,
        first_ts_ns: u64,
    ) {
        if self.pending.len() >= self.options.transactions_max {
            self.is_full = true;
            return cx.anomaly("too_many_transactions");
        }
        let is_unanswered = message.operation.is_unanswered();
        let tx = Ldap {
            tx_id: cx.transaction_id(),
            first_ts_ns,
            request: Some(message),
            responses: Vec::new(),
            bytes,
        };
        if is_unanswered {
            cx.transaction(&tx);
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.pending.push_back(tx);
        while self.bytes > PENDING_BYTES_MAX
            && let Some(oldest) = self.pending.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
            cx.transaction(&oldest);
        }
    }

    fn response(
        &mut self,
        cx: &mut Context<'_, '_>,
        message: Message,
        bytes: usize,
        first_ts_ns: u64,
    ) {
        let is_asked = |tx: &Ldap| {
            let request = tx.request.as_ref();
            request.is_some_and(|request| request.id == message.id)
        };
        let Some(at) = self.pending.iter().position(is_asked) else {
            // a server says unasked only that it leaves (RFC 4511 section 4.4)
            if message.id != 0 {
                cx.anomaly("request_not_found");
            }
            let tx = Ldap {
                tx_id: cx.transaction_id(),
                first_ts_ns,
                request: None,
                responses: vec![message],
                bytes,
            };
            return cx.transaction(&tx);
        };
        let is_final = message.operation.is_final();
        let has_room = self.bytes.saturating_add(bytes) <= PENDING_BYTES_MAX;
        if let Some(tx) = self.pending.get_mut(at) {
            if tx.responses.len() < self.options.responses_max && (has_room || is_final) {
                self.is_tls_next = tx.grants_tls(&message);
                tx.responses.push(message);
                tx.bytes = tx.bytes.saturating_add(bytes);
                self.bytes = self.bytes.saturating_add(bytes);
            } else {
                cx.anomaly("too_many_responses");
            }
        }
        if is_final && let Some(tx) = self.pending.remove(at) {
            self.bytes = self.bytes.saturating_sub(tx.bytes);
            cx.transaction(&tx);
        }
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.bytes = 0;
        for tx in self.pending.drain(..) {
            cx.transaction(&tx);
        }
    }
}

impl Ldap {
    /// Whether an answer lets TLS begin (RFC 4511 section 4.14).
    fn grants_tls(&self, answer: &Message) -> bool {
        let asked = self.request.as_ref().map(|request| &request.operation);
        let is_start = matches!(asked, Some(Operation::Extended(name, _)) if name == START_TLS);
        is_start
            && matches!(&answer.operation, Operation::ExtendedResponse(outcome, ..) if outcome.code == 0)
    }
}

/// RFC 4511 section 4.14.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// Most first bytes that are waited for: both heads and a number.
const HEAD_BYTES_MAX: usize = 24;
/// Tags of the operations.
const TAGS: &[u8] = &[
    0x60, 0x61, 0x42, 0x63, 0x64, 0x65, 0x73, 0x66, 0x67, 0x68, 0x69, 0x4a, 0x6b, 0x6c, 0x6d, 0x6e,
    0x6f, 0x50, 0x77, 0x78, 0x79,
];

#[cfg(test)]
mod tests;
