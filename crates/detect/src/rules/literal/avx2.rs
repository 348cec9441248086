//! The filter for several positions at a time, with AVX2.
//!
//! It hits where the loop of [`super::filter`] does: a property test holds both equal.
#![expect(
    unsafe_code,
    reason = "instructions of some processors only; loads without a safe form"
)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi32_si128, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_loadu_si128,
    _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_castsi256_ps, _mm256_castsi256_si128,
    _mm256_cmpeq_epi8, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_movemask_epi8,
    _mm256_movemask_ps, _mm256_mullo_epi32, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi32,
    _mm256_setr_epi8, _mm256_setr_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_slli_epi32, _mm256_srl_epi32, _mm256_srli_epi16, _mm256_srlv_epi32,
};

use super::filter::{Buckets, Filter, Table};
use super::gram::{FOLD, GRAM, MULTIPLIER, first_of};
use super::set::usize_of;

/// Positions that are tested in the buckets at a time, and bytes that are read for them.
const WIDE: usize = 32;
const WIDE_READ: usize = WIDE + GRAM - 1;
/// Positions that are tested in the bitmap at a time, and bytes that are read for them.
const NARROW: usize = 8;
const NARROW_READ: usize = 16;

/// Calls `hit` with the positions whose gram of so many bytes may be in the filter, until it says
/// that this is enough. Returns how many positions were tested: the last ones are left, and all of
/// them on a processor without AVX2.
#[inline]
pub(super) fn scan(
    filter: &Filter,
    width: usize,
    hay: &[u8],
    hit: &mut impl FnMut(usize) -> bool,
) -> usize {
    if hay.len() < width || !is_x86_feature_detected!("avx2") {
        return 0;
    }
    // SAFETY: the processor has AVX2.
    unsafe { blocks(filter, width, hay, hit) }
}

/// Calls `hit` with the positions that may have a gram of some buckets, the shortest of so many
/// bytes, until it says that this is enough. Whether the processor has AVX2.
#[inline]
pub(super) fn scan_buckets(
    buckets: &Buckets,
    width: usize,
    hay: &[u8],
    hit: &mut impl FnMut(usize) -> bool,
) -> bool {
    if !is_x86_feature_detected!("avx2") {
        return false;
    }
    // SAFETY: the processor has AVX2.
    unsafe { bucket_blocks(buckets, width, hay, hit) };
    true
}

#[target_feature(enable = "avx2")]
fn bucket_blocks(buckets: &Buckets, width: usize, hay: &[u8], hit: &mut impl FnMut(usize) -> bool) {
    bucket_windows(buckets, (width, GRAM), hay, hit);
}

/// Calls `hit` likewise, but with every [`GRAM`]th position alone. Returns how many bytes were read:
/// the last ones are left, and all of them on a processor without AVX2.
#[inline]
pub(super) fn scan_sparse(
    filter: &Filter,
    hay: &[u8],
    hit: &mut impl FnMut(usize) -> bool,
) -> usize {
    if hay.len() < WIDE || !is_x86_feature_detected!("avx2") {
        return 0;
    }
    // SAFETY: the processor has AVX2.
    unsafe { sparse_blocks(filter, hay, hit) }
}

#[target_feature(enable = "avx2")]
fn sparse_blocks(filter: &Filter, hay: &[u8], hit: &mut impl FnMut(usize) -> bool) -> usize {
    let mut at = 0_usize;
    let test = Words::new(filter, GRAM);
    let (blocks, rest) = hay.as_chunks::<WIDE>();
    for bytes in blocks {
        let mut bits = test.sparse_positions(bytes);
        while bits != 0 {
            if !hit(at.wrapping_add(GRAM.wrapping_mul(usize_of(bits.trailing_zeros())))) {
                return hay.len();
            }
            bits &= bits.wrapping_sub(1);
        }
        at = at.wrapping_add(WIDE);
    }
    hay.len().wrapping_sub(rest.len())
}

