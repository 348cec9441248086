//! One direction of a TCP connection as a stream of bytes: in order, without holes, or with the
//! hole declared.
//!
//! Bytes that come in order are passed on where they lie. Only out-of-order segments are copied and
//! kept, within bounds; when a bound is hit, or the receiver acknowledges what we did not see, the
//! hole is declared as a [`Chunk::Gap`] and the stream goes on behind it. Of bytes that come twice,
//! those that came first count; if they differ, that is reported.

use crate::bytes::len32;
use crate::flow::tcp::is_after;

/// What a stream passes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk<'a> {
    /// The next bytes, and when their packet came.
    Data(&'a [u8], u64),
    /// So many bytes are missing here and will not come.
    Gap(u64),
}

/// Bounds of one stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) segments_max: usize,
    pub(crate) bytes_max: usize,
}

/// What happened to a segment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// It was out of order and is kept.
    pub(crate) buffered: bool,
    /// A bound was hit.
    pub(crate) full: bool,
    /// It differs from what came before for the same bytes.
    pub(crate) differs: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Sequence number of the next byte to pass on; `None` before the first segment.
    next: Option<u32>,
    /// Out-of-order segments: sorted, disjoint, all behind `next`.
    segments: Vec<Segment>,
    bytes: usize,
}

#[derive(Debug)]
struct Segment {
    seq: u32,
    ts_ns: u64,
    data: Box<[u8]>,
}

impl Stream {
    /// Bytes kept.
    pub(crate) fn buffered(&self) -> usize {
        self.bytes
    }

    /// Whether all bytes before `end` were passed on, or none ever came.
    pub(crate) fn is_drained(&self, end: u32) -> bool {
        self.next.is_none_or(|next| next == end)
    }

    /// Takes the first byte's sequence number from the handshake; later calls change nothing.
    pub(crate) fn start(&mut self, seq: u32) {
        self.next.get_or_insert(seq);
    }

