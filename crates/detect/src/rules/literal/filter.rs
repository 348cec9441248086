//! Which positions of a buffer may have a gram of a set: a small bitmap, tested at each of them.

use super::gram::{GRAM, fold, gram_of, hash};
use super::set::{u32_of, usize_of};

/// Bits of the bitmap for each gram, before it is rounded up to a power of two. With two bits
/// set for a gram, fewer than one random gram in two hundred hits.
pub(super) const BITS_EACH: usize = 64;
/// The same where patterns have several grams, and few positions are tested: the bitmap stays in
/// the nearest cache.
pub(super) const BITS_EACH_SPARSE: usize = 32;
/// Smallest and largest bitmap, as powers of two of words of 32 bits: 256 to 1,048,576 bits.
const WORDS_LOG2_MIN: u32 = 3;
const WORDS_LOG2_MAX: u32 = 15;
/// Most patterns for which [`Buckets`] let few enough positions pass.
pub(super) const BUCKETED_MAX: usize = 64;
/// Most of them for which one [`Table`] is enough.
const TABLE_MAX: usize = 16;

/// A Bloom filter of grams with both bits of a gram in the same word, so that a test reads memory
/// once.
#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u32>,
    /// What brings the number of the word down from the top bits of a hash.
    shift: u32,
    /// What is tested before, if the patterns are few.
    buckets: Option<Box<Buckets>>,
}

/// A filter that needs no memory but registers, as its tables are vectors: each byte of a gram is
/// looked up by its low and its high half. It has eight buckets of grams, a bit for each, and a
/// position passes if a bucket has all halves of its bytes. (Hyperscan's Teddy works like this.)
#[derive(Debug, Default)]
pub(super) struct Buckets {
    pub(super) first: Table,
    /// Eight more, where the grams of a bucket would be so many that text passes as a rule.
    pub(super) second: Option<Box<Table>>,
}

/// Eight buckets.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By byte of the gram and its low half: the buckets with a gram that has it there.
    pub(super) low: [[u8; 16]; GRAM],
    /// The same by the high half.
    pub(super) high: [[u8; 16]; GRAM],
}

impl Filter {
    /// The filter of these folded grams, with so many bits for each. Like grams belong side by side.
    pub(super) fn new(grams: &[u32], bits_each: usize) -> Self {
        let bits = grams.len().saturating_mul(bits_each);
        let words_log2 = bits.next_power_of_two().ilog2();
        let words_log2 = words_log2.saturating_sub(u32::BITS.ilog2());
        let words_log2 = words_log2.clamp(WORDS_LOG2_MIN, WORDS_LOG2_MAX);
        let mut filter = Self {
            words: vec![0; 1_usize.wrapping_shl(words_log2)],
            shift: 32_u32.saturating_sub(words_log2),
            buckets: (grams.len() <= BUCKETED_MAX).then(|| {
                let whole = grams.iter().map(|gram| (*gram, GRAM));
                Box::new(Buckets::new(&whole.collect::<Vec<_>>()))
            }),
        };
        for gram in grams {
            let bits = filter.bits(hash(*gram));
            let word = filter.word(hash(*gram));
            if let Some(word) = filter.words.get_mut(word) {
                *word |= bits;
            }
        }
        filter
    }

    /// Calls `hit` with each position whose gram of `N` bytes may be in the set, with that gram,
    /// folded; until it says that this is enough.
    pub(super) fn scan<const N: usize>(
        &self,
        hay: &[u8],
        hit: &mut impl FnMut(usize, u32) -> bool,
    ) {
        let done = self.scan_wide::<N>(hay, hit);
        self.scan_narrow::<N>(hay, done, hit);
    }

    /// Calls `hit` likewise, but with every [`GRAM`]th position alone.
    pub(super) fn scan_sparse(&self, hay: &[u8], hit: &mut impl FnMut(usize, u32) -> bool) {
        let done = self.scan_sparse_wide(hay, hit);
        let rest = hay.get(done..).unwrap_or_default();
        for (number, gram) in rest.as_chunks::<GRAM>().0.iter().enumerate() {
            let gram = fold(gram_of(gram));
            let at = done.saturating_add(number.saturating_mul(GRAM));
            if self.may_have(hash(gram)) && !hit(at, gram) {
                return;
            }
        }
    }

