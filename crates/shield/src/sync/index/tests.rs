use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use stix::pattern::Term;
use stix::{Object, StixId, Timestamp};
use taxii::push::{Entry, EventKind};

use super::*;

fn asker(name: &str) -> Asker {
    Asker {
        source: "bravo".into(),
        object: StixId::v5("indicator", name),
    }
}

fn pattern(terms: Vec<Term>) -> Detectable {
    Detectable::Pattern(Arc::new(Pattern { terms }))
}

/// Takes an indicator `name` on a URL and detects with it.
fn take(view: &mut View, lane: Lane, name: &str, path: &str) {
    let asker = asker(name);
    let at = Timestamp::EPOCH.to_string();
    let raw = json!({
        "type": "indicator", "spec_version": "2.1", "id": asker.object, "created": at,
        "modified": at, "valid_from": at, "pattern_type": "stix",
        "pattern": format!("[url:value = 'http://evil.example/{path}']"),
    });
    let raw = serde_json::value::RawValue::from_string(raw.to_string()).unwrap();
    let object = Object::parse(raw.get().as_bytes(), &stix::Limits::default()).unwrap();
    let entry = Entry {
        event: EventKind::Accept,
        source: "bravo".to_owned(),
        date_added: Timestamp::EPOCH,
        stale: false,
        object: raw,
    };
    view.apply(lane, entry, &object);
    let terms = vec![Term::Url(format!("http://evil.example/{path}").into())];
    view.index(lane, &asker, pattern(terms), 50);
}

/// Detects with something that every index refuses.
fn take_refused(view: &mut View, name: &str) {
    take(view, Lane::Community, name, "never");
    let terms = vec![Term::Domain("com".into())];
    view.index(Lane::Community, &asker(name), pattern(terms), 50);
}

/// Takes an indicator out of the community's lane.
fn narrow(view: &mut View, name: &str) {
    let known = view.known_of_name(name);
    let mut entry = Entry::clone(&known);
    entry.event = EventKind::Narrow;
    let object = Object::parse(entry.object.get().as_bytes(), &stix::Limits::default()).unwrap();
    view.apply(Lane::Community, entry, &object);
}

impl View {
    fn known_of_name(&self, name: &str) -> Arc<Entry> {
        let asker = asker(name);
        let (_, _, known) = self.known_of(&asker).next().unwrap();
        Arc::clone(&known.entry)
    }
}

/// A view with `a`, `b` and `c`, of which `c` is in both lanes.
fn view() -> View {
    let mut view = View::new("default", 1);
    for name in ["a", "b", "c"] {
        take(&mut view, Lane::Community, name, name);
    }
    take(&mut view, Lane::Addressed, "c", "c");
    view
}

/// An indexer in a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
    indexer: Indexer,
    index: Arc<ArcSwap<Index>>,
    status: Arc<Status>,
}

impl Bench {
    fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        let index = Arc::new(ArcSwap::from_pointee(Index::default()));
        Self {
            indexer: Indexer::new(Arc::clone(&index), folder.path()),
            folder,
            index,
            status: Arc::default(),
        }
    }

    /// The next run of the shield.
    fn restarted(self) -> Self {
        Self::in_folder(self.folder)
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join(saved::FILE)
    }

    fn restore(&mut self, view: &View) -> Result<bool, SavedError> {
        self.indexer.restore(view.known(), &self.status)
    }

    async fn build(&mut self, scope: Scope, view: &View) {
        match scope {
            Scope::Whole => self.indexer.build_whole(view.known(), &self.status),
            Scope::Changes => {
                let changed = self.indexer.changed().clone();
                let items = changed.keys().flat_map(|asker| view.known_of(asker));
                self.indexer.build_changes(items, &self.status);
            }
        }
        while self.indexer.building.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How many indicators name each of these, in that order.
    fn found(&self, paths: &[&str]) -> Vec<usize> {
        let index = self.index.load();
        let mut scratch = Vec::new();
        let mut times = |path: &&str| {
            let mut found = Vec::new();
            let target = format!("/{path}");
            index.url(b"evil.example", target.as_bytes(), &mut scratch, |hit| {
                assert_eq!(*hit.owner().unwrap().key.source, *"bravo");
                found.push(hit.owner_at);
            });
            found.len()
        };
        paths.iter().map(&mut times).collect()
    }

    fn indexed(&self) -> u64 {
        self.status.counters().indexed
    }
}

