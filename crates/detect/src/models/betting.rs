//! Whether a rate is above or below a bound, judged at any time and as often as one likes.
//!
//! A bet against "the rate is at most `p`" multiplies its capital by how much likelier each outcome is
//! under a higher rate `q`: `q/p` for a hit, `(1-q)/(1-p)` for none. Where the claim holds, the capital
//! is a supermartingale, so that with a chance of at most `alpha` it ever reaches `1/alpha`, whenever
//! one looks (Ville's inequality); a mean of such bets, for several `q`, is another. See Waudby-Smith
//! and Ramdas, *Estimating means of bounded random variables by betting*, Journal of the Royal
//! Statistical Society B 86 (2024), <https://arxiv.org/abs/2010.09686>. The capital depends on the
//! counts alone: two numbers are all there is to keep.
//!
//! Outcomes need not be independent: it suffices that each has at most the claimed chance whatever
//! came before. So trials may be left out for what is known before their outcome, and for nothing else.

use serde::{Deserialize, Serialize};

/// Higher rates that bets are made on, as multiples of the bound.
const HIGHER: [f64; 6] = [1.5, 2.0, 4.0, 8.0, 16.0, 32.0];
/// Lower rates, alike.
const LOWER: [f64; 4] = [0.75, 0.5, 0.25, 0.0];
/// Most trials that [`Trials::more_needed`] counts up to.
const MORE_MAX: u64 = 1 << 40;

/// Trials, and how many of them were hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trials {
    /// Trials.
    pub trials: u64,
    /// Hits among them.
    pub hits: u64,
}

impl Trials {
    /// Takes an outcome.
    pub const fn add(&mut self, hit: bool) {
        self.trials = self.trials.saturating_add(1);
        self.hits = self.hits.saturating_add(hit as u64);
    }

    /// Whether the rate is above `bound`; wrong with a chance of at most `alpha`, however often it is
    /// asked.
    #[must_use]
    pub fn is_above(&self, bound: f64, alpha: f64) -> bool {
        let refuted = bound <= 0.0 && self.hits > 0;
        refuted || self.capital(bound, &HIGHER) >= 1.0 / alpha
    }

    /// Whether the rate is below `bound`; alike.
    #[must_use]
    pub fn is_below(&self, bound: f64, alpha: f64) -> bool {
        self.capital(bound, &LOWER) >= 1.0 / alpha
    }

    /// The least rate that is not excluded: lower end of a confidence sequence at `1 - alpha`.
    #[must_use]
    pub fn lower(&self, alpha: f64) -> f64 {
        let mut range = (0.0, self.rate());
        for _ in 0..40 {
            let middle = f64::midpoint(range.0, range.1);
            match self.is_above(middle, alpha) {
                true => range.0 = middle,
                false => range.1 = middle,
            }
        }
        range.0
    }

    /// The highest rate that is not excluded: upper end, alike.
    #[must_use]
    pub fn upper(&self, alpha: f64) -> f64 {
        let mut range = (self.rate(), 1.0);
        for _ in 0..40 {
            let middle = f64::midpoint(range.0, range.1);
            match self.is_below(middle, alpha) {
                true => range.1 = middle,
                false => range.0 = middle,
            }
        }
        range.1
    }

    /// How many more trials without a hit it takes until the rate is known to be below `bound`.
    #[must_use]
    pub fn more_needed(&self, bound: f64, alpha: f64) -> u64 {
        let enough = |more: u64| {
            let then = Self {
                trials: self.trials.saturating_add(more),
                hits: self.hits,
            };
            then.is_below(bound, alpha)
        };
        let (mut low, mut high) = (0_u64, 1_u64);
        if enough(0) {
            return 0;
        }
        while high < MORE_MAX && !enough(high) {
            low = high;
            high = high.saturating_mul(2);
        }
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            match enough(middle) {
                true => high = middle,
                false => low = middle,
            }
        }
        high
    }

    fn rate(&self) -> f64 {
        float(self.hits) / float(self.trials.max(1))
    }

    /// The mean of the capitals of bets against a rate of `bound`.
    fn capital(&self, bound: f64, multiples: &[f64]) -> f64 {
        if !(bound > 0.0 && bound < 1.0) {
            // no bet can be made
            return 1.0;
        }
        let (hits, rest) = (
            float(self.hits),
            float(self.trials.saturating_sub(self.hits)),
        );
        let capital = |multiple: &f64| {
            let rate = (bound * multiple).min(f64::midpoint(bound, 1.0));
            let of_hits = match self.hits {
                0 => 0.0,
                _ => hits * (rate / bound).ln(),
            };
            (of_hits + rest * ((1.0 - rate) / (1.0 - bound)).ln()).exp()
        };
        let sum: f64 = multiples.iter().map(capital).sum();
        sum / float(u64::try_from(multiples.len()).unwrap_or(1))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outcomes drawn by a fixed generator (splitmix64).
    fn draws(seed: u64, rate: f64) -> impl Iterator<Item = bool> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = state;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            float((x ^ (x >> 31)) >> 11) / float(1 << 53) < rate
        })
    }

    /// How often a claim is given up within so many trials, looked at after each one.
    fn given_up(rate: f64, bound: f64, alpha: f64, runs: u64) -> usize {
        (0..runs)
            .filter(|run| {
                let mut seen = Trials::default();
                draws(run.wrapping_mul(7_919), rate).take(3_000).any(|hit| {
                    seen.add(hit);
                    seen.is_above(bound, alpha)
                })
            })
            .count()
    }

    #[test]
    fn looking_after_each_trial_is_wrong_no_more_often_than_it_says() {
        // the worst case of the claim: the rate is the bound
        let wrong = given_up(0.01, 0.01, 0.05, 200);
        assert!(wrong <= 10, "{wrong} of 200");
        assert_eq!(given_up(0.05, 0.01, 0.05, 50), 50);
    }

    #[test]
    fn bounds_enclose_the_rate_and_close_in_on_it() {
        let mut seen = Trials::default();
        let mut width = 1.0;
        for (at, hit) in draws(3, 0.02).take(20_000).enumerate() {
            seen.add(hit);
            if (at + 1).is_multiple_of(5_000) {
                let (low, high) = (seen.lower(0.05), seen.upper(0.05));
                assert!(low < 0.02 && 0.02 < high, "{low} {high}");
                assert!(high - low < width);
                width = high - low;
            }
        }
    }

    #[test]
    fn no_hit_says_little_at_first_and_how_much_is_missing() {
        let none = |trials| Trials { trials, hits: 0 };
        assert!(!none(300).is_below(0.002, 0.05));
        let more = none(300).more_needed(0.002, 0.05);
        assert!(none(300 + more).is_below(0.002, 0.05));
        assert!(!none(299 + more).is_below(0.002, 0.05));
        assert!((1_000..3_000).contains(&more), "{more}");
        assert_eq!(none(0).lower(0.05), 0.0);
        assert!(none(0).upper(0.05) > 0.99);
        let all = Trials {
            trials: 20,
            hits: 20,
        };
        assert!(all.is_above(0.5, 0.01) && !all.is_above(1.0, 0.01));
        assert_eq!(all.more_needed(0.0, 0.05), 1 << 40);
    }
}
