//! A binary fuse filter: one byte and an eighth for each key say "not here" to 255 of 256 strangers.
//!
//! After Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters" (2022): each key
//! has a place in three segments that follow each other, and the bytes at the three places, added
//! without carry, are the key's fingerprint. To fill them, a key that has a place to itself is
//! taken off again and again; the bytes are set in the reverse order.
//!
//! Here keys come sorted, and the first place follows their order, so that building walks through
//! memory once from end to end.

use bytes::Bytes;

use super::hash::part;

/// Below so many keys there is no filter: the table itself is in the cache.
const KEYS_MIN: u32 = 4096;
/// Attempts to fill a filter before doing without. One fails about once in a hundred times.
const TRIES_MAX: u64 = 16;
/// Longest segment, as a power of two.
const SEGMENT_BITS_MAX: u32 = 18;

/// How a filter is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Length of a segment, as a power of two.
    pub(super) segment_bits: u32,
    /// Segments that a first place may be in; two more follow them. 0: there is no filter.
    pub(super) segments: u32,
    /// Makes places and fingerprints anew when they could not be filled.
    pub(super) seed: u64,
}

impl Layout {
    /// Without a filter.
    pub(super) const NONE: Self = Self {
        segment_bits: 0,
        segments: 0,
        seed: 0,
    };

    /// Section 4 of the paper: segments shrink with the number of keys, the room that is left over
    /// as well.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small positive numbers"
    )]
    fn of(keys: u32, seed: u64) -> Self {
        let count = f64::from(keys.max(2));
        let bits = (count.ln() / 3.33_f64.ln() + 2.25).floor() as u32;
        let segment_bits = bits.min(SEGMENT_BITS_MAX);
        let factor = (0.875 + 0.25 * 1e6_f64.ln() / count.ln()).max(1.125);
        let segment = f64::from(1_u32 << segment_bits);
        let segments = (count * factor / segment).ceil() as u32;
        Self {
            segment_bits,
            segments: segments.saturating_sub(2).max(1),
            seed,
        }
    }

    /// How many bytes the filter takes; none if this is no layout.
    pub(super) fn length(&self) -> Option<usize> {
        match (self.segments, self.segment_bits) {
            (0, _) => Some(0),
            (segments, bits) if bits <= SEGMENT_BITS_MAX => {
                let bytes = u64::from(segments).checked_add(2)? << bits;
                usize::try_from(bytes).ok()
            }
            _ => None,
        }
    }

    /// The three places of a key and its fingerprint.
    fn places(&self, high: u64) -> ([usize; 3], u8) {
        let first = u64::from(self.segments) << self.segment_bits;
        let first = part(high, first);
        let segment = 1_u64 << self.segment_bits;
        let mixed = mixed(high ^ self.seed);
        let within = segment.wrapping_sub(1);
        let second = first.wrapping_add(segment) ^ (mixed & within);
        let third = first.wrapping_add(segment << 1) ^ ((mixed >> SEGMENT_BITS_MAX) & within);
        let [fingerprint, ..] = mixed.to_be_bytes();
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        ([place(first), place(second), place(third)], fingerprint)
    }
}

/// Spreads 64 bits (the finalizer of MurmurHash3).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

/// A filter as it lies in a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    layout: Layout,
    fingerprints: Bytes,
}

impl Filter {
    pub(super) fn new(layout: Layout, fingerprints: Bytes) -> Self {
        Self {
            layout,
            fingerprints,
        }
    }

    /// False: certainly not here.
    pub(super) fn may_hold(&self, high: u64) -> bool {
        if self.layout.segments == 0 {
            return true;
        }
        let (places, fingerprint) = self.layout.places(high);
        let byte = |place| self.fingerprints.get(place).copied().unwrap_or(0);
        let [first, second, third] = places.map(byte);
        first ^ second ^ third == fingerprint
    }
}

/// The fingerprints of `count` keys, of which `high` gives the first half of the hash in ascending
/// order, appended to `out`. Without success (that takes [`TRIES_MAX`] failures in a row) nothing
/// is appended, and every look-up goes to the table.
pub(super) fn write(count: u32, high: impl Fn(u32) -> u64, out: &mut Vec<u8>) -> Layout {
    if !(KEYS_MIN..=KEY_MASK).contains(&count) {
        return Layout::NONE;
    }
    for seed in 0..TRIES_MAX {
        let layout = Layout::of(count, mixed(seed));
        if let Some(order) = peel(count, &high, &layout) {
            fill(&order, &high, &layout, out);
            return layout;
        }
    }
    Layout::NONE
}

/// A slot counts, above these bits, the keys that have a place there; the bits hold their numbers
/// added without carry, which is the number itself when one is left.
const KEY_BITS: u32 = 25;
const KEY_MASK: u32 = (1 << KEY_BITS) - 1;
const ONE: u32 = 1 << KEY_BITS;
/// Most keys at one place; on the average there are fewer than three.
const COUNT_MAX: u32 = u32::MAX >> KEY_BITS;
/// In the order of removal: which of a key's places it has to itself is above these bits.
const WHICH_SHIFT: u32 = 30;

