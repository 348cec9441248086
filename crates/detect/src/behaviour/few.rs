//! A few hashes of what was seen of one source.

/// Most that are remembered of a kind.
pub const REMEMBERED_MAX: usize = 32;

/// A few hashes, oldest overwritten first, and how many different ones came.
#[derive(Debug, Default)]
pub(super) struct Few {
    pub(super) hashes: Vec<u64>,
    oldest: usize,
    pub(super) seen: u32,
}

impl Few {
    /// Whether this hash is a new one; it is known from here on.
    pub(super) fn add(&mut self, hash: u64) -> bool {
        if self.hashes.contains(&hash) {
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        if self.hashes.len() < REMEMBERED_MAX {
            self.hashes.push(hash);
        } else if let Some(slot) = self.hashes.get_mut(self.oldest) {
            *slot = hash;
            let next = self.oldest.saturating_add(1);
            self.oldest = if next < REMEMBERED_MAX { next } else { 0 };
        }
        true
    }
}
