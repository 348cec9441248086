//! Writing the log: one batch, one transaction, one commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use sharing::Reach;
use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection};
use stix::{Object, Timestamp};

use super::bulk::{self, Chunks};
use super::read::event_code;
use super::{LogWriter, SqliteStore};
use crate::{Appended, Entry, EventKind, Lane, LaneEntries, Outcome, StoreError, Submission};

impl SqliteStore {
    pub(super) async fn append_batch(
        &self,
        batch: &[Submission],
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let mut writer = self.writer().await;
        let writer = &mut *writer;
        let log = writer.log.as_mut().ok_or(StoreError::NotWriter)?;
        // Until the commit has succeeded, only the database knows where the lanes end.
        let ends = log.ends.take();
        let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await?;
        check_fence(&mut transaction, log).await?;
        let ends = match ends {
            Some(ends) => ends,
            None => Ends::load(&mut transaction).await?,
        };
        let verdicts = judge(batch, &known(&mut transaction, batch).await?);
        let mut plan = Plan::new(ends, now);
        for (index, submission) in in_lane_order(batch, &verdicts) {
            let newer = match verdicts.get(index) {
                Some(Verdict::New { outdated: true }) => {
                    newer_versions(&mut transaction, submission).await?
                }
                _ => Newer::default(),
            };
            plan.add(&mut transaction, index, submission, &newer).await?;
        }
        plan.salt_and_commit_to_payloads(batch)?;
        plan.insert(&mut transaction, batch).await?;
        transaction.commit().await?;
        Ok(plan.done(&verdicts, log))
    }
}

async fn check_fence(
    connection: &mut SqliteConnection,
    log: &LogWriter,
) -> Result<(), StoreError> {
    let fence = sqlx::query("SELECT value FROM meta WHERE key = 'fence'");
    let now: i64 = fence.fetch_one(connection).await?.try_get(0)?;
    if now == log.fence {
        return Ok(());
    }
    let number = |fence: i64| u64::try_from(fence).unwrap_or(0);
    Err(StoreError::Fenced { ours: number(log.fence), now: number(now) })
}

/// Where the sequence and the lanes end.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    head: i64,
    seq: i64,
    community: LaneEnd,
    /// Filled as lanes are written to.
    addressed: BTreeMap<Arc<str>, LaneEnd>,
}

#[derive(Clone, Copy, Debug)]
struct LaneEnd {
    position: i64,
    date: Timestamp,
}

impl Default for LaneEnd {
    fn default() -> Self {
        Self { position: 0, date: Timestamp::MIN }
    }
}

impl LaneEnd {
    /// The next place in the lane, not dated before `earliest`.
    fn advance(&mut self, earliest: Timestamp) -> Self {
        self.position = self.position.saturating_add(1);
        self.date = just_after(self.date).max(earliest);
        *self
    }
}

impl Ends {
    async fn load(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT coalesce(max(n), 0) FROM heads),
                    (SELECT coalesce(max(seq), 0) FROM events),
                    (SELECT max(community) FROM events),
                    (SELECT max(date_added) FROM events WHERE community IS NOT NULL)",
        )
        .fetch_one(connection)
        .await?;
        let community = LaneEnd::of(row.try_get(2)?, row.try_get(3)?);
        let (head, seq) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Self { head, seq, community, addressed: BTreeMap::new() })
    }

    /// The end of an addressed lane, read from the database the first time.
    async fn addressed(
        &mut self,
        connection: &mut SqliteConnection,
        partner: &Arc<str>,
    ) -> Result<&mut LaneEnd, StoreError> {
        if !self.addressed.contains_key(partner) {
            let row = sqlx::query(
                "SELECT (SELECT max(position) FROM addressed WHERE partner = ?1),
                        (SELECT max(date_added) FROM addressed WHERE partner = ?1)",
            )
            .bind(partner.as_ref())
            .fetch_one(connection)
            .await?;
            let end = LaneEnd::of(row.try_get(0)?, row.try_get(1)?);
            self.addressed.insert(Arc::clone(partner), end);
        }
        Ok(self.addressed.entry(Arc::clone(partner)).or_default())
    }
}

impl LaneEnd {
    fn of(position: Option<i64>, date: Option<i64>) -> Self {
        let none = Self::default();
        Self {
            position: position.unwrap_or(none.position),
            date: date.map_or(none.date, Timestamp::from_micros),
        }
    }
}

fn just_after(moment: Timestamp) -> Timestamp {
    Timestamp::from_micros(moment.as_micros().saturating_add(1))
}

