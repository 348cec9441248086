//! Models on the packet path: transactions in, what was found out.
//!
//! **Whom it names.** A score alone names nobody. A client from outside is accused when the requests
//! that it sends to our services are found [`Config::transactions_min`] times within
//! [`Config::window_ns`], each in a packet of its own and all on a proven path; and only by a model
//! that may do more than alert, in the flows in which it counts.
//!
//! **Evidence** is never more than [`EvidenceClass::PathProven`]: a score is an opinion.
//!
//! **Time.** Work is counted before it is done, in multiply-adds, and [`Config::work_max`] bounds it for
//! each packet; so a capture gives the same findings on every machine. What is not judged for that is
//! counted by name.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use pack::manifest::{Capability, Task};
use packet::applayer::dns;
use packet::{Event, FiveTuple, Flow, FlowId, Proto, Transaction};
use smallvec::SmallVec;
use stix::lease::EvidenceClass;

use super::found::Found;
use super::subject::{self, Shown};
use super::suspects::{Bounds, Suspects};
use super::{Active, InForce, Score, Work};
use crate::detector::Counter;
use crate::lru::Lru;
use crate::verdict::{Reason, Verdict, capped, service};

/// Name and version in verdicts.
const NAME: &str = "model@1";
/// Most models in force at a time.
pub const MODELS_MAX: usize = 64;
/// Work of extracting a byte of a subject, in multiply-adds.
const BYTE_WORK: u64 = 256;
/// How sure a score is, and several of one source.
const CONFIDENCE: [u8; 2] = [50, 70];

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where our services are: requests to them are judged, and names and URLs asked for from there.
    /// Empty: all are, and nobody is accused.
    pub home: Vec<IpNet>,
    /// Most work for the transactions of one packet, multiply-adds (about as many nanoseconds).
    pub work_max: u64,
    /// Most bytes of a request's body that are looked at.
    pub body_bytes_max: usize,
    /// Most findings in a second of packet time that are explained feature by feature, which takes a
    /// thousand runs of a model.
    pub explained_per_s_max: u32,
    /// The same model about the same client is not repeated before this long, nanoseconds. 0: all is
    /// told, as a log of a capture wants it.
    pub quiet_ns: u64,
    /// Most pairs of model and client remembered for that.
    pub quiet_max: usize,
    /// Transactions of one source that it takes to accuse it, two at least.
    pub transactions_min: u32,
    /// Within this long, nanoseconds.
    pub window_ns: u64,
    /// Most pairs of model and source that are counted for that.
    pub suspects_max: usize,
    /// Most flows whose scores are remembered until they end.
    pub flows_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            home: Vec::new(),
            work_max: 4_000_000,
            body_bytes_max: 16_384,
            explained_per_s_max: 1,
            quiet_ns: 10_000_000_000,
            quiet_max: 65_536,
            transactions_min: 3,
            window_ns: 60_000_000_000,
            suspects_max: 65_536,
            flows_max: 65_536,
        }
    }
}

/// What a benign session says of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// The model, by its number in [`InForce::models`].
    pub model: usize,
    /// The highest score in the session, 0 to 1.
    pub score: f32,
    /// Whether it reached the model's threshold.
    pub hit: bool,
}

/// Benign sessions of one source that count in [`SOURCE_WINDOW_NS`].
pub const SESSIONS_PER_SOURCE_MAX: u32 = 16;
/// How long a source is remembered for that, nanoseconds.
pub const SOURCE_WINDOW_NS: u64 = 3_600_000_000_000;

/// Judges transactions by the models in force.
#[derive(Debug)]
pub struct Inspector {
    config: Config,
    in_force: Arc<InForce>,
    works: Vec<Work>,
    flows: Lru<FlowId, Judged>,
    suspects: Suspects,
    said: Lru<(usize, IpAddr), Said>,
    sources: Lru<(usize, IpAddr), Sampled>,
    found: Vec<Found>,
    /// Flows that something was found in that people are alerted of, told or not.
    flagged: Vec<(FlowId, FiveTuple)>,
    /// Number of the packet at hand, and the work done for it.
    packet: u64,
    spent: u64,
    /// The second of packet time, and what was explained in it.
    explained: (u64, u32),
    counts: Counts,
}

#[derive(Debug, Default)]
struct Judged {
    /// The model by its number, and the highest score that it gave.
    scores: SmallVec<[(usize, f32); 2]>,
    /// DNS: a name was answered with something.
    answered: bool,
}

#[derive(Debug, Default)]
struct Sampled {
    since_ns: u64,
    sessions: u32,
    hit: bool,
}

