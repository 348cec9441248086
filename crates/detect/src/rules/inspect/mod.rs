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
mod judge;
mod packet;
mod stream;
mod transaction;

use std::sync::Arc;

use ::packet::settings::Settings;
use ::packet::{Anomaly, AnomalyKind, Direction, EndReason, Event, Flow, FlowId, Inspect};
use hashbrown::HashMap;

use super::alert::{Alert, Reason, Told};
use super::header::RejectTarget;
use super::literal::Seen;
use super::memory::FlowMemory;
use super::rule::{Inspection, Rule};
use super::scene::{Scene, Sets, Values};
use super::set::{List, Point, RuleSet};
use super::state::tags::HostTags;
use super::state::{HostBits, Thresholds};
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
    /// Most bytes of streams and files that wait to be looked at with those behind them, over all flows;
    /// beyond that they are looked at as they come.
    pub window_bytes_max: usize,
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
            window_bytes_max: 256 << 20,
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
    /// Matches lost while they waited for a packet of their direction, for there were too many.
    pub waiting_max_hit: u64,
    /// Times that bytes were looked at as they came, for [`Options::window_bytes_max`] was reached.
    pub window_bytes_max_hit: u64,
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
    /// Bytes of streams and files that wait, over all flows.
    window_bytes: usize,
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
    /// Bytes of streams and files that were last accounted for.
    charged: usize,
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

/// Most matches of a direction of a flow that wait for a packet that goes that way.
const WAITING_MAX: usize = 1024;
/// Most anomalies of a packet that rules are asked of.
const EVENTS_MAX: usize = 64;

/// A rule whose buffers matched.
#[derive(Debug, Clone)]
struct Match {
    rule: u32,
    transaction: Option<Arc<Told>>,
    stream: Option<Arc<[u8]>>,
    reason: Option<Reason>,
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
            window_bytes: 0,
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

    /// What was counted, by name; alerts are counted by who writes them.
    #[must_use]
    pub fn counted(&self) -> [(&'static str, u64); 9] {
        let counters = &self.counters;
        [
            ("detect.alert_queue_overflow", counters.alerts_max_hit),
            ("detect.alerts_suppressed", counters.alerts_suppressed),
            ("detect.flows_max_hit", counters.flows_max_hit),
            ("detect.host_bits_evicted", self.hosts.evicted()),
            ("detect.matched_max_hit", counters.matched_max_hit),
            ("detect.thresholds_evicted", self.thresholds.evicted()),
            ("detect.waiting_max_hit", counters.waiting_max_hit),
            ("detect.walks_exhausted", counters.walks_exhausted),
            ("detect.window_bytes_max_hit", counters.window_bytes_max_hit),
        ]
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
        if let Some(state) = self.flows.remove(&flow.id) {
            self.window_bytes = self.window_bytes.saturating_sub(state.charged);
        }
    }

    /// The rules of a point that may match: those that no literal leads to, and those whose literal
    /// is there. `values` yields the values of a list. The caller gives the numbers back to
    /// `self.candidates` for their room.
    fn candidates(
        &mut self,
        point: &Point,
        from: usize,
        mut values: impl FnMut(&List, &mut dyn FnMut(&[u8])),
    ) -> Vec<u32> {
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
        std::mem::take(candidates)
    }

    /// Keeps a rule that matched until a packet goes its way.
    fn wait(&mut self, state: &mut FlowState, direction: Direction, found: Match) {
        let Some(waiting) = state.waiting.get_mut(at(direction)) else {
            return;
        };
        if waiting.len() < WAITING_MAX {
            waiting.push(found);
        } else {
            self.counters.waiting_max_hit = self.counters.waiting_max_hit.saturating_add(1);
        }
    }

    /// Accounts for the bytes of streams and files that a flow keeps; whether there are too many over
    /// all flows.
    fn charge(&mut self, state: &mut FlowState) -> bool {
        let streams = state.streams.iter().map(Window::len);
        let now = streams.fold(state.files.len(), usize::saturating_add);
        let before = std::mem::replace(&mut state.charged, now);
        let others = self.window_bytes.saturating_sub(before);
        self.window_bytes = others.saturating_add(now);
        self.window_bytes > self.options.window_bytes_max
    }

    /// Takes what is known of a flow out to work on it; give it back with [`Self::keep`].
    fn take(&mut self, flow: FlowId) -> Option<FlowState> {
        let known = self.flows.remove(&flow);
        known.or_else(|| self.has_room(flow).then(FlowState::default))
    }

    /// Gives back what [`Self::take`] took.
    fn keep(&mut self, flow: FlowId, mut state: FlowState) {
        self.charge(&mut state);
        self.flows.insert(flow, state);
    }

    /// Whether all that a rule asks of `which` of its inspections holds; what matched first.
    fn holds(
        &mut self,
        rule: &Rule,
        scene: &Scene<'_>,
        which: impl Fn(&Inspection) -> bool,
    ) -> Option<Option<Reason>> {
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
        }
        Some(reason)
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
    fn scene(&self, sets: &'m Sets) -> Scene<'m> {
        let inspect = self.inspect;
        let of_flow = self.flow.map(|flow| match self.direction {
            Direction::ToServer => flow.tuple,
            Direction::ToClient => flow.tuple.reversed(),
        });
        Scene {
            packet: inspect.map(|inspect| inspect.packet),
            flow: self.flow,
            direction: self.direction,
            tuple: inspect.and_then(|inspect| inspect.tuple).or(of_flow),
            established: inspect.is_none_or(|inspect| inspect.established),
            payload: inspect.map_or(&[], |inspect| inspect.packet.decoded.payload()),
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

/// The place of a direction in a pair.
fn at(direction: Direction) -> usize {
    usize::from(direction == Direction::ToClient)
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
