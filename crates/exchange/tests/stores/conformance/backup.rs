//! Dumps: the same lines for the same log, and the same log of the same lines.

use std::path::{Path, PathBuf};

use exchange::dump::{self, Input, Summary};
use exchange::{
    Certificate, Dump, Erasure, Erasures, EventKind, Filter, Lane, Log, NewPartner, Outcome,
    Position, Registry, Secret, Store, StoreError, VersionMatch,
};
use tempfile::TempDir;

use super::{Backend as _, Place};
use crate::support::{addressed, at, id, indicator, partner, raw, raws, sighting, to_all};

const SECRET: &str = "tell-nobody-of-this";

fn secret(n: u32, version: i64) -> stix::Object {
    indicator(n, version, &format!(r#","name":"{SECRET}""#))
}

/// A log with something of everything; and a token that it knows.
pub(crate) async fn fill(store: &impl Store) -> Secret {
    for name in ["alpha", "bravo", "charlie"] {
        let partner = NewPartner {
            name: name.into(),
            role: "agency".to_owned(),
        };
        store.add_partner(&partner, at(0)).await.unwrap();
    }
    store.invite("bravo", at(1000), at(1)).await.unwrap();
    let certificate = Certificate {
        serial: vec![1, 2, 0],
        partner: "alpha".into(),
        not_after: at(500),
    };
    store.add_certificate(&certificate, at(2)).await.unwrap();
    store.meta_init("of-the-hub", b"kept").await.unwrap();
    let token = store.create_token("alpha", None, at(3)).await.unwrap();
    store.revoke_partner("charlie", at(4)).await.unwrap();
    let first = [
        to_all("alpha", indicator(1, 1, "")),
        to_all("alpha", indicator(1, 2, "")),
        to_all("alpha", secret(2, 1)),
        addressed("alpha", &["bravo"], secret(3, 1)),
        addressed("bravo", &["alpha", "charlie"], sighting(4, 1)),
        to_all(
            "bravo",
            indicator(1, 1, r#","valid_until":"2033-01-01T00:00:00Z""#),
        ),
        to_all("alpha", indicator(5, 1, ",\n\"name\":\"ü\\u0000\\n \"")),
    ];
    store.append(&first, at(10)).await.unwrap();
    let second = [
        addressed("alpha", &[], indicator(1, 3, r#","revoked":true"#)),
        to_all("alpha", indicator(6, 1, "")),
    ];
    store.append(&second, at(20)).await.unwrap();
    erase(store, "alpha", 6, 30).await;
    let many: Vec<_> = (100..400)
        .map(|n| match n % 3 {
            0 => addressed("bravo", &["alpha"], indicator(n, 1, "")),
            _ => to_all("alpha", indicator(n, 1, "")),
        })
        .collect();
    store.append(&many, at(40)).await.unwrap();
    token
}

async fn erase(store: &impl Log, source: &str, n: u32, now: i64) {
    let erasure = Erasure {
        source: source.into(),
        id: id("indicator", n),
        versions: vec![],
    };
    let erased = store.erase(&erasure, at(now)).await.unwrap();
    assert_eq!(erased.versions, 1);
}

/// A dump in a file.
pub(crate) async fn written(store: &impl Dump, folder: &Path) -> (PathBuf, Summary) {
    let path = folder.join("log.jsonl");
    let mut file = std::fs::File::create(&path).unwrap();
    let summary = dump::write_out(store, &mut file).await.unwrap();
    (path, summary)
}

async fn state(store: &impl Dump) -> Summary {
    dump::write_out(store, &mut std::io::sink()).await.unwrap()
}

/// Everything that each partner can read.
pub(crate) async fn views(store: &impl Log) -> Vec<Vec<exchange::Entry>> {
    let mut views = Vec::new();
    for name in ["alpha", "bravo", "charlie"] {
        let reader = partner(name);
        for lane in [Lane::Community, Lane::Addressed] {
            views.push(store.lane(&reader, lane, 0, 1000).await.unwrap());
        }
        for versions in [vec![], vec![VersionMatch::All], vec![VersionMatch::First]] {
            let filter = Filter {
                versions,
                ..Filter::default()
            };
            let page = store.page(&reader, Position::default(), 1000, &filter);
            views.push(page.await.unwrap().entries);
        }
    }
    views
}

pub(crate) async fn a_restored_dump_is_the_same_log(backend: Place) {
    let folder = TempDir::new().unwrap();
    let store = backend.open().await;
    let token = fill(&store).await;
    let (path, summary) = written(&store, folder.path()).await;
    assert_eq!((summary.events, summary.objects), (310, 308));
    assert_eq!((summary.erased, summary.partners), (1, 3));
    let (bytes, lines) = (std::fs::read(&path).unwrap(), summary.bytes);
    assert_eq!(bytes.len() as u64, lines);
    assert_eq!(state(&store).await, summary, "read twice");

    let place = backend.another();
    let mut input = Input::open(&path, summary.digest, &[]).unwrap();
    let restored = place.restore(&mut input, store.epoch(), false).await;
    let restored = restored.unwrap();
    assert_eq!((restored.summary, restored.withheld), (summary, 0));
    let copy = place.open().await;
    assert!(copy.epoch() > store.epoch() && copy.epoch() == restored.epoch);
    assert_eq!(state(&copy).await, summary);
    assert_eq!(views(&copy).await, views(&store).await);
    // Credentials are good, and what was revoked stays revoked.
    let known = copy.partner_by_token(token.bytes(), at(50)).await.unwrap();
    assert_eq!(known.unwrap().name.as_ref(), "alpha");
    let known = copy.partner_by_certificate(&[1, 2, 0], at(50)).await;
    assert!(known.unwrap().is_some());
    assert!(
        copy.partner("charlie")
            .await
            .unwrap()
            .unwrap()
            .revoked
            .is_some()
    );
    assert_eq!(copy.meta("of-the-hub").await.unwrap().unwrap(), b"kept");

    // Both go on alike: what they number, what they know, what they erase.
    for log in [&store, &copy] {
        let more = [
            to_all("alpha", indicator(1, 2, "")),
            to_all("alpha", indicator(6, 1, "")),
            to_all("alpha", indicator(7, 1, "")),
            addressed("alpha", &["bravo"], indicator(8, 1, "")),
        ];
        let outcomes = log.append(&more, at(60)).await.unwrap().outcomes;
        assert_eq!(outcomes[..2], [Outcome::Duplicate, Outcome::Conflict]);
        assert!(matches!(
            outcomes[2..],
            [Outcome::Accepted { .. }, Outcome::Accepted { .. }]
        ));
        erase(log, "alpha", 7, 70).await;
    }
    assert_eq!(views(&copy).await, views(&store).await);
    place.close(copy).await;
    backend.close(store).await;
}

pub(crate) async fn what_was_erased_since_is_not_restored(backend: Place) {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("erasures.jsonl");
    let store = backend.open().await;
    fill(&store).await;
    let (path, summary) = written(&store, folder.path()).await;
    // Since then: of what the dump holds, and of what it does not know.
    store
        .append(&[to_all("alpha", secret(9, 1))], at(50))
        .await
        .unwrap();
    for (n, now) in [(2, 60), (3, 61), (9, 62)] {
        erase(&store, "alpha", n, now).await;
    }
    let erasures = Erasures::open(&list).unwrap();
    erasures.catch_up(&store).await.unwrap();
    let text = std::fs::read_to_string(&list).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(!text.contains(SECRET));

    let place = backend.another();
    let mut input = Input::open(&path, summary.digest, std::slice::from_ref(&list)).unwrap();
    let restored = place.restore(&mut input, store.epoch(), false).await;
    let restored = restored.unwrap();
    assert_eq!(restored.withheld, 3);
    assert_ne!(restored.summary.digest, summary.digest);
    let copy = place.open().await;
    assert_eq!(state(&copy).await, restored.summary);
    for view in views(&copy).await {
        assert!(!raws(&view).concat().contains(SECRET));
    }
    let lane = copy.lane(&partner("bravo"), Lane::Community, 0, 10).await;
    let gone: Vec<_> = lane
        .unwrap()
        .into_iter()
        .filter(|entry| entry.id == id("indicator", 2))
        .collect();
    assert_eq!(
        gone[0].event,
        EventKind::Erase,
        "those who hold it are told"
    );
    // Not under the same identity again, also what was accepted after the dump.
    let again = [2, 3, 9].map(|n| to_all("alpha", secret(n, 1)));
    let outcomes = copy.append(&again, at(70)).await.unwrap().outcomes;
    assert_eq!(outcomes, [Outcome::Conflict; 3]);
    let newer = [to_all("alpha", indicator(9, 2, ""))];
    let outcomes = copy.append(&newer, at(71)).await.unwrap().outcomes;
    assert!(matches!(outcomes[..], [Outcome::Accepted { .. }]));
    let page = copy
        .page(
            &partner("bravo"),
            Position::default(),
            1000,
            &Filter::default(),
        )
        .await
        .unwrap();
    assert!(raws(&page.entries).contains(&raw(&indicator(9, 2, ""))));
    // A dump of it is whole, and restores as well.
    let (path, summary) = written(&copy, folder.path()).await;
    let third = backend.another();
    let mut input = Input::open(&path, summary.digest, &[list]).unwrap();
    let restored = third
        .restore(&mut input, copy.epoch(), false)
        .await
        .unwrap();
    assert_eq!((restored.summary, restored.withheld), (summary, 0));
    place.close(copy).await;
    backend.close(store).await;
}

pub(crate) async fn a_store_in_use_or_with_a_log_is_not_overwritten(backend: Place) {
    let folder = TempDir::new().unwrap();
    let store = backend.open().await;
    fill(&store).await;
    let (path, summary) = written(&store, folder.path()).await;
    let input = || Input::open(&path, summary.digest, &[]).unwrap();
    let refused = backend.restore(&mut input(), 0, true).await;
    assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");
    let more = [to_all("alpha", indicator(7, 1, ""))];
    store.append(&more, at(60)).await.unwrap();
    let (before, epoch) = (state(&store).await, store.epoch());
    backend.close(store).await;
    let refused = backend.restore(&mut input(), 0, false).await;
    assert!(
        matches!(refused, Err(StoreError::NotEmpty(_))),
        "{refused:?}"
    );
    let store = backend.open().await;
    assert_eq!((state(&store).await, store.epoch()), (before, epoch));
    backend.close(store).await;
    backend.restore(&mut input(), 0, true).await.unwrap();
    let store = backend.open().await;
    assert_eq!(state(&store).await, summary);
    assert!(store.epoch() > epoch);
    backend.close(store).await;
}

pub(crate) async fn a_damaged_dump_is_refused_and_changes_nothing(backend: Place) {
    let folder = TempDir::new().unwrap();
    let store = backend.open().await;
    fill(&store).await;
    let (path, summary) = written(&store, folder.path()).await;
    backend.close(store).await;
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let cut = lines[..lines.len() - 1].join("\n") + "\n";
    let other = whole.replacen("192.0.2.", "192.0.3.", 1);
    let name = whole.replacen("\"agency\"", "\"Agency\"", 1);
    let torn = whole.get(..whole.len() - 9).unwrap().to_owned();
    let swapped = {
        let mut lines = lines.clone();
        let last = lines.len() - 1;
        lines.swap(last, last - 1);
        lines.join("\n") + "\n"
    };
    let place = backend.another();
    for damaged in [cut, other, name, torn, swapped, "{}\n".to_owned()] {
        std::fs::write(&path, damaged).unwrap();
        let mut input = Input::open(&path, summary.digest, &[]).unwrap();
        let refused = place.restore(&mut input, 0, true).await;
        assert!(
            matches!(refused, Err(StoreError::BadBackup(_))),
            "{refused:?}"
        );
        let store = place.open().await;
        assert_eq!(state(&store).await.events, 0);
        assert!(store.partners().await.unwrap().is_empty());
        place.close(store).await;
    }
}

pub(crate) async fn the_list_of_erasures_follows_the_log(backend: Place) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("erasures.jsonl");
    let ids = || {
        let text = std::fs::read_to_string(&path).unwrap();
        let ids = text.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["id"].as_str().unwrap().to_owned()
        });
        ids.collect::<Vec<_>>()
    };
    let store = backend.open().await;
    let batch: Vec<_> = (1..=9)
        .map(|n| to_all("alpha", indicator(n, 1, "")))
        .collect();
    store.append(&batch, at(0)).await.unwrap();
    let list = Erasures::open(&path).unwrap();
    list.catch_up(&store).await.unwrap();
    assert!(ids().is_empty());
    erase(&store, "alpha", 3, 10).await;
    erase(&store, "alpha", 5, 11).await;
    list.catch_up(&store).await.unwrap();
    list.catch_up(&store).await.unwrap();
    let expected = [3, 5].map(|n| id("indicator", n).to_string());
    assert_eq!(ids(), expected);
    // The hub is killed between the log and the list.
    erase(&store, "alpha", 1, 12).await;
    let store = backend.restart(store).await;
    let list = Erasures::open(&path).unwrap();
    list.catch_up(&store).await.unwrap();
    assert_eq!(ids(), [3, 5, 1].map(|n| id("indicator", n).to_string()));
    backend.close(store).await;
}
