//! Erasures: the payload is gone from every view, those who held it are told, and nobody else is.

use exchange::{Entry, Erasure, EventKind, Filter, Lane, LiveSet, Log, Outcome, Position};
use exchange::{Submission, VersionMatch};
use stix::Timestamp;

use super::{Backend as _, Place};
use crate::support::{addressed, at, id, indicator, live_set, partner, raw, raws, to_all};

fn version(n: u32, version: i64) -> stix::Object {
    indicator(n, version, "")
}

fn erasure(source: &str, n: u32, versions: Vec<VersionMatch>) -> Erasure {
    Erasure {
        source: source.into(),
        id: id("indicator", n),
        versions,
    }
}

async fn erase(store: &impl Log, erasure: &Erasure, now: i64) -> usize {
    store.erase(erasure, at(now)).await.unwrap().versions
}

async fn lane(store: &impl Log, name: &str, lane: Lane) -> Vec<Entry> {
    let entries = store.lane(&partner(name), lane, 0, 1000).await.unwrap();
    let positions = entries.iter().map(|entry| entry.position);
    assert!(positions.eq(1..=entries.len() as u64), "{name} {lane:?}");
    assert!(entries.is_sorted_by(|a, b| a.date_added < b.date_added));
    entries
}

async fn page(store: &impl Log, name: &str, versions: Vec<VersionMatch>) -> Vec<String> {
    let filter = Filter {
        versions,
        ..Filter::default()
    };
    let reader = partner(name);
    let page = store.page(&reader, Position::default(), 100, &filter);
    raws(&page.await.unwrap().entries)
}

