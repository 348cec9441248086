//! The log: order, identity, views.

use exchange::{EventKind, Filter, Lane, Log, Outcome, Page, Position, Submission, VersionMatch};
use sharing::Audience;

use super::{Backend as _, Place};
use crate::support::{addressed, at, id, indicator, partner, raw, raws, sighting, to_all};

/// Submissions of three partners, some to all, some addressed.
fn mixed(count: u32) -> Vec<Submission> {
    let submission = |n: u32| match n % 5 {
        0 => addressed("alpha", &["bravo"], indicator(n, 1, "")),
        1 => addressed("charlie", &[], indicator(n, 1, "")),
        2 => to_all("bravo", sighting(n, 1)),
        _ => to_all("alpha", indicator(n, 1, "")),
    };
    (0..count).map(submission).collect()
}

async fn all_pages(store: &impl Log, name: &str, limit: usize, filter: &Filter) -> Vec<Page> {
    let (mut pages, mut from) = (Vec::new(), Position::default());
    loop {
        let page = store
            .page(&partner(name), from, limit, filter)
            .await
            .unwrap();
        let more = page.more;
        assert!(page.entries.len() <= limit);
        assert!(!more || page.next != from, "no progress");
        from = page.next;
        pages.push(page);
        if !more {
            return pages;
        }
    }
}

async fn everything(store: &impl Log, name: &str) -> Vec<exchange::Entry> {
    let filter = Filter {
        versions: vec![VersionMatch::All],
        ..Filter::default()
    };
    let pages = all_pages(store, name, 1000, &filter).await;
    pages.into_iter().flat_map(|page| page.entries).collect()
}

pub(crate) async fn positions_are_contiguous_and_dates_increase(backend: Place) {
    let store = backend.open().await;
    for (step, batch) in mixed(60).chunks(7).enumerate() {
        // A clock that stands still for two batches and goes on by 20 us after: slower than a
        // batch takes dates, so that dates run ahead of it within each lane.
        store
            .append(batch, at(20 * (step as i64 / 2)))
            .await
            .unwrap();
    }
    for name in ["alpha", "bravo", "charlie", "delta"] {
        for lane in [Lane::Community, Lane::Addressed] {
            let entries = store.lane(&partner(name), lane, 0, 1000).await.unwrap();
            let positions: Vec<u64> = entries.iter().map(|entry| entry.position).collect();
            let contiguous: Vec<u64> = (1..=entries.len() as u64).collect();
            assert_eq!(positions, contiguous, "{name} {lane:?}");
            assert!(
                entries.is_sorted_by(|a, b| a.date_added < b.date_added),
                "{name} {lane:?}"
            );
            let head = store.head(&partner(name)).await.unwrap().lane(lane);
            assert_eq!(head, entries.len() as u64);
        }
    }
    let community = store
        .lane(&partner("delta"), Lane::Community, 0, 1000)
        .await
        .unwrap();
    assert_eq!(community.len(), 36);
    backend.close(store).await;
}

pub(crate) async fn merged_dates_increase_when_batches_start_after_the_latest(backend: Place) {
    let store = backend.open().await;
    let mut now = at(0);
    for batch in mixed(60).chunks(7) {
        now = store.append(batch, now).await.unwrap().latest;
        now = stix::Timestamp::from_micros(now.as_micros() + 1);
    }
    for name in ["alpha", "bravo", "charlie"] {
        let entries = everything(&store, name).await;
        assert!(
            entries.is_sorted_by(|a, b| a.date_added < b.date_added),
            "{name}"
        );
    }
    backend.close(store).await;
}

pub(crate) async fn pages_of_any_size_join_to_the_whole_view(backend: Place) {
    let store = backend.open().await;
    for batch in mixed(60).chunks(11) {
        store.append(batch, at(0)).await.unwrap();
    }
    let whole = everything(&store, "bravo").await;
    assert_eq!(whole.len(), 48, "36 to all and 12 addressed");
    for limit in [1, 2, 7, 47, 48, 49] {
        let pages = all_pages(&store, "bravo", limit, &Filter::default()).await;
        assert_eq!(
            pages.len(),
            48_usize.div_ceil(limit),
            "no empty page at the end"
        );
        let joined: Vec<_> = pages.into_iter().flat_map(|page| page.entries).collect();
        assert_eq!(joined, whole, "limit {limit}");
    }
    backend.close(store).await;
}

