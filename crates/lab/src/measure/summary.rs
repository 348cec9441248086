//! Percentiles.

use serde::{Deserialize, Serialize};

use super::Round;

/// Over the rounds that finished; milliseconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Summary {
    /// Rounds that finished.
    pub finished: usize,
    /// Rounds that did not.
    pub failed: usize,
    /// A's verdict to the first drop at B.
    pub time_to_shield_ms: Spread,
    /// A's verdict to the frame at B.
    pub t_share_ms: Spread,
    /// Frame to the first packet that the lease matched at B.
    pub t_hit_ms: Spread,
    /// Frame to first drop at B.
    pub t_enforce_ms: Spread,
    /// First packet of the completing action to A's verdict.
    pub t_detect_ms: Spread,
    /// Frame of the revocation at B to B's server reached again.
    pub t_lift_ms: Spread,
    /// Start of the revoking call to B's server reached again.
    pub t_restore_ms: Spread,
    /// The slowest probe's datagrams a second.
    pub probe_per_s_min: f64,
}

/// Median, 99th percentile and maximum; zero without values.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

impl Summary {
    pub(crate) fn of<'a>(rounds: impl IntoIterator<Item = &'a Round>) -> Self {
        let all: Vec<_> = rounds.into_iter().collect();
        let good: Vec<_> = all
            .iter()
            .filter(|round| round.failure.is_none())
            .copied()
            .collect();
        let spread = |of: fn(&Round) -> Option<f64>| {
            Spread::of(good.iter().filter_map(|round| of(round)).collect())
        };
        let rates = good.iter().map(|round| round.probe_per_s);
        Self {
            finished: good.len(),
            failed: all.len().saturating_sub(good.len()),
            time_to_shield_ms: spread(|round| round.shield_ms),
            t_share_ms: spread(|round| round.share_ms),
            t_hit_ms: spread(|round| round.hit_ms),
            t_enforce_ms: spread(|round| round.enforce_ms),
            t_detect_ms: spread(|round| round.detect_ms),
            t_lift_ms: spread(|round| round.lift_ms),
            t_restore_ms: spread(|round| round.restore_ms),
            probe_per_s_min: rates.reduce(f64::min).unwrap_or(0.0),
        }
    }
}

impl Spread {
    /// By the nearest-rank method: every figure is one that was measured.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let rank = |percent: usize| {
            let rank = values.len().saturating_mul(percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self {
            p50: rank(50),
            p99: rank(99),
            max: rank(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attack::Trigger, topology::Attacker};

    #[test]
    fn percentiles_are_measured_values() {
        let spread = Spread::of((1..=200).map(f64::from).collect());
        assert_eq!(
            spread,
            Spread {
                p50: 100.0,
                p99: 198.0,
                max: 200.0
            }
        );
        assert_eq!(Spread::of(vec![]), Spread::default());
        assert_eq!(
            Spread::of(vec![3.0]),
            Spread {
                p50: 3.0,
                p99: 3.0,
                max: 3.0
            }
        );
    }

    #[test]
    fn failed_rounds_are_counted_and_not_averaged() {
        let mut good = Round::new(1, Attacker::OwnAddress, Trigger::Scan);
        good.shield_ms = Some(2.0);
        let mut bad = good.clone();
        bad.shield_ms = Some(9000.0);
        bad.failure = Some("no drop".to_owned());
        let summary = Summary::of([&good, &bad]);
        assert_eq!((summary.finished, summary.failed), (1, 1));
        assert!((summary.time_to_shield_ms.max - 2.0).abs() < 1e-9);
    }
}
