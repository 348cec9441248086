//! The search index: its rows, how they follow the log, and reading them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sharing::Audience;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Row as _};

use super::append::check_fence;
use super::read::{page, page_query};
use super::sql::{ADDRESSED_AT, COMMUNITY_AT};
use super::{PostgresStore, session};
use crate::append::{Heads, Tables};
use crate::rows::Row;
use crate::search::{self, Postings};
use crate::terms::{self, Mark, Marks, Stored};
use crate::{Filter, Find, Found, Lane, Place, Position, Search, StoreError};

impl Find for PostgresStore {
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
        let writer = self.writer.as_ref().ok_or(StoreError::NotWriter)?;
        let log = writer.lock().await;
        let mut connection = session::connect(&self.url, self.options).await?;
        sqlx::query("UPDATE log SET terms_version = 0")
            .execute(&mut connection)
            .await?;
        catch_up(&mut connection, log.fence).await?;
        connection.close().await?;
        Ok(())
    }
}

impl Postings for PostgresStore {
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
        let rows = query.fetch_all(&self.pool).await?;
        let mark = |row: &PgRow| {
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
        let query = query.bind(term).bind(blocks);
        let query = match lane {
            Lane::Community => query,
            Lane::Addressed => query.bind(partner.as_ref()),
        };
        let rows = query.fetch_all(&self.pool).await?;
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
        page(&query.bind(positions).fetch_one(&self.pool).await?)
    }
}

