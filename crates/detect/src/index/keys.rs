//! Exact byte keys (names, URLs, digests) in one arena behind one hash table of 4-byte slots.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// What a key is; the same bytes in another space are another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Space {
    Domain,
    Url,
    Ja3,
    Ja4,
    Sha256,
}

/// Bytes to values.
#[derive(Debug, Default)]
pub(super) struct Keys {
    slots: HashTable<u32>,
    entries: Vec<Entry>,
    arena: Vec<u8>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Entry {
    start: u32,
    len: u16,
    space: Space,
    value: u32,
}

impl Keys {
    pub(super) fn find(&self, space: Space, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one((space, key));
        let slot = self.slots.find(hash, |slot| self.is(*slot, space, key))?;
        self.entry(*slot).map(|entry| entry.value)
    }

    /// The value slot of a key, made with `empty` when it is new; none when the arena is full
    /// (4 GiB) or the key longer than 65,535 bytes.
    pub(super) fn slot(&mut self, space: Space, key: &[u8], empty: u32) -> Option<&mut u32> {
        let hash = self.hasher.hash_one((space, key));
        let found = self
            .slots
            .find(hash, |slot| self.is(*slot, space, key))
            .copied();
        let slot = match found {
            Some(slot) => slot,
            None => self.insert(hash, space, key, empty)?,
        };
        self.entries
            .get_mut(usize::try_from(slot).ok()?)
            .map(|entry| &mut entry.value)
    }

    pub(super) fn shrink(&mut self) {
        let Self {
            slots,
            entries,
            arena,
            hasher,
        } = self;
        let hash = |slot: &u32| rehash(entries, arena, hasher, *slot);
        slots.shrink_to_fit(hash);
        entries.shrink_to_fit();
        arena.shrink_to_fit();
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let entries = self.entries.capacity().saturating_mul(size_of::<Entry>());
        self.slots
            .allocation_size()
            .saturating_add(entries)
            .saturating_add(self.arena.capacity())
    }

    fn insert(&mut self, hash: u64, space: Space, key: &[u8], value: u32) -> Option<u32> {
        let slot = u32::try_from(self.entries.len()).ok()?;
        let start = u32::try_from(self.arena.len()).ok()?;
        let len = u16::try_from(key.len()).ok()?;
        self.arena.extend_from_slice(key);
        self.entries.push(Entry {
            start,
            len,
            space,
            value,
        });
        let Self {
            slots,
            entries,
            arena,
            hasher,
        } = self;
        slots.insert_unique(hash, slot, |slot| rehash(entries, arena, hasher, *slot));
        Some(slot)
    }

    fn is(&self, slot: u32, space: Space, key: &[u8]) -> bool {
        self.entry(slot)
            .is_some_and(|entry| entry.space == space && entry.key(&self.arena) == key)
    }

    fn entry(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(slot).ok()?)
    }
}

impl Entry {
    fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::from(self.len));
        arena.get(start..end).unwrap_or_default()
    }
}

fn rehash(entries: &[Entry], arena: &[u8], hasher: &DefaultHashBuilder, slot: u32) -> u64 {
    let entry = usize::try_from(slot)
        .ok()
        .and_then(|slot| entries.get(slot));
    entry.map_or(0, |entry| hasher.hash_one((entry.space, entry.key(arena))))
}
