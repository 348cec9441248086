//! A set of indicators as two pieces of bytes: built once, kept in memory or in a file, and looked up
//! as they lie there. One holds what is looked up:
//!
//! ```text
//! magic, version, checksum of all that follows, secret, counts and shapes     (256 bytes)
//! tables      one for each kind of key: filter, and lines of keys and their owners
//! lists       of keys that several indicators name
//! nets        prefixes and traffic
//! origins     names of partners and types of objects
//! ```
//!
//! The other holds whose each indicator is, 20 bytes for each ([`Records`]); its checksum stands in the
//! header, and it is read only when something was found.
//!
//! All numbers are little-endian; each part begins at a multiple of [`ALIGN`]. Opening checks the
//! checksums and that every part is where the header says, and reads nothing else but the few origins
//! and nets. The checksum finds damage, not malice: whoever may write the file decides what is
//! looked for. Whatever the bytes are, nothing is read outside of them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use siphasher::sip128::SipHasher13;

use super::Owner;
use super::hash::{Hash, Hasher, SECRET_BYTES};
use super::nets::{NET_BYTES, Net};
use super::owners::{Owners, Records};
use super::table::{SHAPE_WORDS, Space, Table, word};

/// First bytes of a snapshot.
pub const MAGIC: [u8; 8] = *b"SWINDEX\0";
/// Version of the format.
pub const VERSION: u32 = 2;
/// Where parts begin: a multiple of a line of the processor's cache.
pub(super) const ALIGN: usize = 64;
/// Bytes before the first part.
pub(super) const HEADER_BYTES: usize = 256;

/// Magic, version, four bytes without meaning.
const PREAMBLE_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;
const CHECKED_FROM: usize = PREAMBLE_BYTES + CHECKSUM_BYTES;
const WORDS_FROM: usize = CHECKED_FROM + SECRET_BYTES;
/// Owners, words of lists, nets, bytes of origins, checksum of records.
const COUNTS: usize = 5;
const WORDS: usize = COUNTS + SHAPE_WORDS * Space::ALL.len();

/// Marks an owner of a key that is a list: the other bits are its place.
pub(super) const LIST: u32 = 1 << 31;

/// Why bytes are no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// They begin with something else.
    #[error("not an index of indicators: it does not begin as one")]
    Magic,
    /// Another version of this program wrote them.
    #[error("an index of version {0}; this program reads version {VERSION}: build it anew")]
    Version(u32),
    /// They are not as they were written.
    #[error("the index is damaged: {0}; build it anew")]
    Damaged(#[from] Damage),
}

/// What about a snapshot is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The checksum.
    #[error("its checksum is another")]
    Checksum,
    /// Counts and shapes.
    #[error("its header makes no sense")]
    Header,
    /// There are fewer or more bytes than the header asks for.
    #[error("it has another length than its header says")]
    Length,
    /// The names of owners.
    #[error("the names of partners cannot be read")]
    Owners,
    /// A prefix or traffic.
    #[error("a prefix cannot be read")]
    Net,
}

/// A set of indicators that never changes. Cloning is cheap.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    bytes: Bytes,
    hasher: Hasher,
    tables: [Table; Space::ALL.len()],
    owners: Owners,
    lists: Bytes,
    nets: Bytes,
}

/// Bytes that the keys of a snapshot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindBytes {
    /// What the keys are.
    pub kind: &'static str,
    /// How many there are.
    pub keys: usize,
    /// Filter, remainders, and room that is left.
    pub look_up: usize,
    /// Which indicator named each.
    pub owners: usize,
}

