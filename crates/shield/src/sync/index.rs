//! The indicator index of detection, built anew beside the packet path when the view changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use detect::{Index, IndexBuilder, SourceKey};
use stix::pattern::Pattern;

use super::status::Status;
use super::view::View;

/// Decides when the index is built, and builds it on a thread of its own.
#[derive(Debug)]
pub(super) struct Indexer {
    index: Arc<ArcSwap<Index>>,
    dirty: bool,
    building: Arc<AtomicBool>,
    built: Instant,
    pruned: Instant,
}

impl Indexer {
    pub(super) fn new(index: Arc<ArcSwap<Index>>) -> Self {
        let now = Instant::now();
        Self {
            index,
            dirty: true,
            building: Arc::default(),
            built: now,
            pruned: now,
        }
    }

    /// The view changed.
    pub(super) fn dirty(&mut self) {
        self.dirty = true;
    }

    /// Whether to build now: something changed, no build is under way, and the last one is long
    /// enough ago for the size of the view.
    pub(super) fn due(&self, indicators: usize) -> bool {
        let indicators = u32::try_from(indicators).unwrap_or(u32::MAX);
        let pause = PAUSE_PER_INDICATOR.saturating_mul(indicators);
        self.dirty && !self.building.load(Ordering::Acquire) && self.built.elapsed() >= pause
    }

    /// Starts a build of what the views hold.
    pub(super) fn start<'a>(
        &mut self,
        views: impl Iterator<Item = &'a View>,
        status: &Arc<Status>,
    ) {
        let parts: Vec<Part> = views
            .flat_map(View::known)
            .filter_map(|(_, asker, known)| {
                let (pattern, confidence) = known.index.clone()?;
                let key = SourceKey {
                    source: Arc::clone(&asker.source),
                    id: asker.object.clone(),
                };
                Some(Part {
                    key,
                    confidence,
                    pattern,
                })
            })
            .collect();
        self.dirty = false;
        self.built = Instant::now();
        self.building.store(true, Ordering::Release);
        let (index, building) = (Arc::clone(&self.index), Arc::clone(&self.building));
        let status = Arc::clone(status);
        tokio::task::spawn_blocking(move || {
            build(parts, &index, &status);
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

struct Part {
    key: SourceKey,
    confidence: u8,
    pattern: Arc<Pattern>,
}

fn build(parts: Vec<Part>, index: &ArcSwap<Index>, status: &Status) {
    let mut builder = IndexBuilder::new();
    let (mut indexed, mut refused) = (0_u64, 0_u64);
    for part in parts {
        let terms = builder.add(part.key, part.confidence, &part.pattern);
        indexed = indexed.saturating_add(1);
        refused = refused.saturating_add(u64::try_from(terms.len()).unwrap_or(u64::MAX));
    }
    index.store(Arc::new(builder.build()));
    status.count(|counters| {
        counters.indexed = indexed;
        counters.terms_refused = refused;
    });
}

/// Pause between builds, for each indicator held: a build takes a part of it.
const PAUSE_PER_INDICATOR: Duration = Duration::from_micros(5);
const PRUNE_PAUSE: Duration = Duration::from_secs(1);
