//! `dataset` and `datarep`: large sets of values that rules look buffers up in, add to and take
//! out of.
//!
//! A set has a name, shared by all rules, a type and optionally files. Nothing here reads or
//! writes them: [`Datasets::files_to_load`] says which, [`Datasets::load`] takes their contents,
//! [`Datasets::files_to_save`] and [`Datasets::lines`] say what is written where.
//!
//! ```text
//! YS5jb20=                                          string: base64
//! 79a290670239a8b19fb119b375f5dfa3,5                md5, sha256: hexadecimal; `datarep`: a number behind a comma
//! ::ffff:192.0.2.1                                  ip; ipv4 without ::ffff:
//! [{"host": "a.com", "why": "phishing"}]            format json; ndjson: an object a line
//! ```
//!
//! **Bounds and failure bias: open.** A set takes no more memory than its `memcap`, and all together no
//! more than [`Limits::bytes_max`]; a value that does not fit is not added, its `set` does not match, and [`Datasets::refused`] counts it.
//! Nothing is forgotten for it: what was loaded is worth more than what the network brings.

mod json;
mod option;
mod set;
mod settings;
mod table;
mod value;

use std::collections::HashMap;

pub use option::{
    Command, DatarepOption, DatasetOption, Declaration, Json, TEXT_BYTES_MAX, parse_datarep,
    parse_dataset,
};
pub use set::Loaded;
use set::Set;
pub(crate) use settings::declared;
pub use value::Kind;

/// Longest object of a set of JSON, bytes without white space: alerts carry it.
pub const OBJECT_BYTES_MAX: usize = 16 << 10;

/// Bounds of sets.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most memory of a set that names no `memcap`, bytes.
    pub memcap: u64,
    /// Largest `memcap` that a rule may name, bytes; the settings may name larger ones.
    pub memcap_max: u64,
    /// Most memory of all sets, bytes.
    pub bytes_max: u64,
    /// Largest `hashsize` of a set.
    pub hashsize_max: u32,
    /// Most sets.
    pub sets_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memcap: 100 << 20,
            memcap_max: 1 << 30,
            bytes_max: 4 << 30,
            hashsize_max: 65_536,
            sets_max: 4_096,
        }
    }
}

/// A set of [`Datasets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetId(u32);

/// A file that a set begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileToLoad<'a> {
    /// Which set.
    pub set: SetId,
    /// As its option names it.
    pub file: &'a str,
    /// It may be missing: the set is then empty.
    pub optional: bool,
}

/// All sets of a rule set.
#[derive(Debug, Default)]
pub struct Datasets {
    limits: Limits,
    sets: Vec<Set>,
    /// Memory of all, bytes.
    held: u64,
    of_name: HashMap<u32, SetId>,
}

impl Datasets {
    /// Whether there are no sets.
    pub(crate) fn has_none(&self) -> bool {
        self.sets.is_empty()
    }

    /// No sets yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// The set that an option is about, made if it is the first.
    ///
    /// # Errors
    /// A new set without a type; a declaration that differs from the first; a bound of
    /// [`Limits`].
    pub fn declare(&mut self, declared: &Declaration) -> Result<SetId, String> {
        if let Some(id) = self.of_name.get(&declared.name).copied() {
            let set = self.set(id).ok_or("the set is not known")?;
            set.agrees(declared)?;
            return Ok(id);
        }
        let kind = declared
            .kind
            .ok_or("the set needs a type where it is first named")?;
        if declared
            .hashsize
            .is_some_and(|size| size > self.limits.hashsize_max)
        {
            return Err(format!("hashsize is beyond {}", self.limits.hashsize_max));
        }
        if self.sets.len() >= self.limits.sets_max {
            return Err("there are too many sets".to_owned());
        }
        let id = u32::try_from(self.sets.len()).map_err(|_| "there are too many sets")?;
        self.sets
            .push(Set::new(declared.clone(), kind, self.limits.memcap));
        self.of_name.insert(declared.name, SetId(id));
        Ok(SetId(id))
    }

