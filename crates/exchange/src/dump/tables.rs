//! Reading a state out of the tables of a database and writing the registry into them; the same for every database.

use std::collections::HashMap;

use stix::{StixId, Timestamp};

use super::record::{
    CertificateRecord, EventRecord, InvitationRecord, MetaRecord, PartnerRecord, Place,
    PlaceOfPartner, Record, TokenRecord, bin, text,
};
use super::{CHUNK_EVENTS_MAX, Tally};
use crate::statements::{Cells, Statements, Value};
use crate::view::{count, damaged, number, sql};
use crate::{ErasedVersion, EventKind, StoreError};

/// Takes a record.
pub(crate) type Each<'a> = &'a mut (dyn FnMut(Record) -> Result<(), StoreError> + Send);

/// What a database is asked for. `$1` is the number behind which it begins, `$2` how many events are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queries {
    /// `seq, event, source, id, modified, spec_version, valid_until, superseded, commitment, community,
    /// date_added, stale, salt, raw` of events, by `seq`.
    pub(crate) events: &'static str,
    /// `seq, partner, position, date_added, stale` of their places in lanes of partners, by `seq` and `partner`.
    pub(crate) addressed: &'static str,
    /// `seq, source, id, modified` of erasures, by `seq`.
    pub(crate) erased: &'static str,
}

/// The state as a connection sees it.
pub(crate) async fn read_out(
    connection: &mut impl Statements,
    queries: Queries,
    each: Each<'_>,
) -> Result<(), StoreError> {
    for (query, read) in REGISTRY {
        let mut take = |row: &dyn Cells| each(read(row)?);
        connection.each(query, &[], &mut take).await?;
    }
    let mut after = 0_i64;
    while let Some(last) = chunk(connection, queries, after, each).await? {
        after = last;
    }
    Ok(())
}

/// Reads a state back, and holds it against what was to be written.
pub(crate) async fn tally(
    connection: &mut impl Statements,
    queries: Queries,
) -> Result<super::Summary, StoreError> {
    let mut tally = Tally::default();
    let mut each = |record: Record| tally.add(&record).map(|_| ());
    read_out(connection, queries, &mut each).await?;
    Ok(tally.done())
}

/// The versions that were erased behind a number of the log.
pub(crate) async fn erased(
    connection: &mut impl Statements,
    queries: Queries,
    after: u64,
    limit: usize,
) -> Result<Vec<ErasedVersion>, StoreError> {
    let mut versions = Vec::new();
    let mut take = |row: &dyn Cells| {
        versions.push(ErasedVersion {
            seq: number(row.number(0)?),
            source: row.text(1)?.into(),
            id: StixId::parse(&row.text(2)?).map_err(|error| damaged(&error.to_string()))?,
            version: Timestamp::from_micros(row.number(3)?),
        });
        Ok(())
    };
    let values = [Value::Number(sql(after)), Value::Number(count(limit))];
    connection.each(queries.erased, &values, &mut take).await?;
    Ok(versions)
}

/// Whether nobody has written to the database yet.
pub(crate) async fn is_empty(connection: &mut impl Statements) -> Result<bool, StoreError> {
    let query = "SELECT NOT EXISTS (SELECT 1 FROM events) AND NOT EXISTS (SELECT 1 FROM partners)";
    let read = |row: &dyn Cells| Ok(row.flag(0)?);
    Ok(connection.first(query, &[], read).await?.unwrap_or(false))
}

/// The next events; the number of the last one.
async fn chunk(
    connection: &mut impl Statements,
    queries: Queries,
    after: i64,
    each: Each<'_>,
) -> Result<Option<i64>, StoreError> {
    let values = [Value::Number(after), Value::Number(count(CHUNK_EVENTS_MAX))];
    let mut places: HashMap<i64, Vec<PlaceOfPartner>> = HashMap::new();
    let mut take = |row: &dyn Cells| {
        places
            .entry(row.number(0)?)
            .or_default()
            .push(PlaceOfPartner {
                partner: row.text(1)?,
                position: row.number(2)?,
                date_added: row.number(3)?,
                stale: row.flag(4)?,
            });
        Ok(())
    };
    connection
        .each(queries.addressed, &values, &mut take)
        .await?;
    let mut last = None;
    let mut take = |row: &dyn Cells| {
        let seq = row.number(0)?;
        let mut event = event(row)?;
        event.addressed = places.remove(&seq).unwrap_or_default();
        last = Some(seq);
        each(Record::Event(Box::new(event)))
    };
    connection.each(queries.events, &values, &mut take).await?;
    Ok(last)
}