impl Snapshot {
    /// Opens what [`Snapshot::bytes`] and [`Snapshot::records`] gave.
    ///
    /// # Errors
    /// [`SnapshotError`], when it is not that.
    pub fn open(bytes: Bytes, records: Records) -> Result<Self, SnapshotError> {
        let (magic, rest) = bytes
            .split_first_chunk::<{ MAGIC.len() }>()
            .ok_or(SnapshotError::Magic)?;
        if *magic != MAGIC {
            return Err(SnapshotError::Magic);
        }
        let version = word(rest, 0).ok_or(Damage::Length)?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        if Self::checksum(&bytes) != word64(&bytes, PREAMBLE_BYTES) {
            return Err(Damage::Checksum.into());
        }
        let snapshot = Self::parse(bytes, records)?;
        snapshot.0.owners.check()?;
        Ok(snapshot)
    }

    /// The same, with its records elsewhere. They must be the same.
    #[must_use]
    pub fn with_records(&self, records: Records) -> Self {
        let owners = self.0.owners.with(records);
        Self(Arc::new(Inner {
            owners,
            ..Inner::clone(&self.0)
        }))
    }

    /// Whose each indicator is.
    #[must_use]
    pub fn records(&self) -> &Records {
        self.0.owners.records()
    }

    /// Bytes in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        let records = self.records().held().map_or(0, Bytes::len);
        self.0.bytes.len().saturating_add(records)
    }

    /// What is looked up, as a file keeps it. It holds the secret that keys are hashed with: who
    /// reads it can look for names that collide, so it is for no other eyes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// How many keys there are, prefixes and traffic among them.
    #[must_use]
    pub fn len(&self) -> usize {
        let tables = self.0.tables.iter().map(Table::len);
        let nets = self.0.nets.len() / NET_BYTES;
        tables.fold(nets, usize::saturating_add)
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many indicators there are.
    #[must_use]
    pub fn owners(&self) -> u32 {
        self.0.owners.len()
    }

    /// An indicator, by the order in which they were added.
    #[must_use]
    pub fn owner(&self, number: u32) -> Option<Owner> {
        self.0.owners.owner(number)
    }

    /// Bytes for each kind of keys.
    pub fn kinds(&self) -> impl Iterator<Item = KindBytes> {
        let kinds = Space::ALL.iter().zip(&self.0.tables);
        kinds.map(|(space, table)| {
            let (look_up, owners) = table.bytes();
            KindBytes {
                kind: space.name(),
                keys: table.len(),
                look_up,
                owners,
            }
        })
    }

    /// Bytes of the indicators' identities, whatever keys they name.
    #[must_use]
    pub fn owner_bytes(&self) -> usize {
        self.0.owners.bytes()
    }

    pub(super) fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    pub(super) fn owners_table(&self) -> &Owners {
        &self.0.owners
    }

    pub(super) fn table(&self, space: Space) -> &Table {
        let [ipv4, ipv6, domain, url, ja3, ja4, sha256] = &self.0.tables;
        match space {
            Space::Ipv4 => ipv4,
            Space::Ipv6 => ipv6,
            Space::Domain => domain,
            Space::Url => url,
            Space::Ja3 => ja3,
            Space::Ja4 => ja4,
            Space::Sha256 => sha256,
        }
    }

    /// Calls `each` with every owner of a key, newest first.
    pub(super) fn find(&self, space: Space, hash: Hash, mut each: impl FnMut(u32)) {
        match self.table(space).find(hash) {
            None => {}
            Some(owner) if owner < LIST => each(owner),
            Some(list) => {
                let list = usize::try_from(list ^ LIST).unwrap_or(usize::MAX);
                let length = word(&self.0.lists, list).unwrap_or(0);
                let first = list.saturating_add(1);
                let last = first.saturating_add(usize::try_from(length).unwrap_or(0));
                let owners = (first..last).map_while(|at| word(&self.0.lists, at));
                owners.for_each(each);
            }
        }
    }

    /// Prefixes and traffic.
    pub(super) fn nets(&self) -> impl Iterator<Item = Net> {
        let records = self.0.nets.chunks_exact(NET_BYTES);
        records.filter_map(Net::from_bytes)
    }

    /// The first bytes of the header are filled in, so that the rest can be read.
    pub(super) fn seal(bytes: &mut [u8]) {
        let mut preamble = [0; PREAMBLE_BYTES];
        let version = VERSION.to_le_bytes();
        for (to, from) in preamble.iter_mut().zip(MAGIC.iter().chain(&version)) {
            *to = *from;
        }
        let checksum = Self::checksum(bytes).unwrap_or(0).to_le_bytes();
        let head = preamble.iter().chain(&checksum);
        for (to, from) in bytes.iter_mut().zip(head) {
            *to = *from;
        }
    }

    /// SipHash-1-3 without a secret.
    fn checksum(bytes: &[u8]) -> Option<u64> {
        let checked = bytes.get(CHECKED_FROM..)?;
        Some(SipHasher13::new_with_keys(0, 0).hash(checked).h1)
    }

    /// Opens without a look at the preamble and the checksums.
    pub(super) fn parse(bytes: Bytes, records: Records) -> Result<Self, Damage> {
        let bytes = aligned(bytes);
        let secret = bytes.get(CHECKED_FROM..).and_then(<[u8]>::first_chunk);
        let hasher = Hasher::new(*secret.ok_or(Damage::Length)?);
        let words: Vec<u64> = (0..WORDS)
            .map_while(|at| word64(&bytes, at.saturating_mul(8).saturating_add(WORDS_FROM)))
            .collect();
        let (counts, shapes) = words.split_first_chunk().ok_or(Damage::Length)?;
        let [owners, lists, nets, origins, checksum]: [u64; COUNTS] = *counts;
        let mut parts = Parts::new(bytes.clone(), HEADER_BYTES);
        let mut owners = Owners::new(owners, checksum, records)?;
        let (shapes, _) = shapes.as_chunks::<SHAPE_WORDS>();
        let tables = Space::ALL.into_iter().zip(shapes);
        let tables = tables.map(|(space, words)| Table::read(space, *words, &mut parts));
        let tables: Vec<Table> = tables.collect::<Result<_, _>>()?;
        let lists = parts.take(lists, 4)?;
        let nets = parts.take(nets, NET_BYTES)?;
        owners.read_origins(origins, &mut parts)?;
        if parts.at != bytes.len() {
            return Err(Damage::Length);
        }
        if !nets
            .chunks_exact(NET_BYTES)
            .all(|net| Net::from_bytes(net).is_some())
        {
            return Err(Damage::Net);
        }
        Ok(Self(Arc::new(Inner {
            bytes,
            hasher,
            tables: tables.try_into().map_err(|_few| Damage::Length)?,
            owners,
            lists,
            nets,
        })))
    }
}

