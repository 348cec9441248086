//! Writing the whole state out, in one read transaction: other connections write meanwhile.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use stix::{StixId, Timestamp};

use super::SqliteStore;
use crate::dump::{
    CHUNK_EVENTS_MAX, CertificateRecord, Dump, EventRecord, InvitationRecord, MetaRecord,
    PartnerRecord, Place, PlaceOfPartner, Record, TokenRecord, bin, text,
};
use crate::view::{count, damaged, number, sql};
use crate::{ErasedVersion, EventKind, StoreError};

/// Takes a record.
pub(super) type Each<'a> = &'a mut (dyn FnMut(Record) -> Result<(), StoreError> + Send);

impl Dump for SqliteStore {
    async fn dump(&self, each: Each<'_>) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut transaction = connection.begin().await?;
        write_out(&mut transaction, each).await?;
        transaction.rollback().await?;
        drop(connection);
        // What was erased meanwhile could not leave the write-ahead log, which this transaction read.
        self.empty_log().await;
        Ok(())
    }
}

impl SqliteStore {
    pub(super) async fn erased_versions(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<ErasedVersion>, StoreError> {
        let rows = sqlx::query(ERASED)
            .bind(sql(after))
            .bind(count(limit))
            .fetch_all(&self.readers)
            .await?;
        let erased = |row: &SqliteRow| {
            Ok(ErasedVersion {
                seq: number(row.try_get(0)?),
                source: row.try_get::<String, _>(1)?.into(),
                id: StixId::parse(row.try_get(2)?).map_err(|error| damaged(&error.to_string()))?,
                version: Timestamp::from_micros(row.try_get(3)?),
            })
        };
        rows.iter().map(erased).collect()
    }
}

/// The index of erasures; the code is that of their kind.
const ERASED: &str = "SELECT e.seq, h.source, h.id, h.modified
    FROM events e CROSS JOIN heads h ON h.n = e.head
    WHERE e.kind = 4 AND e.seq > ?1 ORDER BY e.seq LIMIT ?2 + 0";

/// The state as a connection sees it.
pub(super) async fn write_out(
    connection: &mut SqliteConnection,
    each: Each<'_>,
) -> Result<(), StoreError> {
    registry(connection, each).await?;
    let mut after = 0_i64;
    loop {
        let last = chunk(connection, after, each).await?;
        match last {
            None => return Ok(()),
            Some(last) => after = last,
        }
    }
}

/// The next events; the number of the last one.
async fn chunk(
    connection: &mut SqliteConnection,
    after: i64,
    each: Each<'_>,
) -> Result<Option<i64>, StoreError> {
    let mut places: HashMap<i64, Vec<PlaceOfPartner>> = HashMap::new();
    let mut rows = sqlx::query(ADDRESSED)
        .bind(after)
        .bind(count(CHUNK_EVENTS_MAX))
        .fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        places
            .entry(row.try_get(0)?)
            .or_default()
            .push(PlaceOfPartner {
                partner: row.try_get(1)?,
                position: row.try_get(2)?,
                date_added: row.try_get(3)?,
                stale: row.try_get(4)?,
            });
    }
    drop(rows);
    let mut last = None;
    let mut rows = sqlx::query(EVENTS)
        .bind(after)
        .bind(count(CHUNK_EVENTS_MAX))
        .fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let seq: i64 = row.try_get(0)?;
        let mut event = event(&row)?;
        event.addressed = places.remove(&seq).unwrap_or_default();
        each(Record::Event(Box::new(event)))?;
        last = Some(seq);
    }
    Ok(last)
}

