//! A table of keys of 16 bytes, in as few bytes as a hash table needs.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// What an entry is found by.
pub(super) type Key = [u8; 16];

/// About what an empty table takes for its first entries, bytes.
const FIRST_BYTES: usize = 256;

/// Keys and values within a bound of memory.
#[derive(Debug)]
pub(super) struct Table<V> {
    slots: HashTable<(Key, V)>,
    hasher: DefaultHashBuilder,
}

impl<V> Table<V> {
    pub(super) fn new() -> Self {
        Self {
            slots: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Memory of the table itself, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.slots.allocation_size()
    }

    /// Memory of the table when one more entry is in it. While it grows, the old one is there too.
    pub(super) fn bytes_with_one_more(&self) -> usize {
        match self.slots.len() < self.slots.capacity() {
            true => self.bytes(),
            false => self.bytes().saturating_mul(2).max(FIRST_BYTES),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&V> {
        let found = self
            .slots
            .find(self.hasher.hash_one(key), |(have, _)| have == key);
        found.map(|(_, value)| value)
    }

    /// Adds an entry whose key is not there yet.
    pub(super) fn insert_new(&mut self, key: Key, value: V) {
        let hasher = &self.hasher;
        self.slots
            .insert_unique(hasher.hash_one(key), (key, value), |(key, _)| {
                hasher.hash_one(key)
            });
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<V> {
        let hash = self.hasher.hash_one(key);
        let found = self.slots.find_entry(hash, |(have, _)| have == key).ok()?;
        let ((_, value), _) = found.remove();
        Some(value)
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Key, V)> {
        self.slots.iter()
    }
}
