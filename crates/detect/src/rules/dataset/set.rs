//! One set.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::OBJECT_BYTES_MAX;
use super::json;
use super::option::{Command, Declaration, Json};
use super::table::{Key, Table};
use super::value::{Keys, Kind};

/// Most lines of a file that are told as refused; there may be more.
const LINES_TOLD_MAX: usize = 20;

/// What became of a file's contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// How many values were added.
    pub added: usize,
    /// How many were there already: the first stands.
    pub repeated: usize,
    /// How many lines or objects hold no value of the set's type.
    pub refused: usize,
    /// How many values had no room.
    pub left_out: usize,
    /// How many objects are longer than [`OBJECT_BYTES_MAX`](super::OBJECT_BYTES_MAX): their values
    /// were not added.
    pub too_long: usize,
    /// Numbers of the first lines or objects that were refused, from 1.
    pub refused_first: Vec<usize>,
    /// Why the file as a whole was refused.
    pub error: Option<String>,
}

#[derive(Debug)]
pub(super) struct Set {
    pub(super) declared: Declaration,
    kind: Kind,
    keys: Keys,
    memcap: u64,
    /// What the other sets leave it, bytes.
    pub(super) room: u64,
    pub(super) refused: u64,
    contents: Contents,
}

/// What is known beside the key of a value depends on what a set is for.
#[derive(Debug)]
enum Contents {
    /// Nothing.
    Keys(Table<()>),
    /// The value itself, where the key is a hash and the set is to be saved.
    Values {
        table: Table<Box<[u8]>>,
        bytes: usize,
    },
    /// Its reputation.
    Reputations(Table<u16>),
    /// The number of its object.
    Objects { table: Table<u32>, objects: Objects },
}

/// Texts, one behind the other.
#[derive(Debug, Default)]
struct Objects {
    text: String,
    ends: Vec<u32>,
}

/// What comes with a value into a set.
#[derive(Clone)]
enum Beside<'a> {
    Nothing,
    Reputation(u16),
    Object(Cow<'a, str>),
}

enum Added {
    New,
    Repeated,
    NoRoom,
    TooLong,
}

impl Set {
    pub(super) fn new(declared: Declaration, kind: Kind, memcap: u64) -> Self {
        let contents = if declared.reputation {
            Contents::Reputations(Table::new())
        } else if declared.json.is_some() {
            let (table, objects) = (Table::new(), Objects::default());
            Contents::Objects { table, objects }
        } else if declared.save.is_some() && kind.is_hashed() {
            let table = Table::new();
            Contents::Values { table, bytes: 0 }
        } else {
            Contents::Keys(Table::new())
        };
        Self {
            memcap: declared.memcap.unwrap_or(memcap),
            declared,
            kind,
            keys: Keys::default(),
            room: u64::MAX,
            refused: 0,
            contents,
        }
    }

    /// Whether another declaration says nothing else.
    pub(super) fn agrees(&self, other: &Declaration) -> Result<(), String> {
        let (mine, other_kind) = (&self.declared, other.kind);
        let differs = if other_kind.is_some_and(|kind| kind != self.kind) {
            "type"
        } else if other.load.is_some() && other.load != mine.load {
            "load"
        } else if other.save.is_some() && other.save != mine.save {
            "save"
        } else if other.reputation != mine.reputation {
            "use with dataset and datarep"
        } else if other.json.is_some() && other.json != mine.json {
            "format"
        } else {
            return Ok(());
        };
        Err(format!("the set is known already, with another {differs}"))
    }

