//! A map of bounded size that forgets what was used least recently.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Keys to values; at most `max` of them.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    slots: HashTable<u32>,
    nodes: Vec<Node<K, V>>,
    hasher: DefaultHashBuilder,
    /// Used last.
    head: u32,
    /// Used first: the next to go.
    tail: u32,
    max: usize,
    evicted: u64,
}

#[derive(Debug)]
struct Node<K, V> {
    key: K,
    value: V,
    newer: u32,
    older: u32,
}

const NONE: u32 = u32::MAX;

impl<K: Hash + Eq + Copy, V: Default> Lru<K, V> {
    /// A table of at most `max` keys (at least one).
    pub(crate) fn new(max: usize) -> Self {
        Self {
            slots: HashTable::new(),
            nodes: Vec::new(),
            hasher: DefaultHashBuilder::default(),
            head: NONE,
            tail: NONE,
            max: max.clamp(1, NONE as usize),
            evicted: 0,
        }
    }

    /// How many keys are held.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many keys were forgotten to make room.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The value of a key, without counting as a use.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.node(self.find(key)?).map(|node| &node.value)
    }

    /// The value of a key, now the most recently used.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key)?;
        self.touch(at);
        self.node_mut(at).map(|node| &mut node.value)
    }

    /// The value of a key, now the most recently used; made from its default when new, at the
    /// cost of the key used least recently when the table is full.
    #[expect(
        clippy::indexing_slicing,
        reason = "`at` is the slot just found or filled"
    )]
    pub(crate) fn entry(&mut self, key: K) -> &mut V {
        let at = match self.find(&key) {
            Some(at) => {
                self.touch(at);
                at
            }
            None => self.insert(key),
        };
        &mut self.nodes[at as usize].value
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key)?;
        self.unlink(at);
        self.forget(at);
        let removed = self.nodes.swap_remove(at as usize);
        self.moved(at);
        Some(removed.value)
    }

    /// Takes out every key that is not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        let keys = self.nodes.iter().map(|node| node.key);
        let doomed: Vec<K> = keys.filter(|key| !keep(key)).collect();
        for key in doomed {
            self.remove(&key);
        }
    }

    fn insert(&mut self, key: K) -> u32 {
        let full = self.nodes.len() >= self.max;
        let at = if full {
            self.recycle(key)
        } else {
            self.push(key)
        };
        let hash = self.hasher.hash_one(key);
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        self.slots
            .insert_unique(hash, at, |slot| rehash(nodes, hasher, *slot));
        self.link_newest(at);
        at
    }

    fn push(&mut self, key: K) -> u32 {
        let at = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.push(Node {
            key,
            value: V::default(),
            newer: NONE,
            older: NONE,
        });
        at
    }

    fn recycle(&mut self, key: K) -> u32 {
        let at = self.tail;
        self.unlink(at);
        self.forget(at);
        self.evicted = self.evicted.saturating_add(1);
        if let Some(node) = self.node_mut(at) {
            node.key = key;
            node.value = V::default();
        }
        at
    }

    /// Takes the slot of a node out of the hash table.
    fn forget(&mut self, at: u32) {
        let hash = rehash(&self.nodes, &self.hasher, at);
        if let Ok(slot) = self.slots.find_entry(hash, |slot| *slot == at) {
            slot.remove();
        }
    }

    /// Repairs what points at the node that `swap_remove` moved to `at`.
    fn moved(&mut self, at: u32) {
        let was = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        if was == at {
            return;
        }
        let hash = rehash(&self.nodes, &self.hasher, at);
        if let Some(slot) = self.slots.find_mut(hash, |slot| *slot == was) {
            *slot = at;
        }
        let Some((newer, older)) = self.node(at).map(|node| (node.newer, node.older)) else {
            return;
        };
        self.set_older(newer, at);
        self.set_newer(older, at);
    }

    fn touch(&mut self, at: u32) {
        if self.head != at {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some((newer, older)) = self.node(at).map(|node| (node.newer, node.older)) else {
            return;
        };
        self.set_older(newer, older);
        self.set_newer(older, newer);
    }

    fn link_newest(&mut self, at: u32) {
        let second = self.head;
        if let Some(node) = self.node_mut(at) {
            node.newer = NONE;
            node.older = second;
        }
        self.set_newer(second, at);
        self.head = at;
    }

    /// `newer.older = older`, or the head when there is no newer.
    fn set_older(&mut self, newer: u32, older: u32) {
        match self.node_mut(newer) {
            Some(node) => node.older = older,
            None => self.head = older,
        }
    }

    /// `older.newer = newer`, or the tail when there is no older.
    fn set_newer(&mut self, older: u32, newer: u32) {
        match self.node_mut(older) {
            Some(node) => node.newer = newer,
            None => self.tail = newer,
        }
    }

    fn find(&self, key: &K) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let is = |slot: &u32| self.node(*slot).is_some_and(|node| node.key == *key);
        self.slots.find(hash, is).copied()
    }

    fn node(&self, at: u32) -> Option<&Node<K, V>> {
        self.nodes.get(at as usize)
    }

    fn node_mut(&mut self, at: u32) -> Option<&mut Node<K, V>> {
        self.nodes.get_mut(at as usize)
    }
}

fn rehash<K: Hash, V>(nodes: &[Node<K, V>], hasher: &DefaultHashBuilder, slot: u32) -> u64 {
    nodes
        .get(slot as usize)
        .map_or(0, |node| hasher.hash_one(&node.key))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_list_in_order_of_use(
            operations in prop::collection::vec((0u8..4, 0u8..12), 1..200),
            max in 1usize..8,
        ) {
            let mut table: Lru<u8, u32> = Lru::new(max);
            let mut model: Vec<(u8, u32)> = Vec::new();
            for (operation, key) in operations {
                let at = model.iter().position(|(have, _)| *have == key);
                match operation {
                    0 => prop_assert_eq!(table.peek(&key).copied(), at.map(|at| model[at].1)),
                    1 => {
                        let expected = at.map(|at| model.remove(at));
                        prop_assert_eq!(table.remove(&key), expected.map(|(_, value)| value));
                    }
                    2 => {
                        let entry = at.map(|at| model.remove(at));
                        model.splice(0..0, entry);
                        prop_assert_eq!(
                            table.get(&key).copied(),
                            entry.map(|(_, value)| value)
                        );
                    }
                    _ => {
                        let value = at.map_or(0, |at| model.remove(at).1) + 1;
                        model.insert(0, (key, value));
                        model.truncate(max);
                        *table.entry(key) += 1;
                    }
                }
                prop_assert_eq!(table.len(), model.len());
            }
        }
    }
}
