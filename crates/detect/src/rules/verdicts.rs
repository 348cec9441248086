//! Alerts of rules as verdicts, for who acts on them.
//!
//! **Whom it names.** A `drop` or `reject` rule that matched accuses who sent what matched, where a
//! client from outside sent it to one of our services; `target` of the rule says it of the other way
//! too. Hosts of ours, and everybody where nothing is said of home, are accused of nothing. An `alert`
//! rule accuses nobody: it is told.
//!
//! **Evidence.** Bytes that matched and came on a TCP path that their sender proved are
//! [`EvidenceClass::Exploit`]; a match on such a path without bytes is [`EvidenceClass::PathProven`];
//! everything else anyone can have sent.

use std::net::IpAddr;

use ipnet::IpNet;
use packet::{Direction, FiveTuple, Flow, Proto};
use stix::lease::EvidenceClass;

use super::alert::Alert;
use super::rule::Rule;
use crate::lru::Lru;
use crate::verdict::{Reason, Verdict, service};

/// Name and version in verdicts.
const NAME: &str = "rule@1";
/// How sure the operator is of a rule of its own.
const CONFIDENCE_OWN: u8 = 100;
/// Most characters of a rule's message in a reason.
const MESSAGE_CHARS_MAX: usize = 200;

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct VerdictsConfig {
    /// Where our services are. Empty: nobody is accused.
    pub home: Vec<IpNet>,
    /// Whether `drop` and `reject` rules accuse.
    pub drops: bool,
    /// The same rule about the same address in the same class is not repeated before this long,
    /// nanoseconds.
    pub quiet_ns: u64,
    /// Most triples of rule, address and class remembered for that.
    pub quiet_max: usize,
}

impl Default for VerdictsConfig {
    fn default() -> Self {
        Self {
            home: Vec::new(),
            drops: true,
            quiet_ns: 10_000_000_000,
            quiet_max: 65_536,
        }
    }
}

/// Makes verdicts of alerts, each kind once in a while.
#[derive(Debug)]
pub struct Verdicts {
    config: VerdictsConfig,
    said: Lru<Subject, Said>,
    verdicts: u64,
    quieted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Subject {
    gid: u32,
    sid: u32,
    address: Option<IpAddr>,
    evidence: EvidenceClass,
}

#[derive(Debug, Default)]
struct Said {
    at_ns: Option<u64>,
    quieted: u32,
}

/// Who did what to whom.
#[derive(Clone, Copy, Debug)]
struct Case {
    sender: IpAddr,
    receiver: IpAddr,
    /// The client of the flow sent it.
    by_client: bool,
    sender_proven: bool,
    receiver_proven: bool,
}

impl Verdicts {
    /// That has said nothing.
    #[must_use]
    pub fn new(config: VerdictsConfig) -> Self {
        Self {
            said: Lru::new(config.quiet_max),
            config,
            verdicts: 0,
            quieted: 0,
        }
    }

    /// The verdict of an alert; none when it was given a moment ago. `flow` and `tuple`, its sender
    /// first, are of what the alert came with; `now_ns` is packet time.
    ///
    /// # Failure bias
    /// Open: where it is not plain who attacks whom, nobody is accused.
    pub fn of(
        &mut self,
        alert: &Alert,
        flow: Option<&Flow>,
        tuple: Option<FiveTuple>,
        now_ns: u64,
    ) -> Option<Verdict> {
        let rule = alert.rule()?;
        let case = case(alert.direction, flow, tuple);
        let offender = case.and_then(|case| self.offender(alert, rule, &case));
        let evidence = case.map_or(EvidenceClass::Unproven, |case| {
            evidence(&case, offender, alert.reason.is_some())
        });
        let subject = Subject {
            gid: rule.id.gid,
            sid: rule.id.sid,
            address: offender.or(case.map(|case| case.sender)),
            evidence,
        };
        let Some(count) = self.say(subject, now_ns) else {
            self.quieted = self.quieted.saturating_add(1);
            return None;
        };
        self.verdicts = self.verdicts.saturating_add(1);
        let origin = rule.origin.as_deref();
        let tuple = flow.map(|flow| flow.tuple).or(tuple);
        let inbound = tuple.filter(|tuple| flow.is_some() && offender == Some(tuple.src));
        Some(Verdict {
            at_ns: now_ns,
            first_packet_ns: now_ns,
            evidence,
            confidence: origin.map_or(CONFIDENCE_OWN, |origin| origin.confidence),
            offender: offender.map(|address| address.to_canonical()),
            far_end: None,
            victim: inbound.and_then(|tuple| service(&tuple)),
            tuple,
            flow: alert.flow,
            detector: NAME,
            reasons: vec![reason(alert, rule)],
            count,
        })
    }

