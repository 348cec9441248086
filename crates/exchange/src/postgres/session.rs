//! Sessions: what a server must promise, and how ours are set up.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::{Options, PostgresUrl};
use crate::StoreError;

/// Connects, and looks at what the server promises.
///
/// # Errors
/// `Unsafe` when it does not promise that what is committed stays; errors of the connection.
pub(super) async fn connect(
    url: &PostgresUrl,
    options: Options,
) -> Result<PgConnection, StoreError> {
    let session = session_options(url);
    bounded(options.timeout, async {
        let mut connection = session.connect().await?;
        check(&mut connection).await?;
        Ok(connection)
    })
    .await
}

/// The sessions that read and that administer.
pub(super) async fn pool(url: &PostgresUrl, options: Options) -> Result<PgPool, StoreError> {
    let limit = format!("{}ms", options.read_timeout.as_millis().max(1));
    let pool = PgPoolOptions::new()
        .max_connections(options.readers.max(1))
        .min_connections(1)
        .acquire_timeout(options.timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, use_| {
            Box::pin(async move {
                // A server that was restarted meanwhile is noticed here; a query each would be much.
                Ok(use_.idle_for < IDLE_TRUSTED || connection.ping().await.is_ok())
            })
        })
        .connect_with(session_options(url).options([("statement_timeout", limit)]))
        .await?;
    Ok(pool)
}

/// Sessions idle for less are used without asking whether they are still there.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);

/// Every query here is made to run along its indexes, whatever the tables hold: the planner is kept
/// from guessing, and each is planned once. The server ends the session of a hub that it no longer
/// hears, so that its lock does not outlive it for long.
fn session_options(url: &PostgresUrl) -> PgConnectOptions {
    url.options()
        .clone()
        .application_name("shieldwall hub")
        .options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_material", "off"),
            ("enable_memoize", "off"),
            ("join_collapse_limit", "1"),
            ("max_parallel_workers_per_gather", "0"),
            ("jit", "off"),
            ("idle_in_transaction_session_timeout", "30s"),
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
        .disable_statement_logging()
}

/// Refuses a server whose commits may be lost, and one that this program does not know.
async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let query = "SELECT name, setting FROM pg_settings WHERE name = ANY($1)";
    let rows = sqlx::query(query)
        .bind(SETTINGS.map(|(name, ..)| name).as_slice())
        .fetch_all(connection)
        .await?;
    for row in rows {
        let (name, value): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let known = SETTINGS.iter().find(|(setting, ..)| *setting == name);
        let Some((setting, refused, mend)) = known else {
            continue;
        };
        if refused(value) {
            return Err(StoreError::Unsafe {
                setting,
                value: value.to_owned(),
                mend,
            });
        }
    }
    Ok(())
}

/// A setting, which values of it are refused, and what mends it.
type Setting = (&'static str, fn(&str) -> bool, &'static str);

const SETTINGS: [Setting; 5] = [
    (
        "fsync",
        is_off,
        "a crash of the machine may destroy the database; ALTER SYSTEM SET fsync = on; \
         SELECT pg_reload_conf();",
    ),
    (
        "full_page_writes",
        is_off,
        "a crash of the machine may destroy pages; ALTER SYSTEM SET full_page_writes = on; \
         SELECT pg_reload_conf();",
    ),
    (
        "synchronous_commit",
        is_off,
        "what was acknowledged may be lost; ALTER SYSTEM SET synchronous_commit = on; \
         SELECT pg_reload_conf(); and ALTER ROLE or DATABASE … RESET synchronous_commit if it is set there",
    ),
    (
        "server_encoding",
        |value| value != "UTF8",
        "create the database with ENCODING 'UTF8'",
    ),
    (
        "server_version_num",
        |value| value.parse::<u32>().is_ok_and(|version| version < 140_000),
        "PostgreSQL 14 is the oldest that works here",
    ),
];

fn is_off(value: &str) -> bool {
    value == "off"
}

/// Waits no longer than that for a server that may be gone without a word.
pub(super) async fn bounded<T>(
    timeout: Duration,
    act: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = || {
        let what = "the PostgreSQL server does not answer";
        let error = std::io::Error::new(std::io::ErrorKind::TimedOut, what);
        StoreError::Database(sqlx::Error::Io(error))
    };
    tokio::time::timeout(timeout, act)
        .await
        .unwrap_or_else(|_| Err(late()))
}
