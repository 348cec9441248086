//! What time asks for: ends, first hits, new sessions to exempt, and a kernel that stays in line.

use std::sync::Arc;
use std::time::Duration;

use datapath::enforce::{EnforceError, Key};

use super::Guard;
use crate::clock::Now;
use crate::journal::Event;
use crate::leases::{Asker, FirstHit, POLL_FAST, POLL_SLOW, Reasserted};
use crate::policy::{self, Policy};

impl Guard {
    /// Does what time asks for; returns how long until the next call is due.
    pub fn tick(&self) -> Duration {
        let now = Now::read();
        let ended = self.book().expire(now.mono_ns);
        // One call ends a bounded number, and brings as many keys in line; the rest is due at once.
        let more = self.book().catch_up(now.mono_ns) || !ended.is_empty();
        for ended in ended {
            let object = ended.asker.object.clone();
            self.journal.write(now, Event::Expired { object });
            self.memory().end(ended, now);
            self.changed.notify_one();
        }
        let first = self.book().first_hits();
        self.tell_hits(first, now);
        if self.memory().exempt_due(now) {
            let first = self.book().refresh_hits();
            self.tell_hits(first, now);
            self.refresh_exemptions(now);
            self.signals.flush(now);
        }
        if self.memory().reassert_due(now) {
            self.reassert(now);
        }
        let fast = more || self.book().awaits_first_hit();
        if fast { POLL_FAST } else { POLL_SLOW }
    }

    /// Replaces whom nobody's word blocks, here and in the enforcer, and lifts what is installed
    /// against it.
    ///
    /// # Errors
    /// The enforcer refuses; policy protects them all the same.
    pub fn protect(&self, protected: policy::Protected) -> Result<(), EnforceError> {
        let mut policy = Policy::clone(&self.policy.load());
        policy.protected = protected;
        let networks = policy.protected.networks().to_vec();
        let touched = |key: &Key| policy.protected.touched_by(&key.source).is_some();
        let mut book = self.book();
        let wrong = book.claims().filter(|(_, claim, _)| touched(&claim.key));
        let wrong: Vec<Asker> = wrong.map(|(asker, ..)| asker.clone()).collect();
        self.policy.store(Arc::new(policy));
        let now_ns = datapath::clock::mono_ns();
        for asker in &wrong {
            book.release(asker, now_ns);
        }
        book.protect(&networks)
    }

    fn tell_hits(&self, first: Vec<FirstHit>, now: Now) {
        for hit in first {
            let event = Event::FirstHit {
                object: hit.asker.object,
                frame_ns: hit.frame_ns,
                first_hit_ns: hit.first_hit_ns,
                first_drop_ns: hit.first_drop_ns,
            };
            self.journal.write(now, event);
            self.changed.notify_one();
        }
    }

    fn refresh_exemptions(&self, now: Now) {
        let limited = self.book().rate_limited();
        for key in limited {
            let standing = self.standings.standing(&key.source, now.mono_ns);
            if !standing.open.is_empty() {
                self.book().exempt(&key, &standing.open);
            }
        }
    }

    fn reassert(&self, now: Now) {
        let result = self.book().reassert(now.mono_ns);
        let what = match result {
            Ok(done) if done == Reasserted::default() => return,
            Ok(done) => format!(
                "re-asserted: {} installed, {} removed",
                done.installed, done.removed
            ),
            Err(error) => format!("leases cannot be compared with the kernel's: {error}"),
        };
        tracing::warn!("{what}");
        self.journal.write(now, Event::State { what });
    }
}
