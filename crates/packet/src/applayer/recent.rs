//! A map that remembers the newest entries: when it is full, the oldest leaves.

use std::collections::VecDeque;

/// Entries in the order in which they came.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    entries: VecDeque<(K, V)>,
    entries_max: usize,
}

impl<K: PartialEq, V> Recent<K, V> {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            entries_max,
        }
    }

    /// Puts an entry in, in the place of one with the same key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.entries.len() >= self.entries_max {
            self.entries.pop_front();
        }
        self.entries.push_back((key, value));
    }

    pub(crate) fn get<Q: ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: PartialEq<Q>,
    {
        let mut newest_first = self.entries.iter().rev();
        let found = newest_first.find(|(known, _)| known == key);
        found.map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.entries.iter().rposition(|(known, _)| known == key)?;
        self.entries.remove(at).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leaves() {
        let mut recent = Recent::new(2);
        recent.insert(1, 'a');
        recent.insert(2, 'b');
        recent.insert(1, 'c');
        recent.insert(3, 'd');
        assert_eq!(recent.get(&2), None);
        assert_eq!(recent.get(&1), Some(&'c'));
        assert_eq!(recent.remove(&3), Some('d'));
        assert_eq!(recent.remove(&3), None);
    }
}
