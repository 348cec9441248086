//! Messages from datagrams, and from a TCP stream, where a 16-bit length stands before each (RFC
//! 1035 section 4.2.2).

use super::message::{Kind, Message};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be16;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(proto: Proto, _: &Config) -> Box<dyn AppLayer> {
    if proto == Proto::Tcp {
        Box::new(OverTcp::default())
    } else {
        Box::new(OverUdp)
    }
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

fn looks_like_dns(data: &[u8]) -> bool {
    if data.len() < HEADER || !header_makes_sense(data) {
        return false;
    }
    Message::parse(data, 0).is_some_and(|message| match message.questions.first() {
        Some(question) => question.qclass & 0x7fff <= CLASS_MAX && !is_netbios_name(data),
        // multicast DNS answers repeat no question (RFC 6762 section 6)
        None => {
            let answer = message.answers.first();
            let is_sound = answer.is_some_and(|answer| answer.class & 0x7fff <= CLASS_MAX);
            message.kind == Kind::Answer && !message.truncated && is_sound
        }
    })
}

/// NetBIOS names (RFC 1001 section 14.1) stand in messages of the same form: one label of 32 letters
/// from A to P comes first.
fn is_netbios_name(data: &[u8]) -> bool {
    let label = data.get(HEADER..).and_then(|name| name.split_first());
    let letters = label.and_then(|(len, name)| (*len == 32).then(|| name.get(..32))?);
    letters.is_some_and(|letters| letters.iter().all(|letter| (b'A'..=b'P').contains(letter)))
}

/// Judges as much of a header as is there.
fn header_makes_sense(data: &[u8]) -> bool {
    let fits = |at: usize, fits: fn(u16) -> bool| be16(data, at).is_none_or(fits);
    fits(2, |flags| {
        (flags >> 11) & 0x0f <= OPCODE_MAX && flags & 0x0040 == 0
    }) && fits(4, |questions| questions <= QUESTIONS_LIKELY)
        && fits(6, |answers| answers <= ANSWERS_LIKELY)
        && fits(8, |authorities| authorities <= ANSWERS_LIKELY)
        && fits(10, |additionals| additionals <= ANSWERS_LIKELY)
}

#[derive(Debug)]
struct OverUdp;

impl AppLayer for OverUdp {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        emit(cx, direction, data, cx.ts_ns);
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::More
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        0
    }
}

#[derive(Debug, Default)]
struct OverTcp {
    to_server: Framed,
    to_client: Framed,
}

/// One direction: what is there of the message that is not complete yet.
#[derive(Debug, Default)]
struct Framed {
    kept: Vec<u8>,
    ts_ns: u64,
    /// A gap hid where the next message begins.
    lost: bool,
}

impl AppLayer for OverTcp {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        self.side(direction).data(cx, direction, data);
        self.next()
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        *self.side(direction) = Framed {
            lost: true,
            ..Framed::default()
        };
        self.next()
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        self.to_server
            .kept
            .len()
            .saturating_add(self.to_client.kept.len())
    }
}

impl OverTcp {
    fn side(&mut self, direction: Direction) -> &mut Framed {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    fn next(&self) -> Next {
        if self.to_server.lost && self.to_client.lost {
            Next::Done
        } else {
            Next::More
        }
    }
}

impl Framed {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) {
        if self.lost {
            return;
        }
        if self.kept.is_empty() {
            self.ts_ns = cx.ts_ns;
            let rest = emit_whole(cx, direction, data, self.ts_ns);
            self.kept.extend_from_slice(rest);
            return;
        }
        self.kept.extend_from_slice(data);
        let rest = emit_whole(cx, direction, &self.kept, self.ts_ns).len();
        let used = self.kept.len().saturating_sub(rest);
        if used > 0 {
            self.kept.drain(..used);
            self.ts_ns = cx.ts_ns;
        }
        // a message is 64 KiB at most by its length field, so this bounds a smaller limit only
        if self.kept.len() > cx.config.head_bytes_max {
            *self = Self {
                lost: true,
                ..Self::default()
            };
            cx.too_large("dns.message_too_large");
        }
    }
}

/// Yields the whole messages at the front of `data` and gives what is left.
fn emit_whole<'a>(
    cx: &mut Context<'_, '_>,
    direction: Direction,
    data: &'a [u8],
    first_ts_ns: u64,
) -> &'a [u8] {
    let mut rest = data;
    let mut ts_ns = first_ts_ns;
    while let Some(len) = be16(rest, 0).map(usize::from) {
        let Some((message, behind)) = rest
            .get(2..)
            .and_then(|framed| framed.split_at_checked(len))
        else {
            break;
        };
        emit(cx, direction, message, ts_ns);
        (rest, ts_ns) = (behind, cx.ts_ns);
    }
    rest
}

fn emit(cx: &mut Context<'_, '_>, direction: Direction, data: &[u8], first_ts_ns: u64) {
    let Some(mut message) = Message::parse(data, first_ts_ns) else {
        return cx.anomaly("dns.malformed_data");
    };
    if message.truncated {
        cx.anomaly("dns.malformed_data");
    }
    let expected = match direction {
        Direction::ToServer => Kind::Query,
        Direction::ToClient => Kind::Answer,
    };
    // multicast DNS answers go to the group
    if message.kind != expected && !cx.flow().tuple.dst.is_multicast() {
        cx.anomaly("dns.not_response");
    }
    message.tx_id = cx.transaction_id();
    cx.transaction(&message);
}

const HEADER: usize = 12;
/// Operation codes in use: query, inverse query, status, notify, update, stateful operations.
const OPCODE_MAX: u16 = 6;
/// Multicast DNS asks for many services at once.
const QUESTIONS_LIKELY: u16 = 64;
const ANSWERS_LIKELY: u16 = 256;
/// Class "any"; the top bit is a flag in multicast DNS.
const CLASS_MAX: u16 = 255;

#[cfg(test)]
mod tests;