pub(crate) async fn a_reader_at_the_end_gets_exactly_what_follows(backend: Place) {
    let store = backend.open().await;
    store.append(&mixed(20), at(0)).await.unwrap();
    let filter = Filter::default();
    let end = all_pages(&store, "alpha", 100, &filter)
        .await
        .pop()
        .unwrap()
        .next;
    assert_eq!(end, store.head(&partner("alpha")).await.unwrap());
    let nothing = store
        .page(&partner("alpha"), end, 100, &filter)
        .await
        .unwrap();
    assert_eq!(
        (nothing.entries.len(), nothing.next, nothing.more),
        (0, end, false)
    );
    let late = addressed("charlie", &["alpha"], indicator(900, 1, ""));
    let later = to_all("charlie", indicator(901, 1, ""));
    let expected = [raw(&late.object), raw(&later.object)];
    store.append(&[late], at(100)).await.unwrap();
    store.append(&[later], at(200)).await.unwrap();
    let store = backend.restart(store).await;
    let page = store
        .page(&partner("alpha"), end, 100, &filter)
        .await
        .unwrap();
    assert_eq!(raws(&page.entries), expected);
    backend.close(store).await;
}

pub(crate) async fn the_same_bytes_are_a_duplicate_and_others_a_conflict(backend: Place) {
    let store = backend.open().await;
    let first = to_all("alpha", indicator(1, 1, ""));
    let other = to_all("alpha", indicator(1, 1, r#","name":"other""#));
    let next = to_all("alpha", indicator(1, 2, ""));
    let batch = [first.clone(), first.clone(), other.clone(), next];
    let outcomes = store.append(&batch, at(5)).await.unwrap().outcomes;
    let accepted = |us| Outcome::Accepted { date_added: at(us) };
    assert_eq!(
        outcomes,
        [
            accepted(5),
            Outcome::Duplicate,
            Outcome::Conflict,
            accepted(6)
        ]
    );
    for _ in 0..2 {
        let again = store
            .append(&[other.clone(), first.clone()], at(9))
            .await
            .unwrap();
        assert_eq!(again.outcomes, [Outcome::Conflict, Outcome::Duplicate]);
        assert!(again.lanes.is_empty());
    }
    let store = backend.restart(store).await;
    let again = store.append(&[first.clone(), other], at(9)).await.unwrap();
    assert_eq!(again.outcomes, [Outcome::Duplicate, Outcome::Conflict]);
    assert_eq!(everything(&store, "alpha").await.len(), 2);
    assert_eq!(
        raws(&everything(&store, "bravo").await)[0],
        raw(&first.object)
    );
    backend.close(store).await;
}

pub(crate) async fn another_source_of_the_same_id_is_another_assertion(backend: Place) {
    let store = backend.open().await;
    let theirs = to_all("alpha", indicator(1, 1, ""));
    let ours = to_all("bravo", indicator(1, 1, r#","name":"ours""#));
    let same = to_all("charlie", indicator(1, 1, ""));
    let batch = [theirs.clone(), ours.clone(), same.clone()];
    let outcomes = store.append(&batch, at(0)).await.unwrap().outcomes;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Accepted { .. }))
    );
    let filter = Filter {
        ids: vec![id("indicator", 1)],
        ..Filter::default()
    };
    let page = store
        .page(&partner("delta"), Position::default(), 10, &filter)
        .await
        .unwrap();
    let found: Vec<(&str, String)> = page
        .entries
        .iter()
        .map(|e| &*e.source)
        .zip(raws(&page.entries))
        .collect();
    let expected = [
        ("alpha", raw(&theirs.object)),
        ("bravo", raw(&ours.object)),
        ("charlie", raw(&same.object)),
    ];
    assert_eq!(
        found, expected,
        "each is the last version of its own source"
    );
    backend.close(store).await;
}

pub(crate) async fn hidden_objects_change_no_byte_of_a_view(backend: Place) {
    // The same history twice, once with objects that bravo may not see: between batches, within
    // them, as newer versions of what it sees, and refused ones. Time is the same in both.
    let (with, without) = (backend.open().await, Second::open().await);
    let visible = |n: u32| match n % 3 {
        0 => addressed("alpha", &["bravo"], indicator(n, 5, "")),
        _ => to_all("alpha", indicator(n, 5, "")),
    };
    for step in 0..20_u32 {
        let seen = vec![
            visible(3 * step),
            visible(3 * step + 1),
            visible(3 * step + 2),
        ];
        let hidden = |k: u32, version| {
            addressed("alpha", &["charlie"], indicator(3 * step + k, version, ""))
        };
        let mut batch = vec![
            hidden(0, 9),
            addressed("charlie", &[], indicator(step, 1, "")),
        ];
        batch.extend(seen.clone());
        batch.extend([hidden(1, 2), hidden(1, 9), hidden(1, 9)]);
        // The clock stands still for two steps: dates run ahead of it.
        let now = at(i64::from(step / 2));
        without.log().append(&seen, now).await.unwrap();
        with.append(&batch, now).await.unwrap();
        let alone = addressed("charlie", &["delta"], sighting(step, 1));
        with.append(&[alone], now).await.unwrap();
    }
    same_view_of_bravo(&with, without.log()).await;
    assert_ne!(
        everything(&with, "charlie").await,
        everything(without.log(), "charlie").await
    );
    backend.close(with).await;
}

async fn same_view_of_bravo(with: &impl Log, without: &impl Log) {
    let bravo = partner("bravo");
    let filters = [
        Filter::default(),
        Filter {
            versions: vec![VersionMatch::All],
            ..Filter::default()
        },
        Filter {
            versions: vec![VersionMatch::First],
            ..Filter::default()
        },
        Filter {
            kinds: vec!["indicator".into()],
            ..Filter::default()
        },
        Filter {
            kinds: vec!["sighting".into()],
            ..Filter::default()
        },
        Filter {
            ids: vec![id("indicator", 4)],
            ..Filter::default()
        },
        Filter {
            added_after: Some(at(3)),
            ..Filter::default()
        },
    ];
    for filter in &filters {
        for limit in [1, 7, 1000] {
            let (a, b) = (
                all_pages(with, "bravo", limit, filter).await,
                all_pages(without, "bravo", limit, filter).await,
            );
            assert_eq!(a, b, "{filter:?} limit {limit}");
        }
    }
    for lane in [Lane::Community, Lane::Addressed] {
        let a = with.lane(&bravo, lane, 0, 1000).await.unwrap();
        assert_eq!(a, without.lane(&bravo, lane, 0, 1000).await.unwrap());
    }
    let a = with.recent(&bravo, 30).await.unwrap();
    assert_eq!(a, without.recent(&bravo, 30).await.unwrap());
    assert_eq!(
        with.head(&bravo).await.unwrap(),
        without.head(&bravo).await.unwrap()
    );
    assert_eq!(
        with.counts(&bravo).await.unwrap(),
        without.counts(&bravo).await.unwrap()
    );
    assert_ne!(
        everything(with, "charlie").await,
        everything(without, "charlie").await
    );
}

/// The other store of the comparison: what it is does not matter, so it is always SQLite.
struct Second {
    store: exchange::SqliteStore,
    _folder: tempfile::TempDir,
}

impl Second {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("exchange.db");
        let options = exchange::sqlite::Options::default();
        let store = exchange::SqliteStore::open(&path, options).await.unwrap();
        Self {
            store,
            _folder: folder,
        }
    }

    fn log(&self) -> &impl Log {
        &self.store
    }
}

