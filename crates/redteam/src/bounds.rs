//! Exact bounds of a share (Clopper and Pearson, Biometrika 26, 1934).

use serde::{Deserialize, Serialize};

/// What is left out on each side of a bound of 95 %.
const TAIL: f64 = 0.025;
/// Halvings: beyond these a double does not change.
const HALVINGS: usize = 60;

/// How often something was so, and between which shares that leaves the truth in 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// How often it was so.
    pub hits: usize,
    /// Of how many.
    pub of: usize,
    /// The share, 0 to 1; 0 of none.
    pub rate: f64,
    /// Lower bound of 95 %.
    pub low: f64,
    /// Upper bound of 95 %.
    pub high: f64,
}

impl Share {
    /// `hits` of `of`, which are not fewer.
    #[must_use]
    pub fn new(hits: usize, of: usize) -> Self {
        let hits = hits.min(of);
        let misses = of.saturating_sub(hits);
        // The upper bound of the hits is what the lower bound of the misses leaves.
        let (low, high) = (lower(hits, of), 1.0 - lower(misses, of));
        let rate = if of == 0 {
            0.0
        } else {
            float(hits) / float(of)
        };
        Self {
            hits,
            of,
            rate: rounded(rate),
            low: rounded(low),
            high: rounded(high),
        }
    }
}

/// The share at which `hits` or more of `of` come in [`TAIL`] of the cases.
fn lower(hits: usize, of: usize) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        match tail(hits, of, middle) < TAIL {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// Probability of `hits` or more of `of`, each with probability `p` (0 to 1, neither of them).
fn tail(hits: usize, of: usize, p: f64) -> f64 {
    // Terms are summed from the one at `hits` upwards, or downwards for the other side, so that
    // the first is the largest where the sum is small.
    let upwards = float(hits) >= p * float(of);
    let start = if upwards {
        hits
    } else {
        hits.saturating_sub(1)
    };
    let odds = p / (1.0 - p);
    let mut term = (choose(of, start)
        + float(start) * p.ln()
        + float(of.saturating_sub(start)) * (1.0 - p).ln())
    .exp();
    let (mut sum, mut at) = (0.0, start);
    loop {
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
        if upwards && at < of {
            let next = at.saturating_add(1);
            term *= float(of.saturating_sub(at)) / float(next) * odds;
            at = next;
        } else if !upwards && at > 0 {
            let next = at.saturating_sub(1);
            term *= float(at) / float(of.saturating_sub(next)) / odds;
            at = next;
        } else {
            break;
        }
    }
    if upwards { sum } else { 1.0 - sum }
}

/// Logarithm of the number of ways to choose `some` of `all`.
fn choose(all: usize, some: usize) -> f64 {
    let some = some.min(all.saturating_sub(some));
    (1..=some)
        .map(|at| (float(all.saturating_sub(some).saturating_add(at)) / float(at)).ln())
        .sum()
}

/// Six places: what is behind them differs between machines and says nothing.
fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

/// Counts are below 2^32.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_tables() {
        // As summed from whole binomial coefficients, and as tables print them (5 of 10: 0.187 to 0.813).
        for (hits, of, low, high) in [
            (0, 8, 0.0, 0.369_416_8),
            (0, 300, 0.0, 0.012_221),
            (13, 50, 0.146_301, 0.403_448),
            (1, 1, 0.025, 1.0),
            (8, 8, 0.630_583_2, 1.0),
            (5, 10, 0.187_086, 0.812_914),
        ] {
            let share = Share::new(hits, of);
            assert!((share.low - low).abs() < 2e-5, "{share:?}");
            assert!((share.high - high).abs() < 2e-5, "{share:?}");
        }
        let none = Share::new(0, 0);
        assert!(none.low == 0.0 && none.high == 1.0, "{none:?}");
    }

    #[test]
    fn large_counts_hold_too() {
        let share = Share::new(150, 150_000);
        assert!((share.low - 0.000_846_4).abs() < 1e-5, "{share:?}");
        assert!((share.high - 0.001_173_4).abs() < 1e-5, "{share:?}");
    }
}
