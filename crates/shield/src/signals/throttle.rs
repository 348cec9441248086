//! How often a thing is signalled: at once, then again only after a while or on better evidence.
//! What is held back is counted into the next signal.

use std::collections::{BTreeMap, BTreeSet};

use sharing::scrub::Signal;
use stix::lease::{EvidenceClass, Selector, Service};
use stix::{StixId, Timestamp};

use super::{AGAIN_AFTER, AGAIN_AFTER_UNPROVEN, THINGS_MAX, UNPROVEN_PER_MINUTE_MAX};
use crate::clock::Now;

/// What signals are about.
type Thing = (Selector, Option<Service>, Option<StixId>);

/// Decides what leaves now.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    things: BTreeMap<Thing, Told>,
    /// Things by when they were last heard of, so that the longest silent one is forgotten.
    heard: BTreeSet<(u64, Thing)>,
    /// Things that have something held back, by when it is due.
    waiting: BTreeSet<(u64, Thing)>,
    minute: Minute,
    held: u64,
}

/// What was told of a thing.
#[derive(Debug)]
struct Told {
    first_seen: Timestamp,
    evidence: Option<EvidenceClass>,
    told_ns: u64,
    heard_ns: u64,
    due_ns: u64,
    held: Option<Signal>,
}

/// A count that starts again each minute.
#[derive(Debug, Default)]
struct Minute {
    began_ns: u64,
    count: u32,
}

impl Throttle {
    /// The signal as it leaves now, with what was held back before; none if it is held back.
    pub(super) fn offer(&mut self, signal: Signal, now: Now) -> Option<Signal> {
        let thing = (
            signal.selector.clone(),
            signal.service,
            signal.indicator.clone(),
        );
        self.hear(&thing, signal.first_seen, now.mono_ns);
        let told = self.things.get_mut(&thing)?;
        let better = told
            .evidence
            .is_none_or(|evidence| signal.evidence > evidence);
        let signal = merge(told.held.take(), signal, told.first_seen);
        self.waiting.remove(&(told.due_ns, thing.clone()));
        let unproven = signal.evidence == EvidenceClass::Unproven;
        let again_ns = told.told_ns.saturating_add(pause_ns(unproven));
        let due = better || again_ns <= now.mono_ns;
        if due && (!unproven || self.minute.take(now.mono_ns)) {
            told.evidence = Some(signal.evidence);
            told.told_ns = now.mono_ns;
            return Some(signal);
        }
        told.due_ns = if due {
            now.mono_ns.saturating_add(pause_ns(unproven))
        } else {
            again_ns
        };
        told.held = Some(signal);
        self.waiting.insert((told.due_ns, thing));
        self.held = self.held.saturating_add(1);
        None
    }

    /// What was held back and is due.
    pub(super) fn due(&mut self, now: Now) -> Vec<Signal> {
        let mut due = Vec::new();
        while let Some((due_ns, _)) = self.waiting.first()
            && *due_ns <= now.mono_ns
            && let Some((_, thing)) = self.waiting.pop_first()
        {
            let held = self
                .things
                .get_mut(&thing)
                .and_then(|told| told.held.take());
            due.extend(held.and_then(|signal| self.offer(signal, now)));
        }
        due
    }

    /// The next signal about `selector` leaves at once, and what is held back does not leave.
    pub(super) fn forget(&mut self, selector: &Selector) {
        let first = (selector.clone(), None, None);
        let about = self
            .things
            .range_mut(first..)
            .take_while(|(thing, _)| thing.0 == *selector);
        for (thing, told) in about {
            self.waiting.remove(&(told.due_ns, thing.clone()));
            told.held = None;
            told.evidence = None;
        }
    }

    /// How many were held back.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    fn hear(&mut self, thing: &Thing, first_seen: Timestamp, now_ns: u64) {
        match self.things.get_mut(thing) {
            Some(told) => {
                self.heard.remove(&(told.heard_ns, thing.clone()));
                told.heard_ns = now_ns;
            }
            None => {
                if self.things.len() >= THINGS_MAX {
                    self.forget_one();
                }
                self.things
                    .insert(thing.clone(), Told::new(first_seen, now_ns));
            }
        }
        self.heard.insert((now_ns, thing.clone()));
    }

    fn forget_one(&mut self) {
        let Some((_, thing)) = self.heard.pop_first() else {
            return;
        };
        if let Some(told) = self.things.remove(&thing) {
            self.waiting.remove(&(told.due_ns, thing));
        }
    }
}

impl Told {
    fn new(first_seen: Timestamp, heard_ns: u64) -> Self {
        Self {
            first_seen,
            evidence: None,
            told_ns: 0,
            heard_ns,
            due_ns: 0,
            held: None,
        }
    }
}

impl Minute {
    fn take(&mut self, now_ns: u64) -> bool {
        if now_ns.saturating_sub(self.began_ns) >= MINUTE_NS {
            *self = Self {
                began_ns: now_ns,
                count: 0,
            };
        }
        let free = self.count < UNPROVEN_PER_MINUTE_MAX;
        self.count = self.count.saturating_add(u32::from(free));
        free
    }
}

/// One signal for both, about the thing first seen at `first_seen`.
fn merge(held: Option<Signal>, signal: Signal, first_seen: Timestamp) -> Signal {
    let before = held.map_or(0, |held| held.count);
    Signal {
        count: signal.count.saturating_add(before),
        first_seen,
        ..signal
    }
}

fn pause_ns(unproven: bool) -> u64 {
    let pause = if unproven {
        AGAIN_AFTER_UNPROVEN
    } else {
        AGAIN_AFTER
    };
    u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX)
}

const MINUTE_NS: u64 = 60_000_000_000;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use std::net::Ipv4Addr;

    use ipnet::IpNet;
    use stix::lease::Action;

    use super::*;

    #[test]
    fn memory_is_bounded_and_the_longest_silent_thing_is_forgotten() {
        let mut throttle = Throttle::default();
        let things = u32::try_from(THINGS_MAX).unwrap() + 10;
        for n in 0..things {
            let at = Timestamp::from_micros(i64::from(n));
            let now = Now {
                mono_ns: u64::from(n),
                wall: at,
            };
            throttle.offer(signal(n, at), now);
        }
        assert_eq!(throttle.things.len(), THINGS_MAX);
        assert_eq!(throttle.heard.len(), THINGS_MAX);
        assert!(throttle.waiting.len() <= THINGS_MAX);
        let known = |n| throttle.things.keys().any(|thing| thing.0 == selector(n));
        assert!(!known(0) && known(things - 1));
    }

    fn selector(n: u32) -> Selector {
        Selector::Source(IpNet::from(std::net::IpAddr::from(Ipv4Addr::from(
            0xc633_0000 + n,
        ))))
    }

    fn signal(n: u32, at: Timestamp) -> Signal {
        Signal {
            selector: selector(n),
            indicator: None,
            derived_from: None,
            detector: "scan-trw@1".into(),
            evidence: EvidenceClass::Unproven,
            count: 1,
            first_seen: at,
            last_seen: at,
            service: None,
            action: Action::Drop,
            ttl_s: 60,
        }
    }
}
