//! An enforcer that only says what it would do.

use std::collections::BTreeMap;

use ipnet::IpNet;
use packet::FiveTuple;

use super::{Counters, EnforceError, Enforcer, Hits, Key, Lease, Mode, PROTECTED_MAX, book};
use crate::clock;

/// Keeps leases in memory and drops nothing; its mode says so, and no lease ever has a hit.
#[derive(Debug)]
pub struct DryRun {
    reason: Box<str>,
    leases: BTreeMap<Key, Lease>,
}

/// Most leases kept.
const LEASES_MAX: usize = 65_536;

impl DryRun {
    /// `reason` is told to people: why nothing is enforced.
    #[must_use]
    pub fn new(reason: &str) -> Self {
        Self {
            reason: reason.into(),
            leases: BTreeMap::new(),
        }
    }
}

impl Enforcer for DryRun {
    fn mode(&self) -> Mode {
        Mode::DryRun(self.reason.clone())
    }

    fn install(&mut self, lease: &Lease) -> Result<(), EnforceError> {
        book::check(lease, clock::mono_ns())?;
        let key = lease.key.canonical();
        if self.leases.len() >= LEASES_MAX && !self.leases.contains_key(&key) {
            return Err(EnforceError::Full {
                what: "the table of leases",
                max: LEASES_MAX,
            });
        }
        self.leases.insert(key, Lease { key, ..*lease });
        Ok(())
    }

    fn remove(&mut self, key: &Key) -> Result<bool, EnforceError> {
        Ok(self.leases.remove(&key.canonical()).is_some())
    }

    fn hits(&mut self, key: &Key) -> Result<Option<Hits>, EnforceError> {
        Ok(self.leases.get(&key.canonical()).map(|_| Hits::default()))
    }

    fn leases(&mut self) -> Result<Vec<(Lease, Hits)>, EnforceError> {
        Ok(self
            .leases
            .values()
            .map(|&lease| (lease, Hits::default()))
            .collect())
    }

    fn protect(&mut self, networks: &[IpNet]) -> Result<(), EnforceError> {
        if networks.len() > PROTECTED_MAX {
            return Err(EnforceError::Full {
                what: "the protected set",
                max: PROTECTED_MAX,
            });
        }
        Ok(())
    }

    fn exempt(&mut self, _session: &FiveTuple, _until_ns: u64) -> Result<(), EnforceError> {
        Ok(())
    }

    fn unexempt(&mut self, _session: &FiveTuple) {}

    fn sweep(&mut self, now_ns: u64) -> Result<usize, EnforceError> {
        let before = self.leases.len();
        self.leases.retain(|_, lease| lease.expires_ns > now_ns);
        Ok(before.saturating_sub(self.leases.len()))
    }

    fn counters(&mut self) -> Counters {
        Counters::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::Action;

    #[test]
    fn leases_are_kept_until_swept_and_nothing_is_dropped() {
        let mut enforcer = DryRun::new("no privilege");
        let key = Key {
            source: "192.0.2.7/24".parse().unwrap(),
            service: None,
        };
        let expires_ns = clock::mono_ns() + 1_000_000_000;
        enforcer
            .install(&Lease {
                key,
                action: Action::Drop,
                expires_ns,
                reason: 1,
            })
            .unwrap();
        assert_eq!(enforcer.mode().to_string(), "dry run (no privilege)");
        assert_eq!(enforcer.hits(&key).unwrap(), Some(Hits::default()));
        assert_eq!(
            enforcer.leases().unwrap()[0].0.key.source,
            "192.0.2.0/24".parse().unwrap()
        );
        assert_eq!(enforcer.sweep(expires_ns - 1).unwrap(), 0);
        assert_eq!(enforcer.sweep(expires_ns).unwrap(), 1);
        assert!(!enforcer.remove(&key).unwrap());
    }

    #[test]
    fn it_refuses_what_the_kernel_would_refuse() {
        let key = Key {
            source: "0.0.0.0/0".parse().unwrap(),
            service: None,
        };
        let lease = Lease {
            key,
            action: Action::Drop,
            expires_ns: u64::MAX,
            reason: 0,
        };
        assert!(matches!(
            DryRun::new("x").install(&lease),
            Err(EnforceError::Refused(_))
        ));
    }
}
