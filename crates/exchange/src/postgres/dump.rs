//! Writing the whole state out, in one snapshot: the hub writes meanwhile.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::types::Uuid;
use sqlx::{Connection as _, Row as _};
use stix::{StixId, Timestamp};

use super::{PostgresStore, session};
use crate::dump::{
    CHUNK_EVENTS_MAX, CertificateRecord, Dump, EventRecord, InvitationRecord, MetaRecord,
    PartnerRecord, Place, PlaceOfPartner, Record, TokenRecord, bin, text,
};
use crate::view::{count, damaged, number, sql};
use crate::{ErasedVersion, EventKind, StoreError};

/// Takes a record.
pub(super) type Each<'a> = &'a mut (dyn FnMut(Record) -> Result<(), StoreError> + Send);

impl Dump for PostgresStore {
    async fn dump(&self, each: Each<'_>) -> Result<(), StoreError> {
        let mut connection = session::connect(&self.url, self.options).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut transaction = connection.begin_with(begin).await?;
        write_out(&mut transaction, each).await?;
        transaction.rollback().await?;
        connection.close().await?;
        Ok(())
    }
}

impl PostgresStore {
    pub(super) async fn erased_versions(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<ErasedVersion>, StoreError> {
        let rows = sqlx::query(ERASED)
            .bind(sql(after))
            .bind(count(limit))
            .fetch_all(&self.pool)
            .await?;
        let erased = |row: &PgRow| {
            Ok(ErasedVersion {
                seq: number(row.try_get(0)?),
                source: row.try_get::<&str, _>(1)?.into(),
                id: id(row.try_get(2)?, row.try_get(3)?)?,
                version: Timestamp::from_micros(row.try_get(4)?),
            })
        };
        rows.iter().map(erased).collect()
    }
}

/// The index of erasures; the code is that of their kind.
const ERASED: &str = "SELECT seq, source, kind, id, modified FROM events
    WHERE event = 4 AND seq > $1 ORDER BY seq LIMIT $2";

fn id(kind: &str, uuid: Uuid) -> Result<StixId, StoreError> {
    StixId::from_parts(kind, uuid).map_err(|error| damaged(&error.to_string()))
}

/// The state as a transaction sees it.
pub(super) async fn write_out(
    connection: &mut PgConnection,
    each: Each<'_>,
) -> Result<(), StoreError> {
    registry(connection, each).await?;
    let mut after = 0_i64;
    while let Some(last) = chunk(connection, after, each).await? {
        after = last;
    }
    Ok(())
}

/// The next events; the number of the last one.
async fn chunk(
    connection: &mut PgConnection,
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

fn event(row: &PgRow) -> Result<EventRecord, StoreError> {
    let code: i16 = row.try_get(1)?;
    let brings = code != EventKind::Erase.code();
    let community: Option<i64> = row.try_get(10)?;
    let community = match community {
        None => None,
        Some(position) => Some(Place {
            position,
            date_added: row.try_get(11)?,
            stale: row.try_get(12)?,
        }),
    };
    let mut event = EventRecord {
        event: EventRecord::word_of(code)?,
        source: row.try_get(2)?,
        id: id(row.try_get(3)?, row.try_get(4)?)?.to_string(),
        version: row.try_get(5)?,
        community,
        ..EventRecord::default()
    };
    // A tombstone's row repeats what its head says.
    if brings {
        event.spec_version = row.try_get(6)?;
        event.valid_until = row.try_get(7)?;
        event.superseded = row.try_get(8)?;
        event.commitment = Some(bin(row.try_get(9)?));
        event.salt = row.try_get::<Option<Vec<u8>>, _>(13)?.map(bin);
        event.raw = row
            .try_get::<Option<Vec<u8>>, _>(14)?
            .map(text)
            .transpose()?;
    }
    Ok(event)
}

const EVENTS: &str = "SELECT e.seq, e.event, e.source, e.kind, e.id, e.modified, e.spec_version,
      e.valid_until, e.superseded, e.commitment, e.community, e.date_added, e.stale, p.salt, p.raw
    FROM events e LEFT JOIN payloads p ON p.seq = e.seq
    WHERE e.seq > $1 ORDER BY e.seq LIMIT $2";
const ADDRESSED: &str = "SELECT a.seq, a.partner, a.position, a.date_added, a.stale
    FROM (SELECT seq FROM events WHERE seq > $1 ORDER BY seq LIMIT $2) e
    JOIN addressed a ON a.seq = e.seq ORDER BY a.seq, a.partner";

async fn registry(connection: &mut PgConnection, each: Each<'_>) -> Result<(), StoreError> {
    table(
        connection,
        "SELECT key, value FROM meta ORDER BY key",
        each,
        |row| {
            Ok(Record::Meta(MetaRecord {
                key: row.try_get(0)?,
                value: bin(row.try_get(1)?),
            }))
        },
    )
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
    connection: &mut PgConnection,
    select: &'static str,
    each: Each<'_>,
    record: impl Fn(&PgRow) -> Result<Record, sqlx::Error>,
) -> Result<(), StoreError> {
    let mut rows = sqlx::query(select).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        each(record(&row)?)?;
    }
    Ok(())
}
