//! A set of bytes: what one item of a pattern takes.

use std::ops::RangeInclusive;

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte: an item that never matches.
    pub(super) const EMPTY: Self = Self([0; 4]);
    /// Every byte.
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    /// The bytes of `ranges`.
    pub(super) fn of(ranges: &[RangeInclusive<u8>]) -> Self {
        let mut set = Self::EMPTY;
        for range in ranges {
            set.insert(range.clone());
        }
        set
    }

    /// The bytes 0x00 to 0x7f of which `is` holds.
    pub(super) fn ascii(is: impl Fn(&u8) -> bool) -> Self {
        let mut set = Self::EMPTY;
        for byte in (0..=0x7f).filter(is) {
            set.insert(byte..=byte);
        }
        set
    }

    pub(super) fn insert(&mut self, range: RangeInclusive<u8>) {
        for byte in range {
            if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        (word >> (byte & 63)) & 1 == 1
    }

    pub(super) fn complement(&self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let mut words = self.0;
        for (word, more) in words.iter_mut().zip(other.0) {
            *word |= more;
        }
        Self(words)
    }

    /// How many bytes are in it.
    pub(super) fn len(&self) -> u32 {
        self.0
            .iter()
            .fold(0, |sum: u32, word| sum.saturating_add(word.count_ones()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|byte| self.contains(*byte))
    }

    /// The set with the other case of each ASCII letter in it. Bytes above 0x7f have no case in
    /// PCRE's "C" locale.
    pub(super) fn caseless(&self) -> Self {
        let mut set = *self;
        for byte in self.iter().filter(u8::is_ascii_alphabetic) {
            let other = byte ^ 0x20;
            set.insert(other..=other);
        }
        set
    }

    /// The one byte in it, or the small letter of the two cases of one letter with true.
    pub(super) fn letter(&self) -> Option<(u8, bool)> {
        let mut bytes = self.iter();
        match (self.len(), bytes.next(), bytes.next()) {
            (1, Some(byte), None) => Some((byte, false)),
            (2, Some(large), Some(small))
                if large.is_ascii_uppercase() && small == large.to_ascii_lowercase() =>
            {
                Some((small, true))
            }
            _ => None,
        }
    }

    /// Its bytes as ascending ranges that neither overlap nor touch.
    pub(super) fn ranges(&self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in self.iter() {
            match ranges.last_mut() {
                Some((_, end)) if end.checked_add(1) == Some(byte) => *end = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }
}
