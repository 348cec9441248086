//! The journal: one JSON object a line for every decision, written after the fact by a thread of
//! its own, so that no packet and no frame ever waits for a disk.
//!
//! A full queue loses entries and counts them ([`Journal::lost`]); a full file is rotated. The
//! journal explains what was done; nothing is ever restored from it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde::Serialize;
use stix::lease::EvidenceClass;
use stix::{StixId, Timestamp};

use crate::clock::Now;
use crate::leases::Origin;

/// Most entries that wait to be written.
pub const QUEUE_MAX: usize = 16_384;
/// Size at which a file is rotated, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 << 20;
/// Files kept besides the one that is written to: `journal.1.jsonl` is the newest of them.
pub const ROTATED_MAX: u32 = 4;

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Own detection judged.
    Verdict {
        /// First packet of the completing action to now, microseconds.
        detect_us: u64,
        /// How sure the origin is.
        evidence: EvidenceClass,
        /// Who.
        #[serde(skip_serializing_if = "Option::is_none")]
        offender: Option<IpAddr>,
        /// Detector, `name@version`.
        detector: &'static str,
        /// What is shared for it, if anything.
        #[serde(skip_serializing_if = "Option::is_none")]
        object: Option<StixId>,
        /// Why, for people.
        reasons: Vec<String>,
    },
    /// A signal was spooled and is on its way to the hub.
    Signal {
        /// Its objects.
        objects: Vec<StixId>,
        /// Its place in the spool.
        spooled: u64,
    },
    /// The hub has a signal durably.
    Acknowledged {
        /// Its objects.
        objects: Vec<StixId>,
    },
    /// The hub will never take a signal; it was taken out of the spool.
    Rejected {
        /// Its objects.
        objects: Vec<StixId>,
        /// What the hub said.
        why: String,
    },
    /// A frame was read; `mono_ns` is when its last byte was.
    Frame {
        /// Which lane.
        lane: taxii::push::Lane,
        /// Position before it.
        from: u64,
        /// Position after it.
        to: u64,
        /// Objects in it.
        objects: Vec<StixId>,
    },
    /// A lease was installed.
    Lease {
        /// Who asked.
        object: StixId,
        /// The partner.
        #[serde(serialize_with = "text")]
        source: Arc<str>,
        /// Own verdict or exchange.
        origin: Origin,
        /// What the kernel matches.
        key: KeyText,
        /// What the kernel does.
        action: &'static str,
        /// When the cause was read, `CLOCK_MONOTONIC` nanoseconds.
        frame_ns: u64,
        /// When the kernel had it, `CLOCK_MONOTONIC` nanoseconds.
        installed_ns: u64,
        /// When it ends.
        ends_at: Timestamp,
        /// What weakened it.
        #[serde(skip_serializing_if = "str::is_empty")]
        why: Box<str>,
    },
    /// A lease was asked for and not installed.
    Refused {
        /// Who asked.
        object: StixId,
        /// The partner.
        #[serde(serialize_with = "text")]
        source: Arc<str>,
        /// For what.
        selector: String,
        /// Why not.
        why: String,
    },
    /// The first packet of a lease, or the first that a rate limit dropped.
    FirstHit {
        /// Who asked.
        object: StixId,
        /// When the cause was read, `CLOCK_MONOTONIC` nanoseconds.
        frame_ns: u64,
        /// First match, `CLOCK_MONOTONIC` nanoseconds.
        first_hit_ns: u64,
        /// First drop, `CLOCK_MONOTONIC` nanoseconds; 0: none yet.
        first_drop_ns: u64,
    },
    /// A lease went because its source withdrew it.
    Revoked {
        /// What had asked.
        object: StixId,
        /// When the withdrawal was read, `CLOCK_MONOTONIC` nanoseconds.
        frame_ns: u64,
    },
    /// A lease ended.
    Expired {
        /// What had asked.
        object: StixId,
    },
    /// Rules were read or taken from partners, and are looked for from here on; or they are not.
    Rules {
        /// `own` or `partners`.
        whose: &'static str,
        /// Whether they are looked for. If not, those of before are.
        taken: bool,
        /// How many there are.
        rules: usize,
        /// How many were refused.
        refused: usize,
        /// The first of those, with place and reason.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        refused_first: Vec<String>,
        /// What else was wrong: files that are named and not there, or why nothing was taken.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
        /// How long it took, milliseconds.
        took_ms: u64,
    },
    /// A pack came to another stage, and that is in effect from here on.
    Pack {
        /// Who publishes it.
        publisher: String,
        /// The pack.
        name: String,
        /// Its version.
        version: String,
        /// Its digest.
        digest: pack::Digest,
        /// How far it is now.
        stage: &'static str,
        /// Who had it so.
        by: String,
        /// Why.
        why: String,
    },
    /// Entries are missing between what we have and what came.
    Gap {
        /// Which lane.
        lane: taxii::push::Lane,
        /// Our position.
        have: u64,
        /// Where the frame starts.
        from: u64,
    },
    /// The view is fetched anew.
    Resync {
        /// Whether from nothing rather than from a cursor.
        scratch: bool,
        /// Why.
        why: String,
    },
    /// A pack was fetched from a repository at the hub.
    PackFetched {
        /// Which repository.
        repository: String,
        /// Where it is.
        file: String,
        /// Its version.
        version: String,
        /// Its sequence.
        sequence: u64,
        /// SHA-256 of the file.
        sha256: String,
    },
    /// A repository, or a pack of it, was refused; what is here stays as it is.
    PackRefused {
        /// Which repository.
        repository: String,
        /// Which pack; empty: all of it.
        #[serde(skip_serializing_if = "String::is_empty")]
        pack: String,
        /// In a word; none where the hub does not answer, or a file of ours is at fault.
        #[serde(skip_serializing_if = "Option::is_none")]
        refusal: Option<&'static str>,
        /// What exactly, and what mends it.
        why: String,
    },
    /// The shield or its connection changed state.
    State {
        /// What it is now.
        what: String,
    },
}

