//! Messages from datagrams, and from a TCP stream, where a 16-bit length stands before each (RFC
//! 1035 section 4.2.2).

use super::message::{Kind, Message};
use super::name::{Cut, Name};
use crate::applayer::records::{Found, Framed, Record, Records, Size};
use crate::applayer::{AppLayer, AppProto, Context, Next, Probe};
use crate::bytes::be16;
use crate::flow::{Direction, FiveTuple, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser))
}

/// DNS has no magic number: a header that makes sense (few questions, known opcode) and a first
/// question that can be read whole make it certain.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return if proto == Proto::Udp && looks_like_dns(data) {
            Probe::Certain
        } else {
            Probe::No
        };
    }
    let Some(len) = be16(data, 0).map(usize::from) else {
        return Probe::Unsure;
    };
    let message = data.get(2..).unwrap_or_default();
    if len < HEADER || !header_makes_sense(message) {
        return Probe::No;
    }
    match message.get(..len) {
        Some(message) if looks_like_dns(message) => Probe::Certain,
        Some(_) => Probe::No,
        None if looks_like_dns(message) => Probe::Certain,
        None => Probe::Unsure,
    }
}

/// Whether a message that looks like DNS comes from the wrong side: an answer from the client, a
/// query from the server.
pub(in crate::applayer) fn is_reversed(proto: Proto, direction: Direction, data: &[u8]) -> bool {
    let flags_at = if proto == Proto::Tcp { 4 } else { 2 };
    let is_answer = data.get(flags_at).is_some_and(|flags| flags & 0x80 != 0);
    is_answer == (direction == Direction::ToServer)
}

/// Multicast DNS (RFC 6762 section 5), whose answers too go to the group.
pub(in crate::applayer) fn is_multicast(tuple: &FiveTuple) -> bool {
    const MULTICAST_PORT: u16 = 5353;
    tuple.proto == Proto::Udp && tuple.dst_port == MULTICAST_PORT
}

fn looks_like_dns(data: &[u8]) -> bool {
    if data.len() < HEADER || !header_makes_sense(data) {
        return false;
    }
    Message::parse(data, 0).is_some_and(|message| match message.questions.first() {
        // with an odd header, all else must be right
        Some(question) if is_netbios(&question.name, question.qtype) => false,
        Some(_) if has_odd_flags(data) => {
            let mut asked = message.questions.iter();
            !message.truncated && asked.all(|question| is_class(question.qclass))
        }
        Some(question) => is_class(question.qclass & 0x7fff) && question.qtype != 0,
        // multicast DNS answers repeat no question (RFC 6762 section 6)
        None => {
            let answer = message.answers.first();
            let is_sound = answer.is_some_and(|answer| {
                is_class(answer.class & 0x7fff) && !is_netbios(&answer.name, answer.rtype)
            });
            message.kind == Kind::Answer && !message.truncated && is_sound
        }
    })
}

/// Judges as much of a header as is there.
fn header_makes_sense(data: &[u8]) -> bool {
    let fits = |at: usize, fits: fn(u16) -> bool| be16(data, at).is_none_or(fits);
    fits(4, |questions| questions <= QUESTIONS_LIKELY)
        && fits(6, |answers| answers <= ANSWERS_LIKELY)
        && fits(8, |authorities| authorities <= ANSWERS_LIKELY)
        && fits(10, |additionals| additionals <= ANSWERS_LIKELY)
}

/// IN, CH, HS, and the NONE and ANY of RFC 2136; the top bit is a flag in multicast DNS.
fn is_class(class: u16) -> bool {
    matches!(class, 1 | 3 | 4 | 254 | 255)
}

/// NetBIOS names (RFC 1002 section 4.2) look much alike: 32 letters from A to P, type NB or NBSTAT.
fn is_netbios(name: &Name, kind: u16) -> bool {
    let label = name.bytes().first_chunk::<32>();
    let encoded = label.is_some_and(|label| label.iter().all(|c| matches!(c, b'A'..=b'P')));
    encoded && matches!(kind, 32 | 33)
}

