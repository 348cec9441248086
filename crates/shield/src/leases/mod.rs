//! The book of leases: who asked for which kernel key, with what action and until when.
//!
//! ```text
//! claim ──> slot (one kernel key) ──> enforcer.install     first_hits <── enforcer.hits
//! release, expire ──> weaker, shorter or no lease          reassert   <── enforcer.leases
//! ```
//!
//! Several objects may ask for one key. The strongest action among their live claims is enforced,
//! until the last claim of that strength ends; then the next strongest, and when the last claim
//! ends the key goes. The end that the kernel holds is never later than the claims that justify
//! its action, so that nothing outlives its reason if this process dies. A key that only partners
//! ask for is not enforced more mildly than our own lease on the same source that covers it.

mod claim;
mod cover;
mod exempt;
mod hits;
mod reassert;
mod room;
mod slot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datapath::enforce::{Action, EnforceError, Enforcer, Hits, Key, Lease, Mode};
use ipnet::IpNet;
use packet::FiveTuple;

pub use claim::{Asker, Claim, Ended, Origin};
pub use cover::RECHECKED_MAX;
pub use exempt::EXEMPT_PER_SLOT_MAX;
pub use hits::{FirstHit, POLL_FAST, POLL_FAST_MAX, POLL_SLOW, POLL_SLOW_MAX};
pub use reassert::Reasserted;
pub use room::{
    BookError, CLAIMS_PER_SLOT_MAX, CLAIMS_PER_SOURCE_AND_SLOT_MAX, CLAIMS_PER_SOURCE_MAX,
    SLOTS_LOCAL, SLOTS_MAX,
};
use slot::{SessionOrder, Slot};

/// Most claims that one call ends: the book is locked meanwhile, and verdicts wait. The kernel
/// ends leases by itself, so that what waits for the next call is not enforced any longer.
pub const EXPIRED_MAX: usize = 64;
/// Ending claims stops once as many exempt sessions have been seen to.
pub const UNEXEMPTED_MAX: usize = 256;

/// The leases of this shield over one enforcer.
pub struct Book {
    enforcer: Box<dyn Enforcer>,
    slots: BTreeMap<Key, Slot>,
    askers: BTreeMap<Asker, Key>,
    ends: BTreeSet<(u64, Asker)>,
    /// How many claims each source has through the exchange.
    foreign: BTreeMap<Arc<str>, usize>,
    /// How many slots keep each session exempt.
    exempted: BTreeMap<SessionOrder, usize>,
    reasons: BTreeMap<u32, Key>,
    unhit: BTreeMap<u64, Key>,
    /// Keys that an own lease began or ceased to cover and that were not looked at since.
    recheck: BTreeSet<Key>,
    serial: u64,
    slow_cursor: Option<Key>,
    counters: Counters,
}

