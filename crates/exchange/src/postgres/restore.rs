//! Filling a database with a dump, in one transaction: it holds all of it, or what it held before.

use sqlx::postgres::PgConnection;
use sqlx::types::Uuid;
use sqlx::{Connection as _, Row as _};
use stix::StixId;

use super::dump::QUERIES;
use super::{Options, PostgresStore, PostgresUrl, schema, session, take_lock};
use crate::dump::{
    EventRecord, Input, PlaceOfPartner, Restored, bytes_of, is_empty, register, rows_of, tally,
};
use crate::registry::new_epoch;
use crate::{EventKind, StoreError};

impl PostgresStore {
    /// Fills the database with a dump. The log begins a new epoch, after `epoch` and after that of the
    /// log that is replaced: every cursor and position given out before is refused from then on. What
    /// was written is read back and compared before it is committed.
    ///
    /// # Errors
    /// `Locked` while a hub has the database; `NotEmpty` unless `replace`; `BadBackup`; errors of the
    /// database. It is then as it was.
    pub async fn restore(
        url: &PostgresUrl,
        options: Options,
        input: &mut Input,
        epoch: u64,
        replace: bool,
    ) -> Result<Restored, StoreError> {
        let mut connection = session::connect(url, options).await?;
        schema::migrate(&mut connection, new_epoch()).await?;
        take_lock(&mut connection, url).await?;
        let mut transaction = connection.begin().await?;
        // Holds off, and then fences off, whoever still takes the log for its own.
        let begin = "UPDATE log SET fence = fence + 1, epoch = greatest(epoch, $1) + 1
            RETURNING epoch";
        let before = new_epoch().max(i64::try_from(epoch).unwrap_or(i64::MAX).saturating_sub(1));
        let epoch: i64 = sqlx::query(begin)
            .bind(before)
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        if !replace && !is_empty(&mut *transaction).await? {
            return Err(StoreError::NotEmpty(url.to_string()));
        }
        sqlx::raw_sql(EMPTY).execute(&mut *transaction).await?;
        let mut next = 1;
        loop {
            let records = input.batch()?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                register(&mut *transaction, record).await?;
            }
            insert(&mut transaction, &rows_of(&records, &mut next)).await?;
        }
        let restored = input.given(u64::try_from(epoch).unwrap_or(0));
        if tally(&mut *transaction, QUERIES).await? != restored.summary {
            return Err(StoreError::Damaged(
                "what was written does not read back".to_owned(),
            ));
        }
        transaction.commit().await?;
        connection.close().await?;
        Ok(restored)
    }
}

/// The search index is filled from the log when a hub opens the store.
const EMPTY: &str = "
    TRUNCATE events, payloads, addressed, invitations, tokens, certificates, partners, meta, terms,
      addressed_terms;
    UPDATE log SET terms_version = 0, terms_through = 0";

async fn insert(
    connection: &mut PgConnection,
    events: &[(i64, &EventRecord)],
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let (mut ids, mut kinds): (Vec<StixId>, Vec<i16>) = (Vec::new(), Vec::new());
    for (_, event) in events {
        let id = StixId::parse(&event.id);
        ids.push(id.map_err(|error| StoreError::BadBackup(error.to_string()))?);
        kinds.push(event.kind().map(EventKind::code)?);
    }
    let all = || events.iter().map(|(_, event)| *event);
    let places = || all().map(|event| event.community.as_ref());
    let stale = places().map(|place| place.is_some_and(|place| place.stale));
    let commitments = all().map(|event| bytes_of(event.commitment.as_ref()).unwrap_or_default());
    sqlx::query(INSERT_EVENTS)
        .bind(events.iter().map(|(seq, _)| *seq).collect::<Vec<i64>>())
        .bind(
            places()
                .map(|place| place.map(|place| place.position))
                .collect::<Vec<_>>(),
        )
        .bind(
            places()
                .map(|place| place.map(|place| place.date_added))
                .collect::<Vec<_>>(),
        )
        .bind(all().map(|event| event.version).collect::<Vec<_>>())
        .bind(all().map(|event| event.valid_until).collect::<Vec<_>>())
        .bind(ids.iter().map(StixId::uuid).collect::<Vec<Uuid>>())
        .bind(kinds)
        .bind(stale.collect::<Vec<bool>>())
        .bind(all().map(|event| event.superseded).collect::<Vec<_>>())
        .bind(ids.iter().map(StixId::kind).collect::<Vec<&str>>())
        .bind(all().map(|event| event.source.as_str()).collect::<Vec<_>>())
        .bind(
            all()
                .map(|event| event.spec_version.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(commitments.collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    insert_payloads(connection, events).await?;
    insert_addressed(connection, events).await
}

async fn insert_payloads(
    connection: &mut PgConnection,
    events: &[(i64, &EventRecord)],
) -> Result<(), StoreError> {
    let (mut seqs, mut salts, mut raws) = (Vec::new(), Vec::new(), Vec::new());
    for (seq, event) in events {
        if let (Some(salt), Some(raw)) = (bytes_of(event.salt.as_ref()), &event.raw) {
            seqs.push(*seq);
            salts.push(salt);
            raws.push(raw.as_bytes());
        }
    }
    sqlx::query(INSERT_PAYLOADS)
        .bind(seqs)
        .bind(salts)
        .bind(raws)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_addressed(
    connection: &mut PgConnection,
    events: &[(i64, &EventRecord)],
) -> Result<(), StoreError> {
    let places: Vec<(i64, &PlaceOfPartner)> = events
        .iter()
        .flat_map(|(seq, event)| event.addressed.iter().map(move |place| (*seq, place)))
        .collect();
    if places.is_empty() {
        return Ok(());
    }
    let all = || places.iter().map(|(_, place)| *place);
    sqlx::query(INSERT_ADDRESSED)
        .bind(
            all()
                .map(|place| place.partner.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(all().map(|place| place.position).collect::<Vec<_>>())
        .bind(places.iter().map(|(seq, _)| *seq).collect::<Vec<i64>>())
        .bind(all().map(|place| place.date_added).collect::<Vec<_>>())
        .bind(all().map(|place| place.stale).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

const INSERT_EVENTS: &str = "INSERT INTO events (seq, community, date_added, modified, valid_until,
      id, event, stale, superseded, kind, source, spec_version, commitment)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
      $6::uuid[], $7::smallint[], $8::boolean[], $9::boolean[], $10::text[], $11::text[],
      $12::text[], $13::bytea[])";
const INSERT_PAYLOADS: &str = "INSERT INTO payloads (seq, salt, raw)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])";
const INSERT_ADDRESSED: &str = "INSERT INTO addressed (partner, position, seq, date_added, stale)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[])";