#[target_feature(enable = "avx2")]
fn blocks(filter: &Filter, width: usize, hay: &[u8], hit: &mut impl FnMut(usize) -> bool) -> usize {
    if let Some(buckets) = filter.buckets() {
        return bucket_windows(buckets, (width, width), hay, hit);
    }
    let test = Words::new(filter, width);
    let mut at = 0_usize;
    while let Some(bytes) = hay.get(at..).and_then(<[u8]>::first_chunk) {
        if !each(test.positions(bytes), at, hit) {
            return hay.len();
        }
        at = at.wrapping_add(NARROW);
    }
    at
}

/// Calls `hit` with the positions that may have a gram of some buckets, the shortest and the longest of
/// so many bytes. Returns how many positions were tested.
#[target_feature(enable = "avx2")]
#[inline]
fn bucket_windows(
    buckets: &Buckets,
    (shortest, longest): (usize, usize),
    hay: &[u8],
    hit: &mut impl FnMut(usize) -> bool,
) -> usize {
    let first = Halves::new(&buckets.first);
    match &buckets.second {
        None => windows(hay, shortest, hit, |bytes| first.positions(bytes, longest)),
        Some(second) => {
            let second = Halves::new(second);
            windows(hay, shortest, hit, |bytes| {
                first.positions(bytes, longest) | second.positions(bytes, longest)
            })
        }
    }
}

/// Calls `hit` with what a test of [`WIDE`] positions says, from the first to the last of a buffer.
#[target_feature(enable = "avx2")]
#[inline]
fn windows(
    hay: &[u8],
    width: usize,
    hit: &mut impl FnMut(usize) -> bool,
    test: impl Fn(&[u8; WIDE_READ]) -> u32,
) -> usize {
    let mut at = 0_usize;
    while let Some(bytes) = hay.get(at..).and_then(<[u8]>::first_chunk) {
        if !each(test(bytes), at, hit) {
            return hay.len();
        }
        at = at.wrapping_add(WIDE);
    }
    if at.wrapping_add(width) > hay.len() {
        return hay.len();
    }
    // the last positions, beside some that were tested
    let mut short = [0; WIDE_READ];
    let bytes = hay.last_chunk().unwrap_or_else(|| {
        for (to, from) in short.iter_mut().zip(hay) {
            *to = *from;
        }
        &short
    });
    let start = hay.len().saturating_sub(WIDE_READ);
    let end = hay.len().wrapping_add(1).wrapping_sub(width);
    let untested = first(end.wrapping_sub(start)) & !first(at.wrapping_sub(start));
    if each(test(bytes) & untested, start, hit) {
        // those with less than a whole gram behind them
        let _ = (start.wrapping_add(WIDE).max(at)..end).all(hit);
    }
    hay.len()
}

/// So many bits, the lowest.
#[inline(always)]
fn first(bits: usize) -> u32 {
    !u32::MAX.unbounded_shl(u32::try_from(bits).unwrap_or(u32::MAX))
}

/// Calls `hit` with the position of each bit, until it says that this is enough; whether it did
/// not.
#[inline(always)]
fn each(mut bits: u32, at: usize, hit: &mut impl FnMut(usize) -> bool) -> bool {
    while bits != 0 {
        if !hit(at.wrapping_add(usize_of(bits.trailing_zeros()))) {
            return false;
        }
        bits &= bits.wrapping_sub(1);
    }
    true
}

/// The test in the buckets.
struct Halves {
    low: [__m256i; GRAM],
    high: [__m256i; GRAM],
    half: __m256i,
}

impl Halves {
    #[target_feature(enable = "avx2")]
    fn new(buckets: &Table) -> Self {
        let table = |table: [u8; 16]| _mm256_broadcastsi128_si256(load(&table));
        Self {
            low: buckets.low.map(table),
            high: buckets.high.map(table),
            half: _mm256_set1_epi8(15),
        }
    }

