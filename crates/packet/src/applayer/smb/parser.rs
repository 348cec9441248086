//! Sessions: messages behind a head of four bytes (RFC 1002 section 4.3.1; [MS-SMB2] 2.1).
//!
//! A message is kept until it is whole, within a bound; the data of reads and writes is passed on
//! as it comes. Behind a gap the next head with a message's mark behind it is looked for.

use super::files::Piece;
use super::state::State;
use super::{smb1, smb2};
use crate::applayer::records::{Found, Framed, Record, Records, Size};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// Most bytes kept of a message that is not whole; it is read as far as it goes then.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        files: [None; 2],
        state: State::new(config.apps.smb),
    }))
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
    /// Where the next bytes of a file go in each direction, and how many they are.
    files: [Option<(Piece, u64)>; 2],
    state: State,
}

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        match be32(data, 0) {
            None => Size::Unsure,
            Some(head) if matches!(head >> 24, 0 | 0x81..=0x85) => {
                let len = usize::try_from(head & 0x00ff_ffff).unwrap_or(usize::MAX);
                Size::Bytes(len.saturating_add(HEAD))
            }
            Some(_) => Size::Bad,
        }
    }

    /// Messages about the session say nothing, and the data of a file need not wait for its end.
    fn wanted(&self, _: Direction, data: &[u8], len: usize) -> usize {
        let message = data.get(HEAD..).unwrap_or_default();
        let carries_data = smb2::Header::of(message).map_or_else(
            || smb1::Header::of(message).is_some_and(|header| header.carries_data()),
            |header| header.carries_data(),
        );
        let wanted = match data.first() {
            Some(0) if carries_data => DATA_AT_MAX,
            Some(0) => MESSAGE_BYTES_MAX,
            _ => 0,
        };
        len.min(wanted.saturating_add(HEAD))
    }

    fn find(&self, _: Direction, data: &[u8]) -> Found {
        let marks = memchr::memmem::find_iter(data, b"SMB");
        let mut starts = marks.filter_map(|mark| mark.checked_sub(5));
        let begins =
            |at: &usize| matches!(data.get(*at..), Some([0, 0 | 1, _, _, 0xfd..=0xff, ..]));
        match starts.find(begins) {
            Some(at) => Found::At(at),
            None => Found::Nowhere(data.len().min(START.saturating_sub(1))),
        }
    }

    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next {
        let (head, message) = record.bytes.split_at_checked(HEAD).unwrap_or_default();
        if head.first() == Some(&0) {
            cx.frame("nbss.pdu", 0, record.len);
            cx.frame("nbss.hdr", 0, HEAD);
            cx.frame("nbss.data", HEAD, record.len.saturating_sub(HEAD));
            let missing = record.missing();
            let file = message_of(
                cx,
                &mut self.state,
                direction,
                message,
                missing,
                record.ts_ns,
            );
            self.set_file(direction, file);
        } else {
            cx.frame("nbss.hdr", 0, HEAD);
        }
        Next::More
    }

    fn more(&mut self, cx: &mut Context<'_, '_>, direction: Direction, bytes: &[u8]) {
        if let Some((piece, left)) = self.take_file(direction) {
            let here = usize::try_from(left).unwrap_or(usize::MAX);
            let bytes = bytes.get(..here).unwrap_or(bytes);
            self.state.more(cx, piece, bytes);
            self.set_file(direction, behind(piece, left, to_u64(bytes.len())));
        }
    }

    fn hole(&mut self, _: &mut Context<'_, '_>, direction: Direction, len: u64) {
        if let Some((piece, left)) = self.take_file(direction) {
            let here = left.min(len);
            self.state.hole(piece, here);
            self.set_file(direction, behind(piece, left, here));
        }
    }

    /// What is there of a message says much all the same.
    fn torn(&mut self, cx: &mut Context<'_, '_>, direction: Direction, record: Record<'_>) {
        if let Some([0, _, _, _, message @ ..]) = record.bytes.get(..).filter(|_| record.len > 0) {
            let missing = record.missing();
            cx.without_frames(|cx| {
                _ = message_of(
                    cx,
                    &mut self.state,
                    direction,
                    message,
                    missing,
                    record.ts_ns,
                );
            });
        }
    }

    fn bad(&mut self, cx: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        cx.anomaly("malformed_data");
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.state.end(cx);
    }

    fn buffered(&self) -> usize {
        self.state
            .queued_bytes()
            .saturating_add(self.state.stub_bytes())
    }
}

