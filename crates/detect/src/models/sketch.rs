//! How the scores of benign traffic are distributed: what share of it a threshold would hit.
//!
//! A sketch counts scores in buckets of equal width in the logarithm of the odds, as DDSketch does
//! (Masson, Rim, Lee: *DDSketch*, VLDB 2019, <https://arxiv.org/abs/1908.10693>) in the logarithm of
//! the value: near 1, where thresholds are, buckets are narrow. The share above the edge of a bucket is
//! exact, and the thresholds told here are edges, so that no rank is guessed. Memory is fixed,
//! whatever scores come, and two sketches add up.

use std::collections::BTreeMap;

/// Buckets to either side of even odds for each unit of the logarithm of the odds.
const PER_UNIT: f64 = 32.0;
/// Largest logarithm of odds that is told apart: a score of 1 - 1e-7, as far as 32 bits reach.
const LOG_ODDS_MAX: f64 = 16.0;
/// Buckets.
const BUCKETS: usize = 1025;

/// Counts of scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    counts: Box<[u64]>,
    total: u64,
}

impl Default for Sketch {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            total: 0,
        }
    }
}

impl Sketch {
    /// Takes a score, 0 to 1; what is no number counts as 0.
    pub fn add(&mut self, score: f32) {
        if let Some(count) = self.counts.get_mut(bucket(score)) {
            *count = count.saturating_add(1);
            self.total = self.total.saturating_add(1);
        }
    }

    /// How many scores it took.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The least threshold that at most the share `fpr` of all scores reaches; none where there are
    /// too few to say, fewer than three for each that `fpr` allows (with none of 3/n seen, a rate of
    /// 1/n is excluded at 95 %).
    #[must_use]
    pub fn threshold(&self, fpr: f64) -> Option<f32> {
        if self.total < Self::needed(fpr) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
        let allowed = fpr * self.total as f64;
        let mut above = 0_u64;
        let mut least = BUCKETS;
        for (at, count) in self.counts.iter().enumerate().rev() {
            above = above.saturating_add(*count);
            #[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
            if above as f64 > allowed {
                break;
            }
            least = at;
        }
        Some(edge(least))
    }

    /// How many scores it takes to say a threshold for a rate.
    #[must_use]
    pub fn needed(fpr: f64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float becomes the nearest number, never less than 0"
        )]
        let needed = (3.0 / fpr.max(f64::MIN_POSITIVE)).ceil() as u64;
        needed
    }

    /// The share of scores that reach a threshold, as far as buckets tell: those of the threshold's
    /// own bucket count in.
    #[must_use]
    pub fn share_at(&self, threshold: f32) -> f64 {
        let from = bucket(threshold);
        let above = self.counts.iter().skip(from);
        let above = above.fold(0_u64, |sum, count| sum.saturating_add(*count));
        #[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
        let share = above as f64 / self.total.max(1) as f64;
        share
    }

    /// The buckets that hold something, by number, to be kept.
    #[must_use]
    pub fn kept(&self) -> BTreeMap<u16, u64> {
        let counts = self.counts.iter().enumerate();
        counts
            .filter(|(_, count)| **count > 0)
            .filter_map(|(at, count)| Some((u16::try_from(at).ok()?, *count)))
            .collect()
    }

    /// The sketch that was kept; numbers beyond the last bucket are left out.
    #[must_use]
    pub fn of_kept(kept: &BTreeMap<u16, u64>) -> Self {
        let mut sketch = Self::default();
        for (at, count) in kept {
            if let Some(held) = sketch.counts.get_mut(usize::from(*at)) {
                *held = *count;
                sketch.total = sketch.total.saturating_add(*count);
            }
        }
        sketch
    }
}

/// The bucket of a score.
fn bucket(score: f32) -> usize {
    let score = f64::from(score);
    let odds = (score / (1.0 - score)).ln();
    let at = ((odds.clamp(-LOG_ODDS_MAX, LOG_ODDS_MAX) + LOG_ODDS_MAX) * PER_UNIT).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest number, and what is no number 0"
    )]
    let at = at as usize;
    at.min(BUCKETS - 1)
}

/// The least score of a bucket; beyond the last one, a score that nothing reaches.
fn edge(bucket: usize) -> f32 {
    if bucket >= BUCKETS {
        return f32::INFINITY;
    }
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let odds = bucket as f64 / PER_UNIT - LOG_ODDS_MAX;
    let mut least = narrow(1.0 / (1.0 + (-odds).exp()));
    // rounding to 32 bits may lead below the edge
    while self::bucket(least) < bucket && least < 1.0 {
        least = least.next_up();
    }
    least
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores have 32 bits; the caller looks at what rounding did"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What a threshold is told for, it keeps: counted by the scores themselves.
        #[test]
        fn no_more_than_the_rate_reach_a_threshold(
            scores in prop::collection::vec(prop_oneof![0.0..=1.0_f32, 0.99..=1.0_f32], 300..900),
            fpr in 0.01..0.5_f64,
        ) {
            let mut sketch = Sketch::default();
            scores.iter().for_each(|score| sketch.add(*score));
            let threshold = sketch.threshold(fpr).unwrap();
            let above = scores.iter().filter(|score| **score >= threshold).count();
            prop_assert!(above as f64 <= fpr * scores.len() as f64);
            // one bucket lower, more would: it is the least edge
            if threshold.is_finite() {
                let told = sketch.share_at(threshold) * scores.len() as f64;
                prop_assert!((told - above as f64).abs() < 0.5, "{told} {above}");
                let lower = edge(bucket(threshold).saturating_sub(1));
                let reached = scores.iter().filter(|score| **score >= lower).count();
                prop_assert!(bucket(threshold) == 0 || reached as f64 > fpr * scores.len() as f64);
            }
            prop_assert_eq!(Sketch::of_kept(&sketch.kept()), sketch);
        }
    }

    #[test]
    fn few_scores_say_nothing_and_odd_ones_harm_nobody() {
        let mut sketch = Sketch::default();
        for _ in 0..2999 {
            sketch.add(0.1);
        }
        assert_eq!(sketch.threshold(0.001), None);
        for odd in [f32::NAN, f32::INFINITY, -1.0, 2.0] {
            sketch.add(odd);
        }
        assert_eq!(sketch.total(), 3003);
        assert!(sketch.threshold(0.001).is_some());
        assert!(edge(0) > 0.0 && edge(BUCKETS).is_infinite());
        assert_eq!(bucket(0.0), 0);
        assert_eq!(bucket(1.0), BUCKETS - 1);
        assert_eq!(Sketch::of_kept(&BTreeMap::from([(9_999, 1)])).total(), 0);
    }
}
