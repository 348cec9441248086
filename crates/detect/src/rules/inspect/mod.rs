//! Rules against traffic: the events of a sensor go in, alerts come out.
//!
//! ```text
//! Event::Stream        -> window of the stream -\
//! Event::Progress      -> parts of transactions --> buffers -> literals -> rules that may match
//! Event::FileData, File -> window of the file  -/                 |
//! Event::Inspect (the packet is over)     packet's payload -------/
//!        -> conditions, effects, thresholds in the order of the rules -> Alert
//! ```
//!
//! What a rule asks of buffers is judged when they are there; what it asks of the packet and its
//! flow, when a packet that goes its way is over. So all rules of one packet are judged in one order,
//! whatever they look at.

mod event;
mod file;
mod packet;
mod stream;
mod transaction;

use std::sync::Arc;

use ::packet::settings::Settings;
use ::packet::{
    Anomaly, AnomalyKind, AppProto, Direction, EndReason, Event, Flow, FlowId,
    FlowState as Standing, Inspect,
};
use hashbrown::HashMap;

use super::alert::{Alert, Reason, Told};
use super::header::{Action, RejectTarget};
use super::literal::Seen;
use super::memory::{FlowMemory, Memory};
use super::rule::{Asked, Inspection, Rule};
use super::scene::{Scene, Values};
use super::set::{List, Point, RuleSet};
use super::state::tags::HostTags;
use super::state::threshold::NewAction;
use super::state::{Ends, HostBits, Judgement, Thresholds};
use super::walk::Walk;
use event::Messages;
use file::Files;
use stream::Window;
use transaction::Matched;

/// Bounds of an [`Inspector`], and how it takes streams.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most flows of which something is remembered.
    pub flows_max: usize,
    /// Most bits of hosts.
    pub host_bits_max: usize,
    /// Most hosts whose packets rules show.
    pub tagged_hosts_max: usize,
    /// Most counts of thresholds.
    pub thresholds_max: usize,
    /// Most alerts of one packet (`packet-alert-max`).
    pub alerts_max: usize,
    /// A stream is looked at when so many new bytes are there, a message is complete, or it is over;
    /// 0: at once.
    pub stream_bytes_min: usize,
    /// The path goes through here: what is dropped does not go on, and a stream is looked at with each
    /// packet, the bytes before it included.
    pub inline: bool,
}

impl Options {
    /// From the settings, under which streams are looked at as the sensors do that they are written
    /// for.
    #[must_use]
    pub fn from_settings(settings: &Settings, inline: bool) -> Self {
        let inline = match settings.at("stream.inline").text() {
            None | Some("auto") => inline,
            Some(_) => settings.at("stream.inline").flag().unwrap_or(inline),
        };
        let chunk = settings.at("stream.reassembly.toserver-chunk-size").bytes();
        let chunk = chunk.and_then(|bytes| usize::try_from(bytes).ok());
        let alerts = settings.at("packet-alert-max").number();
        let default = Self::default();
        Self {
            stream_bytes_min: if inline { 0 } else { chunk.unwrap_or(2560) },
            inline,
            alerts_max: alerts
                .and_then(|alerts| usize::try_from(alerts).ok())
                .unwrap_or(default.alerts_max),
            ..default
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flows_max: 262_144,
            host_bits_max: 262_144,
            tagged_hosts_max: 65_536,
            thresholds_max: 262_144,
            alerts_max: 15,
            stream_bytes_min: 0,
            inline: false,
        }
    }
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Alerts.
    pub alerts: u64,
    /// Alerts beyond [`Options::alerts_max`].
    pub alerts_max_hit: u64,
    /// Alerts that a threshold or `noalert` silenced.
    pub alerts_suppressed: u64,
    /// Walks over a buffer that ended at a bound.
    pub walks_exhausted: u64,
    /// Flows of which nothing was remembered, for there were too many.
    pub flows_max_hit: u64,
    /// Matches forgotten while their transactions were under way, for there were too many.
    pub matched_max_hit: u64,
}

/// Judges traffic by a set of rules. One per thread; it shares nothing but the set.
#[derive(Debug)]
pub struct Inspector {
    rules: Arc<RuleSet>,
    options: Options,
    counters: Counters,
    flows: HashMap<FlowId, FlowState>,
    hosts: HostBits,
    tags: HostTags,
    thresholds: Thresholds,
    seen: Seen,
    /// What was wrong with the packet at hand.
    events: Vec<AnomalyKind>,
    candidates: Vec<u32>,
    outcome: Outcome,
    alerts: Vec<Alert>,
}

/// What is known of a flow.
#[derive(Debug, Default)]
struct FlowState {
    memory: FlowMemory,
    /// Rules whose buffers matched, by direction, until a packet goes that way.
    waiting: [Vec<Match>; 2],
    streams: [Window; 2],
    files: Files,
    messages: Messages,
    /// Rules that look into payload and transactions, whose payload matched.
    payload_matched: Vec<u32>,
    /// Rules that matched transactions that are under way.
    matched: Matched,
    /// What a rule did with all of it.
    fate: Option<Fate>,
}

