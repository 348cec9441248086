//! One pass over a buffer: where the filter hits, the patterns that own such a gram.

use std::ops::Range;

use super::filter::{BITS_EACH, BITS_EACH_SPARSE, BUCKETED_MAX, Buckets, Filter};
use super::gram::{GRAM, first_of, fold, gram_up_to, hash};
use super::rarity::Rarity;
use super::seen::Seen;
use super::set::{Members, Unique, u32_of, usize_of};
use super::tree::{Item, NONE, Node, Tree};

/// The patterns of a set whose grams have the same length and are looked for at the same places.
#[derive(Debug)]
pub(super) struct Grams {
    /// Bytes of a gram: 1 to [`GRAM`].
    width: usize,
    /// They are looked for at each position, or at each of so many.
    stride: Stride,
    filter: Filter,
    /// Hash of a gram to the node of the tree where its patterns begin.
    slots: Vec<u32>,
    slot_shift: u32,
    tree: Tree,
    /// Most bytes from the start of a gram to the end of its pattern.
    reach: usize,
    /// How many patterns there are.
    patterns: usize,
    /// Its members.
    members: Range<u32>,
}

/// Where grams are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stride {
    /// At each position.
    One,
    /// At each [`GRAM`]th position: a pattern of at least [`SPARSE_LEN_MIN`] bytes has a gram at one
    /// of them wherever it stands, if it is known by one for each remainder.
    Gram,
}

/// Bytes of the shortest pattern that has a gram at each remainder.
pub(super) const SPARSE_LEN_MIN: usize = GRAM + GRAM - 1;

impl Grams {
    /// Adds patterns to `members`, in the order in which this pass meets them; none if there are
    /// no patterns. All have `width` bytes, or at least as many where that is [`GRAM`].
    pub(super) fn build(
        (width, stride): (usize, Stride),
        of: &[&Unique],
        members: &mut Members,
    ) -> Option<Self> {
        if of.is_empty() {
            return None;
        }
        let rarity = match width {
            GRAM => Rarity::of(of.iter().map(|unique| unique.bytes.as_slice())),
            _ => Rarity::default(),
        };
        let mut items = Vec::new();
        for unique in of {
            let pattern = members.store(unique);
            let offsets = match stride {
                Stride::One => vec![rarity.rarest(&unique.bytes, 0, 1)],
                Stride::Gram => (0..GRAM)
                    .map(|remainder| rarity.rarest(&unique.bytes, remainder, GRAM))
                    .collect(),
            };
            let offsets = offsets.into_iter();
            items.extend(offsets.map(|offset| Item::new(unique, pattern, offset, width)));
        }
        items.sort_by_key(|item| item.gram);
        let grams = items.iter().map(|item| item.gram).collect::<Vec<_>>();
        let filter = Filter::new(
            &grams,
            match stride {
                Stride::One => BITS_EACH,
                Stride::Gram => BITS_EACH_SPARSE,
            },
        );
        let slots_log2 = items.len().saturating_mul(2).next_power_of_two().ilog2();
        let slot_shift = 32_u32.saturating_sub(slots_log2);
        let mut slots = vec![NONE; 1_usize.wrapping_shl(slots_log2)];
        let mut tree = Tree::new(width);
        let first = u32_of(members.len());
        let slot_of = |item: &Item<'_>| hash(item.gram).wrapping_shr(slot_shift);
        items.sort_by_key(slot_of);
        for group in items.chunk_by(|a, b| slot_of(a) == slot_of(b)) {
            let root = tree.grow(group.to_vec(), members);
            let slot = group.first().map(slot_of);
            if let Some(slot) = slot.and_then(|slot| slots.get_mut(usize_of(slot))) {
                *slot = root;
            }
        }
        tree.shrink();
        let reach = items.iter().map(Item::reach).max().unwrap_or(0);
        Some(Self {
            width,
            stride,
            filter,
            slots,
            slot_shift,
            tree,
            reach,
            patterns: of.len(),
            members: first..u32_of(members.len()),
        })
    }

    /// Tells what ends behind `from`.
    pub(super) fn scan(&self, pass: &mut Pass<'_, '_>) {
        pass.left = self.patterns;
        match (self.width, self.stride) {
            (1, _) => pass.run::<1>(self),
            (2, _) => pass.run::<2>(self),
            (3, _) => pass.run::<3>(self),
            (_, Stride::One) => pass.run::<GRAM>(self),
            (_, Stride::Gram) => pass.run_sparse(self),
        }
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let slots = self.slots.capacity().saturating_mul(size_of::<u32>());
        slots
            .saturating_add(self.filter.bytes())
            .saturating_add(self.tree.bytes())
    }

    /// The node where the patterns that may have this gram begin.
    fn root(&self, gram: u32) -> u32 {
        let slot = hash(gram).wrapping_shr(self.slot_shift);
        self.slots.get(usize_of(slot)).copied().unwrap_or(NONE)
    }
}

/// One pass for the patterns of several lengths, where they are few.
#[derive(Debug)]
pub(super) struct Joint {
    buckets: Box<Buckets>,
    /// Which hashes the first two bytes of its grams have: most of what the buckets let pass ends here.
    pairs: Box<[u64; PAIRS_WORDS]>,
    /// Bytes of the shortest gram.
    width: usize,
    reach: usize,
    patterns: usize,
}

