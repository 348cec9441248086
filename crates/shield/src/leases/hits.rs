//! Reading hits back from the kernel: quickly while some lease waits for its first one.

use std::ops::Bound;
use std::time::Duration;

use datapath::enforce::{Action, Hits, Key};

use super::{Asker, Book};

/// Pause between polls while some lease has no first hit yet.
pub const POLL_FAST: Duration = Duration::from_millis(20);
/// Pause between polls otherwise.
pub const POLL_SLOW: Duration = Duration::from_millis(200);
/// Most keys asked for in one quick poll: the newest, since they are what attackers run into.
pub const POLL_FAST_MAX: usize = 256;
/// Most keys asked for in one slow poll; the next goes on where this one stopped.
pub const POLL_SLOW_MAX: usize = 512;

/// A lease was hit for the first time, or dropped for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstHit {
    /// An asker of the lease.
    pub asker: Asker,
    /// When that asker's cause was read off the wire, `CLOCK_MONOTONIC` nanoseconds.
    pub frame_ns: u64,
    /// First packet that matched, `CLOCK_MONOTONIC` nanoseconds.
    pub first_hit_ns: u64,
    /// First packet that was dropped; 0: none yet.
    pub first_drop_ns: u64,
}

impl Book {
    /// Asks the kernel for the newest leases that have no hit yet.
    pub fn first_hits(&mut self) -> Vec<FirstHit> {
        let newest: Vec<Key> = self
            .unhit
            .values()
            .rev()
            .take(POLL_FAST_MAX)
            .copied()
            .collect();
        self.read_hits(&newest)
    }

    /// Asks the kernel for the next [`POLL_SLOW_MAX`] leases, whatever their hits.
    pub fn refresh_hits(&mut self) -> Vec<FirstHit> {
        let after = self.slow_cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self
            .slots
            .range((after, Bound::Unbounded))
            .map(|(id, _)| *id);
        let next: Vec<Key> = next.take(POLL_SLOW_MAX).collect();
        self.slow_cursor = if next.len() < POLL_SLOW_MAX {
            None
        } else {
            next.last().copied()
        };
        self.read_hits(&next)
    }

    /// Whether the next poll should come soon.
    #[must_use]
    pub fn awaits_first_hit(&self) -> bool {
        !self.unhit.is_empty()
    }

    fn read_hits(&mut self, ids: &[Key]) -> Vec<FirstHit> {
        let mut first = Vec::new();
        for id in ids {
            let Some(slot) = self.slots.get_mut(id) else {
                continue;
            };
            let hits = match self.enforcer.hits(&slot.key) {
                Ok(Some(hits)) => hits,
                Ok(None) => continue,
                Err(_) => {
                    self.counters.enforcer_errors = self.counters.enforcer_errors.saturating_add(1);
                    continue;
                }
            };
            let limited = matches!(slot.kernel, Some((Action::RateLimit { .. }, _)));
            if news(&slot.hits, &hits, limited) {
                self.unhit.remove(&slot.serial);
                first.extend(slot.claims.iter().map(|(asker, claim)| FirstHit {
                    asker: asker.clone(),
                    frame_ns: claim.frame_ns,
                    first_hit_ns: hits.first_hit_ns,
                    first_drop_ns: hits.first_drop_ns,
                }));
            }
            slot.hits = hits;
        }
        first
    }
}

/// Whether `after` has a first hit that `before` lacked, or, under a rate limit, a first drop.
fn news(before: &Hits, after: &Hits, limited: bool) -> bool {
    let hit = before.first_hit_ns == 0 && after.first_hit_ns != 0;
    let drop = before.first_drop_ns == 0 && after.first_drop_ns != 0;
    hit || (limited && drop)
}