fn text<S: serde::Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

/// A kernel key, for people and scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyText {
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

impl From<&datapath::enforce::Key> for KeyText {
    fn from(key: &datapath::enforce::Key) -> Self {
        let source = key.source.to_string();
        Self {
            source,
            proto: key.service.map(|s| s.proto),
            port: key.service.map(|s| s.port),
        }
    }
}

/// Where entries are handed in. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl Journal {
    /// Opens `folder/journal.jsonl` for appending and starts the thread that writes it. The
    /// thread ends when the last [`Journal`] is dropped and everything is written.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread not be started.
    pub fn open(folder: &Path) -> io::Result<(Self, JoinHandle<()>)> {
        let mut writer = Writer::open(folder.join("journal.jsonl"), FILE_BYTES_MAX)?;
        let (queue, entries) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&entries))?;
        Ok((
            Self {
                queue,
                lost: Arc::default(),
            },
            thread,
        ))
    }

    /// Hands in what happened at `now`. Never waits.
    ///
    /// # Failure bias
    /// Open: if the disk is slower than the events, entries are lost and counted; decisions go on.
    pub fn write(&self, now: Now, event: Event) {
        let line = Line {
            at: now.wall,
            mono_ns: now.mono_ns,
            event,
        };
        if self.queue.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Entries lost since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// One line of the file.
#[derive(Debug, Serialize)]
struct Line {
    at: Timestamp,
    mono_ns: u64,
    #[serde(flatten)]
    event: Event,
}

/// Writes lines and rotates files.
struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    bytes_max: u64,
}

impl Writer {
    fn open(path: PathBuf, bytes_max: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path,
            file: BufWriter::new(file),
            bytes,
            bytes_max,
        })
    }

    fn run(&mut self, entries: &Receiver<Line>) {
        while let Ok(line) = entries.recv() {
            let mut result = self.append(&line);
            while let Ok(line) = entries.try_recv() {
                result = result.and_then(|()| self.append(&line));
            }
            if let Err(error) = result.and_then(|()| self.file.flush()) {
                tracing::error!(path = %self.path.display(), %error, "journal not written");
            }
        }
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(len) > self.bytes_max {
            self.rotate()?;
        }
        self.bytes = self.bytes.saturating_add(len);
        self.file.write_all(&text)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        for n in (1..ROTATED_MAX).rev() {
            rename_if_there(&self.rotated(n), &self.rotated(n.saturating_add(1)))?;
        }
        rename_if_there(&self.path, &self.rotated(1))?;
        *self = Self::open(self.path.clone(), self.bytes_max)?;
        Ok(())
    }

    fn rotated(&self, n: u32) -> PathBuf {
        self.path.with_extension(format!("{n}.jsonl"))
    }
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Now {
        Now {
            mono_ns: 7,
            wall: Timestamp::from_micros(1_000_000),
        }
    }

    fn event(n: u64) -> Event {
        Event::FirstHit {
            object: StixId::v5("indicator", "x"),
            frame_ns: n,
            first_hit_ns: 2,
            first_drop_ns: 3,
        }
    }

    #[test]
    fn a_line_is_one_object_with_both_clocks() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, thread) = Journal::open(folder.path()).unwrap();
        journal.write(now(), event(1));
        drop(journal);
        thread.join().unwrap();
        let text = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["event"], "first-hit");
        assert_eq!(line["mono_ns"], 7);
        assert_eq!(line["at"], "1970-01-01T00:00:01.000Z");
        assert_eq!(line["frame_ns"], 1);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn files_rotate_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path().join("journal.jsonl"), 300).unwrap();
        for n in 0..40 {
            let now = now();
            writer
                .append(&Line {
                    at: now.wall,
                    mono_ns: now.mono_ns,
                    event: event(n),
                })
                .unwrap();
        }
        writer.file.flush().unwrap();
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names.len(), 5, "{names:?}");
        let newest = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
        assert!(newest.contains("\"frame_ns\":39"));
        for name in names {
            assert!(std::fs::metadata(folder.path().join(name)).unwrap().len() <= 300);
        }
    }

    #[test]
    fn a_full_queue_loses_and_counts() {
        let (queue, _entries) = sync_channel(1);
        let journal = Journal {
            queue,
            lost: Arc::default(),
        };
        journal.write(now(), event(1));
        journal.write(now(), event(2));
        assert_eq!(journal.lost(), 1);
    }
}