    /// The files that sets begin with.
    pub fn files_to_load(&self) -> impl Iterator<Item = FileToLoad<'_>> {
        (0..).map(SetId).zip(&self.sets).filter_map(|(set, of)| {
            let file = of.declared.load.as_deref()?;
            let optional = of.declared.state;
            Some(FileToLoad {
                set,
                file,
                optional,
            })
        })
    }

    /// The set of a name, if there is one.
    #[must_use]
    pub fn known(&self, name: u32) -> Option<SetId> {
        self.of_name.get(&name).copied()
    }

    /// Adds what a file holds.
    pub fn load(&mut self, set: SetId, contents: &str) -> Loaded {
        self.change(set, |set| set.load(contents))
            .unwrap_or_default()
    }

    /// Does a `dataset` option to a set with the bytes of a buffer. Whether it matches.
    pub fn dataset(&mut self, set: SetId, command: Command, buffer: &[u8]) -> bool {
        match command {
            Command::IsSet | Command::IsNotSet => self
                .sets
                .get_mut(set.0 as usize)
                .is_some_and(|set| set.command(command, buffer)),
            Command::Set | Command::Unset => self
                .change(set, |set| set.command(command, buffer))
                .unwrap_or(false),
        }
    }

    /// Changes a set, with the room that the others leave it.
    fn change<T>(&mut self, set: SetId, work: impl FnOnce(&mut Set) -> T) -> Option<T> {
        let bytes = |set: &Set| u64::try_from(set.bytes()).unwrap_or(u64::MAX);
        let set = self.sets.get_mut(set.0 as usize)?;
        let others = self.held.saturating_sub(bytes(set));
        set.room = self.limits.bytes_max.saturating_sub(others);
        let done = work(set);
        self.held = others.saturating_add(bytes(set));
        Some(done)
    }

    /// Largest `memcap` that a rule may name, bytes.
    #[must_use]
    pub fn memcap_max(&self) -> u64 {
        self.limits.memcap_max
    }

    /// Whether the reputation of a buffer in a set compares as a `datarep` option wants it.
    #[must_use]
    pub fn datarep(&self, set: SetId, option: &DatarepOption, buffer: &[u8]) -> bool {
        let reputation = self.set(set).and_then(|set| set.reputation(buffer));
        reputation.is_some_and(|reputation| option.comparison.holds(reputation, option.value))
    }

    /// What JSON says about a buffer in a set: an object, for an alert to carry under the option's
    /// `context_key`.
    #[must_use]
    pub fn context(&self, set: SetId, option: &DatasetOption, buffer: &[u8]) -> Option<String> {
        let set = self.set(set)?;
        let object = set.context(buffer)?;
        match &set.declared.json {
            Some(json) if option.remove_key => json::without(object, &json.value_key),
            _ => Some(object.to_owned()),
        }
    }

    /// The files that sets are written to in the end.
    pub fn files_to_save(&self) -> impl Iterator<Item = (SetId, &str)> {
        let sets = (0..).map(SetId).zip(&self.sets);
        sets.filter_map(|(id, set)| Some((id, set.declared.save.as_deref()?)))
    }

    /// The lines of a set's file, without their ends, in no order. Values of a set that is not to
    /// be saved may be unknown, and are left out.
    pub fn lines(&self, set: SetId) -> impl Iterator<Item = String> + '_ {
        self.set(set).into_iter().flat_map(Set::lines)
    }

    /// How many values a set holds.
    #[must_use]
    pub fn len(&self, set: SetId) -> usize {
        self.set(set).map_or(0, Set::len)
    }

    /// Whether a set holds no value.
    #[must_use]
    pub fn is_empty(&self, set: SetId) -> bool {
        self.len(set) == 0
    }

    /// Memory of a set, bytes.
    #[must_use]
    pub fn bytes(&self, set: SetId) -> usize {
        self.set(set).map_or(0, Set::bytes)
    }

    /// How many values were not added because a set had no room, over all sets.
    #[must_use]
    pub fn refused(&self) -> u64 {
        let refused = self.sets.iter().map(|set| set.refused);
        refused.fold(0, u64::saturating_add)
    }

    /// Takes over what the network wrote to the sets of an earlier rule set: those that are
    /// declared alike, and begin with no file or with the one that they are saved to. Call it when
    /// all sets are declared; those that it returns are not to be loaded again.
    pub fn take_over(&mut self, earlier: &mut Self) -> Vec<SetId> {
        let mut taken = Vec::new();
        for (id, set) in (0..).map(SetId).zip(&mut self.sets) {
            let old = earlier.of_name.get(&set.declared.name);
            let old = old.and_then(|id| earlier.sets.get_mut(id.0 as usize));
            let written = set.declared.load.is_none() || set.declared.state;
            if let Some(old) = old.filter(|old| written && old.declared == set.declared) {
                std::mem::swap(set, old);
                taken.push(id);
            }
        }
        let bytes = self.sets.iter().map(Set::bytes);
        let bytes = bytes.fold(0, usize::saturating_add);
        self.held = u64::try_from(bytes).unwrap_or(u64::MAX);
        taken
    }

    fn set(&self, id: SetId) -> Option<&Set> {
        self.sets.get(id.0 as usize)
    }
}

#[cfg(test)]
mod tests;