impl Parser {
    fn take_file(&mut self, direction: Direction) -> Option<(Piece, u64)> {
        self.files.get_mut(direction.at()).and_then(Option::take)
    }

    fn set_file(&mut self, direction: Direction, file: Option<(Piece, u64)>) {
        if let Some(place) = self.files.get_mut(direction.at()) {
            *place = file;
        }
    }
}

/// What is to come of a file behind so many bytes of it.
fn behind(piece: Piece, left: u64, len: u64) -> Option<(Piece, u64)> {
    let offset = piece.offset.saturating_add(len);
    let left = left.saturating_sub(len);
    (left > 0).then_some((Piece { offset, ..piece }, left))
}

/// Takes what is there of a message; `missing` bytes of it are still to come: gives how many of them
/// are a file's.
fn message_of(
    cx: &mut Context<'_, '_>,
    state: &mut State,
    direction: Direction,
    message: &[u8],
    missing: usize,
    ts_ns: u64,
) -> Option<(Piece, u64)> {
    let is_expected = |is_response: bool| is_response == (direction == Direction::ToClient);
    let mut file = None;
    let len = message.len().saturating_add(missing);
    if let Some(header) = smb1::Header::of(message) {
        frame_message(
            cx,
            ["smb1.pdu", "smb1.hdr", "smb1.data"],
            smb1::HEADER,
            0,
            len,
        );
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
            let at = message.len().saturating_sub(rest.len());
            let one_len = one.map_or(len.saturating_sub(at), <[u8]>::len);
            frame_message(
                cx,
                ["smb2.pdu", "smb2.hdr", "smb2.data"],
                smb2::HEADER,
                at,
                one_len,
            );
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
    } else if matches!(message, [0xfd, b'S', b'M', b'B', ..]) {
        frame_message(
            cx,
            ["smb3.pdu", "smb3.hdr", "smb3.data"],
            TRANSFORM_HEADER,
            0,
            len,
        );
    } else if !matches!(message, [0xfc, b'S', b'M', b'B', ..]) {
        // encrypted and compressed messages cannot be read; anything else is none
        cx.anomaly("malformed_data");
    }
    // what a message says of its data holds no further than it goes
    file.map(|(piece, left)| (piece, left.min(to_u64(missing))))
        .filter(|(_, left)| *left > 0)
}

/// Frames of a message that begins `at` bytes behind the head.
fn frame_message(
    cx: &mut Context<'_, '_>,
    [pdu, header, data]: [&'static str; 3],
    header_len: usize,
    at: usize,
    len: usize,
) {
    let at = at.saturating_add(HEAD);
    cx.frame(pdu, at, len);
    cx.frame(header, at, header_len);
    cx.frame(
        data,
        at.saturating_add(header_len),
        len.saturating_sub(header_len),
    );
}

fn wrong_way(cx: &mut Context<'_, '_>, direction: Direction) {
    cx.anomaly(match direction {
        Direction::ToServer => "response_to_server",
        Direction::ToClient => "request_to_client",
    });
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Length of the header of an encrypted message, bytes ([MS-SMB2] 2.2.41).
const TRANSFORM_HEADER: usize = 52;
/// Bytes before a message.
const HEAD: usize = 4;
/// Bytes of a head and a mark.
const START: usize = 8;
/// Where the data of a read or write begins at the latest, and enough of it to know a call.
const DATA_AT_MAX: usize = 512;

#[cfg(test)]
mod tests;
