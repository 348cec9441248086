//! A gram: a few bytes as a number.

/// Bytes of a gram, and so the shortest pattern that shares the main pass.
pub(super) const GRAM: usize = 4;
/// The bit that tells capital letters from small ones, in each byte.
pub(super) const FOLD: u32 = 0x2020_2020;
/// An odd number near 2^32 divided by the golden ratio.
pub(super) const MULTIPLIER: u32 = 0x9e37_79b1;

/// The bytes of a gram as a number, little-endian; those that are missing are zero.
#[inline(always)]
pub(super) fn gram_of<const N: usize>(bytes: &[u8; N]) -> u32 {
    let mut gram = [0; GRAM];
    for (to, from) in gram.iter_mut().zip(bytes) {
        *to = *from;
    }
    u32::from_le_bytes(gram)
}

/// The gram of so many bytes at an offset, if it is there.
#[inline]
pub(super) fn gram_at(bytes: &[u8], at: Option<usize>, width: usize) -> Option<u32> {
    let bytes = bytes.get(at?..)?;
    match width {
        1 => bytes.first_chunk::<1>().map(gram_of),
        2 => bytes.first_chunk::<2>().map(gram_of),
        3 => bytes.first_chunk::<3>().map(gram_of),
        _ => bytes.first_chunk::<GRAM>().map(gram_of),
    }
}

/// The gram at an offset, with fewer bytes where there are not so many, and how many it has.
#[inline]
pub(super) fn gram_up_to(bytes: &[u8], at: usize) -> (u32, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk::<GRAM>() {
        Some(whole) => (gram_of(whole), GRAM),
        None => {
            let mut gram = [0; GRAM];
            for (to, from) in gram.iter_mut().zip(rest) {
                *to = *from;
            }
            (u32::from_le_bytes(gram), rest.len())
        }
    }
}

/// The first so many bytes of a gram; the others are zero.
#[inline(always)]
pub(super) fn first_of(gram: u32, width: usize) -> u32 {
    let missing = GRAM.saturating_sub(width).saturating_mul(8);
    gram & u32::MAX.unbounded_shr(u32::try_from(missing).unwrap_or(0))
}

/// A gram without regard to case. It joins some other bytes as well (`@` and `` ` ``, NUL and
/// space): a filter may hit too often, and one instruction for four bytes is worth more.
#[inline(always)]
pub(super) fn fold(gram: u32) -> u32 {
    gram | FOLD
}

/// Spreads a gram over 32 bits, the top ones best.
#[inline(always)]
pub(super) fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(MULTIPLIER)
}
