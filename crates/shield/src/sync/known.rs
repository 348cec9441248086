//! The last known set on disk, `known.jsonl`: what to enforce at start when the hub is away.
//!
//! An append-only file of lines, each one JSON object:
//!
//! ```text
//! {"view":{"community":"default","epoch":1}}      a view begins; what stood before is void
//! {"entry":{"lane":"community","entry":{…}}}      one entry of a frame
//! {"cursor":{"cursor":"…","community":41,"addressed":3}}   everything up to here is whole
//! {"lease":{…}}                                   a lease of our own verdict
//! ```
//!
//! A thread of its own writes; when the file has grown to several times what it says, it is
//! written anew beside the old one and renamed. Entries after the last cursor belong to a frame
//! that was cut off: they are taken, since taking them again changes nothing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use stix::{Object, StixId, Timestamp};
use taxii::cursor::Position;
use taxii::push::{Entry, EventKind, Lane};

use super::view::View;

/// Most records that wait to be written.
pub const QUEUE_MAX: usize = 65_536;
/// Longest line that is read back, in bytes.
pub const LINE_BYTES_MAX: u64 = 32 << 20;
/// The file is written anew when it has this many lines more than [`BLOAT_FACTOR`] times those of
/// the last time.
pub const BLOAT_LINES_MIN: usize = 4_096;
/// See [`BLOAT_LINES_MIN`].
pub const BLOAT_FACTOR: usize = 4;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A view begins.
    View {
        /// The community.
        community: String,
        /// The epoch of its log.
        epoch: u64,
    },
    /// One entry of a frame.
    Entry {
        /// Its lane.
        lane: Lane,
        /// The entry.
        #[serde(with = "shared")]
        entry: Arc<Entry>,
    },
    /// Everything up to here is whole.
    Cursor {
        /// As the hub gave it.
        cursor: Option<String>,
        /// Position of the community lane.
        community: u64,
        /// Position of the addressed lane.
        addressed: u64,
    },
    /// A lease of our own verdict.
    Lease(Box<OwnLease>),
}

/// An entry behind a pointer, as if it were none.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use taxii::push::Entry;

    pub(super) fn serialize<S: Serializer>(entry: &Arc<Entry>, to: S) -> Result<S::Ok, S::Error> {
        Entry::serialize(entry, to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Entry>, D::Error> {
        Entry::deserialize(from).map(Arc::new)
    }
}

/// A lease of our own verdict, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLease {
    /// The object that is (or would be) shared for it.
    pub object: StixId,
    /// Whom it is about.
    pub network: IpNet,
    /// Protocol and port of the service.
    pub service: Option<(u8, u16)>,
    /// What was asked.
    pub action: stix::lease::Action,
    /// When it ends.
    pub ends_at: Timestamp,
    /// What weakened it.
    pub why: Box<str>,
}

/// What the file says.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The view, with its cursor if the file is whole.
    pub view: View,
    /// The objects of the view, to be judged, in order.
    pub objects: Vec<(Lane, Arc<Entry>, Object)>,
    /// Own leases, the last of each object.
    pub leases: BTreeMap<StixId, OwnLease>,
    /// Lines that could not be read. If there are any, the cursor is forgotten and the hub asked
    /// for everything.
    pub damaged: usize,
}

/// Reads the file back. A file that is absent says nothing.
///
/// # Failure bias
/// Open: what cannot be read is not enforced, and the hub is asked again.
///
/// # Errors
/// The file is there and cannot be read.
pub fn load(path: &Path) -> io::Result<Loaded> {
    let mut loaded = Loaded::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(loaded),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = io::Read::take(&mut reader, LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        match serde_json::from_slice(&line) {
            Ok(record) if line.ends_with(b"\n") => loaded.take(record),
            // A line without an end is one that was cut off as it was written.
            Ok(_) | Err(_) if !line.ends_with(b"\n") => {}
            Ok(_) | Err(_) => loaded.damaged = loaded.damaged.saturating_add(1),
        }
    }
    if loaded.damaged > 0 {
        loaded.view = View::default();
    }
    Ok(loaded)
}