impl Default for Snapshot {
    /// An empty one.
    fn default() -> Self {
        let nothing = Table::default();
        Self(Arc::new(Inner {
            bytes: Bytes::new(),
            hasher: Hasher::new([0; SECRET_BYTES]),
            tables: std::array::from_fn(|_| nothing.clone()),
            owners: Owners::default(),
            lists: Bytes::new(),
            nets: Bytes::new(),
        }))
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("keys", &self.len())
            .field("owners", &self.owners())
            .field("bytes", &self.0.bytes.len())
            .finish()
    }
}

/// The numbers of a header.
pub(super) struct Header {
    pub(super) secret: [u8; SECRET_BYTES],
    /// Owners, words of lists, nets, bytes of origins, checksum of records.
    pub(super) counts: [u64; COUNTS],
    pub(super) shapes: [[u64; SHAPE_WORDS]; Space::ALL.len()],
}

impl Header {
    /// Writes it over the first bytes, without what [`Snapshot::seal`] writes.
    pub(super) fn write(&self, bytes: &mut [u8]) {
        let words = self.counts.iter().chain(self.shapes.iter().flatten());
        let words = words.flat_map(|word| word.to_le_bytes());
        let head = self.secret.into_iter().chain(words);
        for (to, from) in bytes.iter_mut().skip(CHECKED_FROM).zip(head) {
            *to = from;
        }
    }
}

