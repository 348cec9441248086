//! Revocations: they reach whoever holds an earlier version, and nobody else.

use exchange::{EventKind, Filter, Lane, Log, Position, Submission, VersionMatch};

use super::{Backend as _, Place};
use crate::support::{addressed, at, id, indicator, partner, raw, raws, to_all};

const NAMES: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];

fn version(n: u32, version: i64) -> stix::Object {
    indicator(n, version, "")
}

fn revoked(n: u32, version: i64) -> stix::Object {
    indicator(n, version, r#","revoked":true"#)
}

/// Each event of a lane: what happened and to which version, in microseconds.
async fn lane(store: &impl Log, name: &str, lane: Lane) -> Vec<(EventKind, u128)> {
    let entries = store.lane(&partner(name), lane, 0, 1000).await.unwrap();
    let positions = entries.iter().map(|entry| entry.position);
    assert!(positions.eq(1..=entries.len() as u64), "{name} {lane:?}");
    assert!(entries.is_sorted_by(|a, b| a.date_added < b.date_added));
    let event = |entry: &exchange::Entry| (entry.event, entry.version.since(at(0)));
    let events = entries.iter().map(event);
    events.map(|(kind, us)| (kind, us.as_micros())).collect()
}

async fn lengths(store: &impl Log, kind: Lane) -> [usize; 4] {
    let mut lengths = [0; 4];
    for (length, name) in lengths.iter_mut().zip(NAMES) {
        *length = lane(store, name, kind).await.len();
    }
    lengths
}

async fn page(store: &impl Log, name: &str, versions: Vec<VersionMatch>) -> exchange::Page {
    let filter = Filter {
        versions,
        ..Filter::default()
    };
    let reader = partner(name);
    let page = store.page(&reader, Position::default(), 100, &filter);
    page.await.unwrap()
}

pub(crate) async fn a_narrower_revocation_reaches_all_who_hold_a_version(backend: Place) {
    let store = backend.open().await;
    let first = [
        to_all("alpha", version(1, 1)),
        addressed("alpha", &["bravo"], version(1, 2)),
    ];
    store.append(&first, at(0)).await.unwrap();
    let store = backend.restart(store).await;
    let revoke = addressed("alpha", &[], revoked(1, 3));
    let appended = store
        .append(std::slice::from_ref(&revoke), at(10))
        .await
        .unwrap();
    let mut reached: Vec<_> = appended
        .lanes
        .iter()
        .map(|l| l.partner.as_deref())
        .collect();
    reached.sort_unstable();
    assert_eq!(reached, [None, Some("alpha"), Some("bravo")]);
    let store = backend.restart(store).await;
    let community = lane(&store, "delta", Lane::Community).await;
    assert_eq!(community, [(EventKind::Accept, 1), (EventKind::Revoke, 3)]);
    let addressed = lane(&store, "bravo", Lane::Addressed).await;
    assert_eq!(addressed, [(EventKind::Accept, 2), (EventKind::Revoke, 3)]);
    assert_eq!(lengths(&store, Lane::Addressed).await, [2, 2, 0, 0]);
    for name in NAMES {
        let latest = page(&store, name, vec![]).await;
        assert_eq!(raws(&latest.entries), [raw(&revoke.object)], "{name}");
        assert!(!latest.more);
    }
    for (lane, left) in [(None, 0), (Some("bravo".into()), 0)] {
        let mut live = 0;
        let mut each = |_| live += 1;
        store
            .live(lane.as_ref(), 2, at(0), &mut each)
            .await
            .unwrap();
        assert_eq!(live, left, "{lane:?}");
    }
    backend.close(store).await;
}

pub(crate) async fn a_wider_revocation_stays_with_those_who_hold_a_version(backend: Place) {
    let store = backend.open().await;
    let first = [addressed("alpha", &["bravo"], version(1, 1))];
    store.append(&first, at(0)).await.unwrap();
    // What another source says under the same id is another matter.
    let others = [addressed("delta", &["charlie"], version(1, 1))];
    store.append(&others, at(5)).await.unwrap();
    store
        .append(&[to_all("alpha", revoked(1, 2))], at(10))
        .await
        .unwrap();
    assert_eq!(lengths(&store, Lane::Community).await, [0; 4]);
    assert_eq!(lengths(&store, Lane::Addressed).await, [2, 2, 1, 1]);
    let end = store.head(&partner("charlie")).await.unwrap();
    assert_eq!((end.community, end.addressed), (0, 1));
    // Versions that come after it change nothing: a revocation is no grant.
    store
        .append(&[to_all("alpha", revoked(1, 3))], at(20))
        .await
        .unwrap();
    assert_eq!(lengths(&store, Lane::Community).await, [0; 4]);
    assert_eq!(lengths(&store, Lane::Addressed).await, [3, 3, 1, 1]);
    backend.close(store).await;
}

pub(crate) async fn a_revocation_of_the_unknown_goes_by_its_own_reach(backend: Place) {
    let store = backend.open().await;
    let batch = [
        to_all("alpha", revoked(1, 1)),
        addressed("alpha", &["charlie"], revoked(2, 1)),
    ];
    store.append(&batch, at(0)).await.unwrap();
    assert_eq!(lengths(&store, Lane::Community).await, [1; 4]);
    assert_eq!(lengths(&store, Lane::Addressed).await, [1, 0, 1, 0]);
    backend.close(store).await;
}

pub(crate) async fn a_late_revocation_does_not_reach_those_who_hold_only_newer_versions(
    backend: Place,
) {
    let store = backend.open().await;
    let first = [
        addressed("alpha", &["bravo"], version(1, 1)),
        addressed("alpha", &["charlie"], version(1, 9)),
    ];
    store.append(&first, at(0)).await.unwrap();
    store
        .append(&[to_all("alpha", revoked(1, 5))], at(10))
        .await
        .unwrap();
    assert_eq!(lengths(&store, Lane::Community).await, [0; 4]);
    assert_eq!(lengths(&store, Lane::Addressed).await, [3, 2, 1, 0]);
    let own = store.lane(&partner("alpha"), Lane::Addressed, 2, 10).await;
    assert!(own.unwrap()[0].stale, "its source has a newer one");
    backend.close(store).await;
}

pub(crate) async fn a_revocation_in_the_batch_of_its_object_reaches_the_same_lanes(backend: Place) {
    let store = backend.open().await;
    let object = |n| addressed("alpha", &["bravo"], version(n, 1));
    let revoke = |n| to_all("alpha", revoked(n, 2));
    let batch: Vec<Submission> = vec![object(1), revoke(1), revoke(2), object(2)];
    store.append(&batch, at(0)).await.unwrap();
    assert_eq!(lengths(&store, Lane::Community).await, [0; 4]);
    assert_eq!(lengths(&store, Lane::Addressed).await, [4, 4, 0, 0]);
    let latest = page(&store, "bravo", vec![]).await.entries;
    let mut found: Vec<_> = latest
        .iter()
        .map(|entry| (&entry.id, entry.event))
        .collect();
    found.sort_unstable_by_key(|(id, _)| id.as_str());
    let (one, two) = (id("indicator", 1), id("indicator", 2));
    assert_eq!(
        found,
        [(&one, EventKind::Revoke), (&two, EventKind::Revoke)]
    );
    backend.close(store).await;
}

pub(crate) async fn pages_show_a_revocation_of_both_lanes_once_and_in_order(backend: Place) {
    let store = backend.open().await;
    for n in 1..=5 {
        let batch = [
            to_all("alpha", version(n, 1)),
            addressed("alpha", &["bravo"], version(n, 2)),
        ];
        store.append(&batch, at(10 * i64::from(n))).await.unwrap();
    }
    let end = store.head(&partner("bravo")).await.unwrap();
    let revokes: Vec<_> = (1..=5).map(|n| to_all("alpha", revoked(n, 3))).collect();
    store.append(&revokes, at(100)).await.unwrap();
    let all = page(&store, "bravo", vec![VersionMatch::All]).await.entries;
    assert_eq!(all.len(), 15);
    assert!(all.is_sorted_by(|a, b| a.date_added < b.date_added));
    let (mut from, mut seen) = (end, Vec::new());
    loop {
        let filter = Filter::default();
        let next = store
            .page(&partner("bravo"), from, 2, &filter)
            .await
            .unwrap();
        seen.extend(raws(&next.entries));
        from = next.next;
        if !next.more {
            break;
        }
    }
    let expected: Vec<_> = revokes.iter().map(|revoke| raw(&revoke.object)).collect();
    assert_eq!(seen, expected);
    let newest = store.recent(&partner("bravo"), 5).await.unwrap();
    assert_eq!(newest.len(), 5);
    assert!(newest.iter().all(|entry| entry.event == EventKind::Revoke));
    backend.close(store).await;
}
