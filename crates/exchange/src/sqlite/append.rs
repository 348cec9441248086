//! Writing the log: one batch, one transaction, one commit.

use std::collections::HashMap;

use aws_lc_rs::digest::{Context, SHA256};
use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection};
use stix::{Object, Timestamp};

use super::bulk::Chunks;
use super::ends::Ends;
use super::plan::Plan;
use super::spread::{Spread, Versions, holders, spreads};
use super::{LogWriter, SqliteStore};
use crate::{Appended, StoreError, Submission};

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
        let spreads = spreads(&mut transaction, batch, &verdicts).await?;
        let mut plan = Plan::new(ends, now);
        for item in in_lane_order(batch, &verdicts, &spreads) {
            let newer = match item.verdict {
                Verdict::New { outdated: true, .. } => {
                    holders(&mut transaction, item.submission, Versions::Newer).await?
                }
                Verdict::New { .. } | Verdict::Duplicate | Verdict::Conflict => Spread::default(),
            };
            plan.add(&mut transaction, &item, &newer).await?;
        }
        plan.salt_and_commit_to_payloads(batch)?;
        plan.insert(&mut transaction, batch).await?;
        transaction.commit().await?;
        Ok(plan.done(&verdicts, log))
    }
}

async fn check_fence(connection: &mut SqliteConnection, log: &LogWriter) -> Result<(), StoreError> {
    let fence = sqlx::query("SELECT value FROM meta WHERE key = 'fence'");
    let now: i64 = fence.fetch_one(connection).await?.try_get(0)?;
    if now == log.fence {
        return Ok(());
    }
    let number = |fence: i64| u64::try_from(fence).unwrap_or(0);
    Err(StoreError::Fenced {
        ours: number(log.fence),
        now: number(now),
    })
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
            let slot = usize::try_from(index)
                .ok()
                .and_then(|index| all.get_mut(index));
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
pub(super) enum Verdict {
    New {
        /// The store has another version of the same object from its source.
        known: bool,
        /// The store has a newer one.
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
        let identity = (
            object.head().id.as_str(),
            submission.source.as_ref(),
            object.version(),
        );
        let verdict = if let Some((salt, commitment)) = &known.same {
            let same = salt
                .as_ref()
                .is_some_and(|salt| commit_to(salt, object) == **commitment);
            if same {
                Verdict::Duplicate
            } else {
                Verdict::Conflict
            }
        } else if let Some(raw) = fresh.get(&identity) {
            if *raw == object.raw() {
                Verdict::Duplicate
            } else {
                Verdict::Conflict
            }
        } else {
            fresh.insert(identity, object.raw());
            Verdict::New {
                known: known.latest.is_some(),
                outdated: known.latest > Some(object.version().as_micros()),
            }
        };
        verdicts.push(verdict);
    }
    verdicts
}

pub(super) fn commit_to(salt: &[u8], object: &Object) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(salt);
    context.update(object.raw());
    let mut commitment = [0; 32];
    for (to, from) in commitment.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    commitment
}

/// A submission of a batch with what was decided about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    /// Its place in the batch.
    pub(super) index: usize,
    pub(super) submission: &'a Submission,
    pub(super) verdict: &'a Verdict,
    pub(super) spread: &'a Spread,
}

/// What is new, community first: addressed entries are dated after the community's, which must
/// not depend on them.
fn in_lane_order<'a>(
    batch: &'a [Submission],
    verdicts: &'a [Verdict],
    spreads: &'a [Spread],
) -> impl Iterator<Item = Item<'a>> {
    let items = || {
        let decided = batch.iter().zip(verdicts).zip(spreads).enumerate();
        decided.map(|(index, ((submission, verdict), spread))| Item {
            index,
            submission,
            verdict,
            spread,
        })
    };
    let new = move |community: bool| {
        items().filter(move |item| {
            item.spread.community == community && matches!(item.verdict, Verdict::New { .. })
        })
    };
    new(true).chain(new(false))
}