#[derive(Debug, Default)]
struct Said {
    at_ns: Option<u64>,
    quieted: u32,
}

#[derive(Debug, Default)]
struct Counts {
    scored: u64,
    not_scored: u64,
    rows_left_out: u64,
    body_bytes_left_out: u64,
    failed: u64,
    found: u64,
    quieted: u64,
    unexplained: u64,
}

impl Inspector {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(config: Config, in_force: Arc<InForce>) -> Self {
        let bounds = Bounds {
            transactions_min: config.transactions_min,
            window_ns: config.window_ns,
            max: config.suspects_max,
        };
        let mut inspector = Self {
            in_force: Arc::default(),
            works: Vec::new(),
            flows: Lru::new(config.flows_max),
            suspects: Suspects::new(bounds),
            said: Lru::new(config.quiet_max),
            sources: Lru::new(config.suspects_max),
            found: Vec::new(),
            flagged: Vec::new(),
            packet: 0,
            spent: 0,
            explained: (0, 0),
            counts: Counts::default(),
            config,
        };
        inspector.set(in_force);
        inspector
    }

    /// Replaces the models; what was counted by those of before is forgotten.
    pub fn set(&mut self, in_force: Arc<InForce>) {
        let models = in_force.models.iter().take(MODELS_MAX);
        self.works = models.map(|active| active.scorer.work()).collect();
        self.in_force = in_force;
        self.flows.retain(|_| false);
        self.suspects.forget();
        self.sources.retain(|_| false);
        self.said.retain(|_| false);
    }

    /// The models in force.
    #[must_use]
    pub const fn in_force(&self) -> &Arc<InForce> {
        &self.in_force
    }

    /// A packet begins: it has its own time.
    pub const fn packet(&mut self, number: u64) {
        self.packet = number;
        self.spent = 0;
    }

    /// Judges an event; [`Inspector::found`] then gives what was found. `now_ns` is packet time.
    ///
    /// # Failure bias
    /// Open: what cannot be judged, or not in time, is not found, and counted.
    pub fn event(&mut self, event: &Event<'_>, now_ns: u64) {
        if self.works.is_empty() {
            return;
        }
        if let Event::Transaction(flow, transaction) = event {
            self.answer(flow, *transaction);
            let body_bytes_max = self.config.body_bytes_max;
            subject::each(*transaction, body_bytes_max, |shown| {
                self.judge(flow, shown, now_ns);
            });
        }
    }

