//! Names of bits and variables as small numbers.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Most names that one [`Names`] takes.
pub const NAMES_MAX: usize = 1 << 20;

/// Longest name, bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Names to numbers and back. Names are only ever added, so that the state of flows and hosts
/// outlives the rules that wrote it: one [`Names`] serves all versions of a rule set.
#[derive(Debug, Default)]
pub struct Names {
    slots: HashTable<u32>,
    names: Vec<Box<str>>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// The number of a name, a new one if needed. `None` when the name is empty or longer than
    /// [`NAME_BYTES_MAX`], or new beyond [`NAMES_MAX`].
    pub fn intern(&mut self, name: &str) -> Option<u32> {
        if let Some(id) = self.get(name) {
            return Some(id);
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX || self.names.len() >= NAMES_MAX {
            return None;
        }
        let id = u32::try_from(self.names.len()).ok()?;
        self.names.push(name.into());
        let (names, hasher) = (&self.names, &self.hasher);
        self.slots
            .insert_unique(hasher.hash_one(name), id, |id| rehash(names, hasher, *id));
        Some(id)
    }

    /// The number of a name that is known.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u32> {
        let is = |id: &u32| self.name(*id) == Some(name);
        self.slots.find(self.hasher.hash_one(name), is).copied()
    }

    /// The name of a number.
    #[must_use]
    pub fn name(&self, id: u32) -> Option<&str> {
        self.names.get(id as usize).map(AsRef::as_ref)
    }

    /// All of them, by number.
    #[must_use]
    pub fn all(&self) -> &[Box<str>] {
        &self.names
    }

    /// How many names are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no name is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

fn rehash(names: &[Box<str>], hasher: &DefaultHashBuilder, id: u32) -> u64 {
    names
        .get(id as usize)
        .map_or(0, |name| hasher.hash_one(name.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_numbers() {
        let mut names = Names::default();
        for _round in 0..2 {
            for n in 0..1_000 {
                let name = format!("bit.{n}");
                assert_eq!(names.intern(&name), Some(n));
                assert_eq!(names.name(n), Some(name.as_str()));
            }
        }
        assert_eq!((names.len(), names.get("other")), (1_000, None));
    }

    #[test]
    fn no_more_names_than_the_bound() {
        let mut names = Names::default();
        assert_eq!(names.intern(""), None);
        assert_eq!(names.intern(&"n".repeat(NAME_BYTES_MAX + 1)), None);
        let taken = (0..=NAMES_MAX).filter(|n| names.intern(&n.to_string()).is_some());
        assert_eq!(taken.count(), NAMES_MAX);
        assert_eq!(names.intern("7"), Some(7));
    }
}
