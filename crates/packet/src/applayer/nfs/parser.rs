//! Messages from datagrams, and from a TCP stream, where they are cut into fragments (RFC 5531
//! section 11).

use super::rpc::looks_like_call;
use super::state::State;
use crate::applayer::records::{Found, Framed, Record, Records, Size, within};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// Largest message taken, bytes: servers read and write 1 MiB at a time.
const MESSAGE_BYTES_MAX: usize = (1 << 20) + (64 << 10);

pub(super) fn start(proto: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        fragments: Default::default(),
        state: State::new(config.apps.nfs, proto == Proto::Tcp),
    }))
}

/// A call of the program of NFS. A reply does not say of what, but may be one of its.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    let found = match (proto, direction) {
        (Proto::Udp, Direction::ToServer) => looks_like_call(data).or(Some(false)),
        (Proto::Tcp, Direction::ToServer) => looks_like_record(data),
        (Proto::Tcp, Direction::ToClient) if looks_like_reply(data) => None,
        _ => Some(false),
    };
    match found {
        Some(true) => Probe::Certain,
        Some(false) => Probe::No,
        None => Probe::Unsure,
    }
}

/// A record's mark, a transaction's number, and that it is a reply to an accepted or denied call
/// (RFC 5531 section 9).
fn looks_like_reply(data: &[u8]) -> bool {
    const REPLY: u32 = 1;
    let is_record = data.first().is_some_and(|first| first & 0x7f == 0);
    is_record && be32(data, 8) == Some(REPLY) && be32(data, 12).is_some_and(|status| status <= 1)
}

fn looks_like_record(data: &[u8]) -> Option<bool> {
    if *data.first()? & 0x7f != 0 {
        return Some(false);
    }
    looks_like_call(data.get(4..)?)
}

#[derive(Debug)]
struct Parser {
    /// Fragments of a message of each direction before its last one.
    fragments: [Vec<u8>; 2],
    state: State,
}

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        be32(data, 0).map_or(Size::Unsure, |mark| {
            let len = usize::try_from(mark & !LAST).unwrap_or(usize::MAX);
            Size::Bytes(len.saturating_add(MARK))
        })
    }

    fn wanted(&self, _: Direction, _: &[u8], len: usize) -> usize {
        within(len, MESSAGE_BYTES_MAX)
    }

    /// A call, or a reply that is accepted.
    fn find(&self, _: Direction, data: &[u8]) -> Found {
        Found::front(looks_like_record(data) == Some(true) || looks_like_reply(data))
    }

    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next {
        let Self { fragments, state } = self;
        let Some(fragments) = fragments.get_mut(direction.at()) else {
            return Next::More;
        };
        if record.missing() > 0 {
            cx.too_large("malformed_data");
            return Next::More;
        }
        let is_last = be32(record.bytes, 0).is_some_and(|mark| mark & LAST != 0);
        let fragment = record.bytes.get(MARK..).unwrap_or_default();
        if is_last && fragments.is_empty() {
            state.message(cx, direction, fragment, record.ts_ns);
            return Next::More;
        }
        let room = MESSAGE_BYTES_MAX.saturating_sub(fragments.len());
        fragments.extend_from_slice(fragment.get(..room).unwrap_or(fragment));
        if is_last {
            let whole = std::mem::take(fragments);
            cx.without_frames(|cx| state.message(cx, direction, &whole, record.ts_ns));
        }
        Next::More
    }

    fn datagram(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        self.state.message(cx, direction, data, cx.ts_ns);
        Next::More
    }

    fn torn(&mut self, _: &mut Context<'_, '_>, direction: Direction, _: Record<'_>) {
        if let Some(fragments) = self.fragments.get_mut(direction.at()) {
            *fragments = Vec::new();
        }
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.state.end(cx);
    }

    fn buffered(&self) -> usize {
        let [a, b] = &self.fragments;
        let fragments = a.len().saturating_add(b.len());
        fragments.saturating_add(self.state.queued_bytes())
    }
}

/// Length of the mark before a fragment, bytes.
pub(super) const MARK: usize = 4;
/// In the mark before a fragment: the last one.
const LAST: u32 = 0x8000_0000;

#[cfg(test)]
mod tests;
