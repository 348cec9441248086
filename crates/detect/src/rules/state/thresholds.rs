//! Counting matches for thresholds.

use std::net::IpAddr;

use packet::FlowId;

use super::SECOND_NS;
use super::threshold::{Kind, NewAction, Threshold, Track};
use crate::lru::Lru;

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleKey {
    /// `gid`, mostly 1.
    pub gid: u32,
    /// `sid`
    pub sid: u32,
}

/// Sender and receiver of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Who sent it.
    pub src: IpAddr,
    /// To whom.
    pub dst: IpAddr,
}

/// What becomes of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The rule alerts and does what its action says.
    Alert,
    /// No alert, but the rule's action is done: a `drop` rule drops, a `reject` rule refuses. So
    /// it is with `limit` and `backoff` between alerts, and with `both` after its alert.
    Silent,
    /// As if the rule had not matched, except that what it writes is written: no alert, and its
    /// action is not done. So it is before a count is reached.
    NoMatch,
    /// The rule's action is replaced.
    NewAction {
        /// By this one.
        action: NewAction,
        /// Whether the rule alerts.
        alert: bool,
    },
}

/// The counts of all thresholds.
///
/// **Failure bias: alert.** When the table is full the count used least recently is lost. A
/// `limit` then alerts again; a `threshold` or `detection_filter` has to be reached anew.
#[derive(Debug)]
pub struct Thresholds {
    counts: Lru<Key, Count>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    rule: RuleKey,
    /// A rate filter counts beside the rule's threshold.
    rate: bool,
    subject: Subject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Rule,
    Host(IpAddr),
    /// In ascending order.
    Pair(IpAddr, IpAddr),
    Flow(FlowId),
}

/// One subject's matches of one rule.
#[derive(Debug, Default)]
struct Count {
    /// When the window started.
    start_ns: Option<u64>,
    count: u32,
    /// Backoff: at which count the next alert is.
    next: u64,
    /// Rate filter: since when the new action is done.
    exceeded_ns: Option<u64>,
}

impl Thresholds {
    /// At most `counts_max` counts over all rules.
    #[must_use]
    pub fn new(counts_max: usize) -> Self {
        Self {
            counts: Lru::new(counts_max),
        }
    }

    /// How many counts are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether no count is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many counts were lost because the table was full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.counts.evicted()
    }

    /// Counts a match of a rule at `now_ns` and says what becomes of it. Outside of a flow, what
    /// counts by flow sees each packet as the first of its own.
    pub fn judge(
        &mut self,
        rule: RuleKey,
        threshold: &Threshold,
        ends: Ends,
        flow: Option<FlowId>,
        now_ns: u64,
    ) -> Judgement {
        let Ends { src, dst } = ends;
        let subject = match threshold.track {
            Track::Rule => Subject::Rule,
            Track::Source => Subject::Host(src),
            Track::Destination => Subject::Host(dst),
            Track::Both => Subject::Pair(src.min(dst), src.max(dst)),
            Track::Flow => match flow {
                Some(flow) => Subject::Flow(flow),
                None => return Count::default().judge(threshold, now_ns),
            },
        };
        let rate = matches!(threshold.kind, Kind::Rate { .. });
        let key = Key {
            rule,
            rate,
            subject,
        };
        self.counts.entry(key).judge(threshold, now_ns)
    }
}

impl Count {
    fn judge(&mut self, threshold: &Threshold, now_ns: u64) -> Judgement {
        match threshold.kind {
            Kind::Limit => match self.step(threshold, now_ns) {
                // The first of a window alerts even when none may.
                1 => Judgement::Alert,
                count if count <= threshold.count => Judgement::Alert,
                _ => Judgement::Silent,
            },
            Kind::Threshold => {
                let first = self.starts(threshold, now_ns);
                let count = self.step(threshold, now_ns);
                let reached = match first {
                    true => threshold.count == 1,
                    false => count >= threshold.count,
                };
                if reached {
                    // The window goes on.
                    self.count = 0;
                    return Judgement::Alert;
                }
                Judgement::NoMatch
            }
            Kind::Both => match self.step(threshold, now_ns) {
                count if count < threshold.count => Judgement::NoMatch,
                count if count == threshold.count => Judgement::Alert,
                _ => Judgement::Silent,
            },
            Kind::DetectionFilter => match self.step(threshold, now_ns) > threshold.count {
                true => Judgement::Alert,
                false => Judgement::NoMatch,
            },
            Kind::Backoff { multiplier } => self.backoff(threshold.count, multiplier),
            Kind::Rate { action, timeout_s } => self.rate(threshold, action, timeout_s, now_ns),
        }
    }

