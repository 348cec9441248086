//! Crash images: every state that a disk may be in when the power goes.
//!
//! A program runs under strace; its writes, syncs and changes of names inside one folder are
//! recorded. At any moment, what was written to a file since its last sync may be on the disk in
//! any part, and a name since the folder's last sync as well ([`Recording::images`]). Stricter
//! than most file systems: a sync of a new file does not make its name durable.
//!
//! Memory-mapped writes are not seen; files whose name ends in `-shm` are taken to be lost.

mod disk;
mod strace;

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use disk::{Disk, Files};
use strace::Event;

/// Why nothing can be recorded here; none if it can.
#[must_use]
pub fn unavailable() -> Option<String> {
    let mut probe = Command::new("strace");
    probe
        .args(["-f", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match probe.status() {
        Ok(status) if status.success() => None,
        Ok(_) => Some("strace may not trace here".into()),
        Err(_) => Some("strace is not installed".into()),
    }
}

/// What a program did to the files of a folder.
#[derive(Debug)]
pub struct Recording {
    events: Vec<Event>,
}

/// How many images to build.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// Every one.
    All,
    /// That many, picked at random from all moments.
    Some(usize),
}

/// One state that the disk may be in.
#[derive(Debug)]
pub struct Image {
    /// How many events of the recording had happened.
    pub cut: usize,
    /// Which of what was not durable is there, for people.
    pub what: String,
    /// What the program had written to its marks file by then, write by write.
    pub marks: Vec<Vec<u8>>,
    files: Files,
}

impl Image {
    /// Writes the files into an empty folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        for (name, bytes) in &self.files {
            fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    }
}

impl Recording {
    /// Runs a program and records what it does directly inside `folder`. What it writes to the
    /// file `marks` there is no part of images: each write is a mark, such as an acknowledgement.
    ///
    /// # Errors
    /// When strace cannot run, the program fails, or the trace cannot be read.
    pub fn of(program: Command, folder: &Path, marks: &str) -> Result<Self> {
        let folder = folder.canonicalize()?;
        let trace = tempfile_path();
        let traced = strace::run(program, &trace);
        let text = fs::read_to_string(&trace).context("no trace")?;
        fs::remove_file(&trace)?;
        traced?;
        let events = strace::parse(&text, &folder, marks)?;
        ensure!(
            !events.is_empty(),
            "the program did nothing in {}",
            folder.display()
        );
        Ok(Self { events })
    }

    /// Number of recorded events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The marks, in order.
    pub fn marks(&self) -> impl Iterator<Item = &[u8]> {
        self.events.iter().filter_map(Event::mark)
    }

    /// How often a file was synced.
    #[must_use]
    pub fn syncs(&self, name: &str) -> usize {
        self.events.iter().filter(|event| event.syncs(name)).count()
    }

    /// The distinct images of every moment: after each event, with every part of what was not
    /// durable then if that are at most eight operations, else with prefixes, all but one, one
    /// alone, and some at random; and with the last write torn in its middle.
    pub fn images(&self, seed: u64, choice: Choice) -> impl Iterator<Item = Image> {
        let mut random = Random(seed);
        let mut plans = self.plans(&mut random);
        let most = match choice {
            Choice::All => usize::MAX,
            Choice::Some(most) => {
                random.shuffle(&mut plans);
                most
            }
        };
        let mut seen = HashSet::new();
        plans
            .into_iter()
            .filter_map(move |plan| {
                let image = self.image(&plan);
                let mut hasher = DefaultHasher::new();
                (&image.files, image.marks.len()).hash(&mut hasher);
                seen.insert(hasher.finish()).then_some(image)
            })
            .take(most)
    }

    fn plans(&self, random: &mut Random) -> Vec<Plan> {
        let mut plans = Vec::new();
        let mut disk = Disk::default();
        plans.push(Plan {
            cut: 0,
            kept: Vec::new(),
            torn: false,
        });
        for (index, event) in self.events.iter().enumerate() {
            disk.apply(event);
            let cut = index.saturating_add(1);
            let pending = disk.pending();
            plans.extend(parts(pending, random).map(|kept| Plan {
                cut,
                kept,
                torn: false,
            }));
            if event.is_write() {
                plans.push(Plan {
                    cut,
                    kept: vec![true; pending],
                    torn: true,
                });
            }
        }
        plans
    }

    fn image(&self, plan: &Plan) -> Image {
        let mut disk = Disk::default();
        let mut marks = Vec::new();
        for event in self.events.iter().take(plan.cut) {
            disk.apply(event);
            marks.extend(event.mark().map(<[u8]>::to_vec));
        }
        let kept: String = plan
            .kept
            .iter()
            .map(|kept| if *kept { '1' } else { '0' })
            .collect();
        let torn = if plan.torn { ", the last one torn" } else { "" };
        Image {
            cut: plan.cut,
            what: format!("kept of what was pending: {kept}{torn}"),
            marks,
            files: disk.files(&plan.kept, plan.torn),
        }
    }
}

/// One image to build.
#[derive(Debug)]
struct Plan {
    cut: usize,
    kept: Vec<bool>,
    torn: bool,
}

/// Most pending operations of which every part is tried.
const EVERY_PART_MAX: usize = 8;
/// Random parts tried of more than that.
const RANDOM_PARTS: usize = 16;