impl Loaded {
    fn take(&mut self, record: Record) {
        match record {
            Record::View { community, epoch } => {
                self.view = View::new(&community, epoch);
                self.objects.clear();
            }
            Record::Entry { lane, entry } => self.take_entry(lane, entry),
            Record::Cursor {
                cursor,
                community,
                addressed,
            } => {
                self.view.cursor = cursor;
                self.view.set_position(Position {
                    community,
                    addressed,
                });
            }
            Record::Lease(lease) => {
                self.leases.insert(lease.object.clone(), *lease);
            }
        }
    }

    fn take_entry(&mut self, lane: Lane, entry: Arc<Entry>) {
        if entry.event == EventKind::Erase {
            return self.take_erasure(lane, &entry);
        }
        let raw = entry.object.get().as_bytes();
        match Object::parse(raw, &stix::Limits::default()) {
            Ok(object) => {
                self.view.apply(lane, Entry::clone(&entry), &object);
                self.objects.push((lane, entry, object));
            }
            Err(_) => self.damaged = self.damaged.saturating_add(1),
        }
    }

    fn take_erasure(&mut self, lane: Lane, entry: &Entry) {
        let Ok(tombstone) = entry.tombstone() else {
            self.damaged = self.damaged.saturating_add(1);
            return;
        };
        self.view.erase(lane, entry, &tombstone);
        if !entry.stale {
            self.objects.retain(|(held, known, object)| {
                *held != lane || known.source != entry.source || object.head().id != tombstone.id
            });
        }
    }
}

/// Where records are handed in. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Keeper {
    queue: SyncSender<Job>,
    bloated: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Job {
    Append(Record),
    Rewrite(Vec<Record>),
}

impl Keeper {
    /// Opens the file for appending, cutting a torn last line, and starts the thread that writes.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread not be started.
    pub fn open(path: &Path) -> io::Result<(Self, JoinHandle<()>)> {
        let mut writer = Writer::open(path.to_owned())?;
        let bloated = Arc::clone(&writer.bloated);
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("known".to_owned())
            .spawn(move || writer.run(&jobs))?;
        Ok((Self { queue, bloated }, thread))
    }

    /// Hands in a record. Never waits: if the disk is too slow the record is left out and the
    /// whole file is asked for again, see [`Keeper::wants_rewrite`].
    pub fn append(&self, record: Record) {
        if self.queue.try_send(Job::Append(record)).is_err() {
            self.bloated.store(true, Ordering::Relaxed);
        }
    }

    /// Asks for the file to be written anew: it holds what must not stay.
    pub fn want_rewrite(&self) {
        self.bloated.store(true, Ordering::Relaxed);
    }

    /// Whether the file should be written anew.
    #[must_use]
    pub fn wants_rewrite(&self) -> bool {
        self.bloated.load(Ordering::Relaxed)
    }

    /// Replaces the file by these records.
    pub fn rewrite(&self, records: Vec<Record>) {
        let sent = self.queue.try_send(Job::Rewrite(records)).is_ok();
        self.bloated.store(!sent, Ordering::Relaxed);
    }
}

struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    lines: usize,
    lines_base: usize,
    bloated: Arc<AtomicBool>,
}

impl Writer {
    fn open(path: PathBuf) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)?;
        let whole = whole_lines(&mut file)?;
        file.set_len(whole)?;
        file.seek(io::SeekFrom::End(0))?;
        let bloated = Arc::new(AtomicBool::new(true));
        Ok(Self {
            path,
            file: BufWriter::new(file),
            lines: 0,
            lines_base: 0,
            bloated,
        })
    }

    fn run(&mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let mut result = self.take(job);
            while let Ok(job) = jobs.try_recv() {
                result = result.and_then(|()| self.take(job));
            }
            if let Err(error) = result.and_then(|()| self.file.flush()) {
                tracing::error!(path = %self.path.display(), %error, "last known set not written");
                self.bloated.store(true, Ordering::Relaxed);
            }
        }
    }

    fn take(&mut self, job: Job) -> io::Result<()> {
        match job {
            Job::Append(record) => {
                write_line(&mut self.file, &record)?;
                self.lines = self.lines.saturating_add(1);
                let most = self.lines_base.saturating_mul(BLOAT_FACTOR);
                if self.lines > most.saturating_add(BLOAT_LINES_MIN) {
                    self.bloated.store(true, Ordering::Relaxed);
                }
                Ok(())
            }
            Job::Rewrite(records) => self.rewrite(&records),
        }
    }

    fn rewrite(&mut self, records: &[Record]) -> io::Result<()> {
        let beside = self.path.with_extension("jsonl.new");
        let mut file = BufWriter::new(File::create(&beside)?);
        for record in records {
            write_line(&mut file, record)?;
        }
        file.flush()?;
        file.get_ref().sync_data()?;
        std::fs::rename(&beside, &self.path)?;
        self.file = file;
        self.lines = records.len();
        self.lines_base = records.len();
        Ok(())
    }
}