/// Brings the index up to the log and to what terms are now, a bounded piece at a time; what it has
/// reached outlives a crash.
pub(super) async fn catch_up(connection: &mut PgConnection, fence: i64) -> Result<(), StoreError> {
    let progress = sqlx::query("SELECT terms_version, terms_through FROM log");
    let row = progress.fetch_one(&mut *connection).await?;
    let (version, mut through): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if version != terms::VERSION {
        let mut transaction = connection.begin().await?;
        check_fence(&mut transaction, fence).await?;
        sqlx::raw_sql("TRUNCATE terms, addressed_terms")
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE log SET terms_version = $1, terms_through = 0")
            .bind(terms::VERSION)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        through = 0;
    }
    while through != COMPLETE {
        let mut transaction = connection.begin().await?;
        check_fence(&mut transaction, fence).await?;
        let stored = transaction.stored(Heads::After(through)).await?;
        transaction.mark(&Marks::of_stored(&stored)).await?;
        through = stored.last().map_or(COMPLETE, |last| last.head);
        sqlx::query("UPDATE log SET terms_through = $1")
            .bind(through)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Stands for the last head where the index follows each append.
const COMPLETE: i64 = i64::MAX;

/// See [`Tables::mark`].
pub(super) async fn mark(connection: &mut PgConnection, marks: &Marks) -> Result<(), StoreError> {
    write(connection, [SET, SET_ADDRESSED], marks).await
}

/// See [`Tables::unmark`].
pub(super) async fn unmark(connection: &mut PgConnection, marks: &Marks) -> Result<(), StoreError> {
    write(connection, [CLEAR, CLEAR_ADDRESSED], marks).await?;
    write(connection, [CLEAN, CLEAN_ADDRESSED], marks).await
}

/// Runs a statement over the rows of the community's index, and one over those of addressed lanes.
async fn write(
    connection: &mut PgConnection,
    [community, addressed]: [&'static str; 2],
    marks: &Marks,
) -> Result<(), StoreError> {
    for chunk in marks.community.chunks(ROWS_MAX) {
        let marks = || chunk.iter();
        sqlx::query(community)
            .bind(marks().map(|mark| mark.term.as_slice()).collect::<Vec<_>>())
            .bind(marks().map(|mark| mark.block).collect::<Vec<_>>())
            .bind(marks().map(|mark| mark.bits).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    for chunk in marks.addressed.chunks(ROWS_MAX) {
        let marks = || chunk.iter().map(|(_, mark)| mark);
        let partners = chunk.iter().map(|(partner, _)| partner.as_ref());
        sqlx::query(addressed)
            .bind(marks().map(|mark| mark.term.as_slice()).collect::<Vec<_>>())
            .bind(marks().map(|mark| mark.block).collect::<Vec<_>>())
            .bind(marks().map(|mark| mark.bits).collect::<Vec<_>>())
            .bind(partners.collect::<Vec<&str>>())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Most rows of one statement.
const ROWS_MAX: usize = 16_384;

/// See [`Tables::stored`].
pub(super) async fn stored(
    connection: &mut PgConnection,
    heads: Heads<'_>,
) -> Result<Vec<Stored>, StoreError> {
    let query = match heads {
        Heads::Of(heads) => sqlx::query(STORED_OF).bind(heads),
        Heads::After(head) => sqlx::query(STORED_AFTER).bind(head),
    };
    let bounded = matches!(heads, Heads::After(_));
    let (mut found, mut bytes) = (BTreeMap::new(), 0_usize);
    let mut rows = query.fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let raw: Vec<u8> = row.try_get(2)?;
        bytes = bytes.saturating_add(raw.len());
        let head: i64 = row.try_get(0)?;
        let stored = Stored {
            head,
            source: row.try_get(1)?,
            raw,
            community: row.try_get(3)?,
            addressed: Vec::new(),
        };
        found.insert(head, stored);
        if bounded && bytes >= STORED_BYTES_MAX {
            break;
        }
    }
    drop(rows);
    let apart = found.values().filter(|stored| stored.community.is_none());
    let apart: Vec<i64> = apart.map(|stored| stored.head).collect();
    let lanes =
        sqlx::query("SELECT seq, partner, position FROM addressed WHERE seq = ANY($1::bigint[])");
    for row in lanes.bind(apart).fetch_all(&mut *connection).await? {
        let head: i64 = row.try_get(0)?;
        let partner: &str = row.try_get(1)?;
        if let Some(stored) = found.get_mut(&head) {
            stored.addressed.push((partner.into(), row.try_get(2)?));
        }
    }
    Ok(found.into_values().collect())
}

/// Once so many bytes of objects are read, the next ones go into another transaction.
const STORED_BYTES_MAX: usize = 4 << 20;

const COMMUNITY_POSTINGS: &str = "SELECT term, block, bits FROM terms
    WHERE (term, block) >= ($1, $2) AND term < $3 ORDER BY term, block LIMIT $4";
const ADDRESSED_POSTINGS: &str = "SELECT term, block, bits FROM addressed_terms
    WHERE partner = $5 AND (term, block) >= ($1, $2) AND term < $3
    ORDER BY term, block LIMIT $4";
const COMMUNITY_BITS: &str = "SELECT block, bits FROM terms
    WHERE term = $1 AND block = ANY($2::bigint[])";
const ADDRESSED_BITS: &str = "SELECT block, bits FROM addressed_terms
    WHERE partner = $3 AND term = $1 AND block = ANY($2::bigint[])";
const SET: &str = "INSERT INTO terms AS t (term, block, bits)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[])
    ON CONFLICT (term, block) DO UPDATE SET bits = t.bits | excluded.bits";
const SET_ADDRESSED: &str = "INSERT INTO addressed_terms AS t (term, block, bits, partner)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[])
    ON CONFLICT (partner, term, block) DO UPDATE SET bits = t.bits | excluded.bits";
const CLEAR: &str = "UPDATE terms t SET bits = t.bits & ~k.bits
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS k (term, block, bits)
    WHERE t.term = k.term AND t.block = k.block";
const CLEAR_ADDRESSED: &str = "UPDATE addressed_terms t SET bits = t.bits & ~k.bits
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[])
      AS k (term, block, bits, partner)
    WHERE t.partner = k.partner AND t.term = k.term AND t.block = k.block";
const CLEAN: &str = "DELETE FROM terms t
    USING unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS k (term, block, bits)
    WHERE t.term = k.term AND t.block = k.block AND t.bits = 0";
const CLEAN_ADDRESSED: &str = "DELETE FROM addressed_terms t
    USING unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[])
      AS k (term, block, bits, partner)
    WHERE t.partner = k.partner AND t.term = k.term AND t.block = k.block AND t.bits = 0";

macro_rules! stored_where {
    ($which:literal) => {
        concat!(
            "SELECT e.seq, e.source, p.raw, e.community \
             FROM events e JOIN payloads p ON p.seq = e.seq WHERE e.event <> 4 AND e.seq ",
            $which
        )
    };
}

const STORED_OF: &str = stored_where!("= ANY($1::bigint[])");
const STORED_AFTER: &str = stored_where!("> $1 ORDER BY e.seq LIMIT 1000");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{Options, schema};
    use testkit::postgres::{Server, unavailable};

    /// A page costs the same at any depth: all that a search reads it reads along an index, from
    /// where it stands, and in the index's order.
    #[tokio::test]
    async fn searches_go_along_indexes_from_where_they_stand() {
        if let Some(why) = unavailable() {
            testkit::skip(
                "postgres::search::searches_go_along_indexes_from_where_they_stand",
                &why,
            );
            return;
        }
        let server = Server::shared().unwrap();
        server.sql("CREATE SCHEMA IF NOT EXISTS plans").unwrap();
        let url = server.url("plans").parse().unwrap();
        let mut connection = session::connect(&url, Options::default()).await.unwrap();
        schema::migrate(&mut connection, 1).await.unwrap();
        let from = "(ROW(term, block) >= ROW($1, $2)) AND (term < $3)";
        let cases = [
            (
                COMMUNITY_POSTINGS,
                "bytea, bigint, bytea, bigint",
                r"'\x00', 0, '\x01', 9",
                from,
            ),
            (
                ADDRESSED_POSTINGS,
                "bytea, bigint, bytea, bigint, text",
                r"'\x00', 0, '\x01', 9, 'a'",
                "(partner = $5) AND (ROW(term, block) >= ROW($1, $2)) AND (term < $3)",
            ),
            (
                COMMUNITY_BITS,
                "bytea, bigint[]",
                r"'\x00', '{1}'",
                "(term = $1)",
            ),
            (
                ADDRESSED_BITS,
                "bytea, bigint[], text",
                r"'\x00', '{1}', 'a'",
                "(partner = $3) AND (term = $1)",
            ),
        ];
        for (number, (statement, types, values, condition)) in cases.into_iter().enumerate() {
            let prepare = format!("PREPARE p{number} ({types}) AS {statement}");
            let explain = format!("EXPLAIN EXECUTE p{number} ({values})");
            let prepare = sqlx::raw_sql(sqlx::AssertSqlSafe(prepare));
            prepare.execute(&mut connection).await.unwrap();
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain));
            let rows = rows.fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let plan = plan.join("\n");
            assert!(plan.contains(condition), "{statement}:\n{plan}");
            assert!(
                plan.contains("_pkey") && !plan.contains("Sort"),
                "{statement}:\n{plan}"
            );
            assert!(!plan.contains("Seq Scan"), "{statement}:\n{plan}");
        }
    }
}
