//! What comes of the rules that matched, in their order.

use std::sync::Arc;

use packet::{AppProto, FlowState as Standing};

use super::super::alert::Alert;
use super::super::header::{Action, RejectTarget};
use super::super::memory::Memory;
use super::super::rule::{Asked, Rule};
use super::super::scene::Scene;
use super::super::set::RuleSet;
use super::super::state::threshold::NewAction;
use super::super::state::{Ends, Judgement};
use super::{Fate, FlowState, Inspector, Match, Moment, at};

/// A rule that matched as a whole: what is left of its action, and whether it is told.
type Matched = (Match, Action, bool);

impl Inspector {
    /// Judges what waits in a flow's direction, and what matched in the packet, if there is one: all in
    /// the order of the rules.
    pub(super) fn judge(&mut self, moment: &Moment<'_>, mut matches: Vec<Match>) {
        let rules = Arc::clone(&self.rules);
        matches.append(&mut self.of_messages(moment));
        let mut state = moment.flow.and_then(|flow| self.flows.remove(&flow.id));
        let is_known = state.is_some();
        if let (Some(state), Some(flow)) = (&mut state, moment.flow) {
            self.window(
                &rules,
                flow,
                state,
                moment.direction,
                moment.inspect.is_none(),
                moment.now_ns,
            );
            let waiting = state.waiting.get_mut(at(moment.direction));
            matches.extend(waiting.map(std::mem::take).unwrap_or_default());
        }
        let mut state = state.unwrap_or_default();
        self.judge_all(&rules, moment, matches, &mut state);
        if let Some(flow) = moment.flow.filter(|_| is_known || state.is_worth_keeping())
            && (is_known || self.has_room(flow.id))
        {
            self.flows.insert(flow.id, state);
        }
    }

    fn judge_all(
        &mut self,
        rules: &Arc<RuleSet>,
        moment: &Moment<'_>,
        mut matches: Vec<Match>,
        state: &mut FlowState,
    ) {
        state.note_protocol(rules, moment);
        // packets before transactions, each in the order of the rules
        matches.sort_by_key(|found| (found.transaction.is_some(), found.rule));
        let scene = moment.scene(&rules.sets);
        let mut matched: Vec<Matched> = Vec::new();
        for found in matches {
            let Some(rule) = rules.rule(found.rule) else {
                continue;
            };
            if rule.asked == Asked::Protocol && !state.is_detected(moment) {
                continue;
            }
            if rule.is_mixed() && !state.payload_matched.contains(&found.rule) {
                // its payload may match with a later packet
                self.wait(state, moment.direction, found);
                continue;
            }
            let mut memory = Memory {
                flow: &mut state.memory,
                hosts: &mut self.hosts,
                tags: &mut self.tags,
                rule: rule.key(),
                events: &self.events,
            };
            if !rule
                .conditions
                .iter()
                .all(|condition| condition.holds(&scene, &mut memory))
            {
                continue;
            }
            if let Some((action, tells)) = self.effect(rule, &scene, state) {
                matched.push((found, action, tells));
            }
        }
        self.conclude(rules, moment, matched, state);
    }

    /// Does what the rules that matched say, in their order.
    fn conclude(
        &mut self,
        rules: &Arc<RuleSet>,
        moment: &Moment<'_>,
        mut matched: Vec<Matched>,
        state: &mut FlowState,
    ) {
        matched.sort_by_key(|(found, ..)| found.rule);
        let mut told = 0_usize;
        for (found, action, tells) in matched {
            let Some(rule) = rules.rule(found.rule) else {
                continue;
            };
            if moment.flow.is_some() && found.is_of_flow(rule) {
                state.fate = match action {
                    Action::Pass => Some(Fate::Pass),
                    Action::Drop | Action::Reject(_) if self.options.inline => Some(Fate::Drop),
                    Action::Alert | Action::Drop | Action::Reject(_) => state.fate,
                };
            }
            match action {
                Action::Pass => {
                    self.outcome.passed = true;
                    break;
                }
                Action::Drop => self.outcome.dropped = self.options.inline,
                Action::Reject(target) => {
                    self.outcome.dropped = self.options.inline;
                    self.outcome.rejected = Some(target);
                }
                Action::Alert => {}
            }
            if !tells {
                continue;
            }
            if told >= self.options.alerts_max {
                self.counters.alerts_max_hit = self.counters.alerts_max_hit.saturating_add(1);
                continue;
            }
            told = told.saturating_add(1);
            self.counters.alerts = self.counters.alerts.saturating_add(1);
            self.alerts.push(Alert {
                rules: Arc::clone(rules),
                number: found.rule,
                action,
                transaction: found.transaction,
                reason: found.reason,
                stream: found.stream,
                direction: moment.direction,
                flow: moment.flow.map(|flow| flow.id),
            });
        }
        self.outcome.fate = state.fate;
        self.follow(moment, state);
    }

