//! One direction of a TCP connection as a stream of bytes: in order, without holes, or with the
//! hole declared.
//!
//! Bytes that come in order are passed on where they lie. Only out-of-order segments are copied and
//! kept, within bounds; when a bound is hit, or the receiver acknowledges what we did not see, the
//! hole is declared as a [`Chunk::Gap`] and the stream goes on behind it. Of bytes that come twice
//! before they are passed on, those count that the receiving host would take ([`Policy`]); if they
//! differ, that is reported.
//!
//! Two terms change this. With [`Terms::on_ack`] bytes are passed on when the receiver has
//! acknowledged them. With [`Terms::compare`] they are kept until then, to be compared with what
//! comes again.

mod policy;

use std::collections::VecDeque;

pub use policy::Policy;

use crate::bytes::len32;
use crate::flow::tcp::is_after;

/// What a stream passes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk<'a> {
    /// The next bytes, and when their packet came.
    Data(&'a [u8], u64),
    /// So many bytes are missing here and will not come.
    Gap(u64),
    /// Bytes behind a hole of that size, which nobody acknowledged: no part of a message. A size of 0
    /// goes on with the bytes before.
    Beyond(u64, &'a [u8]),
}

/// How a stream is put together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Most segments kept.
    pub(crate) segments_max: usize,
    /// Most bytes kept.
    pub(crate) bytes_max: usize,
    /// Most bytes passed on; what follows is not looked at.
    pub(crate) depth: u64,
    pub(crate) on_ack: bool,
    /// A hole is one only when the receiver has acknowledged what lies behind it.
    pub(crate) patient: bool,
    pub(crate) compare: bool,
    pub(crate) policy: Policy,
}

/// What happened to a segment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// It was out of order and is kept.
    pub(crate) buffered: bool,
    /// A bound was hit.
    pub(crate) full: bool,
    /// It says the same again, or something else, about bytes that came before.
    pub(crate) overlaps: bool,
    /// It differs from what came before for the same bytes.
    pub(crate) differs: bool,
    /// The depth was reached with it.
    pub(crate) depth_reached: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Sequence number of the next byte to pass on; `None` before the first segment.
    next: Option<u32>,
    /// Segments: sorted and disjoint; those before `next` are kept to be compared.
    segments: VecDeque<Segment>,
    bytes: usize,
    /// Bytes passed on or declared missing.
    passed: u64,
    /// Most pieces, with holes between them, at a time.
    regions_max: u32,
    /// The depth lies behind what came.
    is_deep: bool,
}

#[derive(Debug)]
struct Segment {
    seq: u32,
    ts_ns: u64,
    data: Box<[u8]>,
    /// A byte that is no part of the stream (RFC 6093).
    silent: bool,
}

impl Segment {
    fn end(&self) -> u32 {
        self.seq.wrapping_add(len32(self.data.len()))
    }
}

impl Stream {
    /// Bytes kept.
    pub(crate) fn buffered(&self) -> usize {
        self.bytes
    }

    /// Whether as many bytes were passed on as ever will be.
    pub(crate) fn is_at(&self, depth: u64) -> bool {
        self.passed >= depth
    }

    /// Whether bytes before `end` were not passed on yet; `start` is the first one's number, where
    /// known.
    pub(crate) fn lacks(&self, start: Option<u32>, end: u32) -> bool {
        self.next.or(start).is_some_and(|next| is_after(end, next))
    }

    /// Whether all bytes before `end` were passed on, or none ever came.
    pub(crate) fn is_drained(&self, end: u32) -> bool {
        self.next.is_none_or(|next| next == end)
    }