#[tokio::test]
async fn the_whole_is_built_at_once_and_what_changes_beside_it() {
    let mut bench = Bench::new();
    let mut view = view();
    assert_eq!(bench.indexer.due(view.len()), Some(Scope::Whole));
    bench.build(Scope::Whole, &view).await;
    assert_eq!(bench.found(&["a", "b", "c", "d"]), [1, 1, 2, 0]);
    assert_eq!((bench.indexed(), bench.indexer.due(4)), (4, None));
    // `a` is another, `c` has left the community's lane, and `d` is new.
    for name in ["a", "c", "d"] {
        let held = held(std::iter::once(&view), &asker(name));
        bench.indexer.changes(&asker(name), held);
    }
    take(&mut view, Lane::Community, "a", "other");
    narrow(&mut view, "c");
    take(&mut view, Lane::Community, "d", "d");
    tokio::time::sleep(PAUSE_PER_INDICATOR * 3).await;
    assert_eq!(bench.indexer.due(view.len()), Some(Scope::Changes));
    bench.build(Scope::Changes, &view).await;
    let found = bench.found(&["a", "other", "b", "c", "d"]);
    assert_eq!(found, [0, 1, 1, 1, 1]);
    assert_eq!((bench.indexed(), bench.indexer.due(4)), (4, None));
}

#[tokio::test]
async fn many_changes_are_a_reason_to_build_the_whole() {
    let mut bench = Bench::new();
    bench.build(Scope::Whole, &view()).await;
    let change = |bench: &mut Bench, number: usize| {
        bench.indexer.changes(&asker(&number.to_string()), 0);
        bench.indexer.built = None;
    };
    (0..CHANGED_MIN).for_each(|number| change(&mut bench, number));
    assert_eq!(bench.indexer.due(4), Some(Scope::Changes));
    change(&mut bench, CHANGED_MIN);
    assert_eq!(bench.indexer.due(4), Some(Scope::Whole));
    let many = (CHANGED_MIN + 1) * CHANGED_SHARE_MAX;
    assert_eq!(bench.indexer.due(many), Some(Scope::Changes));
    bench.indexer.anew();
    assert_eq!(bench.indexer.due(many), Some(Scope::Whole));
}

#[tokio::test]
async fn builds_rest_in_proportion_to_what_they_take() {
    let mut bench = Bench::new();
    bench.build(Scope::Whole, &view()).await;
    bench.indexer.anew();
    assert_eq!(bench.indexer.due(1 << 40), None, "the last one just began");
    bench.indexer.building.store(true, Ordering::Release);
    assert_eq!(bench.indexer.due(0), None, "one is under way");
    bench.indexer.building.store(false, Ordering::Release);
    assert_eq!(bench.indexer.due(0), Some(Scope::Whole));
}

