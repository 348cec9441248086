//! Where a hub keeps its log and its partners.

use crate::error::HubError;
use exchange::dump::{Input, Restored};
use exchange::{EitherStore, PostgresStore, PostgresUrl, SqliteStore, StoreError};
use exchange::{postgres, sqlite};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The store of a hub.
#[derive(Clone, Debug)]
pub enum Storage {
    /// A file.
    Sqlite(PathBuf),
    /// A database on a server.
    Postgres(PostgresUrl),
}

impl Storage {
    /// SQLite's file in a data folder: where the store is unless the configuration says otherwise.
    pub fn beside_keys(data: &Path) -> Self {
        Self::Sqlite(data.join("exchange.db"))
    }

    /// A PostgreSQL database by its URL.
    ///
    /// # Errors
    /// [`HubError::Config`]; the URL, which may hold a password, is not repeated.
    pub(crate) fn postgres(url: &str) -> Result<Self, HubError> {
        url.parse()
            .map(Self::Postgres)
            .map_err(|error: StoreError| {
                HubError::config(format!("postgres: {error}"), "correct it in [store]")
            })
    }

    /// The PostgreSQL URL, with the password if one stands in it.
    pub(crate) fn secret_text(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(url) => Some(url.secret_text().to_owned()),
        }
    }

    /// Opens it as the writer of the log.
    pub(crate) async fn open(&self) -> Result<EitherStore, HubError> {
        let opened = match self {
            Self::Sqlite(path) => SqliteStore::open(path, sqlite::Options::default())
                .await
                .map(EitherStore::Sqlite),
            Self::Postgres(url) => PostgresStore::open(url, postgres::Options::default())
                .await
                .map(EitherStore::Postgres),
        };
        opened.map_err(store_error)
    }

    /// Fills it with a dump; `epoch` is that of the log that was dumped.
    pub(crate) async fn restore(
        &self,
        input: &mut Input,
        epoch: u64,
        replace: bool,
    ) -> Result<Restored, HubError> {
        let restored = match self {
            Self::Sqlite(path) => {
                let options = sqlite::Options::default();
                SqliteStore::restore(path, options, input, epoch, replace).await
            }
            Self::Postgres(url) => {
                let options = postgres::Options::default();
                PostgresStore::restore(url, options, input, epoch, replace).await
            }
        };
        restored.map_err(store_error)
    }

    /// Opens it beside a hub that runs.
    pub(crate) async fn open_admin(&self) -> Result<EitherStore, HubError> {
        let opened = match self {
            Self::Sqlite(path) => SqliteStore::open_admin(path, sqlite::Options::default())
                .await
                .map(EitherStore::Sqlite),
            Self::Postgres(url) => PostgresStore::open_admin(url, postgres::Options::default())
                .await
                .map(EitherStore::Postgres),
        };
        opened.map_err(store_error)
    }
}

/// `[store]` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StorageFile {
    sqlite: Option<PathBuf>,
    postgres: Option<String>,
}

impl StorageFile {
    pub(crate) fn checked(self, data: &Path) -> Result<Storage, HubError> {
        match (self.sqlite, self.postgres) {
            (None, None) => Ok(Storage::beside_keys(data)),
            (Some(path), None) => Ok(Storage::Sqlite(path)),
            (None, Some(url)) => Storage::postgres(&url),
            (Some(_), Some(_)) => Err(HubError::config(
                "[store] names both sqlite and postgres",
                "leave one of them out",
            )),
        }
    }
}

pub(crate) fn store_error(error: StoreError) -> HubError {
    let refused = matches!(
        error,
        StoreError::UnknownPartner(_)
            | StoreError::BadName(_)
            | StoreError::PartnerExists(_)
            | StoreError::NotEmpty(_)
            | StoreError::BadBackup(_)
    );
    if refused {
        HubError::Refused(error.to_string())
    } else {
        HubError::Store(error.to_string())
    }
}
