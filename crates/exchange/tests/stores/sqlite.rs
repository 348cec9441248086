//! SQLite against the conformance suite and the model, and its own promises.

use std::path::PathBuf;
use std::time::Duration;

use exchange::dump::{Input, Restored};
use exchange::sqlite::Options;
use exchange::{Erasure, Find as _, Lane, Log as _, Search, SqliteStore, StoreError, Wanted};
use tempfile::TempDir;

use crate::conformance::{self, Backend, Place, conformance};
use crate::model::model;
use crate::searching::searching;
use crate::support::{self, addressed, at, indicator, partner, to_all};

pub(crate) struct Sqlite(TempDir);

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("exchange.db")
    }
}

impl Backend for Sqlite {
    type Store = SqliteStore;

    async fn try_open(&self) -> Result<SqliteStore, StoreError> {
        unlocked(async || SqliteStore::open(&self.path(), Options::default()).await).await
    }

    async fn open_admin(&self) -> SqliteStore {
        let admin = SqliteStore::open_admin(&self.path(), Options::default()).await;
        admin.unwrap()
    }

    async fn renew_epoch(&self) -> Result<(), StoreError> {
        unlocked(async || SqliteStore::renew_epoch(&self.path(), Options::default()).await).await
    }

    async fn close(&self, store: SqliteStore) {
        store.close().await.unwrap();
    }

    fn another(&self) -> Self {
        Self::new()
    }

    async fn restore(
        &self,
        input: &mut Input,
        epoch: u64,
        replace: bool,
    ) -> Result<Restored, StoreError> {
        // The lock is taken before anything is read.
        unlocked(async || {
            SqliteStore::restore(&self.path(), Options::default(), input, epoch, replace).await
        })
        .await
    }
}

/// A process that another test is starting holds the lock of a store that was just closed, for a moment.
async fn unlocked<T>(mut act: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for _ in 0..100 {
        match act().await {
            Err(StoreError::Locked(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            done => return done,
        }
    }
    act().await
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "other back-ends are not everywhere"
)]
fn place(_: &str) -> Option<Place> {
    Some(Place::Sqlite(Sqlite::new()))
}

conformance!(place);
model!(place);
searching!(place);

#[tokio::test]
async fn a_writer_that_lost_the_log_is_fenced() {
    let place = Sqlite::new();
    let old = place.open().await;
    old.append(&[to_all("alpha", indicator(1, 1, ""))], at(0))
        .await
        .unwrap();
    // As on a file system whose locks do not reach the other machine.
    std::fs::remove_file(place.0.path().join("exchange.db-lock")).unwrap();
    let new = place.open().await;
    let late = old
        .append(&[to_all("alpha", indicator(2, 1, ""))], at(1))
        .await;
    assert!(
        matches!(late, Err(StoreError::Fenced { ours: 1, now: 2 })),
        "{late:?}"
    );
    new.append(&[to_all("alpha", indicator(3, 1, ""))], at(1))
        .await
        .unwrap();
    let lane = new
        .lane(&partner("bravo"), Lane::Community, 0, 10)
        .await
        .unwrap();
    let positions: Vec<u64> = lane.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, [1, 2], "nothing of the fenced writer");
}

