//! PostgreSQL against the conformance suite and the model, and its own promises.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use exchange::dump::{Input, Restored};
use exchange::postgres::Options;
use exchange::{
    Config, EitherStore, Erasure, Erasures, Exchange, ExchangeError, Find as _, Lane, Log as _,
    Outcome, PostgresStore, PostgresUrl, Registry as _, Search, SqliteStore, StoreError, Wanted,
};
use testkit::postgres::{Server, unavailable};
use tokio::time::sleep;

use crate::conformance::{self, Backend, Place, conformance};
use crate::model::model;
use crate::searching::searching;
use crate::support::{self, addressed, at, indicator, live_set, partner, sighting, to_all};

/// A schema of its own for each test, on a server that tests share.
pub(crate) struct Postgres {
    server: Arc<Server>,
    schema: String,
}

impl Postgres {
    /// For the test of that name; none, and said, where there is no server.
    fn new(test: &str) -> Option<Self> {
        if let Some(why) = unavailable() {
            testkit::skip(test, &why);
            return None;
        }
        Some(Self::on(Server::shared().unwrap()))
    }

    /// On a server of its own, for a test that changes or kills it.
    fn alone(test: &str) -> Option<Self> {
        if let Some(why) = unavailable() {
            testkit::skip(test, &why);
            return None;
        }
        let server = Server::start(Path::new("/tmp"), &[]).unwrap();
        Some(Self::on(Arc::new(server)))
    }

    fn on(server: Arc<Server>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.sql(&format!("CREATE SCHEMA {schema}")).unwrap();
        Self { server, schema }
    }

    fn url(&self) -> PostgresUrl {
        self.server.url(&self.schema).parse().unwrap()
    }

    /// Ends every session of this test's, as a partition does in the end.
    fn end_sessions(&self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'shieldwall hub'";
        self.server.sql(end).unwrap();
    }
}

fn options() -> Options {
    Options {
        readers: 2,
        timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(2),
    }
}

impl Backend for Postgres {
    type Store = PostgresStore;

    async fn try_open(&self) -> Result<PostgresStore, StoreError> {
        PostgresStore::open(&self.url(), options()).await
    }

    async fn open_admin(&self) -> PostgresStore {
        let admin = PostgresStore::open_admin(&self.url(), options()).await;
        admin.unwrap()
    }

    async fn renew_epoch(&self) -> Result<(), StoreError> {
        PostgresStore::renew_epoch(&self.url(), options()).await
    }

    async fn close(&self, store: PostgresStore) {
        store.close().await.unwrap();
    }

    fn another(&self) -> Self {
        Self::on(Arc::clone(&self.server))
    }

    async fn restore(
        &self,
        input: &mut Input,
        epoch: u64,
        replace: bool,
    ) -> Result<Restored, StoreError> {
        PostgresStore::restore(&self.url(), options(), input, epoch, replace).await
    }
}

fn place(test: &str) -> Option<Place> {
    Postgres::new(test).map(Place::Postgres)
}

conformance!(place);
model!(place);
searching!(place);

#[tokio::test]
async fn two_exchanges_in_two_schemas_do_not_meet() {
    let Some(place) = Postgres::new("two_exchanges_in_two_schemas_do_not_meet") else {
        return;
    };
    let other = Postgres::on(Arc::clone(&place.server));
    let (one, two) = (place.open().await, other.open().await);
    one.append(&[to_all("alpha", indicator(1, 1, ""))], at(0))
        .await
        .unwrap();
    assert_eq!(two.head(&partner("alpha")).await.unwrap().community, 0);
    place.close(one).await;
    other.close(two).await;
}

#[tokio::test]
async fn of_two_writers_across_a_partition_the_stale_one_is_refused() {
    let name = "of_two_writers_across_a_partition_the_stale_one_is_refused";
    let Some(place) = Postgres::alone(name) else {
        return;
    };
    let old = place.open().await;
    old.append(&[to_all("alpha", indicator(1, 1, ""))], at(0))
        .await
        .unwrap();
    // The server no longer hears the old one, which does not know it yet.
    place.end_sessions();
    let new = place.open().await;
    for (n, clock) in [(2, 1), (3, 2)] {
        let late = old
            .append(&[to_all("alpha", indicator(n, 1, ""))], at(clock))
            .await;
        assert!(
            matches!(late, Err(StoreError::Fenced { ours: 1, now: 2 })),
            "{late:?}"
        );
    }
    new.append(&[to_all("alpha", indicator(4, 1, ""))], at(1))
        .await
        .unwrap();
    let lane = new.lane(&partner("bravo"), Lane::Community, 0, 10).await;
    let positions: Vec<u64> = lane.unwrap().iter().map(|entry| entry.position).collect();
    assert_eq!(positions, [1, 2], "nothing of the fenced writer");
    // The exchange over a fenced store stops, so that somebody looks.
    let exchange = Exchange::start(Arc::new(old), Config::new(live_set));
    let late = exchange
        .submit(vec![to_all("alpha", indicator(5, 1, ""))])
        .await;
    assert!(matches!(late, Err(ExchangeError::Store(_))), "{late:?}");
    let later = exchange.submit(vec![to_all("alpha", indicator(6, 1, ""))]);
    assert!(matches!(later.await, Err(ExchangeError::Stopped)));
}

