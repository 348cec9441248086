//! The snapshot of the whole view on disk, `index.bin`, and which indicators it was built of.
//!
//! ```text
//! magic, version, checksum of all that follows up to the snapshot            (24 bytes)
//! secret of the digests; counts of digests, indicators, refused terms; lengths of what follows them
//! digests     u64 for each indicator, in the order of the snapshot; the last bit says whether
//!             anything of it was taken
//! snapshot    as `detect` writes it, with a checksum of its own
//! records     whose each indicator is: read here when something was found, and not held in memory
//! ```
//!
//! All numbers are little-endian. The file is written beside the old one and renamed. It holds the
//! secrets of the hashes, so nobody else may read it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use detect::{Records, Snapshot, SnapshotError, SourceKey, Stored};
use hashbrown::HashMap;
use siphasher::sip::SipHasher13;

use super::{Part, Whole};
use crate::leases::Asker;

/// Name of the file in the shield's data directory.
pub(super) const FILE: &str = "index.bin";
/// First bytes of the file.
const MAGIC: [u8; 8] = *b"SWSAVED\0";
/// Version of the format.
const VERSION: u64 = 1;
const SECRET_BYTES: usize = 16;
/// Magic, version and checksum.
const PREAMBLE_BYTES: usize = 24;
/// Counts of digests, indicators and refused terms, lengths of snapshot and records.
const COUNTS: usize = 5;
const HEAD_BYTES: usize = SECRET_BYTES + 8 * COUNTS;

/// Why a saved index cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{} is not used: {why}; the index is built anew from known.jsonl and replaces it", path.display())]
pub(in crate::sync) struct SavedError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it is no saved index")]
    Magic,
    #[error("it is of version {0}, and this program reads version {VERSION}")]
    Version(u64),
    #[error("it is damaged: its checksum is another")]
    Checksum,
    #[error("it is damaged: it has another length than it says")]
    Length,
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Where the snapshot is kept.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
}

impl Store {
    pub(super) fn new(data: &Path) -> Self {
        let path = data.join(FILE);
        Self { path }
    }

    /// Replaces what is kept; returns the same snapshot, whose records are in the file.
    ///
    /// # Errors
    /// The disk's; what was kept before stays then.
    pub(super) fn save(&self, whole: &Whole, digests: &Digests) -> io::Result<Snapshot> {
        let (snapshot, records) = (whole.snapshot.bytes(), whole.snapshot.records().held());
        let records = records.map_or(&[][..], |records| records);
        let counts = [
            length(digests.list.len()),
            whole.indexed,
            whole.refused,
            length(snapshot.len()),
            length(records.len()),
        ];
        let mut head = digests.secret.to_vec();
        head.extend(counts.into_iter().flat_map(u64::to_le_bytes));
        head.extend(digests.list.iter().flat_map(|digest| digest.to_le_bytes()));
        let beside = self.path.with_extension("bin.new");
        let mut options = OpenOptions::new();
        options
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .mode(0o600);
        let mut file = options.open(&beside)?;
        file.write_all(&MAGIC)?;
        file.write_all(&VERSION.to_le_bytes())?;
        file.write_all(&checksum(&head).to_le_bytes())?;
        file.write_all(&head)?;
        file.write_all(snapshot)?;
        let start = file.stream_position()?;
        file.write_all(records)?;
        file.sync_data()?;
        std::fs::rename(&beside, &self.path)?;
        let records = InFile { file, start };
        Ok(whole.snapshot.with_records(records.into()))
    }

    /// What is kept, if anything.
    ///
    /// # Errors
    /// [`SavedError`], when it cannot be used.
    pub(super) fn load(&self) -> Result<Option<(Whole, Digests)>, SavedError> {
        match File::open(&self.path) {
            Ok(file) => read(file).map(Some).map_err(|why| SavedError {
                path: self.path.clone(),
                why,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SavedError {
                path: self.path.clone(),
                why: error.into(),
            }),
        }
    }
}

/// The records of a snapshot in its file. The file stays what it is when another replaces it.
#[derive(Debug)]
struct InFile {
    file: File,
    start: u64,
}

impl Stored for InFile {
    /// The file was read when it was checked or written, so that nearly always it is in the system's
    /// cache.
    fn read_at(&self, start: u64, out: &mut [u8]) -> bool {
        let start = self.start.saturating_add(start);
        self.file.read_exact_at(out, start).is_ok()
    }
}

impl From<InFile> for Records {
    fn from(records: InFile) -> Self {
        Self::Stored(Arc::new(records))
    }
}

fn read(mut file: File) -> Result<(Whole, Digests), Why> {
    let size = file.metadata()?.len();
    let mut start = Vec::new();
    let head_end = length(PREAMBLE_BYTES.saturating_add(HEAD_BYTES));
    Read::by_ref(&mut file)
        .take(head_end)
        .read_to_end(&mut start)?;
    let (magic, rest) = start.split_first_chunk().ok_or(Why::Magic)?;
    if *magic != MAGIC {
        return Err(Why::Magic);
    }
    let (version, rest) = word(rest).ok_or(Why::Length)?;
    if version != VERSION {
        return Err(Why::Version(version));
    }
    let (expected, head) = word(rest).ok_or(Why::Length)?;
    let (secret, mut rest) = head.split_first_chunk().ok_or(Why::Length)?;
    let mut counts = [0; COUNTS];
    for count in &mut counts {
        (*count, rest) = word(rest).ok_or(Why::Length)?;
    }
    let [parts, indexed, refused, snapshot, records] = counts;
    let digests = parts.checked_mul(8).ok_or(Why::Length)?;
    // The file is as long as it says before any room is made for what it says.
    let lengths = [digests, snapshot, records];
    let start = lengths
        .iter()
        .try_fold(head_end, |sum, more| sum.checked_add(*more));
    let start = start.filter(|end| *end == size).ok_or(Why::Length)?;
    let start = start.saturating_sub(records);
    let digests = read_exactly(&mut file, digests)?;
    if checksum(&[head, &digests].concat()) != expected {
        return Err(Why::Checksum);
    }
    let snapshot = read_exactly(&mut file, snapshot)?;
    let (digests, _) = digests.as_chunks();
    let digests = Digests {
        secret: *secret,
        list: digests
            .iter()
            .map(|digest| u64::from_le_bytes(*digest))
            .collect(),
    };
    let whole = Whole {
        snapshot: Snapshot::open(snapshot.into(), InFile { file, start }.into())?,
        indexed,
        refused,
    };
    Ok((whole, digests))
}

fn read_exactly(file: &mut File, bytes: u64) -> Result<Vec<u8>, Why> {
    let mut out = Vec::new();
    let room = usize::try_from(bytes).map_err(|_large| Why::Length)?;
    out.try_reserve_exact(room).map_err(io::Error::from)?;
    file.take(bytes).read_to_end(&mut out)?;
    match out.len() == room {
        true => Ok(out),
        false => Err(Why::Length),
    }
}

fn word(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*word), rest))
}