fn write_line(file: &mut BufWriter<File>, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *file, record)?;
    file.write_all(b"\n")
}

/// Length of the file up to the end of its last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = 0_u64;
    let mut at = 0_u64;
    let mut reader = BufReader::new(file);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(end);
        }
        let len = bytes.len();
        if let Some(last) = bytes.iter().rposition(|byte| *byte == b'\n') {
            end = at
                .saturating_add(u64::try_from(last).unwrap_or(u64::MAX))
                .saturating_add(1);
        }
        at = at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        reader.consume(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u64) -> Record {
        Record::Cursor {
            cursor: Some(format!("c{n}")),
            community: n,
            addressed: 0,
        }
    }

    fn lease(name: &str, us: i64) -> OwnLease {
        OwnLease {
            object: StixId::v5("indicator", name),
            network: "192.0.2.9/32".parse().unwrap(),
            service: Some((6, 80)),
            action: stix::lease::Action::Drop,
            ends_at: Timestamp::from_micros(us),
            why: "".into(),
        }
    }

    fn written(path: &Path, jobs: impl FnOnce(&Keeper)) {
        let (keeper, thread) = Keeper::open(path).unwrap();
        jobs(&keeper);
        drop(keeper);
        thread.join().unwrap();
    }

    #[test]
    fn what_was_appended_is_read_back_and_a_torn_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known.jsonl");
        written(&path, |keeper| {
            keeper.append(Record::View {
                community: "default".into(),
                epoch: 3,
            });
            keeper.append(record(1));
            keeper.append(Record::Lease(Box::new(lease("a", 5))));
            keeper.append(Record::Lease(Box::new(lease("a", 9))));
        });
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"cursor\":{\"cursor\":\"c9\",\"commu")
            .unwrap();
        let loaded = load(&path).unwrap();
        assert_eq!(
            (loaded.view.community.as_str(), loaded.view.epoch),
            ("default", 3)
        );
        assert_eq!(loaded.view.cursor.as_deref(), Some("c1"));
        assert_eq!(
            loaded.leases.values().cloned().collect::<Vec<_>>(),
            [lease("a", 9)]
        );
        written(&path, |keeper| keeper.append(record(2)));
        let loaded = load(&path).unwrap();
        assert_eq!(
            (loaded.damaged, loaded.view.cursor.as_deref()),
            (0, Some("c2"))
        );
    }

    #[test]
    fn a_damaged_middle_forgets_the_cursor_and_keeps_own_leases() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known.jsonl");
        written(&path, |keeper| {
            keeper.append(Record::Lease(Box::new(lease("a", 5))));
            keeper.append(record(1));
        });
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("\"c1\"", "c1\"");
        std::fs::write(&path, text).unwrap();
        let loaded = load(&path).unwrap();
        assert_eq!(
            (
                loaded.damaged,
                loaded.view.cursor.clone(),
                loaded.leases.len()
            ),
            (1, None, 1)
        );
    }

    #[test]
    fn a_rewrite_replaces_and_appending_goes_on_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known.jsonl");
        written(&path, |keeper| {
            (0..50).for_each(|n| keeper.append(record(n)));
            keeper.rewrite(vec![record(60)]);
            keeper.append(record(61));
        });
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        assert_eq!(load(&path).unwrap().view.cursor.as_deref(), Some("c61"));
    }

    #[test]
    fn an_absent_file_says_nothing() {
        let loaded = load(Path::new("/nonexistent/known.jsonl")).unwrap();
        assert!(loaded.view.is_empty() && loaded.leases.is_empty());
    }
}
