//! Sessions: messages behind a head of four bytes (RFC 1002 section 4.3.1; [MS-SMB2] 2.1).
//!
//! A message is kept until it is whole, within a bound; the data of reads and writes is passed on
//! as it comes. Behind a gap the next head with a message's mark behind it is looked for.

use super::files::Piece;
use super::state::State;
use super::{smb1, smb2};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// Most bytes kept of a message that is not whole; it is read as far as it goes then.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        to_server: Side::default(),
        to_client: Side::default(),
        state: State::new(config.apps.smb),
    })
}

/// A message's mark behind a head, sent by the side that it says, or a request for a NetBIOS session with two encoded names.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return Probe::No;
    }
    match data {
        [0, 0 | 1, _, _, mark @ ..] => match mark {
            [0xfd, b'S', b'M', b'B', ..] => Probe::Certain,
            [version, b'S', b'M', b'B', header @ ..] if *version >= 0xfe => {
                // the flags say which side sends
                let flag = match version {
                    0xfe => header.get(12).map(|flags| flags & 1),
                    _ => header.get(5).map(|flags| flags >> 7),
                };
                match flag.map(|flag| (flag == 1) == (direction == Direction::ToClient)) {
                    Some(true) => Probe::Certain,
                    Some(false) => Probe::No,
                    None => Probe::Unsure,
                }
            }
            [] | [0xfd..=0xff] | [0xfd..=0xff, b'S'] | [0xfd..=0xff, b'S', b'M'] => Probe::Unsure,
            _ => Probe::No,
        },
        [0x81, 0, 0, 68, b' ', ..] if direction == Direction::ToServer => Probe::Certain,
        [] | [0] | [0, 0 | 1] | [0, 0 | 1, _] => Probe::Unsure,
        [0x81] | [0x81, 0] | [0x81, 0, 0] | [0x81, 0, 0, 68] => Probe::Unsure,
        _ => Probe::No,
    }
}

#[derive(Debug)]
struct Parser {
    to_server: Side,
    to_client: Side,
    state: State,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    kept: Vec<u8>,
    /// Time of the packet that the first kept byte came with.
    ts_ns: u64,
    /// Where the next bytes of a file go, and how many they are.
    file: Option<(Piece, u64)>,
    /// Bytes of the message to pass by, behind those of the file.
    skip: u64,
    /// Where the next message begins is not known.
    is_lost: bool,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let side = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        side.data(cx, &mut self.state, direction, data);
        Next::More
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        let side = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        side.gap(cx, &mut self.state, direction, len);
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.state.end(cx);
    }

    fn buffered(&self) -> usize {
        let kept = self.to_server.kept.len();
        kept.saturating_add(self.to_client.kept.len())
            .saturating_add(self.state.queued_bytes())
    }
}

impl Side {
    fn data(
        &mut self,
        cx: &mut Context<'_, '_>,
        state: &mut State,
        direction: Direction,
        data: &[u8],
    ) {
        let data = self.pass_on(cx, state, data);
        let mut kept = std::mem::take(&mut self.kept);
        if kept.is_empty() {
            self.ts_ns = cx.ts_ns;
            let rest = self.messages(cx, state, direction, data);
            self.kept = rest.to_vec();
            return;
        }
        kept.extend_from_slice(data);
        let rest = self.messages(cx, state, direction, &kept).len();
        let used = kept.len().saturating_sub(rest);
        kept.drain(..used);
        self.kept = kept;
    }

