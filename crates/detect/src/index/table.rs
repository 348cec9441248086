//! The exact table of one kind of keys: lines of a few keys each, which the first bits of the hash
//! choose.
//!
//! ```text
//! filter   see there
//! lines    64 bytes each: slots, one for a key, and what is left over
//!            remainder  6 bytes of the second half of the hash, or all 4 of an IPv4 address
//!            owner      u32: who named the key, an indicator or a list of several; all ones: empty
//! ```
//!
//! A line is one of the processor's cache, so that a key which is listed costs one wait for memory. A
//! key that finds its line full is in the next that is not. Slots are filled in the order of the
//! hash, seven of eight of them.

use bytes::Bytes;

use super::filter::{self, Filter};
use super::hash::{Hash, part};
use super::snapshot::{ALIGN, Damage, Parts, pad};

/// What a key is; the same bytes in another space are another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Ipv4,
    Ipv6,
    Domain,
    Url,
    Ja3,
    Ja4,
    Sha256,
}

impl Space {
    /// In the order of a snapshot.
    pub(super) const ALL: [Self; 7] = [
        Self::Ipv4,
        Self::Ipv6,
        Self::Domain,
        Self::Url,
        Self::Ja3,
        Self::Ja4,
        Self::Sha256,
    ];

    /// Where it is in [`Space::ALL`].
    pub(super) fn at(self) -> usize {
        Self::ALL
            .iter()
            .position(|space| *space == self)
            .unwrap_or(0)
    }

    /// Bytes that are kept of a key.
    fn width(self) -> usize {
        match self {
            Self::Ipv4 => 4,
            Self::Ipv6 | Self::Domain | Self::Url | Self::Ja3 | Self::Ja4 | Self::Sha256 => 6,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Domain => "domain",
            Self::Url => "url",
            Self::Ja3 => "ja3",
            Self::Ja4 => "ja4",
            Self::Sha256 => "sha256",
        }
    }
}

/// One owner of one key. Twenty bytes, since there are ten million when an index is built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    high: [u32; 2],
    low: [u32; 2],
    pub(super) owner: u32,
}

impl Entry {
    pub(super) fn new(hash: Hash, owner: u32) -> Self {
        Self {
            high: halves(hash.high),
            low: halves(hash.low),
            owner,
        }
    }

    pub(super) fn hash(&self) -> Hash {
        Hash {
            high: whole(self.high),
            low: whole(self.low),
        }
    }
}

fn halves(word: u64) -> [u32; 2] {
    let half = |shift: u32| u32::try_from((word >> shift) & u64::from(u32::MAX)).unwrap_or(0);
    [half(32), half(0)]
}

fn whole([first, second]: [u32; 2]) -> u64 {
    (u64::from(first) << 32) | u64::from(second)
}

/// How a table is laid out.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    count: u32,
    /// Lines that a hash can choose.
    lines: u32,
    /// Lines in all: the last ones are for what finds those full.
    all: u32,
    /// Bytes kept of each key.
    width: usize,
}

/// Numbers that a shape takes in a header.
pub(super) const SHAPE_WORDS: usize = 3;

impl Shape {
    fn of(space: Space, count: u32) -> Self {
        let width = space.width();
        let filled = u64::try_from(slots(width).saturating_mul(FILLED)).unwrap_or(1);
        let lines = u64::from(count).saturating_mul(8).div_ceil(filled);
        let lines = u32::try_from(lines).unwrap_or(u32::MAX);
        Self {
            count,
            lines,
            all: lines,
            width,
        }
    }

    fn words(&self) -> [u64; SHAPE_WORDS] {
        [self.count, self.lines, self.all].map(u64::from)
    }

    fn from_words(space: Space, words: [u64; SHAPE_WORDS]) -> Option<Self> {
        let [count, lines, all] = words.map(|word| u32::try_from(word).ok());
        let width = space.width();
        let (count, lines, all) = (count?, lines?, all?);
        (lines <= all).then_some(Self {
            count,
            lines,
            all,
            width,
        })
    }

    /// The first line that a key can be in.
    fn line(&self, hash: Hash) -> usize {
        usize::try_from(part(hash.high, self.lines.into())).unwrap_or(usize::MAX)
    }
}

/// A line.
type Line = [u8; ALIGN];

/// Bytes that say whose a key is.
const OWNER_BYTES: usize = 4;
/// Marks a slot without a key: no list is so far back.
const EMPTY: u32 = u32::MAX;
/// How many slots in eight are filled.
const FILLED: usize = 7;

/// Slots of a line.
fn slots(width: usize) -> usize {
    let slot = width.saturating_add(OWNER_BYTES);
    ALIGN.checked_div(slot).unwrap_or(0)
}

/// A table as it lies in a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    shape: Shape,
    filter: Filter,
    lines: Bytes,
}

