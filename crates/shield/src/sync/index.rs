//! The indicator index of detection, built beside the packet path when the view changed.
//!
//! A snapshot of the whole view is built now and then. What changed since is a snapshot of its own,
//! small and built anew at each change, while the large one is looked up without what it says of
//! the indicators that changed. When those are a large part, the whole is built again.
//!
//! The whole is kept on disk ([`saved`]), so that a shield that starts detects with it at once: what
//! changed between then and now is found by comparing it with the view.

mod saved;

use std::collections::BTreeMap;
use std::path::Path;
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
use saved::{Digests, Store};

pub(super) use saved::SavedError;

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
    /// When the last build began.
    built: Option<Instant>,
    pruned: Instant,
    store: Arc<Store>,
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
    /// For the index that packets are looked up in; its snapshot is kept in the folder `data`.
    pub(super) fn new(index: Arc<ArcSwap<Index>>, data: &Path) -> Self {
        Self {
            index,
            whole: Arc::default(),
            anew: true,
            changed: BTreeMap::new(),
            dirty: true,
            building: Arc::default(),
            built: None,
            pruned: Instant::now(),
            store: Arc::new(Store::new(data)),
        }
    }

    /// Detects with the snapshot that an earlier run saved, without what the views no longer say.
    /// What they say besides is built as changes are. False: there is none, or too much changed
    /// since; everything is built then.
    ///
    /// # Errors
    /// [`SavedError`], when the file cannot be used; everything is built then, and replaces it.
    pub(super) fn restore<'v>(
        &mut self,
        items: impl Iterator<Item = Item<'v>> + Clone,
        status: &Status,
    ) -> Result<bool, SavedError> {
        let Some((whole, digests)) = self.store.load()? else {
            return Ok(false);
        };
        let parts = items.filter_map(part);
        let Some(changed) = digests.changed(&whole.snapshot, parts, changed_max) else {
            return Ok(false);
        };
        let index = Index::new([whole.without(&changed)]);
        self.index.store(Arc::new(index));
        tell(status, whole.indexed_without(&changed), whole.refused);
        self.dirty = !changed.is_empty();
        (self.anew, self.changed) = (false, changed);
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = whole;
        Ok(true)
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
        let many = self.changed.len() > changed_max(indicators);
        let (scope, parts) = match self.anew || many {
            true => (Scope::Whole, indicators),
            false => (Scope::Changes, self.changed.len()),
        };
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        let pause = PAUSE_PER_INDICATOR.saturating_mul(parts);
        let rested = self.built.is_none_or(|built| built.elapsed() >= pause);
        rested.then_some(scope)
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
        let (status, store) = (Arc::clone(status), Arc::clone(&self.store));
        self.build(move || {
            let mut digests = Digests::drawn();
            let mut built = Whole::of(IndexBuilder::new(), parts, digests.as_mut().ok());
            index.store(Arc::new(Index::from(built.snapshot.clone())));
            tell(&status, built.indexed, built.refused);
            match digests.and_then(|digests| store.save(&built, &digests)) {
                Ok(saved) => {
                    built.snapshot = saved;
                    index.store(Arc::new(Index::from(built.snapshot.clone())));
                }
                Err(error) => tracing::warn!(%error, "the index is not kept for the next start"),
            }
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
            let since = Whole::of(IndexBuilder::beside(&whole.snapshot), parts, None);
            let base = whole.without(&changed);
            index.store(Arc::new(Index::new([base, Layer::new(since.snapshot)])));
            let indexed = whole.indexed_without(&changed);
            tell(
                &status,
                indexed.saturating_add(since.indexed),
                whole.refused.saturating_add(since.refused),
            );
        });
    }

    fn build(&mut self, work: impl FnOnce() + Send + 'static) {
        self.dirty = false;
        self.built = Some(Instant::now());
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

/// What an indicator adds to an index.
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
    /// Builds it, and adds a digest of each part to `digests`.
    fn of(mut builder: IndexBuilder, parts: Vec<Part>, mut digests: Option<&mut Digests>) -> Self {
        let (mut indexed, mut refused) = (0_u64, 0_u64);
        for part in parts {
            let digest = digests.as_ref().map(|digests| digests.of(&part));
            let owners = builder.owners();
            let terms = builder.add(part.key, part.confidence, &part.pattern);
            if let Some((digests, digest)) = digests.as_mut().zip(digest) {
                digests.push(digest, builder.owners() > owners);
            }
            indexed = indexed.saturating_add(1);
            refused = refused.saturating_add(u64::try_from(terms.len()).unwrap_or(u64::MAX));
        }
        Self {
            snapshot: builder.snapshot(),
            indexed,
            refused,
        }
    }

    /// What it says of all but these.
    fn without(&self, changed: &BTreeMap<Asker, u64>) -> Layer {
        let gone: Vec<_> = changed.keys().map(key).collect();
        Layer::new(self.snapshot.clone()).without(&gone)
    }

    /// How many indicators of it are detected with but for these.
    fn indexed_without(&self, changed: &BTreeMap<Asker, u64>) -> u64 {
        let held = changed.values().copied();
        let gone = held.fold(0, u64::saturating_add);
        self.indexed.saturating_sub(gone)
    }
}

/// Most changes of so many indicators that are taken beside the whole.
fn changed_max(indicators: usize) -> usize {
    (indicators / CHANGED_SHARE_MAX).max(CHANGED_MIN)
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

#[cfg(test)]
mod tests;
