//! What a batch adds to the log, numbered and dated, and how it is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use sqlx::SqliteConnection;
use stix::{Object, StixId, Timestamp};

use super::append::{Item, Verdict, commit_to};
use super::ends::{Ends, LaneEnd, just_after};
use super::read::event_code;
use super::spread::Spread;
use super::{LogWriter, bulk};
use crate::{Appended, Entry, EventKind, Lane, LaneEntries, Outcome, StoreError, Submission};

/// Everything that a batch adds.
#[derive(Debug)]
pub(super) struct Plan {
    ends: Ends,
    now: Timestamp,
    heads: Vec<HeadRow>,
    events: Vec<EventRow>,
    addressed: Vec<AddressedRow>,
    lanes: BTreeMap<Option<Arc<str>>, Vec<Entry>>,
    /// Latest version by lane, id and source among what this batch adds.
    versions: HashMap<LaneObject, Timestamp>,
    /// `date_added` of each new submission as its source sees it.
    dates: BTreeMap<usize, Timestamp>,
    latest: Timestamp,
}

/// Lane (the community's under no name), id and source.
type LaneObject = (Option<Arc<str>>, StixId, Arc<str>);

#[derive(Debug)]
struct HeadRow {
    n: i64,
    index: usize,
    salt: [u8; SALT_LENGTH],
    commitment: [u8; 32],
}

#[derive(Debug)]
struct EventRow {
    seq: i64,
    head: i64,
    kind: EventKind,
    community: Option<i64>,
    date_added: Option<i64>,
    stale: bool,
}

#[derive(Debug)]
struct AddressedRow {
    partner: Arc<str>,
    position: i64,
    seq: i64,
    date_added: i64,
    stale: bool,
}

const SALT_LENGTH: usize = 16;

impl Plan {
    pub(super) fn new(ends: Ends, now: Timestamp) -> Self {
        Self {
            ends,
            now,
            heads: Vec::new(),
            events: Vec::new(),
            addressed: Vec::new(),
            lanes: BTreeMap::new(),
            versions: HashMap::new(),
            dates: BTreeMap::new(),
            latest: Timestamp::MIN,
        }
    }

    /// Adds one event, in each lane of its spread; `newer` are those that hold a newer version.
    pub(super) async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        item: &Item<'_>,
        newer: &Spread,
    ) -> Result<(), StoreError> {
        self.ends.head = self.ends.head.saturating_add(1);
        self.ends.seq = self.ends.seq.saturating_add(1);
        let (seq, head) = (self.ends.seq, self.ends.head);
        let (salt, commitment) = ([0; SALT_LENGTH], [0; 32]);
        self.heads.push(HeadRow {
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
        self.events.push(event);
        for partner in &item.spread.partners {
            self.address(connection, partner, item, seq, newer).await?;
        }
        Ok(())
    }

    async fn address(
        &mut self,
        connection: &mut SqliteConnection,
        partner: &Arc<str>,
        item: &Item<'_>,
        seq: i64,
        newer: &Spread,
    ) -> Result<(), StoreError> {
        let earliest = self.now.max(just_after(self.ends.community.date));
        let end = self.ends.addressed(connection, partner).await?;
        let end = end.advance(earliest);
        let known = newer.partners.contains(partner);
        let stale = self.enter(Some(partner), item.submission, end, known);
        self.addressed.push(AddressedRow {
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
        self.latest = self.latest.max(end.date);
        let lane = if partner.is_some() {
            Lane::Addressed
        } else {
            Lane::Community
        };
        self.lanes.entry(partner.cloned()).or_default().push(Entry {
            event: kind_of(&submission.object),
            lane,
            position: u64::try_from(end.position).unwrap_or(0),
            source: Arc::clone(&submission.source),
            date_added: end.date,
            stale,
            id: head.id.clone(),
            version,
            valid_until: head.valid_until,
            spec_version: head.spec_version.clone(),
            raw: Bytes::from_owner(submission.object.raw_shared()),
        });
        stale
    }

    pub(super) fn salt_and_commit_to_payloads(
        &mut self,
        batch: &[Submission],
    ) -> Result<(), StoreError> {
        let mut salts = vec![0; self.heads.len().saturating_mul(SALT_LENGTH)];
        aws_lc_rs::rand::fill(&mut salts).map_err(|_| StoreError::Randomness)?;
        let (salts, _) = salts.as_chunks::<SALT_LENGTH>();
        for (row, salt) in self.heads.iter_mut().zip(salts) {
            let Some(submission) = batch.get(row.index) else {
                continue;
            };
            row.salt = *salt;
            row.commitment = commit_to(salt, &submission.object);
        }
        Ok(())
    }

    pub(super) async fn insert(
        &self,
        connection: &mut SqliteConnection,
        batch: &[Submission],
    ) -> Result<(), StoreError> {
        let heads: Vec<(&HeadRow, &Submission)> = self
            .heads
            .iter()
            .filter_map(|row| batch.get(row.index).map(|submission| (row, submission)))
            .collect();
        bulk::insert(connection, HEADS, &heads, |to, (row, submission)| {
            let head = submission.object.head();
            to.push_bind(row.n)
                .push_bind(head.id.as_str())
                .push_bind(submission.source.as_ref())
                .push_bind(submission.object.version().as_micros())
                .push_bind(head.kind.as_ref())
                .push_bind(head.spec_version.as_deref())
                .push_bind(head.valid_until.map(Timestamp::as_micros))
                .push_bind(head.revoked)
                .push_bind(row.commitment.as_slice());
        })
        .await?;
        bulk::insert(
            connection,
            "payloads (n, salt, raw) ",
            &heads,
            |to, (row, submission)| {
                to.push_bind(row.n)
                    .push_bind(row.salt.as_slice())
                    .push_bind(submission.object.raw());
            },
        )
        .await?;
        bulk::insert(connection, EVENTS, &self.events, |to, row| {
            to.push_bind(row.seq)
                .push_bind(event_code(row.kind))
                .push_bind(row.head)
                .push_bind(row.community)
                .push_bind(row.date_added)
                .push_bind(row.stale);
        })
        .await?;
        bulk::insert(connection, ADDRESSED, &self.addressed, |to, row| {
            to.push_bind(row.partner.as_ref())
                .push_bind(row.position)
                .push_bind(row.seq)
                .push_bind(row.date_added)
                .push_bind(row.stale);
        })
        .await?;
        Ok(())
    }

    pub(super) fn done(self, verdicts: &[Verdict], log: &mut LogWriter) -> Appended {
        log.ends = Some(self.ends);
        let outcome = |(index, verdict): (usize, &Verdict)| match verdict {
            Verdict::New { .. } => Outcome::Accepted {
                date_added: self.dates.get(&index).copied().unwrap_or(self.latest),
            },
            Verdict::Duplicate => Outcome::Duplicate,
            Verdict::Conflict => Outcome::Conflict,
        };
        let outcomes = verdicts.iter().enumerate().map(outcome).collect();
        let lanes = self.lanes.into_iter();
        let lanes = lanes
            .map(|(partner, entries)| LaneEntries { partner, entries })
            .collect();
        Appended {
            outcomes,
            lanes,
            latest: self.latest,
        }
    }
}

fn kind_of(object: &Object) -> EventKind {
    if object.head().revoked {
        EventKind::Revoke
    } else {
        EventKind::Accept
    }
}

const HEADS: &str = "heads \
    (n, id, source, modified, kind, spec_version, valid_until, revoked, commitment) ";
const EVENTS: &str = "events (seq, kind, head, community, date_added, stale) ";
const ADDRESSED: &str = "addressed (partner, position, seq, date_added, stale) ";