/// What a rule did with a flow as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It goes on, and is not looked at any more.
    Pass,
    /// It does not go on.
    Drop,
}

/// What became of the latest packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// A rule let it go on.
    pub passed: bool,
    /// It does not go on: a rule dropped it, or its flow.
    pub dropped: bool,
    /// Who is told that it was dropped.
    pub rejected: Option<RejectTarget>,
    /// What a rule did with its flow.
    pub fate: Option<Fate>,
    /// Its flow was dropped before it.
    pub of_dropped_flow: bool,
    /// A rule that matched before it shows it.
    pub tagged: bool,
    /// Its flow is not to be looked at any more.
    pub bypassed: bool,
}

/// Most anomalies of a packet that rules are asked of.
const EVENTS_MAX: usize = 64;

/// Values that were caught on the way, by name.
type Caught = Vec<(u32, Vec<u8>)>;

/// A rule whose buffers matched.
#[derive(Debug, Clone)]
struct Match {
    rule: u32,
    transaction: Option<Arc<Told>>,
    stream: Option<Arc<[u8]>>,
    reason: Option<Reason>,
    caught: Vec<(u32, Vec<u8>)>,
}

impl Inspector {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(options: Options, rules: Arc<RuleSet>) -> Self {
        Self {
            rules,
            hosts: HostBits::new(options.host_bits_max),
            tags: HostTags::new(options.tagged_hosts_max),
            thresholds: Thresholds::new(options.thresholds_max),
            options,
            counters: Counters::default(),
            flows: HashMap::new(),
            seen: Seen::default(),
            events: Vec::new(),
            candidates: Vec::new(),
            outcome: Outcome::default(),
            alerts: Vec::new(),
        }
    }

    /// Replaces the rules, between two packets. Bits of flows and hosts and counts stay; what waits
    /// to be judged by the old ones is judged by none.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) {
        self.rules = rules;
        for flow in self.flows.values_mut() {
            flow.waiting = Default::default();
            flow.messages = Messages::default();
            flow.payload_matched.clear();
            flow.matched = Matched::default();
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The alerts of the latest event, in their order.
    pub fn alerts(&mut self) -> std::vec::Drain<'_, Alert> {
        self.alerts.drain(..)
    }

    /// What became of the packet of the latest [`Event::Inspect`], or of the flow of the latest
    /// [`Event::FlowEnd`].
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Takes one event. `now_ns` is packet time.
    ///
    /// # Failure bias
    /// Open: where a bound is hit, rules do not match.
    pub fn event(&mut self, event: &Event<'_>, now_ns: u64) {
        match event {
            Event::Packet(_) => self.events.clear(),
            Event::Anomaly(flow, anomaly) => self.anomaly(*flow, anomaly, now_ns),
            Event::Stream(flow, direction, piece) => {
                self.news(flow, *direction);
                self.stream(flow, *direction, *piece, now_ns);
            }
            Event::Progress(flow, transaction, part) => {
                self.part(flow, *transaction, *part, now_ns);
            }
            Event::Transaction(flow, transaction) => {
                for part in transaction.parts() {
                    self.part(flow, *transaction, *part, now_ns);
                }
                if transaction.is_complete() {
                    self.forget(flow.id, transaction.id());
                }
                self.message_end(flow, *transaction);
            }
            Event::FileData(flow, transaction, chunk) => {
                self.file_data(flow, *transaction, chunk, now_ns)
            }
            Event::File(flow, transaction, file) => self.file(flow, *transaction, file, now_ns),
            Event::Inspect(inspect) => self.packet(inspect, now_ns),
            Event::FlowEnd(flow, reason) => self.flow_end(flow, *reason, now_ns),
            Event::AppFrame(..)
            | Event::Arp(_)
            | Event::Attempt(..)
            | Event::Closed(..)
            | Event::FlowStart(_)
            | Event::Proven(_) => {}
        }
    }

    fn anomaly(&mut self, flow: Option<&Flow>, anomaly: &Anomaly, now_ns: u64) {
        if self.events.len() < EVENTS_MAX {
            self.events.push(anomaly.kind);
        }
        if let (AnomalyKind::AppLayer(app, name), Some(flow), Some(id)) =
            (anomaly.kind, flow, anomaly.tx_id)
        {
            self.app_event(flow, (app, name), id, now_ns);
        }
    }

    /// What is known of a flow, as far as there is room.
    fn flow(&mut self, id: FlowId) -> Option<&mut FlowState> {
        self.has_room(id).then(|| self.flows.entry(id).or_default())
    }

    fn has_room(&mut self, id: FlowId) -> bool {
        let is_full = self.flows.len() >= self.options.flows_max && !self.flows.contains_key(&id);
        self.counters.flows_max_hit = self
            .counters
            .flows_max_hit
            .saturating_add(u64::from(is_full));
        !is_full
    }

    fn flow_end(&mut self, flow: &Flow, _: EndReason, now_ns: u64) {
        self.outcome = Outcome::default();
        let fate = self.flows.get(&flow.id).and_then(|state| state.fate);
        for direction in super::set::DIRECTIONS
            .into_iter()
            .filter(|_| fate.is_none())
        {
            let moment = Moment {
                inspect: None,
                flow: Some(flow),
                direction,
                now_ns,
            };
            self.judge(&moment, Vec::new());
        }
        self.flows.remove(&flow.id);
    }

