//! Writing the whole state out, in one snapshot: the hub writes meanwhile.

use std::ops::DerefMut;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::{PostgresStore, session};
use crate::StoreError;
use crate::dump::{Dump, Each, Queries, read_out};
use crate::registry::{CredentialKey, Tables};

impl Dump for PostgresStore {
    async fn dump(&self, each: Each<'_>) -> Result<(), StoreError> {
        let mut connection = session::connect(&self.url, self.options).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut transaction = connection.begin_with(begin).await?;
        read_out(&mut *transaction, QUERIES, each).await?;
        transaction.rollback().await?;
        connection.close().await?;
        Ok(())
    }
}

impl Tables for PostgresStore {
    type Connection = PgConnection;

    async fn reader(&self) -> Result<impl DerefMut<Target = PgConnection> + Send, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    async fn writer(&self) -> Result<impl DerefMut<Target = PgConnection> + Send, StoreError> {
        self.reader().await
    }

    fn credentials(&self) -> &CredentialKey {
        &self.credentials
    }
}

/// The code of an erasure is 4; there is an index of these.
pub(super) const QUERIES: Queries = Queries {
    events: "SELECT e.seq, e.event::bigint, e.source, e.kind || '--' || e.id, e.modified,
          e.spec_version, e.valid_until, e.superseded, e.commitment, e.community, e.date_added,
          e.stale, p.salt, p.raw
        FROM events e LEFT JOIN payloads p ON p.seq = e.seq
        WHERE e.seq > $1 ORDER BY e.seq LIMIT $2",
    addressed: "SELECT a.seq, a.partner, a.position, a.date_added, a.stale
        FROM (SELECT seq FROM events WHERE seq > $1 ORDER BY seq LIMIT $2) e
        JOIN addressed a ON a.seq = e.seq ORDER BY a.seq, a.partner",
    erased: "SELECT seq, source, kind || '--' || id, modified FROM events
        WHERE event = 4 AND seq > $1 ORDER BY seq LIMIT $2",
};
