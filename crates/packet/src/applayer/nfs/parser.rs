//! Messages from datagrams, and from a TCP stream, where they are cut into fragments (RFC 5531
//! section 11).

use super::rpc::looks_like_call;
use super::state::State;
use crate::applayer::records::{Format, Outcome, Records, Size, Take};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// Largest message taken, bytes: servers read and write 1 MiB at a time.
const MESSAGE_BYTES_MAX: usize = (1 << 20) + (64 << 10);

pub(super) fn start(proto: Proto, config: &Config) -> Box<dyn AppLayer> {
    let is_tcp = proto == Proto::Tcp;
    Box::new(Parser {
        is_tcp,
        to_server: Side::default(),
        to_client: Side::default(),
        state: State::new(config.apps.nfs, is_tcp),
    })
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
    is_tcp: bool,
    to_server: Side,
    to_client: Side,
    state: State,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    records: Records,
    /// Fragments of a message before its last one.
    fragments: Vec<u8>,
}

const FORMAT: Format = Format {
    size: |data| match be32(data, 0) {
        None => Size::Unsure,
        Some(mark) => Size::Bytes(
            usize::try_from(mark & !LAST)
                .unwrap_or(usize::MAX)
                .saturating_add(4),
        ),
    },
    is_start: |data| {
        // a call, or a reply that is accepted
        let is_reply = be32(data, 8) == Some(1) && be32(data, 12).is_some_and(|kind| kind <= 1);
        looks_like_record(data) == Some(true) || (data.first() == Some(&0x80) && is_reply)
    },
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
            state.message(cx, direction, data, cx.ts_ns);
            return Next::More;
        }
        let Side { records, fragments } = match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        };
        let outcome = records.data(data, cx.ts_ns, FORMAT, &mut |record, ts_ns| {
            let is_last = be32(record, 0).is_some_and(|mark| mark & LAST != 0);
            let fragment = record.get(4..).unwrap_or_default();
            if is_last && fragments.is_empty() {
                state.message(cx, direction, fragment, ts_ns);
                return Take::Next;
            }
            let room = MESSAGE_BYTES_MAX.saturating_sub(fragments.len());
            fragments.extend_from_slice(fragment.get(..room).unwrap_or(fragment));
            if is_last {
                let whole = std::mem::take(fragments);
                state.message(cx, direction, &whole, ts_ns);
            }
            Take::Next
        });
        if outcome == Outcome::TooLarge {
            cx.too_large("malformed_data");
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        let side = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        side.records.gap(len, FORMAT);
        side.fragments = Vec::new();
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.state.end(cx);
    }

    fn buffered(&self) -> usize {
        let sides = [&self.to_server, &self.to_client];
        let kept = sides.map(|side| side.records.buffered().saturating_add(side.fragments.len()));
        let kept = kept
            .iter()
            .fold(0_usize, |sum, kept| sum.saturating_add(*kept));
        kept.saturating_add(self.state.queued_bytes())
    }
}

/// In the mark before a fragment: the last one.
const LAST: u32 = 0x8000_0000;

#[cfg(test)]
mod tests;
