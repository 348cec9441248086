//! What a batch adds to the log, numbered and dated, and how it is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use stix::{Object, StixId, Timestamp};

use super::ends::{Ends, LaneEnd, just_after};
use super::{Identity, Item, Spread, Tables, Verdict, commit_to};
use crate::entry::tombstone;
use crate::{
    Appended, Entry, Erased, EventKind, Lane, LaneEntries, Outcome, StoreError, Submission,
};

/// Everything that a batch adds.
#[derive(Debug)]
pub(super) struct Plan {
    ends: Ends,
    now: Timestamp,
    rows: Rows,
    lanes: BTreeMap<Option<Arc<str>>, Vec<Entry>>,
    /// Latest version by lane, id and source among what this batch adds.
    versions: HashMap<LaneObject, Timestamp>,
    /// `date_added` of each new submission as its source sees it.
    dates: BTreeMap<usize, Timestamp>,
    latest: Timestamp,
}

/// Lane (the community's under no name), id and source.
type LaneObject = (Option<Arc<str>>, StixId, Arc<str>);

/// What a batch adds to the tables.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// One for each new object.
    pub(crate) heads: Vec<HeadRow>,
    /// One for each new object, in the same order; or one for each that is erased.
    pub(crate) events: Vec<EventRow>,
    pub(crate) addressed: Vec<AddressedRow>,
}

#[derive(Debug)]
pub(crate) struct HeadRow {
    pub(crate) n: i64,
    /// Of the submission in its batch.
    pub(crate) index: usize,
    pub(crate) salt: [u8; SALT_LENGTH],
    pub(crate) commitment: [u8; 32],
}

#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) seq: i64,
    pub(crate) head: i64,
    pub(crate) kind: EventKind,
    pub(crate) community: Option<i64>,
    pub(crate) date_added: Option<i64>,
    pub(crate) stale: bool,
}

#[derive(Debug)]
pub(crate) struct AddressedRow {
    pub(crate) partner: Arc<str>,
    pub(crate) position: i64,
    pub(crate) seq: i64,
    pub(crate) date_added: i64,
    pub(crate) stale: bool,
}

const SALT_LENGTH: usize = 16;

impl Plan {
    pub(super) fn new(ends: Ends, now: Timestamp) -> Self {
        Self {
            ends,
            now,
            rows: Rows::default(),
            lanes: BTreeMap::new(),
            versions: HashMap::new(),
            dates: BTreeMap::new(),
            latest: Timestamp::MIN,
        }
    }

    /// Adds one event, in each lane of its spread; `newer` are those that hold a newer version.
    pub(super) async fn add(
        &mut self,
        tables: &mut impl Tables,
        item: &Item<'_>,
        newer: &Spread,
    ) -> Result<(), StoreError> {
        self.ends.head = self.ends.head.saturating_add(1);
        self.ends.seq = self.ends.seq.saturating_add(1);
        let (seq, head) = (self.ends.seq, self.ends.head);
        let (salt, commitment) = ([0; SALT_LENGTH], [0; 32]);
        self.rows.heads.push(HeadRow {
            n: head,
            index: item.index,
            salt,
            commitment,
        });
        let mut event = EventRow {
            seq,
            head,
            kind: kind_of(&item.submission.object),
            community: None,
            date_added: None,
            stale: false,
        };
        if item.spread.community {
            let end = self.ends.community.advance(self.now);
            event.community = Some(end.position);
            event.date_added = Some(end.date.as_micros());
            event.stale = self.enter(None, item.submission, end, newer.community);
            self.dates.insert(item.index, end.date);
        }
        self.rows.events.push(event);
        for partner in &item.spread.partners {
            self.address(tables, partner, item, seq, newer).await?;
        }
        Ok(())
    }

    async fn address(
        &mut self,
        tables: &mut impl Tables,
        partner: &Arc<str>,
        item: &Item<'_>,
        seq: i64,
        newer: &Spread,
    ) -> Result<(), StoreError> {
        let earliest = self.now.max(just_after(self.ends.community.date));
        let end = self.ends.addressed(tables, partner).await?;
        let end = end.advance(earliest);
        let known = newer.partners.contains(partner);
        let stale = self.enter(Some(partner), item.submission, end, known);
        self.rows.addressed.push(AddressedRow {
            partner: Arc::clone(partner),
            position: end.position,
            seq,
            date_added: end.date.as_micros(),
            stale,
        });
        if *partner == item.submission.source {
            // Its source sees an event of both lanes first in the community's.
            self.dates.entry(item.index).or_insert(end.date);
        }
        Ok(())
    }

