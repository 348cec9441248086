//! Rules that partners share: indicators whose `pattern_type` is `suricata`.
//!
//! The sync thread says what they are; the thread of rules compiles them. Each partner has bounds of its
//! own, so that none can take another's room.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use detect::rules::RULE_BYTES_MAX;

use crate::leases::Asker;

/// Most indicators with rules of one partner.
pub const INDICATORS_MAX: usize = 1_000;
/// Most rules of one partner: each may be asked of every packet.
pub const RULES_MAX: usize = 2_000;
/// Most text of rules of one partner, bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Most indicators with rules over all partners.
pub const ALL_INDICATORS_MAX: usize = 20_000;

/// What partners share of rules, between the thread that hears of them and the one that compiles.
#[derive(Debug, Default)]
pub struct Partners {
    held: Mutex<BTreeMap<Asker, Shared>>,
    changed: AtomicBool,
}

/// The rules of one indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) text: Arc<str>,
    /// How sure the partner is, 0 to 100.
    pub(super) confidence: u8,
    /// How many rules there may be: lines.
    lines: usize,
}

impl Partners {
    /// Takes the rules of an indicator in place of those that it had.
    ///
    /// # Errors
    /// Which bound of its partner is reached; the indicator has no rules then.
    pub fn set(&self, asker: &Asker, text: &Arc<str>, confidence: u8) -> Result<(), String> {
        let shared = Shared {
            text: Arc::clone(text),
            confidence,
            lines: text.lines().count(),
        };
        let mut held = self.held();
        if held.get(asker) == Some(&shared) {
            return Ok(());
        }
        let had = held.remove(asker);
        let room = room(&held, asker, &shared);
        if had.is_some() || room.is_ok() {
            self.changed.store(true, Ordering::Release);
        }
        room?;
        held.insert(asker.clone(), shared);
        Ok(())
    }

    /// Forgets the rules of an indicator, if it had any.
    pub fn remove(&self, asker: &Asker) {
        if self.held().remove(asker).is_some() {
            self.changed.store(true, Ordering::Release);
        }
    }

    /// Forgets all but what `holds` of it.
    pub fn retain(&self, holds: impl Fn(&Asker) -> bool) {
        let mut held = self.held();
        let before = held.len();
        held.retain(|asker, _| holds(asker));
        if held.len() < before {
            self.changed.store(true, Ordering::Release);
        }
    }

    /// Whether an indicator has rules.
    #[must_use]
    pub fn holds(&self, asker: &Asker) -> bool {
        self.held().contains_key(asker)
    }

    /// Whether something changed since this was asked.
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(Asker, Shared)> {
        let held = self.held();
        let all = held.iter();
        all.map(|(asker, shared)| (asker.clone(), shared.clone()))
            .collect()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Asker, Shared>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a partner has room for more.
fn room(held: &BTreeMap<Asker, Shared>, asker: &Asker, more: &Shared) -> Result<(), String> {
    let (bytes, lines) = (more.text.len(), more.lines);
    if bytes > RULE_BYTES_MAX {
        return Err(format!("its rules are longer than {RULE_BYTES_MAX} bytes"));
    }
    if held.len() >= ALL_INDICATORS_MAX {
        return Err(format!(
            "there are {ALL_INDICATORS_MAX} indicators with rules already"
        ));
    }
    let (mut count, mut taken, mut rules) = (0_usize, bytes, lines);
    for (_, shared) in held.iter().filter(|(of, _)| of.source == asker.source) {
        count = count.saturating_add(1);
        taken = taken.saturating_add(shared.text.len());
        rules = rules.saturating_add(shared.lines);
    }
    if count >= INDICATORS_MAX {
        return Err(format!(
            "{INDICATORS_MAX} indicators of this partner have rules already"
        ));
    }
    if rules > RULES_MAX {
        return Err(format!("this partner has more than {RULES_MAX} rules"));
    }
    if taken > TEXT_BYTES_MAX {
        return Err(format!(
            "the rules of this partner take more than {TEXT_BYTES_MAX} bytes"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use stix::StixId;

    use super::*;

    fn asker(source: &str, number: usize) -> Asker {
        Asker {
            source: source.into(),
            object: StixId::v5("indicator", &number.to_string()),
        }
    }

    #[test]
    fn a_partner_fills_its_own_room_and_nobody_elses() {
        let partners = Partners::default();
        let rule: Arc<str> = "alert".into();
        for number in 0..INDICATORS_MAX {
            partners.set(&asker("alpha", number), &rule, 50).unwrap();
        }
        let more = partners.set(&asker("alpha", INDICATORS_MAX), &rule, 50);
        assert!(more.unwrap_err().contains("already"));
        partners.set(&asker("bravo", 1), &rule, 50).unwrap();
        let long: Arc<str> = "x".repeat(RULE_BYTES_MAX).into();
        let fits = (2..100).filter(|n| partners.set(&asker("bravo", *n), &long, 50).is_ok());
        assert_eq!(fits.count(), TEXT_BYTES_MAX / RULE_BYTES_MAX - 1);
        let many: Arc<str> = "r\n".repeat(RULES_MAX).into();
        partners.set(&asker("delta", 1), &many, 50).unwrap();
        assert!(partners.set(&asker("delta", 2), &rule, 50).is_err());
        let longer: Arc<str> = "x".repeat(RULE_BYTES_MAX + 1).into();
        assert!(partners.set(&asker("charlie", 1), &longer, 50).is_err());
        assert!(!partners.holds(&asker("charlie", 1)));
    }

    #[test]
    fn only_changes_are_told() {
        let partners = Partners::default();
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        partners.set(&asker("alpha", 1), &one, 50).unwrap();
        assert!(partners.take_changed() && !partners.take_changed());
        partners.set(&asker("alpha", 1), &one, 50).unwrap();
        partners.remove(&asker("alpha", 2));
        assert!(!partners.take_changed());
        partners.set(&asker("alpha", 1), &two, 50).unwrap();
        assert!(partners.take_changed());
        partners.retain(|_| true);
        assert!(!partners.take_changed());
        partners.retain(|_| false);
        assert!(partners.take_changed() && partners.all().is_empty());
    }
}
