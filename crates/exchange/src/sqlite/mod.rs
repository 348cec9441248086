//! The embedded store: SQLite in WAL mode, durable at each commit.
//!
//! One connection writes; a small pool of read-only ones reads. A lock file keeps a second hub
//! out; a fencing epoch, checked in each append's transaction, stops a writer that lost the log in
//! spite of it. Another process may administer the registry at the same time.

mod append;
mod bulk;
mod dump;
mod read;
mod restore;
mod schema;
mod search;
mod sql;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::append::Ends;
use crate::registry::{CREDENTIAL_KEY, CredentialKey, meta_init, new_epoch};
use crate::{Secret, StoreError};

/// How a database is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections that read.
    pub readers: u32,
    /// Pages that the write-ahead log may hold before it is copied into the database (4 KiB each).
    pub wal_autocheckpoint: u32,
    /// How long to wait for another process's small transaction.
    pub busy_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 4,
            wal_autocheckpoint: 1000,
            busy_timeout: Duration::from_secs(5),
        }
    }
}

/// A store in one SQLite file (with the `-wal`, `-shm` and `-lock` files beside it).
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Writer>,
    readers: SqlitePool,
    epoch: u64,
    busy_timeout: Duration,
    credentials: CredentialKey,
}

/// The connection that writes.
#[derive(Debug)]
struct Writer {
    connection: SqliteConnection,
    /// What makes it the log's writer; none when opened for administration.
    log: Option<LogWriter>,
}

#[derive(Debug)]
struct LogWriter {
    /// Held as long as the store is open.
    _lock: File,
    fence: i64,
    /// Ends of sequence and lanes, as of the last commit; none when they must be read anew.
    ends: Option<Ends>,
}

impl SqliteStore {
    /// Opens or creates a database as the writer of its log.
    ///
    /// # Errors
    /// `Locked` while another hub has it; `NewerSchema`; errors of the database and its files.
    pub async fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let mut connection = connect(path, options).await?;
        let fence =
            sqlx::query("UPDATE meta SET value = value + 1 WHERE key = 'fence' RETURNING value")
                .fetch_one(&mut connection)
                .await?
                .try_get(0)?;
        search::catch_up(&mut connection).await?;
        let log = LogWriter {
            _lock: lock,
            fence,
            ends: None,
        };
        Self::with(
            path,
            options,
            Writer {
                connection,
                log: Some(log),
            },
        )
        .await
    }

    /// Opens or creates a database for reading and for the registry, beside a hub that runs.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], but never `Locked`.
    pub async fn open_admin(path: &Path, options: Options) -> Result<Self, StoreError> {
        let connection = connect(path, options).await?;
        Self::with(
            path,
            options,
            Writer {
                connection,
                log: None,
            },
        )
        .await
    }

    /// Begins a new epoch of the log, as after restoring a backup: every cursor and position given
    /// out before is refused from then on.
    ///
    /// # Errors
    /// `Locked` while a hub has it; errors of the database.
    pub async fn renew_epoch(path: &Path, options: Options) -> Result<(), StoreError> {
        let _lock = lock(path)?;
        let mut connection = connect(path, options).await?;
        sqlx::query("UPDATE meta SET value = max(value + 1, ?1) WHERE key = 'epoch'")
            .bind(new_epoch())
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes every connection; the write-ahead log is copied into the database.
    ///
    /// # Errors
    /// Errors of the database; nothing acknowledged is lost by them.
    pub async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await;
        let writer = self.writer.into_inner();
        writer.connection.close().await?;
        Ok(())
    }

    async fn with(path: &Path, options: Options, mut writer: Writer) -> Result<Self, StoreError> {
        let epoch: i64 = sqlx::query("SELECT value FROM meta WHERE key = 'epoch'")
            .fetch_one(&mut writer.connection)
            .await?
            .try_get(0)?;
        let fresh = Secret::random()?;
        let key = meta_init(&mut writer.connection, CREDENTIAL_KEY, fresh.bytes()).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            .min_connections(1)
            // A file does not go away; a question before each would cost as much as most answers.
            .test_before_acquire(false)
            .connect_with(base_options(path, options).read_only(true))
            .await?;
        Ok(Self {
            path: path.into(),
            writer: Mutex::new(writer),
            readers,
            epoch: u64::try_from(epoch).unwrap_or(0),
            busy_timeout: options.busy_timeout,
            credentials: CredentialKey::new(&key),
        })
    }

    async fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().await
    }

    /// Empties the write-ahead log, which holds what was erased until then; as far as no reader needs
    /// it, and without waiting for one.
    async fn empty_log(&self) {
        let mut writer = self.writer().await;
        empty_log(&mut writer.connection, self.busy_timeout).await;
    }
}

async fn empty_log(connection: &mut SqliteConnection, busy_timeout: Duration) {
    let statements = format!(
        "PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = {}",
        busy_timeout.as_millis()
    );
    let emptied = sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(connection)
        .await;
    if let Err(error) = emptied {
        tracing::warn!(%error, "the write-ahead log still holds what was erased");
    }
}

/// Opens a writing connection and brings the schema up to date.
async fn connect(path: &Path, options: Options) -> Result<SqliteConnection, StoreError> {
    let is_new = !path.exists();
    let mut connection = base_options(path, options)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("wal_autocheckpoint", options.wal_autocheckpoint.to_string())
        .connect()
        .await?;
    schema::migrate(&mut connection, new_epoch()).await?;
    if is_new {
        // SQLite syncs the file; that the folder names it is up to us.
        sync_folder(path)?;
    }
    Ok(connection)
}

fn base_options(path: &Path, options: Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.busy_timeout)
        .pragma("cache_size", CACHE_KIB)
        .pragma("secure_delete", "ON")
        .row_buffer_size(ROWS_BUFFERED)
        .pragma("trusted_schema", "OFF")
}

/// Rows that SQLite's thread may be ahead of who reads them: a page, so that they seldom wait for
/// each other.
const ROWS_BUFFERED: usize = 512;

/// Page cache of a connection: negative means KiB.
const CACHE_KIB: &str = "-16384";

/// Takes the lock that makes this process the only hub on the database; the system lets go of it
/// when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let lock_path = PathBuf::from(name);
    let failed = |error| StoreError::File {
        path: lock_path.clone(),
        error,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(StoreError::Locked(path.display().to_string()))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn sync(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error: io::Error| StoreError::File {
        path: path.into(),
        error,
    })
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    sync(folder.unwrap_or_else(|| Path::new(".")))
}