/// Flags that no resolver sends.
fn has_odd_flags(data: &[u8]) -> bool {
    be16(data, 2).is_some_and(|flags| (flags >> 11) & 0x0f > OPCODE_MAX || flags & Z_FLAG != 0)
}

#[derive(Debug)]
struct Parser;

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        be16(data, 0).map_or(Size::Unsure, |len| {
            Size::Bytes(usize::from(len).saturating_add(LENGTH))
        })
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
        let message = record.bytes.get(LENGTH..).unwrap_or_default();
        cx.frames_from(LENGTH);
        emit(cx, direction, message, record.ts_ns);
        Next::More
    }

    fn datagram(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        emit(cx, direction, data, cx.ts_ns);
        Next::More
    }
}

fn emit(cx: &mut Context<'_, '_>, direction: Direction, data: &[u8], first_ts_ns: u64) {
    let Some(mut message) = Message::parse(data, first_ts_ns) else {
        cx.frame("pdu", 0, data.len());
        return cx.anomaly("malformed_data");
    };
    message.multicast = is_multicast(&cx.flow().tuple);
    if message.multicast {
        cx.flow.app = AppProto::Mdns;
        for found in &mut cx.flow.app_found {
            if *found == AppProto::Dns {
                *found = AppProto::Mdns;
            }
        }
    }
    message.tx_id = cx.transaction_id();
    cx.frame_in(message.tx_id, "pdu", 0, data.len());
    anomalies(cx, direction, &message);
    cx.transaction(&message);
}

fn anomalies(cx: &mut Context<'_, '_>, direction: Direction, message: &Message) {
    let tx_id = message.tx_id;
    match message.broken {
        Some(2) => cx.anomaly_in(tx_id, "invalid_authorities"),
        Some(3) => cx.anomaly_in(tx_id, "invalid_additionals"),
        Some(_) => cx.anomaly_in(tx_id, "malformed_data"),
        None => {}
    }
    if message.flags & Z_FLAG != 0 {
        cx.anomaly_in(tx_id, "z_flag_set");
    }
    if u16::from(message.opcode()) > OPCODE_MAX {
        cx.anomaly_in(tx_id, "invalid_opcode");
    }
    let is_cut = |wanted: &[Cut]| {
        let mut cuts = message.names().filter_map(Name::cut);
        cuts.any(|cut| wanted.contains(&cut))
    };
    for (event, cuts) in [
        ("name_too_long", &[Cut::Bytes, Cut::Labels][..]),
        ("infinite_loop", &[Cut::Pointers]),
        ("too_many_labels", &[Cut::Labels]),
    ] {
        if is_cut(cuts) {
            cx.anomaly_in(tx_id, event);
        }
    }
    // datagrams may come in any order, and those of multicast DNS go to the group
    if cx.flow().tuple.proto == Proto::Udp {
        return;
    }
    match (message.kind, direction) {
        (Kind::Answer, Direction::ToServer) => cx.anomaly_in(tx_id, "not_request"),
        (Kind::Query, Direction::ToClient) => cx.anomaly_in(tx_id, "not_response"),
        (Kind::Query, Direction::ToServer) | (Kind::Answer, Direction::ToClient) => {}
    }
}

const HEADER: usize = 12;
/// Bytes of the length before a message in a stream.
const LENGTH: usize = 2;
/// Operation codes in use: query, inverse query, status, notify, update, stateful operations.
const OPCODE_MAX: u16 = 6;
/// The reserved bit of RFC 1035 section 4.1.1.
const Z_FLAG: u16 = 0x0040;
/// Multicast DNS asks for many services at once.
const QUESTIONS_LIKELY: u16 = 64;
const ANSWERS_LIKELY: u16 = 256;

#[cfg(test)]
mod tests;
