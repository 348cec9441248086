//! Time to shield, as the console shows it: from the verdict at one partner to the first packet
//! of the same attacker dropped at another, with its parts.

use askama::Template;
use std::collections::{BTreeMap, VecDeque};

/// Rounds that are kept; the oldest go first.
const ROUNDS_MAX: usize = 1_000;
/// Rounds that the chart shows.
const BARS_MAX: usize = 60;
const CHART_WIDTH: f64 = 600.0;
const CHART_HEIGHT: f64 = 72.0;

/// One measured round, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// First packet of the completing action to the verdict, at the partner that was attacked.
    pub(crate) detect_us: u64,
    /// Verdict there to the frame read here.
    pub(crate) share_us: u64,
    /// Frame read here to the attacker's first packet dropped here.
    pub(crate) enforce_us: u64,
    /// Nothing was dropped: the round ends with the lease being ready.
    pub(crate) dry_run: bool,
}

impl Round {
    fn total_us(self) -> u64 {
        self.share_us.saturating_add(self.enforce_us)
    }
}

/// The last rounds, one per object and shield.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    rounds: BTreeMap<Key, Round>,
    order: VecDeque<Key>,
}

/// What makes a round unique: the object version's verdict time, its id, and the shield.
pub(crate) type Key = (i64, String, String);

impl Rounds {
    /// Takes a round; one that is known already is corrected in place.
    pub(crate) fn record(&mut self, key: Key, round: Round) {
        if self.rounds.insert(key.clone(), round).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > ROUNDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.rounds.remove(&oldest);
        }
    }

    /// The panel in HTML.
    pub(crate) fn render(&self) -> Result<String, askama::Error> {
        Panel::of(self).render()
    }

    fn last(&self) -> impl DoubleEndedIterator<Item = Round> {
        self.order
            .iter()
            .filter_map(|key| self.rounds.get(key).copied())
    }
}

#[derive(Template)]
#[template(path = "timing.html")]
struct Panel {
    rounds: usize,
    dry_run: bool,
    total: Figures,
    parts: [Part; 3],
    chart: Chart,
}

struct Part {
    name: &'static str,
    class: &'static str,
    means: &'static str,
    last: String,
    p50: String,
    p99: String,
}

struct Figures {
    last: String,
    p50: String,
    p99: String,
}

struct Chart {
    width: f64,
    height: f64,
    top: String,
    lines: Vec<f64>,
    bars: Vec<Bar>,
}

struct Bar {
    title: String,
    x: f64,
    width: f64,
    share_y: f64,
    share_h: f64,
    enforce_y: f64,
    enforce_h: f64,
}

impl Panel {
    fn of(rounds: &Rounds) -> Self {
        let all: Vec<Round> = rounds.last().collect();
        let part = |name, class, means, of: fn(Round) -> u64| {
            let Figures { last, p50, p99 } = Figures::of(&all, of);
            Part {
                name,
                class,
                means,
                last,
                p50,
                p99,
            }
        };
        Self {
            rounds: all.len(),
            dry_run: all.iter().any(|round| round.dry_run),
            total: Figures::of(&all, Round::total_us),
            parts: [
                part("share", "share", "verdict there to frame read here", |r| {
                    r.share_us
                }),
                part("enforce", "enforce", "frame to first packet dropped", |r| {
                    r.enforce_us
                }),
                part(
                    "detect",
                    "detect",
                    "attacker's packet to verdict; before the clock starts",
                    |r| r.detect_us,
                ),
            ],
            chart: Chart::of(&all),
        }
    }
}

impl Figures {
    fn of(rounds: &[Round], part: fn(Round) -> u64) -> Self {
        let mut sorted: Vec<u64> = rounds.iter().copied().map(part).collect();
        let last = sorted.last().copied().unwrap_or(0);
        sorted.sort_unstable();
        Self {
            last: duration(last),
            p50: duration(percentile(&sorted, 50)),
            p99: duration(percentile(&sorted, 99)),
        }
    }
}

/// The nearest-rank percentile of a sorted list; 0 for an empty one.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// Microseconds in the unit a person would choose, three digits.
pub(crate) fn duration(us: u64) -> String {
    let us = lossy(us);
    match us {
        _ if us < 1_000.0 => format!("{us:.0} µs"),
        _ if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        _ if us < 100_000.0 => format!("{:.1} ms", us / 1e3),
        _ if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        _ => format!("{:.2} s", us / 1e6),
    }
}