/// The order in which each key in turn has a place to itself; none when some never have.
fn peel(count: u32, high: &impl Fn(u32) -> u64, layout: &Layout) -> Option<Vec<u32>> {
    let mut slots = vec![0_u32; layout.length()?];
    let mut left = 0_u32;
    let mut before = None;
    for key in 0..count {
        // Two keys may agree in this half of their hash: for the filter they are one.
        if before.replace(high(key)) == Some(high(key)) {
            continue;
        }
        left = left.saturating_add(1);
        for place in layout.places(high(key)).0 {
            let slot = slots.get_mut(place)?;
            if *slot >> KEY_BITS == COUNT_MAX {
                return None;
            }
            *slot = slot.wrapping_add(ONE) ^ key;
        }
    }
    let mut order = Vec::with_capacity(usize::try_from(left).ok()?);
    let mut ready = Vec::new();
    for at in 0..slots.len() {
        ready.push(at);
        while let Some(at) = ready.pop() {
            let slot = *slots.get(at)?;
            if slot >> KEY_BITS != 1 {
                continue;
            }
            let key = slot & KEY_MASK;
            let (places, _) = layout.places(high(key));
            let which = places.iter().position(|place| *place == at)?;
            order.push(key | u32::try_from(which).ok()? << WHICH_SHIFT);
            for place in places {
                let slot = slots.get_mut(place)?;
                *slot = slot.wrapping_sub(ONE) ^ key;
                if *slot >> KEY_BITS == 1 {
                    ready.push(place);
                }
            }
        }
    }
    (u32::try_from(order.len()) == Ok(left)).then_some(order)
}

/// Sets the byte that a key has to itself so that its three bytes make its fingerprint.
fn fill(order: &[u32], high: &impl Fn(u32) -> u64, layout: &Layout, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start.saturating_add(layout.length().unwrap_or(0)), 0);
    let bytes = out.get_mut(start..).unwrap_or_default();
    for entry in order.iter().rev() {
        let (places, fingerprint) = layout.places(high(entry & KEY_MASK));
        let byte = places
            .iter()
            .filter_map(|place| bytes.get(*place))
            .fold(fingerprint, |sum, byte| sum ^ byte);
        let own = usize::try_from(entry >> WHICH_SHIFT).unwrap_or(usize::MAX);
        if let Some(own) = places.get(own).and_then(|place| bytes.get_mut(*place)) {
            *own = byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u32) -> Vec<u64> {
        let mut keys: Vec<_> = (0..count).map(|key| mixed(u64::from(key))).collect();
        keys.sort_unstable();
        keys
    }

    fn filter(keys: &[u64]) -> Filter {
        let mut out = vec![7; 3];
        let count = u32::try_from(keys.len()).unwrap();
        let layout = write(count, |at| keys[at as usize], &mut out);
        let fingerprints = out.split_off(3);
        assert_eq!(fingerprints.len(), layout.length().unwrap());
        Filter::new(layout, Bytes::from(fingerprints))
    }

    #[test]
    fn every_key_passes_and_few_others_do() {
        for count in [KEYS_MIN, 10_000, 300_000] {
            let keys = keys(count);
            let filter = filter(&keys);
            assert!(filter.layout.segments > 0, "{count}: filled");
            assert!(keys.iter().all(|key| filter.may_hold(*key)));
            let strangers = 256_000_u64;
            let passed = (0..strangers)
                .filter(|stranger| filter.may_hold(mixed(stranger + (1 << 40))))
                .count();
            assert!(
                (800..1_200).contains(&passed),
                "{passed} passed, 1000 are expected"
            );
            let each = filter.fingerprints.len() as f64 / f64::from(count);
            assert!(each < 1.5 && (count < 300_000 || each < 1.2), "{each}");
        }
    }

    #[test]
    fn few_keys_have_no_filter() {
        let filter = filter(&keys(KEYS_MIN - 1));
        assert_eq!(filter.layout, Layout::NONE);
        assert!(filter.may_hold(1));
    }

    #[test]
    fn keys_that_cannot_be_told_apart_are_one_and_hostile_ones_end() {
        let mut twice = keys(5_000);
        twice.extend_from_slice(&twice.clone());
        twice.sort_unstable();
        let filter_ = filter(&twice);
        assert!(filter_.layout.segments > 0);
        assert!(twice.iter().all(|key| filter_.may_hold(*key)));
        // All first places are the same: nothing fills these, and the table is asked.
        let close: Vec<u64> = (0..5_000).collect();
        let filter = filter(&close);
        assert!(close.iter().all(|key| filter.may_hold(*key)));
    }
}
