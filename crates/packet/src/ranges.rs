//! Files fetched in ranges (RFC 9110 section 14) are put together again, whichever connections the
//! ranges came on: else a file could be hidden by fetching it in pieces.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use sha2::{Digest as _, Sha256};

use crate::applayer::{Context, Transaction};
use crate::file::{File, FileState};
use crate::flow::Direction;

/// Most bytes of all ranges that wait for the rest of their files; the file that has waited longest
/// is given up beyond.
pub(crate) const RANGES_BYTES_MAX: usize = 64 << 20;
/// Most bytes of one range that are kept; longer ones are not put together.
pub(crate) const RANGE_BYTES_MAX: usize = 4 << 20;
/// Most files that are being put together.
const WHOLES_MAX: usize = 4096;
/// Most ranges of one file.
const PARTS_MAX: usize = 1024;

/// What a file is known by: a digest, so that long names cost no more than short ones.
type Key = [u8; 32];

/// The files of which some ranges have come.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    wholes: HashMap<Key, Whole>,
    /// Their keys by when they were last used.
    order: BTreeMap<u64, Key>,
    bytes: usize,
    /// Counts ranges, to tell which file has waited longest.
    clock: u64,
}

#[derive(Debug, Default)]
struct Whole {
    total: u64,
    parts: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
    used: u64,
}

/// One range as it comes.
#[derive(Debug)]
pub(crate) struct Range {
    key: Key,
    start: u64,
    total: u64,
    bytes: Vec<u8>,
    too_long: bool,
}

impl Range {
    /// A range of the file that has this name, host and path: from `start` of `total` bytes.
    pub(crate) fn new(name: &[u8], start: u64, total: u64) -> Self {
        Self {
            key: Sha256::digest(name).into(),
            start,
            total,
            bytes: Vec::new(),
            too_long: false,
        }
    }

    /// Bytes kept.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn data(&mut self, data: &[u8]) {
        let len = self.bytes.len().saturating_add(data.len());
        self.too_long |= len > RANGE_BYTES_MAX;
        if !self.too_long {
            self.bytes.extend_from_slice(data);
        }
    }

    /// The range is whole: when the file is with it, it is told.
    pub(crate) fn close(
        self,
        cx: &mut Context<'_, '_>,
        carrier: &dyn Transaction,
        direction: Direction,
        name: &[u8],
    ) {
        if self.too_long || self.total == 0 || self.bytes.is_empty() {
            return;
        }
        let Some(parts) = cx.ranges.add(self) else {
            return;
        };
        let mut file = File::open(cx, direction, name);
        let mut at = 0_u64;
        for (start, bytes) in parts {
            let known = usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
            let fresh = bytes.get(known..).unwrap_or_default();
            file.data(cx, carrier, fresh);
            at = at.saturating_add(to_u64(fresh.len()));
        }
        file.close(cx, carrier, FileState::Closed);
    }
}

impl Ranges {
    /// Takes a range; all ranges of the file when none is missing any more.
    fn add(&mut self, range: Range) -> Option<BTreeMap<u64, Vec<u8>>> {
        self.clock = self.clock.saturating_add(1);
        self.make_room(range.bytes.len(), &range.key);
        let whole = self.wholes.entry(range.key).or_default();
        if whole.total != range.total {
            // another file by that name
            self.bytes = self.bytes.saturating_sub(whole.bytes);
            *whole = Whole {
                total: range.total,
                used: whole.used,
                ..Whole::default()
            };
        }
        self.order.remove(&whole.used);
        whole.used = self.clock;
        self.order.insert(self.clock, range.key);
        let before = whole.parts.get(&range.start).map_or(0, Vec::len);
        if range.bytes.len() > before && whole.parts.len() < PARTS_MAX {
            let more = range.bytes.len().saturating_sub(before);
            whole.bytes = whole.bytes.saturating_add(more);
            self.bytes = self.bytes.saturating_add(more);
            whole.parts.insert(range.start, range.bytes);
        }
        if !whole.is_there() {
            return None;
        }
        self.remove(&range.key).map(|whole| whole.parts)
    }

    fn make_room(&mut self, len: usize, key: &Key) {
        let is_full = |ranges: &Self| {
            ranges.bytes.saturating_add(len) > RANGES_BYTES_MAX
                || ranges.wholes.len() >= WHOLES_MAX && !ranges.wholes.contains_key(key)
        };
        while is_full(self) {
            let Some((_, oldest)) = self.order.pop_first() else {
                return;
            };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Whole> {
        let whole = self.wholes.remove(key)?;
        self.order.remove(&whole.used);
        self.bytes = self.bytes.saturating_sub(whole.bytes);
        Some(whole)
    }
}

impl Whole {
    fn is_there(&self) -> bool {
        let end = self.parts.iter().try_fold(0_u64, |end, (start, bytes)| {
            let reached = start.saturating_add(to_u64(bytes.len()));
            (*start <= end).then(|| end.max(reached))
        });
        end.is_some_and(|end| end >= self.total)
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, bytes: &[u8]) -> Range {
        let mut range = Range::new(b"host/path", start, 10);
        range.data(bytes);
        range
    }

    #[test]
    fn ranges_make_a_file_in_any_order() {
        let mut ranges = Ranges::default();
        assert!(ranges.add(range(6, b"6789")).is_none());
        assert!(ranges.add(range(0, b"01234")).is_none());
        let parts = ranges.add(range(4, b"45")).unwrap();
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), [0, 4, 6]);
        assert_eq!((ranges.bytes, ranges.wholes.len()), (0, 0));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut ranges = Ranges::default();
        for at in 0..20_u64 {
            let mut range = Range::new(&at.to_be_bytes(), 0, u64::MAX);
            range.data(&vec![0; RANGE_BYTES_MAX]);
            assert!(ranges.add(range).is_none());
        }
        assert!(ranges.bytes <= RANGES_BYTES_MAX);
        assert_eq!(ranges.order.len(), ranges.wholes.len());
        assert!(
            !ranges
                .wholes
                .contains_key(&Range::new(&0_u64.to_be_bytes(), 0, 1).key)
        );
    }
}
