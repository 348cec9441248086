//! Reading views: lanes, pages, the newest, the live.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use sharing::Audience;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite};
use stix::Timestamp;

use super::SqliteStore;
use super::dump::QUERIES;
use super::sql::{
    ADDRESSED_LANE, ADDRESSED_LIVE, ADDRESSED_RECENT, COMMUNITY_LANE, COMMUNITY_LIVE,
    COMMUNITY_RECENT, PAGE, PAGE_OF_IDS, PAYLOAD,
};
use crate::dump::erased;
use crate::rows::{self, Row};
use crate::store::READ_BYTES_MAX;
use crate::view::{self, Windows, count, damaged, number, one_partner, sql};
use crate::{
    Appended, Counts, Entry, Erased, ErasedVersion, Erasure, Filter, Lane, Log, Page, Position,
    StoreError, Submission, VersionMatch,
};

impl Log for SqliteStore {
    async fn append(&self, batch: &[Submission], now: Timestamp) -> Result<Appended, StoreError> {
        self.append_batch(batch, now).await
    }

    async fn erase(&self, erasure: &Erasure, now: Timestamp) -> Result<Erased, StoreError> {
        self.erase_versions(erasure, now).await
    }

    async fn erased(&self, after: u64, limit: usize) -> Result<Vec<ErasedVersion>, StoreError> {
        let mut connection = self.readers.acquire().await?;
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
        let mut rows = query.bind(count(limit)).fetch(&self.readers);
        let (mut read, mut bytes) = (Vec::new(), 0_usize);
        while bytes < READ_BYTES_MAX
            && let Some(row) = rows.try_next().await?
        {
            let row = one(&row)?;
            bytes = bytes.saturating_add(row.bytes);
            read.push(row);
        }
        // What is apart is read over this connection, or another.
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
        let mut found = std::collections::BTreeMap::new();
        let mut keep = |rows: Vec<SqliteRow>| -> Result<(), StoreError> {
            for row in rows {
                let row = one(&row)?;
                found.entry(row.seq).or_insert(row);
            }
            Ok(())
        };
        keep(
            sqlx::query(COMMUNITY_RECENT)
                .bind(count(limit))
                .fetch_all(&self.readers)
                .await?,
        )?;
        for partner in audience.names() {
            let query = sqlx::query(ADDRESSED_RECENT)
                .bind(partner.as_ref())
                .bind(count(limit));
            keep(query.fetch_all(&self.readers).await?)?;
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
            None => sqlx::query("SELECT coalesce(max(community), 0) FROM events"),
            Some(partner) => {
                sqlx::query("SELECT coalesce(max(position), 0) FROM addressed WHERE partner = ?1")
                    .bind(partner.as_ref())
            }
        };
        Ok(number(query.fetch_one(&self.readers).await?.try_get(0)?))
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
        let mut rows = query.fetch(&self.readers);
        while let Some(row) = rows.try_next().await? {
            let entry = one(&row)?.admitted(self).await?;
            each(entry.ok_or_else(|| damaged("an event has no payload"))?);
        }
        Ok(())
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Windows for SqliteStore {
    async fn window(
        &self,
        partner: &Arc<str>,
        after: Position,
        size: usize,
        filter: &Filter,
    ) -> Result<Vec<Row>, StoreError> {
        let by_ids = !filter.ids.is_empty();
        let query = if by_ids { PAGE_OF_IDS } else { PAGE };
        let mut query = page_query(query, partner, after, size, filter);
        if by_ids {
            let ids = listed(filter.ids.iter().map(|id| format!("\"{id}\"")));
            query = query.bind(format!("[{}]", ids.trim_matches(',')));
        }
        page(&query.fetch_one(&self.readers).await?)
    }

    async fn payload(&self, key: i64) -> Result<Option<Bytes>, StoreError> {
        let row = sqlx::query(PAYLOAD).bind(key);
        let row = row.fetch_optional(&self.readers).await?;
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
            "SELECT (SELECT community FROM events WHERE community IS NOT NULL AND date_added <= ?1
                     ORDER BY date_added DESC LIMIT 1),
                    (SELECT position FROM addressed WHERE partner = ?2 AND date_added <= ?1
                     ORDER BY date_added DESC LIMIT 1)",
        )
        .bind(added_after.as_micros())
        .bind(partner.as_ref())
        .fetch_one(&self.readers)
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
) -> Query<'q, Sqlite, SqliteArguments> {
    let wants = |wanted| filter.versions.contains(&wanted);
    let exact = filter.versions.iter().filter_map(|version| match version {
        VersionMatch::At(moment) => Some(moment.as_micros().to_string()),
        VersionMatch::Last | VersionMatch::First | VersionMatch::All => None,
    });
    sqlx::query(query)
        .bind(sql(at.community))
        .bind(sql(at.addressed))
        .bind(partner.as_ref())
        .bind(i64::try_from(window).unwrap_or(i64::MAX))
        .bind(listed(filter.kinds.iter().map(String::as_str)))
        .bind(wants(VersionMatch::All))
        .bind(listed(exact))
        .bind(filter.versions.is_empty() || wants(VersionMatch::Last))
        .bind(wants(VersionMatch::First))
}

/// `,a,b,` for `instr`; empty when there is none. Types, identifiers and numbers have no commas.
fn listed(values: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut list = String::new();
    for value in values {
        list.push_str(if list.is_empty() { "," } else { "" });
        list.push_str(value.as_ref());
        list.push(',');
    }
    list
}

/// The entry in a row.
fn one(row: &SqliteRow) -> Result<Row, StoreError> {
    rows::unpack_one(row.try_get::<Vec<u8>, _>(0)?.into())
}

/// The entries of a page, which are one row; it is null where there are none.
pub(super) fn page(row: &SqliteRow) -> Result<Vec<Row>, StoreError> {
    let packed = row.try_get::<Option<Vec<u8>>, _>(0)?;
    rows::unpack(&packed.unwrap_or_default().into())
}
