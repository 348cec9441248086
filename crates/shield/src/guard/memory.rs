//! What the guard remembers of the past: repeated offenders, what it refused and judged, leases
//! that just ended, and when the slow chores are due. All bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use detect::Verdict;
use stix::StixId;
use taxii::state::{REFUSALS_MAX, Refusal, VERDICTS_MAX, VerdictState};

use super::{EXEMPT_PAUSE, REASSERT_PAUSE};
use crate::clock::Now;
use crate::leases::{Asker, Ended};

/// Most offenders that are remembered.
pub(super) const OFFENDERS_MAX: usize = 16_384;
/// How long an offender is remembered after its last lease.
pub(super) const OFFENDER_AGE: Duration = Duration::from_secs(3_600);
/// Most ended leases that are remembered.
pub(super) const ENDED_MAX: usize = 1_024;
/// How long an ended lease is still reported.
pub(super) const ENDED_AGE: Duration = Duration::from_secs(10);

/// What the guard remembers.
#[derive(Debug, Default)]
pub struct Memory {
    offenders: BTreeMap<IpAddr, Offender>,
    by_age: BTreeSet<(u64, IpAddr)>,
    refused: VecDeque<Refusal>,
    verdicts: VecDeque<VerdictState>,
    ended: VecDeque<(u64, Ended)>,
    exempted_ns: u64,
    reasserted_ns: u64,
    refusals: u64,
    judged: u64,
}

#[derive(Clone, Copy, Debug)]
struct Offender {
    strikes: u32,
    last_ns: u64,
}

impl Memory {
    /// How many leases of its own this shield had against an address of late.
    #[must_use]
    pub fn strikes(&self, offender: IpAddr, now: Now) -> u32 {
        let known = self.offenders.get(&offender);
        let recent = known.filter(|known| age(known.last_ns, now) <= OFFENDER_AGE);
        recent.map_or(0, |known| known.strikes)
    }

    /// Counts one more.
    pub fn strike(&mut self, offender: IpAddr, now: Now) {
        let strikes = self.strikes(offender, now).saturating_add(1);
        let fresh = Offender {
            strikes,
            last_ns: now.mono_ns,
        };
        if let Some(before) = self.offenders.insert(offender, fresh) {
            self.by_age.remove(&(before.last_ns, offender));
        }
        self.by_age.insert((now.mono_ns, offender));
        while self.offenders.len() > OFFENDERS_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.offenders.remove(&oldest);
        }
    }

    /// Forgets that an address ever offended.
    pub fn forgive(&mut self, offender: IpAddr) {
        if let Some(known) = self.offenders.remove(&offender) {
            self.by_age.remove(&(known.last_ns, offender));
        }
    }

    /// Remembers a refusal.
    pub fn refuse(&mut self, asker: &Asker, selector: &str, why: &str, now: Now) {
        self.refusals = self.refusals.saturating_add(1);
        let refusal = Refusal {
            object: asker.object.to_string(),
            source: asker.source.to_string(),
            selector: selector.to_owned(),
            why: why.to_owned(),
            at: now.wall,
        };
        push(&mut self.refused, refusal, REFUSALS_MAX);
    }

    /// Remembers a verdict.
    pub fn judged(
        &mut self,
        verdict: &Verdict,
        object: Option<StixId>,
        detect_us: u64,
        reasons: &[String],
        now: Now,
    ) {
        self.judged = self.judged.saturating_add(1);
        let state = VerdictState {
            object: object.map(|id| id.to_string()),
            at: now.wall,
            detect_us,
            offender: verdict.offender,
            detector: verdict.detector.to_owned(),
            evidence: verdict.evidence,
            reasons: reasons.to_vec(),
        };
        push(&mut self.verdicts, state, VERDICTS_MAX);
    }

    /// Remembers a lease that ended.
    pub fn end(&mut self, ended: Ended, now: Now) {
        push(&mut self.ended, (now.mono_ns, ended), ENDED_MAX);
    }

    /// Leases that ended within `ENDED_AGE`.
    pub fn ended(&self, now: Now) -> impl Iterator<Item = &Ended> {
        let recent = move |at: &u64| age(*at, now) <= ENDED_AGE;
        self.ended
            .iter()
            .filter(move |(at, _)| recent(at))
            .map(|(_, ended)| ended)
    }

    /// The latest refusals, oldest first.
    pub fn refused(&self) -> impl Iterator<Item = &Refusal> {
        self.refused.iter()
    }

    /// The latest verdicts, oldest first.
    pub fn verdicts(&self) -> impl Iterator<Item = &VerdictState> {
        self.verdicts.iter()
    }

    /// Refusals and verdicts since the start.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        (self.refusals, self.judged)
    }

    pub(super) fn exempt_due(&mut self, now: Now) -> bool {
        due(&mut self.exempted_ns, EXEMPT_PAUSE, now)
    }

    pub(super) fn reassert_due(&mut self, now: Now) -> bool {
        due(&mut self.reasserted_ns, REASSERT_PAUSE, now)
    }
}

fn due(last_ns: &mut u64, pause: Duration, now: Now) -> bool {
    let due = age(*last_ns, now) >= pause;
    if due {
        *last_ns = now.mono_ns;
    }
    due
}

fn age(then_ns: u64, now: Now) -> Duration {
    Duration::from_nanos(now.mono_ns.saturating_sub(then_ns))
}

fn push<T>(list: &mut VecDeque<T>, item: T, max: usize) {
    if list.len() >= max {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use stix::Timestamp;

    use super::*;

    fn now(s: u64) -> Now {
        Now {
            mono_ns: s * 1_000_000_000,
            wall: Timestamp::EPOCH,
        }
    }

    #[test]
    fn strikes_add_up_and_are_forgotten() {
        let mut memory = Memory::default();
        let offender = "192.0.2.9".parse().unwrap();
        assert_eq!(memory.strikes(offender, now(10)), 0);
        memory.strike(offender, now(10));
        memory.strike(offender, now(100));
        assert_eq!(memory.strikes(offender, now(200)), 2);
        assert_eq!(memory.strikes(offender, now(100 + 3_601)), 0);
    }

    #[test]
    fn offenders_are_bounded_and_the_oldest_goes() {
        let mut memory = Memory::default();
        let address = |n: u32| IpAddr::from(std::net::Ipv4Addr::from(n));
        for n in 0..=u32::try_from(OFFENDERS_MAX).unwrap() {
            memory.strike(address(n), now(u64::from(n)));
        }
        assert_eq!(
            (memory.offenders.len(), memory.by_age.len()),
            (OFFENDERS_MAX, OFFENDERS_MAX)
        );
        let end = now(u64::try_from(OFFENDERS_MAX).unwrap());
        assert_eq!(memory.offenders.get(&address(0)).map(|o| o.strikes), None);
        assert_eq!(memory.strikes(address(16_384), end), 1);
    }
}
