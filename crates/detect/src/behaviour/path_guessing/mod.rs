//! Guessed paths: sources that ask web servers for what is not there.
//!
//! Wald's sequential probability ratio test, as in [`scan`](crate::scan), over different paths of one
//! source at all our servers: who follows links finds most of what it asks for, who works through a
//! list of words hardly any. A query is no part of a path.
//!
//! **Outcomes.** 404 and 410 (RFC 9110 section 15.5) miss; 2xx and 304 find. Redirects, other errors
//! and refusals say nothing: applications send them for any path. The same path again tells nothing
//! new, so that an icon that every page lacks counts once.
//!
//! **Evidence.** The server answered over TCP; a client that proved its path is path-proven.
//!
//! **Limits.** A server that answers any path with 200, words from another address each time, and
//! one page that exists between every four words are not seen. A site whose own pages name dozens of
//! files that are not there looks as if its visitors guessed; their benign sessions decide what
//! policy makes of it. HTTP/2 is not looked at.
//!
//! # Failure bias
//! Open: a full table forgets the source used least recently; what cannot be read is no miss.

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::DefaultHashBuilder;
use packet::{Event, FiveTuple, Flow, FlowId, http1};

use super::few::Few;
use super::{HOUR_NS, SECOND_NS, measure, proof};
use crate::detector::{Context, Counter, Detect};
use crate::lru::Lru;
use crate::verdict::{Reason, Verdict, octets, service};

/// Name and version in verdicts.
pub const NAME: &str = "path-guessing@1";

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Probability that a path which an honest source asks for is there.
    pub found_honest: f64,
    /// Probability that a guessed one is.
    pub found_guessing: f64,
    /// Probability of calling an honest source a guesser.
    pub alpha: f64,
    /// Probability of catching a guesser.
    pub beta: f64,
    /// Most sources that are remembered.
    pub sources_max: usize,
    /// A source is forgotten after this long without a request, nanoseconds.
    pub idle_ns: u64,
    /// A source is not told again before this long, nanoseconds.
    pub quiet_ns: u64,
}

impl Default for Config {
    /// 22 misses in a row cross: even who finds one path of two is called a guesser once in a million.
    fn default() -> Self {
        Self {
            found_honest: 0.5,
            found_guessing: 0.05,
            alpha: 1e-6,
            beta: 0.99,
            sources_max: 16_384,
            idle_ns: HOUR_NS,
            quiet_ns: 60 * SECOND_NS,
        }
    }
}

impl Config {
    fn step(&self, found: bool) -> f64 {
        match found {
            true => (self.found_guessing / self.found_honest).ln(),
            false => ((1.0 - self.found_guessing) / (1.0 - self.found_honest)).ln(),
        }
    }

    fn ceiling(&self) -> f64 {
        (self.beta / self.alpha).ln()
    }

    fn floor(&self) -> f64 {
        ((1.0 - self.beta) / (1.0 - self.alpha)).ln()
    }
}

const CONFIDENCE: u8 = 80;

/// The detector of guessed paths.
#[derive(Debug)]
pub(crate) struct Paths {
    config: Config,
    hasher: DefaultHashBuilder,
    sources: Lru<IpAddr, Source>,
    /// The flow of the latest miss, until it was asked for.
    held: Option<(FlowId, FiveTuple)>,
    misses: u64,
    verdicts: u64,
    quieted: u64,
}

#[derive(Debug, Default)]
struct Source {
    score: f64,
    misses: u32,
    found: u32,
    paths: Few,
    servers: Few,
    seen_ns: u64,
    first_ns: u64,
    said_ns: Option<u64>,
}