pub(crate) async fn versions_are_those_that_the_reader_may_see(backend: Place) {
    let store = backend.open().await;
    let version = |n| indicator(1, n, "");
    let batch = [
        to_all("alpha", version(1)),
        to_all("alpha", version(2)),
        addressed("alpha", &["bravo"], version(3)),
    ];
    store.append(&batch, at(0)).await.unwrap();
    let cases = [
        ("bravo", vec![], vec![3]),
        ("bravo", vec![VersionMatch::Last], vec![3]),
        ("bravo", vec![VersionMatch::First], vec![1]),
        (
            "bravo",
            vec![VersionMatch::First, VersionMatch::Last],
            vec![1, 3],
        ),
        ("bravo", vec![VersionMatch::All], vec![1, 2, 3]),
        ("bravo", vec![VersionMatch::At(at(2))], vec![2]),
        ("charlie", vec![], vec![2]),
        ("charlie", vec![VersionMatch::At(at(3))], vec![]),
        ("charlie", vec![VersionMatch::All], vec![1, 2]),
    ];
    for (name, versions, expected) in cases {
        for ids in [vec![], vec![id("indicator", 1)]] {
            let filter = Filter {
                versions: versions.clone(),
                ids,
                ..Filter::default()
            };
            let page = store
                .page(&partner(name), Position::default(), 10, &filter)
                .await
                .unwrap();
            let found: Vec<_> = page.entries.iter().map(|entry| entry.version).collect();
            let expected: Vec<_> = expected.iter().map(|v| at(*v)).collect();
            assert_eq!(found, expected, "{name} {filter:?}");
        }
    }
    backend.close(store).await;
}