    /// Takes a segment and passes on what is in order now.
    pub(crate) fn push(
        &mut self,
        seq: u32,
        data: &[u8],
        ts_ns: u64,
        bounds: Bounds,
        each: &mut dyn FnMut(Chunk<'_>),
    ) -> Pushed {
        let mut pushed = Pushed::default();
        let next = *self.next.get_or_insert(seq);
        let Some((seq, data)) = trim_front(next, seq, data) else {
            return pushed;
        };
        if seq == next {
            self.pass_on(data, ts_ns, &mut pushed, each);
            return pushed;
        }
        while !self.has_room(data.len(), bounds) {
            pushed.full = true;
            if !self.skip_to_first(&mut pushed, each) {
                self.skip_to(seq, each);
                break;
            }
        }
        let next = self.next.unwrap_or(seq);
        if let Some((seq, data)) = trim_front(next, seq, data) {
            if seq == next {
                self.pass_on(data, ts_ns, &mut pushed, each);
            } else {
                self.keep(seq, data, ts_ns, bounds.segments_max, &mut pushed);
                pushed.buffered = true;
            }
        }
        pushed
    }

    /// The receiver has everything up to `ack`: a hole before it is one in our sight alone and will
    /// not be filled.
    pub(crate) fn acknowledged(&mut self, ack: u32, each: &mut dyn FnMut(Chunk<'_>)) {
        while let Some(next) = self.next.filter(|next| is_after(ack, *next)) {
            match self.segments.first().map(|segment| segment.seq) {
                Some(first) if is_after(first, ack) => return self.skip_to(ack, each),
                Some(_) => _ = self.skip_to_first(&mut Pushed::default(), each),
                None => return self.skip_to(ack, each),
            }
            if self.next == Some(next) {
                return;
            }
        }
    }

    /// The connection is over: passes on what is left, with its gaps.
    pub(crate) fn flush(&mut self, each: &mut dyn FnMut(Chunk<'_>)) {
        while self.skip_to_first(&mut Pushed::default(), each) {}
    }

    /// Passes on `data`, which begins at `next`, and the kept segments that it reaches.
    fn pass_on(
        &mut self,
        mut data: &[u8],
        ts_ns: u64,
        pushed: &mut Pushed,
        each: &mut dyn FnMut(Chunk<'_>),
    ) {
        loop {
            let (fresh, overlap) = data
                .split_at_checked(self.room_before_first())
                .unwrap_or((data, &[]));
            if !fresh.is_empty() {
                each(Chunk::Data(fresh, ts_ns));
                self.advance(fresh.len());
            }
            let next = self.next;
            if self
                .segments
                .first()
                .is_none_or(|first| Some(first.seq) != next)
            {
                return;
            }
            let first = self.segments.remove(0);
            self.bytes = self.bytes.saturating_sub(first.data.len());
            pushed.differs |= first.data.iter().zip(overlap).any(|(old, new)| old != new);
            each(Chunk::Data(&first.data, first.ts_ns));
            self.advance(first.data.len());
            data = overlap.get(first.data.len()..).unwrap_or_default();
        }
    }

    /// Keeps the parts of an out-of-order segment that no kept segment covers; parts beyond the
    /// bound are left out: they come again, or become a gap.
    fn keep(
        &mut self,
        mut seq: u32,
        mut data: &[u8],
        ts_ns: u64,
        segments_max: usize,
        pushed: &mut Pushed,
    ) {
        let mut at = 0_usize;
        while !data.is_empty() {
            let next = self
                .segments
                .get(at)
                .map(|segment| (segment.seq, segment.data.len()));
            let Some((start, len)) = next.filter(|(start, _)| !is_after(*start, seq)) else {
                let hole = next.map_or(usize::MAX, |(start, _)| to_usize(start.wrapping_sub(seq)));
                let (fresh, rest) = data.split_at_checked(hole).unwrap_or((data, &[]));
                if self.segments.len() >= segments_max {
                    pushed.full = true;
                    return;
                }
                self.insert(
                    at,
                    Segment {
                        seq,
                        ts_ns,
                        data: fresh.into(),
                    },
                );
                seq = seq.wrapping_add(len32(fresh.len()));
                (data, at) = (rest, at.saturating_add(1));
                continue;
            };
            let covered = to_usize(seq.wrapping_sub(start));
            let overlap = len.saturating_sub(covered).min(data.len());
            pushed.differs |= self.differs(at, covered, data);
            data = data.get(overlap..).unwrap_or_default();
            seq = seq.wrapping_add(len32(overlap));
            at = at.saturating_add(1);
        }
    }

    /// Whether a kept segment says something else than `data`, which begins `covered` bytes into
    /// it.
    fn differs(&self, at: usize, covered: usize, data: &[u8]) -> bool {
        let old = self
            .segments
            .get(at)
            .and_then(|segment| segment.data.get(covered..));
        old.unwrap_or_default()
            .iter()
            .zip(data)
            .any(|(old, new)| old != new)
    }

    fn insert(&mut self, at: usize, segment: Segment) {
        self.bytes = self.bytes.saturating_add(segment.data.len());
        self.segments.insert(at.min(self.segments.len()), segment);
    }

    fn has_room(&self, len: usize, bounds: Bounds) -> bool {
        self.segments.len() < bounds.segments_max
            && self.bytes.saturating_add(len) <= bounds.bytes_max
    }

    /// Declares the hole before the first kept segment and passes on from there; `false` when none
    /// is kept.
    fn skip_to_first(&mut self, pushed: &mut Pushed, each: &mut dyn FnMut(Chunk<'_>)) -> bool {
        let Some(first) = self.segments.first() else {
            return false;
        };
        self.skip_to(first.seq, each);
        self.pass_on(&[], 0, pushed, each);
        true
    }

    fn skip_to(&mut self, seq: u32, each: &mut dyn FnMut(Chunk<'_>)) {
        let next = self.next.replace(seq).unwrap_or(seq);
        if next != seq {
            each(Chunk::Gap(u64::from(seq.wrapping_sub(next))));
        }
    }

    /// Bytes between `next` and the first kept segment.
    fn room_before_first(&self) -> usize {
        match (self.segments.first(), self.next) {
            (Some(first), Some(next)) => to_usize(first.seq.wrapping_sub(next)),
            (None, _) | (_, None) => usize::MAX,
        }
    }

    fn advance(&mut self, len: usize) {
        if let Some(next) = &mut self.next {
            *next = next.wrapping_add(len32(len));
        }
    }
}

/// What of a segment lies at or behind `next`.
fn trim_front(next: u32, seq: u32, data: &[u8]) -> Option<(u32, &[u8])> {
    if !is_after(next, seq) {
        return (!data.is_empty()).then_some((seq, data));
    }
    let old = to_usize(next.wrapping_sub(seq));
    data.get(old..)
        .filter(|fresh| !fresh.is_empty())
        .map(|fresh| (next, fresh))
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests"
)]
mod tests;
