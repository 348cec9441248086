//! Address prefixes: one exact-match table per prefix length in use, longest first.
//!
//! Published sets hold nearly only single addresses, so a look-up costs one or two probes; a trie
//! would cost a pointer chase per bit of depth.

use hashbrown::HashMap;

/// An address as an integer, network order.
pub(super) trait Bits: Copy + Eq + std::hash::Hash {
    /// The address with all but its first `len` bits cleared.
    fn masked(self, len: u8) -> Self;
}

impl Bits for u32 {
    fn masked(self, len: u8) -> Self {
        let host = Self::BITS.saturating_sub(len.into());
        Self::MAX.checked_shl(host).unwrap_or(0) & self
    }
}

impl Bits for u128 {
    fn masked(self, len: u8) -> Self {
        let host = Self::BITS.saturating_sub(len.into());
        Self::MAX.checked_shl(host).unwrap_or(0) & self
    }
}

/// Prefixes of one family, each with a value.
#[derive(Debug)]
pub(super) struct Prefixes<K> {
    lengths: Vec<(u8, HashMap<K, u32>)>,
}

impl<K> Default for Prefixes<K> {
    fn default() -> Self {
        Self {
            lengths: Vec::new(),
        }
    }
}

impl<K: Bits> Prefixes<K> {
    /// The value slot of a prefix, made with `empty` when it is new.
    pub(super) fn slot(&mut self, address: K, len: u8, empty: u32) -> &mut u32 {
        let at = match self.lengths.iter().position(|(have, _)| *have <= len) {
            Some(at) if self.lengths.get(at).is_some_and(|(have, _)| *have == len) => at,
            Some(at) => self.open(at, len),
            None => self.open(self.lengths.len(), len),
        };
        #[expect(
            clippy::indexing_slicing,
            reason = "`at` was found or opened just above"
        )]
        self.lengths[at]
            .1
            .entry(address.masked(len))
            .or_insert(empty)
    }

    /// Calls `each` with length and value of every prefix that holds `address`, longest first.
    pub(super) fn covering(&self, address: K, mut each: impl FnMut(u8, u32)) {
        for (len, table) in &self.lengths {
            if let Some(value) = table.get(&address.masked(*len)) {
                each(*len, *value);
            }
        }
    }

    pub(super) fn shrink(&mut self) {
        for (_, table) in &mut self.lengths {
            table.shrink_to_fit();
        }
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.lengths
            .iter()
            .map(|(_, table)| table.allocation_size())
            .sum()
    }

    fn open(&mut self, at: usize, len: u8) -> usize {
        self.lengths.insert(at, (len, HashMap::new()));
        at
    }
}