    pub(super) fn len(&self) -> usize {
        match &self.contents {
            Contents::Keys(table) => table.len(),
            Contents::Values { table, .. } => table.len(),
            Contents::Reputations(table) => table.len(),
            Contents::Objects { table, .. } => table.len(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.contents {
            Contents::Keys(table) => table.bytes(),
            Contents::Values { table, bytes } => table.bytes().saturating_add(*bytes),
            Contents::Reputations(table) => table.bytes(),
            Contents::Objects { table, objects } => table.bytes().saturating_add(objects.bytes()),
        }
    }

    pub(super) fn command(&mut self, command: Command, buffer: &[u8]) -> bool {
        let Some(key) = self.keys.key(self.kind, buffer) else {
            return command == Command::IsNotSet;
        };
        match command {
            Command::IsSet => self.contains(&key),
            Command::IsNotSet => !self.contains(&key),
            Command::Set => matches!(self.add(key, buffer, Beside::Nothing), Added::New),
            Command::Unset => self.remove(&key),
        }
    }

    pub(super) fn reputation(&self, buffer: &[u8]) -> Option<u16> {
        match &self.contents {
            Contents::Reputations(table) => table.get(&self.keys.key(self.kind, buffer)?).copied(),
            Contents::Keys(_) | Contents::Values { .. } | Contents::Objects { .. } => None,
        }
    }

    pub(super) fn context(&self, buffer: &[u8]) -> Option<&str> {
        match &self.contents {
            Contents::Objects { table, objects } => {
                objects.get(*table.get(&self.keys.key(self.kind, buffer)?)?)
            }
            Contents::Keys(_) | Contents::Values { .. } | Contents::Reputations(_) => None,
        }
    }

    pub(super) fn load(&mut self, contents: &str) -> Loaded {
        let mut loaded = Loaded::default();
        match self.declared.json.clone() {
            None => {
                let lines = (1..).zip(contents.lines());
                for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
                    let read = self.line(line.trim());
                    self.take(number, read, &mut loaded);
                }
            }
            Some(json) if json.lines => {
                let lines = (1..).zip(contents.lines());
                for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
                    let object: Option<&RawValue> = serde_json::from_str(line).ok();
                    let read = object.and_then(|object| self.object(&json, object));
                    self.take(number, read, &mut loaded);
                }
            }
            Some(json) => match json::objects(contents, &json.array_key) {
                Err(error) => loaded.error = Some(error),
                Ok(objects) => {
                    for (number, object) in (1..).zip(objects) {
                        let read = self.object(&json, object);
                        self.take(number, read, &mut loaded);
                    }
                }
            },
        }
        loaded
    }

