//! Power cut: what a store has acknowledged survives every legal state of the disk.
//!
//! A writer runs under strace; its writes and syncs give every image that the disk may hold at
//! every moment (`testkit::crash`). Each one must open, hold everything acknowledged by then
//! exactly once and in place, let every cursor given by then resume, and take new objects.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::fs::File;
use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use exchange::sqlite::Options;
use exchange::{Config, Exchange, Lane, Log as _, Outcome, SqliteStore, Submission};
use testkit::crash::{Choice, Image, Recording};

use crate::support::{StepClock, addressed, at, indicator, live_set, partner, sighting, to_all};

const READER: &str = "bravo";
/// Images looked at unless `SHIELDWALL_LONG=1`.
const IMAGES_QUICK: usize = 300;

fn options() -> Options {
    // A checkpoint every few transactions: cuts fall into some, and some commits stand alone.
    Options {
        readers: 1,
        wal_autocheckpoint: 60,
        ..Options::default()
    }
}

/// The stream: what the writer hands in at each step.
fn step(n: u32) -> Vec<Submission> {
    let first = 10 * n;
    let mut batch = vec![
        to_all("alpha", indicator(first, 1, "")),
        addressed("alpha", &[READER], indicator(first + 1, 1, "")),
    ];
    if n.is_multiple_of(3) {
        batch.extend((2..8).map(|k| to_all("charlie", sighting(first + k, 1))));
    }
    if n.is_multiple_of(4) {
        batch.push(to_all("alpha", indicator(first, 2, r#","revoked":true"#)));
        batch.push(addressed("charlie", &[], indicator(first, 1, "")));
    }
    batch
}

const STEPS: u32 = 14;

#[test]
#[ignore = "the writer: run by the test below, under strace"]
fn writer() {
    let Some(folder) = std::env::var_os("POWER_CUT_FOLDER") else {
        return;
    };
    let folder = Path::new(&folder);
    let mut marks = File::create(folder.join("marks")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for half in [0..STEPS / 2, STEPS / 2..STEPS] {
            let store = SqliteStore::open(&folder.join("exchange.db"), options())
                .await
                .unwrap();
            let store = Arc::new(store);
            let mut config = Config::new(live_set);
            config.clock = StepClock::new(10_000).clock();
            let exchange = Exchange::start(Arc::clone(&store), config);
            for n in half {
                let outcomes = exchange.submit(step(n)).await.unwrap();
                assert!(
                    outcomes
                        .iter()
                        .all(|outcome| matches!(outcome, Outcome::Accepted { .. }))
                );
                let head = store.head(&partner(READER)).await.unwrap();
                let mark = format!("{n} {} {}\n", head.community, head.addressed);
                marks.write_all(mark.as_bytes()).unwrap();
            }
            exchange.close().await;
            drop(exchange);
            Arc::into_inner(store).unwrap().close().await.unwrap();
        }
    });
}

/// What had been told to others by the time of the cut.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    steps: u32,
    community: u64,
    addressed: u64,
}

fn told(mark: &[u8]) -> Told {
    let text = std::str::from_utf8(mark).unwrap();
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    let steps = u32::try_from(numbers[0] + 1).unwrap();
    Told {
        steps,
        community: numbers[1],
        addressed: numbers[2],
    }
}

/// A lane as the finished run left it: (source, id, version) by position.
type Identities = Vec<(String, String, stix::Timestamp)>;

async fn identities(store: &SqliteStore, lane: Lane, after: u64) -> Identities {
    let entries = store
        .lane(&partner(READER), lane, after, 1000)
        .await
        .unwrap();
    for (entry, position) in entries.iter().zip(after + 1..) {
        assert_eq!(entry.position, position, "{lane:?} is not contiguous");
    }
    let identity = |entry: &exchange::Entry| {
        assert!(entry.raw.starts_with(br#"{"type":"#) && entry.raw.ends_with(b"}"));
        (
            entry.source.to_string(),
            entry.id.to_string(),
            entry.version,
        )
    };
    entries.iter().map(identity).collect()
}

/// Opens an image and holds it against what had been told and against the finished run.
async fn check(folder: &Path, told: &[Told], whole: &[Identities; 2]) {
    let store = SqliteStore::open(&folder.join("exchange.db"), options())
        .await
        .unwrap();
    let last = told.last().copied().unwrap_or_default();
    let mut ends = [0, 0];
    for (index, lane) in [Lane::Community, Lane::Addressed].into_iter().enumerate() {
        let found = identities(&store, lane, 0).await;
        let acknowledged = [last.community, last.addressed][index];
        assert!(
            found.len() as u64 >= acknowledged,
            "lost: {lane:?} {} {last:?}",
            found.len()
        );
        assert_eq!(
            found,
            whole[index][..found.len()],
            "{lane:?} is not what was written"
        );
        for cursor in told {
            let after = [cursor.community, cursor.addressed][index];
            let rest = identities(&store, lane, after).await;
            assert_eq!(rest, found[usize::try_from(after).unwrap()..]);
        }
        ends[index] = found.len() as u64;
    }
    // Either all of a step is there or nothing, and sending it again adds nothing twice.
    for n in 0..last.steps {
        let again = store.append(&step(n), at(0)).await.unwrap().outcomes;
        assert!(
            again.iter().all(|outcome| *outcome == Outcome::Duplicate),
            "step {n}"
        );
    }
    let next = to_all("alpha", indicator(4_000, 1, ""));
    store.append(&[next], at(9_000_000)).await.unwrap();
    let head = store.head(&partner(READER)).await.unwrap();
    assert_eq!([head.community, head.addressed], [ends[0] + 1, ends[1]]);
    store.close().await.unwrap();
    integrity(&folder.join("exchange.db")).await;
}

async fn integrity(path: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let row = sqlx::query("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(sqlx::Row::get::<String, _>(&row, 0), "ok");
    let broken = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert!(broken.is_empty());
}

/// Checks images until there are none left.
fn check_images(
    images: &Mutex<impl Iterator<Item = Image>>,
    whole: &[Identities; 2],
    checked: &AtomicUsize,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let next = || images.lock().unwrap().next();
    while let Some(image) = next() {
        let place = place();
        image.write_to(place.path()).unwrap();
        let told: Vec<Told> = image.marks.iter().map(|mark| told(mark)).collect();
        let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(check(place.path(), &told, whole));
        }));
        assert!(
            verdict.is_ok(),
            "after event {} of the recording: {}",
            image.cut,
            image.what
        );
        checked.fetch_add(1, Ordering::Relaxed);
    }
}

/// A folder for one image; in memory where that is possible, because there are many.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_to_a_power_cut() {
    let name = "nothing_acknowledged_is_lost_to_a_power_cut";
    if let Some(why) = testkit::crash::unavailable() {
        testkit::skip(name, &why);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["writer", "--exact", "--ignored", "--test-threads=1"]);
    command.env("POWER_CUT_FOLDER", folder.path());
    let recording = Recording::of(command, folder.path(), "marks").unwrap();
    assert_eq!(recording.marks().count(), STEPS as usize);
    assert!(
        recording.syncs("exchange.db") >= 3,
        "no checkpoint in the run"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let whole = runtime.block_on(async {
        let path = folder.path().join("exchange.db");
        let store = SqliteStore::open(&path, options()).await.unwrap();
        let whole = [
            identities(&store, Lane::Community, 0).await,
            identities(&store, Lane::Addressed, 0).await,
        ];
        store.close().await.unwrap();
        whole
    });
    let long = std::env::var_os("SHIELDWALL_LONG").is_some_and(|long| long == "1");
    let choice = if long {
        Choice::All
    } else {
        Choice::Some(IMAGES_QUICK)
    };
    let images = Mutex::new(recording.images(1, choice));
    let checked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| check_images(&images, &whole, &checked));
        }
    });
    let checked = checked.into_inner();
    println!("{} events, {checked} images", recording.len());
    assert!(checked >= IMAGES_QUICK.min(100), "only {checked} images");
}
