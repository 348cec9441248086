//! How long to wait before the hub is tried again.

use std::time::Duration;

/// First wait, at most.
pub(super) const WAIT_FIRST: Duration = Duration::from_millis(100);
/// Longest wait. Ten thousand shields that lost one hub come back within twice this.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// Exponential, with full jitter: a random part of a bound that doubles with each failure, so that
/// shields that lost the hub together do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait before the next attempt. `random` is any number, uniform over its range.
    pub(super) fn next(&mut self, random: u32) -> Duration {
        let doubled =
            WAIT_FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1).min(FAILURES_MAX);
        let bound_us = u64::try_from(doubled.min(WAIT_MAX).as_micros()).unwrap_or(u64::MAX);
        let part = bound_us.saturating_mul(u64::from(random) >> HALF_BITS) >> HALF_BITS;
        Duration::from_micros(part)
    }

    /// The hub is there: the next failure starts from the beginning.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random number, for [`Backoff::next`]; zero if the system has none to give.
#[must_use]
pub(super) fn random() -> u32 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => u32::from_ne_bytes(bytes),
        Err(_) => 0,
    }
}

const FAILURES_MAX: u32 = 16;
const HALF_BITS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_start_over() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..12).map(|_| backoff.next(u32::MAX)).collect();
        assert!(longest.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(longest[0] <= WAIT_FIRST && longest[0] > WAIT_FIRST / 2);
        assert!(longest[11] <= WAIT_MAX && longest[11] > WAIT_MAX / 2);
        backoff.reset();
        assert!(backoff.next(u32::MAX) <= WAIT_FIRST);
    }

    #[test]
    fn jitter_covers_the_whole_range() {
        let mut backoff = Backoff { failures: 4 };
        assert_eq!(backoff.next(0), Duration::ZERO);
        let middle = Backoff { failures: 4 }.next(u32::MAX / 2);
        assert!(middle > Duration::from_millis(700) && middle < Duration::from_millis(900));
    }
}