#[tokio::test]
async fn an_append_under_way_ends_before_another_takes_the_log_over() {
    let name = "an_append_under_way_ends_before_another_takes_the_log_over";
    let Some(place) = Postgres::new(name) else {
        return;
    };
    place.close(place.open().await).await;
    let url = place.server.url(&place.schema);
    let plain: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut append = sqlx::ConnectOptions::connect(&plain).await.unwrap();
    // What an append does first, in its transaction.
    sqlx::raw_sql("BEGIN; SELECT fence FROM log FOR SHARE")
        .execute(&mut append)
        .await
        .unwrap();
    let mut taking = Box::pin(place.try_open());
    let waits = tokio::time::timeout(Duration::from_millis(300), &mut taking).await;
    assert!(waits.is_err(), "took the log over beside a transaction");
    sqlx::raw_sql("COMMIT").execute(&mut append).await.unwrap();
    place.close(taking.await.unwrap()).await;
}

#[tokio::test]
async fn a_server_that_may_lose_commits_is_refused_by_setting() {
    let Some(place) = Postgres::alone("a_server_that_may_lose_commits_is_refused_by_setting")
    else {
        return;
    };
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let alter = |value| {
            let sql = |statement: &str| place.server.sql(statement).unwrap();
            sql(&format!("ALTER SYSTEM SET {setting} = {value}"));
            sql("SELECT pg_reload_conf()");
            let shown = || sql(&format!("SHOW {setting}"));
            while shown() != value {
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        alter("off");
        let refused = place.try_open().await.unwrap_err().to_string();
        let (is, mend) = (format!("{setting} = off"), format!("SET {setting} = on"));
        assert!(
            refused.contains(&is) && refused.contains(&mend),
            "{refused}"
        );
        alter("on");
        place.close(place.open().await).await;
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_by_version() {
    let Some(place) = Postgres::new("a_database_of_a_newer_program_is_refused_by_version") else {
        return;
    };
    place.close(place.open().await).await;
    let newer = format!(
        "INSERT INTO {}.migrations (version) VALUES (99)",
        place.schema
    );
    place.server.sql(&newer).unwrap();
    for refused in [
        place.try_open().await,
        PostgresStore::open_admin(&place.url(), options()).await,
    ] {
        assert!(matches!(
            refused,
            Err(StoreError::NewerSchema { found: 99, .. })
        ));
    }
}

#[tokio::test]
async fn a_database_from_before_searches_is_filled_when_it_is_opened() {
    let Some(place) = Postgres::new("a_database_from_before_searches_is_filled_when_it_is_opened")
    else {
        return;
    };
    let store = place.open().await;
    let batch: Vec<_> = (0..2500)
        .map(|n| match n % 5 {
            0 => addressed("alpha", &["bravo"], indicator(n, 1, "")),
            _ => to_all("alpha", indicator(n, 1, "")),
        })
        .collect();
    store.append(&batch, at(0)).await.unwrap();
    let search = Search {
        wanted: vec![Wanted::value("192.0.2.7").unwrap()],
        ..Search::default()
    };
    let reader = partner("bravo");
    let found = store.search(&reader, &search, None, 100).await.unwrap();
    assert_eq!(found.entries.len(), 10);
    place.close(store).await;
    let schema = &place.schema;
    let before = format!(
        "DROP TABLE {schema}.terms, {schema}.addressed_terms; ALTER TABLE {schema}.log
         DROP COLUMN terms_version, DROP COLUMN terms_through;
         DELETE FROM {schema}.migrations WHERE version > 3"
    );
    place.server.sql(&before).unwrap();
    let store = place.open().await;
    let again = store.search(&reader, &search, None, 100).await.unwrap();
    assert_eq!(again, found);
    place.close(store).await;
    let cut = format!("UPDATE {schema}.log SET terms_through = 1000");
    place.server.sql(&cut).unwrap();
    let store = place.open().await;
    let again = store.search(&reader, &search, None, 100).await.unwrap();
    assert_eq!(again, found);
    place.close(store).await;
}

#[tokio::test]
async fn a_log_moves_from_one_kind_of_store_to_the_other_and_back() {
    let name = "a_log_moves_from_one_kind_of_store_to_the_other_and_back";
    let Some(place) = Postgres::new(name) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchange.db");
    let options = exchange::sqlite::Options::default();
    let sqlite = SqliteStore::open(&path, options).await.unwrap();
    conformance::backup::fill(&sqlite).await;
    let (dumped, summary) = conformance::backup::written(&sqlite, folder.path()).await;
    let views = conformance::backup::views(&sqlite).await;
    sqlite.close().await.unwrap();

    let mut input = Input::open(&dumped, summary.digest, &[]).unwrap();
    let moved = place.restore(&mut input, 0, false).await.unwrap();
    assert_eq!(moved.summary, summary);
    let postgres = place.open().await;
    assert_eq!(conformance::backup::views(&postgres).await, views);
    let (dumped, again) = conformance::backup::written(&postgres, folder.path()).await;
    assert_eq!(again, summary, "the same lines");
    place.close(postgres).await;

    let mut input = Input::open(&dumped, summary.digest, &[]).unwrap();
    let back = SqliteStore::restore(&path, options, &mut input, moved.epoch, true).await;
    let back = back.unwrap();
    assert!(back.epoch > moved.epoch);
    let sqlite = SqliteStore::open(&path, options).await.unwrap();
    assert_eq!(conformance::backup::views(&sqlite).await, views);
}

#[tokio::test]
async fn what_was_erased_since_a_dump_is_in_no_file_of_a_restored_server() {
    let name = "what_was_erased_since_a_dump_is_in_no_file_of_a_restored_server";
    let Some(place) = Postgres::alone(name) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (path, list) = (
        folder.path().join("exchange.db"),
        folder.path().join("erasures.jsonl"),
    );
    let store = SqliteStore::open(&path, exchange::sqlite::Options::default())
        .await
        .unwrap();
    conformance::backup::fill(&store).await;
    let (dumped, summary) = conformance::backup::written(&store, folder.path()).await;
    for n in [2, 3] {
        let erasure = Erasure {
            source: "alpha".into(),
            id: support::id("indicator", n),
            versions: vec![],
        };
        assert_eq!(store.erase(&erasure, at(60)).await.unwrap().versions, 1);
    }
    let erasures = Erasures::open(&list).unwrap();
    erasures.catch_up(&store).await.unwrap();
    let mut input = Input::open(&dumped, summary.digest, &[list]).unwrap();
    let restored = place.restore(&mut input, 0, false).await.unwrap();
    assert_eq!(restored.withheld, 2);
    place.server.sql("CHECKPOINT").unwrap();
    let data = place.server.data();
    assert!(holds(&data, b"shieldwall"), "files are read");
    assert!(!holds(&data, b"tell-nobody-of-this"));
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        // Files come and go in a server's folder.
        let content = std::fs::read(&path).unwrap_or_default();
        content.windows(bytes.len()).any(|at| at == bytes)
    })
}

#[tokio::test]
async fn the_payloads_are_vacuumed_soon_after_an_erasure() {
    let Some(place) = Postgres::new("the_payloads_are_vacuumed_soon_after_an_erasure") else {
        return;
    };
    let store = place.open().await;
    let batch: Vec<_> = (0..20)
        .map(|n| to_all("alpha", indicator(n, 1, "")))
        .collect();
    store.append(&batch, at(0)).await.unwrap();
    for n in 0..10 {
        let erasure = Erasure {
            source: "alpha".into(),
            id: support::id("indicator", n),
            versions: vec![],
        };
        store.erase(&erasure, at(10)).await.unwrap();
    }
    let vacuumed = format!(
        "SELECT count(*) FROM pg_stat_all_tables WHERE schemaname = '{}' AND relname = 'payloads' \
         AND vacuum_count = 1",
        place.schema
    );
    let begun = Instant::now();
    while place.server.sql(&vacuumed).unwrap() != "1" {
        assert!(begun.elapsed() < Duration::from_secs(30), "no vacuum");
        sleep(Duration::from_millis(100)).await;
    }
    place.close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_server_that_hangs_are_told_in_time() {
    let Some(place) = Postgres::alone("readers_of_a_server_that_hangs_are_told_in_time") else {
        return;
    };
    let store = EitherStore::Postgres(place.open().await);
    store
        .append(&[to_all("alpha", indicator(1, 1, ""))], at(0))
        .await
        .unwrap();
    let reader = partner("alpha");
    let page = async || {
        let filter = exchange::Filter::default();
        store
            .page(&reader, exchange::Position::default(), 10, &filter)
            .await
    };
    assert_eq!(page().await.unwrap().entries.len(), 1);
    place.server.pause().unwrap();
    let begun = Instant::now();
    // More of them than there are sessions.
    for _ in 0..3 {
        let late = page().await.unwrap_err();
        assert!(late.is_unavailable(), "{late}");
    }
    let late = store.partner_by_token(&[0; 32], at(1)).await.unwrap_err();
    assert!(late.is_unavailable(), "{late}");
    assert!(begun.elapsed() < Duration::from_secs(4 * 2 + 2));
    place.server.resume().unwrap();
    let begun = Instant::now();
    while page().await.is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "does not recover"
        );
    }
    // One that works, but too slowly: somebody holds a table.
    let url = place.server.url(&place.schema);
    let plain: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut other = sqlx::ConnectOptions::connect(&plain).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE payloads IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .unwrap();
    let late = page().await.unwrap_err();
    assert!(late.is_unavailable(), "{late}");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(page().await.unwrap().entries.len(), 1);
}

