//! What a batch adds to the index: for each lane, term and block of positions, a bit for each
//! object.
//!
//! A term that most objects have costs a row for 64 of them, one that a single object has costs a
//! row. Each lane has an index of its own, so that a reader's search touches nothing but its view.

use std::collections::BTreeMap;
use std::sync::Arc;

use stix::{Limits, Object};

use super::{Facts, Key};
use crate::Submission;
use crate::append::Rows;

/// Positions in a block.
pub(crate) const BLOCK: i64 = 64;

/// Bits of the index.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Of the community's lane.
    pub(crate) community: Vec<Mark>,
    /// Of addressed lanes.
    pub(crate) addressed: Vec<(Arc<str>, Mark)>,
}

/// The objects of one block that have a term.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) term: Key,
    pub(crate) block: i64,
    /// A bit for each position, the lowest for the first.
    pub(crate) bits: i64,
}

/// An object as a store has it, for its terms.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Number of its head.
    pub(crate) head: i64,
    pub(crate) source: String,
    pub(crate) raw: Vec<u8>,
    /// Its position in the community's lane.
    pub(crate) community: Option<i64>,
    /// Its positions in addressed lanes, where it is not in the community's.
    pub(crate) addressed: Vec<(Arc<str>, i64)>,
}

impl Marks {
    /// Of what an append adds.
    pub(crate) fn of_batch(rows: &Rows, batch: &[Submission]) -> Self {
        let mut addressed: BTreeMap<i64, Vec<(&Arc<str>, i64)>> = BTreeMap::new();
        for row in &rows.addressed {
            let of_event = addressed.entry(row.seq).or_default();
            of_event.push((&row.partner, row.position));
        }
        let mut marks = Self::default();
        for (head, event) in rows.heads.iter().zip(&rows.events) {
            let Some(submission) = batch.get(head.index) else {
                continue;
            };
            let keys = Facts::of(&submission.object, &submission.source).keys();
            let lanes = addressed.get(&event.seq).map_or(&[][..], Vec::as_slice);
            marks.add(keys, event.community, lanes.iter().copied());
        }
        marks.folded()
    }

    /// Of what a store has.
    pub(crate) fn of_stored(stored: &[Stored]) -> Self {
        let mut marks = Self::default();
        for one in stored {
            // It was read when it came in, under bounds that may have been others.
            let Ok(object) = Object::parse(&one.raw, &UNBOUNDED) else {
                continue;
            };
            let keys = Facts::of(&object, &one.source).keys();
            let lanes = one.addressed.iter();
            let lanes = lanes.map(|(partner, position)| (partner, *position));
            marks.add(keys, one.community, lanes);
        }
        marks.folded()
    }

    /// Marks an object in the community's lane, else in the addressed ones: there it is shown.
    fn add<'a>(
        &mut self,
        keys: Vec<Key>,
        community: Option<i64>,
        addressed: impl Iterator<Item = (&'a Arc<str>, i64)>,
    ) {
        if let Some(position) = community {
            let marks = keys.into_iter().map(|term| Mark::of(term, position));
            self.community.extend(marks);
            return;
        }
        for (partner, position) in addressed {
            let marks = keys.iter().map(|term| Mark::of(term.clone(), position));
            let marks = marks.map(|mark| (Arc::clone(partner), mark));
            self.addressed.extend(marks);
        }
    }

    /// In the order of the index, each row once.
    fn folded(mut self) -> Self {
        self.community.sort_unstable();
        self.community.dedup_by(|mark, before| before.takes(mark));
        self.addressed.sort_unstable();
        self.addressed
            .dedup_by(|(lane, mark), (before_lane, before)| {
                lane == before_lane && before.takes(mark)
            });
        self
    }
}

impl Mark {
    fn of(term: Key, position: i64) -> Self {
        let (block, bits) = place(position);
        Self { term, block, bits }
    }

    /// Takes the bits of another of the same row.
    fn takes(&mut self, other: &Self) -> bool {
        let same = self.term == other.term && self.block == other.block;
        if same {
            self.bits |= other.bits;
        }
        same
    }
}

/// Block and bit of a position.
fn place(position: i64) -> (i64, i64) {
    let bit = u32::try_from(position.rem_euclid(BLOCK)).unwrap_or(0);
    (position.div_euclid(BLOCK), 1_i64.wrapping_shl(bit))
}

/// The depth has a ceiling of its own.
pub(crate) const UNBOUNDED: Limits = Limits {
    bytes_max: usize::MAX,
    object_bytes_max: usize::MAX,
    depth_max: usize::MAX,
    objects_max: usize::MAX,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_one_row_are_one() {
        let mut marks = Marks::default();
        for position in [1, 63, 64, 2, 1] {
            let keys = vec![vec![7], vec![8]];
            marks.add(keys, Some(position), std::iter::empty());
        }
        let marks = marks.folded();
        let row = |term, block, bits: u64| Mark {
            term: vec![term],
            block,
            bits: bits.cast_signed(),
        };
        let first = (1 << 63) | 0b110;
        assert_eq!(
            marks.community,
            [
                row(7, 0, first),
                row(7, 1, 1),
                row(8, 0, first),
                row(8, 1, 1)
            ]
        );
    }
}