#[tokio::test]
async fn what_was_erased_since_a_dump_is_in_no_file_of_a_restored_store() {
    let place = Sqlite::new();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("erasures.jsonl");
    let store = place.open().await;
    conformance::backup::fill(&store).await;
    let (path, summary) = conformance::backup::written(&store, folder.path()).await;
    for n in [2, 3] {
        let erasure = Erasure {
            source: "alpha".into(),
            id: support::id("indicator", n),
            versions: vec![],
        };
        assert_eq!(store.erase(&erasure, at(60)).await.unwrap().versions, 1);
    }
    exchange::Erasures::open(&list)
        .unwrap()
        .catch_up(&store)
        .await
        .unwrap();
    let copy = place.another();
    let mut input = Input::open(&path, summary.digest, &[list]).unwrap();
    let restored = copy.restore(&mut input, 0, false).await.unwrap();
    assert_eq!(restored.withheld, 2);
    assert!(!copy.holds("tell-nobody-of-this"));
    copy.close(copy.open().await).await;
    assert!(!copy.holds("tell-nobody-of-this"));
    let names = std::fs::read_dir(copy.0.path()).unwrap();
    let names: std::collections::BTreeSet<_> =
        names.map(|file| file.unwrap().file_name()).collect();
    assert!(
        names.iter().all(|name| name != "exchange.db-restore"),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_by_version() {
    let place = Sqlite::new();
    place.close(place.open().await).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 99")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let refused = SqliteStore::open(&place.path(), Options::default()).await;
    assert!(matches!(
        refused,
        Err(StoreError::NewerSchema { found: 99, .. })
    ));
}

#[tokio::test]
async fn a_database_from_before_searches_is_filled_when_it_is_opened() {
    let place = Sqlite::new();
    let store = place.open().await;
    let batch: Vec<_> = (0..2500)
        .map(|n| match n % 5 {
            0 => addressed("alpha", &["bravo"], indicator(n, 1, "")),
            _ => to_all("alpha", indicator(n, 1, "")),
        })
        .collect();
    store.append(&batch, at(0)).await.unwrap();
    let erasure = Erasure {
        source: "alpha".into(),
        id: support::id("indicator", 7),
        versions: vec![],
    };
    store.erase(&erasure, at(10)).await.unwrap();
    let search = Search {
        wanted: vec![Wanted::value("192.0.2.7").unwrap()],
        ..Search::default()
    };
    let reader = partner("bravo");
    let found = store.search(&reader, &search, None, 100).await.unwrap();
    assert_eq!(found.entries.len(), 9, "of ten, one is erased");
    store.close().await.unwrap();
    let before = "DROP TABLE terms; DROP TABLE addressed_terms;
        DELETE FROM meta WHERE key LIKE 'terms%'; PRAGMA user_version = 3";
    place.change(before).await;
    // The hub's own writer fills it, not who administers beside it.
    let admin = SqliteStore::open_admin(&place.path(), Options::default())
        .await
        .unwrap();
    let nothing = admin.search(&reader, &search, None, 100).await.unwrap();
    assert_eq!(nothing.entries, []);
    assert!(matches!(admin.reindex().await, Err(StoreError::NotWriter)));
    admin.close().await.unwrap();
    let store = place.open().await;
    let again = store.search(&reader, &search, None, 100).await.unwrap();
    assert_eq!(again, found);
    store.close().await.unwrap();
    // One that was cut off goes on where it was.
    place
        .change("UPDATE meta SET value = 1000 WHERE key = 'terms_through'")
        .await;
    let store = place.open().await;
    let again = store.search(&reader, &search, None, 100).await.unwrap();
    assert_eq!(again, found);
    // What terms mean has changed since.
    store.close().await.unwrap();
    let older =
        "UPDATE terms SET term = x'ff'; UPDATE meta SET value = -1 WHERE key = 'terms_version'";
    place
        .change(&format!("DELETE FROM terms WHERE term > x'00'; {older}"))
        .await;
    let store = place.open().await;
    let again = store.search(&reader, &search, None, 100).await.unwrap();
    assert_eq!(again, found);
}

#[tokio::test]
async fn what_was_erased_is_in_none_of_the_files() {
    let place = Sqlite::new();
    let store = place.open().await;
    let extra = r#","name":"tell-nobody-of-this","labels":["tell-nobody-of-this","scan"]"#;
    let object = |n| indicator(n, 1, extra);
    let batch: Vec<_> = (0..200).map(|n| to_all("alpha", object(n))).collect();
    store.append(&batch, at(0)).await.unwrap();
    assert!(place.holds("tell-nobody-of-this"));
    for n in 0..200 {
        let erasure = Erasure {
            source: "alpha".into(),
            id: support::id("indicator", n),
            versions: vec![],
        };
        assert_eq!(store.erase(&erasure, at(10)).await.unwrap().versions, 1);
    }
    assert!(!place.holds("tell-nobody-of-this"), "while the hub runs");
    store.close().await.unwrap();
    assert!(!place.holds("tell-nobody-of-this"));
}

impl Sqlite {
    /// Runs statements beside the store.
    async fn change(&self, statements: &str) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path());
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::Connection::close(connection).await.unwrap();
    }

    /// Whether any file of the store holds these bytes.
    fn holds(&self, text: &str) -> bool {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        let mut files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.any(|bytes| bytes.windows(text.len()).any(|at| at == text.as_bytes()))
    }
}
