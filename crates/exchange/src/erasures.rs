//! The list of what was erased: identities, no payload, in a file beside the store.
//!
//! A backup that was made before an erasure still has the payload. Whoever restores it reads this
//! file, which is not part of the store and thus does not go back in time with it. An erasure is
//! acknowledged when it is in the log **and** in this file; what the log has and the file has not yet
//! (the power failed between the two) is added when the hub starts, before it serves.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use stix::{StixId, Timestamp};
use tokio::sync::Mutex;

use crate::store::ERASED_MAX;
use crate::{Log, StoreError};

/// Longest line of the list, in bytes.
const LINE_BYTES_MAX: u64 = 16 << 10;

/// A version that was erased, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedVersion {
    /// The number of its event, which never leaves this crate but for the list.
    pub(crate) seq: u64,
    /// The partner that had shared it.
    pub source: Arc<str>,
    /// The object's identifier.
    pub id: StixId,
    /// The version.
    pub version: Timestamp,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErasedLine {
    epoch: u64,
    seq: u64,
    pub(crate) source: String,
    pub(crate) id: String,
    /// Microseconds since 1970.
    pub(crate) version: i64,
}

impl ErasedLine {
    /// What stands for an identity where very many are held.
    pub(crate) fn key(&self) -> [u8; 16] {
        Self::key_of(&self.source, &self.id, self.version)
    }

    pub(crate) fn key_of(source: &str, id: &str, version: i64) -> [u8; 16] {
        let mut context = Context::new(&SHA256);
        for part in [source.as_bytes(), &[0], id.as_bytes(), &[0]] {
            context.update(part);
        }
        context.update(&version.to_be_bytes());
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        key
    }
}

/// The list of a hub. One hub writes it.
#[derive(Debug)]
pub struct Erasures {
    path: PathBuf,
    end: Mutex<End>,
}

/// How far the list goes.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Bytes of whole lines.
    length: u64,
    /// Of the last line.
    epoch: u64,
    seq: u64,
}

impl Erasures {
    /// Opens or creates the list. A line that was cut off by a crash was never acknowledged and is
    /// written over.
    ///
    /// # Errors
    /// `File`; `BadBackup` for a file that is no such list.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let is_new = !path.exists();
        let file = writable(path).map_err(|error| StoreError::file(path, error))?;
        if is_new {
            file.sync_all()
                .and_then(|()| sync_folder(path))
                .map_err(|error| StoreError::file(path, error))?;
        }
        let (length, last) = last_line(file).map_err(|error| StoreError::file(path, error))?;
        let last = match last.as_slice() {
            [] => None,
            line => Some(parse(path, line)?),
        };
        let end = End {
            length,
            epoch: last.as_ref().map_or(0, |line| line.epoch),
            seq: last.as_ref().map_or(0, |line| line.seq),
        };
        Ok(Self {
            path: path.to_owned(),
            end: Mutex::new(end),
        })
    }

    /// Adds what the log has erased and the list does not have; durable when it returns. Of a log in
    /// a new epoch that is everything that it ever erased: it may be another one.
    ///
    /// # Errors
    /// `File`; errors of the database.
    pub async fn catch_up(&self, log: &impl Log) -> Result<(), StoreError> {
        let mut end = self.end.lock().await;
        loop {
            let epoch = log.epoch();
            let after = if end.epoch == epoch { end.seq } else { 0 };
            let erased = log.erased(after, ERASED_MAX).await?;
            let Some(last) = erased.last() else {
                return Ok(());
            };
            let seq = last.seq;
            let lines = lines(epoch, &erased)?;
            let length = end.length;
            let added = u64::try_from(lines.len()).unwrap_or(u64::MAX);
            let path = self.path.clone();
            let written = tokio::task::spawn_blocking(move || append(&path, length, &lines)).await;
            written
                .map_err(io::Error::other)
                .flatten()
                .map_err(|error| StoreError::file(&self.path, error))?;
            *end = End {
                length: length.saturating_add(added),
                epoch,
                seq,
            };
        }
    }
}

/// Adds to one list what others have and it has not; durable when it returns. The hub must not run. Holds
/// 16 bytes for each line.
///
/// # Errors
/// `File`, `BadBackup`.
pub fn merge(into: &Path, others: &[PathBuf]) -> Result<(), StoreError> {
    let mut known = std::collections::HashSet::new();
    let mut lines = Lines::open(into)?;
    for line in &mut lines {
        known.insert(line?.key());
    }
    let length = lines.whole;
    let mut bytes = Vec::new();
    for other in others.iter().filter(|other| *other != into) {
        for line in Lines::open(other)? {
            let line = line?;
            if known.insert(line.key()) {
                // Of no epoch: whatever log comes, all that it erased is added behind.
                let line = ErasedLine {
                    epoch: 0,
                    seq: 0,
                    ..line
                };
                put(&mut bytes, &line)?;
            }
        }
    }
    let failed = |error| StoreError::file(into, error);
    if bytes.is_empty() && into.exists() {
        return Ok(());
    }
    append(into, length, &bytes).map_err(failed)?;
    sync_folder(into).map_err(failed)
}

