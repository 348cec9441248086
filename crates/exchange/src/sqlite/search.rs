//! The search index: its rows, how they follow the log, and reading them.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sharing::Audience;
use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::SqliteStore;
use super::bulk::Chunks;
use super::read::{page, page_query};
use super::sql::{ADDRESSED_AT, COMMUNITY_AT};
use crate::append::{Heads, Tables};
use crate::rows::Row;
use crate::search::{self, Postings};
use crate::terms::{self, Mark, Marks, Stored};
use crate::{Filter, Find, Found, Lane, Place, Position, Search, StoreError};

impl Find for SqliteStore {
    async fn search(
        &self,
        audience: &Audience,
        search: &Search,
        from: Option<&Place>,
        limit: usize,
    ) -> Result<Found, StoreError> {
        search::page(self, audience, search, from, limit).await
    }

    async fn reindex(&self) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        if writer.log.is_none() {
            return Err(StoreError::NotWriter);
        }
        sqlx::raw_sql("UPDATE meta SET value = 0 WHERE key = 'terms_version'")
            .execute(&mut writer.connection)
            .await?;
        catch_up(&mut writer.connection).await
    }
}

impl Postings for SqliteStore {
    async fn postings(
        &self,
        lane: Lane,
        partner: &Arc<str>,
        (term, block): (&[u8], i64),
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Mark>, StoreError> {
        let query = sqlx::query(match lane {
            Lane::Community => COMMUNITY_POSTINGS,
            Lane::Addressed => ADDRESSED_POSTINGS,
        });
        let query = query.bind(term).bind(block).bind(to);
        let query = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let query = match lane {
            Lane::Community => query,
            Lane::Addressed => query.bind(partner.as_ref()),
        };
        let rows = query.fetch_all(&self.readers).await?;
        let mark = |row: &sqlx::sqlite::SqliteRow| {
            Ok(Mark {
                term: row.try_get(0)?,
                block: row.try_get(1)?,
                bits: row.try_get(2)?,
            })
        };
        rows.iter().map(mark).collect()
    }

    async fn bits(
        &self,
        lane: Lane,
        partner: &Arc<str>,
        term: &[u8],
        blocks: &[i64],
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let query = sqlx::query(match lane {
            Lane::Community => COMMUNITY_BITS,
            Lane::Addressed => ADDRESSED_BITS,
        });
        let query = query.bind(term).bind(numbers(blocks));
        let query = match lane {
            Lane::Community => query,
            Lane::Addressed => query.bind(partner.as_ref()),
        };
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    async fn at(
        &self,
        lane: Lane,
        partner: &Arc<str>,
        positions: &[i64],
    ) -> Result<Vec<Row>, StoreError> {
        let at = match lane {
            Lane::Community => COMMUNITY_AT,
            Lane::Addressed => ADDRESSED_AT,
        };
        let (start, every) = (Position::default(), Filter::default());
        let query = page_query(at, partner, start, positions.len(), &every);
        let query = query.bind(numbers(positions));
        page(&query.fetch_one(&self.readers).await?)
    }
}

/// A list for `json_each`.
fn numbers(numbers: &[i64]) -> String {
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", texts.join(","))
}

/// Brings the index up to the log and to what terms are now, a bounded piece at a time; what it has
/// reached outlives a crash.
pub(super) async fn catch_up(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let progress = "SELECT (SELECT value FROM meta WHERE key = 'terms_version'),
        (SELECT value FROM meta WHERE key = 'terms_through')";
    let row = sqlx::query(progress).fetch_one(&mut *connection).await?;
    let (version, mut through): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if version != terms::VERSION {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql("DELETE FROM terms; DELETE FROM addressed_terms")
            .execute(&mut *transaction)
            .await?;
        set(&mut transaction, "terms_version", terms::VERSION).await?;
        set(&mut transaction, "terms_through", 0).await?;
        transaction.commit().await?;
        through = 0;
    }
    while through != COMPLETE {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let stored = transaction.stored(Heads::After(through)).await?;
        transaction.mark(&Marks::of_stored(&stored)).await?;
        through = stored.last().map_or(COMPLETE, |last| last.head);
        set(&mut transaction, "terms_through", through).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Stands for the last head where the index follows each append.
const COMPLETE: i64 = i64::MAX;

async fn set(
    connection: &mut SqliteConnection,
    key: &'static str,
    value: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE meta SET value = ?2 WHERE key = ?1")
        .bind(key)
        .bind(value)
        .execute(connection)
        .await?;
    Ok(())
}

/// See [`Tables::mark`].
pub(super) async fn mark(
    connection: &mut SqliteConnection,
    marks: &Marks,
) -> Result<(), StoreError> {
    for chunk in Chunks(&marks.community) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO terms (term, block, bits) ");
        insert.push_values(chunk, |mut row, mark| {
            row.push_bind(mark.term.as_slice())
                .push_bind(mark.block)
                .push_bind(mark.bits);
        });
        insert.push(" ON CONFLICT (term, block) DO UPDATE SET bits = bits | excluded.bits");
        insert.build().execute(&mut *connection).await?;
    }
    for chunk in Chunks(&marks.addressed) {
        let into = "INSERT INTO addressed_terms (partner, term, block, bits) ";
        let mut insert = QueryBuilder::<Sqlite>::new(into);
        insert.push_values(chunk, |mut row, (partner, mark)| {
            row.push_bind(partner.as_ref())
                .push_bind(mark.term.as_slice())
                .push_bind(mark.block)
                .push_bind(mark.bits);
        });
        insert
            .push(" ON CONFLICT (partner, term, block) DO UPDATE SET bits = bits | excluded.bits");
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// See [`Tables::unmark`].
pub(super) async fn unmark(
    connection: &mut SqliteConnection,
    marks: &Marks,
) -> Result<(), StoreError> {
    for mark in &marks.community {
        for statement in [CLEAR, CLEAN] {
            sqlx::query(statement)
                .bind(mark.term.as_slice())
                .bind(mark.block)
                .bind(!mark.bits)
                .execute(&mut *connection)
                .await?;
        }
    }
    for (partner, mark) in &marks.addressed {
        for statement in [CLEAR_ADDRESSED, CLEAN_ADDRESSED] {
            sqlx::query(statement)
                .bind(mark.term.as_slice())
                .bind(mark.block)
                .bind(!mark.bits)
                .bind(partner.as_ref())
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// See [`Tables::stored`].
pub(super) async fn stored(
    connection: &mut SqliteConnection,
    heads: Heads<'_>,
) -> Result<Vec<Stored>, StoreError> {
    let query = match heads {
        Heads::Of(heads) => sqlx::query(STORED_OF).bind(numbers(heads)),
        Heads::After(head) => sqlx::query(STORED_AFTER).bind(head),
    };
    let bounded = matches!(heads, Heads::After(_));
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    let mut rows = query.fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let raw: Vec<u8> = row.try_get(2)?;
        bytes = bytes.saturating_add(raw.len());
        let stored = Stored {
            head: row.try_get(0)?,
            source: row.try_get(1)?,
            raw,
            community: row.try_get(3)?,
            addressed: Vec::new(),
        };
        found.push((row.try_get::<i64, _>(4)?, stored));
        if bounded && bytes >= STORED_BYTES_MAX {
            break;
        }
    }
    drop(rows);
    for (seq, stored) in &mut found {
        if stored.community.is_some() {
            continue;
        }
        let rows = sqlx::query("SELECT partner, position FROM addressed WHERE seq = ?1")
            .bind(*seq)
            .fetch_all(&mut *connection)
            .await?;
        for row in rows {
            let partner: &str = row.try_get(0)?;
            stored.addressed.push((partner.into(), row.try_get(1)?));
        }
    }
    Ok(found.into_iter().map(|(_, stored)| stored).collect())
}

/// Once so many bytes of objects are read, the next ones go into another transaction.
const STORED_BYTES_MAX: usize = 4 << 20;

const COMMUNITY_POSTINGS: &str = "SELECT term, block, bits FROM terms
    WHERE (term, block) >= (?1, ?2) AND term < ?3 ORDER BY term, block LIMIT ?4 + 0";
const ADDRESSED_POSTINGS: &str = "SELECT term, block, bits FROM addressed_terms
    WHERE partner = ?5 AND (term, block) >= (?1, ?2) AND term < ?3
    ORDER BY term, block LIMIT ?4 + 0";
const COMMUNITY_BITS: &str = "SELECT block, bits FROM terms
    WHERE term = ?1 AND block IN (SELECT value FROM json_each(?2))";
const ADDRESSED_BITS: &str = "SELECT block, bits FROM addressed_terms
    WHERE partner = ?3 AND term = ?1 AND block IN (SELECT value FROM json_each(?2))";
const CLEAR: &str = "UPDATE terms SET bits = bits & ?3 WHERE term = ?1 AND block = ?2";
const CLEAN: &str = "DELETE FROM terms WHERE term = ?1 AND block = ?2 AND bits = 0";
const CLEAR_ADDRESSED: &str = "UPDATE addressed_terms SET bits = bits & ?3
    WHERE partner = ?4 AND term = ?1 AND block = ?2";
const CLEAN_ADDRESSED: &str = "DELETE FROM addressed_terms
    WHERE partner = ?4 AND term = ?1 AND block = ?2 AND bits = 0";

/// The events of what is not erased, each once: an erasure has an event of its own.
macro_rules! stored_where {
    ($heads:literal) => {
        concat!(
            "SELECT h.n, h.source, p.raw, e.community, e.seq FROM ",
            $heads,
            " CROSS JOIN payloads p ON p.n = h.n CROSS JOIN events e ON e.head = h.n AND e.kind <> 4 "
        )
    };
}

const STORED_OF: &str = concat!(
    stored_where!("json_each(?1) i CROSS JOIN heads h ON h.n = i.value"),
    "ORDER BY h.n"
);
const STORED_AFTER: &str = concat!(
    stored_where!("heads h"),
    "WHERE h.n > ?1 ORDER BY h.n LIMIT 1000"
);

#[cfg(test)]
mod tests {
    use super::*;

    /// A page costs the same at any depth: all that a search reads it reads along an index, from
    /// where it stands.
    #[tokio::test]
    async fn searches_go_along_indexes_from_where_they_stand() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        crate::sqlite::schema::migrate(&mut connection, 1)
            .await
            .unwrap();
        let wanted = [
            (
                COMMUNITY_POSTINGS,
                "PRIMARY KEY ((term,block)>(?,?) AND term<?)",
            ),
            (
                ADDRESSED_POSTINGS,
                "PRIMARY KEY (partner=? AND (term,block)>(?,?) AND term<?)",
            ),
            (COMMUNITY_BITS, "PRIMARY KEY (term=? AND block=?)"),
            (
                ADDRESSED_BITS,
                "PRIMARY KEY (partner=? AND term=? AND block=?)",
            ),
            (COMMUNITY_AT, "INDEX events_community (community=?)"),
            (ADDRESSED_AT, "PRIMARY KEY (partner=? AND position=?)"),
            (STORED_AFTER, "INTEGER PRIMARY KEY (rowid>?)"),
        ];
        for (statement, along) in wanted {
            let explain = format!("EXPLAIN QUERY PLAN {statement}");
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain));
            let rows = rows.fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            assert!(
                plan.iter().any(|step| step.contains(along)),
                "{statement}: {plan:#?}"
            );
            let whole = |step: &&String| step.starts_with("SCAN") && !step.contains("json_each");
            let whole: Vec<_> = plan.iter().filter(whole).collect();
            let harmless = |step: &&String| {
                ["SCAN w", "SCAN i", "SCAN (subquery"]
                    .iter()
                    .any(|start| step.starts_with(start))
            };
            assert!(whole.iter().all(harmless), "{statement}: {plan:#?}");
            let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
            let may = [COMMUNITY_AT, ADDRESSED_AT].contains(&statement);
            assert!(may || !sorts, "{statement}: {plan:#?}");
        }
    }
}
