//! Reading views: lanes, pages, the newest, the live.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use sharing::Audience;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::types::Uuid;
use sqlx::{Postgres, Row as _};
use stix::{StixId, Timestamp};

use super::dump::QUERIES;
use super::sql::{
    ADDRESSED_LANE, ADDRESSED_LIVE, ADDRESSED_RECENT, COMMUNITY_LANE, COMMUNITY_LIVE,
    COMMUNITY_RECENT, PAGE, PAGE_OF_IDS, PAYLOAD,
};
use super::{PostgresStore, session};
use crate::dump::erased;
use crate::rows::{self, Row};
use crate::store::READ_BYTES_MAX;
use crate::view::{self, Windows, count, damaged, number, one_partner, sql};
use crate::{
    Appended, Counts, Entry, Erased, ErasedVersion, Erasure, Filter, Lane, Log, Page, Position,
    StoreError, Submission, VersionMatch,
};

impl Log for PostgresStore {
    async fn append(&self, batch: &[Submission], now: Timestamp) -> Result<Appended, StoreError> {
        self.append_batch(batch, now).await
    }

    async fn erase(&self, erasure: &Erasure, now: Timestamp) -> Result<Erased, StoreError> {
        self.erase_versions(erasure, now).await
    }

    async fn erased(&self, after: u64, limit: usize) -> Result<Vec<ErasedVersion>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        erased(&mut *connection, QUERIES, after, limit).await
    }

    async fn lane(
        &self,
        audience: &Audience,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let partner = one_partner(audience)?;
        let query = match lane {
            Lane::Community => sqlx::query(COMMUNITY_LANE).bind(sql(after)),
            Lane::Addressed => sqlx::query(ADDRESSED_LANE)
                .bind(sql(after))
                .bind(partner.as_ref()),
        };
        let mut rows = query.bind(count(limit)).fetch(&self.pool);
        let (mut read, mut bytes) = (Vec::new(), 0_usize);
        while bytes < READ_BYTES_MAX
            && let Some(row) = rows.try_next().await?
        {
            let row = one(&row)?;
            bytes = bytes.saturating_add(row.bytes);
            read.push(row);
        }
        // What is apart is read over this session, or another.
        drop(rows);
        view::events(self, read).await
    }

    async fn page(
        &self,
        audience: &Audience,
        from: Position,
        limit: usize,
        filter: &Filter,
    ) -> Result<Page, StoreError> {
        view::page(self, audience, from, limit, filter).await
    }

    async fn recent(&self, audience: &Audience, limit: usize) -> Result<Vec<Entry>, StoreError> {
        if audience.names().is_empty() {
            return Ok(Vec::new());
        }
        let mut found = BTreeMap::new();
        let mut keep = |rows: Vec<PgRow>| -> Result<(), StoreError> {
            for row in rows {
                let row = one(&row)?;
                found.entry(row.seq).or_insert(row);
            }
            Ok(())
        };
        let query = sqlx::query(COMMUNITY_RECENT).bind(count(limit));
        keep(query.fetch_all(&self.pool).await?)?;
        for partner in audience.names() {
            let query = sqlx::query(ADDRESSED_RECENT)
                .bind(partner.as_ref())
                .bind(count(limit));
            keep(query.fetch_all(&self.pool).await?)?;
        }
        view::newest(self, found, limit).await
    }

    async fn head(&self, audience: &Audience) -> Result<Position, StoreError> {
        let partner = one_partner(audience)?;
        let (community, addressed) = (self.end(None).await?, self.end(Some(partner)).await?);
        Ok(Position {
            community,
            addressed,
        })
    }

    async fn counts(&self, audience: &Audience) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for (index, partner) in audience.names().iter().enumerate() {
            if index == 0 {
                counts.community = self.end(None).await?;
            }
            counts.addressed = counts
                .addressed
                .saturating_add(self.end(Some(partner)).await?);
        }
        Ok(counts)
    }

    async fn end(&self, partner: Option<&Arc<str>>) -> Result<u64, StoreError> {
        let query = match partner {
            None => sqlx::query(
                "SELECT coalesce(max(community), 0) FROM events WHERE community IS NOT NULL",
            ),
            Some(partner) => {
                sqlx::query("SELECT coalesce(max(position), 0) FROM addressed WHERE partner = $1")
                    .bind(partner.as_ref())
            }
        };
        Ok(number(query.fetch_one(&self.pool).await?.try_get(0)?))
    }

    async fn live(
        &self,
        partner: Option<&Arc<str>>,
        through: u64,
        at: Timestamp,
        each: &mut (dyn FnMut(Entry) + Send),
    ) -> Result<(), StoreError> {
        let query = sqlx::query(if partner.is_some() {
            ADDRESSED_LIVE
        } else {
            COMMUNITY_LIVE
        });
        let query = query.bind(sql(through)).bind(at.as_micros());
        let query = match partner {
            None => query,
            Some(partner) => query.bind(partner.as_ref()),
        };
        // All that is live may take longer than a reader waits.
        let begin = "BEGIN READ ONLY; SET LOCAL statement_timeout = 0";
        let mut transaction = self.pool.begin_with(begin).await?;
        let mut rows = query.fetch(&mut *transaction);
        let mut next = async || {
            let next = async { Ok(rows.try_next().await?) };
            session::bounded(self.options.timeout, next).await
        };
        while let Some(row) = next().await? {
            let entry = one(&row)?.admitted(self).await?;
            each(entry.ok_or_else(|| damaged("an event has no payload"))?);
        }
        drop(rows);
        transaction.rollback().await?;
        Ok(())
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Windows for PostgresStore {
    async fn window(
        &self,
        partner: &Arc<str>,
        after: Position,
        size: usize,
        filter: &Filter,
    ) -> Result<Vec<Row>, StoreError> {
        // The same identifier twice must not show an entry twice.
        let ids: std::collections::BTreeSet<&StixId> = filter.ids.iter().collect();
        let query = if ids.is_empty() { PAGE } else { PAGE_OF_IDS };
        let mut query = page_query(query, partner, after, size, filter);
        if !ids.is_empty() {
            query = query
                .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
                .bind(ids.iter().map(|id| id.kind()).collect::<Vec<&str>>());
        }
        page(&query.fetch_one(&self.pool).await?)
    }

    async fn payload(&self, key: i64) -> Result<Option<Bytes>, StoreError> {
        let row = sqlx::query(PAYLOAD).bind(key);
        let row = row.fetch_optional(&self.pool).await?;
        row.map(|row| Ok(Bytes::from(row.try_get::<Vec<u8>, _>(0)?)))
            .transpose()
    }

    async fn skip_to(
        &self,
        partner: &Arc<str>,
        from: Position,
        added_after: Timestamp,
    ) -> Result<Position, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT community FROM events WHERE community IS NOT NULL AND date_added <= $1
                     ORDER BY date_added DESC LIMIT 1),
                    (SELECT position FROM addressed WHERE partner = $2 AND date_added <= $1
                     ORDER BY date_added DESC LIMIT 1)",
        )
        .bind(added_after.as_micros())
        .bind(partner.as_ref())
        .fetch_one(&self.pool)
        .await?;
        let past = |last: Option<i64>| number(last.unwrap_or(0));
        Ok(Position {
            community: from.community.max(past(row.try_get(0)?)),
            addressed: from.addressed.max(past(row.try_get(1)?)),
        })
    }
}