    /// A value, and behind a comma its reputation.
    fn line<'a>(&self, line: &str) -> Option<(Vec<u8>, Beside<'a>)> {
        let (value, reputation) = match line.split_once(',') {
            Some((value, reputation)) => (value, Some(reputation)),
            None => (line, None),
        };
        let value = self.kind.read(value.trim_end())?;
        let beside = match self.declared.reputation {
            true => Beside::Reputation(reputation?.trim().parse().ok()?),
            false => Beside::Nothing,
        };
        Some((value, beside))
    }

    fn object<'a>(&self, json: &Json, object: &'a RawValue) -> Option<(Vec<u8>, Beside<'a>)> {
        let value = json::string(object, &json.value_key)?;
        let value = self.kind.read_plain(&value)?;
        Some((value, Beside::Object(json::compact(object.get()))))
    }

    fn take(&mut self, number: usize, read: Option<(Vec<u8>, Beside<'_>)>, loaded: &mut Loaded) {
        let keyed = read.and_then(|(value, beside)| {
            let key = self.keys.key(self.kind, &value)?;
            Some(self.add(key, &value, beside))
        });
        let count = match keyed {
            Some(Added::New) => &mut loaded.added,
            Some(Added::Repeated) => &mut loaded.repeated,
            Some(Added::NoRoom) => &mut loaded.left_out,
            Some(Added::TooLong) => &mut loaded.too_long,
            None => {
                if loaded.refused_first.len() < LINES_TOLD_MAX {
                    loaded.refused_first.push(number);
                }
                &mut loaded.refused
            }
        };
        *count = count.saturating_add(1);
    }

    fn contains(&self, key: &Key) -> bool {
        match &self.contents {
            Contents::Keys(table) => table.get(key).is_some(),
            Contents::Values { table, .. } => table.get(key).is_some(),
            Contents::Reputations(table) => table.get(key).is_some(),
            Contents::Objects { table, .. } => table.get(key).is_some(),
        }
    }

    fn add(&mut self, key: Key, value: &[u8], beside: Beside<'_>) -> Added {
        if self.contains(&key) {
            return Added::Repeated;
        }
        if matches!(&beside, Beside::Object(object) if object.len() > OBJECT_BYTES_MAX) {
            return Added::TooLong;
        }
        if self.bytes_with(value, &beside) > self.memcap.min(self.room) {
            self.refused = self.refused.saturating_add(1);
            return Added::NoRoom;
        }
        match (&mut self.contents, beside) {
            (Contents::Keys(table), _) => table.insert_new(key, ()),
            (Contents::Values { table, bytes }, _) => {
                *bytes = bytes.saturating_add(allocated(value));
                table.insert_new(key, value.into());
            }
            (Contents::Reputations(table), Beside::Reputation(reputation)) => {
                table.insert_new(key, reputation);
            }
            (Contents::Objects { table, objects }, Beside::Object(object)) => {
                match objects.push(&object) {
                    Some(number) => table.insert_new(key, number),
                    None => return Added::NoRoom,
                }
            }
            (Contents::Reputations(_) | Contents::Objects { .. }, _) => return Added::NoRoom,
        }
        Added::New
    }

    /// Memory when one more value is in the set.
    fn bytes_with(&self, value: &[u8], beside: &Beside<'_>) -> u64 {
        let bytes = match &self.contents {
            Contents::Keys(table) => table.bytes_with_one_more(),
            Contents::Values { table, bytes } => {
                let values = bytes.saturating_add(allocated(value));
                table.bytes_with_one_more().saturating_add(values)
            }
            Contents::Reputations(table) => table.bytes_with_one_more(),
            Contents::Objects { table, objects } => {
                let object = match beside {
                    Beside::Object(object) => object.len(),
                    Beside::Nothing | Beside::Reputation(_) => 0,
                };
                let objects = objects.bytes().saturating_add(object);
                table.bytes_with_one_more().saturating_add(objects)
            }
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    fn remove(&mut self, key: &Key) -> bool {
        match &mut self.contents {
            Contents::Keys(table) => table.remove(key).is_some(),
            Contents::Values { table, bytes } => {
                let removed = table.remove(key);
                if let Some(value) = &removed {
                    *bytes = bytes.saturating_sub(allocated(value));
                }
                removed.is_some()
            }
            Contents::Reputations(table) => table.remove(key).is_some(),
            Contents::Objects { table, .. } => table.remove(key).is_some(),
        }
    }

    /// The lines of its file.
    pub(super) fn lines(&self) -> Box<dyn Iterator<Item = String> + '_> {
        let kind = self.kind;
        match &self.contents {
            Contents::Values { table, .. } => {
                Box::new(table.iter().map(move |(_, value)| kind.write(value)))
            }
            Contents::Keys(table) if !kind.is_hashed() => {
                Box::new(table.iter().map(move |(key, ())| kind.write(key)))
            }
            Contents::Reputations(table) if !kind.is_hashed() => Box::new(
                table
                    .iter()
                    .map(move |(key, reputation)| format!("{},{reputation}", kind.write(key))),
            ),
            Contents::Keys(_) | Contents::Reputations(_) | Contents::Objects { .. } => {
                Box::new(std::iter::empty())
            }
        }
    }
}

/// Memory of a value, with what an allocator adds to a small one.
fn allocated(value: &[u8]) -> usize {
    value.len().next_multiple_of(16)
}

impl Objects {
    fn bytes(&self) -> usize {
        let ends = self.ends.capacity().saturating_mul(size_of::<u32>());
        self.text.capacity().saturating_add(ends)
    }

    /// The number of the text. `None` when they are beyond 4 GiB.
    fn push(&mut self, text: &str) -> Option<u32> {
        let end = u32::try_from(self.text.len().checked_add(text.len())?).ok()?;
        let number = u32::try_from(self.ends.len()).ok()?;
        self.text.push_str(text);
        self.ends.push(end);
        Some(number)
    }

    fn get(&self, number: u32) -> Option<&str> {
        let end = *self.ends.get(number as usize)?;
        let before = number.checked_sub(1);
        let start = before.and_then(|before| self.ends.get(before as usize).copied());
        self.text.get(start.unwrap_or(0) as usize..end as usize)
    }
}
