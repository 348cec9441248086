//! Reading a dump back, without what was erased since it was made.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use stix::Timestamp;

use super::record::{Bin, EventRecord, Record};
use super::{CHUNK_EVENTS_MAX, Summary, Tally, digest_of};
use crate::StoreError;
use crate::erasures::{ErasedLine, Lines};

/// Longest line of a dump, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// A dump on its way into a store.
///
/// The payload of a version that a list of erasures names is left out here, so that its bytes reach
/// no file of the new store. Of a version that the dump does not know yet, the identity is kept: it
/// is never taken again.
pub struct Input {
    path: PathBuf,
    lines: BufReader<File>,
    read: Context,
    expected: [u8; 32],
    /// What was erased, and whether the dump has shown it: 16 bytes and a mark for each.
    erased: HashMap<[u8; 16], bool>,
    /// The lists of erasures, read again behind the dump.
    lists: Vec<PathBuf>,
    list: Option<Lines>,
    ended: bool,
    withheld: u64,
    /// Partners that were revoked, and when.
    revoked: BTreeMap<String, Timestamp>,
    revoked_since: u64,
    tally: Tally,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What came of restoring a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the store holds now; its digest is that of the dump if nothing was withheld.
    pub summary: Summary,
    /// Versions that were erased since the dump was made: their objects are not in the store.
    pub withheld: u64,
    /// Partners that were revoked since: they are revoked in the store, too.
    pub revoked: u64,
    /// The epoch that the log begins with.
    pub epoch: u64,
}

impl Input {
    /// Of the dump in a file with that digest, without what the lists name.
    ///
    /// # Errors
    /// `File`, `BadBackup`.
    pub fn open(path: &Path, digest: [u8; 32], lists: &[PathBuf]) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|error| StoreError::file(path, error))?;
        let mut erased = HashMap::new();
        for list in lists {
            for line in Lines::open(list)? {
                erased.insert(line?.key(), false);
            }
        }
        Ok(Self {
            path: path.to_owned(),
            lines: BufReader::with_capacity(1 << 20, file),
            read: Context::new(&SHA256),
            expected: digest,
            erased,
            lists: lists.to_vec(),
            list: None,
            ended: false,
            withheld: 0,
            revoked: BTreeMap::new(),
            revoked_since: 0,
            tally: Tally::default(),
        })
    }

    /// The same, with these partners revoked, whatever the dump says of them.
    #[must_use]
    pub fn with_revoked(self, revoked: BTreeMap<String, Timestamp>) -> Self {
        Self { revoked, ..self }
    }

    /// The next records, a bounded number; none at the end, which is reached only if the dump was the
    /// one of that digest.
    pub(crate) fn batch(&mut self) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        while records.len() < CHUNK_EVENTS_MAX
            && let Some(record) = self.next()?
        {
            if let Err(error) = self.tally.add(&record) {
                return Err(self.bad(&error));
            }
            records.push(record);
        }
        Ok(records)
    }

    /// What was given out; `epoch` is that of the store it went into.
    pub(crate) fn given(&mut self, epoch: u64) -> Restored {
        Restored {
            summary: std::mem::take(&mut self.tally).done(),
            withheld: self.withheld,
            revoked: self.revoked_since,
            epoch,
        }
    }

    fn next(&mut self) -> Result<Option<Record>, StoreError> {
        if !self.ended {
            if let Some(record) = self.line()? {
                let record = self.without_erased(record);
                return Ok(Some(self.with_revocation(record)));
            }
            let read = std::mem::replace(&mut self.read, Context::new(&SHA256));
            if digest_of(read) != self.expected {
                return Err(self.bad(&"it is not what the manifest says"));
            }
            self.ended = true;
        }
        self.unknown_erased()
    }

    fn line(&mut self) -> Result<Option<Record>, StoreError> {
        let mut line = Vec::new();
        let read = (&mut self.lines)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line);
        read.map_err(|error| StoreError::file(&self.path, error))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.read.update(&line);
        let record = serde_json::from_slice(&line).map_err(|error| self.bad(&error))?;
        Ok(Some(record))
    }

    fn without_erased(&mut self, mut record: Record) -> Record {
        if let Record::Event(event) = &mut record
            && event.commitment.is_some()
            && let Some(shown) = self.erased.get_mut(&key_of(event))
        {
            *shown = true;
            if event.raw.take().is_some() {
                self.withheld = self.withheld.saturating_add(1);
            }
            event.salt = None;
        }
        record
    }

    fn with_revocation(&mut self, mut record: Record) -> Record {
        if let Record::Partner(partner) = &mut record
            && partner.revoked.is_none()
            && let Some(at) = self.revoked.get(&partner.name)
        {
            partner.revoked = Some(at.as_micros());
            self.revoked_since = self.revoked_since.saturating_add(1);
        }
        record
    }

    /// The next of the erased versions that the dump does not know: in no lane, with nothing but its
    /// identity.
    fn unknown_erased(&mut self) -> Result<Option<Record>, StoreError> {
        loop {
            let Some(list) = &mut self.list else {
                let Some(path) = self.lists.pop() else {
                    return Ok(None);
                };
                self.list = Some(Lines::open(&path)?);
                continue;
            };
            let Some(line) = list.next().transpose()? else {
                self.list = None;
                continue;
            };
            if let Some(shown @ false) = self.erased.get_mut(&line.key()) {
                *shown = true;
                self.withheld = self.withheld.saturating_add(1);
                return Ok(Some(identity(line)));
            }
        }
    }

    fn bad(&self, why: &dyn std::fmt::Display) -> StoreError {
        StoreError::BadBackup(format!("{}: {why}", self.path.display()))
    }
}

fn key_of(event: &EventRecord) -> [u8; 16] {
    ErasedLine::key_of(&event.source, &event.id, event.version)
}

fn identity(line: ErasedLine) -> Record {
    Record::Event(Box::new(EventRecord {
        event: "accept".to_owned(),
        source: line.source,
        id: line.id,
        version: line.version,
        spec_version: None,
        valid_until: None,
        superseded: false,
        commitment: Some(Bin::default()),
        community: None,
        addressed: vec![],
        salt: None,
        raw: None,
    }))
}

/// The rows of events in a batch of records, with the numbers of their events; `next` is that of the
/// first, and is moved on.
pub(crate) fn rows_of<'a>(records: &'a [Record], next: &mut i64) -> Vec<(i64, &'a EventRecord)> {
    let events = records.iter().filter_map(|record| match record {
        Record::Event(event) => Some(&**event),
        Record::Meta(_)
        | Record::Partner(_)
        | Record::Invitation(_)
        | Record::Token(_)
        | Record::Certificate(_) => None,
    });
    let mut rows = Vec::with_capacity(records.len());
    for event in events {
        rows.push((*next, event));
        *next = next.saturating_add(1);
    }
    rows
}