/// The lines of a list, up to one that was cut off; none of a file that is not there.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    file: Option<BufReader<File>>,
    /// Bytes of the lines read.
    whole: u64,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = match File::open(path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(StoreError::file(path, error)),
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            whole: 0,
        })
    }
}

impl Iterator for Lines {
    type Item = Result<ErasedLine, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let file = self.file.as_mut()?;
        let mut line = Vec::new();
        let read = file.take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if let Err(error) = read {
            return Some(Err(StoreError::file(&self.path, error)));
        }
        if line.last() != Some(&b'\n') {
            return None;
        }
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        self.whole = self.whole.saturating_add(length);
        Some(parse(&self.path, &line))
    }
}

fn parse(path: &Path, line: &[u8]) -> Result<ErasedLine, StoreError> {
    serde_json::from_slice(line).map_err(|error| {
        let path = path.display();
        StoreError::BadBackup(format!("{path} is no list of erasures: {error}"))
    })
}

fn lines(epoch: u64, erased: &[ErasedVersion]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for of in erased {
        let line = ErasedLine {
            epoch,
            seq: of.seq,
            source: of.source.to_string(),
            id: of.id.to_string(),
            version: of.version.as_micros(),
        };
        put(&mut bytes, &line)?;
    }
    Ok(bytes)
}

fn put(bytes: &mut Vec<u8>, line: &ErasedLine) -> Result<(), StoreError> {
    serde_json::to_writer(&mut *bytes, line)
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    bytes.push(b'\n');
    Ok(())
}

fn writable(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
}

/// Writes behind so many bytes, over what an attempt that failed left there.
fn append(path: &Path, length: u64, lines: &[u8]) -> io::Result<()> {
    let file = writable(path)?;
    file.set_len(length)?;
    file.write_all_at(lines, length)?;
    file.sync_all()
}

/// Where the whole lines end, and the last of them.
fn last_line(mut file: File) -> io::Result<(u64, Vec<u8>)> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(LINE_BYTES_MAX.saturating_mul(2));
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(last) = tail.iter().rposition(|byte| *byte == b'\n') else {
        return Ok((0, Vec::new()));
    };
    let whole = tail.get(..last).unwrap_or_default();
    let begin = whole.iter().rposition(|byte| *byte == b'\n');
    let line = whole.get(begin.map_or(0, |at| at.saturating_add(1))..);
    let end = u64::try_from(last.saturating_add(1)).unwrap_or(u64::MAX);
    Ok((start.saturating_add(end), line.unwrap_or_default().to_vec()))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: u64) -> ErasedLine {
        ErasedLine {
            epoch: 7,
            seq: n,
            source: "alpha".to_owned(),
            id: format!("indicator--{n}"),
            version: 1,
        }
    }

    fn bytes(numbers: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for n in numbers {
            put(&mut bytes, &line(*n)).unwrap();
        }
        bytes
    }

    #[test]
    fn a_line_cut_off_by_a_crash_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("erasures.jsonl");
        let whole = bytes(&[1, 2]);
        let cut = [whole.clone(), br#"{"epoch":7,"se"#.to_vec()].concat();
        std::fs::write(&path, cut).unwrap();
        let list = Erasures::open(&path).unwrap();
        let end = *list.end.try_lock().unwrap();
        assert_eq!((end.length, end.epoch, end.seq), (whole.len() as u64, 7, 2));
        let read: Vec<_> = Lines::open(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, [line(1), line(2)]);
        append(&path, end.length, &bytes(&[3])).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes(&[1, 2, 3]));
    }

    #[test]
    fn lists_are_joined_without_what_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, bytes(&[1, 2])).unwrap();
        std::fs::write(&two, bytes(&[2, 3])).unwrap();
        for _ in 0..2 {
            merge(&one, &[two.clone(), one.clone()]).unwrap();
            let ids: Vec<String> = Lines::open(&one)
                .unwrap()
                .map(|line| line.unwrap().id)
                .collect();
            assert_eq!(ids, ["indicator--1", "indicator--2", "indicator--3"]);
        }
        std::fs::write(&two, "something else\n").unwrap();
        assert!(matches!(
            Erasures::open(&two),
            Err(StoreError::BadBackup(_))
        ));
    }
}