    /// What earlier matches mean for the packet, and this one's for those behind it.
    fn follow(&mut self, moment: &Moment<'_>, state: &mut FlowState) {
        let Some(inspect) = moment.inspect else {
            return;
        };
        let (len, now_ns) = (inspect.packet.decoded.data.len(), moment.now_ns);
        let of_flow = state.memory.tags.packet(len, now_ns);
        let ends = inspect.tuple.map(|tuple| [tuple.src, tuple.dst]);
        let of_hosts = ends.is_some_and(|ends| self.tags.packet(ends, len, now_ns));
        self.outcome.tagged = of_flow || of_hosts;
        self.outcome.bypassed = moment.flow.is_some() && state.memory.is_bypassed;
        state.memory.is_bypassed |= moment
            .flow
            .is_some_and(|flow| flow.state == Standing::Bypassed);
    }

    /// What follows from a rule that matched: the action that is left of it, if any, and whether it is
    /// told.
    fn effect(
        &mut self,
        rule: &Rule,
        scene: &Scene<'_>,
        state: &mut FlowState,
    ) -> Option<(Action, bool)> {
        let ends = scene.tuple.map(|tuple| Ends {
            src: tuple.src,
            dst: tuple.dst,
        });
        let key = rule.key();
        let flow = scene.flow.map(|flow| flow.id);
        let mut memory = Memory {
            flow: &mut state.memory,
            hosts: &mut self.hosts,
            tags: &mut self.tags,
            rule: key,
            events: &self.events,
        };
        for effect in &rule.effects {
            effect.apply(scene, &mut memory);
        }
        let judgement = match ends.filter(|_| !rule.filter.is_empty()) {
            Some(ends) => rule
                .filter
                .judge(&mut self.thresholds, key, ends, flow, scene.now_ns),
            None => Judgement::Alert,
        };
        let (action, tells) = match judgement {
            Judgement::Alert => (rule.action(), true),
            Judgement::Silent => (rule.action(), false),
            Judgement::NoMatch => {
                self.counters.alerts_suppressed = self.counters.alerts_suppressed.saturating_add(1);
                return None;
            }
            Judgement::NewAction { action, alert } => (of_filter(action), alert),
        };
        let silenced = u64::from(!tells || rule.silent);
        self.counters.alerts_suppressed = self.counters.alerts_suppressed.saturating_add(silenced);
        Some((action, tells && !rule.silent))
    }
}

fn of_filter(action: NewAction) -> Action {
    match action {
        NewAction::Alert => Action::Alert,
        NewAction::Drop => Action::Drop,
        NewAction::Pass => Action::Pass,
        NewAction::Reject => Action::Reject(RejectTarget::Source),
    }
}

impl FlowState {
    /// Notes with which packet of a direction its application protocol is known.
    fn note_protocol(&mut self, rules: &RuleSet, moment: &Moment<'_>) {
        let Some(flow) = moment.flow.filter(|_| rules.asks_protocol) else {
            return;
        };
        let place = at(moment.direction);
        let is_known = flow.app_found.get(place) != Some(&AppProto::Unknown);
        if let Some(known) = self.memory.protocol_known_at.get_mut(place)
            && known.is_none()
            && is_known
        {
            *known = Some(flow.counts(moment.direction).packets);
        }
    }

    /// Whether that packet is at hand.
    fn is_detected(&self, moment: &Moment<'_>) -> bool {
        let known = self.memory.protocol_known_at.get(at(moment.direction));
        let packets = moment
            .flow
            .map(|flow| flow.counts(moment.direction).packets);
        packets.is_some() && known.is_some_and(|known| *known == packets)
    }

    fn is_worth_keeping(&self) -> bool {
        let memory = &self.memory;
        self.fate.is_some()
            || memory.is_bypassed
            || memory.protocol_known_at != [None; 2]
            || !memory.tags.is_empty()
            || !memory.bits.is_empty()
            || memory.ints.iter().next().is_some()
    }
}
