//! The schema, version by version. A version is never changed once it has been released.

use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::StoreError;

/// Brings a database to the newest schema, in one transaction.
///
/// # Errors
/// `NewerSchema` for a database of a newer program; errors of the database.
pub(super) async fn migrate(
    connection: &mut SqliteConnection,
    epoch: i64,
) -> Result<(), StoreError> {
    if check(version(connection).await?)? == VERSIONS.len() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have been faster.
    let from = check(version(&mut transaction).await?)?;
    for statements in VERSIONS.iter().skip(from) {
        sqlx::raw_sql(*statements)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query("INSERT OR IGNORE INTO meta (key, value) VALUES ('epoch', ?1), ('fence', 0)")
        .bind(epoch)
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(SET_VERSION)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query("PRAGMA user_version")
        .fetch_one(connection)
        .await?
        .try_get(0)?)
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

const VERSIONS: &[&str] = &[V1, V2, V3, V4];
const SET_VERSION: &str = "PRAGMA user_version = 4";

/// Heads stand apart from payloads, and keep of a payload only a salted commitment: erasing an
/// object destroys payload and salt, and what remains in the log cannot be matched to a guess.
/// Both lanes number their own events; `seq` orders their merge and is never shown.
const V1: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE heads (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  modified INTEGER NOT NULL,
  kind TEXT NOT NULL,
  spec_version TEXT,
  valid_until INTEGER,
  revoked INTEGER NOT NULL,
  commitment BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX heads_identity ON heads (id, source, modified);
CREATE INDEX heads_live ON heads (coalesce(valid_until, 9223372036854775807))
  WHERE kind = 'indicator' AND revoked = 0;

CREATE TABLE payloads (
  n INTEGER PRIMARY KEY REFERENCES heads (n),
  salt BLOB NOT NULL,
  raw BLOB NOT NULL
) STRICT;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  head INTEGER NOT NULL REFERENCES heads (n),
  community INTEGER,
  date_added INTEGER,
  stale INTEGER NOT NULL
) STRICT;
CREATE INDEX events_head ON events (head);
CREATE UNIQUE INDEX events_community ON events (community) WHERE community IS NOT NULL;
CREATE INDEX events_date ON events (date_added) WHERE community IS NOT NULL;

CREATE TABLE addressed (
  partner TEXT NOT NULL,
  position INTEGER NOT NULL,
  seq INTEGER NOT NULL REFERENCES events (seq),
  date_added INTEGER NOT NULL,
  stale INTEGER NOT NULL,
  PRIMARY KEY (partner, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX addressed_seq ON addressed (seq);
CREATE INDEX addressed_date ON addressed (partner, date_added);

CREATE TABLE partners (
  name TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  added INTEGER NOT NULL,
  revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE invitations (
  mac BLOB PRIMARY KEY,
  partner TEXT NOT NULL REFERENCES partners (name),
  made INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  used INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
  mac BLOB PRIMARY KEY,
  partner TEXT NOT NULL REFERENCES partners (name),
  made INTEGER NOT NULL,
  expires INTEGER,
  revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_partner ON tokens (partner);
CREATE TABLE certificates (
  serial BLOB PRIMARY KEY,
  partner TEXT NOT NULL REFERENCES partners (name),
  made INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  revoked INTEGER
) STRICT, WITHOUT ROWID;
";

/// Whether there is a later version from the same source: rare, and then only is it looked for
/// whether a reader may see it.
const V2: &str = "
ALTER TABLE heads ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0;
UPDATE heads SET superseded = 1 WHERE EXISTS (
  SELECT 1 FROM heads y
  WHERE y.id = heads.id AND y.source = heads.source AND y.modified > heads.modified);
";

/// What was erased, for the list beside the store. The code is that of an erasure.
const V3: &str = "CREATE INDEX events_erased ON events (seq) WHERE kind = 4;";

/// The search index ([`crate::terms`]): for a lane, a term and a block of 64 positions, a bit for each
/// object. It is filled from the log when a writer opens the database.
const V4: &str = "
CREATE TABLE terms (
  term BLOB NOT NULL,
  block INTEGER NOT NULL,
  bits INTEGER NOT NULL,
  PRIMARY KEY (term, block)
) STRICT, WITHOUT ROWID;
CREATE TABLE addressed_terms (
  partner TEXT NOT NULL,
  term BLOB NOT NULL,
  block INTEGER NOT NULL,
  bits INTEGER NOT NULL,
  PRIMARY KEY (partner, term, block)
) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('terms_version', 0), ('terms_through', 0);
";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_of_the_first_version_is_brought_up_to_date() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let rows = "INSERT INTO heads VALUES
            (1, 'a', 's', 10, 'k', NULL, NULL, 0, x''), (2, 'a', 's', 20, 'k', NULL, NULL, 0, x''),
            (3, 'a', 't', 10, 'k', NULL, NULL, 0, x''), (4, 'b', 's', 10, 'k', NULL, NULL, 0, x'');
            PRAGMA user_version = 1";
        for statements in [V1, rows] {
            sqlx::raw_sql(statements)
                .execute(&mut connection)
                .await
                .unwrap();
        }
        migrate(&mut connection, 7).await.unwrap();
        let superseded: Vec<i64> = sqlx::query("SELECT n FROM heads WHERE superseded ORDER BY n")
            .fetch_all(&mut connection)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(superseded, [1]);
        assert_eq!(version(&mut connection).await.unwrap(), 4);
    }

    #[test]
    fn set_version_names_the_newest() {
        assert_eq!(
            SET_VERSION,
            format!("PRAGMA user_version = {}", VERSIONS.len())
        );
    }
}
