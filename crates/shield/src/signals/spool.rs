//! Signals that the hub has not acknowledged, in order, on disk: nothing that was to be shared is
//! lost because the hub is away or this process dies.
//!
//! `signals.jsonl` has one signal a line; `acknowledged` holds the number up to which all of them
//! have been taken by the hub. A signal may be sent twice (the hub answers the same both times),
//! never not at all.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stix::{Object, StixId};

/// Most signals that wait; beyond, the oldest go and are counted.
pub const PENDING_MAX: usize = 16_384;
/// Size beyond which the file is written anew with what is pending, in bytes.
pub const FILE_BYTES_MAX: u64 = 32 << 20;

/// One signal: the objects of one verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Item {
    /// Its number, from 1 in the order of the verdicts.
    pub seq: u64,
    /// The objects, byte for byte as they will be sent each time.
    pub objects: Vec<Box<RawValue>>,
}

impl Item {
    /// The identifiers of its objects.
    #[must_use]
    pub fn ids(&self) -> Vec<StixId> {
        #[derive(Deserialize)]
        struct Named {
            id: StixId,
        }
        let named = self.objects.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok());
        named.map(|named: Named| named.id).collect()
    }
}

/// The spool.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    file: File,
    bytes: u64,
    next: u64,
    pending: BTreeMap<u64, Item>,
    dropped: u64,
}

impl Spool {
    /// Opens the spool in `folder`, making it where it is missing. A last line that was cut off as
    /// it was written is dropped: its verdict had not been sent.
    ///
    /// # Errors
    /// The folder or its files cannot be used.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let acknowledged = read_number(&folder.join(ACKNOWLEDGED))?;
        let (pending, last) = read_items(&folder.join(SIGNALS), acknowledged)?;
        let next = last.max(acknowledged).saturating_add(1);
        let file = OpenOptions::new().create(true).append(true).open(folder.join(SIGNALS))?;
        let folder = folder.to_owned();
        let mut spool = Self { folder, file, bytes: 0, next, pending, dropped: 0 };
        spool.rewrite()?;
        Ok(spool)
    }

    /// Appends a signal; it may be sent when this returns.
    ///
    /// # Errors
    /// The disk refuses. The signal is pending all the same, in memory only.
    pub fn append(&mut self, objects: &[Object]) -> io::Result<Item> {
        let raw = |object: &Object| {
            let text = std::str::from_utf8(object.raw()).ok()?;
            RawValue::from_string(text.to_owned()).ok()
        };
        let item = Item { seq: self.next, objects: objects.iter().filter_map(raw).collect() };
        self.next = self.next.saturating_add(1);
        self.pending.insert(item.seq, item.clone());
        while self.pending.len() > PENDING_MAX {
            self.pending.pop_first();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.write(&item)?;
        Ok(item)
    }

    /// The hub has it, or will never take it.
    ///
    /// # Errors
    /// The disk refuses; after a restart the signal may be sent once more.
    pub fn settle(&mut self, seq: u64) -> io::Result<()> {
        if self.pending.remove(&seq).is_none() {
            return Ok(());
        }
        let low = self.pending.keys().next().copied().unwrap_or(self.next);
        write_number(&self.folder.join(ACKNOWLEDGED), low.saturating_sub(1))?;
        if self.pending.is_empty() && self.bytes > IDLE_BYTES_MAX {
            self.rewrite()?;
        }
        Ok(())
    }

    /// What waits, in order.
    pub fn pending(&self) -> impl Iterator<Item = &Item> {
        self.pending.values()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Signals given up because of [`PENDING_MAX`].
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn write(&mut self, item: &Item) -> io::Result<()> {
        let mut line = serde_json::to_vec(item)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        if self.bytes > FILE_BYTES_MAX { self.rewrite() } else { Ok(()) }
    }

    /// Writes the file anew with what is pending.
    fn rewrite(&mut self) -> io::Result<()> {
        let beside = self.folder.join("signals.new");
        let mut file = File::create(&beside)?;
        let mut text = Vec::new();
        for item in self.pending.values() {
            serde_json::to_writer(&mut text, item)?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        file.sync_data()?;
        std::fs::rename(&beside, self.folder.join(SIGNALS))?;
        self.file = file;
        self.bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// The items above `acknowledged`, and the highest number seen.
fn read_items(path: &Path, acknowledged: u64) -> io::Result<(BTreeMap<u64, Item>, u64)> {
    let mut items = BTreeMap::new();
    let mut last = 0;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((items, last)),
        Err(error) => return Err(error),
    };
    for line in BufReader::new(file).split(b'\n') {
        let Ok(item) = serde_json::from_slice::<Item>(&line?) else { continue };
        last = last.max(item.seq);
        if item.seq > acknowledged && items.len() < PENDING_MAX {
            items.insert(item.seq, item);
        }
    }
    Ok((items, last))
}

fn read_number(path: &Path) -> io::Result<u64> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().parse().unwrap_or(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Written beside and renamed, so that a crash leaves the old number or the new one.
fn write_number(path: &Path, number: u64) -> io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, number.to_string())?;
    std::fs::rename(&beside, path)
}

const SIGNALS: &str = "signals.jsonl";
const ACKNOWLEDGED: &str = "acknowledged";
/// A file with nothing pending is emptied beyond this size, in bytes.
const IDLE_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn object(n: u32) -> Object {
        let raw = format!(
            r#"{{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-{n:012x}","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern":"[ipv4-addr:value = '192.0.2.1']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}}"#
        );
        Object::parse(raw.as_bytes(), &stix::Limits::default()).unwrap()
    }

    fn seqs(spool: &Spool) -> Vec<u64> {
        spool.pending().map(|item| item.seq).collect()
    }

    #[test]
    fn order_and_bytes_survive_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        for n in 1..=5 {
            spool.append(&[object(n)]).unwrap();
        }
        spool.settle(1).unwrap();
        spool.settle(3).unwrap();
        drop(spool);
        let mut spool = Spool::open(folder.path()).unwrap();
        assert_eq!(seqs(&spool), [2, 3, 4, 5], "3 may go twice, since 2 is still pending");
        let first = spool.pending().next().unwrap();
        assert_eq!(first.objects[0].get().as_bytes(), object(2).raw());
        assert_eq!(first.ids(), [object(2).head().id.clone()]);
        (2..=5).for_each(|seq| spool.settle(seq).unwrap());
        drop(spool);
        let mut spool = Spool::open(folder.path()).unwrap();
        assert!(spool.is_empty());
        assert_eq!(spool.append(&[object(6)]).unwrap().seq, 6, "numbers are never used again");
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        spool.append(&[object(1)]).unwrap();
        spool.append(&[object(2)]).unwrap();
        drop(spool);
        let path = folder.path().join(SIGNALS);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 40]).unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        assert_eq!(seqs(&spool), [1]);
        spool.append(&[object(3)]).unwrap();
        drop(spool);
        assert_eq!(seqs(&Spool::open(folder.path()).unwrap()), [1, 2]);
    }

    #[test]
    fn beyond_the_bound_the_oldest_go_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        for _ in 0..PENDING_MAX + 3 {
            spool.append(&[]).unwrap();
        }
        assert_eq!((spool.len(), spool.dropped()), (PENDING_MAX, 3));
        assert_eq!(seqs(&spool)[0], 4);
    }
}
