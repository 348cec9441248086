//! Whose an indicator is, in twenty bytes: the UUID, where it comes from, and the confidence.
//!
//! What indicators have in common, the partner's name and the type of the object, is written once.
//! A UUID cannot be made shorter, and is asked for only when something was found: it may stay in a
//! file ([`Records`]).

use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use siphasher::sip::SipHasher13;
use stix::StixId;
use uuid::Uuid;

use super::snapshot::{Damage, Parts};
use super::{Owner, SourceKey};

/// Most pairs of a partner and a type of object.
const ORIGINS_MAX: usize = 1 << 24;
/// Bytes for each owner.
const OWNER_BYTES: usize = 20;
/// The same as they are counted in a file.
const RECORD: u64 = 20;
/// How much of them is checked at a time.
const CHECKED_BYTES: usize = OWNER_BYTES << 12;
const UUID_BYTES: usize = 16;
/// Length of a UUID in an identifier.
const UUID_CHARS: usize = 36;

/// Bytes that stay where they are, for example in a file, and are read there.
pub trait Stored: fmt::Debug + Send + Sync {
    /// Fills `out` with what begins at `start`; false when it cannot be read. It is called by who
    /// looks something up, for each indicator that was found: it is not to wait for long.
    fn read_at(&self, start: u64, out: &mut [u8]) -> bool;
}

/// Where it says whose each indicator is: [`OWNER_BYTES`] for each, in the order in which they were
/// added.
#[derive(Clone, Debug)]
pub enum Records {
    /// In memory.
    Held(Bytes),
    /// Elsewhere. What cannot be read there when it is asked for is nobody's, and does not match.
    Stored(Arc<dyn Stored>),
}

impl Default for Records {
    fn default() -> Self {
        Self::Held(Bytes::new())
    }
}

impl Records {
    /// Those in memory.
    #[must_use]
    pub fn held(&self) -> Option<&Bytes> {
        match self {
            Self::Held(bytes) => Some(bytes),
            Self::Stored(_) => None,
        }
    }

    fn read(&self, start: u64, out: &mut [u8]) -> Option<()> {
        match self {
            Self::Held(bytes) => {
                let bytes = bytes.get(usize::try_from(start).ok()?..)?;
                let bytes = bytes.get(..out.len())?;
                out.copy_from_slice(bytes);
                Some(())
            }
            Self::Stored(stored) => stored.read_at(start, out).then_some(()),
        }
    }
}

/// SipHash-1-3 of records, without a secret.
pub(super) fn checksum(records: &[u8]) -> u64 {
    SipHasher13::new().hash(records)
}

/// Where an indicator comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    source: Arc<str>,
    kind: Box<str>,
}

/// An indicator, within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct OwnerId {
    uuid: [u8; UUID_BYTES],
    origin: u32,
}

/// Origins while a snapshot is built.
#[derive(Debug, Default)]
pub(super) struct Origins {
    list: Vec<Origin>,
    numbers: HashMap<Origin, u32>,
    last: u32,
}

impl Origins {
    /// The number of where an indicator comes from; none when there are too many.
    pub(super) fn number(&mut self, key: &SourceKey) -> Option<u32> {
        let last = self.list.get(usize::try_from(self.last).ok()?);
        if last.is_some_and(|origin| origin.is_of(key)) {
            return Some(self.last);
        }
        let origin = Origin::of(key);
        let known = self.numbers.get(&origin).copied();
        self.last = match known {
            Some(number) => number,
            None => self.open(origin)?,
        };
        Some(self.last)
    }

    /// As they lie in a snapshot: source and kind in turn, each after its length.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let origins = self.list.iter();
        for text in origins.flat_map(|origin| [&*origin.source, &*origin.kind]) {
            let length = u32::try_from(text.len()).unwrap_or(0);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out
    }

    fn open(&mut self, origin: Origin) -> Option<u32> {
        let room = self.list.len() < ORIGINS_MAX && u32::try_from(origin.source.len()).is_ok();
        let number = u32::try_from(self.list.len()).ok().filter(|_| room)?;
        self.list.push(origin.clone());
        self.numbers.insert(origin, number);
        Some(number)
    }
}

