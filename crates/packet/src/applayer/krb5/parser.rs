//! Messages from datagrams, and from a TCP stream.

use super::message::{Krb5, MessageType, Parsed};
use super::names::is_weak;
use crate::applayer::der::{INTEGER, Reader, SEQUENCE, Size, size};
use crate::applayer::records::{Found, Framed, Record, Records, within};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// Largest message taken, bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 << 10;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser::default()))
}

/// A message of a known type whose first field says version 5.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    match proto {
        Proto::Udp if looks_like_krb5(data) == Some(true) => Probe::Certain,
        Proto::Tcp => {
            let Some(len) = be32(data, 0) else {
                return Probe::Unsure;
            };
            // the top bit is reserved (RFC 4120 section 7.2.2)
            if usize::try_from(len).is_ok_and(|len| !(16..=MESSAGE_BYTES_MAX).contains(&len)) {
                return Probe::No;
            }
            match looks_like_krb5(data.get(4..).unwrap_or_default()) {
                Some(true) => Probe::Certain,
                Some(false) => Probe::No,
                None => Probe::Unsure,
            }
        }
        Proto::Udp | Proto::Icmp | Proto::Icmp6 | Proto::Other(_) => Probe::No,
    }
}

/// `None` where more bytes will tell.
fn looks_like_krb5(data: &[u8]) -> Option<bool> {
    // application tags 10 to 15 and 20 to 22 (RFC 4120 section 5.10), 30
    let version_tag = match *data.first()? {
        0x6a | 0x6c => 0xa1,
        0x6b | 0x6d..=0x6f | 0x74..=0x76 | 0x7e => 0xa0,
        _ => return Some(false),
    };
    match size(data) {
        Size::Bytes(_) => {}
        Size::Unsure => return None,
        Size::Bad => return Some(false),
    }
    let outer = body_of(data)?;
    if *outer.first()? != SEQUENCE {
        return Some(false);
    }
    let fields = body_of(outer)?;
    if *fields.first()? != version_tag {
        return Some(false);
    }
    Some(body_of(fields)?.get(..3)? == [INTEGER, 1, 5])
}

/// What is there of the contents of the element that begins here.
fn body_of(data: &[u8]) -> Option<&[u8]> {
    let head = match *data.get(1)? {
        len if len < 0x80 => 2,
        len => usize::from(len & 0x7f).saturating_add(2),
    };
    data.get(head..)
}

#[derive(Debug, Default)]
struct Parser {
    /// The last request.
    asked: Option<MessageType>,
}

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        match be32(data, 0).map(usize::try_from) {
            None => Size::Unsure,
            Some(Ok(len)) => Size::Bytes(len.saturating_add(4)),
            Some(Err(_)) => Size::Bad,
        }
    }

    fn wanted(&self, _: Direction, _: &[u8], len: usize) -> usize {
        within(len, MESSAGE_BYTES_MAX)
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
        if record.missing() > 0 {
            cx.too_large("malformed_data");
            return Next::More;
        }
        // Suricata's records of TCP come with the acknowledgement, which goes the other way
        let logged = direction.reversed();
        let message = record.bytes.get(4..).unwrap_or_default();
        self.message(cx, logged, message, record.ts_ns);
        Next::More
    }

    fn datagram(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        self.message(cx, direction, data, cx.ts_ns);
        Next::More
    }
}

impl Parser {
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
        first_ts_ns: u64,
    ) {
        let Some(element) = Reader::new(data).next() else {
            return cx.anomaly("malformed_data");
        };
        let Some(kind) = MessageType::of(element.tag) else {
            return;
        };
        let Some(parsed) = Parsed::of(kind, element.body) else {
            return cx.anomaly("malformed_data");
        };
        if kind.is_request() {
            self.asked = Some(kind);
        }
        let tx_id = cx.transaction_id();
        if parsed.encryption.is_some_and(is_weak) {
            cx.anomaly_in(tx_id, "weak_encryption");
        }
        let message = Krb5 {
            tx_id,
            first_ts_ns,
            direction,
            kind,
            failed: self.asked.filter(|_| kind == MessageType::Error),
            error: parsed.error,
            cname: parsed.cname,
            realm: parsed.realm,
            sname: parsed.sname,
            encryption: parsed.encryption,
            ticket_encryption: parsed.ticket_encryption,
        };
        if !kind.is_request() {
            self.asked = None;
        }
        cx.transaction(&message);
    }
}

#[cfg(test)]
mod tests;
