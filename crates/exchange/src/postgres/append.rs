//! Writing the log: one batch, one transaction, one commit; a few statements over arrays.

use sqlx::postgres::PgConnection;
use sqlx::types::Uuid;
use sqlx::{Connection as _, Postgres, Row as _, Transaction};
use stix::{StixId, Timestamp};

use super::{LogWriter, PostgresStore, Session, lock, search, session};
use crate::append::{
    self, AddressedRow, Ends, EventRow, HeadRow, Heads, Identity, Known, LaneEnd, Rows, Spread,
    Tables, Versions,
};
use crate::store::ERASED_MAX;
use crate::terms::{Marks, Stored};
use crate::view::count;
use crate::{Appended, Erased, Erasure, EventKind, StoreError, Submission, VersionMatch};

impl PostgresStore {
    pub(super) async fn append_batch(
        &self,
        batch: &[Submission],
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::NotWriter)?;
        let mut log = writer.lock().await;
        // A session that failed is not used again, and until the commit has succeeded only the
        // database knows where the lanes end.
        let (session, ends) = (log.session.take(), log.ends.take());
        let writing = async {
            let mut session = self.alive(session).await?;
            let (appended, ends) = write(&mut session, &log, ends, batch, now).await?;
            Ok((session, appended, ends))
        };
        let (session, appended, ends) = session::bounded(self.options.timeout, writing).await?;
        (log.session, log.ends) = (Some(session), Some(ends));
        Ok(appended)
    }

    pub(super) async fn erase_versions(
        &self,
        erasure: &Erasure,
        now: Timestamp,
    ) -> Result<Erased, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::NotWriter)?;
        let mut log = writer.lock().await;
        let (session, ends) = (log.session.take(), log.ends.take());
        let writing = async {
            let mut session = self.alive(session).await?;
            let mut transaction = begin(&mut session, &log).await?;
            let (erased, ends) = append::erase(&mut *transaction, ends, erasure, now).await?;
            transaction.commit().await?;
            Ok((session, erased, ends))
        };
        let (session, erased, ends) = session::bounded(self.options.timeout, writing).await?;
        (log.session, log.ends) = (Some(session), Some(ends));
        if erased.versions > 0 {
            self.vacuum_soon();
        }
        Ok(erased)
    }

    /// The session if the server still answers on it, else a new one.
    async fn alive(&self, session: Option<Session>) -> Result<Session, StoreError> {
        if let Some(mut session) = session
            && session.connection.ping().await.is_ok()
        {
            return Ok(session);
        }
        let connection = session::connect(&self.url, self.options).await?;
        tracing::warn!(store = %self.url, "connected again");
        Ok(Session {
            connection,
            locked: false,
        })
    }
}

async fn write(
    session: &mut Session,
    log: &LogWriter,
    ends: Option<Ends>,
    batch: &[Submission],
    now: Timestamp,
) -> Result<(Appended, Ends), StoreError> {
    let mut transaction = begin(session, log).await?;
    let written = append::append(&mut *transaction, ends, batch, now).await?;
    transaction.commit().await?;
    Ok(written)
}

/// Begins a transaction that fails unless the log is still ours.
async fn begin<'a>(
    session: &'a mut Session,
    log: &LogWriter,
) -> Result<Transaction<'a, Postgres>, StoreError> {
    if !session.locked {
        // The server may still hold our old session, and its lock with it. The fence decides.
        session.locked = lock(&mut session.connection).await?;
    }
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let mut transaction = session.connection.begin_with(begin).await?;
    check_fence(&mut transaction, log.fence).await?;
    Ok(transaction)
}