/// A query of [`super::sql`] for a page, with all its parameters but those of its window.
pub(super) fn page_query<'q>(
    query: &'static str,
    partner: &'q Arc<str>,
    at: Position,
    window: usize,
    filter: &Filter,
) -> Query<'q, Postgres, PgArguments> {
    let wants = |wanted| filter.versions.contains(&wanted);
    let exact = filter.versions.iter().filter_map(|version| match version {
        VersionMatch::At(moment) => Some(moment.as_micros()),
        VersionMatch::Last | VersionMatch::First | VersionMatch::All => None,
    });
    let kinds = (!filter.kinds.is_empty()).then(|| filter.kinds.clone());
    sqlx::query(query)
        .bind(sql(at.community))
        .bind(sql(at.addressed))
        .bind(partner.as_ref())
        .bind(i64::try_from(window).unwrap_or(i64::MAX))
        .bind(kinds)
        .bind(wants(VersionMatch::All))
        .bind(exact.collect::<Vec<i64>>())
        .bind(filter.versions.is_empty() || wants(VersionMatch::Last))
        .bind(wants(VersionMatch::First))
}

/// The entry in a row.
fn one(row: &PgRow) -> Result<Row, StoreError> {
    rows::unpack_one(row.try_get::<Vec<u8>, _>(0)?.into())
}

/// The entries of a page, which are one row; it is null where there are none.
pub(super) fn page(row: &PgRow) -> Result<Vec<Row>, StoreError> {
    let packed = row.try_get::<Option<Vec<u8>>, _>(0)?;
    rows::unpack(&packed.unwrap_or_default().into())
}
