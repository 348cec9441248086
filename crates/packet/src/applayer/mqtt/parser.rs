//! Control packets from the stream, and which of them belong together.

use super::options::Options;
use super::packet::{
    Body, CONNACK, CONNECT, DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Packet, SUBACK,
    SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, variable_number,
};
use super::transaction::Exchange;
use crate::applayer::records::{Found, Framed, Record, Records, Size};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::Cursor;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        options: config.apps.mqtt,
        ..Parser::default()
    }))
}

/// A CONNECT names the protocol. Where the beginning was missed, whole messages that make sense to
/// their last byte are taken for MQTT, if one of them is more than a ping.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return Probe::No;
    }
    match data.first() {
        Some(first) if first >> 4 == CONNECT && direction == Direction::ToServer => {
            probe_connect(data)
        }
        Some(_) => probe_midstream(data),
        None => Probe::Unsure,
    }
}

fn probe_connect(data: &[u8]) -> Probe {
    let mut cursor = Cursor::new(data.get(1..).unwrap_or_default());
    if variable_number(&mut cursor).is_none() {
        return if data.len() > LENGTH_BYTES_MAX {
            Probe::No
        } else {
            Probe::Unsure
        };
    }
    let name = cursor.rest();
    for known in [&b"\0\x04MQTT"[..], b"\0\x06MQIsdp"] {
        if name.starts_with(known) {
            return Probe::Certain;
        }
        if known.starts_with(name) {
            return Probe::Unsure;
        }
    }
    Probe::No
}

fn probe_midstream(data: &[u8]) -> Probe {
    let (mut rest, mut found) = (data, Probe::No);
    for _ in 0..PROBE_MESSAGES_MAX {
        let Some(Front { first, head, len }) = front(rest).ok().flatten() else {
            return Probe::No;
        };
        let whole = usize::try_from(len)
            .ok()
            .and_then(|len| rest.split_at_checked(len));
        let Some((message, behind)) = whole else {
            return found;
        };
        match (first, message.get(head..).unwrap_or_default()) {
            (0xc0 | 0xd0, []) => {
                if found == Probe::No {
                    found = Probe::Unsure;
                }
            }
            (first, body) if is_telling(first, body) => found = Probe::Certain,
            _ => return Probe::No,
        }
        if behind.is_empty() {
            break;
        }
        rest = behind;
    }
    found
}

/// Whether a message says much that only MQTT says.
fn is_telling(first: u8, body: &[u8]) -> bool {
    let is_topic = |topic: &[u8]| {
        let text = std::str::from_utf8(topic);
        !topic.is_empty() && text.is_ok_and(|text| !text.chars().any(char::is_control))
    };
    match (first >> 4, first & 0x0f) {
        (CONNACK, 0) => matches!(body, [0 | 1, 0..=5]),
        (PUBLISH, flags) if flags & 6 != 6 => match Packet::parse(first, body, 4) {
            Some(Packet {
                body: Body::Publish { topic, .. },
                ..
            }) => is_topic(&topic),
            Some(_) | None => false,
        },
        (SUBSCRIBE | UNSUBSCRIBE, 2) => match Packet::parse(first, body, 4).map(|p| p.body) {
            Some(Body::Subscribe { topics, .. }) => {
                !topics.is_empty()
                    && topics
                        .iter()
                        .all(|(topic, qos)| *qos < 3 && is_topic(topic))
            }
            Some(Body::Unsubscribe { topics, .. }) => {
                !topics.is_empty() && topics.iter().all(|topic| is_topic(topic))
            }
            _ => false,
        },
        _ => false,
    }
}

/// The fixed header of the message in front.
struct Front {
    first: u8,
    /// Length of the fixed header, bytes.
    head: usize,
    /// Length of the whole message, bytes.
    len: u64,
}

/// Nothing tells where the next message begins.
struct Lost;

