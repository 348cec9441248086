//! Rules on the packet path: what they say becomes records, and verdicts for who acts on them.

use std::sync::Arc;

use detect::Verdict;
use detect::rules::{Alert, Fate, Inspector, Options, Outcome, RuleSet, Verdicts, VerdictsConfig};
use packet::{Event, FiveTuple, Flow};

use super::{Judge, OnVerdict, Pipeline};
use crate::eve::{self, Now};
use crate::rules::InForce;

/// Most alerts of one packet that partners' rules get: enough that one partner's leave room for
/// another's.
const PARTNERS_ALERTS_MAX: usize = 256;
/// Most bytes of streams and files that wait for partners' rules.
const PARTNERS_WINDOW_BYTES_MAX: usize = 64 << 20;

/// Inspectors of one inspection point.
#[derive(Debug, Default)]
pub(super) struct Ruled {
    /// Of the operator's rules.
    pub(super) own: Option<Inspector>,
    /// Of partners' rules: what they do, own rules do not see.
    pub(super) partners: Option<Inspector>,
    /// Makes verdicts of alerts, where somebody acts on them.
    pub(super) verdicts: Option<Verdicts>,
    /// The rules in use, where they may be replaced.
    in_force: Arc<InForce>,
    /// How often rules were replaced.
    replaced: u64,
}

impl Ruled {
    /// How many rules there are, and what came of them, where they may be replaced.
    pub(super) fn counters(&self) -> Vec<(&'static str, u64)> {
        let Some(verdicts) = &self.verdicts else {
            return Vec::new();
        };
        let len = |rules: &Option<Arc<RuleSet>>| {
            let len = rules.as_ref().map_or(0, |rules| rules.len());
            u64::try_from(len).unwrap_or(u64::MAX)
        };
        let mut counters = vec![
            ("rule.own", len(&self.in_force.own)),
            ("rule.partners", len(&self.in_force.partners)),
            ("rule.replaced", self.replaced),
        ];
        counters.extend(verdicts.counters());
        counters
    }
}

impl Pipeline {
    /// Makes verdicts of the alerts of rules from here on.
    #[must_use]
    pub fn with_verdicts(mut self, config: VerdictsConfig) -> Self {
        self.judge.ruled.verdicts = Some(Verdicts::new(config));
        self
    }

    /// Replaces the rules, between two packets. What is known of flows and hosts stays.
    pub fn set_rules(&mut self, rules: Arc<InForce>, options: &Options) {
        let ruled = &mut self.judge.ruled;
        let of_partners = Options {
            alerts_max: PARTNERS_ALERTS_MAX,
            window_bytes_max: PARTNERS_WINDOW_BYTES_MAX,
            ..options.clone()
        };
        let before = std::mem::replace(&mut ruled.in_force, rules);
        let now = &ruled.in_force;
        replace(&mut ruled.own, [&before.own, &now.own], options);
        let partners = [&before.partners, &now.partners];
        replace(&mut ruled.partners, partners, &of_partners);
        ruled.replaced = ruled.replaced.saturating_add(1);
        let (inspect, digests) = (!now.is_empty(), self.digests.or(now.digests()));
        self.sensor.look_for(inspect, digests);
    }

    /// The rules that were set last.
    #[must_use]
    pub fn rules(&self) -> &Arc<InForce> {
        &self.judge.ruled.in_force
    }
}

/// Gives an inspector other rules than before. One that has none is given up: nothing that it knows
/// counts any more.
fn replace(
    inspector: &mut Option<Inspector>,
    [before, now]: [&Option<Arc<RuleSet>>; 2],
    options: &Options,
) {
    let is_same = before
        .as_ref()
        .zip(now.as_ref())
        .is_some_and(|(before, now)| Arc::ptr_eq(before, now));
    match (inspector.as_mut(), now) {
        (Some(_), Some(_)) if is_same => {}
        (Some(inspector), Some(now)) => inspector.set_rules(Arc::clone(now)),
        (None, Some(now)) => *inspector = Some(Inspector::new(options.clone(), Arc::clone(now))),
        (_, None) => *inspector = None,
    }
}