#[tokio::test]
async fn the_next_run_detects_with_what_was_saved() {
    let mut bench = Bench::new();
    let mut view = view();
    take_refused(&mut view, "refused");
    assert!(!bench.restore(&view).unwrap(), "there is nothing yet");
    bench.build(Scope::Whole, &view).await;
    let mode = std::fs::metadata(bench.file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    assert_eq!(bench.folder.path().read_dir().unwrap().count(), 1);
    let mut bench = bench.restarted();
    assert!(bench.restore(&view).unwrap());
    assert_eq!(bench.found(&["a", "b", "c", "d"]), [1, 1, 2, 0]);
    assert_eq!(
        (bench.indexed(), bench.status.counters().terms_refused),
        (5, 1)
    );
    assert_eq!(
        bench.indexer.due(view.len()),
        None,
        "there is nothing to build"
    );
}

#[tokio::test]
async fn whose_the_indicators_are_is_read_in_the_file_even_when_another_replaced_it() {
    let mut bench = Bench::new();
    bench.build(Scope::Whole, &view()).await;
    let held = |bench: &Bench| {
        let whole = bench.indexer.whole.lock().unwrap();
        whole.snapshot.records().held().is_some()
    };
    assert!(!held(&bench), "they are in the file");
    assert_eq!(bench.found(&["a", "b", "c"]), [1, 1, 2]);
    let before = Arc::clone(&bench.index);
    let mut bench = bench.restarted();
    assert!(bench.restore(&view()).unwrap() && !held(&bench));
    assert_eq!(bench.found(&["a", "b", "c"]), [1, 1, 2]);
    bench.indexer.anew();
    bench.build(Scope::Whole, &View::default()).await;
    assert_eq!(bench.found(&["a"]), [0]);
    bench.index = before;
    assert_eq!(bench.found(&["a", "b", "c"]), [1, 1, 2]);
}

#[tokio::test]
async fn what_changed_between_two_runs_is_found_and_built() {
    let mut bench = Bench::new();
    let mut view = view();
    take_refused(&mut view, "refused");
    bench.build(Scope::Whole, &view).await;
    let mut bench = bench.restarted();
    // Another key, a lane less, another confidence, gone, and new.
    take(&mut view, Lane::Community, "a", "other");
    narrow(&mut view, "c");
    take(&mut view, Lane::Community, "d", "d");
    narrow(&mut view, "b");
    take(&mut view, Lane::Community, "refused", "taken");
    assert!(bench.restore(&view).unwrap());
    assert_eq!(
        bench.found(&["a", "b", "c", "d"]),
        [0, 0, 0, 0],
        "all of these changed"
    );
    let held: Vec<_> = ["a", "b", "c", "d"]
        .map(|name| bench.indexer.changed()[&asker(name)])
        .into();
    assert_eq!(held, [1, 1, 2, 0]);
    assert_eq!(bench.indexer.due(view.len()), Some(Scope::Changes));
    bench.build(Scope::Changes, &view).await;
    let found = bench.found(&["a", "other", "b", "c", "d", "taken"]);
    assert_eq!(found, [0, 1, 0, 1, 1, 1]);
}

#[tokio::test]
async fn another_confidence_is_a_change() {
    let mut bench = Bench::new();
    let mut view = view();
    bench.build(Scope::Whole, &view).await;
    let mut bench = bench.restarted();
    let a = asker("a");
    let (_, _, known) = view.known_of(&a).next().unwrap();
    let (pattern, _) = known.index.clone().unwrap();
    view.index(Lane::Community, &a, pattern, 51);
    assert!(bench.restore(&view).unwrap());
    let changed: Vec<_> = bench.indexer.changed().keys().cloned().collect();
    assert_eq!(changed, [a]);
}

#[tokio::test]
async fn a_view_that_is_another_is_built_anew() {
    let mut bench = Bench::new();
    let mut view = View::new("default", 1);
    for number in 0..=CHANGED_MIN {
        take(&mut view, Lane::Community, &number.to_string(), "x");
    }
    bench.build(Scope::Whole, &view).await;
    let mut bench = bench.restarted();
    assert!(
        !bench.restore(&View::default()).unwrap(),
        "all of it is gone"
    );
    assert_eq!(bench.indexer.due(0), Some(Scope::Whole));
    assert_eq!(bench.found(&["x"]), [0]);
    bench.build(Scope::Whole, &View::default()).await;
    let mut bench = bench.restarted();
    assert!(!bench.restore(&view).unwrap(), "all of it is new");
    assert_eq!(bench.indexer.due(view.len()), Some(Scope::Whole));
}

#[tokio::test]
async fn a_damaged_file_is_named_and_replaced() {
    let mut bench = Bench::new();
    let view = view();
    bench.build(Scope::Whole, &view).await;
    let whole = std::fs::read(bench.file()).unwrap();
    let mut refused = std::collections::BTreeSet::new();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        std::fs::write(bench.file(), &damaged).unwrap();
        match bench.restore(&view) {
            Err(error) => drop(refused.insert(error.to_string())),
            // Bytes of the snapshot that have no meaning.
            Ok(restored) => assert!(restored, "{at}"),
        }
    }
    for length in (0..200).chain([whole.len() - 1]) {
        std::fs::write(bench.file(), &whole[..length]).unwrap();
        assert!(bench.restore(&view).is_err(), "{length}");
    }
    let path = bench.file().display().to_string();
    for error in &refused {
        assert!(
            error.starts_with(&path) && error.contains("built anew"),
            "{error}"
        );
    }
    let all = refused.into_iter().collect::<String>();
    for why in [
        "no saved index",
        "of version 65",
        "checksum is another",
        "another length",
    ] {
        assert!(all.contains(why), "{why}: {all}");
    }
    let mut bench = bench.restarted();
    assert!(bench.restore(&view).is_err());
    assert_eq!(bench.indexer.due(view.len()), Some(Scope::Whole));
    bench.build(Scope::Whole, &view).await;
    let mut bench = bench.restarted();
    assert!(bench.restore(&view).unwrap());
    assert_eq!(bench.found(&["a"]), [1]);
}

#[tokio::test]
async fn an_index_that_cannot_be_saved_is_detected_with_all_the_same() {
    let mut bench = Bench::new();
    std::fs::create_dir(bench.file()).unwrap();
    bench.build(Scope::Whole, &view()).await;
    assert_eq!(bench.found(&["a"]), [1]);
    assert!(bench.restore(&view()).is_err(), "a folder is no file");
}

#[tokio::test]
async fn expired_indicators_are_looked_for_now_and_then() {
    let mut bench = Bench::new();
    assert!(!bench.indexer.prune_due());
    bench.indexer.pruned -= PRUNE_PAUSE;
    assert!(bench.indexer.prune_due());
    assert!(!bench.indexer.prune_due());
}
