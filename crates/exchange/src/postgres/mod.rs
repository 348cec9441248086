//! The store at scale: a PostgreSQL database, durable at each commit.
//!
//! One session writes the log, others read and administer. An advisory lock keeps a second hub
//! out. What keeps the log whole in spite of partitions is the fencing epoch: each append locks and
//! compares it in its own transaction, so that a writer that lost the log cannot add to it, however
//! late it notices.

mod append;
mod dump;
mod read;
mod restore;
mod schema;
mod search;
mod session;
mod sql;
mod url;
mod vacuum;

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Row as _};
use tokio::sync::Mutex;

pub use self::url::PostgresUrl;
use crate::append::Ends;
use crate::registry::{CREDENTIAL_KEY, CredentialKey, meta_init, new_epoch};
use crate::{Secret, StoreError};

/// How a database is used.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Sessions that read and administer; one more writes.
    pub readers: u32,
    /// How long to wait for the server: for a session, and for an append.
    pub timeout: Duration,
    /// How long a reader waits for an answer. The server is told, too, to give up by then.
    pub read_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 8,
            timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(10),
        }
    }
}

/// A store in one schema of a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    url: PostgresUrl,
    options: Options,
    /// What makes it the log's writer; none when opened for administration.
    writer: Option<Mutex<LogWriter>>,
    pool: PgPool,
    epoch: u64,
    credentials: CredentialKey,
    vacuuming: vacuum::Flag,
}

#[derive(Debug)]
struct LogWriter {
    /// None when it broke; the next append makes a new one.
    session: Option<Session>,
    fence: i64,
    /// Ends of sequence and lanes, as of the last commit; none when they must be read anew.
    ends: Option<Ends>,
}

/// The session that writes.
#[derive(Debug)]
struct Session {
    connection: PgConnection,
    /// Whether it holds the lock that keeps a second hub out.
    locked: bool,
}

impl PostgresStore {
    /// Opens a database as the writer of its log, and sets it up if it is empty.
    ///
    /// # Errors
    /// `Locked` while another hub has it; `Unsafe`; `NewerSchema`; errors of the database.
    pub async fn open(url: &PostgresUrl, options: Options) -> Result<Self, StoreError> {
        let mut connection = session::connect(url, options).await?;
        schema::migrate(&mut connection, new_epoch()).await?;
        take_lock(&mut connection, url).await?;
        let fence = sqlx::query("UPDATE log SET fence = fence + 1 RETURNING fence")
            .fetch_one(&mut connection)
            .await?
            .try_get(0)?;
        search::catch_up(&mut connection, fence).await?;
        let session = Session {
            connection,
            locked: true,
        };
        let writer = LogWriter {
            session: Some(session),
            fence,
            ends: None,
        };
        Self::with(url, options, Some(Mutex::new(writer))).await
    }

    /// Opens a database for reading and for the registry, beside a hub that runs.
    ///
    /// # Errors
    /// As [`PostgresStore::open`], but never `Locked`.
    pub async fn open_admin(url: &PostgresUrl, options: Options) -> Result<Self, StoreError> {
        let mut connection = session::connect(url, options).await?;
        schema::migrate(&mut connection, new_epoch()).await?;
        connection.close().await?;
        Self::with(url, options, None).await
    }

    /// Begins a new epoch of the log, as after restoring a backup: every cursor and position given
    /// out before is refused from then on.
    ///
    /// # Errors
    /// `Locked` while a hub has it; errors of the database.
    pub async fn renew_epoch(url: &PostgresUrl, options: Options) -> Result<(), StoreError> {
        let mut connection = session::connect(url, options).await?;
        take_lock(&mut connection, url).await?;
        sqlx::query("UPDATE log SET epoch = greatest(epoch + 1, $1)")
            .bind(new_epoch())
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    /// Closes every session.
    ///
    /// # Errors
    /// Errors of the database; nothing acknowledged is lost by them.
    pub async fn close(self) -> Result<(), StoreError> {
        self.pool.close().await;
        let writer = self.writer.map(Mutex::into_inner);
        if let Some(session) = writer.and_then(|writer| writer.session) {
            session.connection.close().await?;
        }
        Ok(())
    }

    async fn with(
        url: &PostgresUrl,
        options: Options,
        writer: Option<Mutex<LogWriter>>,
    ) -> Result<Self, StoreError> {
        let pool = session::pool(url, options).await?;
        let epoch: i64 = sqlx::query("SELECT epoch FROM log")
            .fetch_one(&pool)
            .await?
            .try_get(0)?;
        let fresh = Secret::random()?;
        let key = meta_init(&mut *pool.acquire().await?, CREDENTIAL_KEY, fresh.bytes()).await?;
        Ok(Self {
            url: url.clone(),
            options,
            writer,
            pool,
            epoch: u64::try_from(epoch).unwrap_or(0),
            credentials: CredentialKey::new(&key),
            vacuuming: vacuum::Flag::default(),
        })
    }

    /// What a reader asked, if the server answers in time.
    ///
    /// # Errors
    /// One that [`StoreError::is_unavailable`] when it does not; those of `act`.
    pub(crate) async fn within<T>(
        &self,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        session::bounded(self.options.read_timeout, act).await
    }
}

/// Takes the lock, also from a hub that has just ended, whose session the server has yet to end.
async fn take_lock(connection: &mut PgConnection, url: &PostgresUrl) -> Result<(), StoreError> {
    let begun = Instant::now();
    while !lock(connection).await? {
        if begun.elapsed() > LOCK_WAIT_MAX {
            return Err(StoreError::Locked(url.to_string()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// How long a session of a hub that has ended may take to end, too.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);

/// Takes the lock that keeps a second hub out of this schema, for as long as the session lasts;
/// false while another has it.
async fn lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT pg_try_advisory_lock($1, hashtext(current_schema()))")
        .bind(WRITER_LOCK)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

/// One of the two numbers of the lock; the other one is made of the schema's name.
const WRITER_LOCK: i32 = 0x5357_0001;