impl Judge {
    /// Shows an event to the rules, and tells what comes of it.
    pub(super) fn rules(&mut self, event: &Event<'_>, now: Now, on_verdict: &mut OnVerdict<'_>) {
        let outcome = self.own_rules(event, now, on_verdict);
        // what the operator lets pass, partners say nothing of
        let passed = outcome.passed || outcome.fate == Some(Fate::Pass);
        self.partners_rules(event, passed, now, on_verdict);
    }

    fn own_rules(
        &mut self,
        event: &Event<'_>,
        now: Now,
        on_verdict: &mut OnVerdict<'_>,
    ) -> Outcome {
        let Some(inspector) = &mut self.ruled.own else {
            return Outcome::default();
        };
        inspector.event(event, now.ts_ns);
        let alerts: Vec<_> = inspector.alerts().collect();
        let is_judged = matches!(event, Event::Inspect(_) | Event::FlowEnd(..));
        let outcome = match is_judged {
            true => inspector.outcome(),
            // nothing comes of most events but that more is known
            false if alerts.is_empty() && inspector.remembered().is_none() => {
                return Outcome::default();
            }
            false => Outcome::default(),
        };
        if let (Some(said), Some(log)) = (inspector.remembered(), &mut self.log) {
            log.remember(said);
        }
        let told = alerts.iter().filter(|alert| !alert.silent);
        self.given = self
            .given
            .saturating_add(u64::try_from(told.clone().count()).unwrap_or(u64::MAX));
        for alert in told {
            self.tell(alert, event, now, on_verdict);
        }
        self.passage.judged(&outcome);
        if let Event::Inspect(inspect) = event {
            if outcome.fate == Some(Fate::Drop) && outcome.refused.is_none() {
                self.dropped = inspect.flow.copied();
            }
            if outcome.stores {
                self.kept = inspect.flow.copied();
            }
            if outcome.bypassed {
                self.bypassed = inspect.flow.copied();
            }
        }
        if (!alerts.is_empty() || outcome != Outcome::default())
            && let Some(log) = &mut self.log
        {
            log.judged(&alerts, outcome, event, self.inline, now);
        }
        outcome
    }

    /// Partners' rules tell, and do nothing else; each says the same of a source once in a while.
    fn partners_rules(
        &mut self,
        event: &Event<'_>,
        passed: bool,
        now: Now,
        on_verdict: &mut OnVerdict<'_>,
    ) {
        let Some(inspector) = &mut self.ruled.partners else {
            return;
        };
        inspector.event(event, now.ts_ns);
        let mut alerts: Vec<_> = inspector.alerts().collect();
        if passed || alerts.is_empty() {
            return;
        }
        alerts.retain(|alert| self.tell(alert, event, now, on_verdict));
        self.given = self
            .given
            .saturating_add(u64::try_from(alerts.len()).unwrap_or(u64::MAX));
        if let Some(log) = self.log.as_mut().filter(|_| !alerts.is_empty()) {
            log.judged(&alerts, Outcome::default(), event, self.inline, now);
        }
    }

    /// Hands the verdict of an alert to who acts on it; whether there is one.
    fn tell(
        &mut self,
        alert: &Alert,
        event: &Event<'_>,
        now: Now,
        on_verdict: &mut OnVerdict<'_>,
    ) -> bool {
        let Some(verdicts) = &mut self.ruled.verdicts else {
            return false;
        };
        let (flow, tuple) = ends(event);
        let Some(verdict) = verdicts.of(alert, flow, tuple, now.ts_ns) else {
            return false;
        };
        let verdicts: &[Verdict] = std::slice::from_ref(&verdict);
        self.watch.convict_all(verdicts);
        on_verdict(&verdict);
        true
    }
}

/// The flow that an event is about, and the ends of its packet, the sender first.
fn ends<'e>(event: &Event<'e>) -> (Option<&'e Flow>, Option<FiveTuple>) {
    if let Event::Inspect(inspect) = event {
        return (inspect.flow, inspect.tuple);
    }
    (eve::flow_of(event), None)
}