impl Origin {
    fn of(key: &SourceKey) -> Self {
        Self {
            source: Arc::clone(&key.source),
            kind: kind(&key.id).into(),
        }
    }

    fn is_of(&self, key: &SourceKey) -> bool {
        *self.kind == *kind(&key.id) && self.source == key.source
    }
}

/// The type name: what is before the UUID and its hyphens, without a search for them.
fn kind(id: &StixId) -> &str {
    let text = id.as_str();
    let length = text.len().saturating_sub(UUID_CHARS);
    let (kind, _) = text.split_at_checked(length).unwrap_or_default();
    kind.trim_end_matches('-')
}

fn uuid(id: &StixId) -> Uuid {
    let text = id.as_str();
    let start = text.len().saturating_sub(UUID_CHARS);
    let (_, uuid) = text.split_at_checked(start).unwrap_or_default();
    Uuid::try_parse(uuid).unwrap_or_default()
}

/// Appends an owner to `out`.
pub(super) fn write(key: &SourceKey, origin: u32, confidence: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(uuid(&key.id).as_bytes());
    out.extend_from_slice(&((origin << 8) | u32::from(confidence)).to_le_bytes());
}

/// Owners as they lie in a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    count: u32,
    checksum: u64,
    records: Records,
    origins: Vec<Origin>,
    numbers: HashMap<Origin, u32>,
}

impl Owners {
    /// So many owners, whose records have a checksum. See [`Owners::check`].
    pub(super) fn new(count: u64, checksum: u64, records: Records) -> Result<Self, Damage> {
        Ok(Self {
            count: u32::try_from(count).map_err(|_many| Damage::Header)?,
            checksum,
            records,
            ..Self::default()
        })
    }

    /// Reads all records, and whether they are as they were written.
    pub(super) fn check(&self) -> Result<(), Damage> {
        let all = u64::from(self.count).saturating_mul(RECORD);
        if let Records::Held(bytes) = &self.records
            && u64::try_from(bytes.len()) != Ok(all)
        {
            return Err(Damage::Length);
        }
        let mut hasher = SipHasher13::new();
        let mut room = vec![0; CHECKED_BYTES];
        let mut start = 0;
        while start < all {
            let left = usize::try_from(all.saturating_sub(start)).unwrap_or(usize::MAX);
            let chunk = room.get_mut(..left.min(CHECKED_BYTES));
            let chunk = chunk.ok_or(Damage::Length)?;
            let read = self.records.read(start, chunk);
            read.ok_or(Damage::Length)?;
            hasher.write(chunk);
            start = start.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        }
        match hasher.finish() == self.checksum {
            true => Ok(()),
            false => Err(Damage::Checksum),
        }
    }

    /// The same owners, whose records are elsewhere.
    pub(super) fn with(&self, records: Records) -> Self {
        Self {
            records,
            ..self.clone()
        }
    }

    pub(super) fn records(&self) -> &Records {
        &self.records
    }

    /// Takes the origins, of so many bytes, off `parts`.
    pub(super) fn read_origins(&mut self, bytes: u64, parts: &mut Parts) -> Result<(), Damage> {
        let texts = parts.take(bytes, 1)?;
        let mut rest: &[u8] = &texts;
        while !rest.is_empty() {
            let source = text(&mut rest).ok_or(Damage::Owners)?;
            let kind = text(&mut rest).ok_or(Damage::Owners)?;
            let number = u32::try_from(self.origins.len()).map_err(|_many| Damage::Owners)?;
            let origin = Origin {
                source: source.into(),
                kind: kind.into(),
            };
            if self.numbers.insert(origin.clone(), number).is_some() {
                return Err(Damage::Owners);
            }
            self.origins.push(origin);
        }
        Ok(())
    }

    pub(super) fn len(&self) -> u32 {
        self.count
    }

    pub(super) fn bytes(&self) -> usize {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        count.saturating_mul(OWNER_BYTES)
    }