impl Chart {
    fn of(rounds: &[Round]) -> Self {
        let shown = rounds
            .get(rounds.len().saturating_sub(BARS_MAX)..)
            .unwrap_or_default();
        let highest = shown
            .iter()
            .map(|round| round.total_us())
            .max()
            .unwrap_or(0);
        let top_us = nice(highest);
        let step = CHART_WIDTH / lossy(u64::try_from(BARS_MAX).unwrap_or(u64::MAX));
        let bars = shown.iter().rev().zip(1_u32..).map(|(round, from_right)| {
            bar(
                *round,
                CHART_WIDTH - f64::from(from_right) * step,
                step,
                lossy(top_us),
            )
        });
        Self {
            width: CHART_WIDTH,
            height: CHART_HEIGHT,
            top: duration(top_us),
            lines: vec![0.5, CHART_HEIGHT / 2.0, CHART_HEIGHT - 0.5],
            bars: bars.collect(),
        }
    }
}

fn bar(round: Round, x: f64, step: f64, top_us: f64) -> Bar {
    let height = |us: u64| tenth(lossy(us) / top_us * CHART_HEIGHT);
    let (share_h, enforce_h) = (height(round.share_us), height(round.enforce_us));
    let title = format!(
        "{} = share {} + enforce {}; detect {}",
        duration(round.total_us()),
        duration(round.share_us),
        duration(round.enforce_us),
        duration(round.detect_us)
    );
    Bar {
        title,
        x: tenth(x + step * 0.15),
        width: tenth(step * 0.7),
        share_y: tenth(CHART_HEIGHT - share_h),
        share_h,
        enforce_y: tenth(CHART_HEIGHT - share_h - enforce_h),
        enforce_h,
    }
}

/// The next of 1, 2, 3, 4, 5, 6, 8, 10, ... above a height, so that the scale's end is a round number.
fn nice(us: u64) -> u64 {
    let mut power = 1_u64;
    while power < u64::MAX / 100 {
        for digit in [1, 2, 3, 4, 5, 6, 8] {
            let end = power.saturating_mul(digit);
            if end >= us {
                return end;
            }
        }
        power = power.saturating_mul(10);
    }
    us
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// To a float for drawing; above 2^32 us (an hour) the chart is past reading anyway.
fn lossy(us: u64) -> f64 {
    f64::from(u32::try_from(us).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(share_us: u64, enforce_us: u64) -> Round {
        Round {
            detect_us: 40,
            share_us,
            enforce_us,
            dry_run: false,
        }
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&sorted, 50), 100);
        assert_eq!(percentile(&sorted, 99), 198);
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn the_panel_shows_last_p50_and_p99() {
        let mut rounds = Rounds::default();
        for n in 1..=100_u64 {
            rounds.record((0, n.to_string(), "b".to_owned()), round(n * 10, n * 10));
        }
        rounds.record((0, "1".to_owned(), "b".to_owned()), round(10, 12));
        let html = rounds.render().unwrap();
        assert!(html.contains("100 rounds"), "a correction adds no round");
        assert!(html.contains("<dt>last</dt><dd>2.00 ms</dd>"), "{html}");
        assert!(html.contains("<dt>p50</dt><dd>1.00 ms</dd>"));
        assert!(html.contains("<dt>p99</dt><dd>1.98 ms</dd>"));
        assert_eq!(html.matches("<g>").count(), BARS_MAX);
        assert!(
            !html.contains("style="),
            "the content policy forbids inline style"
        );
    }

    #[test]
    fn rounds_are_bounded_and_bars_stay_inside() {
        let mut rounds = Rounds::default();
        for n in 0..1_500_u64 {
            rounds.record(
                (0, n.to_string(), "b".to_owned()),
                round(u64::from(n == 1_499) * 77, 3),
            );
        }
        assert_eq!(
            (rounds.order.len(), rounds.rounds.len()),
            (ROUNDS_MAX, ROUNDS_MAX)
        );
        let all: Vec<Round> = rounds.last().collect();
        for bar in Chart::of(&all).bars {
            assert!(bar.enforce_y >= 0.0 && bar.share_y + bar.share_h <= CHART_HEIGHT + 0.1);
            assert!(bar.x >= 0.0 && bar.x + bar.width <= CHART_WIDTH);
        }
        assert_eq!(
            (nice(81), nice(100), nice(101), nice(0)),
            (100, 100, 200, 1)
        );
    }
}
