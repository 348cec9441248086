//! Reading views: lanes, pages, the newest, the live.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use sharing::Audience;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::types::Uuid;
use sqlx::{Decode, Postgres, Row as _};
use stix::{StixId, Timestamp};

use super::sql::{
    ADDRESSED_LANE, ADDRESSED_LIVE, ADDRESSED_RECENT, COMMUNITY_LANE, COMMUNITY_LIVE,
    COMMUNITY_RECENT, DATE_ADDED, EVENT, ID, KIND, LANE, PAGE, PAGE_OF_IDS, POSITION, RAW, SEQ,
    SOURCE, SPEC_VERSION, STALE, VALID_UNTIL, VERSION,
};
use super::{PostgresStore, session};
use crate::store::READ_BYTES_MAX;
use crate::view::{self, Seen, Windows, count, damaged, number, one_partner, sql};
use crate::{
    Appended, Counts, Entry, Erased, ErasedVersion, Erasure, EventKind, Filter, Lane, Log, Page,
    Position, StoreError, Submission, VersionMatch,
};

impl Log for PostgresStore {
    async fn append(&self, batch: &[Submission], now: Timestamp) -> Result<Appended, StoreError> {
        self.append_batch(batch, now).await
    }

    async fn erase(&self, erasure: &Erasure, now: Timestamp) -> Result<Erased, StoreError> {
        self.erase_versions(erasure, now).await
    }

    async fn erased(&self, after: u64, limit: usize) -> Result<Vec<ErasedVersion>, StoreError> {
        self.erased_versions(after, limit).await
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
        let (mut entries, mut bytes) = (Vec::new(), 0_usize);
        while bytes < READ_BYTES_MAX
            && let Some(row) = rows.try_next().await?
        {
            let entry = event(&row)?;
            bytes = bytes.saturating_add(entry.raw.len());
            entries.push(entry);
        }
        Ok(entries)
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
                if let Some(entry) = entry(&row)? {
                    found.entry(row.try_get::<i64, _>(SEQ)?).or_insert(entry);
                }
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
        Ok(found.into_values().rev().take(limit).collect())
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
            each(event(&row)?);
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
    ) -> Result<Vec<Seen>, StoreError> {
        // The same identifier twice must not show an entry twice.
        let ids: std::collections::BTreeSet<&StixId> = filter.ids.iter().collect();
        let query = if ids.is_empty() { PAGE } else { PAGE_OF_IDS };
        let mut query = page_query(query, partner, after, size, filter);
        if !ids.is_empty() {
            query = query
                .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
                .bind(ids.iter().map(|id| id.kind()).collect::<Vec<&str>>());
        }
        let rows = query.fetch_all(&self.pool).await?;
        let seen = |row: &PgRow| {
            Ok(Seen {
                lane: lane_of(row)?,
                position: number(row.try_get(POSITION)?),
                entry: entry(row)?,
            })
        };
        rows.iter().map(seen).collect()
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

/// The event in a row; that of a payload which was erased since tells of the erasure.
fn event(row: &PgRow) -> Result<Entry, StoreError> {
    match entry(row)? {
        Some(entry) => Ok(entry),
        None => with(row, Bytes::new()).map(Entry::erased),
    }
}

/// The entry in a row; none where a filter left the payload out, or it was erased.
pub(super) fn entry(row: &PgRow) -> Result<Option<Entry>, StoreError> {
    let raw = get::<Option<&[u8]>>(row, RAW)?;
    raw.map(|raw| with(row, Bytes::copy_from_slice(raw)))
        .transpose()
}

fn with(row: &PgRow, raw: Bytes) -> Result<Entry, StoreError> {
    let valid_until: Option<i64> = get(row, VALID_UNTIL)?;
    let event = EventKind::of_code(get(row, EVENT)?);
    let id = StixId::from_parts(get(row, KIND)?, get(row, ID)?);
    Ok(Entry {
        event: event.ok_or_else(|| damaged("an event of unknown kind"))?,
        lane: lane_of(row)?,
        position: number(get(row, POSITION)?),
        source: get::<&str>(row, SOURCE)?.into(),
        date_added: Timestamp::from_micros(get(row, DATE_ADDED)?),
        stale: get(row, STALE)?,
        id: id.map_err(|error| damaged(&error.to_string()))?,
        version: Timestamp::from_micros(get(row, VERSION)?),
        valid_until: valid_until.map(Timestamp::from_micros),
        spec_version: get::<Option<&str>>(row, SPEC_VERSION)?.map(Into::into),
        raw,
    })
}

pub(super) fn lane_of(row: &PgRow) -> Result<Lane, StoreError> {
    let addressed: bool = get(row, LANE)?;
    Ok(if addressed {
        Lane::Addressed
    } else {
        Lane::Community
    })
}

/// A column. Its type is that of the schema and is not compared for each row.
pub(super) fn get<'r, T: Decode<'r, Postgres>>(
    row: &'r PgRow,
    column: usize,
) -> Result<T, sqlx::Error> {
    row.try_get_unchecked(column)
}
