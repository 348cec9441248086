//! The exact table of one kind of keys: buckets by the first bits of the hash, and in a bucket what
//! is kept of each key.
//!
//! ```text
//! starts   u32 for each bucket: the number of its first key, and after the last how many there are
//! buckets  for each its remainders, then its owners
//!            remainder  2 to 8 bytes: the second half of the hash, or of an IPv4 address the last
//!                       bits, which together with the bucket are all 32
//!            owner      u32: who named the key, an indicator or a list of several
//! ```
//!
//! A bucket lies in one piece, so that a key which is listed costs one wait for memory, not one for
//! the key and one for its owner. Six keys share a bucket on the average.

use bytes::Bytes;

use super::filter::{self, Filter, Layout};
use super::hash::{Hash, part};
use super::snapshot::{Damage, Parts, pad};

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
    buckets: u32,
    /// Bytes kept of each key.
    width: usize,
    filter: Layout,
}

/// Numbers that a shape takes in a header.
pub(super) const SHAPE_WORDS: usize = 6;

impl Shape {
    fn of(space: Space, count: u32) -> Self {
        let buckets = count.div_ceil(BUCKET_KEYS).max(1);
        let width = match space {
            Space::Ipv4 => ipv4_width(buckets),
            Space::Ipv6 | Space::Domain | Space::Url | Space::Ja3 | Space::Ja4 | Space::Sha256 => 8,
        };
        Self {
            count,
            buckets,
            width,
            filter: Layout::NONE,
        }
    }

    fn words(&self) -> [u64; SHAPE_WORDS] {
        [
            self.count.into(),
            self.buckets.into(),
            u64::try_from(self.width).unwrap_or(0),
            self.filter.segment_bits.into(),
            self.filter.segments.into(),
            self.filter.seed,
        ]
    }

    fn from_words(words: [u64; SHAPE_WORDS]) -> Option<Self> {
        let [count, buckets, width, segment_bits, segments, seed] = words;
        let small = |word: u64| u32::try_from(word).ok();
        let shape = Self {
            count: small(count)?,
            buckets: small(buckets).filter(|buckets| *buckets > 0)?,
            width: usize::try_from(width)
                .ok()
                .filter(|width| [2, 3, 4, 8].contains(width))?,
            filter: Layout {
                segment_bits: small(segment_bits)?,
                segments: small(segments)?,
                seed,
            },
        };
        Some(shape)
    }

    /// Bytes of a key in a bucket.
    fn slot(&self) -> usize {
        self.width.saturating_add(OWNER_BYTES)
    }

    fn bucket(&self, high: u64) -> usize {
        usize::try_from(part(high, self.buckets.into())).unwrap_or(usize::MAX)
    }
}

/// Bytes that tell the addresses apart which share a bucket: they follow each other, so their last
/// bits do.
fn ipv4_width(buckets: u32) -> usize {
    match (1_u64 << 32).div_ceil(buckets.max(1).into()) {
        0..=0x1_0000 => 2,
        0x1_0001..=0x100_0000 => 3,
        _ => 4,
    }
}

/// Keys for each bucket, on the average.
const BUCKET_KEYS: u32 = 6;
/// Keys that are compared at once: there are more in one of a hundred buckets.
const WINDOW: usize = 12;
/// Bytes that say whose a key is.
const OWNER_BYTES: usize = 4;

/// A table as it lies in a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    shape: Shape,
    filter: Filter,
    starts: Bytes,
    buckets: Bytes,
}

impl Table {
    /// The table that `words` describe, which takes its parts off `parts`.
    pub(super) fn read(words: [u64; SHAPE_WORDS], parts: &mut Parts) -> Result<Self, Damage> {
        let shape = Shape::from_words(words).ok_or(Damage::Header)?;
        let count = u64::from(shape.count);
        let fingerprints = shape.filter.length().ok_or(Damage::Header)?;
        let starts = u64::from(shape.buckets).saturating_add(1);
        let table = Self {
            shape,
            filter: Filter::new(shape.filter, parts.take_bytes(fingerprints)?),
            starts: parts.take(starts, 4)?,
            buckets: parts.take(count, shape.slot())?,
        };
        let mut starts = table.starts.chunks_exact(4).filter_map(word_of);
        let ordered = starts.clone().is_sorted();
        if ordered && starts.next_back() == Some(shape.count) {
            Ok(table)
        } else {
            Err(Damage::Table)
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.shape.count).unwrap_or(usize::MAX)
    }

