//! Frames: where in a stream or a datagram the parts of messages lie, as parsers say while they
//! read, for who looks at bytes rather than at transactions.
//!
//! They cost nothing where [`Config::frames`](crate::Config::frames) does not ask for them: a
//! [`Context`] has no place for them then. Where it does, the last bytes of each stream are kept,
//! and a frame is told with a packet of its direction, once all of it is there.

use std::collections::VecDeque;

use crate::Event;
use crate::applayer::{AppProto, Context};
use crate::flow::{Direction, Flow, Proto};
use crate::sensor::Sink;

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppFrame<'a> {
    /// What it is, as `"pdu"` or `"smb2.hdr"`; `"stream"`: all that a side says in that protocol.
    pub kind: &'static str,
    /// Number within its direction, from 1.
    pub id: u64,
    /// Which way it goes.
    pub direction: Direction,
    /// Its place in the stream; none in a datagram.
    pub stream_offset: Option<u64>,
    /// Its length, bytes: so far, where its end is not known.
    pub len: u64,
    /// The transaction that it belongs to.
    pub tx_id: Option<u32>,
    /// Its first bytes, as far as they are there; none where they are lost.
    pub payload: Option<&'a [u8]>,
    /// All of it came.
    pub is_complete: bool,
}

/// Bytes kept of the end of each direction; twice as many come and go in one step.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// Most frames of a direction that are not told; the oldest is told as it is.
const OPEN_MAX: usize = 1024;
/// A frame that is not complete is told once so many bytes of it are there.
const ENOUGH_BYTES: u64 = 2500;

/// The frames of one flow.
#[derive(Debug)]
pub(crate) struct Frames {
    sides: [Side; 2],
    /// Whose data is being read.
    direction: Direction,
    is_stream: bool,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// The last bytes of the stream.
    kept: Vec<u8>,
    /// Offset in the stream behind them.
    end: u64,
    /// Offset from which frames are said: where the data, or the record, at hand begins.
    record: u64,
    last_id: u64,
    open: VecDeque<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    kind: &'static str,
    id: u64,
    start: u64,
    /// None: its end is not known.
    len: Option<u64>,
    tx_id: Option<u32>,
}

impl Context<'_, '_> {
    /// Whether anybody wants frames.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        self.frames.is_some()
    }

    /// A frame of that length, bytes, begins behind so many bytes of the data, or record, at hand.
    pub fn frame(&mut self, kind: &'static str, offset: usize, len: usize) {
        self.say(kind, offset, Some(len), None);
    }

    /// The same for a frame of a transaction.
    pub fn frame_in(&mut self, tx_id: u32, kind: &'static str, offset: usize, len: usize) {
        self.say(kind, offset, Some(len), Some(tx_id));
    }

    /// A frame of which it is not known yet where it ends.
    pub fn frame_begins(&mut self, tx_id: u32, kind: &'static str, offset: usize) {
        self.say(kind, offset, None, Some(tx_id));
    }

    /// The last frame of that kind ends where so many bytes are left of the data at hand.
    pub(crate) fn frame_ends(&mut self, kind: &'static str, left: usize) {
        let Some(frames) = &mut self.frames else {
            return;
        };
        let side = frames.side(frames.direction);
        let end = side.end.saturating_sub(to_u64(left));
        let mut open = side.open.iter_mut().rev();
        if let Some(frame) = open.find(|frame| frame.kind == kind && frame.len.is_none()) {
            frame.len = Some(end.saturating_sub(frame.start));
        }
    }

    /// A record begins at the byte that has so many, itself among them, behind it in the data at
    /// hand: from now on its frames are said.
    pub(crate) fn record_begins(&mut self, left: usize) {
        if let Some(frames) = &mut self.frames {
            let side = frames.side(frames.direction);
            side.record = side.end.saturating_sub(to_u64(left));
        }
    }

    /// Frames are said from so many bytes further on.
    pub(crate) fn frames_from(&mut self, offset: usize) {
        if let Some(frames) = &mut self.frames {
            let side = frames.side(frames.direction);
            side.record = side.record.saturating_add(to_u64(offset));
        }
    }

    /// A parser gets data, so many bytes up to the end of the direction's.
    pub(crate) fn data_begins(&mut self, direction: Direction, len: usize) {
        if let Some(frames) = &mut self.frames {
            frames.direction = direction;
            let is_first = frames.is_stream && frames.side(direction).last_id == 0;
            self.record_begins(len);
            if is_first {
                self.say("stream", 0, None, None);
            }
        }
    }

    /// Reads what is no part of the data at hand: where it lies is not known.
    pub(crate) fn without_frames(&mut self, read: impl FnOnce(&mut Self)) {
        let frames = self.frames.take();
        read(self);
        self.frames = frames;
    }

    /// Tells the frames of a direction that a packet of that direction can tell of.
    pub(crate) fn tell_frames(&mut self, direction: Direction, is_end: bool) {
        let Some(mut frames) = self.frames.take() else {
            return;
        };
        let is_stream = frames.is_stream;
        let side = frames.side(direction);
        if !side.open.is_empty() {
            side.tell(direction, is_stream, is_end, self.flow, self.out);
        }
        if !is_stream {
            side.kept = Vec::new();
        }
        self.frames = Some(frames);
    }

    /// Another protocol begins: the frames of this one are over.
    pub(crate) fn end_frames(&mut self) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.tell_frames(direction, true);
            if let Some(frames) = &mut self.frames {
                frames.side(direction).last_id = 0;
            }
        }
    }

    fn say(&mut self, kind: &'static str, offset: usize, len: Option<usize>, tx_id: Option<u32>) {
        let Some(frames) = &mut self.frames else {
            return;
        };
        let (direction, is_stream) = (frames.direction, frames.is_stream);
        let side = frames.side(direction);
        side.last_id = side.last_id.saturating_add(1);
        let frame = Open {
            kind,
            id: side.last_id,
            start: side.record.saturating_add(to_u64(offset)),
            len: len.map(to_u64),
            tx_id: tx_id.map(|tx_id| tx_id.saturating_add(first_number(self.flow.app))),
        };
        side.open.push_back(frame);
        if side.open.len() > OPEN_MAX
            && let Some(oldest) = side.open.pop_front()
        {
            let hits = &mut self.counters.frames_max_hit;
            *hits = hits.saturating_add(1);
            let told = side.frame(oldest, direction, is_stream, false);
            (self.out)(Event::AppFrame(self.flow, &told));
        }
    }
}

