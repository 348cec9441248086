//! Scans: sources whose first contacts fail too often to be benign, and how sure it is who they are.
//!
//! Two walks ([`walk`]) judge every source. One takes all its attempts: a refused or unanswered SYN
//! is a failure. The other takes only *proven* sessions, those whose handshake the client
//! completed: one that the client ends without having sent a byte of payload is a failure, one with
//! payload a success. One that the server ended before the client spoke tells nothing.
//!
//! **Evidence.** Anyone can send a SYN in anyone's name, so failed attempts prove nothing about
//! their sender, also while that address has honest sessions of its own. They make a verdict
//! [`EvidenceClass::Unproven`], however many there are. Only the second walk makes one
//! [`EvidenceClass::PathProven`]: nobody completes a handshake whose answer goes elsewhere. A
//! connect scan over four open services crosses it; one that finds fewer stays unproven.
//! (Binding the failed SYNs to a proven session by their TCP time stamps, RFC 7323, does not work:
//! new Linux kernels draw the offset per connection, and many older systems use one clock for
//! everybody, which a forger can read.)
//!
//! **Benign failures.** Retries of one closed port are one first contact. A service that was open
//! within [`Config::service_memory_ns`] and now refuses is down, and says nothing about its
//! clients. Successes outweigh failures, with bounded credit.
//!
//! **Limits.** IPv6 sources are judged by their whole address: one that changes its address with
//! every attempt is not seen. Only what goes to `home` is judged, once `home` is set. A scanner that
//! sends a byte on every open port is a client to this detector.

mod walk;

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::DefaultHashBuilder;
use packet::{Direction, Event, Flow, Outcome};
use stix::lease::EvidenceClass;

use crate::detector::{Context, Counter, Detect};
use crate::lru::Lru;
use crate::verdict::{Reason, Verdict, octets};
pub use walk::Parameters;
pub(crate) use walk::{Steps, Walk};

/// Name and version in verdicts.
pub const NAME: &str = "scan-trw@1";

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// The sequential test.
    pub parameters: Parameters,
    /// Most sources without a proven flow that are remembered.
    pub unproven_sources_max: usize,
    /// Most sources with a proven flow that are remembered; a flood of forged sources cannot push
    /// them out.
    pub proven_sources_max: usize,
    /// Most services remembered per walk, to tell first contacts.
    pub contacts_max: usize,
    /// Most services remembered as open.
    pub services_max: usize,
    /// A source is forgotten after this long without an attempt, nanoseconds.
    pub idle_ns: u64,
    /// A verdict on a source in one class is not repeated before this long, nanoseconds.
    pub quiet_ns: u64,
    /// How long a service that refuses is taken to be down after it was last open, nanoseconds.
    pub service_memory_ns: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parameters: Parameters::default(),
            unproven_sources_max: 65_536,
            proven_sources_max: 65_536,
            contacts_max: 64,
            services_max: 16_384,
            idle_ns: 1_800 * SECOND_NS,
            quiet_ns: 10 * SECOND_NS,
            service_memory_ns: 3_600 * SECOND_NS,
        }
    }
}

const SECOND_NS: u64 = 1_000_000_000;
/// How sure a crossed walk is, as STIX confidence: the test's own error (1 %) and traffic that it
/// does not model.
const CONFIDENCE: u8 = 90;

/// The scan detector.
#[derive(Debug)]
pub(crate) struct Scan {
    config: Config,
    steps: Steps,
    hasher: DefaultHashBuilder,
    unproven: Lru<IpAddr, Source>,
    proven: Lru<IpAddr, Source>,
    /// Services by address and port; when they were last open.
    services: Lru<(IpAddr, u16), u64>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    attempts: u64,
    outage: u64,
    empty_sessions: u64,
    verdicts: u64,
    quieted: u64,
}

/// What is known of one source address.
#[derive(Debug, Default)]
struct Source {
    /// Over attempts, which anyone can forge.
    attempts: Walk,
    /// Over sessions, which nobody can.
    sessions: Walk,
    /// Packet time of the newest attempt or session.
    seen_ns: u64,
    /// Packet time of the last verdict, unproven and proven.
    said_ns: [Option<u64>; 2],
}

