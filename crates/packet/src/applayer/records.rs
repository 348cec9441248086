//! Streams that are cut into records, each behind a head that tells its size: one parser for all
//! protocols of that kind, which say only how long a record is and what it means.
//!
//! Records that lie whole in what just came are handed out where they lie; only the beginning of an
//! unfinished one is kept, within a bound. Of a record beyond it the first bytes are handed out, and
//! the rest passes by. Behind a gap the stream goes on where the record ends that the gap lies in;
//! where that is not known, with the next bytes that look like a record's beginning.

use std::fmt::Debug;

use super::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};

pub(crate) use super::der::Size;

/// Largest record that is kept whole where a protocol names no other bound, bytes.
pub(crate) const RECORD_BYTES_MAX: usize = 64 << 10;

/// A protocol whose messages are such records.
pub(crate) trait Records: Debug + Send {
    /// Size of the record that begins here, head included.
    fn size(&mut self, direction: Direction, data: &[u8]) -> Size;

    /// How many first bytes of a record of that length must be there for it to be handed out; with
    /// less than all of it, the rest is not kept. Named bounds: [`RECORD_BYTES_MAX`] or its own.
    fn wanted(&self, _direction: Direction, _data: &[u8], len: usize) -> usize {
        within(len, RECORD_BYTES_MAX)
    }

    /// Looks for a place where a record can begin, to go on behind what is lost.
    fn find(&self, direction: Direction, data: &[u8]) -> Found;

    /// Takes a record. Other than [`Next::More`] ends the work; another protocol begins right
    /// behind the record, whatever number [`Next::Redetect`] has.
    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next;

    /// Takes a datagram: one record behind another.
    fn datagram(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next
    where
        Self: Sized,
    {
        Side::default().data(self, cx, direction, data)
    }

    /// Takes further bytes of the record that was handed out before all of it was there.
    fn more(&mut self, _cx: &mut Context<'_, '_>, _direction: Direction, _bytes: &[u8]) {}

    /// So many further bytes of such a record are missing.
    fn hole(&mut self, _cx: &mut Context<'_, '_>, _direction: Direction, _len: u64) {}

    /// What is kept of a record, perhaps nothing, has a gap behind it.
    fn torn(&mut self, _cx: &mut Context<'_, '_>, _direction: Direction, _record: Record<'_>) {}

    /// No record begins where one must, with bytes of that time: goes on behind it, or ends.
    fn bad(&mut self, _cx: &mut Context<'_, '_>, _direction: Direction, _ts_ns: u64) -> Next {
        Next::Error
    }

    /// The stream is over.
    fn end(&mut self, _cx: &mut Context<'_, '_>) {}

    /// Bytes kept of records that were taken.
    fn buffered(&self) -> usize {
        0
    }
}

/// A record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// What is there of it.
    pub(crate) bytes: &'a [u8],
    /// Length of all of it, bytes; 0 where it is not known.
    pub(crate) len: usize,
    /// Time of the packet that its first byte came with, nanoseconds since the Unix epoch.
    pub(crate) ts_ns: u64,
}

/// Where a record can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Behind so many bytes.
    At(usize),
    /// Nowhere so far; so many last bytes may be the front of one.
    Nowhere(usize),
}

impl Record<'_> {
    /// Bytes that are not there.
    pub(crate) fn missing(&self) -> usize {
        self.len.saturating_sub(self.bytes.len())
    }
}

impl Found {
    /// What makes the first bytes of a flow known makes them a record's beginning.
    pub(crate) fn by(probe: Probe) -> Self {
        Self::front(probe == Probe::Certain)
    }

    /// A record can begin at the front, if at all.
    pub(crate) fn front(is_start: bool) -> Self {
        if is_start {
            Self::At(0)
        } else {
            Self::Nowhere(0)
        }
    }
}

/// All of a record, unless that is more than the bound: then of its front what is there.
pub(crate) fn within(len: usize, bytes_max: usize) -> usize {
    if len > bytes_max { 1 } else { len }
}