fn tombstone(n: u32, version: i64) -> String {
    let (id, at) = (id("indicator", n), at(version).fmt_micros());
    format!(r#"{{"type":"indicator","id":"{id}","modified":"{at}"}}"#)
}

pub(crate) async fn an_erased_object_is_gone_from_every_view(backend: Place) {
    let store = backend.open().await;
    let batch = [
        to_all("alpha", version(1, 1)),
        addressed("alpha", &["bravo"], version(1, 2)),
        to_all("alpha", version(2, 1)),
        // What another source says under the same id is another matter.
        to_all("delta", version(1, 1)),
    ];
    store.append(&batch, at(0)).await.unwrap();
    let done = store
        .erase(&erasure("alpha", 1, vec![]), at(10))
        .await
        .unwrap();
    assert_eq!((done.versions, done.more), (2, false));
    let store = backend.restart(store).await;
    for name in ["alpha", "bravo", "charlie"] {
        let all = page(&store, name, vec![VersionMatch::All]).await;
        assert_eq!(all, [raw(&version(2, 1)), raw(&version(1, 1))], "{name}");
        let recent = store.recent(&partner(name), 10).await.unwrap();
        assert_eq!(recent.len(), 2);
    }
    let community = lane(&store, "charlie", Lane::Community).await;
    let events: Vec<_> = community.iter().map(|entry| entry.event).collect();
    let (accept, erase) = (EventKind::Accept, EventKind::Erase);
    assert_eq!(events, [erase, accept, accept, erase]);
    assert_eq!(raws(&community)[0], tombstone(1, 1));
    assert_eq!(raws(&community)[3], tombstone(1, 1));
    let own = lane(&store, "bravo", Lane::Addressed).await;
    assert_eq!(raws(&own), [tombstone(1, 2), tombstone(1, 2)]);
    // What the erasure returned is what can be read.
    for written in &done.lanes {
        let read = match &written.partner {
            None => lane(&store, "bravo", Lane::Community).await,
            Some(name) => lane(&store, name, Lane::Addressed).await,
        };
        assert_eq!(written.entries[..], read[read.len() - 1..]);
    }
    backend.close(store).await;
}

pub(crate) async fn only_those_who_held_it_are_told(backend: Place) {
    let store = backend.open().await;
    let hidden = addressed("alpha", &["bravo"], version(1, 1));
    store.append(&[hidden], at(0)).await.unwrap();
    let before = store.head(&partner("charlie")).await.unwrap();
    assert_eq!(erase(&store, &erasure("alpha", 1, vec![]), 10).await, 1);
    assert_eq!(store.head(&partner("charlie")).await.unwrap(), before);
    let head = store.head(&partner("bravo")).await.unwrap();
    assert_eq!((head.community, head.addressed), (0, 2));
    backend.close(store).await;
}

pub(crate) async fn erasing_what_is_not_ones_own_or_gone_does_nothing(backend: Place) {
    let store = backend.open().await;
    let object = to_all("alpha", version(1, 1));
    store.append(&[object], at(0)).await.unwrap();
    assert_eq!(erase(&store, &erasure("bravo", 1, vec![]), 5).await, 0);
    assert_eq!(erase(&store, &erasure("alpha", 2, vec![]), 5).await, 0);
    assert_eq!(erase(&store, &erasure("alpha", 1, vec![]), 5).await, 1);
    let head = store.head(&partner("alpha")).await.unwrap();
    assert_eq!(erase(&store, &erasure("alpha", 1, vec![]), 6).await, 0);
    let store = backend.restart(store).await;
    assert_eq!(erase(&store, &erasure("alpha", 1, vec![]), 7).await, 0);
    assert_eq!(store.head(&partner("alpha")).await.unwrap(), head);
    backend.close(store).await;
}

pub(crate) async fn an_erased_identity_is_never_taken_again(backend: Place) {
    let store = backend.open().await;
    let submit = |version_| vec![to_all("alpha", version(1, version_))];
    store.append(&submit(1), at(0)).await.unwrap();
    erase(&store, &erasure("alpha", 1, vec![]), 5).await;
    let again: Vec<Submission> = submit(1);
    let outcomes = store.append(&again, at(10)).await.unwrap().outcomes;
    assert_eq!(outcomes, [Outcome::Conflict]);
    let newer = store.append(&submit(2), at(20)).await.unwrap();
    assert!(matches!(newer.outcomes[..], [Outcome::Accepted { .. }]));
    assert_eq!(page(&store, "bravo", vec![]).await, [raw(&version(1, 2))]);
    backend.close(store).await;
}

pub(crate) async fn versions_are_erased_as_asked(backend: Place) {
    let store = backend.open().await;
    let batch: Vec<_> = (1..=5).map(|n| to_all("alpha", version(1, n))).collect();
    store.append(&batch, at(0)).await.unwrap();
    let left = |versions: &[i64]| {
        let versions = versions.iter();
        versions.map(|n| raw(&version(1, *n))).collect::<Vec<_>>()
    };
    let all = || page(&store, "bravo", vec![VersionMatch::All]);
    for (wanted, remaining) in [
        (vec![VersionMatch::At(at(9))], &[1, 2, 3, 4, 5][..]),
        (vec![VersionMatch::At(at(3))], &[1, 2, 4, 5]),
        (vec![VersionMatch::Last, VersionMatch::First], &[2, 4]),
        (vec![VersionMatch::First, VersionMatch::At(at(2))], &[4]),
    ] {
        erase(&store, &erasure("alpha", 1, wanted), 10).await;
        assert_eq!(all().await, left(remaining));
        let last = page(&store, "bravo", vec![]).await;
        assert_eq!(last, left(&remaining[remaining.len() - 1..]));
        let first = page(&store, "bravo", vec![VersionMatch::First]).await;
        assert_eq!(first, left(&remaining[..1]));
    }
    assert_eq!(
        erase(&store, &erasure("alpha", 1, vec![VersionMatch::All]), 20).await,
        1
    );
    assert!(all().await.is_empty());
    backend.close(store).await;
}

pub(crate) async fn followers_old_and_new_come_to_the_same_live_set(backend: Place) {
    let store = backend.open().await;
    let mut following = live_set();
    let batch = [
        to_all("alpha", version(1, 1)),
        to_all("alpha", version(1, 2)),
        to_all("alpha", version(2, 1)),
        to_all("alpha", version(2, 2)),
        to_all("alpha", version(3, 1)),
        to_all("alpha", version(4, 1)),
    ];
    let appended = store.append(&batch, at(0)).await.unwrap();
    let mut follow = |lanes: Vec<exchange::LaneEntries>| {
        let entries = lanes.into_iter().flat_map(|lane| lane.entries);
        entries.for_each(|entry| following.apply(&entry));
    };
    follow(appended.lanes);
    let last = vec![VersionMatch::Last];
    let first = vec![VersionMatch::First];
    for erasure in [
        erasure("alpha", 1, last),
        erasure("alpha", 2, first),
        erasure("alpha", 3, vec![]),
    ] {
        follow(store.erase(&erasure, at(10)).await.unwrap().lanes);
    }
    let end = store.end(None).await.unwrap();
    let mut replayed = live_set();
    for entry in lane(&store, "bravo", Lane::Community).await {
        replayed.apply(&entry);
    }
    let mut read = live_set();
    store
        .live(None, end, at(20), &mut |entry| read.apply(&entry))
        .await
        .unwrap();
    let now: Timestamp = at(20);
    let of = |set: &mut Box<dyn LiveSet>| set.digest(now);
    let digest = of(&mut following);
    assert_eq!(digest.0, 2, "2 in its last version, and 4");
    assert_eq!(of(&mut replayed), digest);
    assert_eq!(of(&mut read), digest);
    backend.close(store).await;
}

pub(crate) async fn many_versions_take_several_transactions(backend: Place) {
    let store = backend.open().await;
    let versions = exchange::store::ERASED_MAX as i64 + 10;
    let batch: Vec<_> = (1..=versions)
        .map(|n| to_all("alpha", version(1, n)))
        .collect();
    store.append(&batch, at(0)).await.unwrap();
    let all = erasure("alpha", 1, vec![]);
    let first = store.erase(&all, at(10)).await.unwrap();
    assert!(first.more);
    let second = store.erase(&all, at(20)).await.unwrap();
    assert_eq!((second.versions, second.more), (10, false));
    assert!(
        page(&store, "alpha", vec![VersionMatch::All])
            .await
            .is_empty()
    );
    backend.close(store).await;
}
