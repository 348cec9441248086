//! The schema, version by version. A version is never changed once it has been released.

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use crate::StoreError;

/// Brings a database to the newest schema, in one transaction.
///
/// # Errors
/// `NewerSchema` for a database of a newer program; errors of the database.
pub(super) async fn migrate(connection: &mut PgConnection, epoch: i64) -> Result<(), StoreError> {
    if check(version(connection).await?)? == VERSIONS.len() {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await?;
    // Another process may have been faster.
    let from = check(version(&mut transaction).await?)?;
    for (index, statements) in VERSIONS.iter().enumerate().skip(from) {
        sqlx::raw_sql(*statements)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO migrations (version) VALUES ($1)")
            .bind(i32::try_from(index.saturating_add(1)).unwrap_or(i32::MAX))
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query("INSERT INTO log (epoch, fence) VALUES ($1, 0) ON CONFLICT DO NOTHING")
        .bind(epoch)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

async fn version(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let there: bool = sqlx::query("SELECT to_regclass('migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if !there {
        return Ok(0);
    }
    let newest = sqlx::query("SELECT coalesce(max(version), 0)::bigint FROM migrations")
        .fetch_one(connection)
        .await?;
    Ok(newest.try_get(0)?)
}

fn check(found: i64) -> Result<usize, StoreError> {
    let known = VERSIONS.len();
    match usize::try_from(found) {
        Ok(found) if found <= known => Ok(found),
        _ => Err(StoreError::NewerSchema {
            found,
            known: i64::try_from(known).unwrap_or(0),
        }),
    }
}

/// Keeps two programs from migrating at once.
const MIGRATION_LOCK: i32 = 0x5357_0002;

const VERSIONS: &[&str] = &[V1, V2, V3, V4];

/// As in SQLite, events stand apart from payloads, and keep of a payload only a salted commitment:
/// erasing an object destroys payload and salt, and what remains in the log cannot be matched to a
/// guess. Both lanes number their own events; `seq` orders their merge and is never shown.
///
/// Here a head stands in the row of its event: one row and three index entries less an object.
/// Identifiers are kept as type and UUID, a third of their text. The log's own tables reference
/// each other without foreign keys, which would cost a look-up a row: one writer fills them in one
/// transaction.
const V1: &str = r#"
CREATE TABLE migrations (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());
CREATE TABLE meta (key text COLLATE "C" PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE log (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch bigint NOT NULL,
  fence bigint NOT NULL
);

CREATE TABLE events (
  seq bigint NOT NULL,
  community bigint,
  date_added bigint,
  modified bigint NOT NULL,
  valid_until bigint,
  id uuid NOT NULL,
  event smallint NOT NULL,
  stale boolean NOT NULL,
  superseded boolean NOT NULL DEFAULT false,
  kind text COLLATE "C" NOT NULL,
  source text COLLATE "C" NOT NULL,
  spec_version text COLLATE "C",
  commitment bytea NOT NULL,
  PRIMARY KEY (seq)
);
CREATE UNIQUE INDEX events_identity ON events (id, kind, source, modified);
CREATE UNIQUE INDEX events_community ON events (community) WHERE community IS NOT NULL;
CREATE INDEX events_date ON events (date_added) WHERE community IS NOT NULL;
CREATE INDEX events_live ON events (coalesce(valid_until, 9223372036854775807))
  WHERE kind = 'indicator' AND event = 0;

CREATE TABLE payloads (
  seq bigint PRIMARY KEY,
  salt bytea NOT NULL,
  raw bytea NOT NULL
);

CREATE TABLE addressed (
  partner text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  seq bigint NOT NULL,
  date_added bigint NOT NULL,
  stale boolean NOT NULL,
  PRIMARY KEY (partner, position)
);
CREATE INDEX addressed_seq ON addressed (seq);
CREATE INDEX addressed_date ON addressed (partner, date_added);

CREATE TABLE partners (
  name text COLLATE "C" PRIMARY KEY,
  role text NOT NULL,
  added bigint NOT NULL,
  revoked bigint
);
CREATE TABLE invitations (
  mac bytea PRIMARY KEY,
  partner text COLLATE "C" NOT NULL REFERENCES partners (name),
  made bigint NOT NULL,
  expires bigint NOT NULL,
  used bigint
);
CREATE TABLE tokens (
  mac bytea PRIMARY KEY,
  partner text COLLATE "C" NOT NULL REFERENCES partners (name),
  made bigint NOT NULL,
  expires bigint,
  revoked bigint
);
CREATE INDEX tokens_partner ON tokens (partner);
CREATE TABLE certificates (
  serial bytea PRIMARY KEY,
  partner text COLLATE "C" NOT NULL REFERENCES partners (name),
  made bigint NOT NULL,
  not_after bigint NOT NULL,
  revoked bigint
);
"#;

/// The event that a version was erased repeats its identity. The queries that go by this index say
/// `event <> 4`, the code of an erasure.
const V2: &str = "
DROP INDEX events_identity;
CREATE UNIQUE INDEX events_identity ON events (id, kind, source, modified) WHERE event <> 4;
";

/// What was erased, for the list beside the store.
const V3: &str = "CREATE INDEX events_erased ON events (seq) WHERE event = 4;";

/// The search index ([`crate::terms`]): for a lane, a term and a block of 64 positions, a bit for each
/// object. It is filled from the log when a writer opens the database. Rows of frequent terms are
/// changed once a batch: room beside them keeps these changes on their page.
const V4: &str = "
CREATE TABLE terms (
  block bigint NOT NULL,
  bits bigint NOT NULL,
  term bytea NOT NULL,
  PRIMARY KEY (term, block)
) WITH (fillfactor = 95);
CREATE TABLE addressed_terms (
  block bigint NOT NULL,
  bits bigint NOT NULL,
  term bytea NOT NULL,
  partner text COLLATE \"C\" NOT NULL,
  PRIMARY KEY (partner, term, block)
) WITH (fillfactor = 95);
ALTER TABLE log ADD COLUMN terms_version bigint NOT NULL DEFAULT 0,
  ADD COLUMN terms_through bigint NOT NULL DEFAULT 0;
";