/// The parser of such a protocol on one flow.
#[derive(Debug)]
pub(crate) struct Framed<R> {
    to_server: Side,
    to_client: Side,
    records: R,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    kept: Vec<u8>,
    /// Time of the packet that the first kept byte came with.
    ts_ns: u64,
    /// Bytes to come of a record that was handed out.
    skip: u64,
    /// Where the next record begins is not known.
    is_lost: bool,
}

impl<R: Records> Framed<R> {
    /// One for a flow that begins.
    pub(crate) fn new(records: R) -> Self {
        Self {
            to_server: Side::default(),
            to_client: Side::default(),
            records,
        }
    }

    fn parts(&mut self, direction: Direction) -> (&mut Side, &mut R) {
        match direction {
            Direction::ToServer => (&mut self.to_server, &mut self.records),
            Direction::ToClient => (&mut self.to_client, &mut self.records),
        }
    }
}

impl<R: Records> AppLayer for Framed<R> {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let (side, records) = self.parts(direction);
        if cx.flow().tuple.proto == Proto::Udp {
            records.datagram(cx, direction, data)
        } else {
            side.data(records, cx, direction, data)
        }
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        let (side, records) = self.parts(direction);
        side.gap(records, cx, direction, len);
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.records.end(cx);
    }

    fn buffered(&self) -> usize {
        let kept = self.to_server.kept.len();
        kept.saturating_add(self.to_client.kept.len())
            .saturating_add(self.records.buffered())
    }
}

impl Side {
    fn data(
        &mut self,
        records: &mut dyn Records,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
    ) -> Next {
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let (more, fresh) = data.split_at_checked(skip).unwrap_or((data, &[]));
        if !more.is_empty() {
            self.skip = self.skip.saturating_sub(to_u64(more.len()));
            records.more(cx, direction, more);
        }
        let mut kept = std::mem::take(&mut self.kept);
        let (next, rest) = if kept.is_empty() {
            self.ts_ns = cx.ts_ns;
            let (next, rest) = self.records(records, cx, direction, fresh);
            self.kept = rest.to_vec();
            (next, rest.len())
        } else {
            kept.extend_from_slice(fresh);
            let (next, rest) = self.records(records, cx, direction, &kept);
            let rest = rest.len();
            kept.drain(..kept.len().saturating_sub(rest));
            self.kept = kept;
            (next, rest)
        };
        match next {
            Next::Redetect(_) => Next::Redetect(data.len().saturating_sub(rest)),
            Next::More | Next::Done | Next::Error => next,
        }
    }

