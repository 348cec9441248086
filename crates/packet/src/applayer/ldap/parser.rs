//! Messages from datagrams and from a TCP stream; answers find their request by its number.

use std::collections::VecDeque;

use super::message::{CONTROLS, Message};
use super::operation::Operation;
use super::options::Options;
use crate::applayer::der::{INTEGER, SEQUENCE, Size, size};
use crate::applayer::records::{Found, Framed, Record, Records, within};
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

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        options: config.apps.ldap,
        ..Parser::default()
    }))
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

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        match data.first() {
            Some(tag) if *tag != SEQUENCE => Size::Bad,
            _ => size(data),
        }
    }

    fn wanted(&self, _: Direction, _: &[u8], len: usize) -> usize {
        within(len, MESSAGE_BYTES_MAX)
    }

    fn find(&self, _: Direction, data: &[u8]) -> Found {
        Found::front(looks_like_ldap(data) == Some(true))
    }

    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next {
        if record.missing() > 0 {
            cx.too_large("invalid_data");
            return Next::More;
        }
        self.message(cx, direction, record.bytes, record.ts_ns);
        if self.is_tls_next {
            self.end(cx);
            cx.expect_change_to(AppProto::Tls);
            return Next::Redetect(0);
        }
        if self.is_full {
            self.end(cx);
            return Next::Error;
        }
        Next::More
    }

    /// Several messages may share a datagram.
    fn datagram(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let mut rest = data;
        while let Size::Bytes(len @ 1..) = self.size(direction, rest)
            && let Some((message, behind)) = rest.split_at_checked(len)
        {
            cx.record_begins(rest.len());
            self.message(cx, direction, message, cx.ts_ns);
            rest = behind;
        }
        if !rest.is_empty() {
            cx.anomaly("invalid_data");
        }
        Next::More
    }

    /// Behind a SASL security layer nothing can be read (RFC 4513 section 5.2.1).
    fn bad(&mut self, cx: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        cx.anomaly("invalid_data");
        self.end(cx);
        Next::Error
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.bytes = 0;
        for tx in self.pending.drain(..) {
            cx.transaction(&tx);
        }
    }

    fn buffered(&self) -> usize {
        self.bytes
    }
}

#[derive(Debug, Default)]
struct Parser {
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

impl Parser {
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
        first_ts_ns: u64,
    ) {
        let Some(message) = Message::of(data) else {
            cx.frame("pdu", 0, data.len());
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
        let tx_id = cx.transaction_id();
        if cx.flow().tuple.proto == Proto::Tcp {
            cx.frame_in(tx_id, "pdu", 0, bytes);
        } else {
            cx.frame("pdu", 0, bytes);
        }
        let tx = Ldap {
            tx_id,
            first_ts_ns,
            request: Some(message),
            responses: Vec::new(),
            bytes,
        };
        if is_unanswered {
            cx.transaction(&tx);
            return;
        }
        cx.progress_of(&tx, Direction::ToServer);
        if cx.flow().tuple.proto == Proto::Tcp && !cx.is_prompt() {
            // the server's acknowledgement shows that there is no response yet
            cx.progress_of(&tx, Direction::ToClient);
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
                cx.anomaly_in_next("request_not_found");
            }
            let tx_id = cx.transaction_id();
            cx.frame_in(tx_id, "pdu", 0, bytes);
            let tx = Ldap {
                tx_id,
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
            cx.frame_in(tx.tx_id, "pdu", 0, bytes);
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