    /// Adds the entry of one lane; whether it is stale there.
    fn enter(
        &mut self,
        partner: Option<&Arc<str>>,
        submission: &Submission,
        end: LaneEnd,
        newer_known: bool,
    ) -> bool {
        let (head, version) = (submission.object.head(), submission.object.version());
        let key = (
            partner.cloned(),
            head.id.clone(),
            Arc::clone(&submission.source),
        );
        let latest = self.versions.entry(key).or_insert(version);
        let stale = newer_known || *latest > version;
        *latest = version.max(*latest);
        let entry = Entry {
            event: kind_of(&submission.object),
            lane: lane_of(partner),
            position: u64::try_from(end.position).unwrap_or(0),
            source: Arc::clone(&submission.source),
            date_added: end.date,
            stale,
            id: head.id.clone(),
            version,
            valid_until: head.valid_until,
            spec_version: head.spec_version.clone(),
            raw: Bytes::from_owner(submission.object.raw_shared()),
        };
        self.put(partner, entry);
        stale
    }

    fn put(&mut self, partner: Option<&Arc<str>>, entry: Entry) {
        self.latest = self.latest.max(entry.date_added);
        self.lanes.entry(partner.cloned()).or_default().push(entry);
    }

    /// Adds the event that a version was erased, in each lane that holds it; where there is a newer
    /// one it is stale.
    pub(super) async fn erase(
        &mut self,
        tables: &mut impl Tables,
        version: &Identity<'_>,
        head: i64,
        (spread, newer): (&Spread, &Spread),
    ) -> Result<(), StoreError> {
        self.ends.seq = self.ends.seq.saturating_add(1);
        let seq = self.ends.seq;
        let mut event = EventRow {
            seq,
            head,
            kind: EventKind::Erase,
            community: None,
            date_added: None,
            stale: newer.community,
        };
        if spread.community {
            let end = self.ends.community.advance(self.now);
            event.community = Some(end.position);
            event.date_added = Some(end.date.as_micros());
            self.put(None, erased(version, None, end, newer.community));
        }
        self.rows.events.push(event);
        for partner in &spread.partners {
            let earliest = self.now.max(just_after(self.ends.community.date));
            let end = self.ends.addressed(tables, partner).await?;
            let end = end.advance(earliest);
            let stale = newer.partners.contains(partner);
            self.rows.addressed.push(AddressedRow {
                partner: Arc::clone(partner),
                position: end.position,
                seq,
                date_added: end.date.as_micros(),
                stale,
            });
            self.put(Some(partner), erased(version, Some(partner), end, stale));
        }
        Ok(())
    }

    pub(super) fn salt_and_commit_to_payloads(
        &mut self,
        batch: &[Submission],
    ) -> Result<(), StoreError> {
        let mut salts = vec![0; self.rows.heads.len().saturating_mul(SALT_LENGTH)];
        aws_lc_rs::rand::fill(&mut salts).map_err(|_| StoreError::Randomness)?;
        let (salts, _) = salts.as_chunks::<SALT_LENGTH>();
        for (row, salt) in self.rows.heads.iter_mut().zip(salts) {
            let Some(submission) = batch.get(row.index) else {
                continue;
            };
            row.salt = *salt;
            row.commitment = commit_to(salt, &submission.object);
        }
        Ok(())
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// What was erased, and where the log ends then.
    pub(super) fn erased(self, versions: usize, more: bool) -> (Erased, Ends) {
        let erased = Erased {
            versions,
            more,
            lanes: by_lane(self.lanes),
            latest: self.latest,
        };
        (erased, self.ends)
    }

    /// What was done, and where the log ends then.
    pub(super) fn done(self, verdicts: &[Verdict]) -> (Appended, Ends) {
        let outcome = |(index, verdict): (usize, &Verdict)| match verdict {
            Verdict::New { .. } => Outcome::Accepted {
                date_added: self.dates.get(&index).copied().unwrap_or(self.latest),
            },
            Verdict::Duplicate => Outcome::Duplicate,
            Verdict::Conflict => Outcome::Conflict,
        };
        let outcomes = verdicts.iter().enumerate().map(outcome).collect();
        let appended = Appended {
            outcomes,
            lanes: by_lane(self.lanes),
            latest: self.latest,
        };
        (appended, self.ends)
    }
}

fn by_lane(lanes: BTreeMap<Option<Arc<str>>, Vec<Entry>>) -> Vec<LaneEntries> {
    let lanes = lanes.into_iter();
    lanes
        .map(|(partner, entries)| LaneEntries { partner, entries })
        .collect()
}

fn lane_of(partner: Option<&Arc<str>>) -> Lane {
    if partner.is_some() {
        Lane::Addressed
    } else {
        Lane::Community
    }
}

/// The entry of an erased version in one lane.
fn erased(version: &Identity<'_>, partner: Option<&Arc<str>>, end: LaneEnd, stale: bool) -> Entry {
    Entry {
        event: EventKind::Erase,
        lane: lane_of(partner),
        position: u64::try_from(end.position).unwrap_or(0),
        source: Arc::clone(version.source),
        date_added: end.date,
        stale,
        id: version.id.clone(),
        version: version.version,
        valid_until: None,
        spec_version: None,
        raw: tombstone(version.id, version.version),
    }
}

fn kind_of(object: &Object) -> EventKind {
    if object.head().revoked {
        EventKind::Revoke
    } else {
        EventKind::Accept
    }
}
