//! Signals that the hub has not acknowledged, in order, on disk: nothing that was to be shared is
//! lost because the hub is away or this process dies.
//!
//! `signals.jsonl` has one signal a line; `acknowledged` holds the number up to which all of them
//! have been taken by the hub. A signal may be sent twice (the hub answers the same both times),
//! never not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stix::{Object, StixId};

/// Most signals that wait; beyond, the oldest go and are counted.
pub const PENDING_MAX: usize = 16_384;
/// Size beyond which the file is written anew with what is pending, in bytes.
pub const FILE_BYTES_MAX: usize = 32 << 20;
/// Most writes that wait for the disk.
pub const QUEUE_MAX: usize = 16_384;

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
        let named = self
            .objects
            .iter()
            .filter_map(|raw| serde_json::from_str(raw.get()).ok());
        named.map(|named: Named| named.id).collect()
    }
}

/// The spool. Its files are written by a thread of its own, in order, so that a slow disk delays
/// neither the signals nor the frames that the same thread reads.
#[derive(Debug)]
pub struct Spool {
    bytes: usize,
    next: u64,
    pending: BTreeMap<u64, Item>,
    dropped: u64,
    unwritten: u64,
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl Spool {
    /// Opens the spool in `folder`, making it where it is missing. A last line that was cut off as
    /// it was written is dropped: its verdict had hardly been sent.
    ///
    /// # Errors
    /// The folder or its files cannot be used, or the thread not be started.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let acknowledged = read_number(&folder.join(ACKNOWLEDGED))?;
        let (pending, last) = read_items(&folder.join(SIGNALS), acknowledged)?;
        let next = last.max(acknowledged).saturating_add(1);
        let text = lines(pending.values());
        let bytes = text.len();
        let mut writer = Writer::open(folder, &text)?;
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || writer.run(&queue))?;
        let (jobs, writer) = (Some(jobs), Some(writer));
        Ok(Self {
            bytes,
            next,
            pending,
            dropped: 0,
            unwritten: 0,
            jobs,
            writer,
        })
    }

    /// Appends a signal; it may be sent when this returns.
    pub fn append(&mut self, objects: &[Object]) -> Item {
        let raw = |object: &Object| {
            let text = std::str::from_utf8(object.raw()).ok()?;
            RawValue::from_string(text.to_owned()).ok()
        };
        let item = Item {
            seq: self.next,
            objects: objects.iter().filter_map(raw).collect(),
        };
        self.next = self.next.saturating_add(1);
        self.pending.insert(item.seq, item.clone());
        while self.pending.len() > PENDING_MAX {
            self.pending.pop_first();
            self.dropped = self.dropped.saturating_add(1);
        }
        let line = lines(std::iter::once(&item));
        self.bytes = self.bytes.saturating_add(line.len());
        if self.bytes > FILE_BYTES_MAX {
            self.rewrite();
        } else {
            self.hand(Job::Append(line));
        }
        item
    }

    /// The hub has it, or will never take it.
    pub fn settle(&mut self, seq: u64) {
        if self.pending.remove(&seq).is_none() {
            return;
        }
        let low = self.pending.keys().next().copied().unwrap_or(self.next);
        self.hand(Job::Acknowledge(low.saturating_sub(1)));
        if self.pending.is_empty() && self.bytes > IDLE_BYTES_MAX {
            self.rewrite();
        }
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

    /// Writes that a disk slower than [`QUEUE_MAX`] signals has cost: those are in memory only.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.unwritten
    }

    /// Has the file written anew with what is pending.
    fn rewrite(&mut self) {
        let text = lines(self.pending.values());
        self.bytes = text.len();
        self.hand(Job::Rewrite(text));
    }

    fn hand(&mut self, job: Job) {
        if self
            .jobs
            .as_ref()
            .is_none_or(|jobs| jobs.try_send(job).is_err())
        {
            self.unwritten = self.unwritten.saturating_add(1);
        }
    }
}

impl Drop for Spool {
    /// Waits until everything is written.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(Err(_)) = self.writer.take().map(JoinHandle::join) {
            tracing::error!("the spool's thread ended in a panic");
        }
    }
}

/// What the thread is to do.
#[derive(Debug)]
enum Job {
    Append(Vec<u8>),
    Acknowledge(u64),
    Rewrite(Vec<u8>),
}

struct Writer {
    folder: PathBuf,
    file: File,
}

impl Writer {
    /// Starts with a file of these lines.
    fn open(folder: &Path, text: &[u8]) -> io::Result<Self> {
        let file = replace(&folder.join(SIGNALS), text)?;
        Ok(Self {
            folder: folder.to_owned(),
            file,
        })
    }

    fn run(&mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            if let Err(error) = self.take(job) {
                let folder = self.folder.display();
                tracing::error!(%folder, %error, "spool not written; it is kept in memory");
            }
        }
    }

    fn take(&mut self, job: Job) -> io::Result<()> {
        match job {
            Job::Append(line) => self.file.write_all(&line),
            Job::Acknowledge(number) => replace(
                &self.folder.join(ACKNOWLEDGED),
                number.to_string().as_bytes(),
            )
            .map(drop),
            Job::Rewrite(text) => {
                self.file = replace(&self.folder.join(SIGNALS), &text)?;
                Ok(())
            }
        }
    }
}

/// Writes a file beside and renames it, so that a crash leaves the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    std::fs::rename(&beside, path)?;
    Ok(file)
}

fn lines<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<u8> {
    let mut text = Vec::new();
    for item in items {
        // Writing to memory fails for no item that was read from JSON.
        if serde_json::to_writer(&mut text, item).is_ok() {
            text.push(b'\n');
        }
    }
    text
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
        let Ok(item) = serde_json::from_slice::<Item>(&line?) else {
            continue;
        };
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

const SIGNALS: &str = "signals.jsonl";
const ACKNOWLEDGED: &str = "acknowledged";
/// A file with nothing pending is emptied beyond this size, in bytes.
const IDLE_BYTES_MAX: usize = 1 << 20;

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
            spool.append(&[object(n)]);
        }
        spool.settle(1);
        spool.settle(3);
        drop(spool);
        let mut spool = Spool::open(folder.path()).unwrap();
        assert_eq!(
            seqs(&spool),
            [2, 3, 4, 5],
            "3 may go twice, since 2 is still pending"
        );
        let first = spool.pending().next().unwrap();
        assert_eq!(first.objects[0].get().as_bytes(), object(2).raw());
        assert_eq!(first.ids(), [object(2).head().id.clone()]);
        (2..=5).for_each(|seq| spool.settle(seq));
        drop(spool);
        let mut spool = Spool::open(folder.path()).unwrap();
        assert!(spool.is_empty());
        assert_eq!(
            spool.append(&[object(6)]).seq,
            6,
            "numbers are never used again"
        );
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        spool.append(&[object(1)]);
        spool.append(&[object(2)]);
        drop(spool);
        let path = folder.path().join(SIGNALS);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 40]).unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        assert_eq!(seqs(&spool), [1]);
        spool.append(&[object(3)]);
        drop(spool);
        assert_eq!(seqs(&Spool::open(folder.path()).unwrap()), [1, 2]);
    }

    #[test]
    fn beyond_the_bound_the_oldest_go_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        for _ in 0..PENDING_MAX + 3 {
            spool.append(&[]);
        }
        assert_eq!((spool.len(), spool.dropped()), (PENDING_MAX, 3));
        assert_eq!(seqs(&spool)[0], 4);
    }
}