impl Scan {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            steps: Steps::new(&config.parameters, config.contacts_max),
            hasher: DefaultHashBuilder::default(),
            unproven: Lru::new(config.unproven_sources_max),
            proven: Lru::new(config.proven_sources_max),
            services: Lru::new(config.services_max),
            counts: Counts::default(),
            config: config.clone(),
        }
    }

    /// A SYN was answered, or not.
    fn attempt(&mut self, flow: &Flow, outcome: Outcome, now_ns: u64, out: &mut Vec<Verdict>) {
        self.counts.attempts = self.counts.attempts.saturating_add(1);
        let failed = match outcome {
            Outcome::Accepted => false,
            Outcome::Refused | Outcome::Unanswered => true,
        };
        if self.is_outage(flow, failed, now_ns) {
            self.counts.outage = self.counts.outage.saturating_add(1);
            return;
        }
        let (contact, steps) = (self.contact(flow), self.steps);
        let source = self.source(flow, now_ns);
        if source.attempts.step(contact, failed, &steps) && failed {
            self.judge(flow, EvidenceClass::Unproven, now_ns, out);
        }
    }

    /// A connection that the client's acknowledgement proved is over.
    fn session(&mut self, flow: &Flow, by: Direction, now_ns: u64, out: &mut Vec<Verdict>) {
        if !flow.client_proven {
            return;
        }
        self.promote(flow.tuple.src.to_canonical());
        let empty = flow.to_server.payload_bytes == 0;
        if empty && by == Direction::ToClient {
            return;
        }
        let (contact, steps) = (self.contact(flow), self.steps);
        let source = self.source(flow, now_ns);
        let first = source.sessions.step(contact, empty, &steps);
        if empty {
            self.counts.empty_sessions = self.counts.empty_sessions.saturating_add(1);
        }
        if first && empty {
            self.judge(flow, EvidenceClass::PathProven, now_ns, out);
        }
    }

    /// Remembers which services are open; true when this failure is one of a service that was.
    fn is_outage(&mut self, flow: &Flow, failed: bool, now_ns: u64) -> bool {
        let service = (flow.tuple.dst.to_canonical(), flow.tuple.dst_port);
        if !failed {
            *self.services.entry(service) = now_ns;
            return false;
        }
        let open_ns = self.services.get(&service).copied();
        open_ns.is_some_and(|open| now_ns.saturating_sub(open) < self.config.service_memory_ns)
    }

    fn contact(&self, flow: &Flow) -> u32 {
        let hash = self
            .hasher
            .hash_one((flow.tuple.dst.to_canonical(), flow.tuple.dst_port));
        u32::try_from(hash >> 32).unwrap_or_default()
    }

    /// The source of a flow, forgotten first when it was idle for long.
    fn source(&mut self, flow: &Flow, now_ns: u64) -> &mut Source {
        let idle_ns = self.config.idle_ns;
        let source = self.table(flow.tuple.src.to_canonical());
        if now_ns.saturating_sub(source.seen_ns) > idle_ns {
            *source = Source::default();
        }
        source.seen_ns = source.seen_ns.max(now_ns);
        source
    }

    fn table(&mut self, address: IpAddr) -> &mut Source {
        if self.proven.peek(&address).is_some() {
            self.proven.entry(address)
        } else {
            self.unproven.entry(address)
        }
    }

    /// Moves a source where forged ones cannot push it out.
    fn promote(&mut self, address: IpAddr) {
        if let Some(source) = self.unproven.remove(&address) {
            *self.proven.entry(address) = source;
        } else {
            self.proven.entry(address);
        }
    }

    /// Says what the walk of that class says of a source, unless it was said a moment ago.
    fn judge(&mut self, flow: &Flow, evidence: EvidenceClass, now_ns: u64, out: &mut Vec<Verdict>) {
        let quiet_ns = self.config.quiet_ns;
        let source = self.table(flow.tuple.src.to_canonical());
        let walk = source.walk(evidence);
        if !walk.crossed() {
            return;
        }
        let verdict = verdict(flow, evidence, walk, now_ns);
        if source.said_lately(evidence, now_ns, quiet_ns) {
            self.counts.quieted = self.counts.quieted.saturating_add(1);
            return;
        }
        source.say(evidence, now_ns);
        out.push(verdict);
        self.counts.verdicts = self.counts.verdicts.saturating_add(1);
    }
}

