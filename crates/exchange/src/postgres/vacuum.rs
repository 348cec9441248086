//! What was erased leaves the table of payloads soon: PostgreSQL itself would take its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Connection as _;

use super::{Options, PostgresStore, PostgresUrl, session};
use crate::StoreError;

/// How long erasures are gathered before the table is vacuumed.
const GATHERED: Duration = Duration::from_secs(5);

impl PostgresStore {
    /// Vacuums the payloads beside everything else, once for all that is erased in the next seconds.
    /// Only pages that changed are read. A server that fails at it does it by itself later.
    pub(super) fn vacuum_soon(&self) {
        if self.vacuuming.swap(true, Ordering::AcqRel) {
            return;
        }
        let (url, options, flag) = (self.url.clone(), self.options, Arc::clone(&self.vacuuming));
        tokio::spawn(async move {
            tokio::time::sleep(GATHERED).await;
            flag.store(false, Ordering::Release);
            if let Err(error) = vacuum(&url, options).await {
                tracing::warn!(%error, "payloads that were erased wait for autovacuum");
            }
        });
    }
}

/// Whether a vacuum is to come that sees what is erased now.
pub(super) type Flag = Arc<AtomicBool>;

async fn vacuum(url: &PostgresUrl, options: Options) -> Result<(), StoreError> {
    let mut connection = session::connect(url, options).await?;
    sqlx::raw_sql("VACUUM (TRUNCATE OFF) payloads")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok(())
}
