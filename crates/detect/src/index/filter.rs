//! A blocked Bloom filter: eleven bits for each key say "not here" to 99 of 100 strangers, and a
//! look-up reads one line of the processor's cache.
//!
//! After Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007): the
//! first bits of a key's hash choose a line, others a word in each half of it, and four bits of
//! either word are set for the key.
//!
//! Keys come sorted, so that building walks through memory once from end to end.

use bytes::Bytes;

use super::hash::part;
use super::snapshot::ALIGN;

/// Below so many keys there is no filter: the table itself is in the cache.
const KEYS_MIN: u32 = 4096;
/// Bits for each key, on the average.
const KEY_BITS: u32 = 11;
/// Bits of a line.
const LINE_BITS: u32 = 512;
/// Bits of a word that are set for a key.
const SET: u32 = 4;

/// A line.
type Line = [[u8; 8]; ALIGN / 8];

/// How many lines there are for so many keys; 0: no filter.
pub(super) fn lines(keys: u32) -> u32 {
    match keys < KEYS_MIN {
        true => 0,
        false => {
            let bits = u64::from(keys).saturating_mul(KEY_BITS.into());
            u32::try_from(bits.div_ceil(LINE_BITS.into())).unwrap_or(u32::MAX)
        }
    }
}

/// In which two words of its line the bits of a key are, and the bits.
fn places(high: u64) -> [(usize, u64); 2] {
    let mixed = mixed(high);
    let place = |shift: u32, half: usize| {
        let bits = mixed >> shift;
        let bit = |at: u32| 1_u64 << ((bits >> at.wrapping_mul(6)) & 63);
        let word = (0..SET).fold(0, |word, at| word | bit(at));
        let which = (bits >> SET.wrapping_mul(6)) % 4;
        (usize::try_from(which).unwrap_or(0) | half, word)
    };
    [place(0, 0), place(32, 4)]
}

/// Spreads 64 bits (the finalizer of MurmurHash3).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

fn line_of(high: u64, lines: usize) -> usize {
    let lines = u64::try_from(lines).unwrap_or(u64::MAX);
    usize::try_from(part(high, lines)).unwrap_or(usize::MAX)
}

/// A filter as it lies in a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    lines: Bytes,
}

impl Filter {
    pub(super) fn new(lines: Bytes) -> Self {
        Self { lines }
    }

    /// False: certainly not here.
    pub(super) fn may_hold(&self, high: u64) -> bool {
        let lines = self.lines.as_chunks().0.as_chunks().0;
        let Some(line): Option<&Line> = lines.get(line_of(high, lines.len())) else {
            return true;
        };
        // Without a branch on the bits: where it leads cannot be foretold.
        let missing = places(high).map(|(at, bits)| {
            let word = line.get(at).copied().unwrap_or_default();
            !u64::from_le_bytes(word) & bits
        });
        let [first, second] = missing;
        first | second == 0
    }

    pub(super) fn bytes(&self) -> usize {
        self.lines.len()
    }
}

/// Appends the filter of keys of which `high` gives the first half of the hash.
pub(super) fn write(count: u32, high: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    let start = out.len();
    let bytes = usize::try_from(lines(count))
        .unwrap_or(0)
        .saturating_mul(ALIGN);
    out.resize(start.saturating_add(bytes), 0);
    let words = out.get_mut(start..).unwrap_or_default().as_chunks_mut().0;
    let lines = words.as_chunks_mut().0;
    for high in high {
        let Some(line): Option<&mut Line> = lines.get_mut(line_of(high, lines.len())) else {
            return;
        };
        for (at, bits) in places(high) {
            if let Some(word) = line.get_mut(at) {
                *word = (u64::from_le_bytes(*word) | bits).to_le_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u32) -> Vec<u64> {
        (0..count).map(|key| mixed(u64::from(key))).collect()
    }

    fn filter(keys: &[u64]) -> Filter {
        let mut out = vec![7; 3];
        let count = u32::try_from(keys.len()).unwrap();
        write(count, keys.iter().copied(), &mut out);
        Filter::new(out.split_off(3).into())
    }

    #[test]
    fn every_key_passes_and_few_others_do() {
        for count in [KEYS_MIN, 10_000, 300_000] {
            let keys = keys(count);
            let filter = filter(&keys);
            assert!(keys.iter().all(|key| filter.may_hold(*key)));
            let strangers = 200_000_u64;
            let passed = (0..strangers)
                .filter(|stranger| filter.may_hold(mixed(stranger + (1 << 40))))
                .count();
            assert!(
                (800..2_600).contains(&passed),
                "{passed} passed, 1600 are expected"
            );
            let each = filter.bytes() as f64 / f64::from(count);
            assert!(each < 1.4, "{each}");
        }
    }

    #[test]
    fn few_keys_have_no_filter() {
        let filter = filter(&keys(KEYS_MIN - 1));
        assert_eq!(filter.bytes(), 0);
        assert!(filter.may_hold(1));
    }

    #[test]
    fn keys_that_share_a_line_are_kept() {
        let close: Vec<u64> = (0..5_000).collect();
        let filter = filter(&close);
        assert!(close.iter().all(|key| filter.may_hold(*key)));
    }
}