impl Table {
    /// The table that `words` describe, which takes its parts off `parts`.
    pub(super) fn read(
        space: Space,
        words: [u64; SHAPE_WORDS],
        parts: &mut Parts,
    ) -> Result<Self, Damage> {
        let shape = Shape::from_words(space, words).ok_or(Damage::Header)?;
        let filter = parts.take(filter::lines(shape.count).into(), ALIGN)?;
        Ok(Self {
            shape,
            filter: Filter::new(filter),
            lines: parts.take(shape.all.into(), ALIGN)?,
        })
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.shape.count).unwrap_or(usize::MAX)
    }

    /// Bytes that a look-up goes through, and bytes that then say whose the key is.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let owners = self.len().saturating_mul(OWNER_BYTES);
        let all = self.filter.bytes().saturating_add(self.lines.len());
        (all.saturating_sub(owners), owners)
    }

    /// Who named a key, as [`Entry::owner`] had it.
    pub(super) fn find(&self, hash: Hash) -> Option<u32> {
        if !self.filter.may_hold(hash.high) {
            return None;
        }
        match self.shape.width {
            4 => self.find_in::<4, 8>(hash),
            6 => self.find_in::<6, 10>(hash),
            _ => None,
        }
    }

    fn find_in<const WIDTH: usize, const SLOT: usize>(&self, hash: Hash) -> Option<u32> {
        let low = hash.low.to_le_bytes();
        let low: &[u8; WIDTH] = low.first_chunk()?;
        let (lines, _): (&[Line], _) = self.lines.as_chunks();
        for line in lines.get(self.shape.line(hash)..)? {
            // Without a branch on what is compared: where it leads cannot be foretold, and the
            // processor would wait for memory before it begins the next look-up.
            let (mut found, mut last) = (EMPTY, EMPTY);
            for slot in line.as_chunks::<SLOT>().0 {
                let (remainder, owner) = slot.split_first_chunk::<WIDTH>()?;
                last = u32::from_le_bytes(*owner.first_chunk()?);
                found = found.min(if remainder == low { last } else { EMPTY });
            }
            if found != EMPTY {
                return Some(found);
            }
            if last == EMPTY {
                return None;
            }
        }
        None
    }
}

/// The number at a place of a list of them.
pub(super) fn word(list: &[u8], at: usize) -> Option<u32> {
    let start = at.checked_mul(4)?;
    let bytes = list.get(start..start.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Appends the table of `entries`, which are sorted by hash with no hash twice.
pub(super) fn write(space: Space, entries: &[Entry], out: &mut Vec<u8>) -> [u64; SHAPE_WORDS] {
    let mut shape = Shape::of(space, u32::try_from(entries.len()).unwrap_or(u32::MAX));
    pad(out);
    let high = entries.iter().map(|entry| entry.hash().high);
    filter::write(shape.count, high, out);
    pad(out);
    let (mut rest, mut at) = (entries, 0_usize);
    let lines = usize::try_from(shape.lines).unwrap_or(usize::MAX);
    out.reserve(lines.saturating_mul(ALIGN));
    while at < lines || !rest.is_empty() {
        let here = rest.iter().take(slots(shape.width));
        let here = here.take_while(|entry| shape.line(entry.hash()) <= at);
        let (here, after) = rest.split_at_checked(here.count()).unwrap_or_default();
        for entry in here {
            let low = whole(entry.low).to_le_bytes();
            out.extend_from_slice(low.get(..shape.width).unwrap_or_default());
            out.extend_from_slice(&entry.owner.to_le_bytes());
        }
        at = at.saturating_add(1);
        let slots = here
            .len()
            .saturating_mul(shape.width.saturating_add(OWNER_BYTES));
        out.resize(
            out.len().saturating_add(ALIGN.saturating_sub(slots)),
            u8::MAX,
        );
        rest = after;
    }
    shape.all = u32::try_from(at).unwrap_or(u32::MAX);
    shape.words()
}

#[cfg(test)]
mod tests {
    use super::super::hash::{Hasher, SECRET_BYTES};
    use super::*;

    /// Keys whose place is in these bits of the hash, in order.
    fn entries(count: u32, spread: u64) -> Vec<Entry> {
        let entry = |number: u32| {
            let hash = Hasher::new([3; SECRET_BYTES]).bytes(&number.to_le_bytes());
            let high = hash.high & spread;
            Entry::new(Hash { high, ..hash }, number)
        };
        let mut entries: Vec<_> = (1..=count).map(entry).collect();
        entries.sort_unstable_by_key(Entry::hash);
        entries
    }

    fn table(space: Space, entries: &[Entry]) -> Table {
        let mut out = Vec::new();
        let words = write(space, entries, &mut out);
        Table::read(space, words, &mut Parts::new(out.into(), 0)).unwrap()
    }

    #[test]
    fn keys_are_found_wherever_they_are() {
        let last = u64::MAX << 60;
        for space in [Space::Ipv4, Space::Url] {
            for (count, spread) in [(1, 0), (7, 0), (100, 1), (100, last), (50_000, u64::MAX)] {
                let entries = entries(count, spread);
                let table = table(space, &entries);
                for entry in &entries {
                    let Hash { high, low } = entry.hash();
                    assert_eq!(table.find(entry.hash()), Some(entry.owner), "{count}");
                    for high in [high, !high] {
                        assert_eq!(table.find(Hash { high, low: !low }), None, "{count}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for low in [0, u64::MAX] {
            let hash = Hash { high: 0, low };
            assert_eq!(Table::default().find(hash), None);
            assert_eq!(table(Space::Url, &[]).find(hash), None);
            assert_eq!(table(Space::Url, &entries(1, 0)).find(hash), None);
        }
    }

    #[test]
    fn a_table_of_many_is_nearly_full() {
        let table = table(Space::Url, &entries(60_000, u64::MAX));
        let (look_up, owners) = table.bytes();
        assert_eq!((table.len(), owners), (60_000, 240_000));
        let each = (look_up + owners) as f64 / 60_000.0;
        assert!((13.5..13.7).contains(&each), "{each}");
    }
}