    /// Takes out what was found since the last time.
    pub fn found(&mut self) -> impl Iterator<Item = Found> + '_ {
        self.found.drain(..)
    }

    /// Takes out the flows in which something was found since the last time that counts for more than a
    /// record, whether or not it was told again.
    pub fn flagged(&mut self) -> impl Iterator<Item = (FlowId, FiveTuple)> + '_ {
        self.flagged.drain(..)
    }

    /// A flow is over: what its scores say of the models, where it was benign as far as anybody knows.
    /// Whether it was, the caller says of sessions (`is_benign`); a name that was answered is taken for
    /// one that people use.
    ///
    /// A source counts [`SESSIONS_PER_SOURCE_MAX`] times in [`SOURCE_WINDOW_NS`], and not once more
    /// after a session that was hit: the same odd request again is the same mistake, and nobody alone
    /// can have a pack taken back.
    pub fn ended(&mut self, flow: &Flow, is_benign: bool, now_ns: u64) -> SmallVec<[Trial; 2]> {
        let judged = self.flows.remove(&flow.id).unwrap_or_default();
        if !is_benign && !judged.answered {
            return SmallVec::new();
        }
        let mut trials = SmallVec::new();
        for (model, score) in judged.scores {
            let Some(active) = self.in_force.models.get(model) else {
                continue;
            };
            let source = self.sources.entry((model, flow.tuple.src.to_canonical()));
            if now_ns.saturating_sub(source.since_ns) > SOURCE_WINDOW_NS {
                *source = Sampled {
                    since_ns: now_ns,
                    ..Sampled::default()
                };
            }
            if source.hit || source.sessions >= SESSIONS_PER_SOURCE_MAX {
                continue;
            }
            let hit = score >= active.threshold.score;
            source.sessions = source.sessions.saturating_add(1);
            source.hit = hit;
            trials.push(Trial { model, score, hit });
        }
        trials
    }

    /// Forgets what is held against a source.
    pub fn forgive(&mut self, source: IpAddr) {
        self.suspects.forgive(source);
        self.said
            .retain(|(_, address)| address.to_canonical() != source);
    }

    /// What was counted, bounds that were hit among it.
    #[must_use]
    pub fn counters(&self) -> [Counter; 11] {
        let counts = &self.counts;
        let models = u64::try_from(self.works.len()).unwrap_or(u64::MAX);
        [
            ("model.in_force", models),
            ("model.scored", counts.scored),
            ("model.not_scored", counts.not_scored),
            ("model.rows_left_out", counts.rows_left_out),
            ("model.body_bytes_left_out", counts.body_bytes_left_out),
            ("model.failed", counts.failed),
            ("model.found", counts.found),
            ("model.found_quieted", counts.quieted),
            ("model.unexplained", counts.unexplained),
            ("model.suspects_evicted", self.suspects.evicted()),
            ("model.flows_evicted", self.flows.evicted()),
        ]
    }

    /// Notes that a name was answered: most that are, are used by somebody.
    fn answer(&mut self, flow: &Flow, transaction: &dyn Transaction) {
        let Some(message) = transaction.downcast_ref::<dns::Message>() else {
            return;
        };
        let is_answered = message.kind == dns::Kind::Answer && !message.answers.is_empty();
        if is_answered
            && message.rcode() == 0
            && let Some(judged) = self.flows.get(&flow.id)
        {
            judged.answered = true;
        }
    }

    fn judge(&mut self, flow: &Flow, shown: &Shown<'_>, now_ns: u64) {
        if !self.is_looked_at(flow, shown) {
            return;
        }
        let left_out = u64::try_from(shown.cut).unwrap_or(u64::MAX);
        let counts = &mut self.counts;
        counts.body_bytes_left_out = counts.body_bytes_left_out.saturating_add(left_out);
        let in_force = Arc::clone(&self.in_force);
        let models = in_force.models.iter().enumerate();
        for (at, active) in models.filter(|(_, one)| one.scorer.task() == shown.task) {
            let Some(score) = self.score(at, active, shown) else {
                continue;
            };
            self.remember(flow, at, score.value);
            if score.value >= active.threshold.score {
                self.find((at, active), score, flow, shown, now_ns);
            }
        }
    }

    /// Requests count where they come in, URLs and names where they are asked for.
    fn is_looked_at(&self, flow: &Flow, shown: &Shown<'_>) -> bool {
        let (from_home, to_home) = (self.is_home(flow.tuple.src), self.is_home(flow.tuple.dst));
        match shown.task {
            _ if self.config.home.is_empty() => true,
            Task::WebAttack => to_home,
            Task::DgaDomain if shown.buffer == "dns.query" => true,
            Task::DgaDomain | Task::PhishingUrl | Task::Beacon | Task::DnsTunnel => {
                from_home && !to_home
            }
        }
    }

    fn is_home(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.config.home.iter().any(|net| net.contains(&address))
    }

    /// A model's score, as far as the packet's time allows.
    fn score(&mut self, at: usize, active: &Active, shown: &Shown<'_>) -> Option<Score> {
        let counts = &mut self.counts;
        let row = active.scorer.row_work();
        let bytes = u64::try_from(shown.bytes).unwrap_or(u64::MAX);
        let spent = self.spent.saturating_add(bytes.saturating_mul(BYTE_WORK));
        if spent.saturating_add(row) > self.config.work_max {
            counts.not_scored = counts.not_scored.saturating_add(1);
            return None;
        }
        let afford = self.config.work_max.saturating_sub(spent).checked_div(row);
        let afford = usize::try_from(afford.unwrap_or(0)).unwrap_or(usize::MAX);
        let mut rows = 0;
        let work = self.works.get_mut(at)?;
        let scored = active.scorer.score_rows(&shown.subject, work, |all| {
            rows = all.min(afford);
            rows
        });
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.spent = spent.saturating_add(rows.saturating_mul(row));
        match scored {
            Ok((score, left_out)) => {
                let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
                counts.scored = counts.scored.saturating_add(1);
                active.tally.add(score.value >= active.threshold.score);
                counts.rows_left_out = counts.rows_left_out.saturating_add(left_out);
                Some(score)
            }
            Err(_) => {
                counts.failed = counts.failed.saturating_add(1);
                None
            }
        }
    }

    fn remember(&mut self, flow: &Flow, model: usize, score: f32) {
        let scores = &mut self.flows.entry(flow.id).scores;
        match scores.iter_mut().find(|(of, _)| *of == model) {
            Some((_, highest)) => *highest = highest.max(score),
            None => scores.push((model, score)),
        }
    }

    fn find(
        &mut self,
        (at, active): (usize, &Arc<Active>),
        score: Score,
        flow: &Flow,
        shown: &Shown<'_>,
        now_ns: u64,
    ) {
        self.counts.found = self.counts.found.saturating_add(1);
        let acts = self.in_force.acts(active, &flow.tuple);
        if acts && active.most >= Capability::Alert {
            self.flagged.push((flow.id, flow.tuple));
        }
        let proven = flow.tuple.proto == Proto::Tcp && flow.client_proven;
        let accused = match acts && proven && self.may_accuse(active, flow, shown) {
            true => self.suspect(at, flow, shown, now_ns),
            false => None,
        };
        let Some(quieted) = self.say((at, flow.tuple.src), accused.is_some(), now_ns) else {
            self.counts.quieted = self.counts.quieted.saturating_add(1);
            return;
        };
        let parts = self.explain(at, active, score, now_ns);
        let Some(work) = self.works.get(at) else {
            return;
        };
        let field = String::from_utf8_lossy(work.field(score.row)).into_owned();
        let text: Box<[u8]> = work.text(score.row).into();
        let what = said(active, score, &field, accused.map(|(count, _)| count));
        let reason = Reason {
            matched: capped(&text),
            exact: false,
            ..Reason::of(shown.buffer, b"", what)
        };
        let (count, first_packet_ns) = accused.unwrap_or((quieted, shown.first_packet_ns));
        let [of_one, of_several] = CONFIDENCE;
        let verdict = Verdict {
            at_ns: now_ns,
            first_packet_ns,
            evidence: match proven {
                true => EvidenceClass::PathProven,
                false => EvidenceClass::Unproven,
            },
            confidence: if accused.is_some() {
                of_several
            } else {
                of_one
            },
            offender: accused.map(|_| flow.tuple.src.to_canonical()),
            far_end: None,
            victim: service(&flow.tuple).filter(|_| accused.is_some()),
            tuple: Some(flow.tuple),
            flow: Some(flow.id),
            detector: NAME,
            reasons: vec![reason],
            count,
        };
        self.found.push(Found {
            verdict,
            model: Arc::clone(active),
            acts,
            score: score.value,
            field: field.into(),
            text,
            parts,
        });
    }

    /// Whether its findings may add up against a client: one from outside, that asks our services.
    fn may_accuse(&self, active: &Active, flow: &Flow, shown: &Shown<'_>) -> bool {
        active.most >= Capability::RateLimit
            && shown.task == Task::WebAttack
            && self.is_home(flow.tuple.dst)
            && !self.is_home(flow.tuple.src)
    }

    fn suspect(
        &mut self,
        at: usize,
        flow: &Flow,
        shown: &Shown<'_>,
        now_ns: u64,
    ) -> Option<(u32, u64)> {
        let source = flow.tuple.src.to_canonical();
        let model = u32::try_from(at).unwrap_or(u32::MAX);
        let first_packet_ns = shown.first_packet_ns;
        self.suspects
            .count((model, source), self.packet, first_packet_ns, now_ns)
    }

    /// How many findings this one stands for; none when the same was told a moment ago. An accusation
    /// is always told.
    fn say(&mut self, subject: (usize, IpAddr), accuses: bool, now_ns: u64) -> Option<u32> {
        if self.config.quiet_ns == 0 {
            return Some(1);
        }
        let said = self.said.entry(subject);
        let is_recent = |at: u64| now_ns.abs_diff(at) < self.config.quiet_ns;
        if !accuses && said.at_ns.is_some_and(is_recent) {
            said.quieted = said.quieted.saturating_add(1);
            return None;
        }
        said.at_ns = Some(now_ns);
        Some(std::mem::take(&mut said.quieted).saturating_add(1))
    }

    fn explain(
        &mut self,
        at: usize,
        active: &Active,
        score: Score,
        now_ns: u64,
    ) -> Option<Vec<super::Part>> {
        let second = now_ns / 1_000_000_000;
        if self.explained.0 != second {
            self.explained = (second, 0);
        }
        if self.explained.1 >= self.config.explained_per_s_max {
            self.counts.unexplained = self.counts.unexplained.saturating_add(1);
            return None;
        }
        self.explained.1 = self.explained.1.saturating_add(1);
        active.scorer.parts(score, self.works.get_mut(at)?).ok()
    }
}

/// What was found, in words.
fn said(active: &Active, score: Score, field: &str, accused: Option<u32>) -> String {
    let (about, threshold) = (&active.about, &active.threshold);
    let times = accused.map_or_else(String::new, |count| format!("{count} transactions; "));
    format!(
        "{times}{} in {field}: score {:.5}, from {:.5} on ({} of {}), by {} {} of {}",
        active.scorer.task(),
        score.value,
        threshold.score,
        threshold.fpr,
        threshold.set,
        about.name,
        about.version,
        about.publisher,
    )
}
