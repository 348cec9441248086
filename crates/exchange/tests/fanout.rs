//! The exchange as a whole: submit, follow, lag, digest, close.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::sync::Arc;
use std::time::Duration;

use exchange::sqlite::Options;
use exchange::{
    Config, Delivery, Erasure, Exchange, ExchangeError, Lane, LaneBatch, LaneDigest, Log as _,
    Outcome, Position, SqliteStore, Subscription,
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::{addressed, at, indicator, live_set, partner, sighting, to_all};

async fn exchange(change: impl FnOnce(&mut Config)) -> (Exchange<SqliteStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchange.db");
    let store = SqliteStore::open(&path, Options::default()).await.unwrap();
    let mut config = Config::new(live_set);
    change(&mut config);
    (Exchange::start(Arc::new(store), config), folder)
}

async fn next(subscription: &mut Subscription<SqliteStore>) -> Delivery {
    timeout(Duration::from_secs(10), subscription.next())
        .await
        .expect("nothing came")
        .unwrap()
}

/// Positions of one lane, in the order in which they come, until `last` is there.
async fn follow(subscription: &mut Subscription<SqliteStore>, lane: Lane, last: u64) -> Vec<u64> {
    let mut positions = Vec::new();
    while subscription.position().lane(lane) < last {
        let Delivery::Batch(batch) = next(subscription).await else {
            continue;
        };
        assert_eq!(batch.to - batch.from, batch.entries.len() as u64);
        if batch.lane == lane {
            positions.extend(batch.entries.iter().map(|entry| entry.position));
        }
    }
    positions
}

#[tokio::test]
async fn followers_get_stored_and_live_entries_once_and_in_order() {
    let (exchange, _folder) = exchange(|_| {}).await;
    exchange
        .submit(vec![to_all("alpha", indicator(0, 1, ""))])
        .await
        .unwrap();
    let start = Position::default();
    let mut tasks = Vec::new();
    // Followers come while others write.
    for follower in 0..8_u64 {
        let exchange = exchange.clone();
        tasks.push(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(2 * follower)).await;
            let mut subscription = exchange.subscribe(&partner("bravo"), start).await.unwrap();
            follow(&mut subscription, Lane::Community, 101).await
        }));
    }
    for n in 0..50 {
        let batch = vec![
            to_all("alpha", indicator(2 * n + 1, 1, "")),
            to_all("alpha", indicator(2 * n + 2, 1, "")),
            addressed("alpha", &["bravo"], sighting(n, 1)),
        ];
        exchange.submit(batch).await.unwrap();
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), (1..=101).collect::<Vec<u64>>());
    }
    let mut subscription = exchange.subscribe(&partner("bravo"), start).await.unwrap();
    assert_eq!(
        follow(&mut subscription, Lane::Addressed, 50).await.len(),
        50
    );
    exchange.close().await;
}

