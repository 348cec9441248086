//! Writing the log: one batch, one transaction, one commit.

use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection};
use stix::{StixId, Timestamp};

use super::bulk::Chunks;
use super::{LogWriter, SqliteStore, bulk, empty_log, search};
use crate::append::{
    self, Ends, HeadRow, Heads, Identity, Known, LaneEnd, Rows, Spread, Tables, Versions,
};
use crate::store::ERASED_MAX;
use crate::terms::{Marks, Stored};
use crate::view::count;
use crate::{Appended, Erased, Erasure, StoreError, Submission, VersionMatch};

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

impl SqliteStore {
    /// What is destroyed is overwritten in the database (`secure_delete`), and the write-ahead log
    /// is emptied, as far as no reader needs it.
    pub(super) async fn erase_versions(
        &self,
        erasure: &Erasure,
        now: Timestamp,
    ) -> Result<Erased, StoreError> {
        let mut writer = self.writer().await;
        let writer = &mut *writer;
        let log = writer.log.as_mut().ok_or(StoreError::NotWriter)?;
        let ends = log.ends.take();
        let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await?;
        check_fence(&mut transaction, log).await?;
        let (erased, ends) = append::erase(&mut *transaction, ends, erasure, now).await?;
        transaction.commit().await?;
        log.ends = Some(ends);
        if erased.versions > 0 {
            // Not waiting for readers: the next erasure, or the end of a backup, gets there.
            empty_log(&mut writer.connection, self.busy_timeout).await;
        }
        Ok(erased)
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
        version: &Identity<'_>,
        versions: Versions,
    ) -> Result<Spread, StoreError> {
        let rows = sqlx::query(match versions {
            Versions::Older => HOLDERS_OF_OLDER,
            Versions::Same => HOLDERS_OF_THIS,
            Versions::Newer => HOLDERS_OF_NEWER,
        })
        .bind(version.id.as_str())
        .bind(version.source.as_ref())
        .bind(version.version.as_micros())
        .fetch_all(self)
        .await?;
        let mut holders = Spread::default();
        for row in rows {
            holders.add(row.try_get(0)?, row.try_get::<Option<&str>, _>(1)?);
        }
        Ok(holders)
    }

    async fn versions(
        &mut self,
        id: &StixId,
        source: &str,
        wanted: VersionMatch,
    ) -> Result<Vec<(i64, Timestamp)>, StoreError> {
        let (order, exact, limit) = match wanted {
            VersionMatch::All => (VERSIONS, None, count(ERASED_MAX)),
            VersionMatch::First => (VERSIONS, None, 1),
            VersionMatch::Last => (VERSIONS_FROM_LAST, None, 1),
            VersionMatch::At(moment) => (VERSIONS, Some(moment.as_micros()), 1),
        };
        let rows = sqlx::query(order)
            .bind(id.as_str())
            .bind(source)
            .bind(exact)
            .bind(limit)
            .fetch_all(self)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, Timestamp::from_micros(row.try_get(1)?))))
            .collect()
    }

    async fn erase(&mut self, rows: &Rows) -> Result<(), StoreError> {
        for event in &rows.events {
            sqlx::query("DELETE FROM payloads WHERE n = ?1")
                .bind(event.head)
                .execute(&mut *self)
                .await?;
        }
        insert_events(self, rows).await
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
        insert_events(self, rows).await
    }

    async fn supersede(&mut self, revised: &[&Submission]) -> Result<(), StoreError> {
        for of in revised {
            sqlx::query(SUPERSEDE)
                .bind(of.object.head().id.as_str())
                .bind(of.source.as_ref())
                .execute(&mut *self)
                .await?;
        }
        Ok(())
    }

    async fn mark(&mut self, marks: &Marks) -> Result<(), StoreError> {
        search::mark(self, marks).await
    }

    async fn unmark(&mut self, marks: &Marks) -> Result<(), StoreError> {
        search::unmark(self, marks).await
    }

    async fn stored(&mut self, heads: Heads<'_>) -> Result<Vec<Stored>, StoreError> {
        search::stored(self, heads).await
    }
}

async fn insert_events(connection: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    bulk::insert(connection, EVENTS, &rows.events, |to, row| {
        to.push_bind(row.seq)
            .push_bind(row.kind.code())
            .push_bind(row.head)
            .push_bind(row.community)
            .push_bind(row.date_added)
            .push_bind(row.stale);
    })
    .await?;
    bulk::insert(connection, ADDRESSED, &rows.addressed, |to, row| {
        to.push_bind(row.partner.as_ref())
            .push_bind(row.position)
            .push_bind(row.seq)
            .push_bind(row.date_added)
            .push_bind(row.stale);
    })
    .await?;
    Ok(())
}
const SUPERSEDE: &str = "UPDATE heads SET superseded = 1
    WHERE id = ?1 AND source = ?2 AND superseded = 0
      AND modified < (SELECT max(h.modified) FROM heads h WHERE h.id = ?1 AND h.source = ?2)";

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
const HOLDERS_OF_THIS: &str = holders_where!("= ?3");
const HOLDERS_OF_NEWER: &str = holders_where!("> ?3");

macro_rules! versions_by {
    ($order:literal) => {
        concat!(
            "SELECT h.n, h.modified FROM heads h JOIN payloads p ON p.n = h.n \
             WHERE h.id = ?1 AND h.source = ?2 AND (?3 IS NULL OR h.modified = ?3) \
             ORDER BY h.modified ",
            $order,
            " LIMIT ?4 + 0"
        )
    };
}

const VERSIONS: &str = versions_by!("ASC");
const VERSIONS_FROM_LAST: &str = versions_by!("DESC");

const HEADS: &str = "heads \
    (n, id, source, modified, kind, spec_version, valid_until, revoked, commitment) ";
const EVENTS: &str = "events (seq, kind, head, community, date_added, stale) ";
const ADDRESSED: &str = "addressed (partner, position, seq, date_added, stale) ";
