//! Searches: what is found, in which order, and what is left once an object is erased. A property test
//! (`searching`) compares them with the plainest search there is.

use exchange::{Erasure, EventKind, Find, Lane, Log as _, Search, StoreError, Wanted};
use sharing::Audience;
use stix::{Object, Timestamp};

use super::{Backend as _, Place};
use crate::support::{addressed, at, id, indicator, object, partner, raw, raws, sighting, to_all};

fn with_pattern(n: u32, version: i64, pattern: &str) -> Object {
    let rest = format!(
        r#","pattern_type":"stix","pattern":"{pattern}","valid_from":"2023-01-01T00:00:00Z""#
    );
    object("indicator", n, version, &rest)
}

fn wanted(wanted: Wanted) -> Search {
    Search {
        wanted: vec![wanted],
        ..Search::default()
    }
}

fn value(text: &str) -> Search {
    wanted(Wanted::value(text).unwrap())
}

async fn find(store: &impl Find, reader: &str, search: &Search) -> Vec<String> {
    let found = store
        .search(&partner(reader), search, None, 1000)
        .await
        .unwrap();
    assert_eq!(found.next, None);
    raws(&found.entries)
}

pub(crate) async fn an_erased_object_leaves_nothing_to_find(backend: Place) {
    let store = backend.open().await;
    let address = |n| with_pattern(n, 1, "[ipv4-addr:value = '192.0.2.7']");
    let batch = [
        to_all("alpha", address(1)),
        addressed("alpha", &["bravo"], address(2)),
        to_all("alpha", address(3)),
    ];
    store.append(&batch, at(0)).await.unwrap();
    assert_eq!(find(&store, "bravo", &value("192.0.2.7")).await.len(), 3);
    for n in [1, 2] {
        let erasure = Erasure {
            source: "alpha".into(),
            id: id("indicator", n),
            versions: vec![],
        };
        store.erase(&erasure, at(10)).await.unwrap();
    }
    let store = backend.restart(store).await;
    let left = [raw(&address(3))];
    for name in ["alpha", "bravo", "charlie"] {
        assert_eq!(find(&store, name, &value("192.0.2.7")).await, left);
        assert_eq!(
            find(&store, name, &wanted(Wanted::source("alpha"))).await,
            left
        );
    }
    store.reindex().await.unwrap();
    assert_eq!(find(&store, "bravo", &value("192.0.2.7")).await, left);
    backend.close(store).await;
}

pub(crate) async fn a_newer_version_is_found_by_what_it_says(backend: Place) {
    let store = backend.open().await;
    let old = with_pattern(1, 1, "[domain-name:value = 'old.example']");
    let new = with_pattern(1, 2, "[domain-name:value = 'new.example']");
    let batch = [
        to_all("alpha", old.clone()),
        addressed("alpha", &["bravo"], new.clone()),
    ];
    store.append(&batch, at(0)).await.unwrap();
    let under = wanted(Wanted::under("example").unwrap());
    assert_eq!(find(&store, "bravo", &under).await, [raw(&new)]);
    assert_eq!(find(&store, "bravo", &value("old.example")).await, [""; 0]);
    // Who does not hold the newer one has the older one.
    assert_eq!(find(&store, "charlie", &under).await, [raw(&old)]);
    assert_eq!(
        find(&store, "charlie", &value("new.example")).await,
        [""; 0]
    );
    backend.close(store).await;
}