#[tokio::test]
async fn a_follower_that_lags_resumes_from_the_store() {
    let (exchange, _folder) = exchange(|config| config.lag_max = 2).await;
    let end = Position::default();
    let mut subscription = exchange.subscribe(&partner("bravo"), end).await.unwrap();
    exchange
        .submit(vec![to_all("alpha", indicator(0, 1, ""))])
        .await
        .unwrap();
    assert_eq!(follow(&mut subscription, Lane::Community, 1).await, [1]);
    // Past the catching up, so that what is missed is missed live.
    assert!(
        timeout(Duration::from_millis(20), subscription.next())
            .await
            .is_err()
    );
    for n in 1..20 {
        exchange
            .submit(vec![to_all("alpha", indicator(n, 1, ""))])
            .await
            .unwrap();
    }
    let positions = follow(&mut subscription, Lane::Community, 20).await;
    assert_eq!(positions, (2..=20).collect::<Vec<u64>>());
    exchange
        .submit(vec![to_all("alpha", indicator(20, 1, ""))])
        .await
        .unwrap();
    assert_eq!(
        follow(&mut subscription, Lane::Community, 21).await,
        [21],
        "live again"
    );
    assert_eq!(
        exchange
            .counters()
            .lagged
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
    exchange.close().await;
}

#[tokio::test]
async fn live_batches_are_shared_and_hidden_ones_do_not_come() {
    let (exchange, _folder) = exchange(|_| {}).await;
    let start = Position::default();
    let mut bravo = exchange.subscribe(&partner("bravo"), start).await.unwrap();
    let mut delta = exchange.subscribe(&partner("delta"), start).await.unwrap();
    // Digests come when the catching up is over, so that what follows is live for both.
    digest_of(&exchange, &mut bravo, Lane::Addressed, 0).await;
    digest_of(&exchange, &mut delta, Lane::Addressed, 0).await;
    let hidden = addressed("alpha", &["charlie"], indicator(1, 1, ""));
    let batch = vec![hidden, to_all("alpha", indicator(2, 1, ""))];
    exchange.submit(batch).await.unwrap();
    let (a, b) = (next_batch(&mut bravo).await, next_batch(&mut delta).await);
    assert!(Arc::ptr_eq(&a, &b), "one batch for all");
    assert_eq!(a.entries.len(), 1);
    exchange.digest_now().await.unwrap();
    assert!(
        matches!(next(&mut delta).await, Delivery::Digest(_)),
        "nothing hidden came"
    );
    exchange.close().await;
}

async fn next_batch(subscription: &mut Subscription<SqliteStore>) -> Arc<LaneBatch> {
    loop {
        if let Delivery::Batch(batch) = next(subscription).await {
            return batch;
        }
    }
}

async fn digest_of(
    exchange: &Exchange<SqliteStore>,
    subscription: &mut Subscription<SqliteStore>,
    lane: Lane,
    position: u64,
) -> LaneDigest {
    exchange.digest_now().await.unwrap();
    loop {
        match next(subscription).await {
            Delivery::Digest(digest) if (digest.lane, digest.position) == (lane, position) => {
                return digest;
            }
            Delivery::Digest(_) | Delivery::Batch(_) => {}
        }
    }
}

#[tokio::test]
async fn digests_are_the_same_after_a_restart_and_say_what_the_follower_has() {
    let clock: exchange::Clock = Arc::new(|| at(1_000_000));
    let (exchange, folder) = exchange(|config| config.clock = Arc::clone(&clock)).await;
    let until = |us| format!(r#","valid_until":"{}""#, at(us).fmt_micros());
    let batch = vec![
        to_all("alpha", indicator(1, 1, "")),
        to_all("alpha", indicator(2, 1, &until(500))),
        to_all("alpha", indicator(3, 2, "")),
        to_all("alpha", indicator(3, 1, "")),
        addressed("alpha", &["bravo"], indicator(4, 1, "")),
    ];
    let start = Position::default();
    let mut bravo = exchange.subscribe(&partner("bravo"), start).await.unwrap();
    let empty = digest_of(&exchange, &mut bravo, Lane::Community, 0).await;
    assert_eq!(empty.active, 0);
    exchange.submit(batch).await.unwrap();
    let full = digest_of(&exchange, &mut bravo, Lane::Community, 4).await;
    assert_eq!(full.active, 2, "one expired, one superseded");
    let addressed = digest_of(&exchange, &mut bravo, Lane::Addressed, 1).await;
    assert_eq!(addressed.active, 1);
    // What the follower computes from what it was sent.
    let mut own = live_set();
    for entry in exchange
        .store()
        .lane(&partner("bravo"), Lane::Community, 0, 10)
        .await
        .unwrap()
    {
        own.apply(&entry);
    }
    assert_eq!(own.digest(full.at), (full.active, full.digest));
    exchange.close().await;
    drop((bravo, exchange));
    let path = folder.path().join("exchange.db");
    let reopened = loop {
        // The sequencer lets go of the store a moment after it has closed.
        match SqliteStore::open(&path, Options::default()).await {
            Ok(store) => break store,
            Err(exchange::StoreError::Locked(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    let mut config = Config::new(live_set);
    config.clock = clock;
    let exchange = Exchange::start(Arc::new(reopened), config);
    let mut bravo = exchange.subscribe(&partner("bravo"), start).await.unwrap();
    follow(&mut bravo, Lane::Community, 4).await;
    let again = digest_of(&exchange, &mut bravo, Lane::Community, 4).await;
    assert_eq!((again.active, again.digest), (full.active, full.digest));
    exchange
        .submit(vec![to_all("alpha", indicator(1, 2, r#","revoked":true"#))])
        .await
        .unwrap();
    let less = digest_of(&exchange, &mut bravo, Lane::Community, 5).await;
    assert_eq!(less.active, 1);
    exchange.close().await;
}

#[tokio::test]
async fn a_full_queue_says_busy_and_a_closed_exchange_stopped() {
    let (exchange, _folder) = exchange(|config| config.queue_max = 3).await;
    let batch = |from: u32, count: u32| {
        (from..from + count)
            .map(|n| to_all("alpha", indicator(n, 1, "")))
            .collect::<Vec<_>>()
    };
    let first = tokio::spawn({
        let exchange = exchange.clone();
        let batch = batch(0, 3);
        async move { exchange.submit(batch).await }
    });
    tokio::task::yield_now().await;
    assert!(matches!(
        exchange.submit(batch(10, 1)).await,
        Err(ExchangeError::Busy)
    ));
    assert_eq!(first.await.unwrap().unwrap().len(), 3);
    assert_eq!(
        exchange.submit(batch(10, 9)).await.unwrap().len(),
        9,
        "larger than the queue"
    );
    assert!(exchange.submit(vec![]).await.unwrap().is_empty());
    let start = Position::default();
    let mut bravo = exchange.subscribe(&partner("bravo"), start).await.unwrap();
    let beyond = Position {
        community: 13,
        addressed: 0,
    };
    let refused = exchange.subscribe(&partner("bravo"), beyond).await;
    assert!(matches!(refused, Err(ExchangeError::BeyondEnd)));
    exchange.close().await;
    assert!(matches!(
        exchange.submit(batch(20, 1)).await,
        Err(ExchangeError::Stopped)
    ));
    follow(&mut bravo, Lane::Community, 12).await;
    assert!(matches!(bravo.next().await, Err(ExchangeError::Stopped)));
}

#[tokio::test]
async fn requests_in_one_batch_get_their_own_outcomes() {
    let (exchange, _folder) = exchange(|_| {}).await;
    let submit = |n: u32| {
        let exchange = exchange.clone();
        async move {
            exchange
                .submit(vec![to_all("alpha", indicator(n / 2, 1, ""))])
                .await
        }
    };
    let outcomes = futures_util::future::join_all((0..200).map(submit)).await;
    let count = |wanted: fn(&Outcome) -> bool| {
        outcomes
            .iter()
            .filter(|outcome| wanted(&outcome.as_ref().unwrap()[0]))
            .count()
    };
    assert_eq!(
        count(|outcome| matches!(outcome, Outcome::Accepted { .. })),
        100
    );
    assert_eq!(count(|outcome| matches!(outcome, Outcome::Duplicate)), 100);
    exchange.close().await;
}

#[tokio::test]
async fn an_erasure_of_many_versions_reaches_followers_and_their_digest() {
    let (exchange, _folder) = exchange(|_| {}).await;
    let count = exchange::store::ERASED_MAX + 20;
    let versions = (1..=count as i64).map(|version| to_all("alpha", indicator(1, version, "")));
    exchange.submit(versions.collect()).await.unwrap();
    let other = vec![to_all("alpha", indicator(2, 1, ""))];
    exchange.submit(other).await.unwrap();
    let start = Position::default();
    let mut subscription = exchange.subscribe(&partner("bravo"), start).await.unwrap();
    let held = count as u64 + 1;
    follow(&mut subscription, Lane::Community, held).await;
    exchange.digest_now().await.unwrap();
    let erasure = Erasure {
        source: "alpha".into(),
        id: support::id("indicator", 1),
        versions: vec![],
    };
    assert_eq!(exchange.erase(&erasure).await.unwrap(), count);
    let last = held + count as u64;
    let told = follow(&mut subscription, Lane::Community, last).await;
    assert!(told.into_iter().eq(held + 1..=last));
    assert_eq!(exchange.erase(&erasure).await.unwrap(), 0, "again");
    exchange.digest_now().await.unwrap();
    let digest = loop {
        match next(&mut subscription).await {
            Delivery::Digest(digest) if digest.lane == Lane::Community => break digest,
            Delivery::Digest(_) | Delivery::Batch(_) => {}
        }
    };
    assert_eq!((digest.position, digest.active), (last, 1));
}