    /// Whether a window starts now: there is none, or it is over.
    fn starts(&self, threshold: &Threshold, now_ns: u64) -> bool {
        self.start_ns
            .is_none_or(|start_ns| is_over(start_ns, threshold.seconds, now_ns))
    }

    /// Counts one, in a new window when the old one is over.
    fn step(&mut self, threshold: &Threshold, now_ns: u64) -> u32 {
        if self.starts(threshold, now_ns) {
            self.start_ns = Some(now_ns);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count
    }

    fn backoff(&mut self, first: u32, multiplier: u32) -> Judgement {
        if self.next == 0 {
            self.next = u64::from(first);
        }
        self.count = self.count.saturating_add(1);
        let count = u64::from(self.count);
        if count < u64::from(first) {
            Judgement::NoMatch
        } else if count < self.next {
            Judgement::Silent
        } else {
            self.next = self.next.saturating_mul(u64::from(multiplier));
            Judgement::Alert
        }
    }

    fn rate(
        &mut self,
        threshold: &Threshold,
        action: NewAction,
        timeout_s: u32,
        now_ns: u64,
    ) -> Judgement {
        if let Some(exceeded_ns) = self.exceeded_ns {
            // By the clock's whole seconds, as Suricata has it, unlike windows.
            let passed_s = (now_ns / SECOND_NS).saturating_sub(exceeded_ns / SECOND_NS);
            if passed_s <= u64::from(timeout_s) {
                return new_action(action);
            }
            // The match that ends the time is not counted.
            self.exceeded_ns = None;
            return Judgement::Alert;
        }
        if self.step(threshold, now_ns) > threshold.count {
            self.exceeded_ns = Some(now_ns);
            return new_action(action);
        }
        Judgement::Alert
    }
}

fn new_action(action: NewAction) -> Judgement {
    let alert = action != NewAction::Pass;
    Judgement::NewAction { action, alert }
}

/// Whether more than `seconds` passed since `start_ns`.
fn is_over(start_ns: u64, seconds: u32, now_ns: u64) -> bool {
    let lasts_ns = u64::from(seconds).saturating_mul(SECOND_NS);
    now_ns.saturating_sub(start_ns) > lasts_ns
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::state::threshold::{parse, parse_detection_filter};

    const RULE: RuleKey = RuleKey { gid: 1, sid: 1 };

    fn ends(src: u8, dst: u8) -> Ends {
        let address = |last| IpAddr::from([10, 0, 0, last]);
        Ends {
            src: address(src),
            dst: address(dst),
        }
    }

    fn judgements(threshold: Threshold, times_ms: &[u64]) -> Vec<Judgement> {
        let mut thresholds = Thresholds::new(10);
        let judge = |at_ms: &u64| {
            let now_ns = at_ms.saturating_mul(1_000_000);
            thresholds.judge(RULE, &threshold, ends(1, 2), Some(FlowId(1)), now_ns)
        };
        times_ms.iter().map(judge).collect()
    }

    /// Which of the matches, counted from 1, alert.
    fn alerts(value: &str, times_ms: &[u64]) -> Vec<usize> {
        let threshold = parse(value)
            .or_else(|_| parse_detection_filter(value))
            .unwrap();
        let judgements = judgements(threshold, times_ms);
        let numbered = (1..).zip(judgements);
        let alerting = numbered.filter(|(_, judgement)| *judgement == Judgement::Alert);
        alerting.map(|(number, _)| number).collect()
    }

    /// What Suricata 8.0.6 alerts on for one match a second.
    #[test]
    fn one_match_a_second() {
        let seconds: Vec<u64> = (0..12).map(|s| s * 1_000).collect();
        let cases: &[(&str, &[usize])] = &[
            (
                "type limit, track by_src, count 2, seconds 5",
                &[1, 2, 7, 8],
            ),
            ("type limit, track by_src, count 0, seconds 5", &[1, 7]),
            (
                "type limit, track by_rule, count 1, seconds 1",
                &[1, 3, 5, 7, 9, 11],
            ),
            ("type limit, track by_both, count 1, seconds 4", &[1, 6, 11]),
            (
                "type threshold, track by_src, count 2, seconds 5",
                &[2, 4, 6, 8, 10, 12],
            ),
            (
                "type threshold, track by_src, count 3, seconds 2",
                &[3, 6, 9, 12],
            ),
            (
                "type threshold, track by_src, count 4, seconds 3",
                &[4, 8, 12],
            ),
            ("type threshold, track by_src, count 2, seconds 0", &[]),
            (
                "type threshold, track by_src, count 0, seconds 5",
                &[2, 3, 4, 5, 6, 8, 9, 10, 11, 12],
            ),
            ("type both, track by_src, count 2, seconds 5", &[2, 8]),
            ("type both, track by_src, count 3, seconds 3", &[3, 7, 11]),
            ("type both, track by_src, count 1, seconds 3", &[1, 5, 9]),
            ("type both, track by_src, count 0, seconds 5", &[]),
            (
                "type backoff, track by_flow, count 1, multiplier 2",
                &[1, 2, 4, 8],
            ),
            (
                "type backoff, track by_flow, count 2, multiplier 2",
                &[2, 4, 8],
            ),
            (
                "track by_src, count 2, seconds 5",
                &[3, 4, 5, 6, 9, 10, 11, 12],
            ),
            ("track by_src, count 2, seconds 2", &[3, 6, 9, 12]),
        ];
        for (value, expected) in cases {
            assert_eq!(alerts(value, &seconds), *expected, "{value}");
        }
    }

    #[test]
    fn windows() {
        let limit = "type limit, track by_src, count 1, seconds 2";
        assert_eq!(alerts(limit, &[500, 2_500, 2_501, 2_600]), [1, 3]);
        // An alert does not start a new window.
        let threshold = "type threshold, track by_src, count 3, seconds 4";
        let times = [0, 1_000, 2_000, 3_000, 5_000, 6_000, 6_500];
        assert_eq!(alerts(threshold, &times), [3, 7]);
        // Time that runs backwards is within the window.
        let times = [10_000, 5_000, 6_000, 12_000, 13_000, 14_000, 15_000];
        assert_eq!(alerts(threshold, &times), [3, 6]);
    }

    #[test]
    fn whether_the_action_is_done_between_alerts() {
        let seconds: Vec<u64> = (0..12).map(|s| s * 1_000).collect();
        for (value, silent, no_match) in [
            ("type limit, track by_src, count 2, seconds 5", 8, 0),
            ("type threshold, track by_src, count 3, seconds 60", 0, 8),
            ("type both, track by_src, count 2, seconds 5", 8, 2),
            ("type backoff, track by_flow, count 2, multiplier 2", 8, 1),
            ("track by_src, count 2, seconds 5", 0, 4),
        ] {
            let threshold = parse(value)
                .or_else(|_| parse_detection_filter(value))
                .unwrap();
            let judgements = judgements(threshold, &seconds);
            let count = |which| {
                judgements
                    .iter()
                    .filter(|judgement| **judgement == which)
                    .count()
            };
            assert_eq!(count(Judgement::Silent), silent, "{value}");
            assert_eq!(count(Judgement::NoMatch), no_match, "{value}");
        }
    }

    #[test]
    fn rate_filters() {
        for (count, seconds, timeout_s, expected) in [
            (3, 60, 5, "...dddddd.dddddd.ddd"),
            (3, 2, 5, "...................."),
            (2, 3, 4, "..ddddd...ddddd...dd"),
            (1, 60, 5, ".dddddd.dddddd.ddddd"),
            (3, 5, 0, "...d.d....d.d....d.d"),
        ] {
            let action = NewAction::Drop;
            let threshold = Threshold {
                kind: Kind::Rate { action, timeout_s },
                track: Track::Source,
                count,
                seconds,
            };
            let times: Vec<u64> = (0..20).map(|s| s * 1_000).collect();
            let did = |judgement: &Judgement| match judgement {
                Judgement::NewAction { alert: true, .. } => 'd',
                _ => '.',
            };
            let done: String = judgements(threshold, &times).iter().map(did).collect();
            assert_eq!(done, expected, "{count} {seconds} {timeout_s}");
        }
        let threshold = Threshold {
            kind: Kind::Rate {
                action: NewAction::Pass,
                timeout_s: 2,
            },
            track: Track::Rule,
            count: 1,
            seconds: 4,
        };
        let passed = Judgement::NewAction {
            action: NewAction::Pass,
            alert: false,
        };
        let judged = judgements(threshold, &[0, 1_200, 3_900, 4_000]);
        let alert = Judgement::Alert;
        assert_eq!(judged, [alert, passed, passed, alert]);
    }

    #[test]
    fn what_is_counted_together() {
        for (track, expected) in [
            ("by_both", [true, false, true]),
            ("by_src", [true, true, true]),
            ("by_dst", [true, true, false]),
            ("by_rule", [true, false, false]),
        ] {
            let limit = format!("type limit, track {track}, count 1, seconds 60");
            let (limit, mut thresholds) = (parse(&limit).unwrap(), Thresholds::new(10));
            let packets = [ends(1, 2), ends(2, 1), ends(3, 2)];
            let judged = packets.map(|ends| thresholds.judge(RULE, &limit, ends, None, 0));
            assert_eq!(judged.map(|it| it == Judgement::Alert), expected, "{track}");
            let other = RuleKey { gid: 1, sid: 2 };
            let judged = thresholds.judge(other, &limit, packets[0], None, 0);
            assert_eq!(judged, Judgement::Alert);
        }
        let limit = parse("type limit, track by_flow, count 1, seconds 60").unwrap();
        let mut thresholds = Thresholds::new(10);
        let flows = [
            Some(FlowId(1)),
            Some(FlowId(2)),
            Some(FlowId(1)),
            None,
            None,
        ];
        let judged = flows.map(|flow| thresholds.judge(RULE, &limit, ends(1, 2), flow, 0));
        let alerting = judged.map(|judgement| judgement == Judgement::Alert);
        assert_eq!(alerting, [true, true, false, true, true]);
    }

    #[test]
    fn the_table_is_bounded_and_counts_do_not_wrap() {
        let limit = parse("type limit, track by_src, count 1, seconds 60").unwrap();
        let mut thresholds = Thresholds::new(1_000);
        for n in 0..50_000_u32 {
            let src = IpAddr::from(n.to_be_bytes());
            thresholds.judge(RULE, &limit, Ends { src, dst: src }, None, u64::MAX);
        }
        assert_eq!((thresholds.len(), thresholds.evicted()), (1_000, 49_000));
        let mut count = Count {
            count: u32::MAX,
            next: u64::MAX,
            ..Count::default()
        };
        assert_eq!(count.backoff(1, 65_535), Judgement::Silent);
        assert_eq!((count.count, count.next), (u32::MAX, u64::MAX));
    }

    /// The same from the list of all matches: windows follow one another, each starts with the
    /// first match beyond the one before.
    fn from_timestamps(threshold: &Threshold, times: &[u64]) -> Judgement {
        let lasts = u64::from(threshold.seconds) * SECOND_NS;
        let mut window: Vec<u64> = Vec::new();
        for time in times {
            if window.first().is_some_and(|first| time - first > lasts) {
                window.clear();
            }
            window.push(*time);
        }
        let (count, wanted) = (window.len(), threshold.count as usize);
        match threshold.kind {
            Kind::Limit if count <= wanted => Judgement::Alert,
            Kind::Limit => Judgement::Silent,
            Kind::Threshold if count.is_multiple_of(wanted) => Judgement::Alert,
            Kind::Both if count > wanted => Judgement::Silent,
            Kind::Both if count == wanted => Judgement::Alert,
            Kind::DetectionFilter if count > wanted => Judgement::Alert,
            _ => Judgement::NoMatch,
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_list_of_timestamps(
            kind in prop::sample::select(vec![
                Kind::Limit,
                Kind::Threshold,
                Kind::Both,
                Kind::DetectionFilter,
            ]),
            (count, seconds) in (1u32..5, 0u32..6),
            passed in prop::collection::vec((0u64..3_000_000_000, 0u8..3), 0..60),
        ) {
            let threshold = Threshold { kind, track: Track::Source, count, seconds };
            let mut thresholds = Thresholds::new(3);
            let (mut now, mut of_source) = (0, vec![Vec::new(); 3]);
            for (passed, source) in passed {
                now += passed;
                let times = &mut of_source[usize::from(source)];
                times.push(now);
                let judgement = thresholds.judge(RULE, &threshold, ends(source, 9), None, now);
                prop_assert_eq!(judgement, from_timestamps(&threshold, times));
            }
        }
    }
}
