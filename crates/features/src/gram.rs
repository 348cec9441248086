//! Hashed n-grams: ids that a model looks up a weight for.

/// Ids are below this; 0 stands for none.
pub const IDS: u32 = 1 << 17;

/// Collects the ids of one row, each once.
#[derive(Debug)]
pub(crate) struct Grams {
    seen: Vec<u64>,
    ids: Vec<u32>,
    ids_max: usize,
}

impl Grams {
    /// For rows of at most so many ids.
    pub(crate) fn new(ids_max: usize) -> Self {
        let words = usize::try_from(IDS / 64).unwrap_or_default();
        Self {
            seen: vec![0; words],
            ids: Vec::with_capacity(ids_max),
            ids_max,
        }
    }

    /// The ids of the row, in order of appearance.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Begins another row.
    pub(crate) fn clear(&mut self) {
        for id in self.ids.drain(..) {
            if let Some(word) = usize::try_from(id / 64)
                .ok()
                .and_then(|at| self.seen.get_mut(at))
            {
                *word = 0;
            }
        }
    }

    /// Adds what stands in these parts, which together are one n-gram of this kind.
    pub(crate) fn add(&mut self, hash: Hash) {
        if self.ids.len() >= self.ids_max {
            return;
        }
        let id = hash.id();
        let Some(word) = usize::try_from(id / 64)
            .ok()
            .and_then(|at| self.seen.get_mut(at))
        else {
            return;
        };
        let bit = 1_u64 << (id % 64);
        if *word & bit == 0 {
            *word |= bit;
            self.ids.push(id);
        }
    }
}

/// FNV-1a of 64 bits, mixed at the end (the finaliser of MurmurHash3).
///
/// Models are trained on these ids: neither the function nor the kinds may ever change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u64);

impl Hash {
    /// Begins an n-gram of a kind, so that the same text of two kinds has two ids.
    pub(crate) const fn of(kind: u8) -> Self {
        Self(0xcbf2_9ce4_8422_2325).byte(kind)
    }

    /// Goes on by a byte.
    pub(crate) const fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// Goes on by bytes.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |hash, byte| hash.byte(*byte))
    }

    /// Goes on by a number.
    pub(crate) const fn number(self, number: u64) -> Self {
        Self(
            (self.0 ^ number)
                .wrapping_mul(0x0000_0100_0000_01b3)
                .rotate_left(23),
        )
    }

    /// The id: 1 to [`IDS`] - 1.
    fn id(self) -> u32 {
        let mut mixed = self.0;
        mixed ^= mixed >> 33;
        mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^= mixed >> 33;
        const KINDS: u64 = IDS as u64 - 1;
        u32::try_from(mixed % KINDS)
            .unwrap_or_default()
            .saturating_add(1)
    }
}