impl Paths {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            sources: Lru::new(config.sources_max),
            held: None,
            misses: 0,
            verdicts: 0,
            quieted: 0,
            config: config.clone(),
        }
    }

    fn answered(
        &mut self,
        flow: &Flow,
        (path, found): (&[u8], bool),
        now_ns: u64,
        out: &mut Vec<Verdict>,
    ) {
        let server = (flow.tuple.dst.to_canonical(), flow.tuple.dst_port);
        let [path_hash, server_hash] = [
            self.hasher.hash_one((server, path)),
            self.hasher.hash_one(server),
        ];
        let with = &self.config;
        let source = self.sources.entry(flow.tuple.src.to_canonical());
        if now_ns.saturating_sub(source.seen_ns) > with.idle_ns {
            *source = Source {
                first_ns: flow.start_ns,
                ..Source::default()
            };
        }
        source.seen_ns = source.seen_ns.max(now_ns);
        if !source.paths.add(path_hash) {
            return;
        }
        source.servers.add(server_hash);
        let score = source.score + with.step(found);
        source.score = score.clamp(with.floor(), with.ceiling());
        if found {
            source.found = source.found.saturating_add(1);
            return;
        }
        source.misses = source.misses.saturating_add(1);
        self.misses = self.misses.saturating_add(1);
        // who more often finds what it asks for follows a dead link
        if source.score > 0.0 {
            self.held = Some((flow.id, flow.tuple));
        }
        if source.score < with.ceiling() {
            return;
        }
        let quiet = |at| now_ns.abs_diff(at) < with.quiet_ns;
        if source.said_ns.is_some_and(quiet) {
            self.quieted = self.quieted.saturating_add(1);
            return;
        }
        source.said_ns = Some(now_ns);
        self.verdicts = self.verdicts.saturating_add(1);
        out.push(verdict(flow, source, path, with.ceiling(), now_ns));
    }
}

/// The path of a request that was answered, and whether it is there.
fn outcome(transaction: &http1::Transaction) -> Option<(&[u8], bool)> {
    let is_whole = transaction.phase == http1::Phase::Complete;
    let found = match transaction.status.filter(|_| is_whole)? {
        200..=299 | 304 => true,
        404 | 410 => false,
        _ => return None,
    };
    let path = transaction.path();
    (!path.is_empty()).then_some((path, found))
}

fn verdict(flow: &Flow, source: &Source, path: &[u8], ceiling: f64, now_ns: u64) -> Verdict {
    let offender = flow.tuple.src.to_canonical();
    let all = source.misses.saturating_add(source.found);
    let what = format!("{} of {all} different paths were not there", source.misses);
    let score = format!("logarithm of the likelihood ratio; told from {ceiling:.1} on");
    let servers = source.servers.seen.to_string();
    let reasons = vec![
        Reason::of("ip.src", &octets(offender), what),
        measure("log_odds", source.score, score),
        Reason::of(
            "services",
            servers.as_bytes(),
            "different services".to_owned(),
        ),
        Reason::of("example", path, "the latest of them".to_owned()),
    ];
    Verdict {
        at_ns: now_ns,
        first_packet_ns: source.first_ns,
        evidence: proof(flow),
        confidence: CONFIDENCE,
        offender: Some(offender),
        far_end: None,
        victim: service(&flow.tuple).filter(|_| source.servers.seen == 1),
        tuple: Some(flow.tuple),
        flow: Some(flow.id),
        detector: NAME,
        reasons,
        count: source.misses,
    }
}

impl Detect for Paths {
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let Event::Transaction(flow, transaction) = event else {
            return;
        };
        if context.is_home(flow.tuple.dst) == Some(false) {
            return;
        }
        let http = transaction.downcast_ref::<http1::Transaction>();
        if let Some(answer) = http.and_then(outcome) {
            self.answered(flow, answer, context.now_ns, out);
        }
    }

    fn held_against(&mut self, each: &mut dyn FnMut(FlowId, &FiveTuple)) {
        if let Some((flow, tuple)) = self.held.take() {
            each(flow, &tuple);
        }
    }

    fn forgive(&mut self, source: IpAddr) {
        self.sources.remove(&source);
    }

    fn counters(&self) -> Vec<Counter> {
        vec![
            ("path_guessing.misses", self.misses),
            ("path_guessing.sources_evicted", self.sources.evicted()),
            ("path_guessing.verdicts", self.verdicts),
            ("path_guessing.verdicts_quieted", self.quieted),
        ]
    }
}