impl Joint {
    /// The pass for those of `all` that it may [take](Self::takes); none where that gains nothing.
    pub(super) fn of(all: &[Grams], members: &Members) -> Option<Self> {
        let its = || all.iter().filter(|grams| Self::takes(grams));
        let patterns = its().map(|grams| grams.patterns).sum::<usize>();
        if its().count() < 2 || patterns > BUCKETED_MAX {
            return None;
        }
        let grams = its().rev().flat_map(|grams| {
            let members = grams
                .members
                .clone()
                .filter_map(|member| members.get(member));
            members.map(|member| (member.gram, grams.width))
        });
        let mut grams = grams.collect::<Vec<_>>();
        grams.sort_unstable_by_key(|(gram, width)| (*width, *gram));
        let mut pairs = Box::new([0; PAIRS_WORDS]);
        for (gram, _) in &grams {
            let (word, bit) = pair_of(*gram);
            if let Some(word) = pairs.get_mut(word) {
                *word |= bit;
            }
        }
        Some(Self {
            pairs,
            buckets: Box::new(Buckets::new(&grams)),
            width: its().map(|grams| grams.width).min()?,
            reach: its().map(|grams| grams.reach).max()?,
            patterns,
        })
    }

    /// Whether a pass may be done together with others. That for single bytes is soon over by itself.
    pub(super) fn takes(grams: &Grams) -> bool {
        grams.stride == Stride::One && grams.width > 1
    }

    /// Tells what ends behind `from`; whether this processor can.
    pub(super) fn scan(&self, all: &[Grams], pass: &mut Pass<'_, '_>) -> bool {
        pass.left = self.patterns;
        let (hay, start) = pass.rest(self.reach);
        self.buckets.scan(self.width, hay, &mut |at| {
            let (whole, len) = gram_up_to(hay, at);
            let (word, bit) = pair_of(whole);
            if self.pairs.get(word).is_none_or(|word| word & bit == 0) {
                return true;
            }
            let its = all.iter().filter(|grams| Self::takes(grams));
            for grams in its.filter(|grams| grams.width <= len) {
                let gram = fold(first_of(whole, grams.width));
                if grams.filter.may_have(hash(gram)) {
                    pass.hit(grams, start.saturating_add(at), gram);
                }
            }
            pass.left > 0
        })
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.buckets
            .bytes()
            .saturating_add(size_of_val(&*self.pairs))
    }
}

/// Words of the bits of [`Joint::pairs`].
const PAIRS_WORDS: usize = 64;

/// The word and the bit there of a gram's first two bytes, in any case.
#[inline(always)]
fn pair_of(gram: u32) -> (usize, u64) {
    let hash = hash(fold(first_of(gram, 2)));
    let word = usize_of(hash.wrapping_shr(26));
    (word, 1_u64.wrapping_shl(hash.wrapping_shr(20)))
}

/// A scan in progress.
pub(super) struct Pass<'a, 'f> {
    pub(super) members: &'a Members,
    pub(super) hay: &'a [u8],
    pub(super) from: usize,
    pub(super) seen: &'a mut Seen,
    pub(super) found: &'a mut (dyn FnMut(u32) + 'f),
    /// Patterns that were not told yet in this pass.
    pub(super) left: usize,
}

impl<'a> Pass<'a, '_> {
    fn run<const N: usize>(&mut self, grams: &Grams) {
        let (hay, start) = self.rest(grams.reach);
        grams.filter.scan::<N>(hay, &mut |at, gram| {
            self.hit(grams, start.saturating_add(at), gram);
            self.left > 0
        });
    }

    fn run_sparse(&mut self, grams: &Grams) {
        let (hay, start) = self.rest(grams.reach);
        grams.filter.scan_sparse(hay, &mut |at, gram| {
            self.hit(grams, start.saturating_add(at), gram);
            self.left > 0
        });
    }

    /// The buffer from where patterns that end behind `from` may have their grams, and where that is.
    fn rest(&self, reach: usize) -> (&'a [u8], usize) {
        let start = self.from.saturating_add(1).saturating_sub(reach);
        (self.hay.get(start..).unwrap_or_default(), start)
    }

    /// Looks at the patterns that may own the gram at an offset.
    #[inline]
    fn hit(&mut self, grams: &Grams, at: usize, gram: u32) {
        #[cfg(test)]
        self.seen.step(1);
        let root = grams.tree.node(grams.root(gram));
        // In many buffers most hits are of what was told: runs of a byte, words in every line.
        if let Some(root) = root.filter(|root| self.seen.untold(root.first) < root.last) {
            self.visit(&grams.tree, root, at, gram);
        }
    }

    #[inline(never)]
    fn visit(&mut self, tree: &Tree, root: &Node, at: usize, gram: u32) {
        let mut next = Some(root);
        while let Some(node) = next {
            #[cfg(test)]
            self.seen.step(1);
            let mut member = self.seen.untold(node.first);
            if member < node.last && tree.leave(node, self.hay, at, &mut self.seen.pending) {
                while member < node.last {
                    self.judge(member, at, gram);
                    member = self.seen.untold(member.saturating_add(1));
                }
            }
            next = self.seen.pending.pop().and_then(|node| tree.node(node));
        }
    }

    /// Compares a pattern.
    fn judge(&mut self, number: u32, at: usize, gram: u32) {
        #[cfg(test)]
        self.seen.step(1);
        let Some(member) = self
            .members
            .get(number)
            .filter(|member| member.gram == gram)
        else {
            return;
        };
        let pattern = member.pattern;
        if self.seen.is_told(pattern) {
            self.seen.tell(number);
            return;
        }
        #[cfg(test)]
        self.seen.step(self.members.len_of(member) / 32);
        if !self.members.stands(member, self.hay, at, self.from) {
            return;
        }
        self.seen.tell(number);
        self.seen.tell_pattern(pattern);
        self.left = self.left.saturating_sub(1);
        for id in self.members.ids(pattern) {
            (self.found)(*id);
        }
    }
}