impl Detect for Scan {
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let inbound = |flow: &Flow| context.is_home(flow.tuple.dst) != Some(false);
        match event {
            Event::Attempt(flow, outcome) if inbound(flow) => {
                self.attempt(flow, *outcome, context.now_ns, out);
            }
            Event::Closed(flow, by) if inbound(flow) => {
                self.session(flow, *by, context.now_ns, out)
            }
            Event::Attempt(..)
            | Event::Exchanged(_)
            | Event::Proven(_)
            | Event::Closed(..)
            | Event::FlowStart(_)
            | Event::File(..)
            | Event::FileData(..)
            | Event::AppFrame(..)
            | Event::Inspect(_)
            | Event::Progress(..)
            | Event::Stream(..)
            | Event::Transaction(..)
            | Event::FlowEnd(..)
            | Event::Packet(_)
            | Event::Arp(_)
            | Event::Anomaly(..) => {}
        }
    }

    fn forgive(&mut self, source: IpAddr) {
        self.unproven.remove(&source);
        self.proven.remove(&source);
    }

    fn counters(&self) -> Vec<Counter> {
        let evicted = self
            .unproven
            .evicted()
            .saturating_add(self.proven.evicted());
        let sources = self.unproven.len().saturating_add(self.proven.len());
        vec![
            ("scan.attempts", self.counts.attempts),
            ("scan.failures_of_services_down", self.counts.outage),
            ("scan.sources", u64::try_from(sources).unwrap_or(u64::MAX)),
            ("scan.sources_evicted", evicted),
            ("scan.services_evicted", self.services.evicted()),
            ("scan.empty_sessions", self.counts.empty_sessions),
            ("scan.verdicts", self.counts.verdicts),
            ("scan.verdicts_quieted", self.counts.quieted),
        ]
    }
}

impl Source {
    /// The walk that verdicts of a class rest on.
    fn walk(&self, evidence: EvidenceClass) -> &Walk {
        match evidence {
            EvidenceClass::Unproven => &self.attempts,
            EvidenceClass::PathProven | EvidenceClass::Exploit | EvidenceClass::Token => {
                &self.sessions
            }
        }
    }

    /// A verdict also silences those of a lesser class.
    fn said_lately(&self, evidence: EvidenceClass, now_ns: u64, quiet_ns: u64) -> bool {
        let lately = |said: &Option<u64>| said.is_some_and(|at| now_ns.abs_diff(at) < quiet_ns);
        let [_, proven] = &self.said_ns;
        match evidence {
            EvidenceClass::Unproven => self.said_ns.iter().any(lately),
            EvidenceClass::PathProven | EvidenceClass::Exploit | EvidenceClass::Token => {
                lately(proven)
            }
        }
    }

    fn say(&mut self, evidence: EvidenceClass, now_ns: u64) {
        let [unproven, proven] = &mut self.said_ns;
        let said = if evidence == EvidenceClass::Unproven {
            unproven
        } else {
            proven
        };
        *said = Some(now_ns);
    }
}

fn verdict(flow: &Flow, evidence: EvidenceClass, walk: &Walk, now_ns: u64) -> Verdict {
    let offender = flow.tuple.src.to_canonical();
    let (failures, contacts) = (walk.failures(), walk.contacts());
    let what = if evidence == EvidenceClass::Unproven {
        format!("{failures} of {contacts} first contacts with services failed")
    } else {
        format!("{failures} of {contacts} services were connected to and left without a word")
    };
    let reasons = vec![Reason::of("ip.src", &octets(offender), what)];
    Verdict {
        at_ns: now_ns,
        first_packet_ns: flow.start_ns,
        evidence,
        confidence: CONFIDENCE,
        offender: Some(offender),
        far_end: None,
        victim: None,
        tuple: Some(flow.tuple),
        flow: Some(flow.id),
        detector: NAME,
        reasons,
        count: walk.failures(),
    }
}
