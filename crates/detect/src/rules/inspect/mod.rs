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

mod bodies;
mod candidates;
mod carrier;
mod event;
mod file;
mod flows;
mod judge;
mod moment;
mod options;
mod packet;
mod stream;
mod transaction;

use std::sync::Arc;

use ::packet::{
    Anomaly, AnomalyKind, Direction, EndReason, Event, Flow, FlowId, Refusal, Source, TcpState,
};

use super::alert::{Alert, Reason, Told};
use super::header::RejectTarget;
use super::memory::FlowMemory;
use super::note::{Note, Remembered, Variables, join};
use super::rule::{Inspection, Rule};
use super::scene::{Scene, Values};
use super::set::RuleSet;
use super::state::tags::HostTags;
use super::state::{HostBits, Thresholds};
use super::walk::{VARIABLES_MAX, Walk, Work};
pub use bodies::Bodies;
use candidates::Finder;
use carrier::Files;
use event::Messages;
use flows::Flows;
use moment::Moment;
pub use options::{Counters, Options};
use stream::Window;
use transaction::{Live, Matched};

/// Judges traffic by a set of rules. One per thread; it shares nothing but the set.
#[derive(Debug)]
pub struct Inspector {
    rules: Arc<RuleSet>,
    options: Options,
    counters: Counters,
    flows: Flows,
    hosts: HostBits,
    tags: HostTags,
    thresholds: Thresholds,
    finder: Finder,
    /// What was wrong with the packet at hand.
    events: Vec<AnomalyKind>,
    /// Flows end whose time is over.
    is_late: bool,
    /// Bytes of streams and files that wait, over all flows.
    window_bytes: usize,
    /// What looks into buffers cost.
    work: Work,
    outcome: Outcome,
    alerts: Vec<Alert>,
    /// Variables of the packet at hand.
    variables: Variables,
    /// Entropies that were measured, until the flow's memory is at hand.
    measured: Vec<(FlowId, &'static str, f64)>,
    remembered: Option<Remembered>,
}

/// What is known of a flow.
#[derive(Debug, Default)]
struct FlowState {
    memory: FlowMemory,
    /// Rules whose buffers matched, by direction, until a packet goes that way.
    waiting: [Vec<Match>; 2],
    streams: [Window; 2],
    /// What stood before bytes that are missing, while matches in it wait.
    gaps: [Vec<u8>; 2],
    files: Files,
    /// The body of each direction that is passing by: of which transaction, and how many bytes of it
    /// were looked at.
    bodies: [Option<(u32, usize)>; 2],
    messages: Messages,
    /// Something came of a direction when the flow's time was over.
    is_late: [bool; 2],
    /// Rules that look into payload and transactions, whose payload matched.
    payload_matched: Vec<(u32, Vec<Note>)>,
    /// Rules that matched transactions that are under way.
    matched: Matched,
    /// Transactions that are under way, where alerts are told with them.
    live: Live,
    /// Bytes of streams and files that were last accounted for.
    charged: usize,
    /// What a rule did with all of it.
    fate: Option<Fate>,
    /// Of which set the rules are that it names.
    age: u32,
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
    /// Why it does not go on, where no rule that matched in it says so.
    pub refused: Option<Refusal>,
    /// A rule that matched before it shows it.
    pub tagged: bool,
    /// Its flow is not to be looked at any more.
    pub bypassed: bool,
    /// The files of its flow are stored.
    pub stores: bool,
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
    /// Bytes were missing in the stream behind it.
    before_gap: bool,
    reason: Option<Reason>,
    notes: Vec<Note>,
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
            flows: Flows::default(),
            finder: Finder::default(),
            events: Vec::new(),
            is_late: false,
            window_bytes: 0,
            work: Work::default(),
            outcome: Outcome::default(),
            alerts: Vec::new(),
            variables: Variables::default(),
            measured: Vec::new(),
            remembered: None,
        }
    }

    /// Replaces the rules, between two packets. Bits of flows and hosts and counts stay; what waits
    /// to be judged by the old ones is judged by none, unless the new set was made of the old one.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) {
        let before = std::mem::replace(&mut self.rules, rules);
        self.finder.clear();
        if before.is_kin(&self.rules) {
            return;
        }
        self.flows.outdate();
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            walks: self.work.walks,
            searched_bytes: self.work.searched,
            ..self.counters
        }
    }

    /// What was counted, by name; alerts are counted by who writes them.
    #[must_use]
    pub fn counted(&self) -> [(&'static str, u64); 11] {
        let counters = &self.counters;
        [
            ("detect.alert_queue_overflow", counters.alerts_max_hit),
            ("detect.alerts_suppressed", counters.alerts_suppressed),
            ("detect.files_max_hit", counters.files_max_hit),
            ("detect.flows_max_hit", counters.flows_max_hit),
            ("detect.host_bits_evicted", self.hosts.evicted()),
            ("detect.matched_max_hit", counters.matched_max_hit),
            ("detect.thresholds_evicted", self.thresholds.evicted()),
            ("detect.variables_max_hit", counters.variables_max_hit),
            ("detect.waiting_max_hit", counters.waiting_max_hit),
            ("detect.walks_exhausted", counters.walks_exhausted),
            ("detect.window_bytes_max_hit", counters.window_bytes_max_hit),
        ]
    }

    /// The alerts of the latest event, in their order.
    pub fn alerts(&mut self) -> std::vec::IntoIter<Alert> {
        std::mem::take(&mut self.alerts).into_iter()
    }

    /// What became of the packet of the latest [`Event::Inspect`], or of the flow of the latest
    /// [`Event::FlowEnd`].
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What is to be said of the flow of the latest event in its records, where that has changed.
    #[must_use]
    pub fn remembered(&self) -> Option<&Remembered> {
        self.remembered.as_ref()
    }

    /// Takes one event. `now_ns` is packet time.
    ///
    /// # Failure bias
    /// Open: where a bound is hit, rules do not match.
    pub fn event(&mut self, event: &Event<'_>, now_ns: u64) {
        self.remembered = None;
        self.work.renew();
        self.dispatch(event, now_ns);
        if self.measured.is_empty() {
            return;
        }
        for (flow, buffer, entropy) in std::mem::take(&mut self.measured) {
            if let Some(state) = self.flow(flow) {
                state.memory.entropies.set(buffer, entropy);
                state.memory.has_changed = true;
            }
        }
    }

    fn dispatch(&mut self, event: &Event<'_>, now_ns: u64) {
        match event {
            Event::Packet(packet) => {
                self.events.clear();
                self.is_late = packet.source == Source::FlowTimeout;
            }
            Event::Anomaly(flow, anomaly) => self.anomaly(*flow, anomaly, now_ns),
            Event::Stream(flow, direction, piece) => {
                self.news(flow, *direction);
                self.late(flow, *direction);
                self.stream(flow, *direction, *piece, now_ns);
            }
            Event::Progress(flow, transaction, part) => {
                self.late(flow, part.direction());
                self.part(flow, *transaction, *part, now_ns);
            }
            Event::Transaction(flow, transaction) => {
                for part in transaction.parts() {
                    self.late(flow, part.direction());
                    self.part(flow, *transaction, *part, now_ns);
                }
                self.retell(flow, *transaction);
                self.note_live(flow, *transaction, transaction.is_complete());
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
            | Event::Exchanged(_)
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
        self.has_room(id).then(|| self.flows.enter(id))
    }

    fn has_room(&mut self, id: FlowId) -> bool {
        let is_full = self.flows.len() >= self.options.flows_max && self.flows.get(id).is_none();
        self.counters.flows_max_hit = self
            .counters
            .flows_max_hit
            .saturating_add(u64::from(is_full));
        !is_full
    }

    fn flow_end(&mut self, flow: &Flow, _: EndReason, now_ns: u64) {
        self.outcome = Outcome::default();
        let fate = self.flows.get(flow.id).and_then(|state| state.fate);
        let rules = Arc::clone(&self.rules);
        for direction in super::set::DIRECTIONS
            .into_iter()
            .filter(|_| fate.is_none() && flow.action.is_none())
        {
            let moment = Moment {
                inspect: None,
                flow: Some(flow),
                direction,
                now_ns,
            };
            let matches = self.of_flow_end(&moment, flow);
            self.judge(&rules, &moment, matches);
        }
        if let Some(state) = self.flows.remove(flow.id) {
            self.window_bytes = self.window_bytes.saturating_sub(state.charged);
        }
    }

    /// Something comes of a flow when its time is over.
    fn late(&mut self, flow: &Flow, direction: Direction) {
        if self.is_late
            && !self.rules.of_flow_end.is_empty()
            && let Some(state) = self.flow(flow.id)
            && let Some(late) = state.is_late.get_mut(at(direction))
        {
            *late = true;
        }
    }

    /// The rules that are asked once more of a direction: where the flow was not closed, or something
    /// came of it late.
    fn of_flow_end(&mut self, moment: &Moment<'_>, flow: &Flow) -> Vec<Match> {
        let state = self.flows.get(flow.id);
        let late = state.and_then(|state| state.is_late.get(at(moment.direction)));
        let is_over = match flow.tcp_state {
            Some(TcpState::Closed) => late != Some(&true),
            Some(state) => !state.is_established(),
            None => true,
        };
        let is_done = state.is_some_and(|state| state.fate.is_some() || state.memory.is_bypassed);
        if is_over || is_done {
            return Vec::new();
        }
        let (rules, finder) = (&self.rules, &mut self.finder);
        let scene = moment.scene(&rules.sets);
        let numbers = rules.of_flow_end.iter().copied();
        let holding = numbers.filter(|number| {
            let rule = rules.rule(*number);
            let is_its = rule.is_some_and(|rule| takes_flow(rule, flow));
            is_its && finder.fits(rules, *number, &scene)
        });
        holding.map(Match::of_nothing).collect()
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
        let now = streams.fold(state.files.size(), usize::saturating_add);
        let before = std::mem::replace(&mut state.charged, now);
        let others = self.window_bytes.saturating_sub(before);
        self.window_bytes = others.saturating_add(now);
        self.window_bytes > self.options.window_bytes_max
    }

    /// Takes what is known of a flow out to work on it; give it back with [`Self::keep`].
    fn take(&mut self, flow: FlowId) -> Option<Box<FlowState>> {
        let known = self.flows.remove(flow);
        known.or_else(|| self.has_room(flow).then(|| self.flows.fresh()))
    }

    /// Gives back what [`Self::take`] took.
    fn keep(&mut self, flow: FlowId, mut state: Box<FlowState>) {
        self.charge(&mut state);
        self.flows.insert(flow, state);
    }

    /// Whether all that a rule asks of `which` of its inspections holds; what matched first.
    fn holds(
        &mut self,
        rule: &Rule,
        scene: &Scene<'_>,
        which: impl Fn(&Inspection) -> bool,
    ) -> Option<Held> {
        let mut held = Held::default();
        let mut inspections = rule.inspections.iter().filter(|one| which(one));
        let all = inspections.all(|inspection| self.inspect(inspection, scene, &mut held));
        all.then_some(held)
    }

    /// Whether what an inspection asks holds, with the variables of those before it.
    fn inspect(&mut self, inspection: &Inspection, scene: &Scene<'_>, held: &mut Held) -> bool {
        let scene = &Scene {
            direction: inspection.side.unwrap_or(scene.direction),
            ..*scene
        };
        let mut values = Values::default();
        values_of(
            inspection.buffer,
            &inspection.transforms,
            scene,
            &mut values,
        );
        if values.is_empty() {
            return inspection.or_absent;
        }
        let mut left = None;
        values.iter().any(|value| {
            let mut walk = Walk::new(scene).within(&self.work);
            walk.variables = held.variables;
            walk.pcre = left.unwrap_or(walk.pcre);
            let holds = walk.over(value, inspection);
            left = Some(walk.pcre);
            self.work.spend(&walk);
            if walk.exhausted || walk.pcre.exhausted {
                self.counters.walks_exhausted = self.counters.walks_exhausted.saturating_add(1);
            }
            let buffer = inspection.buffer.map_or("payload", |buffer| buffer.name);
            if let Some((entropy, flow)) = walk.entropy.zip(scene.flow) {
                let is_it =
                    |known: &&mut (FlowId, &str, f64)| (known.0, known.1) == (flow.id, buffer);
                match self.measured.iter_mut().find(is_it) {
                    Some((.., known)) => *known = entropy,
                    None => self.measured.push((flow.id, buffer, entropy)),
                }
            }
            let is_whole = !holds || held.take(walk, inspection);
            let hit = &mut self.counters.variables_max_hit;
            *hit = hit.saturating_add(u64::from(!is_whole));
            holds
        })
    }
}

/// What came of the inspections of a rule that held.
#[derive(Debug, Default)]
struct Held {
    variables: [u64; VARIABLES_MAX],
    reason: Option<Reason>,
    notes: Vec<Note>,
}

impl Held {
    /// Takes what a walk noted; false where not all of it has room.
    fn take(&mut self, walk: Walk<'_, '_>, inspection: &Inspection) -> bool {
        if let Some((start, end)) = walk.matched {
            self.reason.get_or_insert(Reason {
                buffer: inspection.buffer.map_or("payload", |buffer| buffer.name),
                offset: u32::try_from(start).unwrap_or(u32::MAX),
                len: u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX),
            });
        }
        self.variables = walk.variables;
        join(&mut self.notes, &mut walk.notes.into_iter())
    }
}

/// Whether a rule's protocol is that of a flow.
fn takes_flow(rule: &Rule, flow: &Flow) -> bool {
    let version = if flow.tuple.src.is_ipv4() { 4 } else { 6 };
    rule.header
        .protocol
        .layer
        .takes(flow.tuple.proto.number(), version)
}

impl Match {
    /// A rule that says nothing but its header.
    fn of_nothing(rule: u32) -> Self {
        Self {
            rule,
            transaction: None,
            stream: None,
            before_gap: false,
            reason: None,
            notes: Vec::new(),
        }
    }

    /// A rule whose buffers held.
    fn of(rule: u32, held: Held) -> Self {
        Self {
            reason: held.reason,
            notes: held.notes,
            ..Self::of_nothing(rule)
        }
    }

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
        // a rule over both sides of a transaction is looked up by what the client said
        Some(buffer) if !buffer.sides.has(scene.direction) => {
            let direction = scene.direction.reversed();
            (buffer.get)(
                &Scene {
                    direction,
                    ..*scene
                },
                values,
            );
        }
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