/// Parts of a snapshot, one after the other.
pub(super) struct Parts {
    bytes: Bytes,
    at: usize,
}

impl Parts {
    pub(super) fn new(bytes: Bytes, at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next part: so many items of so many bytes.
    pub(super) fn take(&mut self, count: u64, size: usize) -> Result<Bytes, Damage> {
        let count = usize::try_from(count).ok();
        let length = count.and_then(|count| count.checked_mul(size));
        self.take_bytes(length.ok_or(Damage::Length)?)
    }

    fn take_bytes(&mut self, length: usize) -> Result<Bytes, Damage> {
        let start = self.at.next_multiple_of(ALIGN);
        let end = start.checked_add(length).ok_or(Damage::Length)?;
        if end > self.bytes.len() {
            return Err(Damage::Length);
        }
        self.at = end;
        Ok(self.bytes.slice(start..end))
    }
}

/// The same bytes where lines of the snapshot are lines of the processor's cache.
fn aligned(bytes: Bytes) -> Bytes {
    let length = bytes.len();
    if bytes.as_ptr().align_offset(ALIGN) == 0 {
        return bytes;
    }
    let mut out = Vec::<u8>::with_capacity(length.saturating_add(ALIGN));
    let start = out.as_ptr().align_offset(ALIGN);
    if start >= ALIGN {
        return bytes;
    }
    out.resize(start, 0);
    out.extend_from_slice(&bytes);
    Bytes::from(out).slice(start..)
}

/// Begins a part.
pub(super) fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(ALIGN), 0);
}

