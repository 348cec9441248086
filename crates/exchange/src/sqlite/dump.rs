//! Writing the whole state out, in one read transaction: other connections write meanwhile.

use std::ops::DerefMut;

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::MutexGuard;

use super::SqliteStore;
use crate::StoreError;
use crate::dump::{Dump, Each, Queries, read_out};
use crate::registry::{CredentialKey, Tables};

impl Dump for SqliteStore {
    async fn dump(&self, each: Each<'_>) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut transaction = connection.begin().await?;
        read_out(&mut *transaction, QUERIES, each).await?;
        transaction.rollback().await?;
        drop(connection);
        // What was erased meanwhile could not leave the write-ahead log, which this transaction read.
        self.empty_log().await;
        Ok(())
    }
}

impl Tables for SqliteStore {
    type Connection = SqliteConnection;

    async fn reader(&self) -> Result<impl DerefMut<Target = SqliteConnection> + Send, StoreError> {
        Ok(self.readers.acquire().await?)
    }

    async fn writer(&self) -> Result<impl DerefMut<Target = SqliteConnection> + Send, StoreError> {
        let writer = Self::writer(self).await;
        Ok(MutexGuard::map(writer, |writer| &mut writer.connection))
    }

    fn credentials(&self) -> &CredentialKey {
        &self.credentials
    }
}

/// The code of an erasure is 4; there is an index of these.
pub(super) const QUERIES: Queries = Queries {
    events: "SELECT e.seq, e.kind, h.source, h.id, h.modified, h.spec_version,
          h.valid_until, h.superseded, h.commitment, e.community, e.date_added, e.stale, p.salt, p.raw
        FROM (SELECT * FROM events WHERE seq > $1 ORDER BY seq LIMIT $2 + 0) e
        CROSS JOIN heads h ON h.n = e.head
        LEFT JOIN payloads p ON p.n = h.n AND e.kind <> 4 ORDER BY e.seq",
    addressed: "SELECT a.seq, a.partner, a.position, a.date_added, a.stale
        FROM (SELECT seq FROM events WHERE seq > $1 ORDER BY seq LIMIT $2 + 0) e
        CROSS JOIN addressed a ON a.seq = e.seq ORDER BY a.seq, a.partner",
    erased: "SELECT e.seq, h.source, h.id, h.modified
        FROM events e CROSS JOIN heads h ON h.n = e.head
        WHERE e.kind = 4 AND e.seq > $1 ORDER BY e.seq LIMIT $2 + 0",
};
