//! What comes of the rules that matched, in their order.

use std::sync::Arc;

use packet::{AppProto, Flow, FlowState as Standing, Inspect};

use super::super::alert::Alert;
use super::super::header::{Action, RejectTarget};
use super::super::memory::Memory;
use super::super::note::{Note, Remembered, context, join};
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
    pub(super) fn judge(
        &mut self,
        rules: &Arc<RuleSet>,
        moment: &Moment<'_>,
        mut matches: Vec<Match>,
    ) {
        matches.append(&mut self.of_messages(moment));
        let mut state = moment.flow.and_then(|flow| self.flows.remove(flow.id));
        let is_known = state.is_some();
        if !is_known && matches.is_empty() && self.leaves_no_trace(rules, moment) {
            if let Some(inspect) = moment.inspect {
                self.outcome.tagged = self.tags_hosts(inspect, moment.now_ns);
            }
            return;
        }
        if let (Some(state), Some(flow)) = (&mut state, moment.flow) {
            self.window(
                rules,
                flow,
                state,
                moment.direction,
                moment.inspect.is_none(),
                moment.now_ns,
            );
            let waiting = state.waiting.get_mut(at(moment.direction));
            let mut waiting = waiting.map(std::mem::take).unwrap_or_default();
            state.join_gaps(moment.direction, &mut waiting);
            // a rule that matched in packet and stream matched once
            let is_of_stream = |rule: u32| {
                let mut of_streams = waiting.iter().filter(|found| found.stream.is_some());
                of_streams.any(|found| found.rule == rule)
            };
            matches.retain(|found| found.transaction.is_some() || !is_of_stream(found.rule));
            matches.append(&mut waiting);
        }
        let mut state = state.unwrap_or_else(|| self.flows.fresh());
        self.judge_all(rules, moment, matches, &mut state);
        self.remember(rules, moment, &mut state);
        state.files.settle(moment.direction);
        state.live.settle();
        self.charge(&mut state);
        if let Some(flow) = moment.flow.filter(|_| is_known || state.is_worth_keeping())
            && (is_known || self.has_room(flow.id))
        {
            self.flows.insert(flow.id, state);
        }
    }

    /// Whether there would be nothing to remember of a packet that no rule matched in: true of most.
    fn leaves_no_trace(&self, rules: &RuleSet, moment: &Moment<'_>) -> bool {
        let of_flow = |flow: &Flow| {
            let found = flow.app_found.get(at(moment.direction));
            flow.app_before == AppProto::Unknown
                && flow.state != Standing::Bypassed
                && (!rules.asks_protocol || found == Some(&AppProto::Unknown))
        };
        self.measured.is_empty() && self.variables.is_empty() && moment.flow.is_none_or(of_flow)
    }

    /// Whether a packet is tagged for its ends.
    fn tags_hosts(&mut self, inspect: &Inspect<'_>, now_ns: u64) -> bool {
        let ends = inspect.tuple.map(|tuple| [tuple.src, tuple.dst]);
        let len = inspect.packet.decoded.data.len();
        ends.is_some_and(|ends| self.tags.packet(ends, len, now_ns))
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
        matches.sort_by_key(|found| (found.transaction.is_some(), rules.rank_of(found.rule)));
        let scene = moment.scene(&rules.sets);
        let mut matched: Vec<Matched> = Vec::new();
        for mut found in matches {
            let Some(rule) = rules.rule(found.rule) else {
                continue;
            };
            if rule.asked == Asked::Protocol && !state.is_detected(moment) {
                continue;
            }
            if rule.is_mixed() {
                let mut of_payload = state.payload_matched.iter();
                let Some((_, notes)) = of_payload.find(|(known, _)| *known == found.rule) else {
                    // its payload may match with a later packet
                    self.wait(state, moment.direction, found);
                    continue;
                };
                let is_whole = join(&mut found.notes, &mut notes.iter().cloned());
                let hit = &mut self.counters.variables_max_hit;
                *hit = hit.saturating_add(u64::from(!is_whole));
            }
            if !self.conditions_hold(rule, &scene, state) {
                continue;
            }
            self.keep_notes(&found.notes, moment, state);
            // a rule both of whose ways the ends go matches twice
            let twice = rule.header.goes_both_ways(scene.tuple.as_ref());
            if twice && let Some((action, tells)) = self.effect(rule, &scene, state) {
                matched.push((found.clone(), action, tells));
            }
            if let Some((action, tells)) = self.effect(rule, &scene, state) {
                matched.push((found, action, tells));
            }
        }
        self.conclude(rules, moment, matched, state);
    }

    /// Whether what a rule asks of a packet and its flow holds.
    pub(super) fn conditions_hold(
        &mut self,
        rule: &Rule,
        scene: &Scene<'_>,
        state: &mut FlowState,
    ) -> bool {
        let mut memory = Memory {
            flow: &mut state.memory,
            hosts: &mut self.hosts,
            tags: &mut self.tags,
            rule: rule.key(),
            events: &self.events,
        };
        let mut conditions = rule.conditions.iter();
        conditions.all(|condition| condition.holds(scene, &mut memory))
    }

    /// Keeps the variables that a rule noted which matched.
    fn keep_notes(&mut self, notes: &[Note], moment: &Moment<'_>, state: &mut FlowState) {
        for note in notes {
            let is_kept = match note {
                Note::Context { .. } => true,
                Note::Flow { name, value } if moment.flow.is_some() => {
                    state.memory.has_changed = true;
                    state.memory.variables.set(name, value)
                }
                Note::Flow { name, value } | Note::Packet { name, value } => {
                    self.variables.set(name, value)
                }
            };
            let hit = &mut self.counters.variables_max_hit;
            *hit = hit.saturating_add(u64::from(!is_kept));
        }
    }

    /// Says what rules remember of the flow and the packet, where that has changed.
    fn remember(&mut self, rules: &RuleSet, moment: &Moment<'_>, state: &mut FlowState) {
        let flow = moment.flow.map(|flow| flow.id);
        let memory = &mut state.memory;
        self.measured.retain(|(of, buffer, entropy)| {
            let is_here = Some(*of) == flow;
            if is_here {
                memory.entropies.set(buffer, *entropy);
                memory.has_changed = true;
            }
            !is_here
        });
        if std::mem::take(&mut memory.has_changed) || !self.variables.is_empty() {
            let said = Remembered::of(flow, memory, &self.variables, &rules.names);
            self.remembered = Some(said);
            self.variables.clear();
        }
    }

    /// Does what the rules that matched say, in their order.
    fn conclude(
        &mut self,
        rules: &Arc<RuleSet>,
        moment: &Moment<'_>,
        mut matched: Vec<Matched>,
        state: &mut FlowState,
    ) {
        matched.sort_by_key(|(found, ..)| rules.rank_of(found.rule));
        let mut told = 0_usize;
        for (found, action, tells) in matched {
            let Some(rule) = rules.rule(found.rule) else {
                continue;
            };
            // what is dropped is not let go on by a rule behind the one that dropped it
            let is_dropped = self.outcome.dropped || state.fate == Some(Fate::Drop);
            if moment.flow.is_some() && found.is_of_flow(rule) {
                state.fate = match action {
                    Action::Pass if !is_dropped => Some(Fate::Pass),
                    Action::Drop | Action::Reject(_) if self.options.inline => Some(Fate::Drop),
                    Action::Alert | Action::Drop | Action::Pass | Action::Reject(_) => state.fate,
                };
            }
            match action {
                Action::Pass => self.outcome.passed = !is_dropped,
                Action::Drop => self.outcome.dropped = self.options.inline,
                Action::Reject(target) => {
                    self.outcome.dropped = self.options.inline;
                    self.outcome.rejected = Some(target);
                }
                Action::Alert => {}
            }
            let is_full = told >= self.options.alerts_max;
            let hit = &mut self.counters.alerts_max_hit;
            *hit = hit.saturating_add(u64::from(tells && is_full));
            let is_told = tells && !is_full;
            // who dropped a packet is said also where that is no alert
            if !(is_told || self.outcome.dropped && action.drops()) {
                if action == Action::Pass {
                    break;
                }
                continue;
            }
            told = told.saturating_add(usize::from(is_told));
            self.counters.alerts = self.counters.alerts.saturating_add(u64::from(is_told));
            let guessed = state
                .live
                .only()
                .filter(|_| found.transaction.is_none() && rule.looks_into_packets());
            let is_guessed = guessed.is_some();
            let told_of = found.transaction.as_ref().or(guessed).cloned();
            let transaction = told_of.as_ref().map(|told| told.id);
            let files = transaction.map(|id| state.files.list(id, moment.direction));
            self.alerts.push(Alert {
                rules: Arc::clone(rules),
                number: found.rule,
                action,
                silent: !is_told,
                files: files.unwrap_or_default(),
                context: context(&found.notes),
                transaction: told_of,
                guessed: is_guessed,
                reason: found.reason,
                stream: found.stream,
                direction: moment.direction,
                flow: moment.flow.map(|flow| flow.id),
            });
            if action == Action::Pass {
                break;
            }
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
        let of_hosts = self.tags_hosts(inspect, now_ns);
        self.outcome.tagged = of_flow || of_hosts;
        if let Some(flow) = moment.flow {
            state.memory.protocol_before = flow.app_before;
        }
        self.outcome.stores = std::mem::take(&mut state.files.has_stored);
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
        memory.flow.has_changed |= !rule.effects.is_empty();
        let refused = std::mem::take(&mut memory.flow.refused);
        let hit = &mut self.counters.variables_max_hit;
        *hit = hit.saturating_add(refused);
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
            || memory.protocol_before != AppProto::Unknown
            || !memory.tags.is_empty()
            || !memory.bits.is_empty()
            || memory.ints.iter().next().is_some()
            || !memory.variables.is_empty()
            || !memory.entropies.is_empty()
    }
}