    /// Gives bytes to the file that they belong to, and passes the rest of its message by.
    fn pass_on<'a>(
        &mut self,
        cx: &mut Context<'_, '_>,
        state: &mut State,
        data: &'a [u8],
    ) -> &'a [u8] {
        let mut data = data;
        if let Some((piece, left)) = self.file.take() {
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
            let (bytes, behind) = data.split_at_checked(here).unwrap_or((data, &[]));
            state.more(cx, piece, bytes);
            let here = to_u64(here);
            let left = left.saturating_sub(here);
            if left > 0 {
                let offset = piece.offset.saturating_add(here);
                self.file = Some((Piece { offset, ..piece }, left));
                return &[];
            }
            data = behind;
        }
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let skip = skip.min(data.len());
        self.skip = self.skip.saturating_sub(to_u64(skip));
        data.get(skip..).unwrap_or_default()
    }

    /// Takes the messages at the front, and gives what is left.
    fn messages<'a>(
        &mut self,
        cx: &mut Context<'_, '_>,
        state: &mut State,
        direction: Direction,
        data: &'a [u8],
    ) -> &'a [u8] {
        let mut rest = data;
        while !rest.is_empty() {
            if self.is_lost {
                rest = find_start(rest);
                if rest.len() < START {
                    break;
                }
                self.is_lost = false;
            }
            let Some(head) = be32(rest, 0) else { break };
            let kind = head >> 24;
            if !matches!(kind, 0 | 0x81..=0x85) {
                cx.anomaly("malformed_data");
                self.is_lost = true;
                continue;
            }
            let len = usize::try_from(head & 0x00ff_ffff).unwrap_or(usize::MAX);
            let body = rest.get(4..).unwrap_or_default();
            let message = body.get(..len).unwrap_or(body);
            let missing = len.saturating_sub(message.len());
            let is_ready = missing == 0
                || kind != 0
                || message.len() >= MESSAGE_BYTES_MAX
                || is_streamed(message);
            if !is_ready {
                break;
            }
            let ts_ns = std::mem::replace(&mut self.ts_ns, cx.ts_ns);
            rest = body.get(message.len()..).unwrap_or_default();
            self.skip = to_u64(missing);
            if kind == 0 {
                let (file, skip) = message_of(cx, state, direction, message, missing, ts_ns);
                (self.file, self.skip) = (file, skip);
            }
        }
        rest
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, state: &mut State, direction: Direction, len: u64) {
        let mut len = len;
        if let Some((piece, left)) = self.file.take() {
            let here = left.min(len);
            state.hole(piece, here);
            len = len.saturating_sub(here);
            if left > here {
                let offset = piece.offset.saturating_add(here);
                self.file = Some((Piece { offset, ..piece }, left.saturating_sub(here)));
                return;
            }
        }
        let skip = self.skip.min(len);
        self.skip = self.skip.saturating_sub(skip);
        len = len.saturating_sub(skip);
        if len == 0 {
            return;
        }
        let kept = std::mem::take(&mut self.kept);
        let size = be32(&kept, 0).map(|head| u64::from(head & 0x00ff_ffff).saturating_add(4));
        match size.and_then(|size| size.checked_sub(to_u64(kept.len()))) {
            // the message that is cut goes on behind the gap
            Some(missing) if missing >= len => {
                let message = kept.get(4..).unwrap_or_default();
                let missing = usize::try_from(missing).unwrap_or(usize::MAX);
                _ = message_of(cx, state, direction, message, missing, self.ts_ns);
                self.skip = to_u64(missing).saturating_sub(len);
            }
            _ => self.is_lost = true,
        }
    }
}

/// Takes what is there of a message; `missing` bytes of it are still to come: so many of a file, and
/// so many to pass by.
fn message_of(
    cx: &mut Context<'_, '_>,
    state: &mut State,
    direction: Direction,
    message: &[u8],
    missing: usize,
    ts_ns: u64,
) -> (Option<(Piece, u64)>, u64) {
    let is_expected = |is_response: bool| is_response == (direction == Direction::ToClient);
    let mut file = None;
    if let Some(header) = smb1::Header::of(message) {
        if is_expected(header.is_response()) {
            file = state.message_1(cx, &header, message, ts_ns);
        } else {
            wrong_way(cx, direction);
        }
    } else if message.starts_with(smb2::MAGIC) {
        let mut rest = message;
        for _ in 0..smb2::COMPOUND_MAX {
            let Some(header) = smb2::Header::of(rest) else {
                cx.anomaly("malformed_data");
                break;
            };
            let one = rest.get(..header.next).filter(|_| header.next > 0);
            if is_expected(header.is_response()) {
                file = state.message_2(cx, &header, one.unwrap_or(rest), ts_ns);
            } else {
                wrong_way(cx, direction);
            }
            if header.next < smb2::HEADER || header.next >= rest.len() {
                break;
            }
            rest = rest.get(header.next..).unwrap_or_default();
        }
    } else if !matches!(message, [0xfc | 0xfd, b'S', b'M', b'B', ..]) {
        // encrypted and compressed messages cannot be read; anything else is none
        cx.anomaly("malformed_data");
    }
    let missing = to_u64(missing);
    match file {
        // what a message says of its data holds no further than it goes
        Some((piece, left)) => {
            let left = left.min(missing);
            let file = (left > 0).then_some((piece, left));
            (file, missing.saturating_sub(left))
        }
        None => (None, missing),
    }
}

fn wrong_way(cx: &mut Context<'_, '_>, direction: Direction) {
    cx.anomaly(match direction {
        Direction::ToServer => "response_to_server",
        Direction::ToClient => "request_to_client",
    });
}

/// Whether enough is there of a message that ends with a file's data.
fn is_streamed(message: &[u8]) -> bool {
    let carries_data = smb2::Header::of(message).map_or_else(
        || smb1::Header::of(message).is_some_and(|header| header.carries_data()),
        |header| header.carries_data(),
    );
    carries_data && message.len() >= DATA_AT_MAX
}

/// The first place where a message can begin.
fn find_start(data: &[u8]) -> &[u8] {
    for mark in memchr::memmem::find_iter(data, b"SMB") {
        let Some(at) = mark.checked_sub(5) else {
            continue;
        };
        if let Some([0, 0 | 1, _, _, 0xfd..=0xff, ..]) = data.get(at..) {
            return data.get(at..).unwrap_or_default();
        }
    }
    let kept = data.len().saturating_sub(START.saturating_sub(1));
    data.get(kept..).unwrap_or_default()
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Bytes of a head and a mark.
const START: usize = 8;
/// Where the data of a read or write begins at the latest, and enough of it to know a call.
const DATA_AT_MAX: usize = 512;

#[cfg(test)]
mod tests;