impl Frames {
    pub(crate) fn new(proto: Proto) -> Self {
        Self {
            sides: Default::default(),
            direction: Direction::ToServer,
            is_stream: proto == Proto::Tcp,
        }
    }

    /// Bytes kept.
    pub(crate) fn buffered(&self) -> usize {
        let [a, b] = &self.sides;
        a.kept.len().saturating_add(b.kept.len())
    }

    /// Whether frames of a direction wait for a packet to be told with.
    pub(crate) fn has_open(&self, direction: Direction) -> bool {
        let side = self.sides.get(direction.at());
        side.is_some_and(|side| !side.open.is_empty())
    }

    /// The next bytes of a direction, or the next datagram.
    pub(crate) fn data(&mut self, direction: Direction, data: &[u8]) {
        let side = self.side(direction);
        side.kept.extend_from_slice(data);
        let excess = side.kept.len().saturating_sub(KEPT_BYTES_MAX);
        // in large steps, as each moves all that is kept
        if excess > KEPT_BYTES_MAX {
            side.kept.drain(..excess);
        }
        side.end = side.end.saturating_add(to_u64(data.len()));
    }

    pub(crate) fn gap(&mut self, direction: Direction, len: u64) {
        let side = self.side(direction);
        side.kept = Vec::new();
        side.end = side.end.saturating_add(len);
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }
}

impl Side {
    fn tell(
        &mut self,
        direction: Direction,
        is_stream: bool,
        is_end: bool,
        flow: &Flow,
        out: &mut Sink<'_>,
    ) {
        let mut open = std::mem::take(&mut self.open);
        open.retain(|frame| {
            let there = self.end.saturating_sub(frame.start);
            let is_there = there >= ENOUGH_BYTES || frame.len.is_some_and(|len| there >= len);
            if is_there || is_end || !is_stream {
                let told = self.frame(*frame, direction, is_stream, is_end);
                out(Event::AppFrame(flow, &told));
                return false;
            }
            true
        });
        self.open = open;
    }

    fn frame(
        &self,
        frame: Open,
        direction: Direction,
        is_stream: bool,
        is_end: bool,
    ) -> AppFrame<'_> {
        let there = self.end.saturating_sub(frame.start);
        let first = self.end.saturating_sub(to_u64(self.kept.len()));
        let len = frame.len.unwrap_or(there);
        let payload = frame.start.checked_sub(first).and_then(|at| {
            let kept = self.kept.get(usize::try_from(at).ok()?..)?;
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            Some(kept.get(..len).unwrap_or(kept))
        });
        AppFrame {
            kind: frame.kind,
            id: frame.id,
            direction,
            stream_offset: is_stream.then_some(frame.start),
            len,
            tx_id: frame.tx_id,
            payload: payload.filter(|payload| !payload.is_empty()),
            is_complete: frame.len.map_or(is_end, |len| there >= len),
        }
    }
}

/// From which number the transactions of a protocol are counted in frames; their records count all
/// from 0.
fn first_number(app: AppProto) -> u32 {
    let from_0 = matches!(app, AppProto::Http | AppProto::Ssh | AppProto::Smtp);
    u32::from(!from_0)
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applayer::testing::{Messages, corpus, records};

    const WANTED: &str = "outputs: [{eve-log: {enabled: yes, types: [{frame: {enabled: yes}}]}}]";

    fn frames(messages: &Messages) -> Vec<String> {
        let found = records(Proto::Tcp, WANTED, messages);
        let mut lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        lines.sort();
        lines
    }

    #[test]
    fn frames_are_the_same_however_a_stream_is_cut() {
        for path in [
            "telnet/login.bin",
            "websocket/chat.bin",
            "mqtt/version_5.bin",
        ] {
            let messages = corpus(path);
            let whole = frames(&messages);
            assert!(whole.len() > 4, "{path}");
            let bytes = |(to, data): &(Direction, Vec<u8>)| -> Messages {
                data.iter().map(|byte| (*to, vec![*byte])).collect()
            };
            let bytes: Messages = messages.iter().flat_map(bytes).collect();
            assert_eq!(frames(&bytes), whole, "{path}");
        }
    }

    #[test]
    fn who_asks_for_no_frames_gets_none() {
        let found = records(Proto::Tcp, "", &corpus("telnet/login.bin"));
        assert!(
            found
                .iter()
                .all(|record| record.get("stream_offset").is_none())
        );
    }
}
