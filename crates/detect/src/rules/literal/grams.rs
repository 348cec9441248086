//! One pass over a buffer: every position's gram against a bitmap, hits against the patterns that
//! own such a gram.

use super::rarity::{Rarity, fold, gram_of};
use super::set::{Members, Unique, usize_of};
use super::tree::{Item, NONE, Tree};
use super::{GRAM, Seen};

/// Bits of the bitmap for each pattern, before it is rounded up to a power of two. With two bits
/// set per gram, about one random gram in a hundred hits.
const BITS_PER_PATTERN: usize = 32;
/// Smallest and largest bitmap, as powers of two of words of 32 bits: 256 to 1,048,576 bits.
const WORDS_LOG2_MIN: u32 = 3;
const WORDS_LOG2_MAX: u32 = 15;

/// The patterns of a set whose grams have the same length.
#[derive(Debug)]
pub(super) struct Grams {
    /// Bytes of a gram: 1 to [`GRAM`].
    width: usize,
    filter: Filter,
    /// Hash of a gram to the node of the tree where its patterns begin.
    slots: Vec<u32>,
    slot_shift: u32,
    tree: Tree,
    /// Most bytes from the start of a gram to the end of its pattern.
    reach: usize,
    /// How many members there are.
    members: usize,
}

impl Grams {
    /// Adds patterns to `members`, in the order in which this pass meets them; none if there are
    /// no patterns. All have `width` bytes, or at least as many where that is [`GRAM`].
    pub(super) fn build(width: usize, of: &[&Unique], members: &mut Members) -> Option<Self> {
        if of.is_empty() {
            return None;
        }
        let rarity = match width {
            GRAM => Rarity::of(of.iter().map(|unique| unique.bytes.as_slice())),
            _ => Rarity::default(),
        };
        let items = of.iter().map(|unique| {
            let offset = rarity.rarest(&unique.bytes);
            Item::new(unique, offset, width)
        });
        let mut items = items.collect::<Vec<_>>();
        let slots_log2 = items.len().saturating_mul(2).next_power_of_two().ilog2();
        let slot_shift = 32_u32.saturating_sub(slots_log2);
        let mut slots = vec![NONE; 1_usize.checked_shl(slots_log2).unwrap_or(1)];
        let mut filter = Filter::for_patterns(items.len());
        let mut tree = Tree::new(width);
        items.sort_by_key(|item| hash(item.gram) >> slot_shift);
        for group in items.chunk_by(|a, b| hash(a.gram) >> slot_shift == hash(b.gram) >> slot_shift)
        {
            let root = tree.grow(group.to_vec(), members);
            for item in group {
                filter.insert(hash(item.gram));
                let slot = usize_of(hash(item.gram) >> slot_shift);
                if let Some(slot) = slots.get_mut(slot) {
                    *slot = root;
                }
            }
        }
        tree.shrink();
        let reach = items.iter().map(Item::reach).max().unwrap_or(0);
        Some(Self {
            width,
            filter,
            slots,
            slot_shift,
            tree,
            reach,
            members: items.len(),
        })
    }

    /// Tells what ends behind `from`.
    pub(super) fn scan(
        &self,
        members: &Members,
        hay: &[u8],
        from: usize,
        seen: &mut Seen,
        found: &mut dyn FnMut(u32, usize),
    ) {
        let mut pass = Pass {
            grams: self,
            members,
            hay,
            from,
            seen,
            found,
            left: self.members,
        };
        match self.width {
            1 => pass.run::<1>(),
            2 => pass.run::<2>(),
            3 => pass.run::<3>(),
            _ => pass.run::<GRAM>(),
        }
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let words = self
            .filter
            .words
            .capacity()
            .saturating_add(self.slots.capacity());
        words
            .saturating_mul(size_of::<u32>())
            .saturating_add(self.tree.bytes())
    }

