//! Comparing the kernel's list with the book: what was lost is installed again, what nobody asked
//! for is removed.

use std::collections::BTreeSet;

use datapath::enforce::{EnforceError, Key, Lease};

use super::Book;

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasserted {
    /// Leases that were missing or different in the kernel.
    pub installed: usize,
    /// Leases in the kernel that the book does not know.
    pub removed: usize,
}

impl Book {
    /// Brings the kernel in line with the book.
    ///
    /// # Failure bias
    /// Open for strangers: a lease in the kernel that nobody in the book asked for could be
    /// revoked by nobody, so it goes.
    ///
    /// # Errors
    /// The enforcer cannot list what it holds; nothing was changed.
    pub fn reassert(&mut self, now_ns: u64) -> Result<Reasserted, EnforceError> {
        let swept = self.enforcer.sweep(now_ns).map(|_| ());
        self.note(swept);
        let listed = self.enforcer.leases()?;
        let mut done = Reasserted::default();
        let mut right = BTreeSet::new();
        for (lease, _) in &listed {
            let id = lease.key.canonical();
            if self.agrees(&id, lease) {
                right.insert(id);
            } else if !self.slots.contains_key(&id) && lease.expires_ns > now_ns {
                let removed = self.enforcer.remove(&lease.key).map(|_| ());
                self.note(removed);
                done.removed = done.removed.saturating_add(1);
            }
        }
        let wrong: Vec<Key> = self
            .slots
            .keys()
            .filter(|id| !right.contains(id))
            .copied()
            .collect();
        for id in &wrong {
            if let Some(slot) = self.slots.get_mut(id) {
                slot.kernel = None;
            }
            let result = self.enforce(id, now_ns);
            self.note(result);
            done.installed = done.installed.saturating_add(1);
        }
        self.count(done);
        Ok(done)
    }

    fn agrees(&self, id: &Key, lease: &Lease) -> bool {
        let kernel = self.slots.get(id).and_then(|slot| slot.kernel);
        kernel == Some((lease.action, lease.expires_ns))
    }

    fn count(&mut self, done: Reasserted) {
        let widen = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.counters.reasserted = self
            .counters
            .reasserted
            .saturating_add(widen(done.installed));
        self.counters.orphans = self.counters.orphans.saturating_add(widen(done.removed));
    }
}