/// Which of `pending` operations may have reached the disk.
fn parts(pending: usize, random: &mut Random) -> impl Iterator<Item = Vec<bool>> {
    let mut parts: Vec<Vec<bool>> = Vec::new();
    if pending <= EVERY_PART_MAX {
        parts.push(Vec::new());
        for _ in 0..pending {
            let both = |part: Vec<bool>| [false, true].map(|kept| [&*part, &[kept]].concat());
            parts = parts.into_iter().flat_map(both).collect();
        }
        return parts.into_iter();
    }
    for turn in 0..=pending {
        parts.push((0..pending).map(|at| at < turn).collect());
        parts.push((0..pending).map(|at| at != turn).collect());
        parts.push((0..pending).map(|at| at == turn).collect());
    }
    for _ in 0..RANDOM_PARTS {
        parts.push((0..pending).map(|_| random.next() & 1 == 1).collect());
    }
    parts.into_iter()
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u64::try_from(last).unwrap_or(0).saturating_add(1);
            let other = usize::try_from(self.next().checked_rem(bound).unwrap_or(0)).unwrap_or(0);
            items.swap(last, other);
        }
    }
}

fn tempfile_path() -> std::path::PathBuf {
    let mut hasher = DefaultHasher::new();
    std::thread::current().id().hash(&mut hasher);
    let name = format!("crash-{}-{:x}.strace", std::process::id(), hasher.finish());
    std::env::temp_dir().join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a shell script in a folder of its own under strace.
    fn record(script: &str) -> Option<(Recording, std::path::PathBuf)> {
        if let Some(why) = unavailable() {
            crate::skip("crash::record", &why);
            return None;
        }
        let unique = format!("crash-test-{}-{:x}", std::process::id(), script.len());
        let folder = std::env::temp_dir().join(unique);
        fs::create_dir_all(&folder).unwrap();
        let mut program = Command::new("python3");
        program.args(["-c", script]).current_dir(&folder);
        let recording = Recording::of(program, &folder, "marks").unwrap();
        Some((recording, folder))
    }

    fn states(recording: &Recording, name: &str) -> HashSet<(usize, Option<Vec<u8>>)> {
        let images = recording.images(1, Choice::All);
        images
            .map(|image| (image.marks.len(), image.files.get(name).cloned()))
            .collect()
    }

    #[test]
    fn unsynced_writes_may_be_lost_in_any_part_and_synced_ones_not() {
        let script = "
import os
m = os.open('marks', os.O_WRONLY | os.O_CREAT)
f = os.open('file', os.O_RDWR | os.O_CREAT)
d = os.open('.', os.O_RDONLY)
os.fsync(d)
os.pwrite(f, b'aa', 0)
os.pwrite(f, b'bb', 2)
os.fsync(f)
os.write(m, b'synced')
os.pwrite(f, b'CC', 0)
";
        let Some((recording, folder)) = record(script) else {
            return;
        };
        fs::remove_dir_all(folder).unwrap();
        let found = states(&recording, "file");
        let at = |marks, bytes: &[u8]| found.contains(&(marks, Some(bytes.to_vec())));
        assert!(at(0, b"") && at(0, b"aa") && at(0, b"aabb") && at(0, b"\0\0bb") && at(0, b"a"));
        assert!(found.contains(&(0, None)), "the folder was not synced yet");
        let after: HashSet<_> = found
            .iter()
            .filter(|(marks, _)| *marks == 1)
            .cloned()
            .collect();
        let expected = [&b"aabb"[..], b"CCbb", b"Cabb"].map(|bytes| (1, Some(bytes.to_vec())));
        assert_eq!(after, HashSet::from(expected));
    }

    #[test]
    fn names_come_and_go_with_the_sync_of_their_folder() {
        let script = "
import os
m = os.open('marks', os.O_WRONLY | os.O_CREAT)
f = os.open('one', os.O_WRONLY | os.O_CREAT)
os.write(f, b'x'); os.write(f, b'y')
os.fsync(f)
d = os.open('.', os.O_RDONLY)
os.fsync(d)
os.write(m, b'1')
os.rename('one', 'two')
os.fsync(d)
os.write(m, b'2')
os.unlink('two')
os.fsync(d)
os.write(m, b'3')
";
        let Some((recording, folder)) = record(script) else {
            return;
        };
        fs::remove_dir_all(folder).unwrap();
        let names = |marks: usize| -> HashSet<Vec<String>> {
            let images = recording.images(1, Choice::All);
            let images = images.filter(|image| image.marks.len() == marks);
            images
                .map(|image| image.files.keys().cloned().collect())
                .collect()
        };
        let set = |names: &[&[&str]]| -> HashSet<Vec<String>> {
            names
                .iter()
                .map(|names| names.iter().map(|n| (*n).to_owned()).collect())
                .collect()
        };
        assert_eq!(names(1), set(&[&["one"], &["two"]]));
        assert_eq!(names(2), set(&[&["two"], &[]]));
        assert_eq!(names(3), set(&[&[]]));
        let whole = states(&recording, "one");
        assert!(
            whole.contains(&(1, Some(b"xy".to_vec()))),
            "write at the file's position"
        );
    }
}