fn front(data: &[u8]) -> Result<Option<Front>, Lost> {
    let mut cursor = Cursor::new(data);
    let Some(first) = cursor.u8() else {
        return Ok(None);
    };
    let Some(rest) = variable_number(&mut cursor) else {
        return if data.len() > LENGTH_BYTES_MAX {
            Err(Lost)
        } else {
            Ok(None)
        };
    };
    let head = cursor.position();
    let len = u64::from(rest).saturating_add(u64::try_from(head).unwrap_or(u64::MAX));
    Ok(Some(Front { first, head, len }))
}

/// Time of a message and which way it goes.
type Sent = (u64, Direction);

#[derive(Debug, Default)]
struct Parser {
    options: Options,
    version: u8,
    /// A CONNECT was answered.
    connected: bool,
    /// A CONNECT was seen.
    connecting: bool,
    waiting: Vec<Exchange>,
    /// Bytes of those that wait, about.
    waiting_bytes: usize,
}

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        match front(data) {
            Ok(Some(front)) => Size::Bytes(usize::try_from(front.len).unwrap_or(usize::MAX)),
            Ok(None) => Size::Unsure,
            Err(Lost) => Size::Bad,
        }
    }

    fn wanted(&self, _: Direction, data: &[u8], len: usize) -> usize {
        match front(data) {
            Ok(Some(front)) if !self.is_too_long(&front) => len,
            _ => 1,
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
        let sent = (record.ts_ns, direction);
        if let Ok(Some(front)) = front(record.bytes) {
            cx.frame("pdu", 0, record.len);
            let body = record.bytes.get(front.head..).unwrap_or_default();
            let packet = match self.is_too_long(&front) {
                true => Some(Packet::new(front.first, Body::Truncated(front.len))),
                false => Packet::parse(front.first, body, self.version),
            };
            // Suricata counts one byte of length, however many there are
            cx.frame("header", 0, HEADER);
            cx.frame("data", HEADER, record.len.saturating_sub(front.head));
            match packet {
                Some(packet) => self.packet(cx, packet, sent),
                None => self.malformed(cx, sent),
            }
        }
        Next::More
    }

    fn bad(&mut self, cx: &mut Context<'_, '_>, direction: Direction, ts_ns: u64) -> Next {
        self.malformed(cx, (ts_ns, direction));
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
    fn is_too_long(&self, front: &Front) -> bool {
        let head = u64::try_from(front.head).unwrap_or(0);
        front.len.saturating_sub(head) > self.options.message_max
    }

    /// A message that makes no sense is logged without anything in it.
    fn malformed(&self, cx: &mut Context<'_, '_>, sent: Sent) {
        let packet = Packet::new(0, Body::Nothing);
        self.alone(cx, packet, sent, Some("malformed_traffic"));
    }

    fn packet(&mut self, cx: &mut Context<'_, '_>, packet: Packet, sent: Sent) {
        if let Body::Connect(connect) = &packet.body {
            self.version = connect.version;
            let anomaly = self.connecting.then_some("double_connect");
            self.connecting = true;
            return self.open(cx, packet, sent, anomaly);
        }
        if packet.kind == 0 {
            return self.alone(cx, packet, sent, Some("unassigned_msg_type"));
        }
        if let Body::Truncated(_) = packet.body {
            return self.alone(cx, packet, sent, None);
        }
        if packet.kind == CONNACK {
            return self.answer(cx, packet, sent);
        }
        match packet.kind {
            PUBACK | PUBREC | PUBREL | PUBCOMP | SUBACK | UNSUBACK => {
                self.answer(cx, packet, sent);
            }
            kind => {
                let is_early = !self.connected && kind != DISCONNECT;
                let anomaly = is_early.then_some("unintroduced_message");
                let asks = match kind {
                    PUBLISH => packet.qos > 0,
                    SUBSCRIBE | UNSUBSCRIBE => true,
                    _ => false,
                };
                if asks {
                    self.open(cx, packet, sent, anomaly);
                } else {
                    self.alone(cx, packet, sent, anomaly);
                }
            }
        }
    }

    /// A message that nothing belongs to.
    fn alone(
        &self,
        cx: &mut Context<'_, '_>,
        packet: Packet,
        sent: Sent,
        anomaly: Option<&'static str>,
    ) {
        let exchange = self.exchange(cx, packet, sent, anomaly);
        cx.transaction(&exchange);
    }

    /// A message that an answer follows.
    fn open(
        &mut self,
        cx: &mut Context<'_, '_>,
        packet: Packet,
        sent: Sent,
        anomaly: Option<&'static str>,
    ) {
        let exchange = self.exchange(cx, packet, sent, anomaly);
        cx.progress_of(&exchange, exchange.direction);
        self.waiting_bytes = self.waiting_bytes.saturating_add(exchange.size());
        self.waiting.push(exchange);
        let is_full = |parser: &Self| {
            parser.waiting.len() > parser.options.transactions_max
                || parser.waiting_bytes > WAITING_BYTES_MAX
        };
        while is_full(self) && !self.waiting.is_empty() {
            let oldest = self.waiting.remove(0);
            cx.too_large_in(oldest.id, "too_many_transactions");
            self.close(cx, &oldest);
        }
    }

    /// An answer goes to what it answers.
    fn answer(&mut self, cx: &mut Context<'_, '_>, packet: Packet, sent: Sent) {
        let id = packet.message_id();
        let (asked, missing) = match packet.kind {
            CONNACK => (CONNECT, "missing_connect"),
            SUBACK => (SUBSCRIBE, "missing_subscribe"),
            UNSUBACK => (UNSUBSCRIBE, "missing_unsubscribe"),
            _ => (PUBLISH, "missing_publish"),
        };
        let waits = |exchange: &Exchange| {
            let first = exchange.packets.first();
            first.is_some_and(|first| first.kind == asked && first.message_id() == id)
        };
        let Some(at) = self.waiting.iter().position(waits) else {
            return self.alone(cx, packet, sent, Some(missing));
        };
        self.connected |= packet.kind == CONNACK;
        let is_last = !matches!(packet.kind, PUBREC | PUBREL);
        let messages_max = self.options.messages_max.max(1);
        let Some(exchange) = self.waiting.get_mut(at) else {
            return;
        };
        if exchange.packets.len() < messages_max {
            self.waiting_bytes = self.waiting_bytes.saturating_add(packet.size());
            exchange.packets.push(packet);
            cx.progress_of(exchange, exchange.direction);
        } else {
            cx.too_large_in(exchange.id, "too_many_messages");
        }
        if is_last {
            let exchange = self.waiting.remove(at);
            self.close(cx, &exchange);
        }
    }

    fn close(&mut self, cx: &mut Context<'_, '_>, exchange: &Exchange) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(exchange.size());
        cx.transaction(exchange);
    }

    fn exchange(
        &self,
        cx: &mut Context<'_, '_>,
        packet: Packet,
        sent: Sent,
        anomaly: Option<&'static str>,
    ) -> Exchange {
        let id = cx.transaction_id();
        if let Some(anomaly) = anomaly {
            cx.anomaly_in(id, anomaly);
        }
        Exchange {
            id,
            first_ts_ns: sent.0,
            direction: sent.1,
            version: self.version,
            packets: vec![packet],
        }
    }
}

/// First byte and a length of one byte.
const HEADER: usize = 2;
/// Longest length field with the first byte of the fixed header before it.
const LENGTH_BYTES_MAX: usize = 4;
/// Most messages looked at to find out whether it is MQTT.
const PROBE_MESSAGES_MAX: usize = 16;
/// Most bytes of exchanges that wait, for one flow.
const WAITING_BYTES_MAX: usize = 4 << 20;