    /// The same for as many positions as can be tested several at a time; how many bytes those were.
    #[cfg(target_arch = "x86_64")]
    fn scan_sparse_wide(&self, hay: &[u8], hit: &mut impl FnMut(usize, u32) -> bool) -> usize {
        super::avx2::scan_sparse(self, hay, &mut |at| {
            let gram = hay.get(at..).and_then(<[u8]>::first_chunk::<GRAM>);
            gram.is_none_or(|gram| hit(at, fold(gram_of(gram))))
        })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn scan_sparse_wide(&self, _: &[u8], _: &mut impl FnMut(usize, u32) -> bool) -> usize {
        0
    }

    /// The same from a position on, one after another.
    fn scan_narrow<const N: usize>(
        &self,
        hay: &[u8],
        from: usize,
        hit: &mut impl FnMut(usize, u32) -> bool,
    ) {
        let rest = hay.get(from..).unwrap_or_default();
        for (at, gram) in rest.array_windows::<N>().enumerate() {
            let gram = fold(gram_of(gram));
            if self.may_have(hash(gram)) && !hit(from.saturating_add(at), gram) {
                return;
            }
        }
    }

    /// The same for as many positions as can be tested several at a time; how many those were.
    #[cfg(target_arch = "x86_64")]
    fn scan_wide<const N: usize>(
        &self,
        hay: &[u8],
        hit: &mut impl FnMut(usize, u32) -> bool,
    ) -> usize {
        super::avx2::scan(self, N, hay, &mut |at| {
            let gram = hay.get(at..).and_then(<[u8]>::first_chunk::<N>);
            let gram = gram.map(|gram| fold(gram_of(gram)));
            gram.is_none_or(|gram| !self.may_have(hash(gram)) || hit(at, gram))
        })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn scan_wide<const N: usize>(
        &self,
        _hay: &[u8],
        _hit: &mut impl FnMut(usize, u32) -> bool,
    ) -> usize {
        0
    }

    /// A power of two of them: as many as a hash shifted down by [`Self::shift`] can number.
    pub(super) fn words(&self) -> &[u32] {
        &self.words
    }

    pub(super) fn shift(&self) -> u32 {
        self.shift
    }

    pub(super) fn buckets(&self) -> Option<&Buckets> {
        self.buckets.as_deref()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let words = self.words.capacity().saturating_mul(size_of::<u32>());
        let buckets = self.buckets.as_ref();
        let buckets = buckets.map_or(0, |buckets| buckets.bytes());
        words.saturating_add(buckets)
    }

    #[inline(always)]
    pub(super) fn may_have(&self, hash: u32) -> bool {
        let bits = self.bits(hash);
        let word = self.words.get(self.word(hash));
        word.is_some_and(|word| word & bits == bits)
    }

    #[inline(always)]
    fn word(&self, hash: u32) -> usize {
        usize_of(hash.wrapping_shr(self.shift))
    }

    /// The two bits of a gram in its word, by the ten bits of the hash below those of the word.
    #[inline(always)]
    fn bits(&self, hash: u32) -> u32 {
        let below = self.shift.wrapping_sub(5);
        let first = 1_u32.wrapping_shl(hash.wrapping_shr(below));
        first | 1_u32.wrapping_shl(hash.wrapping_shr(below.wrapping_sub(5)))
    }
}

impl Buckets {
    /// Those of folded grams with so many bytes each; what follows those may be any. Like grams belong
    /// side by side.
    pub(super) fn new(grams: &[(u32, usize)]) -> Self {
        if grams.len() <= TABLE_MAX {
            return Self {
                first: Table::new(grams),
                second: None,
            };
        }
        let half = grams.len().div_ceil(2);
        let (first, second) = grams.split_at_checked(half).unwrap_or((grams, &[]));
        Self {
            first: Table::new(first),
            second: Some(Box::new(Table::new(second))),
        }
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        let second = self.second.as_ref().map_or(0, |_| size_of::<Table>());
        size_of::<Self>().saturating_add(second)
    }

    /// Calls `hit` with the positions that have one of the grams, the shortest of so many bytes, until
    /// it says that this is enough; some do not. Whether this processor can.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn scan(
        &self,
        width: usize,
        hay: &[u8],
        hit: &mut impl FnMut(usize) -> bool,
    ) -> bool {
        super::avx2::scan_buckets(self, width, hay, hit)
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn scan(&self, _: usize, _: &[u8], _: &mut impl FnMut(usize) -> bool) -> bool {
        false
    }
}

impl Table {
    /// Eight buckets of folded grams as in [`Buckets::new`].
    fn new(grams: &[(u32, usize)]) -> Self {
        let mut table = Self::default();
        for (number, (gram, width)) in grams.iter().enumerate() {
            let bucket = number.saturating_mul(8).checked_div(grams.len());
            let bit = 1_u8.wrapping_shl(bucket.map_or(0, u32_of));
            let tables = table.low.iter_mut().zip(&mut table.high);
            let bytes = gram.to_le_bytes().into_iter().enumerate();
            for ((low, high), (place, byte)) in tables.zip(bytes) {
                let is_any = place >= *width;
                for (half, entry) in low.iter_mut().enumerate() {
                    let is_it = is_any || usize::from(byte & 15) == half;
                    *entry |= if is_it { bit } else { 0 };
                }
                // Both bytes that fold to this one.
                for (half, entry) in high.iter_mut().enumerate() {
                    let is_it = is_any || usize::from(byte >> 4) == half | 2;
                    *entry |= if is_it { bit } else { 0 };
                }
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The hits of one way to scan, so many at most.
    fn hits(most: usize, scan: impl Fn(&mut dyn FnMut(usize, u32) -> bool)) -> Vec<(usize, u32)> {
        let mut hits = Vec::new();
        scan(&mut |at, gram| {
            hits.push((at, gram));
            hits.len() < most
        });
        hits
    }

    fn both_ways_hit_the_same<const N: usize>(grams: &[u32], hay: &[u8], most: usize) {
        let missing = GRAM.saturating_sub(N).saturating_mul(8);
        let grams = grams.iter().map(|gram| fold(gram << missing >> missing));
        let mut grams = grams.collect::<Vec<_>>();
        grams.sort_unstable();
        let filter = Filter::new(&grams, BITS_EACH);
        let wide = |most| hits(most, |mut hit| filter.scan::<N>(hay, &mut hit));
        let narrow = |most| hits(most, |mut hit| filter.scan_narrow::<N>(hay, 0, &mut hit));
        for way in [&wide as &dyn Fn(_) -> _, &narrow] {
            assert!(way(usize::MAX).iter().take(most).eq(&way(most)));
        }
        // The bitmap alone hits a few more than with the buckets before it: both may be wrong there.
        let owned = |hit: &(usize, u32)| filter.buckets.is_none() || grams.contains(&hit.1);
        let [wide, narrow] = [wide(usize::MAX), narrow(usize::MAX)];
        assert!(
            wide.iter()
                .filter(|hit| owned(hit))
                .eq(narrow.iter().filter(|hit| owned(hit)))
        );
        let all = hay.array_windows::<N>().map(|gram| fold(gram_of(gram)));
        let mut all = all.enumerate().filter(|(_, gram)| grams.contains(gram));
        assert!(all.all(|hit| narrow.contains(&hit)));
    }

    proptest! {
        #[test]
        fn several_positions_at_a_time_hit_where_one_by_one_does(
            few in vec(any::<u32>(), 1..40),
            more in vec(any::<u32>(), 0..300),
            many in any::<bool>(),
            noise in vec(any::<u8>(), 0..200),
            most in 1_usize..100,
        ) {
            let mut grams = few.clone();
            grams.extend(more.iter().filter(|_| many));
            // Grams of the set, whole and cut, between noise.
            let bytes = few.iter().flat_map(|gram| gram.to_le_bytes());
            let hay = noise.iter().copied().chain(bytes.clone());
            let hay = hay.chain(noise.iter().copied()).chain(bytes).collect::<Vec<_>>();
            both_ways_hit_the_same::<1>(&grams, &hay, most);
            both_ways_hit_the_same::<2>(&grams, &hay, most);
            both_ways_hit_the_same::<3>(&grams, &hay, most);
            both_ways_hit_the_same::<4>(&grams, &hay, most);
        }
    }
}