/// What the store knows of a submission's identity.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Salt and commitment of the payload with the same identity; no salt once it was erased.
    same: Option<(Option<Vec<u8>>, Vec<u8>)>,
    /// Latest version of (source, id).
    latest: Option<i64>,
}

/// Looks the identities of a batch up.
async fn known(
    connection: &mut SqliteConnection,
    batch: &[Submission],
) -> Result<Vec<Known>, StoreError> {
    let mut all = vec![Known::default(); batch.len()];
    let indexed: Vec<(usize, &Submission)> = batch.iter().enumerate().collect();
    for chunk in Chunks(&indexed) {
        let mut select = QueryBuilder::<Sqlite>::new("WITH k (i, id, source, modified) AS (");
        select.push_values(chunk, |mut row, (index, submission)| {
            row.push_bind(i64::try_from(*index).unwrap_or(i64::MAX))
                .push_bind(submission.object.head().id.as_str())
                .push_bind(submission.source.as_ref())
                .push_bind(submission.object.version().as_micros());
        });
        select.push(KNOWN);
        for row in select.build().fetch_all(&mut *connection).await? {
            let index: i64 = row.try_get(0)?;
            let slot = usize::try_from(index).ok().and_then(|index| all.get_mut(index));
            let Some(slot) = slot else { continue };
            let commitment: Option<Vec<u8>> = row.try_get(1)?;
            let salt: Option<Vec<u8>> = row.try_get(2)?;
            slot.same = commitment.map(|commitment| (salt, commitment));
            slot.latest = row.try_get(3)?;
        }
    }
    Ok(all)
}

const KNOWN: &str = ")
SELECT k.i, x.commitment, p.salt,
       (SELECT max(h.modified) FROM heads h WHERE h.id = k.id AND h.source = k.source)
FROM k
LEFT JOIN heads x ON x.id = k.id AND x.source = k.source AND x.modified = k.modified
LEFT JOIN payloads p ON p.n = x.n
WHERE EXISTS (SELECT 1 FROM heads h WHERE h.id = k.id AND h.source = k.source)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    New {
        /// The store has a newer version of the same object.
        outdated: bool,
    },
    Duplicate,
    Conflict,
}

/// Decides on each submission by what the store knows and by those before it in the batch.
fn judge(batch: &[Submission], known: &[Known]) -> Vec<Verdict> {
    let mut fresh: HashMap<(&str, &str, Timestamp), &[u8]> = HashMap::new();
    let mut verdicts = Vec::with_capacity(batch.len());
    for (submission, known) in batch.iter().zip(known) {
        let object = &submission.object;
        let identity = (object.head().id.as_str(), submission.source.as_ref(), object.version());
        let verdict = if let Some((salt, commitment)) = &known.same {
            let same = salt.as_ref().is_some_and(|salt| commit_to(salt, object) == **commitment);
            if same { Verdict::Duplicate } else { Verdict::Conflict }
        } else if let Some(raw) = fresh.get(&identity) {
            if *raw == object.raw() { Verdict::Duplicate } else { Verdict::Conflict }
        } else {
            fresh.insert(identity, object.raw());
            Verdict::New { outdated: known.latest > Some(object.version().as_micros()) }
        };
        verdicts.push(verdict);
    }
    verdicts
}

fn commit_to(salt: &[u8], object: &Object) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(salt);
    context.update(object.raw());
    let mut commitment = [0; 32];
    for (to, from) in commitment.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    commitment
}

/// What is new, community first: addressed entries are dated after the community's, which must
/// not depend on them.
fn in_lane_order<'a>(
    batch: &'a [Submission],
    verdicts: &'a [Verdict],
) -> impl Iterator<Item = (usize, &'a Submission)> {
    let new = |community: bool| {
        let judged = batch.iter().zip(verdicts).enumerate();
        judged.filter_map(move |(index, (submission, verdict))| {
            let fits = matches!(submission.reach, Reach::Community) == community;
            (fits && matches!(verdict, Verdict::New { .. })).then_some((index, submission))
        })
    };
    new(true).chain(new(false))
}

/// The lanes in which a newer version of an object stands already.
#[derive(Debug, Default)]
struct Newer {
    community: bool,
    partners: Vec<String>,
}

async fn newer_versions(
    connection: &mut SqliteConnection,
    submission: &Submission,
) -> Result<Newer, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT e.community IS NOT NULL, a.partner
         FROM heads h JOIN events e ON e.head = h.n LEFT JOIN addressed a ON a.seq = e.seq
         WHERE h.id = ?1 AND h.source = ?2 AND h.modified > ?3",
    )
    .bind(submission.object.head().id.as_str())
    .bind(submission.source.as_ref())
    .bind(submission.object.version().as_micros())
    .fetch_all(connection)
    .await?;
    let mut newer = Newer::default();
    for row in rows {
        newer.community |= row.try_get::<bool, _>(0)?;
        newer.partners.extend(row.try_get::<Option<String>, _>(1)?);
    }
    Ok(newer)
}

