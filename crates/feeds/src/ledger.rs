//! What a source told before: lines of JSON that only grow. It is what makes an import that is
//! repeated change nothing, one that was cut off go on, and what a source no longer tells be
//! taken back.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stix::{Object, StixId, Timestamp, Tlp};

/// What was shared of one thing: a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The object.
    pub id: StixId,
    /// What the object was derived from, where that is another identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<StixId>,
    /// How often it was taken back and told again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Of its content, times apart.
    pub digest: u64,
    /// `created`.
    pub created: Timestamp,
    /// `modified`.
    pub modified: Timestamp,
    /// Whether it was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    /// `valid_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// `valid_until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// An indicator's pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Box<str>>,
    /// The language of the pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern_type: Option<Box<str>>,
    /// The marking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tlp: Option<Tlp>,
    /// The author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<StixId>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Line {
    /// What is remembered of an object.
    #[must_use]
    pub fn of(object: &Object, digest: u64, base: &StixId, generation: u32) -> Self {
        let head = object.head();
        let version = object.version();
        let pattern = head.pattern.as_ref();
        Self {
            id: head.id.clone(),
            base: (head.id != *base).then(|| base.clone()),
            generation,
            digest,
            created: head.created.unwrap_or(version),
            modified: version,
            revoked: head.revoked,
            from: head.valid_from,
            until: head.valid_until,
            pattern: pattern.map(|raw| raw.pattern.clone()),
            pattern_type: pattern.map(|raw| raw.pattern_type.clone()),
            tlp: head.tlp(),
            by: head.created_by.clone(),
        }
    }

    /// What is remembered of an object that is shared as it came.
    #[must_use]
    pub fn of_foreign(object: &Object) -> Self {
        let digest = crate::author::first_eight(&object.digest());
        Self::of(object, digest, &object.head().id, 0)
    }

    /// Writes the line.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        out.write_all(&text)
    }

    fn known(&self) -> Known {
        Known {
            digest: self.digest,
            created: self.created,
            modified: self.modified,
            until: self.until,
            generation: self.generation,
            revoked: self.revoked,
        }
    }

    fn base(&self) -> &StixId {
        self.base.as_ref().unwrap_or(&self.id)
    }
}

/// What is kept in memory of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Of the content.
    pub digest: u64,
    /// `created`.
    pub created: Timestamp,
    /// `modified`.
    pub modified: Timestamp,
    /// `valid_until`.
    pub until: Option<Timestamp>,
    /// How often it was taken back and told again.
    pub generation: u32,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// A file of lines that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The bytes cannot be had.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is damaged. The last one may be: it was being written when something was cut off.
    #[error("line {0} is damaged; remove the line, or the file to begin anew")]
    Damaged(u64),
    /// More things than are remembered.
    #[error("more than {ENTRIES_MAX} things; split the source")]
    TooMany,
}

/// Most things that are remembered of a source: some 100 bytes of memory each.
pub const ENTRIES_MAX: usize = 20_000_000;

/// What a source told before.
#[derive(Debug, Default)]
pub struct Ledger {
    known: HashMap<u128, (Known, bool)>,
    live: usize,
    seen_live: usize,
    lines: u64,
}

/// A thing that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// For the first time in this run, with what is known of it from before.
    First(Option<Known>),
    /// Again in this run, with what was known of it before, or has been since ([`Ledger::told`]).
    Again(Option<Known>),
    /// There is no room to remember it.
    NoRoom,
}

impl Ledger {
    /// Reads the lines; of several about one thing the last counts.
    ///
    /// # Errors
    /// [`LedgerError`], when they cannot be read.
    pub fn read(input: &mut dyn BufRead) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        each(input, &mut |line| {
            if ledger.known.len() >= ENTRIES_MAX {
                return Err(LedgerError::TooMany);
            }
            let known = line.known();
            ledger.lines = ledger.lines.saturating_add(1);
            ledger.known.insert(key(line.base()), (known, false));
            Ok(())
        })?;
        ledger.live = ledger
            .known
            .values()
            .filter(|(known, _)| !known.revoked)
            .count();
        Ok(ledger)
    }

    /// Notes that a thing is told.
    pub fn meet(&mut self, base: &StixId) -> Met {
        let room = self.known.len() < ENTRIES_MAX;
        match self.known.get_mut(&key(base)) {
            Some((known, true)) => Met::Again((*known != NEW).then_some(*known)),
            Some((known, seen)) => {
                *seen = true;
                // A thing that is told for the first time has no version yet.
                if !known.revoked {
                    self.seen_live = self.seen_live.saturating_add(1);
                }
                Met::First(Some(*known))
            }
            None if !room => Met::NoRoom,
            None => {
                self.known.insert(key(base), (NEW, true));
                Met::First(None)
            }
        }
    }

    /// Whether a thing was told, and not taken back since.
    #[must_use]
    pub fn holds(&self, base: &StixId) -> bool {
        let known = self.known.get(&key(base));
        known.is_some_and(|(known, _)| !known.revoked)
    }

    /// Notes what was made of a thing in this run.
    pub fn told(&mut self, base: &StixId, line: &Line) {
        if let Some((known, _)) = self.known.get_mut(&key(base)) {
            *known = line.known();
        }
    }

    /// How many things were in force before this run, and how many of them it did not tell.
    #[must_use]
    pub fn missing(&self) -> (usize, usize) {
        (self.live, self.live.saturating_sub(self.seen_live))
    }

    /// Reads the lines again and gives those in force that this run did not tell.
    ///
    /// # Errors
    /// [`LedgerError`], and what `take` returns.
    pub fn each_missing(
        &self,
        input: &mut dyn BufRead,
        take: &mut dyn FnMut(Line) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        each(input, &mut |line| {
            let last = self.known.get(&key(line.base()));
            let missing = last.is_some_and(|(known, seen)| !seen && *known == line.known());
            match missing && !line.revoked {
                true => take(line),
                false => Ok(()),
            }
        })
    }
}