    /// A bit for each position whose gram may be in a bucket.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn positions(&self, bytes: &[u8; WIDE_READ], width: usize) -> u32 {
        let mut all = _mm256_set1_epi8(-1);
        let tables = self.low.iter().zip(&self.high);
        for ((low, high), bytes) in tables.zip(bytes.array_windows::<WIDE>()).take(width) {
            // SAFETY: there are 32 bytes to read, and the load asks for no alignment.
            let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            let by_low = _mm256_shuffle_epi8(*low, _mm256_and_si256(bytes, self.half));
            let halves = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), self.half);
            let by_high = _mm256_shuffle_epi8(*high, halves);
            all = _mm256_and_si256(all, _mm256_and_si256(by_low, by_high));
        }
        let none = _mm256_cmpeq_epi8(all, _mm256_setzero_si256());
        !_mm256_movemask_epi8(none).cast_unsigned()
    }
}

/// The test in the bitmap.
struct Words<'a> {
    words: &'a [u32],
    shift: u32,
    /// Brings the bytes of each gram together.
    spread: __m256i,
    width: __m256i,
    fold: __m256i,
    multiplier: __m256i,
    bit: __m256i,
}

impl<'a> Words<'a> {
    #[target_feature(enable = "avx2")]
    fn new(filter: &'a Filter, width: usize) -> Self {
        Self {
            words: filter.words(),
            shift: filter.shift(),
            spread: _mm256_setr_epi8(
                0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9,
                7, 8, 9, 10,
            ),
            width: _mm256_set1_epi32(first_of(u32::MAX, width).cast_signed()),
            fold: _mm256_set1_epi32(FOLD.cast_signed()),
            multiplier: _mm256_set1_epi32(MULTIPLIER.cast_signed()),
            bit: _mm256_set1_epi32(31),
        }
    }

    /// A bit for each position whose gram may be in the bitmap.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn positions(&self, bytes: &[u8; NARROW_READ]) -> u32 {
        let grams = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load(bytes)), self.spread);
        self.test(_mm256_and_si256(grams, self.width))
    }

    /// A bit for each fourth position whose gram may be in the bitmap.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn sparse_positions(&self, bytes: &[u8; WIDE]) -> u32 {
        // SAFETY: there are 32 bytes to read, and the load asks for no alignment.
        self.test(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
    }

    /// A bit for each of eight grams that may be in the bitmap.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn test(&self, grams: __m256i) -> u32 {
        let grams = _mm256_or_si256(grams, self.fold);
        let hash = _mm256_mullo_epi32(grams, self.multiplier);
        let words = self.gather(self.down(hash, 0));
        let first = _mm256_and_si256(self.down(hash, 5), self.bit);
        let second = _mm256_and_si256(self.down(hash, 10), self.bit);
        let first = _mm256_srlv_epi32(words, first);
        let both = _mm256_and_si256(first, _mm256_srlv_epi32(words, second));
        let signs = _mm256_castsi256_ps(_mm256_slli_epi32::<31>(both));
        _mm256_movemask_ps(signs).cast_unsigned()
    }

    /// The hash shifted to the number of its word, less so many bits.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn down(&self, hash: __m256i, less: u32) -> __m256i {
        let shift = self.shift.wrapping_sub(less).cast_signed();
        _mm256_srl_epi32(hash, _mm_cvtsi32_si128(shift))
    }

    /// The words of these numbers, which are hashes shifted down. Loads one by one were no slower
    /// than the gather instruction, which some processors have made slow for safety.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn gather(&self, numbers: __m256i) -> __m256i {
        let word = |number: u64| {
            let number = usize::try_from(number).unwrap_or(0);
            // SAFETY: there are as many words as a hash shifted down can number.
            unsafe { self.words.get_unchecked(number).cast_signed() }
        };
        let pair = |numbers: i64| {
            let numbers = numbers.cast_unsigned();
            [word(numbers & 0xffff_ffff), word(numbers >> 32)]
        };
        let low = _mm256_castsi256_si128(numbers);
        let high = _mm256_extracti128_si256::<1>(numbers);
        let [a, b] = pair(_mm_cvtsi128_si64(low));
        let [c, d] = pair(_mm_extract_epi64::<1>(low));
        let [e, f] = pair(_mm_cvtsi128_si64(high));
        let [g, h] = pair(_mm_extract_epi64::<1>(high));
        _mm256_setr_epi32(a, b, c, d, e, f, g, h)
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: there are 16 bytes to read, and the load asks for no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