/// Everything that a batch adds.
#[derive(Debug)]
struct Plan {
    ends: Ends,
    now: Timestamp,
    heads: Vec<HeadRow>,
    events: Vec<EventRow>,
    addressed: Vec<AddressedRow>,
    lanes: BTreeMap<Option<Arc<str>>, Vec<Entry>>,
    /// Latest version by lane, id and source among what this batch adds.
    versions: HashMap<(Option<Arc<str>>, stix::StixId, Arc<str>), Timestamp>,
    /// `date_added` of each new submission as its source sees it.
    dates: BTreeMap<usize, Timestamp>,
    latest: Timestamp,
}

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
    fn new(ends: Ends, now: Timestamp) -> Self {
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

    async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        index: usize,
        submission: &Submission,
        newer: &Newer,
    ) -> Result<(), StoreError> {
        self.ends.head = self.ends.head.saturating_add(1);
        self.ends.seq = self.ends.seq.saturating_add(1);
        let (seq, head) = (self.ends.seq, self.ends.head);
        let (salt, commitment) = ([0; SALT_LENGTH], [0; 32]);
        self.heads.push(HeadRow { n: head, index, salt, commitment });
        let kind = kind_of(&submission.object);
        let mut event = EventRow { seq, head, kind, community: None, date_added: None, stale: false };
        match &submission.reach {
            Reach::Community => {
                let end = self.ends.community.advance(self.now);
                event.community = Some(end.position);
                event.date_added = Some(end.date.as_micros());
                event.stale = self.enter(None, submission, end, newer.community);
                self.dates.insert(index, end.date);
            }
            Reach::Addressed(partners) => {
                for partner in partners {
                    let earliest = self.now.max(just_after(self.ends.community.date));
                    let end = self.ends.addressed(connection, partner).await?.advance(earliest);
                    let known = newer.partners.iter().any(|name| **name == **partner);
                    let stale = self.enter(Some(partner), submission, end, known);
                    self.addressed.push(AddressedRow {
                        partner: Arc::clone(partner),
                        position: end.position,
                        seq,
                        date_added: end.date.as_micros(),
                        stale,
                    });
                    if *partner == submission.source {
                        self.dates.insert(index, end.date);
                    }
                }
            }
        }
        self.events.push(event);
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
        let key = (partner.cloned(), head.id.clone(), Arc::clone(&submission.source));
        let latest = self.versions.entry(key).or_insert(version);
        let stale = newer_known || *latest > version;
        *latest = version.max(*latest);
        self.latest = self.latest.max(end.date);
        let lane = if partner.is_some() { Lane::Addressed } else { Lane::Community };
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

    fn salt_and_commit_to_payloads(&mut self, batch: &[Submission]) -> Result<(), StoreError> {
        let mut salts = vec![0; self.heads.len().saturating_mul(SALT_LENGTH)];
        aws_lc_rs::rand::fill(&mut salts).map_err(|_| StoreError::Randomness)?;
        let (salts, _) = salts.as_chunks::<SALT_LENGTH>();
        for (row, salt) in self.heads.iter_mut().zip(salts) {
            let Some(submission) = batch.get(row.index) else { continue };
            row.salt = *salt;
            row.commitment = commit_to(salt, &submission.object);
        }
        Ok(())
    }

    async fn insert(
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
        bulk::insert(connection, "payloads (n, salt, raw) ", &heads, |to, (row, submission)| {
            to.push_bind(row.n).push_bind(row.salt.as_slice()).push_bind(submission.object.raw());
        })
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

    fn done(self, verdicts: &[Verdict], log: &mut LogWriter) -> Appended {
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
        let lanes = lanes.map(|(partner, entries)| LaneEntries { partner, entries }).collect();
        Appended { outcomes, lanes, latest: self.latest }
    }
}

fn kind_of(object: &Object) -> EventKind {
    if object.head().revoked { EventKind::Revoke } else { EventKind::Accept }
}

const HEADS: &str = "heads \
    (n, id, source, modified, kind, spec_version, valid_until, revoked, commitment) ";
const EVENTS: &str = "events (seq, kind, head, community, date_added, stale) ";
const ADDRESSED: &str = "addressed (partner, position, seq, date_added, stale) ";
