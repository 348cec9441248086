//! Sets that differ from another by a few rules.

use std::sync::Arc;

use super::super::rule::Rule;
use super::arrangement::Arrangement;
use super::{Gates, RuleSet};

/// Most rules that may be added to those that were compiled together before all are to be compiled
/// anew: they have literals of their own to be looked for.
pub(crate) const ADDED_MAX: usize = 1024;

impl RuleSet {
    /// A set with some rules more; one that is there already, of the same origin, is replaced. None where
    /// they are so many that all should be compiled anew.
    pub(crate) fn with(&self, more: Vec<Rule>) -> Option<Self> {
        let added = self.rules.len().saturating_sub(self.base_len);
        if added.saturating_add(more.len()) > ADDED_MAX {
            return None;
        }
        let mut set = self.share();
        let is_same = |one: &Rule, other: &Rule| {
            let of = |rule: &Rule| rule.origin.as_ref().map(|origin| origin.object.clone());
            one.key() == other.key() && of(one) == of(other)
        };
        set.take_out(|known| more.iter().any(|rule| is_same(known, rule)));
        for rule in more {
            let number = u32::try_from(set.rules.len()).ok()?;
            let key = rule.order(&set.action_order);
            let place = set.order.partition_point(|number| {
                let rule = set.rule(*number);
                rule.is_some_and(|rule| rule.order(&set.action_order) <= key)
            });
            set.order.insert(place, number);
            set.gates.push(&rule);
            set.note(number, &rule);
            set.rules.push(Some(Arc::new(rule)));
        }
        set.settle();
        Some(set)
    }

    /// A set without the rules of which `which` is true.
    #[must_use]
    pub fn without(&self, which: impl FnMut(&Rule) -> bool) -> Self {
        let mut set = self.share();
        set.take_out(which);
        set.settle();
        set
    }

    /// Arranges what was added.
    fn settle(&mut self) {
        self.rank();
        let later = self.numbered().skip_while(|(number, _)| {
            usize::try_from(*number).is_ok_and(|number| number < self.base_len)
        });
        self.added = Arrangement::of(later, &self.gates);
    }

    /// Whether this set was made of another, or both of a third: a rule has the same number in both,
    /// as far as both have it.
    pub(crate) fn is_kin(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.base, &other.base) && self.starts_like(other)
    }

    /// Whether the rules that were added to one are the first that were added to the other.
    fn starts_like(&self, other: &Self) -> bool {
        let later = |set: &Self| set.rules.get(set.base_len..).unwrap_or_default().to_vec();
        let pairs = later(self).into_iter().zip(later(other));
        pairs.into_iter().all(|(one, other)| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(&one, &other),
            (None, _) | (_, None) => true,
        })
    }

    fn take_out(&mut self, mut which: impl FnMut(&Rule) -> bool) {
        let gone = self.numbered().filter(|(_, rule)| which(rule));
        let gone: Vec<u32> = gone.map(|(number, _)| number).collect();
        if gone.is_empty() {
            return;
        }
        let stays = |number: &u32| gone.binary_search(number).is_err();
        self.order.retain(stays);
        self.of_events.retain(stays);
        self.of_flow_end.retain(stays);
        for number in &gone {
            let number = usize::try_from(*number).ok();
            if let Some(rule) = number.and_then(|number| self.rules.get_mut(number)) {
                *rule = None;
            }
        }
    }

    /// The same set again; the rules are shared.
    fn share(&self) -> Self {
        Self {
            rules: self.rules.clone(),
            order: self.order.clone(),
            ranks: Vec::new(),
            action_order: self.action_order.clone(),
            gates: Gates::clone(&self.gates),
            sets: Arc::clone(&self.sets),
            names: self.names.clone(),
            asks_protocol: self.asks_protocol,
            of_events: self.of_events.clone(),
            of_flow_end: self.of_flow_end.clone(),
            base: Arc::clone(&self.base),
            base_len: self.base_len,
            added: Arrangement::default(),
        }
    }
}
