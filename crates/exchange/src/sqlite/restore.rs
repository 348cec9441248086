//! Making a database of a dump: beside the one that is there, which it replaces when it is whole.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use super::dump::QUERIES;
use super::{Options, SqliteStore, base_options, bulk, connect, lock, schema, sync, sync_folder};
use crate::dump::{EventRecord, Input, Restored, bytes_of, is_empty, register, rows_of, tally};
use crate::registry::new_epoch;
use crate::{EventKind, StoreError};

impl SqliteStore {
    /// Makes the database of a dump. The log begins a new epoch, after `epoch`: every cursor and
    /// position given out before is refused from then on. What was written is read back and compared
    /// before it takes the database's place.
    ///
    /// # Errors
    /// `Locked` while a hub has the database; `NotEmpty` unless `replace`; `BadBackup`; errors of the
    /// database and its files. The database is then as it was.
    pub async fn restore(
        path: &Path,
        options: Options,
        input: &mut Input,
        epoch: u64,
        replace: bool,
    ) -> Result<Restored, StoreError> {
        let _lock = lock(path)?;
        if path.exists() && !replace {
            let mut there = connect(path, options).await?;
            let empty = is_empty(&mut there).await;
            there.close().await?;
            if !empty? {
                return Err(StoreError::NotEmpty(path.display().to_string()));
            }
        }
        let draft = beside(path, "-restore");
        remove(&draft)?;
        let filled = fill(&draft, options, input, epoch).await;
        let restored = match filled {
            Ok(restored) => restored,
            Err(error) => {
                remove(&draft)?;
                return Err(error);
            }
        };
        sync(&draft)?;
        // They belong to the database that is replaced.
        remove(&beside(path, "-wal"))?;
        remove(&beside(path, "-shm"))?;
        std::fs::rename(&draft, path).map_err(|error| StoreError::file(path, error))?;
        sync_folder(path)?;
        Ok(restored)
    }
}

/// Nothing of the draft counts before it is whole: it needs neither a journal nor to be synced.
async fn fill(
    draft: &Path,
    options: Options,
    input: &mut Input,
    epoch: u64,
) -> Result<Restored, StoreError> {
    let epoch = new_epoch().max(i64::try_from(epoch.saturating_add(1)).unwrap_or(i64::MAX));
    let mut connection = base_options(draft, options)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .foreign_keys(false)
        .connect()
        .await?;
    schema::migrate(&mut connection, epoch).await?;
    let (mut next, mut heads) = (1, 1);
    loop {
        let records = input.batch()?;
        if records.is_empty() {
            break;
        }
        let mut transaction = connection.begin().await?;
        for record in &records {
            register(&mut *transaction, record).await?;
        }
        let rows = rows_of(&records, &mut next);
        insert(&mut transaction, &rows, &mut heads).await?;
        transaction.commit().await?;
    }
    let restored = input.given(u64::try_from(epoch).unwrap_or(0));
    if tally(&mut connection, QUERIES).await? != restored.summary {
        return Err(StoreError::Damaged(
            "what was written does not read back".to_owned(),
        ));
    }
    connection.close().await?;
    Ok(restored)
}

/// One event as a row: its number, that of its head, and what it is.
type Row<'a> = (i64, i64, EventKind, &'a EventRecord);

async fn insert(
    connection: &mut SqliteConnection,
    events: &[(i64, &EventRecord)],
    next_head: &mut i64,
) -> Result<(), StoreError> {
    let mut rows: Vec<Row<'_>> = Vec::with_capacity(events.len());
    let mut heads: Vec<Row<'_>> = Vec::new();
    for (seq, event) in events {
        let kind = event.kind()?;
        if kind == EventKind::Erase {
            rows.push((*seq, 0, kind, event));
            continue;
        }
        rows.push((*seq, *next_head, kind, event));
        heads.push((*seq, *next_head, kind, event));
        *next_head = next_head.saturating_add(1);
    }
    bulk::insert(connection, HEADS, &heads, |to, (_, n, kind, event)| {
        let commitment = bytes_of(event.commitment.as_ref()).unwrap_or_default();
        to.push_bind(*n)
            .push_bind(event.id.as_str())
            .push_bind(event.source.as_str())
            .push_bind(event.version)
            .push_bind(kind_of(&event.id))
            .push_bind(event.spec_version.as_deref())
            .push_bind(event.valid_until)
            .push_bind(*kind == EventKind::Revoke)
            .push_bind(event.superseded)
            .push_bind(commitment);
    })
    .await?;
    heads.retain(|(.., event)| event.raw.is_some());
    let payloads = "payloads (n, salt, raw) ";
    bulk::insert(connection, payloads, &heads, |to, (_, n, _, event)| {
        to.push_bind(*n)
            .push_bind(bytes_of(event.salt.as_ref()).unwrap_or_default())
            .push_bind(event.raw.as_deref().unwrap_or_default().as_bytes());
    })
    .await?;
    for (_, head, _, event) in &mut rows {
        if *head == 0 {
            *head = head_of(connection, event).await?;
        }
    }
    let into = "events (seq, kind, head, community, date_added, stale) ";
    bulk::insert(connection, into, &rows, |to, (seq, head, kind, event)| {
        let place = event.community.as_ref();
        to.push_bind(*seq)
            .push_bind(kind.code())
            .push_bind(*head)
            .push_bind(place.map(|place| place.position))
            .push_bind(place.map(|place| place.date_added))
            .push_bind(place.is_some_and(|place| place.stale));
    })
    .await?;
    let addressed: Vec<_> = rows
        .iter()
        .flat_map(|(seq, _, _, event)| event.addressed.iter().map(move |place| (*seq, place)))
        .collect();
    let into = "addressed (partner, position, seq, date_added, stale) ";
    bulk::insert(connection, into, &addressed, |to, (seq, place)| {
        to.push_bind(place.partner.as_str())
            .push_bind(place.position)
            .push_bind(*seq)
            .push_bind(place.date_added)
            .push_bind(place.stale);
    })
    .await?;
    Ok(())
}

/// The head that an erasure is about.
async fn head_of(
    connection: &mut SqliteConnection,
    event: &EventRecord,
) -> Result<i64, StoreError> {
    let query = "SELECT n FROM heads WHERE id = ?1 AND source = ?2 AND modified = ?3";
    let row = sqlx::query(query)
        .bind(event.id.as_str())
        .bind(event.source.as_str())
        .bind(event.version)
        .fetch_optional(connection)
        .await?;
    let row = row.ok_or_else(|| {
        StoreError::BadBackup(format!("{} is erased before it was accepted", event.id))
    })?;
    Ok(row.try_get(0)?)
}

/// The type in an identifier.
fn kind_of(id: &str) -> &str {
    id.split_once("--").map_or("", |(kind, _)| kind)
}

const HEADS: &str = "heads (n, id, source, modified, kind, spec_version, valid_until, revoked, \
    superseded, commitment) ";

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::file(path, error))
        }
        _ => Ok(()),
    }
}
