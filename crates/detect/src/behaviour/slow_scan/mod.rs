//! Scans that take days: at most one contact of a source in a while counts, and is remembered for a
//! week.
//!
//! [`crate::scan`] judges what comes within half an hour. Here the same walk goes over what is left:
//! a first contact with a service that fails counts when the last one that counted is
//! [`Config::pace_ns`] ago, so that one burst, a network that was down, or a page with dead links
//! counts once. UDP services that do not answer count as well. Successes always count.
//!
//! **Evidence.** Anyone can send a SYN or a datagram in anyone's name: every verdict is
//! [`EvidenceClass::Unproven`], and nothing is blocked on it.
//!
//! # Failure bias
//! Open: a full table forgets the source used least recently.

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::DefaultHashBuilder;
use packet::{Event, Flow, Outcome, Proto};
use stix::lease::EvidenceClass;

use super::{DAY_NS, SECOND_NS, measure};
use crate::detector::{Context, Counter, Detect};
use crate::lru::Lru;
use crate::scan::{Parameters, Steps, Walk};
use crate::verdict::{Reason, Verdict, octets};

/// Name and version in verdicts.
pub const NAME: &str = "slow-scan@1";

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// The sequential test.
    pub parameters: Parameters,
    /// Failures of a source that are closer to each other count as one, nanoseconds.
    pub pace_ns: u64,
    /// Most sources that are remembered.
    pub sources_max: usize,
    /// Most services remembered of a source, to tell first contacts.
    pub contacts_max: usize,
    /// A source is forgotten after this long without a contact, nanoseconds.
    pub idle_ns: u64,
    /// A source is not told again before this long, nanoseconds.
    pub quiet_ns: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // stricter than for bursts: nine failures in a row cross
            parameters: Parameters {
                alpha: 1e-5,
                ..Parameters::default()
            },
            pace_ns: 300 * SECOND_NS,
            sources_max: 65_536,
            contacts_max: 64,
            idle_ns: 7 * DAY_NS,
            quiet_ns: DAY_NS,
        }
    }
}

const CONFIDENCE: u8 = 70;

/// The detector of slow scans.
#[derive(Debug)]
pub(crate) struct SlowScan {
    config: Config,
    steps: Steps,
    hasher: DefaultHashBuilder,
    sources: Lru<IpAddr, Source>,
    contacts: u64,
    verdicts: u64,
}

#[derive(Debug, Default)]
struct Source {
    walk: Walk,
    seen_ns: u64,
    first_ns: u64,
    /// When a failure counted last.
    failed_ns: Option<u64>,
    said_ns: Option<u64>,
}

impl SlowScan {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            steps: Steps::new(&config.parameters, config.contacts_max),
            hasher: DefaultHashBuilder::default(),
            sources: Lru::new(config.sources_max),
            contacts: 0,
            verdicts: 0,
            config: config.clone(),
        }
    }

    fn contact(&mut self, flow: &Flow, failed: bool, now_ns: u64, out: &mut Vec<Verdict>) {
        let to = (
            flow.tuple.dst.to_canonical(),
            flow.tuple.dst_port,
            flow.tuple.proto,
        );
        let contact = u32::try_from(self.hasher.hash_one(to) >> 32).unwrap_or_default();
        let source = self.sources.entry(flow.tuple.src.to_canonical());
        if now_ns.saturating_sub(source.seen_ns) > self.config.idle_ns {
            *source = Source {
                first_ns: flow.start_ns,
                ..Source::default()
            };
        }
        source.seen_ns = source.seen_ns.max(now_ns);
        let pace_ns = self.config.pace_ns;
        let lately = source
            .failed_ns
            .is_some_and(|at| now_ns.saturating_sub(at) < pace_ns);
        if failed && lately {
            return;
        }
        if !source.walk.step(contact, failed, &self.steps) {
            return;
        }
        self.contacts = self.contacts.saturating_add(1);
        if !failed {
            return;
        }
        source.failed_ns = Some(now_ns);
        let quiet = source
            .said_ns
            .is_some_and(|at| now_ns.abs_diff(at) < self.config.quiet_ns);
        if source.walk.crossed() && !quiet {
            source.said_ns = Some(now_ns);
            self.verdicts = self.verdicts.saturating_add(1);
            out.push(verdict(flow, source, now_ns));
        }
    }
}

fn verdict(flow: &Flow, source: &Source, now_ns: u64) -> Verdict {
    let offender = flow.tuple.src.to_canonical();
    let (failures, contacts) = (source.walk.failures(), source.walk.contacts());
    let what = format!("{failures} of {contacts} first contacts failed, one at a time");
    let hours = f64::from(
        u32::try_from(now_ns.saturating_sub(source.first_ns) / SECOND_NS).unwrap_or(u32::MAX),
    ) / 3_600.0;
    Verdict {
        at_ns: now_ns,
        first_packet_ns: source.first_ns,
        evidence: EvidenceClass::Unproven,
        confidence: CONFIDENCE,
        offender: Some(offender),
        far_end: None,
        victim: None,
        tuple: Some(flow.tuple),
        flow: Some(flow.id),
        detector: NAME,
        reasons: vec![
            Reason::of("ip.src", &octets(offender), what),
            measure("hours", hours, "since its first contact".to_owned()),
        ],
        count: failures,
    }
}

impl Detect for SlowScan {
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let inbound = |flow: &Flow| context.is_home(flow.tuple.dst) != Some(false);
        match event {
            Event::Attempt(flow, outcome) if inbound(flow) => {
                let failed = matches!(outcome, Outcome::Refused | Outcome::Unanswered);
                self.contact(flow, failed, context.now_ns, out);
            }
            Event::FlowEnd(flow, _) if flow.tuple.proto == Proto::Udp && inbound(flow) => {
                let failed = flow.to_client.packets == 0;
                let to_one = match flow.tuple.dst {
                    IpAddr::V4(address) => !address.is_multicast() && !address.is_broadcast(),
                    IpAddr::V6(address) => !address.is_multicast(),
                };
                if to_one {
                    self.contact(flow, failed, context.now_ns, out);
                }
            }
            Event::FlowStart(_)
            | Event::Attempt(..)
            | Event::Exchanged(_)
            | Event::Proven(_)
            | Event::Closed(..)
            | Event::FlowEnd(..)
            | Event::File(..)
            | Event::FileData(..)
            | Event::AppFrame(..)
            | Event::Inspect(_)
            | Event::Progress(..)
            | Event::Stream(..)
            | Event::Transaction(..)
            | Event::Packet(_)
            | Event::Arp(_)
            | Event::Anomaly(..) => {}
        }
    }

    fn forgive(&mut self, source: IpAddr) {
        self.sources.remove(&source);
    }

    fn counters(&self) -> Vec<Counter> {
        vec![
            ("slow_scan.contacts", self.contacts),
            ("slow_scan.sources_evicted", self.sources.evicted()),
            ("slow_scan.verdicts", self.verdicts),
        ]
    }
}