pub(crate) async fn filters_pass_over_what_they_do_not_admit(backend: Place) {
    let store = backend.open().await;
    let batch: Vec<Submission> = (0..1300)
        .map(|n| match n {
            3 | 640 | 1299 => to_all("alpha", sighting(n, 1)),
            _ => to_all("alpha", indicator(n, 1, "")),
        })
        .collect();
    store.append(&batch, at(0)).await.unwrap();
    let rare = Filter {
        kinds: vec!["sighting".into()],
        ..Filter::default()
    };
    for limit in [1, 2, 3, 10] {
        let pages = all_pages(&store, "bravo", limit, &rare).await;
        let ids: Vec<_> = pages
            .iter()
            .flat_map(|p| &p.entries)
            .map(|e| e.id.clone())
            .collect();
        assert_eq!(ids, [3, 640, 1299].map(|n| id("sighting", n)));
        assert_eq!(
            pages.len(),
            3_usize.div_ceil(limit),
            "more only when there is more"
        );
    }
    let after = Filter {
        added_after: Some(at(1296)),
        ..Filter::default()
    };
    let page = store
        .page(&partner("bravo"), Position::default(), 10, &after)
        .await
        .unwrap();
    let dates: Vec<_> = page.entries.iter().map(|entry| entry.date_added).collect();
    assert_eq!(
        dates,
        [at(1297), at(1298), at(1299)],
        "added_after is exclusive"
    );
    let ids = vec![id("indicator", 7), id("sighting", 640), id("sighting", 7)];
    let filter = Filter {
        ids: ids.clone(),
        ..Filter::default()
    };
    let page = store
        .page(&partner("bravo"), Position::default(), 10, &filter)
        .await
        .unwrap();
    let found: Vec<_> = page.entries.iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(found, ids[..2]);
    let none = Filter {
        spec_versions: vec!["2.0".into()],
        ..Filter::default()
    };
    let page = store
        .page(&partner("bravo"), Position::default(), 10, &none)
        .await
        .unwrap();
    assert!(page.entries.is_empty() && !page.more);
    backend.close(store).await;
}