    /// Most pieces, with holes between them, that it was in at a time.
    pub(crate) fn regions_max(&self) -> u32 {
        self.regions_max.max(1)
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
        terms: Terms,
        each: &mut dyn FnMut(Chunk<'_>),
    ) -> Pushed {
        let mut pushed = Pushed::default();
        let next = *self.next.get_or_insert(seq);
        if self.passed >= terms.depth {
            return pushed;
        }
        pushed.depth_reached = self.reaches_depth(next, seq, data, terms.depth);
        let keeps = terms.on_ack || terms.compare;
        if seq == next && self.segments.is_empty() && !keeps {
            self.emit(data, ts_ns, terms.depth, each);
            return pushed;
        }
        let at = self.first_reaching(seq);
        pushed.overlaps = is_after(next, seq)
            || self
                .segments
                .get(at)
                .is_some_and(|old| is_after(seq.wrapping_add(len32(data.len())), old.seq));
        let Some((seq, data)) = self.compare_passed(seq, data, &mut pushed) else {
            return pushed;
        };
        self.make_room(data.len(), (seq, terms), &mut pushed, each);
        let next = self.next.unwrap_or(seq);
        let Some((seq, data)) = trim_front(next, seq, data) else {
            return pushed;
        };
        // what is larger than all that is kept is passed on where it lies
        let fits = self.has_room(data.len(), terms);
        if seq == next && !(keeps && fits) {
            self.pass_over(data, ts_ns, terms, &mut pushed, each);
        } else if fits {
            pushed.buffered = seq != next;
            self.keep((seq, data, ts_ns), terms, &mut pushed);
            if !terms.on_ack {
                self.pass_kept(None, terms, each);
            }
        }
        pushed
    }

    /// Leaves out the byte at a sequence number: it was urgent, and is no part of the stream.
    pub(crate) fn leave_out(
        &mut self,
        seq: u32,
        ts_ns: u64,
        terms: Terms,
        each: &mut dyn FnMut(Chunk<'_>),
    ) {
        let next = *self.next.get_or_insert(seq);
        let at = self.first_reaching(seq);
        let old = self.segments.get(at);
        let is_known = is_after(next, seq) || old.is_some_and(|old| !is_after(old.seq, seq));
        if is_known || !self.has_room(1, terms) {
            return;
        }
        self.bytes = self.bytes.saturating_add(1);
        let segment = Segment {
            seq,
            ts_ns,
            data: Box::new([0]),
            silent: true,
        };
        self.segments.insert(at.min(self.segments.len()), segment);
        if !terms.on_ack {
            self.pass_kept(None, terms, each);
        }
    }

    /// The receiver has everything up to `ack`: a hole before it is one in our sight alone and will
    /// not be filled.
    pub(crate) fn acknowledged(&mut self, ack: u32, terms: Terms, each: &mut dyn FnMut(Chunk<'_>)) {
        while let Some(next) = self.next.filter(|next| is_after(ack, *next)) {
            if self.passed >= terms.depth {
                break;
            }
            let at = self.first_unpassed();
            match self.segments.get(at).map(|segment| segment.seq) {
                Some(first) if !is_after(first, next) => {
                    let until = terms.on_ack.then_some(ack);
                    self.pass_kept(until, terms, each);
                }
                Some(first) if !is_after(first, ack) => self.skip_to(first, each),
                Some(_) => self.skip_to(ack, each),
                // whether bytes are missing shows when more come
                None if terms.patient => break,
                None => self.skip_to(ack, each),
            }
            if self.next == Some(next) {
                break;
            }
        }
        self.forget(ack);
    }

    /// The connection is over: passes on what is left, with its gaps.
    pub(crate) fn flush(&mut self, terms: Terms, each: &mut dyn FnMut(Chunk<'_>)) {
        for _ in 0..=self.segments.len() {
            let Some(first) = self.segments.get(self.first_unpassed()) else {
                break;
            };
            if self.passed >= terms.depth {
                break;
            }
            let first = first.seq;
            if self.next.is_some_and(|next| is_after(first, next)) {
                if terms.patient {
                    self.show_beyond(each);
                    break;
                }
                self.skip_to(first, each);
            }
            self.pass_kept(None, terms, each);
        }
        self.segments.clear();
        self.bytes = 0;
    }

    /// Shows what lies behind a hole, which nobody acknowledged.
    fn show_beyond(&self, each: &mut dyn FnMut(Chunk<'_>)) {
        let mut next = self.next;
        for segment in self.segments.iter().skip(self.first_unpassed()) {
            let hole = next.map_or(0, |next| segment.seq.wrapping_sub(next));
            if !segment.silent {
                each(Chunk::Beyond(u64::from(hole), &segment.data));
            }
            next = Some(segment.end());
        }
    }

    /// Passes on in-order data where it lies, and the kept segments that it reaches.
    fn pass_over(
        &mut self,
        mut data: &[u8],
        ts_ns: u64,
        terms: Terms,
        pushed: &mut Pushed,
        each: &mut dyn FnMut(Chunk<'_>),
    ) {
        let begin = self.next.unwrap_or(0);
        let end = begin.wrapping_add(len32(data.len()));
        loop {
            let next = self.next.unwrap_or(begin);
            let Some(first) = self.segments.front() else {
                return self.emit(data, ts_ns, terms.depth, each);
            };
            let later_wins = terms
                .policy
                .prefers_later((first.seq, first.end()), (begin, end));
            let hole = to_usize(first.seq.wrapping_sub(next));
            let Some((fresh, overlap)) = data.split_at_checked(hole) else {
                return self.emit(data, ts_ns, terms.depth, each);
            };
            self.emit(fresh, ts_ns, terms.depth, each);
            let Some(first) = self.segments.pop_front() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(first.data.len());
            pushed.differs |= first.data.iter().zip(overlap).any(|(old, new)| old != new);
            let (over, rest) = overlap
                .split_at_checked(first.data.len())
                .unwrap_or((overlap, &[]));
            if first.silent {
                self.advance(1);
            } else if later_wins && !over.is_empty() {
                self.emit(over, ts_ns, terms.depth, each);
                let kept = first.data.get(over.len()..).unwrap_or_default();
                self.emit(kept, first.ts_ns, terms.depth, each);
            } else {
                self.emit(&first.data, first.ts_ns, terms.depth, each);
            }
            data = rest;
            if data.is_empty() {
                return self.pass_kept(None, terms, each);
            }
        }
    }

    /// Passes on kept segments that stand in order, up to a sequence number where one is given.
    fn pass_kept(&mut self, until: Option<u32>, terms: Terms, each: &mut dyn FnMut(Chunk<'_>)) {
        let keeps = terms.on_ack || terms.compare;
        loop {
            let at = self.first_unpassed();
            let Some(next) = self.next else { return };
            let Some(mut segment) = self.segments.get_mut(at).filter(|first| {
                !is_after(first.seq, next) && until.is_none_or(|until| is_after(until, next))
            }) else {
                return;
            };
            // taken out while it is passed on
            let data = std::mem::take(&mut segment.data);
            let (seq, ts_ns, silent) = (segment.seq, segment.ts_ns, segment.silent);
            let from = to_usize(next.wrapping_sub(seq));
            let whole = data.len();
            let to = until.map_or(whole, |until| to_usize(until.wrapping_sub(seq)).min(whole));
            let fresh = data.get(from..to).unwrap_or_default();
            if silent {
                self.advance(len32(fresh.len()));
            } else {
                self.emit(fresh, ts_ns, terms.depth, each);
            }
            if keeps {
                segment = match self.segments.get_mut(at) {
                    Some(segment) => segment,
                    None => return,
                };
                segment.data = data;
            } else {
                self.bytes = self.bytes.saturating_sub(whole);
                self.segments.remove(at);
            }
            if self.passed >= terms.depth {
                return;
            }
        }
    }

    /// Whether a segment is the first that reaches the depth.
    fn reaches_depth(&mut self, next: u32, seq: u32, data: &[u8], depth: u64) -> bool {
        let end = seq.wrapping_add(len32(data.len()));
        if self.is_deep || !is_after(end, next) {
            return false;
        }
        let ahead = u64::from(end.wrapping_sub(next));
        self.is_deep = self.passed.saturating_add(ahead) >= depth;
        self.is_deep
    }

    fn emit(&mut self, data: &[u8], ts_ns: u64, depth: u64, each: &mut dyn FnMut(Chunk<'_>)) {
        if data.is_empty() || self.passed >= depth {
            return;
        }
        let left = depth.saturating_sub(self.passed);
        let data = match usize::try_from(left) {
            Ok(left) => data.get(..left).unwrap_or(data),
            Err(_) => data,
        };
        each(Chunk::Data(data, ts_ns));
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.passed = self.passed.saturating_add(len);
        self.advance(len32(data.len()));
        if self.passed >= depth {
            self.segments.clear();
            self.bytes = 0;
        }
    }

    /// Compares what was passed on before with what is kept of it, and returns the rest.
    fn compare_passed<'d>(
        &self,
        seq: u32,
        data: &'d [u8],
        pushed: &mut Pushed,
    ) -> Option<(u32, &'d [u8])> {
        let next = self.next.unwrap_or(seq);
        if is_after(next, seq) {
            for segment in self
                .segments
                .iter()
                .take_while(|old| is_after(next, old.seq))
            {
                pushed.differs |= differs(segment, seq, data);
            }
        }
        trim_front(next, seq, data)
    }

    /// Keeps a segment: the parts that no kept segment covers, and those in which it wins over what
    /// came before. Parts beyond the bound are left out: they come again, or become a gap.
    fn keep(&mut self, (seq, data, ts_ns): (u32, &[u8], u64), terms: Terms, pushed: &mut Pushed) {
        let (begin, end) = (seq, seq.wrapping_add(len32(data.len())));
        let (mut seq, mut data) = (seq, data);
        let mut at = self.first_reaching(seq);
        while !data.is_empty() {
            let old = self.segments.get_mut(at);
            let Some(old) = old.filter(|old| !is_after(old.seq, seq)) else {
                let hole = self
                    .segments
                    .get(at)
                    .map_or(usize::MAX, |old| to_usize(old.seq.wrapping_sub(seq)));
                let (fresh, rest) = data.split_at_checked(hole).unwrap_or((data, &[]));
                if self.segments.len() >= terms.segments_max {
                    pushed.full = true;
                    break;
                }
                self.bytes = self.bytes.saturating_add(fresh.len());
                if self.segments.is_empty() {
                    // short messages come one at a time: room for four would be kept on each open
                    // connection
                    self.segments.reserve_exact(1);
                }
                let segment = Segment {
                    seq,
                    ts_ns,
                    data: fresh.into(),
                    silent: false,
                };
                self.segments.insert(at.min(self.segments.len()), segment);
                seq = seq.wrapping_add(len32(fresh.len()));
                (data, at) = (rest, at.saturating_add(1));
                continue;
            };
            let covered = to_usize(seq.wrapping_sub(old.seq));
            let overlap = old.data.len().saturating_sub(covered).min(data.len());
            pushed.differs |= differs(old, seq, data);
            let (over, rest) = data.split_at_checked(overlap).unwrap_or((data, &[]));
            if terms
                .policy
                .prefers_later((old.seq, old.end()), (begin, end))
                && let Some(place) = old.data.get_mut(covered..covered.saturating_add(overlap))
                && place.len() == over.len()
            {
                place.copy_from_slice(over);
            }
            seq = seq.wrapping_add(len32(overlap));
            (data, at) = (rest, at.saturating_add(1));
        }
        self.count_regions();
    }

    fn count_regions(&mut self) {
        let from = self.first_unpassed();
        let mut end = self.next;
        let mut regions = 1_u32;
        for segment in self.segments.iter().skip(from) {
            if end.is_some_and(|end| is_after(segment.seq, end.wrapping_add(REGION_GAP))) {
                regions = regions.saturating_add(1);
            }
            end = Some(segment.end());
        }
        self.regions_max = self.regions_max.max(regions);
    }

    /// Makes room for a segment: passes on what is in order, then declares holes.
    fn make_room(
        &mut self,
        len: usize,
        (seq, terms): (u32, Terms),
        pushed: &mut Pushed,
        each: &mut dyn FnMut(Chunk<'_>),
    ) {
        while !self.has_room(len, terms) && self.passed < terms.depth {
            let is_next = self.next == Some(seq);
            pushed.full = true;
            if let Some(next) = self.next {
                self.pass_kept(None, terms, each);
                self.forget(next);
            }
            if self.has_room(len, terms) {
                return;
            }
            match self
                .segments
                .get(self.first_unpassed())
                .map(|first| first.seq)
            {
                // what comes next needs no room: it is passed on where it lies
                _ if is_next && !terms.on_ack && !terms.compare => return,
                Some(first) => {
                    self.skip_to(first, each);
                    self.pass_kept(None, terms, each);
                    if let Some(next) = self.next {
                        self.forget(next);
                    }
                }
                None => {
                    if self.next.is_some_and(|next| is_after(seq, next)) {
                        self.skip_to(seq, each);
                    }
                    return;
                }
            }
        }
    }

    fn has_room(&self, len: usize, terms: Terms) -> bool {
        self.segments.len() < terms.segments_max
            && self.bytes.saturating_add(len) <= terms.bytes_max
    }

    /// Forgets segments that were passed on and lie before `end`.
    fn forget(&mut self, end: u32) {
        let next = self.next.unwrap_or(end);
        while let Some(first) = self.segments.front() {
            if is_after(first.end(), next) || is_after(first.end(), end) {
                return;
            }
            self.bytes = self.bytes.saturating_sub(first.data.len());
            self.segments.pop_front();
        }
    }

    fn advance(&mut self, len: u32) {
        if let Some(next) = &mut self.next {
            *next = next.wrapping_add(len);
        }
    }

    fn skip_to(&mut self, seq: u32, each: &mut dyn FnMut(Chunk<'_>)) {
        let next = self.next.replace(seq).unwrap_or(seq);
        if next != seq {
            let len = u64::from(seq.wrapping_sub(next));
            self.passed = self.passed.saturating_add(len);
            each(Chunk::Gap(len));
        }
    }

    /// The first kept segment that is not passed on in full.
    fn first_unpassed(&self) -> usize {
        self.next.map_or(0, |next| self.first_reaching(next))
    }

    /// The first kept segment that ends behind a sequence number.
    fn first_reaching(&self, seq: u32) -> usize {
        self.segments
            .partition_point(|segment| !is_after(segment.end(), seq))
    }
}

/// Pieces with a smaller hole between them than this count as one, bytes.
const REGION_GAP: u32 = 256 << 10;

/// Whether a kept segment says something else about the same bytes than `data` at `seq`.
fn differs(old: &Segment, seq: u32, data: &[u8]) -> bool {
    let (old_from, new_from) = match is_after(old.seq, seq) {
        true => (0, to_usize(old.seq.wrapping_sub(seq))),
        false => (to_usize(seq.wrapping_sub(old.seq)), 0),
    };
    let old = old.data.get(old_from..).unwrap_or_default();
    let new = data.get(new_from..).unwrap_or_default();
    old.iter().zip(new).any(|(old, new)| old != new)
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