fn event(row: &SqliteRow) -> Result<EventRecord, StoreError> {
    let code: i16 = row.try_get(1)?;
    let brings = code != EventKind::Erase.code();
    let community: Option<i64> = row.try_get(9)?;
    let community = match community {
        None => None,
        Some(position) => Some(Place {
            position,
            date_added: row.try_get(10)?,
            stale: row.try_get(11)?,
        }),
    };
    let mut event = EventRecord {
        event: EventRecord::word_of(code)?,
        source: row.try_get(2)?,
        id: row.try_get(3)?,
        version: row.try_get(4)?,
        community,
        ..EventRecord::default()
    };
    if brings {
        event.spec_version = row.try_get(5)?;
        event.valid_until = row.try_get(6)?;
        event.superseded = row.try_get(7)?;
        event.commitment = Some(bin(row.try_get(8)?));
        event.salt = row.try_get::<Option<Vec<u8>>, _>(12)?.map(bin);
        event.raw = row
            .try_get::<Option<Vec<u8>>, _>(13)?
            .map(text)
            .transpose()?;
    }
    Ok(event)
}

const EVENTS: &str = "SELECT e.seq, e.kind, h.source, h.id, h.modified, h.spec_version,
      h.valid_until, h.superseded, h.commitment, e.community, e.date_added, e.stale, p.salt, p.raw
    FROM (SELECT * FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2 + 0) e
    CROSS JOIN heads h ON h.n = e.head
    LEFT JOIN payloads p ON p.n = h.n AND e.kind <> 4 ORDER BY e.seq";
const ADDRESSED: &str = "SELECT a.seq, a.partner, a.position, a.date_added, a.stale
    FROM (SELECT seq FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2 + 0) e
    CROSS JOIN addressed a ON a.seq = e.seq ORDER BY a.seq, a.partner";

async fn registry(connection: &mut SqliteConnection, each: Each<'_>) -> Result<(), StoreError> {
    // Epoch and fence are the database's own, and so is how far its search index got.
    let meta = "SELECT key, value FROM meta
        WHERE key NOT IN ('epoch', 'fence', 'terms_version', 'terms_through') ORDER BY key";
    table(connection, meta, each, |row| {
        Ok(Record::Meta(MetaRecord {
            key: row.try_get(0)?,
            value: bin(row.try_get(1)?),
        }))
    })
    .await?;
    let partners = "SELECT name, role, added, revoked FROM partners ORDER BY name";
    table(connection, partners, each, |row| {
        Ok(Record::Partner(PartnerRecord {
            name: row.try_get(0)?,
            role: row.try_get(1)?,
            added: row.try_get(2)?,
            revoked: row.try_get(3)?,
        }))
    })
    .await?;
    let invitations = "SELECT mac, partner, made, expires, used FROM invitations ORDER BY mac";
    table(connection, invitations, each, |row| {
        Ok(Record::Invitation(InvitationRecord {
            mac: bin(row.try_get(0)?),
            partner: row.try_get(1)?,
            made: row.try_get(2)?,
            expires: row.try_get(3)?,
            used: row.try_get(4)?,
        }))
    })
    .await?;
    let tokens = "SELECT mac, partner, made, expires, revoked FROM tokens ORDER BY mac";
    table(connection, tokens, each, |row| {
        Ok(Record::Token(TokenRecord {
            mac: bin(row.try_get(0)?),
            partner: row.try_get(1)?,
            made: row.try_get(2)?,
            expires: row.try_get(3)?,
            revoked: row.try_get(4)?,
        }))
    })
    .await?;
    let certificates =
        "SELECT serial, partner, made, not_after, revoked FROM certificates ORDER BY serial";
    table(connection, certificates, each, |row| {
        Ok(Record::Certificate(CertificateRecord {
            serial: bin(row.try_get(0)?),
            partner: row.try_get(1)?,
            made: row.try_get(2)?,
            not_after: row.try_get(3)?,
            revoked: row.try_get(4)?,
        }))
    })
    .await
}

async fn table(
    connection: &mut SqliteConnection,
    select: &'static str,
    each: Each<'_>,
    record: impl Fn(&SqliteRow) -> Result<Record, sqlx::Error>,
) -> Result<(), StoreError> {
    let mut rows = sqlx::query(select).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        each(record(&row)?)?;
    }
    Ok(())
}