fn event(row: &dyn Cells) -> Result<EventRecord, StoreError> {
    let code = i16::try_from(row.number(1)?).unwrap_or(i16::MAX);
    let community = match row.maybe_number(9)? {
        None => None,
        Some(position) => Some(Place {
            position,
            date_added: row.number(10)?,
            stale: row.flag(11)?,
        }),
    };
    let mut event = EventRecord {
        event: EventRecord::word_of(code)?,
        source: row.text(2)?,
        id: row.text(3)?,
        version: row.number(4)?,
        community,
        ..EventRecord::default()
    };
    // The row of an erasure may repeat what its head says.
    if code != EventKind::Erase.code() {
        event.spec_version = row.maybe_text(5)?;
        event.valid_until = row.maybe_number(6)?;
        event.superseded = row.flag(7)?;
        event.commitment = Some(bin(row.bytes(8)?));
        event.salt = row.maybe_bytes(12)?.map(bin);
        event.raw = row.maybe_bytes(13)?.map(text).transpose()?;
    }
    Ok(event)
}

/// How a row is read.
type Read = fn(&dyn Cells) -> Result<Record, sqlx::Error>;

/// What is asked for each kind of record, by its key, and how a row is read. SQLite's epoch and fence are the
/// database's own, and so is how far its search index got.
const REGISTRY: [(&str, Read); 5] = [
    (
        "SELECT key, value FROM meta
         WHERE key NOT IN ('epoch', 'fence', 'terms_version', 'terms_through') ORDER BY key",
        |row| {
            Ok(Record::Meta(MetaRecord {
                key: row.text(0)?,
                value: bin(row.bytes(1)?),
            }))
        },
    ),
    (
        "SELECT name, role, added, revoked FROM partners ORDER BY name",
        |row| {
            Ok(Record::Partner(PartnerRecord {
                name: row.text(0)?,
                role: row.text(1)?,
                added: row.number(2)?,
                revoked: row.maybe_number(3)?,
            }))
        },
    ),
    (
        "SELECT mac, partner, made, expires, used FROM invitations ORDER BY mac",
        |row| {
            Ok(Record::Invitation(InvitationRecord {
                mac: bin(row.bytes(0)?),
                partner: row.text(1)?,
                made: row.number(2)?,
                expires: row.number(3)?,
                used: row.maybe_number(4)?,
            }))
        },
    ),
    (
        "SELECT mac, partner, made, expires, revoked FROM tokens ORDER BY mac",
        |row| {
            Ok(Record::Token(TokenRecord {
                mac: bin(row.bytes(0)?),
                partner: row.text(1)?,
                made: row.number(2)?,
                expires: row.maybe_number(3)?,
                revoked: row.maybe_number(4)?,
            }))
        },
    ),
    (
        "SELECT serial, partner, made, not_after, revoked FROM certificates ORDER BY serial",
        |row| {
            Ok(Record::Certificate(CertificateRecord {
                serial: bin(row.bytes(0)?),
                partner: row.text(1)?,
                made: row.number(2)?,
                not_after: row.number(3)?,
                revoked: row.maybe_number(4)?,
            }))
        },
    ),
];

/// Writes a record of the registry into its table; events are written by each database in its own way.
pub(crate) async fn register(
    connection: &mut impl Statements,
    record: &Record,
) -> Result<(), StoreError> {
    use Value::{Bytes, Maybe, Number, Text};
    let (insert, values) = match record {
        Record::Event(_) => return Ok(()),
        Record::Meta(of) => (
            "INSERT INTO meta (key, value) VALUES ($1, $2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            vec![Text(&of.key), Bytes(&of.value.0)],
        ),
        Record::Partner(of) => (
            "INSERT INTO partners (name, role, added, revoked) VALUES ($1, $2, $3, $4)",
            vec![
                Text(&of.name),
                Text(&of.role),
                Number(of.added),
                Maybe(of.revoked),
            ],
        ),
        Record::Invitation(of) => (
            "INSERT INTO invitations (mac, partner, made, expires, used)
             VALUES ($1, $2, $3, $4, $5)",
            vec![
                Bytes(&of.mac.0),
                Text(&of.partner),
                Number(of.made),
                Number(of.expires),
                Maybe(of.used),
            ],
        ),
        Record::Token(of) => (
            "INSERT INTO tokens (mac, partner, made, expires, revoked)
             VALUES ($1, $2, $3, $4, $5)",
            vec![
                Bytes(&of.mac.0),
                Text(&of.partner),
                Number(of.made),
                Maybe(of.expires),
                Maybe(of.revoked),
            ],
        ),
        Record::Certificate(of) => (
            "INSERT INTO certificates (serial, partner, made, not_after, revoked)
             VALUES ($1, $2, $3, $4, $5)",
            vec![
                Bytes(&of.serial.0),
                Text(&of.partner),
                Number(of.made),
                Number(of.not_after),
                Maybe(of.revoked),
            ],
        ),
    };
    connection.change(insert, &values).await?;
    Ok(())
}
