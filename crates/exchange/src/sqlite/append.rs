//! Writing the log: one batch, one transaction, one commit.

use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection};
use stix::Timestamp;

use super::bulk::Chunks;
use super::{LogWriter, SqliteStore, bulk};
use crate::append::{self, Ends, HeadRow, Known, LaneEnd, Rows, Spread, Tables, Versions};
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
        let (appended, ends) = append::append(&mut *transaction, ends, batch, now).await?;
        transaction.commit().await?;
        log.ends = Some(ends);
        Ok(appended)
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

impl Tables for SqliteConnection {
    async fn ends(&mut self) -> Result<Ends, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT coalesce(max(n), 0) FROM heads),
                    (SELECT coalesce(max(seq), 0) FROM events),
                    (SELECT max(community) FROM events),
                    (SELECT max(date_added) FROM events WHERE community IS NOT NULL)",
        )
        .fetch_one(self)
        .await?;
        let community = LaneEnd::of(row.try_get(2)?, row.try_get(3)?);
        Ok(Ends::new(row.try_get(0)?, row.try_get(1)?, community))
    }

    async fn lane_end(&mut self, partner: &str) -> Result<LaneEnd, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT max(position) FROM addressed WHERE partner = ?1),
                    (SELECT max(date_added) FROM addressed WHERE partner = ?1)",
        )
        .bind(partner)
        .fetch_one(self)
        .await?;
        Ok(LaneEnd::of(row.try_get(0)?, row.try_get(1)?))
    }

    async fn known(&mut self, batch: &[Submission]) -> Result<Vec<Known>, StoreError> {
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
            for row in select.build().fetch_all(&mut *self).await? {
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

    async fn holders(
        &mut self,
        submission: &Submission,
        versions: Versions,
    ) -> Result<Spread, StoreError> {
        let rows = sqlx::query(match versions {
            Versions::Older => HOLDERS_OF_OLDER,
            Versions::Newer => HOLDERS_OF_NEWER,
        })
        .bind(submission.object.head().id.as_str())
        .bind(submission.source.as_ref())
        .bind(submission.object.version().as_micros())
        .fetch_all(self)
        .await?;
        let mut holders = Spread::default();
        for row in rows {
            holders.add(row.try_get(0)?, row.try_get::<Option<&str>, _>(1)?);
        }
        Ok(holders)
    }

    async fn insert(&mut self, rows: &Rows, batch: &[Submission]) -> Result<(), StoreError> {
        let heads: Vec<(&HeadRow, &Submission)> = rows
            .heads
            .iter()
            .filter_map(|row| batch.get(row.index).map(|submission| (row, submission)))
            .collect();
        bulk::insert(self, HEADS, &heads, |to, (row, submission)| {
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
            self,
            "payloads (n, salt, raw) ",
            &heads,
            |to, (row, submission)| {
                to.push_bind(row.n)
                    .push_bind(row.salt.as_slice())
                    .push_bind(submission.object.raw());
            },
        )
        .await?;
        bulk::insert(self, EVENTS, &rows.events, |to, row| {
            to.push_bind(row.seq)
                .push_bind(row.kind.code())
                .push_bind(row.head)
                .push_bind(row.community)
                .push_bind(row.date_added)
                .push_bind(row.stale);
        })
        .await?;
        bulk::insert(self, ADDRESSED, &rows.addressed, |to, row| {
            to.push_bind(row.partner.as_ref())
                .push_bind(row.position)
                .push_bind(row.seq)
                .push_bind(row.date_added)
                .push_bind(row.stale);
        })
        .await?;
        Ok(())
    }
}

const KNOWN: &str = ")
SELECT k.i, x.commitment, p.salt,
       (SELECT max(h.modified) FROM heads h WHERE h.id = k.id AND h.source = k.source)
FROM k
LEFT JOIN heads x ON x.id = k.id AND x.source = k.source AND x.modified = k.modified
LEFT JOIN payloads p ON p.n = x.n
WHERE EXISTS (SELECT 1 FROM heads h WHERE h.id = k.id AND h.source = k.source)";

macro_rules! holders_where {
    ($versions:literal) => {
        concat!(
            "SELECT DISTINCT e.community IS NOT NULL, a.partner \
             FROM heads h JOIN events e ON e.head = h.n LEFT JOIN addressed a ON a.seq = e.seq \
             WHERE h.id = ?1 AND h.source = ?2 AND h.modified ",
            $versions
        )
    };
}

const HOLDERS_OF_OLDER: &str = holders_where!("< ?3");
const HOLDERS_OF_NEWER: &str = holders_where!("> ?3");

const HEADS: &str = "heads \
    (n, id, source, modified, kind, spec_version, valid_until, revoked, commitment) ";
const EVENTS: &str = "events (seq, kind, head, community, date_added, stale) ";
const ADDRESSED: &str = "addressed (partner, position, seq, date_added, stale) ";
