//! How far one partner's word reaches through our own eyes.
//!
//! A partner's indicator of a URL, a fingerprint or a prefix makes an offender of everybody who is
//! seen to use it, or to come from it, here. Somebody who lists our own front page, by mistake or on purpose, would have
//! us block our visitors, and ask others to. So each partner's word convicts a few sources in a
//! while; beyond that the indicator is taken for wrong, and what it matches is only sighted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;

/// Most sources that one partner's word convicts within [`WINDOW`].
pub(super) const SOURCES_MAX: usize = 8;
/// How long a conviction counts.
pub(super) const WINDOW: Duration = Duration::from_secs(600);
/// Most partners that are remembered; one more gets no convictions.
pub(super) const PARTNERS_MAX: usize = 4_096;

/// Who was convicted on whose word of late.
#[derive(Debug, Default)]
pub(super) struct Blast {
    convicted: BTreeMap<Arc<str>, VecDeque<(u64, IpAddr)>>,
}

impl Blast {
    /// Whether `offender` may be convicted on the word of any of `partners`; counts it if so.
    ///
    /// # Failure bias
    /// Open: in doubt nobody is blocked.
    pub(super) fn admit(
        &mut self,
        partners: &BTreeSet<&Arc<str>>,
        offender: IpAddr,
        now: Now,
    ) -> bool {
        let mut admitted = false;
        for partner in partners {
            admitted |= self.admit_on(partner, offender, now.mono_ns);
        }
        admitted
    }

    fn admit_on(&mut self, partner: &Arc<str>, offender: IpAddr, now_ns: u64) -> bool {
        if !self.convicted.contains_key(partner) && self.convicted.len() >= PARTNERS_MAX {
            return false;
        }
        let window_ns = u64::try_from(WINDOW.as_nanos()).unwrap_or(u64::MAX);
        let sources = self.convicted.entry(Arc::clone(partner)).or_default();
        sources.retain(|(at_ns, _)| now_ns.saturating_sub(*at_ns) < window_ns);
        if sources.iter().any(|(_, source)| *source == offender) {
            return true;
        }
        let room = sources.len() < SOURCES_MAX;
        if room {
            sources.push_back((now_ns, offender));
        }
        room
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use stix::Timestamp;

    use super::*;

    fn at(mono_s: u64) -> Now {
        Now {
            mono_ns: mono_s * 1_000_000_000,
            wall: Timestamp::EPOCH,
        }
    }

    fn source(number: u8) -> IpAddr {
        [198, 51, 100, number].into()
    }

    #[test]
    fn a_partner_convicts_a_few_sources_and_no_more_until_time_passes() {
        let mut blast = Blast::default();
        let alpha: Arc<str> = "alpha".into();
        let word = BTreeSet::from([&alpha]);
        for number in 1..=8 {
            assert!(blast.admit(&word, source(number), at(1)));
        }
        assert!(!blast.admit(&word, source(9), at(2)));
        assert!(blast.admit(&word, source(8), at(3)), "known already");
        assert!(blast.admit(&word, source(9), at(700)));
    }

    #[test]
    fn partners_have_budgets_of_their_own() {
        let mut blast = Blast::default();
        let (alpha, bravo): (Arc<str>, Arc<str>) = ("alpha".into(), "bravo".into());
        for number in 0..50 {
            blast.admit(&BTreeSet::from([&alpha]), source(number), at(1));
        }
        assert!(!blast.admit(&BTreeSet::from([&alpha]), source(60), at(1)));
        assert!(blast.admit(&BTreeSet::from([&alpha, &bravo]), source(60), at(1)));
    }
}
