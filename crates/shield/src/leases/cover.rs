//! Which own lease another key must not undercut.
//!
//! The kernel obeys the narrowest lease: at each prefix length a service before a protocol before
//! any. A partner's rate limit towards one port would so let an attacker through whom our own
//! verdict drops whole. Hence a key that only partners ask for is never enforced more mildly than
//! an own lease on the same source whose service holds the key's: as long as that lease lives, its
//! action is installed under the narrower key too. What we ourselves said of the narrower key
//! stands, for we knew both.
//!
//! Only services are looked at. Verdicts and the fast lane lease single addresses, so that of two
//! leases on one packet, one ours and one a partner's, the sources are the same.

use std::collections::BTreeSet;
use std::ops::Bound;

use datapath::enforce::{Action, EnforceError, Key, Service};

use super::slot::{Slot, strength};
use super::{Book, Origin};

/// Most keys that one call brings in line after an own lease came or went: the book is locked
/// meanwhile. The rest is due at the next call of [`Book::catch_up`].
pub const RECHECKED_MAX: usize = 64;

impl Book {
    /// Brings more of the keys in line that own leases began or ceased to cover, and says whether
    /// some still wait.
    ///
    /// # Failure bias
    /// As it was: until its turn a key is enforced as its claims ask, or as the own lease asked
    /// that covered it, and no longer than that lease was to last.
    pub fn catch_up(&mut self, now_ns: u64) -> bool {
        for _ in 0..RECHECKED_MAX {
            let Some(id) = self.recheck.pop_first() else {
                break;
            };
            let result = self.weaken(&id, now_ns);
            self.note(result);
        }
        !self.recheck.is_empty()
    }

    /// An own claim on `id` came, changed or went: whatever it covers is looked at again.
    pub(super) fn recheck_under(&mut self, id: &Key, now_ns: u64) {
        let narrower = self
            .slots
            .range((Bound::Excluded(*id), Bound::Unbounded))
            .map(|(key, _)| *key)
            .take_while(|key| key.source == id.source)
            .filter(|key| holds(id.service, key.service));
        let narrower: BTreeSet<Key> = narrower.collect();
        if narrower.is_empty() {
            return;
        }
        self.recheck.extend(narrower);
        self.catch_up(now_ns);
    }

    /// The strongest live own lease that a key which only partners ask for must not undercut.
    pub(super) fn cover_of(&self, slot: &Slot, now_ns: u64) -> Option<(Action, u64)> {
        let service = slot.key.service?;
        if slot.strongest(Some(Origin::Local), now_ns).is_some() {
            return None;
        }
        let source = slot.key.canonical().source;
        let protocol = Some(Service { port: 0, ..service });
        let wider = [protocol, None]
            .into_iter()
            .filter(|wider| *wider != slot.key.service);
        wider
            .filter_map(|service| self.slots.get(&Key { source, service }))
            .filter_map(|slot| slot.strongest(Some(Origin::Local), now_ns))
            .max_by_key(|(action, ends_ns)| (strength(action), *ends_ns))
    }

    /// Whether an own lease, on this key or covering it, is stronger than `action`: then no session
    /// is let past it on a partner's word.
    pub(super) fn is_overruled(&self, id: &Key, action: &Action, now_ns: u64) -> bool {
        let Some(slot) = self.slots.get(id) else {
            return false;
        };
        let own = slot.strongest(Some(Origin::Local), now_ns);
        let own = own.or_else(|| self.cover_of(slot, now_ns));
        own.is_some_and(|(own, _)| strength(&own) > strength(action))
    }

    /// What the kernel should hold for a key, and until when.
    pub(super) fn wanted(&self, id: &Key, now_ns: u64) -> Option<(Action, u64)> {
        let slot = self.slots.get(id)?;
        let own = slot.strongest(None, now_ns)?;
        match self.cover_of(slot, now_ns) {
            Some((action, ends_ns)) if strength(&action) > strength(&own.0) => {
                Some((action, ends_ns.min(slot.ends_ns())))
            }
            Some(_) | None => Some(own),
        }
    }

    /// Enforces what remains of a slot. Should that fail, the kernel may hold what nobody asks for
    /// any longer, so that the next comparison has to put it right.
    pub(super) fn weaken(&mut self, id: &Key, now_ns: u64) -> Result<(), EnforceError> {
        let result = self.enforce(id, now_ns);
        if result.is_err()
            && let Some(slot) = self.slots.get_mut(id)
        {
            slot.kernel = None;
        }
        result
    }
}

/// Whether a lease for `wide` meets every packet that one for `narrow` meets.
fn holds(wide: Option<Service>, narrow: Option<Service>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => {
            wide.proto == narrow.proto && (wide.port == 0 || wide.port == narrow.port)
        }
    }
}
