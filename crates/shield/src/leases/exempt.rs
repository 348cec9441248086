//! Sessions that were open before a rate limit and that it does not meet.

use datapath::enforce::{Action, Key};
use packet::FiveTuple;

use super::Book;
use super::slot::{SessionOrder, Slot, order};

/// Most sessions exempt from one rate limit.
pub const EXEMPT_PER_SLOT_MAX: usize = 1_024;

impl Book {
    /// Exempts open sessions of a rate-limited key for as long as its lease lives. Sessions that
    /// are exempt already cost nothing. Returns how many are new.
    pub fn exempt(&mut self, key: &Key, sessions: &[FiveTuple]) -> usize {
        let Some(slot) = self.slots.get_mut(&key.canonical()) else {
            return 0;
        };
        let mut fresh = 0_usize;
        for session in sessions {
            if slot.exempt.contains_key(&order(session)) {
                continue;
            }
            if slot.exempt.len() >= EXEMPT_PER_SLOT_MAX {
                self.counters.exempt_full = self.counters.exempt_full.saturating_add(1);
                break;
            }
            match self.enforcer.exempt(session, slot.ends_ns()) {
                Ok(()) => {
                    slot.exempt.insert(order(session), *session);
                    let slots = self.exempted.entry(order(session)).or_default();
                    *slots = slots.saturating_add(1);
                    fresh = fresh.saturating_add(1);
                }
                Err(_) => {
                    self.counters.enforcer_errors = self.counters.enforcer_errors.saturating_add(1);
                }
            }
        }
        fresh
    }

    /// Keys under a rate limit now, whose sources may have new sessions to exempt.
    #[must_use]
    pub fn rate_limited(&self) -> Vec<Key> {
        let limited = |slot: &&Slot| matches!(slot.kernel, Some((Action::RateLimit { .. }, _)));
        self.slots
            .values()
            .filter(limited)
            .map(|slot| slot.key)
            .collect()
    }

    /// Exempts a slot's sessions for as long as its lease lives now.
    pub(super) fn exempt_longer(&mut self, id: &Key) {
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        let sessions = std::mem::take(&mut slot.exempt);
        for order in sessions.keys() {
            self.keep_no_longer(order);
        }
        let sessions: Vec<FiveTuple> = sessions.into_values().collect();
        self.exempt(id, &sessions);
    }

    /// Ends the exemptions of a slot that is gone, but for those that another slot keeps.
    pub(super) fn unexempt(&mut self, gone: &Slot) {
        for (order, session) in &gone.exempt {
            if self.keep_no_longer(order) {
                self.enforcer.unexempt(session);
            }
        }
    }

    /// One slot less keeps a session exempt; returns whether none does.
    fn keep_no_longer(&mut self, order: &SessionOrder) -> bool {
        let Some(slots) = self.exempted.get_mut(order) else {
            return true;
        };
        *slots = slots.saturating_sub(1);
        let last = *slots == 0;
        if last {
            self.exempted.remove(order);
        }
        last
    }
}