    /// Identifies an owner.
    pub(super) fn id(&self, number: u32) -> Option<OwnerId> {
        self.record(number).map(|(id, _)| id)
    }

    /// What an owner is called here; none when this snapshot has nothing from there.
    pub(super) fn id_of(&self, key: &SourceKey) -> Option<OwnerId> {
        let origin = self.numbers.get(&Origin::of(key)).copied()?;
        Some(OwnerId {
            uuid: uuid(&key.id).into_bytes(),
            origin,
        })
    }

    /// An owner in words.
    pub(super) fn owner(&self, number: u32) -> Option<Owner> {
        let (id, confidence) = self.record(number)?;
        let origin = self.origins.get(usize::try_from(id.origin).ok()?)?;
        let uuid = Uuid::from_bytes(id.uuid);
        Some(Owner {
            key: SourceKey {
                source: Arc::clone(&origin.source),
                id: StixId::from_parts(&origin.kind, uuid).ok()?,
            },
            confidence,
        })
    }

    fn record(&self, number: u32) -> Option<(OwnerId, u8)> {
        if number >= self.count {
            return None;
        }
        let mut record = [0; OWNER_BYTES];
        let start = u64::from(number).saturating_mul(RECORD);
        self.records.read(start, &mut record)?;
        let (uuid, rest) = record.split_first_chunk::<UUID_BYTES>()?;
        let [confidence, origin @ ..] = rest.first_chunk::<4>()?;
        let [first, second, third] = *origin;
        let id = OwnerId {
            uuid: *uuid,
            origin: u32::from_le_bytes([first, second, third, 0]),
        };
        Some((id, *confidence))
    }
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A file of which no more than this can be read.
    #[derive(Debug)]
    struct Short(Mutex<Vec<u8>>);

    impl Stored for Short {
        fn read_at(&self, start: u64, out: &mut [u8]) -> bool {
            let bytes = self.0.lock().unwrap();
            let rest = bytes.get(usize::try_from(start).unwrap()..);
            let read = rest.and_then(|rest| rest.get(..out.len()));
            read.is_some_and(|read| {
                out.copy_from_slice(read);
                true
            })
        }
    }

    fn key(number: u32) -> SourceKey {
        SourceKey {
            source: "alpha".into(),
            id: StixId::v5("indicator", &number.to_string()),
        }
    }

    #[test]
    fn records_are_read_where_they_are() {
        let count = 5_000;
        let mut origins = Origins::default();
        let mut records = Vec::new();
        for number in 0..count {
            let origin = origins.number(&key(number)).unwrap();
            write(&key(number), origin, 7, &mut records);
        }
        let sum = checksum(&records);
        let open = |records| {
            let mut owners = Owners::new(count.into(), sum, records).unwrap();
            let mut parts = Parts::new(origins.bytes().into(), 0);
            let length = u64::try_from(origins.bytes().len()).unwrap();
            owners.read_origins(length, &mut parts).unwrap();
            owners
        };
        let held = open(Records::Held(records.clone().into()));
        assert_eq!(held.check(), Ok(()));
        let file = Arc::new(Short(Mutex::new(records.clone())));
        let stored = open(Records::Stored(Arc::clone(&file) as Arc<dyn Stored>));
        assert_eq!(stored.check(), Ok(()));
        for number in [0, 1, count - 1] {
            let owner = held.owner(number).unwrap();
            assert_eq!((&owner.key, owner.confidence), (&key(number), 7));
            assert_eq!(stored.owner(number), Some(owner));
            assert_eq!(stored.id(number), held.id_of(&key(number)));
        }
        assert_eq!(stored.owner(count), None);
        file.0.lock().unwrap()[99_999] ^= 1;
        assert_eq!(stored.check(), Err(Damage::Checksum));
        file.0.lock().unwrap().truncate(30);
        assert_eq!(stored.check(), Err(Damage::Length));
        assert!(stored.owner(0).is_some() && stored.owner(1).is_none());
        let mut long = records;
        long.push(0);
        assert_eq!(
            open(Records::Held(long.into())).check(),
            Err(Damage::Length)
        );
    }
}
