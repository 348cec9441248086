//! Which of many literals occur in a buffer: the filter that picks the few rules of a large set
//! that may match.
//!
//! Every pattern is found by one **gram**, its rarest four bytes ([`rarity`]). A scan hashes the
//! gram at each position of the buffer and tests it in a small bitmap ([`filter`]); only where that
//! hits it asks which patterns own such a gram ([`grams`], [`tree`]), and compares their bytes.
//! Letters are folded in grams, so one pass serves patterns with and without regard to case.
//! Where most patterns are long, those have a pass of their own that tests every fourth position
//! alone: each is known by four grams, one for each way in which it can stand between those.
//! Patterns of one to three bytes are their own gram and have a pass each, or one together with
//! those of four where all of them are few; a set without them skips it.
//!
//! **Bounds.** What a position costs does not follow the number of patterns: where more than a few
//! share a gram, a tree asks for other bytes of the buffer before any pattern is compared, and what
//! was told is skipped. The tests count those steps for sets and buffers made to hurt: 20 for a
//! position is the most there. Memory is linear in the set: about 50 bytes a pattern, its own
//! bytes, and 8 to 16 bytes of bitmap; about 200 in all where it is known by four grams.
//!
//! A set is immutable and shared by threads; what a scan writes stands in a [`Seen`] per thread.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "what only vector instructions read")
)]
mod filter;
mod gram;
mod grams;
mod rarity;
mod seen;
mod set;
mod tree;

use filter::BUCKETED_MAX;
use gram::GRAM;
use grams::{Grams, Joint, Pass, SPARSE_LEN_MIN, Stride};
use set::{Members, Unique};

pub use seen::Seen;

/// One literal to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pattern<'a> {
    /// Its bytes, in any case where `nocase` is set. An empty pattern is never found.
    pub bytes: &'a [u8],
    /// Whether ASCII letters match in either case.
    pub nocase: bool,
}

/// A set of literals, ready to be looked for.
#[derive(Debug)]
pub struct Literals {
    /// How many patterns it was built of.
    len: usize,
    members: Members,
    /// One for each length of grams that the set has, longest first; long patterns may have one of
    /// their own.
    grams: Vec<Grams>,
    /// What does for some of them together.
    joint: Option<Joint>,
}

impl Literals {
    /// Prepares a set. The id of a pattern is its position; the same pattern may stand there more
    /// than once.
    #[must_use]
    pub fn build(patterns: &[Pattern<'_>]) -> Self {
        let uniques = Unique::of(patterns);
        let mut members = Members::default();
        let mut grams = Vec::new();
        let is_long = |unique: &&Unique| unique.bytes.len() >= SPARSE_LEN_MIN;
        let long = uniques.iter().filter(is_long).count();
        let others = uniques
            .iter()
            .filter(|unique| !is_long(unique) && unique.bytes.len() >= GRAM);
        // Two passes are less than one where each is a quick one.
        let is_sparse = long > BUCKETED_MAX && others.count() <= BUCKETED_MAX;
        let place = |unique: &Unique| match unique.bytes.len().min(GRAM) {
            GRAM if is_sparse && is_long(&unique) => (GRAM, Stride::Gram),
            width => (width, Stride::One),
        };
        let places = (1..=GRAM).rev().map(|width| (width, Stride::One));
        for of in [(GRAM, Stride::Gram)].into_iter().chain(places) {
            let there = uniques.iter().filter(|unique| place(unique) == of);
            let there = there.collect::<Vec<_>>();
            grams.extend(Grams::build(of, &there, &mut members));
        }
        members.shrink();
        Self {
            len: patterns.len(),
            joint: Joint::of(&grams, &members),
            members,
            grams,
        }
    }

    /// Calls `found` once for each pattern that occurs in `hay` with its end behind offset `from`. The
    /// order of the calls is not specified.
    pub fn scan(&self, hay: &[u8], from: usize, seen: &mut Seen, found: &mut dyn FnMut(u32)) {
        seen.begin(self.members.len(), self.members.patterns());
        let mut pass = Pass {
            members: &self.members,
            hay,
            from,
            seen,
            found,
            left: 0,
        };
        let joint = self.joint.as_ref();
        let is_joint = joint.is_some_and(|joint| joint.scan(&self.grams, &mut pass));
        for grams in &self.grams {
            if !(is_joint && Joint::takes(grams)) {
                grams.scan(&mut pass);
            }
        }
    }

    /// How many patterns it was built of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that it takes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let grams = self.grams.iter().map(Grams::bytes).sum::<usize>();
        let joint = self.joint.as_ref().map_or(0, Joint::bytes);
        let members = self.members.bytes();
        members.saturating_add(grams).saturating_add(joint)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