/// What is handed in at each step of the test below.
fn step(n: u32) -> Vec<exchange::Submission> {
    vec![
        to_all("alpha", indicator(3 * n, 1, "")),
        to_all("charlie", sighting(3 * n + 1, 1)),
        addressed("alpha", &["bravo"], indicator(3 * n + 2, 1, "")),
    ]
}

/// Hands a step in until it is acknowledged, and says whether that took more than one attempt.
async fn hand_in(exchange: &Exchange<PostgresStore>, n: u32) -> bool {
    let begun = Instant::now();
    let mut again = false;
    loop {
        match exchange.submit(step(n)).await {
            Ok(outcomes) => {
                let fine = |outcome: &Outcome| match outcome {
                    Outcome::Accepted { .. } => true,
                    // Committed before, without our being told.
                    Outcome::Duplicate => again,
                    Outcome::Conflict => false,
                };
                assert!(outcomes.iter().all(fine), "step {n}: {outcomes:?}");
                return again;
            }
            Err(error) => {
                assert!(matches!(error, ExchangeError::Store(_)), "{error}");
                assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
                again = true;
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let Some(place) = Postgres::alone("nothing_acknowledged_is_lost_when_the_server_is_killed")
    else {
        return;
    };
    const KILLS: u32 = 4;
    let exchange = Exchange::start(Arc::new(place.open().await), Config::new(live_set));
    let follower = exchange
        .subscribe(&partner("bravo"), exchange::Position::default())
        .await
        .unwrap();
    let killing = Arc::new(AtomicBool::new(true));
    let writes = tokio::spawn({
        let (exchange, killing) = (exchange.clone(), Arc::clone(&killing));
        async move {
            let (mut n, mut interrupted) = (0, 0);
            while killing.load(Ordering::Relaxed) {
                interrupted += u32::from(hand_in(&exchange, n).await);
                n += 1;
            }
            assert!(interrupted > 0, "no step was interrupted");
            n
        }
    });
    let server = Arc::clone(&place.server);
    let kills = tokio::task::spawn_blocking(move || {
        for round in 0..KILLS {
            std::thread::sleep(Duration::from_millis(150 + 40 * u64::from(round)));
            server.kill().unwrap();
            server.run_again().unwrap();
        }
    });
    let killed = kills.await;
    killing.store(false, Ordering::Relaxed);
    killed.unwrap();
    let steps = writes.await.unwrap();
    let audience = partner("bravo");
    let store = exchange.store();
    for (kind, each) in [(Lane::Community, 2), (Lane::Addressed, 1)] {
        let mut seen = std::collections::BTreeSet::new();
        let mut last = 0;
        loop {
            // Sessions that the kill ended are found out one by one.
            let Ok(entries) = store.lane(&audience, kind, last, 1000).await else {
                continue;
            };
            let Some(end) = entries.last() else { break };
            for entry in &entries {
                last += 1;
                assert_eq!(entry.position, last, "{kind:?} is not contiguous");
                assert!(seen.insert(entry.id.clone()), "{} twice", entry.id);
            }
            assert_eq!(end.position, last);
        }
        assert_eq!(seen.len(), (each * steps) as usize, "{kind:?}");
    }
    follows_all(follower, u64::from(2 * steps), u64::from(steps)).await;
    exchange.close().await;
}

/// A follower that was there all the time gets everything once and in order, also what was
/// committed without an acknowledgement.
async fn follows_all(
    mut follower: exchange::Subscription<PostgresStore>,
    community: u64,
    addressed: u64,
) {
    let begun = Instant::now();
    let mut ends = [0, 0];
    while ends != [community, addressed] {
        assert!(begun.elapsed() < Duration::from_secs(60), "{ends:?}");
        match tokio::time::timeout(Duration::from_secs(60), follower.next()).await {
            Ok(Ok(exchange::Delivery::Batch(batch))) => {
                let end = &mut ends[usize::from(batch.lane == Lane::Addressed)];
                assert_eq!(
                    (batch.from, batch.to - batch.from),
                    (*end, batch.entries.len() as u64)
                );
                *end = batch.to;
            }
            Ok(Ok(exchange::Delivery::Digest(_))) | Ok(Err(ExchangeError::Store(_))) => {}
            other => assert!(other.is_err(), "{other:?}"),
        }
    }
}