/// Stands for what is told for the first time.
const NEW: Known = Known {
    digest: 0,
    created: Timestamp::EPOCH,
    modified: Timestamp::EPOCH,
    until: None,
    generation: 0,
    revoked: true,
};

/// Longest line, in bytes: that of the longest pattern, written with escapes.
const LINE_BYTES_MAX: u64 = 2 << 20;

fn each(
    input: &mut dyn BufRead,
    take: &mut dyn FnMut(Line) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let (mut text, mut number) = (Vec::new(), 0_u64);
    loop {
        text.clear();
        let mut bounded = io::Read::take(&mut *input, LINE_BYTES_MAX);
        if bounded.read_until(b'\n', &mut text)? == 0 {
            return Ok(());
        }
        number = number.saturating_add(1);
        match (serde_json::from_slice(&text), text.ends_with(b"\n")) {
            (Ok(line), true) => take(line)?,
            // What was being written when something was cut off was not acknowledged to anyone.
            (_, false) if u64::try_from(text.len()).unwrap_or(u64::MAX) < LINE_BYTES_MAX => {}
            (_, _) => return Err(LedgerError::Damaged(number)),
        }
    }
}

/// Identifiers of different types may share a UUID.
fn key(id: &StixId) -> u128 {
    let digest: [u8; 32] = Sha256::digest(id.as_str().as_bytes()).into();
    u128::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, revoked: bool, modified: i64) -> Line {
        Line {
            id: StixId::v5("indicator", name),
            base: None,
            generation: 0,
            digest: 7,
            created: Timestamp::EPOCH,
            modified: Timestamp::from_micros(modified),
            revoked,
            from: None,
            until: None,
            pattern: Some("[ipv4-addr:value = '192.0.2.1']".into()),
            pattern_type: Some("stix".into()),
            tlp: Some(Tlp::Green),
            by: None,
        }
    }

    fn text(lines: &[Line]) -> Vec<u8> {
        let mut text = Vec::new();
        for line in lines {
            line.write(&mut text).unwrap();
        }
        text
    }

    fn missing(ledger: &Ledger, text: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut take = |line| {
            lines.push(line);
            Ok(())
        };
        ledger.each_missing(&mut &*text, &mut take).unwrap();
        lines
    }

    #[test]
    fn the_last_line_counts_and_what_is_not_told_is_missing() {
        let lines = [
            line("a", false, 1),
            line("b", false, 1),
            line("b", false, 2),
            line("c", true, 3),
        ];
        let text = text(&lines);
        let mut ledger = Ledger::read(&mut &*text).unwrap();
        let id = |name| StixId::v5("indicator", name);
        assert_eq!(ledger.missing(), (2, 2));
        assert!(matches!(ledger.meet(&id("a")), Met::First(Some(known)) if !known.revoked));
        assert_eq!(
            ledger.meet(&id("a")),
            Met::Again(Some(line("a", false, 1).known()))
        );
        assert_eq!(ledger.meet(&id("new")), Met::First(None));
        assert_eq!(ledger.meet(&id("new")), Met::Again(None));
        let newer = line("new", false, 5);
        ledger.told(&id("new"), &newer);
        assert_eq!(ledger.meet(&id("new")), Met::Again(Some(newer.known())));
        assert!(matches!(ledger.meet(&id("c")), Met::First(Some(known)) if known.revoked));
        assert_eq!(ledger.missing(), (2, 1));
        assert_eq!(missing(&ledger, &text), [line("b", false, 2)]);
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out_and_a_damaged_one_is_named() {
        let mut text = text(&[line("a", false, 1), line("b", false, 1)]);
        let whole = text.len();
        text.truncate(whole - 5);
        assert_eq!(Ledger::read(&mut &*text).unwrap().missing(), (1, 1));
        text.extend_from_slice(b"\n");
        assert!(matches!(
            Ledger::read(&mut &*text),
            Err(LedgerError::Damaged(2))
        ));
    }
}