/// SipHash-1-3 without a secret: it finds damage, not malice.
fn checksum(bytes: &[u8]) -> u64 {
    SipHasher13::new().hash(bytes)
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Of which indicators a snapshot was built: a digest of each, under a secret of its own, so that
/// nobody can prepare another version of an indicator that looks like the one before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digests {
    secret: [u8; SECRET_BYTES],
    list: Vec<u64>,
}

/// Marks a digest of an indicator that is in the snapshot.
const TAKEN: u64 = 1;

impl Digests {
    /// Of nothing, under a secret that the system drew.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) fn drawn() -> io::Result<Self> {
        let mut secret = [0; SECRET_BYTES];
        let drawn = aws_lc_rs::rand::fill(&mut secret);
        drawn.map_err(|_none| io::Error::other("the system has no randomness"))?;
        let list = Vec::new();
        Ok(Self { secret, list })
    }

    pub(super) fn push(&mut self, digest: u64, taken: bool) {
        self.list.push(digest | if taken { TAKEN } else { 0 });
    }

    /// What stands for an indicator; the last bit is 0. The version of this program is in it, since
    /// another one may bring what it is told into another normal form.
    pub(super) fn of(&self, part: &Part) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        part.key.hash(&mut hasher);
        part.confidence.hash(&mut hasher);
        part.pattern.terms.hash(&mut hasher);
        hasher.finish() & !TAKEN
    }

    /// Whose indicators are others now than when the snapshot was built, and how often it has each of
    /// these; none when they are more than `most` gives for the number of indicators.
    pub(super) fn changed(
        &self,
        snapshot: &Snapshot,
        parts: impl Iterator<Item = Part> + Clone,
        most: impl Fn(usize) -> usize,
    ) -> Option<BTreeMap<Asker, u64>> {
        let most = most(self.list.len());
        let mut held = HashMap::<u64, u32>::with_capacity(self.list.len());
        for digest in &self.list {
            let times = held.entry(digest & !TAKEN).or_default();
            *times = times.saturating_add(1);
        }
        let mut changed = BTreeMap::<Asker, i64>::new();
        for part in parts.clone() {
            if !take(&mut held, self.of(&part)) {
                let times = changed.entry(asker(part.key)).or_default();
                *times = times.saturating_sub(1);
            }
            if changed.len() > most {
                return None;
            }
        }
        for number in self.left(&mut held) {
            let times = changed
                .entry(asker(snapshot.owner(number)?.key))
                .or_default();
            *times = times.saturating_add(1);
            if changed.len() > most {
                return None;
            }
        }
        if changed.is_empty() {
            return Some(BTreeMap::new());
        }
        for part in parts {
            if let Some(times) = changed.get_mut(&asker(part.key)) {
                *times = times.saturating_add(1);
            }
        }
        let counted = changed.into_iter().map(|(asker, times)| {
            // What the view says now, less what of that is new, more what it says no longer.
            (asker, u64::try_from(times).unwrap_or(0))
        });
        Some(counted.collect())
    }

    /// The numbers, in the snapshot, of those that are left of `held`. One of which nothing was taken
    /// has none, and nothing has to be taken back.
    fn left(&self, held: &mut HashMap<u64, u32>) -> Vec<u32> {
        let mut left = Vec::new();
        let mut next = 0_u32;
        for digest in &self.list {
            let is_left = take(held, digest & !TAKEN);
            if digest & TAKEN == 0 {
                continue;
            }
            if is_left {
                left.push(next);
            }
            next = next.saturating_add(1);
        }
        left
    }
}

/// Takes one of those that are held.
fn take(held: &mut HashMap<u64, u32>, digest: u64) -> bool {
    match held.get_mut(&digest) {
        Some(times) if *times > 0 => {
            *times = times.saturating_sub(1);
            true
        }
        Some(_) | None => false,
    }
}

fn asker(key: SourceKey) -> Asker {
    Asker {
        source: key.source,
        object: key.id,
    }
}