    /// Takes the records at the front, and gives what is left.
    fn records<'a>(
        &mut self,
        records: &mut dyn Records,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &'a [u8],
    ) -> (Next, &'a [u8]) {
        let mut rest = data;
        while !rest.is_empty() {
            if self.is_lost {
                match records.find(direction, rest) {
                    Found::At(at) => rest = rest.get(at..).unwrap_or_default(),
                    Found::Nowhere(kept) => {
                        let at = rest.len().saturating_sub(kept);
                        return (Next::More, rest.get(at..).unwrap_or_default());
                    }
                }
                self.is_lost = false;
            }
            let len = match records.size(direction, rest) {
                Size::Unsure => break,
                Size::Bytes(len) if len > 0 => len,
                Size::Bad | Size::Bytes(_) => {
                    self.is_lost = true;
                    rest = rest.get(1..).unwrap_or_default();
                    match records.bad(cx, direction, self.ts_ns) {
                        Next::More => continue,
                        next @ (Next::Done | Next::Error | Next::Redetect(_)) => {
                            return (next, &[]);
                        }
                    }
                }
            };
            if rest.len() < records.wanted(direction, rest, len).min(len) {
                break;
            }
            let (bytes, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            cx.record_begins(rest.len());
            let ts_ns = std::mem::replace(&mut self.ts_ns, cx.ts_ns);
            let record = Record { bytes, len, ts_ns };
            self.skip = to_u64(record.missing());
            rest = behind;
            match records.record(cx, direction, record) {
                Next::More => {}
                next @ (Next::Done | Next::Error | Next::Redetect(_)) => return (next, rest),
            }
        }
        (Next::More, rest)
    }

    fn gap(
        &mut self,
        records: &mut dyn Records,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        len: u64,
    ) {
        let hole = self.skip.min(len);
        if hole > 0 {
            self.skip = self.skip.saturating_sub(hole);
            records.hole(cx, direction, hole);
        }
        let len = len.saturating_sub(hole);
        if len == 0 {
            return;
        }
        let kept = std::mem::take(&mut self.kept);
        let size = match records.size(direction, &kept) {
            Size::Bytes(size) if !self.is_lost && size > kept.len() => size,
            Size::Bytes(_) | Size::Unsure | Size::Bad => 0,
        };
        let record = Record {
            bytes: &kept,
            len: size,
            ts_ns: self.ts_ns,
        };
        records.torn(cx, direction, record);
        match to_u64(record.missing()).checked_sub(len) {
            // the record that is cut goes on behind the gap
            Some(behind) => self.skip = behind,
            None => self.is_lost = true,
        }
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applayer::testing::context;
    use crate::sensor::Config;

    /// A byte of length, then so many bytes; records begin with an odd length.
    #[derive(Debug, Default)]
    struct Lines(Vec<Vec<u8>>, Vec<u8>);

    impl Records for Lines {
        fn size(&mut self, _: Direction, data: &[u8]) -> Size {
            match data {
                [] => Size::Unsure,
                [0, ..] => Size::Bad,
                [len, ..] => Size::Bytes(usize::from(*len) + 1),
            }
        }

        fn wanted(&self, _: Direction, _: &[u8], len: usize) -> usize {
            within(len, 20)
        }

        fn find(&self, _: Direction, data: &[u8]) -> Found {
            Found::front(data[0] % 2 == 1)
        }

        fn record(&mut self, _: &mut Context<'_, '_>, _: Direction, record: Record<'_>) -> Next {
            if record.len <= 20 {
                self.0.push(record.bytes.to_vec());
            } else {
                self.1.extend(record.bytes);
            }
            match record.bytes.ends_with(b"!") {
                true => Next::Redetect(0),
                false => Next::More,
            }
        }

        fn more(&mut self, _: &mut Context<'_, '_>, _: Direction, bytes: &[u8]) {
            self.1.extend(bytes);
        }
    }

    fn feed(side: &mut Side, data: &[u8], out: &mut Lines) -> Next {
        context(&Config::default(), |cx| {
            side.data(out, cx, Direction::ToServer, data)
        })
    }

    fn lose(side: &mut Side, len: u64, out: &mut Lines) {
        context(&Config::default(), |cx| {
            side.gap(out, cx, Direction::ToServer, len)
        });
    }

    #[test]
    fn records_come_whole_however_they_are_cut() {
        let stream = b"\x01a\x02bc\x15xxxxxxxxxxxxxxxxxxxxx\x03def";
        for cut in 1..stream.len() {
            let (mut side, mut out) = (Side::default(), Lines::default());
            for part in stream.chunks(cut) {
                feed(&mut side, part, &mut out);
            }
            assert_eq!(out.0, [&b"\x01a"[..], b"\x02bc", b"\x03def"], "{cut}");
            assert_eq!(
                out.1, b"\x15xxxxxxxxxxxxxxxxxxxxx",
                "what is too long passes by"
            );
            assert!(side.kept.is_empty());
        }
    }

    #[test]
    fn gaps_and_stops() {
        let (mut side, mut out) = (Side::default(), Lines::default());
        feed(&mut side, b"\x05ab", &mut out);
        lose(&mut side, 2, &mut out);
        feed(&mut side, b"e\x01x", &mut out);
        assert_eq!(out.0, [b"\x01x"], "the gap lay inside a record");
        lose(&mut side, 9, &mut out);
        feed(&mut side, b"\x02yy", &mut out);
        feed(&mut side, b"\x01z", &mut out);
        assert_eq!(
            out.0.last().unwrap(),
            b"\x01z",
            "resumed where one can begin"
        );
        feed(&mut side, b"\x02", &mut out);
        assert_eq!(feed(&mut side, b"o!tls", &mut out), Next::Redetect(2));
        let mut side = Side::default();
        assert_eq!(feed(&mut side, b"\0", &mut out), Next::Error);
    }
}