    /// The node where the patterns that may have this gram begin.
    fn root(&self, hash: u32) -> u32 {
        let slot = hash.checked_shr(self.slot_shift).unwrap_or(0);
        self.slots.get(usize_of(slot)).copied().unwrap_or(NONE)
    }
}

/// A Bloom filter of grams with both bits in the same word, so that a test reads memory once.
#[derive(Debug)]
struct Filter {
    words: Vec<u32>,
    /// What brings the number of the word down from the top bits of a hash.
    shift: u32,
}

impl Filter {
    fn for_patterns(patterns: usize) -> Self {
        let bits = patterns
            .saturating_mul(BITS_PER_PATTERN)
            .next_power_of_two();
        let words_log2 = bits.ilog2().saturating_sub(u32::BITS.ilog2());
        let words_log2 = words_log2.clamp(WORDS_LOG2_MIN, WORDS_LOG2_MAX);
        Self {
            words: vec![0; 1_usize.checked_shl(words_log2).unwrap_or(1)],
            shift: 32_u32.saturating_sub(words_log2),
        }
    }

    fn insert(&mut self, hash: u32) {
        let bits = self.bits(hash);
        let word = usize_of(hash.wrapping_shr(self.shift));
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
        }
    }

    #[inline(always)]
    fn may_have(&self, hash: u32) -> bool {
        let bits = self.bits(hash);
        let word = usize_of(hash.wrapping_shr(self.shift));
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }

    /// The two bits of a gram in its word: the ten bits of the hash below those of the word.
    #[inline(always)]
    fn bits(&self, hash: u32) -> u32 {
        let below = self.shift.wrapping_sub(5);
        let first = 1_u32.wrapping_shl(hash.wrapping_shr(below));
        first | 1_u32.wrapping_shl(hash.wrapping_shr(below.wrapping_sub(5)))
    }
}

/// A scan in progress.
struct Pass<'a, 'f> {
    grams: &'a Grams,
    members: &'a Members,
    hay: &'a [u8],
    from: usize,
    seen: &'a mut Seen,
    found: &'a mut (dyn FnMut(u32, usize) + 'f),
    /// Members that were not told yet.
    left: usize,
}

impl Pass<'_, '_> {
    fn run<const N: usize>(&mut self) {
        // A pattern that ends behind `from` has its gram here or later.
        let start = self.from.saturating_add(1).saturating_sub(self.grams.reach);
        let hay = self.hay.get(start..).unwrap_or_default();
        for (at, gram) in hay.array_windows::<N>().enumerate() {
            let gram = fold(gram_of(gram));
            let hash = hash(gram);
            if self.grams.filter.may_have(hash) {
                self.hit(start.saturating_add(at), gram, hash);
                if self.left == 0 {
                    break;
                }
            }
        }
    }

    /// Looks at the patterns that may own the gram at an offset.
    #[inline(never)]
    fn hit(&mut self, at: usize, gram: u32, hash: u32) {
        let mut node = self.grams.root(hash);
        loop {
            #[cfg(test)]
            self.seen.step(1);
            let tree = &self.grams.tree;
            for member in tree.visit(node, self.hay, at, &mut self.seen.pending) {
                self.judge(member, at, gram);
            }
            match self.seen.pending.pop() {
                Some(next) => node = next,
                None => return,
            }
        }
    }

    fn judge(&mut self, number: usize, at: usize, gram: u32) {
        #[cfg(test)]
        self.seen.step(1);
        let Some(member) = self.members.get(number) else {
            return;
        };
        if member.gram != gram || self.seen.has(number) {
            return;
        }
        #[cfg(test)]
        self.seen.step(member.len() / 32);
        let Some(end) = self.members.ends(member, self.hay, at, self.from) else {
            return;
        };
        self.seen.mark(number);
        self.left = self.left.saturating_sub(1);
        for id in self.members.ids(number) {
            (self.found)(*id, end);
        }
    }
}

/// Spreads a gram over 32 bits, the top ones best.
#[inline(always)]
fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}