/// What the book counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Claims refused because a bound was reached; the [`BookError`] tells which one.
    pub full: u64,
    /// Calls that the enforcer refused.
    pub enforcer_errors: u64,
    /// Leases that had gone missing or changed in the kernel and were installed again.
    pub reasserted: u64,
    /// Leases in the kernel that the book does not know, removed.
    pub orphans: u64,
    /// Sessions not exempted because [`EXEMPT_PER_SLOT_MAX`] was reached.
    pub exempt_full: u64,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(enforcer: Box<dyn Enforcer>) -> Self {
        Self {
            enforcer,
            slots: BTreeMap::new(),
            askers: BTreeMap::new(),
            ends: BTreeSet::new(),
            foreign: BTreeMap::new(),
            exempted: BTreeMap::new(),
            reasons: BTreeMap::new(),
            unhit: BTreeMap::new(),
            recheck: BTreeSet::new(),
            serial: 0,
            slow_cursor: None,
            counters: Counters::default(),
        }
    }

    /// Takes a claim, replacing an earlier one of the same asker, and enforces it. Under a rate
    /// limit the `open` sessions are exempted first, so that none of their packets meets it, unless
    /// an own lease is harder.
    /// Returns when the kernel had it, `CLOCK_MONOTONIC` nanoseconds.
    ///
    /// # Failure bias
    /// Open: if the enforcer refuses, the claim is not kept and the caller says so.
    ///
    /// # Errors
    /// [`BookError`]; the book is then as before.
    pub fn claim(
        &mut self,
        asker: &Asker,
        claim: Claim,
        open: &[FiveTuple],
        now_ns: u64,
    ) -> Result<u64, BookError> {
        let id = claim.key.canonical();
        self.check_room(asker, &claim)?;
        let (ends_ns, origin) = (claim.ends_ns, claim.origin);
        let before_ns = self.claim_of(asker).map(|claim| claim.ends_ns);
        let slot = self.slots.entry(id).or_insert_with(|| Slot::new(id));
        let action = claim.action;
        let earlier = slot.claims.insert(asker.clone(), claim);
        let limited = matches!(action, Action::RateLimit { .. });
        if limited && !self.is_overruled(&id, &action, now_ns) {
            self.exempt(&id, open);
        }
        if let Err(error) = self.enforce(&id, now_ns) {
            self.undo(&id, asker, earlier);
            return Err(error.into());
        }
        let installed_ns = datapath::clock::mono_ns();
        if let Some(slot) = self.slots.get_mut(&id)
            && let Some(claim) = slot.claims.get_mut(asker)
        {
            claim.installed_ns = installed_ns;
        }
        self.count_in(asker, origin);
        if let Some(earlier) = &earlier {
            self.count_out(asker, earlier.origin);
        }
        let was_own = earlier.is_some_and(|earlier| earlier.origin == Origin::Local);
        if was_own || origin == Origin::Local {
            self.recheck_under(&id, now_ns);
        }
        if let Some(before_ns) = before_ns {
            self.ends.remove(&(before_ns, asker.clone()));
        }
        self.ends.insert((ends_ns, asker.clone()));
        match self.askers.insert(asker.clone(), id) {
            Some(other) if other != id => {
                self.leave(&other, asker, now_ns);
            }
            Some(_) | None => {}
        }
        Ok(installed_ns)
    }

    /// Drops an asker's claim, as after a revocation, and says what it was.
    pub fn release(&mut self, asker: &Asker, now_ns: u64) -> Option<Ended> {
        let id = self.askers.remove(asker)?;
        if let Some(slot) = self.slots.get_mut(&id)
            && let Ok(Some(hits)) = self.enforcer.hits(&id)
        {
            slot.hits = hits;
        }
        self.leave(&id, asker, now_ns)
    }

    /// Drops claims that have ended, the earliest first, up to [`EXPIRED_MAX`] in one call.
    pub fn expire(&mut self, now_ns: u64) -> Vec<Ended> {
        let mut ended = Vec::new();
        let mut sessions = 0_usize;
        while ended.len() < EXPIRED_MAX
            && sessions < UNEXEMPTED_MAX
            && let Some((ends_ns, _)) = self.ends.first()
            && *ends_ns <= now_ns
            && let Some((_, asker)) = self.ends.pop_first()
        {
            sessions = sessions.saturating_add(self.exempt_with(&asker));
            ended.extend(self.release(&asker, now_ns));
        }
        ended
    }

    /// Whether any live claim is about this source, for any service.
    #[must_use]
    pub fn covers(&self, key: &Key) -> bool {
        self.slots.contains_key(&key.canonical())
    }

    /// An asker's claim, if it has one.
    #[must_use]
    pub fn claim_of(&self, asker: &Asker) -> Option<&Claim> {
        self.slots.get(self.askers.get(asker)?)?.claims.get(asker)
    }

    /// Every claim with its slot's hits, in the order of the keys.
    pub fn claims(&self) -> impl Iterator<Item = (&Asker, &Claim, &Hits)> {
        self.slots.values().flat_map(|slot| {
            slot.claims
                .iter()
                .map(move |(asker, claim)| (asker, claim, &slot.hits))
        })
    }

    /// How many kernel keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Tells the enforcer whom nothing may block, as its own last line of defence.
    ///
    /// # Errors
    /// What the enforcer says.
    pub fn protect(&mut self, networks: &[IpNet]) -> Result<(), EnforceError> {
        self.enforcer.protect(networks)
    }

    /// How the enforcer enforces.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.enforcer.mode()
    }

    /// What the book counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the enforcer counted.
    pub fn enforcer_counters(&mut self) -> datapath::enforce::Counters {
        self.enforcer.counters()
    }

    /// How many sessions are exempt from what `asker` asks for.
    fn exempt_with(&self, asker: &Asker) -> usize {
        let slot = self.askers.get(asker).and_then(|id| self.slots.get(id));
        slot.map_or(0, |slot| slot.exempt.len())
    }

    /// Puts a slot back as it was before `asker`'s refused claim.
    fn undo(&mut self, id: &Key, asker: &Asker, earlier: Option<Claim>) {
        self.counters.enforcer_errors = self.counters.enforcer_errors.saturating_add(1);
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        match earlier {
            Some(earlier) => slot.claims.insert(asker.clone(), earlier),
            None => slot.claims.remove(asker),
        };
        if slot.claims.is_empty()
            && let Some(slot) = self.slots.remove(id)
        {
            self.unexempt(&slot);
        }
    }

    /// Takes `asker`'s claim out of a slot and enforces what remains.
    fn leave(&mut self, id: &Key, asker: &Asker, now_ns: u64) -> Option<Ended> {
        let slot = self.slots.get_mut(id)?;
        let claim = slot.claims.remove(asker)?;
        let hits = slot.hits;
        // A claim that moved to another key has its new end there already.
        if !self.askers.contains_key(asker) {
            self.ends.remove(&(claim.ends_ns, asker.clone()));
        }
        let remains = !slot.claims.is_empty();
        self.count_out(asker, claim.origin);
        let result = if remains {
            self.weaken(id, now_ns)
        } else {
            self.remove(id)
        };
        self.note(result);
        if claim.origin == Origin::Local {
            self.recheck_under(id, now_ns);
        }
        Some(Ended {
            asker: asker.clone(),
            claim,
            hits,
        })
    }

    /// Brings the kernel in line with a slot's claims.
    fn enforce(&mut self, id: &Key, now_ns: u64) -> Result<(), EnforceError> {
        let Some(slot) = self.slots.get(id) else {
            return Ok(());
        };
        let Some(wanted) = self.wanted(id, now_ns) else {
            return Ok(());
        };
        if slot.kernel == Some(wanted) {
            return Ok(());
        }
        let reason = slot.reason.unwrap_or_else(|| self.free_reason());
        let (action, expires_ns) = wanted;
        self.enforcer.install(&Lease {
            key: slot.key,
            action,
            expires_ns,
            reason,
        })?;
        self.installed(id, wanted, reason, now_ns);
        Ok(())
    }

    /// Notes that the kernel holds `wanted` for a slot.
    fn installed(&mut self, id: &Key, wanted: (Action, u64), reason: u32, now_ns: u64) {
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        let lengthened = slot.kernel.is_some_and(|(_, ends_ns)| ends_ns < wanted.1);
        slot.kernel = Some(wanted);
        if slot.reason.replace(reason).is_none() {
            slot.installed_ns = now_ns;
            self.reasons.insert(reason, *id);
            self.unhit.insert(self.serial, *id);
            slot.serial = self.serial;
            self.serial = self.serial.wrapping_add(1);
        }
        if !lengthened || slot.exempt.is_empty() {
            return;
        }
        self.exempt_longer(id);
    }

    /// Removes a slot and its kernel key, and the exemptions that no other slot keeps.
    fn remove(&mut self, id: &Key) -> Result<(), EnforceError> {
        let Some(slot) = self.slots.remove(id) else {
            return Ok(());
        };
        self.unhit.remove(&slot.serial);
        self.recheck.remove(id);
        if let Some(reason) = slot.reason {
            self.reasons.remove(&reason);
        }
        self.unexempt(&slot);
        self.enforcer.remove(&slot.key).map(|_| ())
    }

    /// A reason number that no live lease has. Zero is nobody's.
    fn free_reason(&self) -> u32 {
        let last = self
            .reasons
            .last_key_value()
            .map_or(0, |(reason, _)| *reason);
        let free = |reason: &u32| !self.reasons.contains_key(reason);
        last.checked_add(1)
            .or_else(|| (1..=u32::MAX).find(free))
            .unwrap_or(u32::MAX)
    }

    fn note(&mut self, result: Result<(), EnforceError>) {
        if result.is_err() {
            self.counters.enforcer_errors = self.counters.enforcer_errors.saturating_add(1);
        }
    }
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book")
            .field("slots", &self.slots.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