    /// The rules of a point that may match: those that no literal leads to, and those whose literal
    /// is there. `value` yields the values of a list.
    fn candidates(
        &mut self,
        point: &Point,
        from: usize,
        mut values: impl FnMut(&List, &mut dyn FnMut(&[u8])),
    ) {
        self.candidates.clear();
        self.candidates.extend_from_slice(&point.always);
        let Self {
            seen, candidates, ..
        } = self;
        for list in &point.lists {
            values(list, &mut |value| {
                list.literals.scan(value, from, seen, &mut |literal, _| {
                    let literal = usize::try_from(literal).unwrap_or(usize::MAX);
                    candidates.extend(list.rules.get(literal).into_iter().flatten());
                });
            });
        }
        candidates.sort_unstable();
        candidates.dedup();
    }

    /// Whether all that a rule asks of `which` of its inspections holds; what matched first.
    fn holds(
        &mut self,
        rule: &Rule,
        scene: &Scene<'_>,
        which: impl Fn(&Inspection) -> bool,
    ) -> Option<(Option<Reason>, Caught)> {
        let mut reason = None;
        let mut walk = Walk::new(scene);
        for inspection in rule
            .inspections
            .iter()
            .filter(|inspection| which(inspection))
        {
            let mut values = Values::default();
            values_of(
                inspection.buffer,
                &inspection.transforms,
                scene,
                &mut values,
            );
            if values.is_empty() && inspection.or_absent {
                continue;
            }
            let values: Vec<&[u8]> = values.iter().collect();
            let mut inner = Walk::beside(&walk);
            let holds = values.iter().any(|value| inner.over(value, inspection));
            if inner.exhausted || inner.pcre.exhausted {
                self.counters.walks_exhausted = self.counters.walks_exhausted.saturating_add(1);
            }
            if !holds {
                return None;
            }
            if let Some((start, end)) = inner.matched {
                reason.get_or_insert(Reason {
                    buffer: inspection.buffer.map_or("payload", |buffer| buffer.name),
                    offset: u32::try_from(start).unwrap_or(u32::MAX),
                    len: u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX),
                });
            }
            walk.variables = inner.variables;
            walk.caught.append(&mut inner.caught);
        }
        Some((reason, walk.caught))
    }

    /// Judges what waits in a flow's direction, and what matched in the packet, if there is one: all in
    /// the order of the rules.
    fn judge(&mut self, moment: &Moment<'_>, mut matches: Vec<Match>) {
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
        let mut matched: Vec<(Match, Action, bool)> = Vec::new();
        for found in matches {
            let Some(rule) = rules.rule(found.rule) else {
                continue;
            };
            if rule.asked == Asked::Protocol && !state.is_detected(moment) {
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
            memory.flow.caught.extend(found.caught.iter().cloned());
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
        mut matched: Vec<(Match, Action, bool)>,
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
                guessed: false,
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

/// A packet, or the end of a flow, with which rules are judged.
#[derive(Debug, Clone, Copy)]
struct Moment<'m> {
    inspect: Option<&'m Inspect<'m>>,
    flow: Option<&'m Flow>,
    direction: Direction,
    now_ns: u64,
}

impl<'m> Moment<'m> {
    fn scene(&self, sets: &'m super::scene::Sets) -> Scene<'m> {
        let of_flow = self.flow.map(|flow| match self.direction {
            Direction::ToServer => flow.tuple,
            Direction::ToClient => flow.tuple.reversed(),
        });
        Scene {
            packet: self.inspect.map(|inspect| inspect.packet),
            flow: self.flow,
            direction: self.direction,
            tuple: self.inspect.and_then(|inspect| inspect.tuple).or(of_flow),
            established: self.inspect.is_none_or(|inspect| inspect.established),
            payload: self
                .inspect
                .map_or(&[], |inspect| inspect.packet.decoded.payload()),
            transaction: None,
            sets,
            file: None,
            now_ns: self.now_ns,
        }
    }
}

impl Match {
    /// Whether what the rule does is done to the whole flow: it matched in a stream or a transaction,
    /// or says nothing of the packet itself.
    fn is_of_flow(&self, rule: &Rule) -> bool {
        self.transaction.is_some() || self.stream.is_some() || rule.is_of_flow()
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

/// The place of a direction in a pair.
fn at(direction: Direction) -> usize {
    usize::from(direction == Direction::ToClient)
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
            || !memory.caught.is_empty()
    }
}

/// The values of a buffer, changed by transforms.
fn values_of<'s>(
    buffer: Option<&'static super::scene::Buffer>,
    transforms: &[super::transform::Transform],
    scene: &Scene<'s>,
    values: &mut Values<'s>,
) {
    match buffer {
        Some(buffer) => (buffer.get)(scene, values),
        None => values.push(scene.payload),
    }
    for transform in transforms {
        values.map(|value| {
            let mut changed = Vec::new();
            transform.apply(value, &mut changed);
            changed
        });
    }
}
