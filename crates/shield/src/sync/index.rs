//! The indicator index of detection, built beside the packet path when the view changed.
//!
//! A snapshot of the whole view is built now and then. What changed since is a snapshot of its own,
//! small and built anew at each change, while the large one is looked up without what it says of
//! the indicators that changed. When those are a large part, the whole is built again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use detect::{Index, IndexBuilder, Layer, Snapshot, SourceKey};
use stix::pattern::Pattern;
use taxii::push::Lane;

use super::status::Status;
use super::view::{Detectable, Known, View};
use crate::leases::Asker;

/// An indicator of a view.
pub(super) type Item<'v> = (Lane, &'v Asker, &'v Known);

/// Decides when the index is built, and builds it on a thread of its own.
#[derive(Debug)]
pub(super) struct Indexer {
    index: Arc<ArcSwap<Index>>,
    whole: Arc<Mutex<Whole>>,
    /// Whether the whole is to be built, whatever changed.
    anew: bool,
    /// What changed since the whole was collected, and how often the whole has it.
    changed: BTreeMap<Asker, u64>,
    dirty: bool,
    building: Arc<AtomicBool>,
    built: Instant,
    pruned: Instant,
}

/// The snapshot of a whole view.
#[derive(Clone, Debug, Default)]
struct Whole {
    snapshot: Snapshot,
    indexed: u64,
    refused: u64,
}

/// What is to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everything.
    Whole,
    /// What changed since the whole was built.
    Changes,
}

impl Indexer {
    pub(super) fn new(index: Arc<ArcSwap<Index>>) -> Self {
        let now = Instant::now();
        Self {
            index,
            whole: Arc::default(),
            anew: true,
            changed: BTreeMap::new(),
            dirty: true,
            building: Arc::default(),
            built: now,
            pruned: now,
        }
    }

    /// The view is another.
    pub(super) fn anew(&mut self) {
        (self.anew, self.dirty) = (true, true);
    }

    /// An indicator is about to change, of which the views now hold so many to detect with.
    pub(super) fn changes(&mut self, asker: &Asker, held: u64) {
        self.dirty = true;
        if !self.changed.contains_key(asker) {
            self.changed.insert(asker.clone(), held);
        }
    }

    /// What to build now, if anything: something changed, no build is under way, and the last one is
    /// long enough ago for what there is to do.
    pub(super) fn due(&self, indicators: usize) -> Option<Scope> {
        if !self.dirty || self.building.load(Ordering::Acquire) {
            return None;
        }
        let many = indicators / CHANGED_SHARE_MAX;
        let (scope, parts) = match self.anew || self.changed.len() > many.max(CHANGED_MIN) {
            true => (Scope::Whole, indicators),
            false => (Scope::Changes, self.changed.len()),
        };
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        let pause = PAUSE_PER_INDICATOR.saturating_mul(parts);
        (self.built.elapsed() >= pause).then_some(scope)
    }

    /// What changed since the whole was collected.
    pub(super) fn changed(&self) -> &BTreeMap<Asker, u64> {
        &self.changed
    }

    /// Starts a build of the whole, from all that the views hold.
    pub(super) fn build_whole<'v>(
        &mut self,
        items: impl Iterator<Item = Item<'v>>,
        status: &Arc<Status>,
    ) {
        let parts: Vec<Part> = items.filter_map(part).collect();
        (self.anew, self.changed) = (false, BTreeMap::new());
        let (index, whole) = (Arc::clone(&self.index), Arc::clone(&self.whole));
        let status = Arc::clone(status);
        self.build(move || {
            let built = Whole::of(IndexBuilder::new(), parts);
            index.store(Arc::new(Index::from(built.snapshot.clone())));
            tell(&status, built.indexed, built.refused);
            *whole.lock().unwrap_or_else(PoisonError::into_inner) = built;
        });
    }

    /// Starts a build of what changed, from what the views hold of that.
    pub(super) fn build_changes<'v>(
        &mut self,
        items: impl Iterator<Item = Item<'v>>,
        status: &Arc<Status>,
    ) {
        let parts: Vec<Part> = items.filter_map(part).collect();
        let changed = self.changed.clone();
        let whole = Whole::clone(&self.whole.lock().unwrap_or_else(PoisonError::into_inner));
        let (index, status) = (Arc::clone(&self.index), Arc::clone(status));
        self.build(move || {
            let since = Whole::of(IndexBuilder::beside(&whole.snapshot), parts);
            let gone: Vec<_> = changed.keys().map(key).collect();
            let base = Layer::new(whole.snapshot).without(&gone);
            index.store(Arc::new(Index::new([base, Layer::new(since.snapshot)])));
            let gone = changed
                .values()
                .fold(0, |sum: u64, held| sum.saturating_add(*held));
            let indexed = whole.indexed.saturating_sub(gone);
            tell(
                &status,
                indexed.saturating_add(since.indexed),
                whole.refused.saturating_add(since.refused),
            );
        });
    }

    fn build(&mut self, work: impl FnOnce() + Send + 'static) {
        self.dirty = false;
        self.built = Instant::now();
        self.building.store(true, Ordering::Release);
        let building = Arc::clone(&self.building);
        tokio::task::spawn_blocking(move || {
            work();
            building.store(false, Ordering::Release);
        });
    }

    /// Whether to look for expired indicators now.
    pub(super) fn prune_due(&mut self) -> bool {
        let due = self.pruned.elapsed() >= PRUNE_PAUSE;
        if due {
            self.pruned = Instant::now();
        }
        due
    }
}

/// How often the views hold an indicator to detect with.
pub(super) fn held<'v>(views: impl Iterator<Item = &'v View>, asker: &Asker) -> u64 {
    let known = views.flat_map(|view| view.known_of(asker).filter_map(part));
    u64::try_from(known.count()).unwrap_or(u64::MAX)
}

struct Part {
    key: SourceKey,
    confidence: u8,
    pattern: Arc<Pattern>,
}

fn part((_, asker, known): Item<'_>) -> Option<Part> {
    let (Detectable::Pattern(pattern), confidence) = known.index.clone()? else {
        return None;
    };
    Some(Part {
        key: key(asker),
        confidence,
        pattern,
    })
}

fn key(asker: &Asker) -> SourceKey {
    SourceKey {
        source: Arc::clone(&asker.source),
        id: asker.object.clone(),
    }
}

impl Whole {
    fn of(mut builder: IndexBuilder, parts: Vec<Part>) -> Self {
        let (mut indexed, mut refused) = (0_u64, 0_u64);
        for part in parts {
            let terms = builder.add(part.key, part.confidence, &part.pattern);
            indexed = indexed.saturating_add(1);
            refused = refused.saturating_add(u64::try_from(terms.len()).unwrap_or(u64::MAX));
        }
        Self {
            snapshot: builder.snapshot(),
            indexed,
            refused,
        }
    }
}

/// Refused terms of the whole are counted until it is built again.
fn tell(status: &Status, indexed: u64, refused: u64) {
    status.count(|counters| {
        counters.indexed = indexed;
        counters.terms_refused = refused;
    });
}

/// The whole is built again when more than one indicator in so many changed.
const CHANGED_SHARE_MAX: usize = 8;
/// So many changes are always taken beside the whole.
const CHANGED_MIN: usize = 1000;
/// Pause between builds, for each indicator that the last one took: a build takes a part of it.
const PAUSE_PER_INDICATOR: Duration = Duration::from_micros(5);
const PRUNE_PAUSE: Duration = Duration::from_secs(1);