/// Whoever takes the log over changes this row, and waits until a transaction that has locked it
/// here is over.
pub(super) async fn check_fence(
    connection: &mut PgConnection,
    ours: i64,
) -> Result<(), StoreError> {
    let fence = sqlx::query("SELECT fence FROM log FOR SHARE");
    let now: i64 = fence.fetch_one(connection).await?.try_get(0)?;
    if now == ours {
        return Ok(());
    }
    let number = |fence: i64| u64::try_from(fence).unwrap_or(0);
    Err(StoreError::Fenced {
        ours: number(ours),
        now: number(now),
    })
}

impl Tables for PgConnection {
    async fn ends(&mut self) -> Result<Ends, StoreError> {
        let row = sqlx::query(ENDS).fetch_one(self).await?;
        let seq: i64 = row.try_get(0)?;
        let community = LaneEnd::of(row.try_get(1)?, row.try_get(2)?);
        Ok(Ends::new(seq, seq, community))
    }

    async fn lane_end(&mut self, partner: &str) -> Result<LaneEnd, StoreError> {
        let row = sqlx::query(LANE_END).bind(partner).fetch_one(self).await?;
        Ok(LaneEnd::of(row.try_get(0)?, row.try_get(1)?))
    }

    async fn known(&mut self, batch: &[Submission]) -> Result<Vec<Known>, StoreError> {
        let heads = || batch.iter().map(|submission| submission.object.head());
        let rows = sqlx::query(KNOWN)
            .bind(heads().map(|head| head.id.uuid()).collect::<Vec<Uuid>>())
            .bind(heads().map(|head| head.id.kind()).collect::<Vec<_>>())
            .bind(sources(batch))
            .bind(versions(batch))
            .fetch_all(self)
            .await?;
        let mut all = vec![Known::default(); batch.len()];
        for row in rows {
            let place: i64 = row.try_get(0)?;
            let index = usize::try_from(place.saturating_sub(1)).ok();
            let Some(slot) = index.and_then(|index| all.get_mut(index)) else {
                continue;
            };
            let commitment: Option<Vec<u8>> = row.try_get(1)?;
            let salt: Option<Vec<u8>> = row.try_get(2)?;
            slot.same = commitment.map(|commitment| (salt, commitment));
            slot.latest = row.try_get(3)?;
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
        .bind(version.id.uuid())
        .bind(version.id.kind())
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
            .bind(id.uuid())
            .bind(id.kind())
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
        let events = || rows.events.iter();
        sqlx::query(INSERT_TOMBSTONES)
            .bind(events().map(|event| event.head).collect::<Vec<_>>())
            .bind(events().map(|event| event.seq).collect::<Vec<_>>())
            .bind(events().map(|event| event.community).collect::<Vec<_>>())
            .bind(events().map(|event| event.date_added).collect::<Vec<_>>())
            .bind(events().map(|event| event.stale).collect::<Vec<_>>())
            .bind(EventKind::Erase.code())
            .execute(&mut *self)
            .await?;
        sqlx::query("DELETE FROM payloads WHERE seq = ANY($1::bigint[])")
            .bind(events().map(|event| event.head).collect::<Vec<_>>())
            .execute(&mut *self)
            .await?;
        if !rows.addressed.is_empty() {
            insert_addressed(self, &rows.addressed).await?;
        }
        Ok(())
    }

    async fn insert(&mut self, rows: &Rows, batch: &[Submission]) -> Result<(), StoreError> {
        let new: Vec<New<'_>> = rows
            .heads
            .iter()
            .zip(&rows.events)
            .filter_map(|(head, event)| Some((head, event, batch.get(head.index)?)))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        insert_events(self, &new).await?;
        let mut rest = new.as_slice();
        while let Some((chunk, after)) = split(rest) {
            insert_payloads(self, chunk).await?;
            rest = after;
        }
        if !rows.addressed.is_empty() {
            insert_addressed(self, &rows.addressed).await?;
        }
        Ok(())
    }

    async fn supersede(&mut self, revised: &[&Submission]) -> Result<(), StoreError> {
        let ids = || revised.iter().map(|of| &of.object.head().id);
        sqlx::query(SUPERSEDE)
            .bind(ids().map(StixId::uuid).collect::<Vec<Uuid>>())
            .bind(ids().map(StixId::kind).collect::<Vec<&str>>())
            .bind(
                revised
                    .iter()
                    .map(|of| of.source.as_ref())
                    .collect::<Vec<&str>>(),
            )
            .execute(self)
            .await?;
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

/// One new object: its event's number is its head's.
type New<'a> = (&'a HeadRow, &'a EventRow, &'a Submission);

async fn insert_events(connection: &mut PgConnection, new: &[New<'_>]) -> Result<(), StoreError> {
    let heads = || {
        new.iter()
            .map(|(_, _, submission)| submission.object.head())
    };
    let events = || new.iter().map(|(_, event, _)| event);
    let submissions = || new.iter().map(|(_, _, submission)| submission);
    sqlx::query(INSERT_EVENTS)
        .bind(events().map(|event| event.seq).collect::<Vec<_>>())
        .bind(events().map(|event| event.community).collect::<Vec<_>>())
        .bind(events().map(|event| event.date_added).collect::<Vec<_>>())
        .bind(
            submissions()
                .map(|submission| submission.object.version().as_micros())
                .collect::<Vec<_>>(),
        )
        .bind(
            heads()
                .map(|head| head.valid_until.map(Timestamp::as_micros))
                .collect::<Vec<_>>(),
        )
        .bind(heads().map(|head| head.id.uuid()).collect::<Vec<Uuid>>())
        .bind(events().map(|event| event.kind.code()).collect::<Vec<_>>())
        .bind(events().map(|event| event.stale).collect::<Vec<_>>())
        .bind(heads().map(|head| head.id.kind()).collect::<Vec<_>>())
        .bind(
            submissions()
                .map(|submission| submission.source.as_ref())
                .collect::<Vec<_>>(),
        )
        .bind(
            heads()
                .map(|head| head.spec_version.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(
            new.iter()
                .map(|(head, ..)| head.commitment.as_slice())
                .collect::<Vec<_>>(),
        )
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_payloads(connection: &mut PgConnection, new: &[New<'_>]) -> Result<(), StoreError> {
    let seqs: Vec<i64> = new.iter().map(|(_, event, _)| event.seq).collect();
    let salts: Vec<&[u8]> = new.iter().map(|(head, ..)| head.salt.as_slice()).collect();
    let raws: Vec<&[u8]> = new.iter().map(|(.., of)| of.object.raw()).collect();
    sqlx::query(INSERT_PAYLOADS)
        .bind(seqs)
        .bind(salts)
        .bind(raws)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_addressed(
    connection: &mut PgConnection,
    rows: &[AddressedRow],
) -> Result<(), StoreError> {
    let partners: Vec<&str> = rows.iter().map(|row| row.partner.as_ref()).collect();
    sqlx::query(INSERT_ADDRESSED)
        .bind(partners)
        .bind(rows.iter().map(|row| row.position).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.date_added).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.stale).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Cuts off what goes into one statement: the server takes no value of 1 GiB or more.
fn split<'a, 'b>(new: &'b [New<'a>]) -> Option<(&'b [New<'a>], &'b [New<'a>])> {
    let mut bytes = 0_usize;
    let fits = |(.., of): &&New<'_>| {
        let before = bytes;
        bytes = bytes.saturating_add(of.object.raw().len());
        before < STATEMENT_BYTES_MAX
    };
    let length = new.iter().take_while(fits).count();
    new.split_at_checked(length).filter(|_| length > 0)
}

/// Once a statement has this many bytes of objects, the next ones go into another.
const STATEMENT_BYTES_MAX: usize = 16 << 20;

fn sources(batch: &[Submission]) -> Vec<&str> {
    batch.iter().map(|of| of.source.as_ref()).collect()
}

fn versions(batch: &[Submission]) -> Vec<i64> {
    let version = |of: &Submission| of.object.version().as_micros();
    batch.iter().map(version).collect()
}

const ENDS: &str = "SELECT (SELECT coalesce(max(seq), 0) FROM events),
    (SELECT max(community) FROM events WHERE community IS NOT NULL),
    (SELECT max(date_added) FROM events WHERE community IS NOT NULL)";
const LANE_END: &str = "SELECT (SELECT max(position) FROM addressed WHERE partner = $1),
    (SELECT max(date_added) FROM addressed WHERE partner = $1)";
/// One look into an index for what is new, more for what is known.
const KNOWN: &str = "SELECT k.place, x.commitment, p.salt, l.modified
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
      WITH ORDINALITY AS k (id, kind, source, modified, place)
    CROSS JOIN LATERAL (SELECT e.modified FROM events e
      WHERE e.id = k.id AND e.kind = k.kind AND e.source = k.source AND e.event <> 4
      ORDER BY e.modified DESC LIMIT 1) l
    LEFT JOIN events x ON x.id = k.id AND x.kind = k.kind AND x.source = k.source
      AND x.modified = k.modified AND x.event <> 4
    LEFT JOIN payloads p ON p.seq = x.seq";
const INSERT_EVENTS: &str = "INSERT INTO events (seq, community, date_added, modified, valid_until,
      id, event, stale, kind, source, spec_version, commitment)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
      $6::uuid[], $7::smallint[], $8::boolean[], $9::text[], $10::text[], $11::text[], $12::bytea[])";
const INSERT_PAYLOADS: &str = "INSERT INTO payloads (seq, salt, raw)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])";
const INSERT_ADDRESSED: &str = "INSERT INTO addressed (partner, position, seq, date_added, stale)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[])";
const SUPERSEDE: &str = "UPDATE events e SET superseded = true
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k (id, kind, source)
    WHERE e.id = k.id AND e.kind = k.kind AND e.source = k.source AND e.event <> 4
      AND NOT e.superseded
      AND EXISTS (SELECT 1 FROM events y WHERE y.id = k.id AND y.kind = k.kind
        AND y.source = k.source AND y.event <> 4 AND y.modified > e.modified)";

macro_rules! holders_where {
    ($versions:literal) => {
        concat!(
            "SELECT DISTINCT e.community IS NOT NULL, a.partner \
             FROM events e LEFT JOIN addressed a ON a.seq = e.seq \
             WHERE e.id = $1 AND e.kind = $2 AND e.source = $3 AND e.event <> 4 AND e.modified ",
            $versions
        )
    };
}

const HOLDERS_OF_OLDER: &str = holders_where!("< $4");
const HOLDERS_OF_THIS: &str = holders_where!("= $4");
const HOLDERS_OF_NEWER: &str = holders_where!("> $4");

macro_rules! versions_by {
    ($order:literal) => {
        concat!(
            "SELECT e.seq, e.modified FROM events e JOIN payloads p ON p.seq = e.seq \
             WHERE e.id = $1 AND e.kind = $2 AND e.source = $3 AND e.event <> 4 \
             AND ($4::bigint IS NULL OR e.modified = $4) ORDER BY e.modified ",
            $order,
            " LIMIT $5"
        )
    };
}

const VERSIONS: &str = versions_by!("ASC");
const VERSIONS_FROM_LAST: &str = versions_by!("DESC");
/// A tombstone repeats what its head says; it commits to nothing.
const INSERT_TOMBSTONES: &str =
    "INSERT INTO events (seq, community, date_added, modified, valid_until,
      id, event, stale, kind, source, spec_version, commitment)
    SELECT t.seq, t.community, t.date_added, e.modified, e.valid_until,
      e.id, $6::smallint, t.stale, e.kind, e.source, e.spec_version, ''::bytea
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[])
      AS t (head, seq, community, date_added, stale) JOIN events e ON e.seq = t.head";