fn word64(bytes: &[u8], start: usize) -> Option<u64> {
    bytes
        .get(start..)?
        .first_chunk()
        .map(|word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;
    use stix::StixId;
    use stix::pattern::{Pattern, Term};

    use super::super::{Index, IndexBuilder, Layer, SourceKey};
    use super::*;

    /// A snapshot that has something in every part.
    fn full_snapshot() -> Snapshot {
        let mut builder = IndexBuilder::new();
        let net = |text: &str| text.parse().unwrap();
        let mut terms: Vec<_> = (0..5000)
            .map(|number| Term::Address(v4(number).into()))
            .collect();
        terms.extend([
            Term::Address(net("2001:db8::1/128")),
            Term::Address(net("198.51.100.0/24")),
            Term::Domain("evil.example".into()),
            Term::Url("http://evil.example/a".into()),
            Term::Ja3("0e870cb29dd59424064948532781a7f6".into()),
            Term::Ja4("t13d1516h2_8daaf6152771_e5627efa2ab1".into()),
        ]);
        for source in ["alpha", "beta"] {
            let key = SourceKey {
                source: source.into(),
                id: StixId::v5("indicator", source),
            };
            let refused = builder.add(
                key,
                50,
                &Pattern {
                    terms: terms.clone(),
                },
            );
            assert_eq!(refused, []);
        }
        builder.snapshot()
    }

    fn full() -> Vec<u8> {
        full_snapshot().bytes().to_vec()
    }

    /// With the records of [`full`], which are the same each time.
    fn open(bytes: impl Into<Bytes>) -> Result<Snapshot, SnapshotError> {
        Snapshot::open(bytes.into(), full_snapshot().records().clone())
    }

    fn v4(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b1)).into()
    }

    /// Looks up what is there and what is not, and returns how much was found.
    fn look_up(snapshot: Snapshot) -> usize {
        let key = SourceKey {
            source: "alpha".into(),
            id: StixId::v5("indicator", "alpha"),
        };
        let mut found = 0_usize;
        for layer in [
            Layer::new(snapshot.clone()),
            Layer::new(snapshot).without([&key]),
        ] {
            let index = Index::new([layer]);
            assert!(index.bytes() > 0 || index.is_empty());
            let mut each = |hit: crate::index::Hit<'_>| {
                found = found.saturating_add(1);
                std::hint::black_box(hit.owner());
            };
            let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            let addresses = (0..6000).map(v4);
            let addresses = addresses.chain([v6.into(), Ipv4Addr::new(198, 51, 100, 7).into()]);
            addresses.for_each(|address| index.address(address, &mut each));
            let mut scratch = Vec::new();
            index.domain(b"www.evil.example", &mut scratch, &mut each);
            index.url(b"evil.example", b"/a", &mut scratch, &mut each);
            index.ja3(b"0e870cb29dd59424064948532781a7f6", &mut each);
            index.ja4(b"t13d1516h2_8daaf6152771_e5627efa2ab1", &mut each);
            index.sha256(&[0; 32], &mut each);
        }
        found
    }

    #[test]
    fn what_was_written_is_found_again() {
        let snapshot = open(full()).unwrap();
        assert_eq!((snapshot.len(), snapshot.owners()), (5007, 2));
        let kinds: usize = snapshot.kinds().map(|kind| kind.keys).sum();
        assert_eq!(kinds, 5005);
        assert_eq!(snapshot.owner_bytes(), 40);
        // Both owners of each, and then one of them.
        assert_eq!(look_up(snapshot), 5006 * 3);
    }

    #[test]
    fn an_empty_one_is_one() {
        let empty = IndexBuilder::new().snapshot();
        let empty = Snapshot::open(empty.bytes().clone(), Records::default()).unwrap();
        assert!(empty.is_empty());
        assert_eq!(look_up(empty), 0);
        assert_eq!(look_up(Snapshot::default()), 0);
    }

    #[test]
    fn other_bytes_are_refused_by_name() {
        let bytes = full();
        let open = |bytes: &[u8]| open(bytes.to_vec()).err();
        assert_eq!(open(b""), Some(SnapshotError::Magic));
        assert_eq!(open(b"{\"type\": \"bundle\"}"), Some(SnapshotError::Magic));
        let mut later = bytes.clone();
        later[MAGIC.len()] = 1;
        assert_eq!(open(&later), Some(SnapshotError::Version(1)));
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(open(&longer), Some(Damage::Checksum.into()));
        Snapshot::seal(&mut longer);
        assert_eq!(open(&longer), Some(Damage::Length.into()));
        for length in (0..HEADER_BYTES).chain([bytes.len() - 1]) {
            let mut short = bytes[..length].to_vec();
            assert!(open(&short).is_some(), "{length}");
            Snapshot::seal(&mut short);
            assert!(open(&short).is_some(), "{length}, sealed");
        }
    }

    #[test]
    fn every_number_of_the_header_is_checked() {
        let bytes = full();
        for at in (WORDS_FROM..HEADER_BYTES).step_by(8) {
            for number in [0, 1, 12, u64::from(u32::MAX), 1 << 40, u64::MAX] {
                let mut other = bytes.clone();
                other[at..at + 8].copy_from_slice(&number.to_le_bytes());
                Snapshot::seal(&mut other);
                if let Ok(snapshot) = open(other) {
                    look_up(snapshot);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn damage_is_found(at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let mut bytes = full();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let meaningless = (12..16).contains(&at);
            prop_assert_eq!(open(bytes).is_ok(), meaningless);
        }

        /// Whoever can mend the checksum decides what is found, and no more.
        #[test]
        fn hostile_bytes_are_looked_up_without_harm(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200),
            header in prop::collection::vec((0..HEADER_BYTES, any::<u8>()), 0..3),
        ) {
            let mut bytes = full();
            for (at, byte) in flips {
                let parts = &mut bytes[HEADER_BYTES..];
                let at = at.index(parts.len());
                parts[at] = byte;
            }
            for (at, byte) in header {
                bytes[at] = byte;
            }
            Snapshot::seal(&mut bytes);
            if let Ok(snapshot) = open(bytes) {
                look_up(snapshot);
            }
        }
    }
}