pub(crate) async fn a_revocation_of_both_lanes_is_found_once(backend: Place) {
    let store = backend.open().await;
    let version = |version, extra| indicator(1, version, extra);
    let revoked = version(3, r#","revoked":true"#);
    let batch = [
        to_all("alpha", version(1, "")),
        addressed("alpha", &["bravo"], version(2, "")),
        to_all("alpha", revoked.clone()),
    ];
    for (clock, one) in (0..).zip(batch) {
        store.append(&[one], at(clock)).await.unwrap();
    }
    for name in ["alpha", "bravo", "charlie"] {
        let search = value("192.0.2.1");
        let found = store
            .search(&partner(name), &search, None, 10)
            .await
            .unwrap();
        assert_eq!(raws(&found.entries), [raw(&revoked)], "{name}");
        assert_eq!(found.entries[0].event, EventKind::Revoke);
        assert_eq!(found.entries[0].lane, Lane::Community);
    }
    backend.close(store).await;
}

pub(crate) async fn times_bound_what_is_found(backend: Place) {
    const DAY_US: i64 = 86_400_000_000;
    let store = backend.open().await;
    for day in 0..5 {
        let object = indicator(u32::try_from(day).unwrap(), day * DAY_US, "");
        let batch = [to_all("alpha", object)];
        store.append(&batch, at(day * 1000)).await.unwrap();
    }
    let numbers = async |search: &Search| -> Vec<u32> {
        let found = store
            .search(&partner("bravo"), search, None, 10)
            .await
            .unwrap();
        let number = |entry: &exchange::Entry| (0..5).find(|n| id("indicator", *n) == entry.id);
        found.entries.iter().filter_map(number).collect()
    };
    let added = |after: Option<i64>, before: Option<i64>| Search {
        added_after: after.map(at),
        added_before: before.map(at),
        ..Search::default()
    };
    assert_eq!(numbers(&added(None, None)).await, [0, 1, 2, 3, 4]);
    assert_eq!(numbers(&added(Some(1000), None)).await, [2, 3, 4]);
    assert_eq!(numbers(&added(None, Some(1000))).await, [0]);
    assert_eq!(numbers(&added(Some(1000), Some(4000))).await, [2, 3]);
    let modified = |after: Option<i64>, before: Option<i64>| {
        let time = |days: Option<i64>| days.map(|days| at(days * DAY_US));
        wanted(Wanted::modified(time(after), time(before)))
    };
    assert_eq!(numbers(&modified(Some(1), None)).await, [2, 3, 4]);
    assert_eq!(numbers(&modified(None, Some(1))).await, [0]);
    assert_eq!(numbers(&modified(Some(1), Some(4))).await, [2, 3]);
    let none = wanted(Wanted::created(
        Some(Timestamp::from_micros(i64::MAX)),
        None,
    ));
    assert_eq!(numbers(&none).await, [0; 0]);
    backend.close(store).await;
}

pub(crate) async fn patterns_that_say_the_same_are_found_together(backend: Place) {
    let store = backend.open().await;
    let one = |n, pattern| with_pattern(n, 1, pattern);
    let batch = [
        to_all("alpha", one(1, "[ipv4-addr:value = '192.0.2.7']")),
        to_all("bravo", one(2, "[ipv4-addr:value IN ('192.0.2.7/32')]")),
        addressed(
            "alpha",
            &["bravo"],
            one(3, "[ipv4-addr:value == '192.0.2.7']"),
        ),
        to_all(
            "bravo",
            one(
                4,
                "[ipv4-addr:value = '192.0.2.7' AND ipv4-addr:value != '192.0.2.8']",
            ),
        ),
        to_all("bravo", one(5, "[process:pid = 1 OR process:pid = 2]")),
        to_all("alpha", one(6, "[process:pid IN (2, 1)]")),
    ];
    store.append(&batch, at(0)).await.unwrap();
    let same = |pattern| wanted(Wanted::pattern(pattern).unwrap());
    let address = same("[ipv4-addr:value='192.0.2.7']");
    assert_eq!(find(&store, "bravo", &address).await.len(), 3);
    assert_eq!(find(&store, "charlie", &address).await.len(), 2);
    assert_eq!(
        find(&store, "charlie", &same("[process:pid IN (1, 2)]"))
            .await
            .len(),
        2
    );
    assert_eq!(find(&store, "charlie", &value("192.0.2.7")).await.len(), 3);
    backend.close(store).await;
}

pub(crate) async fn what_refers_to_an_object_is_found(backend: Place) {
    let store = backend.open().await;
    let batch = [
        to_all("alpha", indicator(1, 1, "")),
        to_all("bravo", sighting(1, 1)),
        addressed("alpha", &["bravo"], sighting(1, 2)),
        to_all("bravo", sighting(2, 1)),
    ];
    store.append(&batch, at(0)).await.unwrap();
    let referring = wanted(Wanted::referring_to(&id("indicator", 1)));
    assert_eq!(
        find(&store, "charlie", &referring).await,
        [raw(&sighting(1, 1))]
    );
    let both = [raw(&sighting(1, 1)), raw(&sighting(1, 2))];
    assert_eq!(find(&store, "bravo", &referring).await, both);
    backend.close(store).await;
}

pub(crate) async fn addresses_come_in_order_and_pages_go_on_behind_a_place(backend: Place) {
    let store = backend.open().await;
    // Later ones have smaller addresses, and one in four is bravo's alone.
    let batch: Vec<_> = (0..200_u32)
        .map(|n| {
            let pattern = format!("[ipv4-addr:value = '10.0.0.{}']", 255 - n);
            let object = with_pattern(n, 1, &pattern);
            match n % 4 {
                0 => addressed("alpha", &["bravo"], object),
                _ => to_all("alpha", object),
            }
        })
        .collect();
    store.append(&batch, at(0)).await.unwrap();
    let search = wanted(Wanted::inside("10.0.0.64/26").unwrap());
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let reader = partner("bravo");
        let page = store
            .search(&reader, &search, from.as_ref(), 7)
            .await
            .unwrap();
        found.extend(page.entries);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let number = |entry: &exchange::Entry| (0..200_u32).find(|n| id("indicator", *n) == entry.id);
    let numbers: Vec<u32> = found.iter().filter_map(number).collect();
    let inside = || (128..192).rev();
    let mut expected: Vec<u32> = inside().filter(|n| n % 4 != 0).collect();
    expected.extend(inside().filter(|n| n % 4 == 0));
    assert_eq!(numbers, expected);
    backend.close(store).await;
}

pub(crate) async fn an_audience_of_nobody_finds_nothing(backend: Place) {
    let store = backend.open().await;
    let batch = [to_all("alpha", indicator(1, 1, ""))];
    store.append(&batch, at(0)).await.unwrap();
    for names in [vec![], vec!["alpha".into(), "bravo".into()]] {
        let nobody = Audience::Partners(names);
        let refused = store.search(&nobody, &value("192.0.2.1"), None, 10).await;
        assert!(matches!(refused, Err(StoreError::SeveralViews)));
    }
    backend.close(store).await;
}