pub(crate) async fn a_revoked_version_is_a_revoke_event(backend: Place) {
    let store = backend.open().await;
    let revoked = indicator(1, 2, r#","revoked":true"#);
    let batch = [
        to_all("alpha", indicator(1, 1, "")),
        to_all("alpha", indicator(2, 1, "")),
    ];
    store.append(&batch, at(0)).await.unwrap();
    store
        .append(&[to_all("alpha", revoked.clone())], at(10))
        .await
        .unwrap();
    let lane = store
        .lane(&partner("bravo"), Lane::Community, 2, 10)
        .await
        .unwrap();
    assert_eq!(lane.len(), 1);
    assert_eq!((lane[0].event, lane[0].position), (EventKind::Revoke, 3));
    assert_eq!(raws(&lane), [raw(&revoked)]);
    assert_eq!(
        live(&store, 2).await,
        [(1, at(1)), (2, at(1))],
        "as of before"
    );
    assert_eq!(live(&store, 3).await, [(2, at(1))]);
    backend.close(store).await;
}

/// (n, version) of the live indicators of the community lane as of a position, at time 0.
async fn live(store: &impl Log, through: u64) -> Vec<(u32, stix::Timestamp)> {
    let mut found = Vec::new();
    let mut each = |entry: exchange::Entry| {
        let n = (0..10).find(|n| id("indicator", *n) == entry.id).unwrap();
        found.push((n, entry.version));
    };
    store.live(None, through, at(0), &mut each).await.unwrap();
    found.sort_unstable();
    found
}

pub(crate) async fn live_are_latest_versions_not_expired(backend: Place) {
    let store = backend.open().await;
    let until = |us| format!(r#","valid_until":"{}""#, at(us).fmt_micros());
    let batch = [
        to_all("alpha", indicator(1, 1, &until(1))),
        to_all("alpha", indicator(2, 1, &until(0))),
        to_all("alpha", indicator(3, 5, "")),
        to_all("alpha", indicator(3, 4, "")),
        to_all("alpha", sighting(4, 1)),
        addressed("alpha", &["bravo"], indicator(5, 1, "")),
        addressed("alpha", &["bravo"], indicator(3, 9, "")),
    ];
    store.append(&batch, at(0)).await.unwrap();
    assert_eq!(live(&store, 5).await, [(1, at(1)), (3, at(5))]);
    assert_eq!(live(&store, 2).await, [(1, at(1))]);
    let mut addressed = Vec::new();
    let bravo = "bravo".into();
    let mut each = |entry: exchange::Entry| addressed.push(entry.version);
    store.live(Some(&bravo), 2, at(0), &mut each).await.unwrap();
    addressed.sort_unstable();
    assert_eq!(addressed, [at(1), at(9)]);
    backend.close(store).await;
}

pub(crate) async fn an_older_version_is_stale_in_the_lanes_that_had_a_newer_one(backend: Place) {
    let store = backend.open().await;
    let version = |n| indicator(1, n, "");
    store
        .append(&[addressed("alpha", &["bravo"], version(5))], at(0))
        .await
        .unwrap();
    let older = [to_all("alpha", version(4)), to_all("alpha", version(3))];
    store.append(&older, at(10)).await.unwrap();
    let older = [addressed("alpha", &["bravo", "charlie"], version(2))];
    store.append(&older, at(20)).await.unwrap();
    let stale = async |name, lane| -> Vec<bool> {
        let entries = store.lane(&partner(name), lane, 0, 10).await.unwrap();
        entries.iter().map(|entry| entry.stale).collect()
    };
    assert_eq!(stale("bravo", Lane::Community).await, [false, true]);
    assert_eq!(stale("bravo", Lane::Addressed).await, [false, true]);
    assert_eq!(stale("charlie", Lane::Addressed).await, [false]);
    backend.close(store).await;
}

pub(crate) async fn a_restart_changes_nothing(backend: Place) {
    let store = backend.open().await;
    let batches = mixed(50);
    store.append(&batches[..25], at(1000)).await.unwrap();
    let (before, epoch) = (everything(&store, "alpha").await, store.epoch());
    let store = backend.restart(store).await;
    assert_eq!(everything(&store, "alpha").await, before);
    assert_eq!(store.epoch(), epoch);
    // The clock was set back: dates go on all the same.
    store.append(&batches[25..], at(0)).await.unwrap();
    for lane in [Lane::Community, Lane::Addressed] {
        let entries = store.lane(&partner("alpha"), lane, 0, 1000).await.unwrap();
        assert!(entries.is_sorted_by(|a, b| a.date_added < b.date_added));
        assert!(
            entries
                .iter()
                .zip(1..)
                .all(|(entry, position)| entry.position == position)
        );
    }
    backend.close(store).await;
}

pub(crate) async fn what_append_returns_is_what_can_be_read(backend: Place) {
    let store = backend.open().await;
    store.append(&mixed(7), at(0)).await.unwrap();
    let appended = store.append(&mixed(40)[7..], at(100)).await.unwrap();
    assert_eq!(
        appended.lanes.len(),
        4,
        "the community, alpha, bravo, charlie"
    );
    for lane in appended.lanes {
        let kind = if lane.partner.is_some() {
            Lane::Addressed
        } else {
            Lane::Community
        };
        let reader = partner(lane.partner.as_deref().unwrap_or("delta"));
        let after = lane.entries[0].position - 1;
        assert_eq!(
            store.lane(&reader, kind, after, 1000).await.unwrap(),
            lane.entries
        );
    }
    backend.close(store).await;
}

pub(crate) async fn an_audience_of_nobody_sees_nothing_and_of_several_has_no_cursor(
    backend: Place,
) {
    let store = backend.open().await;
    store.append(&mixed(30), at(0)).await.unwrap();
    let nobody = Audience::Partners(vec![]);
    let several = Audience::Partners(vec!["bravo".into(), "charlie".into()]);
    assert!(store.recent(&nobody, 10).await.unwrap().is_empty());
    assert_eq!(
        store.counts(&nobody).await.unwrap(),
        exchange::Counts::default()
    );
    for audience in [&nobody, &several] {
        let filter = Filter::default();
        assert!(
            store
                .page(audience, Position::default(), 10, &filter)
                .await
                .is_err()
        );
        assert!(store.lane(audience, Lane::Community, 0, 10).await.is_err());
        assert!(store.head(audience).await.is_err());
    }
    let newest = store.recent(&several, 1000).await.unwrap();
    assert_eq!(
        newest.len(),
        30,
        "18 to all, 6 to alpha and bravo, 6 to charlie"
    );
    let to_all = newest.iter().filter(|entry| entry.lane == Lane::Community);
    assert!(
        to_all.map(|entry| entry.position).eq((1..=18).rev()),
        "newest first"
    );
    let two = store.recent(&partner("delta"), 2).await.unwrap();
    assert_eq!([two[0].position, two[1].position], [18, 17]);
    backend.close(store).await;
}