    /// Bytes that a look-up goes through, and bytes that then say whose the key is.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let filter = self.shape.filter.length().unwrap_or(0);
        let owners = self.len().saturating_mul(OWNER_BYTES);
        let all = [filter, self.starts.len(), self.buckets.len()];
        let all = all.into_iter().fold(0, usize::saturating_add);
        (all.saturating_sub(owners), owners)
    }

    /// Who named a key, as [`Entry::owner`] had it.
    pub(super) fn find(&self, hash: Hash) -> Option<u32> {
        if self.shape.count == 0 || !self.filter.may_hold(hash.high) {
            return None;
        }
        let bucket = self.shape.bucket(hash.high);
        let start = word(&self.starts, bucket)?;
        let end = word(&self.starts, bucket.checked_add(1)?)?;
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
        let keys = end.checked_sub(start)?;
        let bucket = self.buckets.get(start.checked_mul(self.shape.slot())?..)?;
        let at = match self.shape.width {
            2 => position::<2>(bucket, keys, hash.low),
            3 => position::<3>(bucket, keys, hash.low),
            4 => position::<4>(bucket, keys, hash.low),
            8 => position::<8>(bucket, keys, hash.low),
            _ => None,
        };
        let owners = bucket.get(keys.checked_mul(self.shape.width)?..)?;
        word(owners, at?)
    }
}

/// Which of the first `keys` remainders is that of `low`.
fn position<const WIDTH: usize>(bucket: &[u8], keys: usize, low: u64) -> Option<usize> {
    let low = low.to_le_bytes();
    let low: &[u8; WIDTH] = low.first_chunk()?;
    let (remainders, _) = bucket.as_chunks::<WIDTH>();
    match remainders.first_chunk::<WINDOW>() {
        // Without a branch on what is compared: where it leads cannot be foretold, and the
        // processor would wait for memory before it begins the next look-up.
        Some(window) if keys <= WINDOW => {
            let mut found = 0_u32;
            for (at, remainder) in window.iter().enumerate() {
                found |= u32::from(remainder == low) << at;
            }
            found &= (1_u32 << keys).wrapping_sub(1);
            usize::try_from(found.trailing_zeros())
                .ok()
                .filter(|_| found > 0)
        }
        Some(_) | None => {
            let remainders = remainders.get(..keys)?;
            remainders.iter().position(|remainder| remainder == low)
        }
    }
}

/// The number at a place of a list of them.
pub(super) fn word(list: &[u8], at: usize) -> Option<u32> {
    let start = at.checked_mul(4)?;
    word_of(list.get(start..start.checked_add(4)?)?)
}

fn word_of(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Appends the table of `entries`, which are sorted by hash with no hash twice.
pub(super) fn write(space: Space, entries: &[Entry], out: &mut Vec<u8>) -> [u64; SHAPE_WORDS] {
    let mut shape = Shape::of(space, u32::try_from(entries.len()).unwrap_or(u32::MAX));
    let high = |at: u32| {
        let entry = usize::try_from(at).ok().and_then(|at| entries.get(at));
        entry.map_or(0, |entry| whole(entry.high))
    };
    pad(out);
    shape.filter = filter::write(shape.count, high, out);
    pad(out);
    let mut next = 0_u32;
    for bucket in 0..usize::try_from(shape.buckets).unwrap_or(0) {
        out.extend_from_slice(&next.to_le_bytes());
        while next < shape.count && shape.bucket(high(next)) == bucket {
            next = next.saturating_add(1);
        }
    }
    out.extend_from_slice(&next.to_le_bytes());
    pad(out);
    let place = |entry: &Entry| shape.bucket(whole(entry.high));
    for bucket in entries.chunk_by(|one, other| place(one) == place(other)) {
        for entry in bucket {
            let low = whole(entry.low).to_le_bytes();
            out.extend_from_slice(low.get(..shape.width).unwrap_or_default());
        }
        for entry in bucket {
            out.extend_from_slice(&entry.owner.to_le_bytes());
        }
    }
    shape.words()
}
