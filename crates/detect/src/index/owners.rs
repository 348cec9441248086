//! Whose an indicator is, in twenty bytes: the UUID, where it comes from, and the confidence.
//!
//! What indicators have in common, the partner's name and the type of the object, is written once.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use stix::StixId;
use uuid::Uuid;

use super::snapshot::{Damage, Parts};
use super::{Owner, SourceKey};

/// Most pairs of a partner and a type of object.
const ORIGINS_MAX: usize = 1 << 24;
/// Bytes for each owner.
pub(super) const OWNER_BYTES: usize = 20;
const UUID_BYTES: usize = 16;
/// Length of a UUID in an identifier.
const UUID_CHARS: usize = 36;

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
    records: Bytes,
    origins: Vec<Origin>,
    numbers: HashMap<Origin, u32>,
}

impl Owners {
    /// Takes `count` owners off `parts`.
    pub(super) fn read(count: u64, parts: &mut Parts) -> Result<Self, Damage> {
        Ok(Self {
            count: u32::try_from(count).map_err(|_many| Damage::Header)?,
            records: parts.take(count, OWNER_BYTES)?,
            origins: Vec::new(),
            numbers: HashMap::new(),
        })
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
        self.records.len()
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
        let start = usize::try_from(number).ok()?.checked_mul(OWNER_BYTES)?;
        let record = self.records.get(start..)?;
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
