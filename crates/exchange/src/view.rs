//! What reading a view means, the same for every back-end. A back-end reads rows ([`Windows`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sharing::Audience;
use stix::Timestamp;

use crate::rows::{Payload, Row};
use crate::store::{ENTRIES_MAX, READ_BYTES_MAX, SCAN_MAX};
use crate::{Entry, Filter, Page, Position, StoreError};

/// The rows that pages are made of.
pub(crate) trait Windows: Sync {
    /// The next `size` rows of both lanes after a position, as the log orders them.
    fn window(
        &self,
        partner: &Arc<str>,
        after: Position,
        size: usize,
        filter: &Filter,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    /// The object that a row leaves to be read by its key; none once it was erased.
    fn payload(&self, key: i64) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// The position past everything added up to a moment, and not before `from`. Dates grow with
    /// positions, so this is one look-up in each lane.
    fn skip_to(
        &self,
        partner: &Arc<str>,
        from: Position,
        added_after: Timestamp,
    ) -> impl Future<Output = Result<Position, StoreError>> + Send;
}

/// See [`crate::Log::page`].
pub(crate) async fn page(
    rows: &impl Windows,
    audience: &Audience,
    from: Position,
    limit: usize,
    filter: &Filter,
) -> Result<Page, StoreError> {
    let partner = one_partner(audience)?;
    let mut page = Page {
        next: from,
        ..Page::default()
    };
    if !admits_spec_version(filter) {
        return Ok(page);
    }
    if let Some(added_after) = filter.added_after {
        page.next = rows.skip_to(partner, from, added_after).await?;
    }
    fill(
        rows,
        partner,
        limit.clamp(1, ENTRIES_MAX),
        filter,
        &mut page,
    )
    .await?;
    Ok(page)
}

/// Adds what the filter admits from `page.next` on. One entry beyond the limit is looked for, so
/// that `more` is true only when there is more.
async fn fill(
    rows: &impl Windows,
    partner: &Arc<str>,
    limit: usize,
    filter: &Filter,
    page: &mut Page,
) -> Result<(), StoreError> {
    let (mut at, mut scanned, mut bytes) = (page.next, 0_usize, 0_usize);
    while scanned < SCAN_MAX {
        let missing = limit.saturating_sub(page.entries.len()).saturating_add(1);
        let selective = scanned > 0 || !filter.kinds.is_empty();
        let size = if selective {
            missing.max(SCAN_STEP)
        } else {
            missing
        };
        let seen = rows.window(partner, at, size, filter).await?;
        let complete = seen.len() < size;
        scanned = scanned.saturating_add(seen.len());
        for row in seen {
            let full = page.entries.len() >= limit || bytes >= READ_BYTES_MAX;
            if row.payload != Payload::None && full {
                page.more = true;
                return Ok(());
            }
            *at.lane_mut(row.entry.lane) = row.entry.position;
            if let Some(entry) = row.admitted(rows).await? {
                bytes = bytes.saturating_add(entry.raw.len());
                page.entries.push(entry);
                page.next = at;
            }
        }
        if complete {
            page.next = at;
            return Ok(());
        }
    }
    if page.entries.len() < limit {
        page.next = at;
    }
    page.more = true;
    Ok(())
}

/// Rows of a lane as its events.
pub(crate) async fn events(rows: &impl Windows, read: Vec<Row>) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::with_capacity(read.len());
    for row in read {
        entries.push(row.event(rows).await?);
    }
    Ok(entries)
}

/// The newest of some rows, by their place in the log, that still have their objects.
pub(crate) async fn newest(
    rows: &impl Windows,
    read: BTreeMap<i64, Row>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for row in read.into_values().rev() {
        if entries.len() >= limit {
            break;
        }
        entries.extend(row.admitted(rows).await?);
    }
    Ok(entries)
}

/// Rows looked at in one go when a filter may pass over many.
const SCAN_STEP: usize = 512;

/// Objects are of version 2.1, said or unsaid.
fn admits_spec_version(filter: &Filter) -> bool {
    filter.spec_versions.is_empty() || filter.spec_versions.iter().any(|version| version == "2.1")
}

/// The partner whose view it is.
pub(crate) fn one_partner(audience: &Audience) -> Result<&Arc<str>, StoreError> {
    match audience.names() {
        [partner] => Ok(partner),
        _ => Err(StoreError::SeveralViews),
    }
}

/// Databases' integers are signed; positions beyond them do not exist.
pub(crate) fn sql(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// A position from the database.
pub(crate) fn number(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

/// How many entries a read returns.
pub(crate) fn count(limit: usize) -> i64 {
    i64::try_from(limit.min(ENTRIES_MAX)).unwrap_or(0)
}

/// A row that this program did not write.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.into())
}
