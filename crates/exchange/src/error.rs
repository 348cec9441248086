//! What can go wrong, whose fault it is, and what mends it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An error of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system's: disk full, file unreadable, database busy for too long.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The system's: a file beside the database.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The operator's: two hubs on one database.
    #[error("another hub process writes {0}; stop it first, or give this one a store of its own")]
    Locked(String),
    /// Another writer took the log over; this one must stop writing.
    #[error(
        "another writer took over the log (fencing epoch {now}, ours is {ours}); stop this one"
    )]
    Fenced {
        /// The epoch that this writer began with.
        ours: u64,
        /// The epoch in the store.
        now: u64,
    },
    /// The caller's: appending through a store that was opened for administration.
    #[error("this store was opened for administration; only the hub's writer appends to the log")]
    NotWriter,
    /// The operator's: a database of a newer program.
    #[error("the database has schema {found}, this program knows up to {known}; update it")]
    NewerSchema {
        /// Version in the database.
        found: i64,
        /// Newest version known.
        known: i64,
    },
    /// The caller's: a cursor or lane of an audience of several partners.
    #[error("lanes and pages belong to the view of one partner")]
    SeveralViews,
    /// The operator's: a server that may lose what it has committed, or that is too old.
    #[error("the PostgreSQL server has {setting} = {value}: {mend}")]
    Unsafe {
        /// The setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What is wrong with it and what mends it.
        mend: &'static str,
    },
    /// The operator's: not where a database is. The text itself may hold a password.
    #[error(
        "the database's URL is not of the form postgres://USER@HOST[:PORT]/DATABASE[?key=value]: {0}"
    )]
    BadUrl(String),
    /// A row that this program did not write.
    #[error("the database is damaged: {0}; restore a backup")]
    Damaged(String),
    /// The operator's: a name that is no partner's.
    #[error("no partner {0:?}; `partner list` shows them")]
    UnknownPartner(String),
    /// The operator's: the name is taken.
    #[error("partner {0:?} exists already")]
    PartnerExists(String),
    /// The operator's: not a name.
    #[error("{0:?} is no name for a partner: 1 to 64 of a-z, 0-9, '-', '.', '_'")]
    BadName(String),
    /// The partner's: an invitation that is unknown, used, expired or withdrawn. Which of these is
    /// not told to whoever holds a guess.
    #[error("the invitation is not valid (any more); ask the hub's operator for a new one")]
    BadInvitation,
    /// The operator's: restoring would overwrite a log.
    #[error(
        "{0} holds a log or partners already; restore into an empty one, or replace it with --force"
    )]
    NotEmpty(String),
    /// The operator's: a backup that is not whole, or not one.
    #[error("the backup is damaged: {0}; take another one")]
    BadBackup(String),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,
}

impl StoreError {
    pub(crate) fn file(path: &Path, error: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            error,
        }
    }

    /// Whether the database does not answer, or not in time: what was asked may be asked again.
    pub fn is_unavailable(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        if let sqlx::Error::Database(error) = error {
            let code = error.code().unwrap_or_default();
            return UNAVAILABLE.iter().any(|class| code.starts_with(class));
        }
        matches!(
            error,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed
        )
    }
}

/// PostgreSQL's: connections that fail, too many of them, a statement that took too long, a server that
/// is being stopped or started, a transaction that was in the way.
const UNAVAILABLE: [&str; 5] = ["08", "53", "57", "40", "55P03"];

/// An error of the exchange.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExchangeError {
    /// More is queued than `queue_max`; the sender should wait and send again.
    #[error("too many submissions are queued; send again in a moment")]
    Busy,
    /// The exchange was closed, or its writer lost the log to another.
    #[error("the exchange is closed")]
    Stopped,
    /// A position beyond the end of the view: it is of another log, or of one that was lost.
    #[error("the position is beyond the end of the view; start again from nothing")]
    BeyondEnd,
    /// The store's error.
    #[error("{0}")]
    Store(Arc<StoreError>),
}

impl From<StoreError> for ExchangeError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}