    /// Forgets what was said of a source: it is to be told again at once.
    pub fn forgive(&mut self, source: IpAddr) {
        let is_other = |address: IpAddr| address.to_canonical() != source;
        self.said
            .retain(|subject| subject.address.is_none_or(is_other));
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> [(&'static str, u64); 3] {
        [
            ("rule.verdicts", self.verdicts),
            ("rule.verdicts_quieted", self.quieted),
            ("rule.quiet_evicted", self.said.evicted()),
        ]
    }

    fn offender(&self, alert: &Alert, rule: &Rule, case: &Case) -> Option<IpAddr> {
        if !(self.config.drops && alert.action.drops()) {
            return None;
        }
        let (attacker, victim) = match rule.about.target {
            Some("src_ip") => (case.receiver, case.sender),
            Some(_) => (case.sender, case.receiver),
            // whom our own clients ask may share its address with others
            None if !case.by_client => return None,
            None => (case.sender, case.receiver),
        };
        (self.is_home(victim) && !self.is_home(attacker)).then_some(attacker)
    }

    fn is_home(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.config.home.iter().any(|net| net.contains(&address))
    }

    /// How many alerts a verdict now stands for; none when it was given a moment ago.
    fn say(&mut self, subject: Subject, now_ns: u64) -> Option<u32> {
        let said = self.said.entry(subject);
        let is_recent = |at: u64| now_ns.abs_diff(at) < self.config.quiet_ns;
        if said.at_ns.is_some_and(is_recent) {
            said.quieted = said.quieted.saturating_add(1);
            return None;
        }
        said.at_ns = Some(now_ns);
        Some(std::mem::take(&mut said.quieted).saturating_add(1))
    }
}

fn case(direction: Direction, flow: Option<&Flow>, tuple: Option<FiveTuple>) -> Option<Case> {
    let Some(flow) = flow else {
        return tuple.map(|tuple| Case {
            sender: tuple.src,
            receiver: tuple.dst,
            by_client: false,
            sender_proven: false,
            receiver_proven: false,
        });
    };
    let by_client = direction == Direction::ToServer;
    let is_tcp = flow.tuple.proto == Proto::Tcp;
    let client = (flow.tuple.src, is_tcp && flow.client_proven);
    let server = (flow.tuple.dst, is_tcp && flow.server_proven);
    let (sender, receiver) = if by_client {
        (client, server)
    } else {
        (server, client)
    };
    Some(Case {
        sender: sender.0,
        receiver: receiver.0,
        by_client,
        sender_proven: sender.1,
        receiver_proven: receiver.1,
    })
}

fn evidence(case: &Case, offender: Option<IpAddr>, has_bytes: bool) -> EvidenceClass {
    let of_sender = offender.is_none_or(|offender| offender == case.sender);
    let proven = match of_sender {
        true => case.sender_proven,
        false => case.receiver_proven,
    };
    match proven {
        false => EvidenceClass::Unproven,
        true if has_bytes && of_sender && offender.is_some() => EvidenceClass::Exploit,
        true => EvidenceClass::PathProven,
    }
}

fn reason(alert: &Alert, rule: &Rule) -> Reason {
    let (gid, sid, rev) = (rule.id.gid, rule.id.sid, rule.id.rev);
    let message: String = rule.about.message.chars().take(MESSAGE_CHARS_MAX).collect();
    let origin = rule.origin.as_deref();
    Reason {
        object: origin.map(|origin| origin.object.clone()),
        source: origin.map(|origin| origin.source.clone()),
        buffer: alert.reason.map_or("rule", |reason| reason.buffer),
        offset: alert.reason.map_or(0, |reason| reason.offset),
        matched: Box::default(),
        // a rule matches many: who shares one convicts no more of them than by any other list
        exact: false,
        what: format!("rule {gid}:{sid}:{rev} {message}").into_boxed_str(),
    }
}
