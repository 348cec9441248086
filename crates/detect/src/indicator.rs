//! Indicators: what partners named, found in what an inspection point saw.
//!
//! **Whom it names.** A listed address is the offender itself, unless it is one of ours. In a
//! request *to* one of our services, who asks for a listed URL or shows a listed fingerprint is the
//! offender. A listed name makes nobody one: who asks for it in DNS, or connects to it, is a victim,
//! and the address that serves it may be one that others share (hosting, CDN).
//!
//! **Evidence.** A request for a listed URL on a path that its client proved is
//! [`EvidenceClass::Exploit`]: in a flow whose client never acknowledged our sequence number it can
//! be anyone's. A listed address, name or fingerprint on a proven path is
//! [`EvidenceClass::PathProven`]; a fingerprint is shared by many. Everything else, all UDP among
//! it, is [`EvidenceClass::Unproven`].

use std::net::IpAddr;

use packet::applayer::{dns, http1, tls};
use packet::{AnomalyKind, Event, FiveTuple, Flow, FlowId, Proto, Transaction};
use stix::lease::EvidenceClass;

use crate::detector::{Context, Counter, Detect};
use crate::fields::{dns_addresses, dns_names, host_without_port};
use crate::index::{End, Hit};
use crate::lru::Lru;
use crate::verdict::{REASONS_MAX, Reason, Verdict, capped, octets, service};

/// Name and version in verdicts.
pub(crate) const NAME: &str = "indicator@1";

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// The same indicator about the same address in the same class is not repeated before this
    /// long, nanoseconds. 0: every match is a verdict, as a log of a capture wants it.
    pub quiet_ns: u64,
    /// Most pairs of indicator and address remembered for that.
    pub quiet_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quiet_ns: 10_000_000_000,
            quiet_max: 65_536,
        }
    }
}

/// The indicator detector.
#[derive(Debug)]
pub(crate) struct Indicators {
    config: Config,
    said: Lru<Subject, Said>,
    scratch: Vec<u8>,
    verdicts: u64,
    quieted: u64,
    reasons_max_hit: u64,
    unreadable: u64,
}

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Subject {
    /// Stands for all that matched: a listed URL is news even when its host was named just before.
    indicators: u64,
    address: IpAddr,
    evidence: EvidenceClass,
}

#[derive(Debug, Default)]
struct Said {
    at_ns: Option<u64>,
    quieted: u32,
}

/// Matches of one event that name one offender.
#[derive(Debug)]
struct Matches {
    offender: Option<IpAddr>,
    /// Whether something matched that makes the offender one.
    accuses: bool,
    evidence: EvidenceClass,
    first_packet_ns: u64,
    indicators: Option<u64>,
    confidence: u8,
    reasons: Vec<Reason>,
    left_out: u64,
    /// Matches of which it cannot be read whose they are.
    unreadable: u64,
}

impl Indicators {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            said: Lru::new(config.quiet_max),
            config: config.clone(),
            scratch: Vec::new(),
            verdicts: 0,
            quieted: 0,
            reasons_max_hit: 0,
            unreadable: 0,
        }
    }

    /// Looks both ends of a flow up: when it starts, and again when its path is proven.
    fn ends(&mut self, flow: &Flow, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let (client, server) = (flow.tuple.src, flow.tuple.dst);
        let named = |address| (context.is_home(address) != Some(true)).then_some(address);
        let mut source = Matches::new(named(client), proof(flow.client_proven), flow.start_ns);
        let mut target = Matches::new(named(server), proof(flow.server_proven), flow.start_ns);
        context.index.flow(&flow.tuple, |end, hit| match end {
            End::Source => source.address("ip.src", client, hit),
            End::Destination => target.address("ip.dst", server, hit),
        });
        self.conclude(source, flow, context, out);
        self.conclude(target, flow, context, out);
    }

    /// Looks both ends of a fragment up, which is in no flow: anyone can have sent it.
    fn fragment(&mut self, tuple: &FiveTuple, context: &Context<'_>, out: &mut Vec<Verdict>) {
        for (buffer, address) in [("ip.src", tuple.src), ("ip.dst", tuple.dst)] {
            let named = (context.is_home(address) != Some(true)).then_some(address);
            let mut matches = Matches::new(named, EvidenceClass::Unproven, context.now_ns);
            let index = context.index;
            index.address(address, |hit| matches.address(buffer, address, hit));
            self.conclude_for(matches, (tuple, None), context, out);
        }
    }

    fn transaction(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        context: &Context<'_>,
        out: &mut Vec<Verdict>,
    ) {
        if let Some(message) = transaction.downcast_ref::<dns::Message>() {
            self.dns(flow, message, context, out);
        } else if let Some(request) = transaction.downcast_ref::<http1::Transaction>() {
            if request.phase == http1::Phase::Request {
                self.http(flow, request, context, out);
            }
        } else if let Some(hello) = transaction.downcast_ref::<tls::Hello>() {
            self.tls(flow, hello, context, out);
        }
    }

    fn dns(
        &mut self,
        flow: &Flow,
        message: &dns::Message,
        context: &Context<'_>,
        out: &mut Vec<Verdict>,
    ) {
        let evidence = proof(flow.tuple.proto == Proto::Tcp && flow.client_proven);
        let mut matches = Matches::new(None, evidence, message.first_ts_ns);
        let (index, scratch) = (context.index, &mut self.scratch);
        let unasked = flow.to_server.packets == 0;
        dns_names(message, unasked, |buffer, name| {
            index.domain(name, scratch, |hit| matches.domain(buffer, name, hit));
        });
        for address in dns_addresses(message) {
            index.address(address, |hit| {
                matches.address("dns.answers.rdata", address, hit)
            });
        }
        self.conclude(matches, flow, context, out);
    }

    fn http(
        &mut self,
        flow: &Flow,
        request: &http1::Transaction,
        context: &Context<'_>,
        out: &mut Vec<Verdict>,
    ) {
        let mut matches = Matches::of_transaction(flow, request.first_ts_ns, context);
        let server = Self::authority(flow);
        let host = request.host().unwrap_or(server.as_bytes());
        let target = request.target();
        let (name, address) = host_without_port(host);
        let (index, scratch) = (context.index, &mut self.scratch);
        index.domain(name, scratch, |hit| matches.domain("http.host", name, hit));
        if let Some(address) = address {
            index.address(address, |hit| matches.address("http.host", address, hit));
        }
        index.url(host, target, scratch, |hit| matches.url(host, target, hit));
        self.conclude(matches, flow, context, out);
    }

    fn tls(
        &mut self,
        flow: &Flow,
        hello: &tls::Hello,
        context: &Context<'_>,
        out: &mut Vec<Verdict>,
    ) {
        let mut matches = Matches::of_transaction(flow, hello.first_ts_ns, context);
        let index = context.index;
        if let Some(name) = hello.sni() {
            index.domain(name, &mut self.scratch, |hit| {
                matches.domain("tls.sni", name, hit)
            });
        }
        let (ja3, ja4) = (hello.ja3_hash(), hello.ja4());
        index.ja3(ja3.as_bytes(), |hit| {
            matches.whole("ja3.hash", ja3.as_bytes(), hit)
        });
        index.ja4(ja4.as_bytes(), |hit| {
            matches.whole("ja4.hash", ja4.as_bytes(), hit)
        });
        self.conclude(matches, flow, context, out);
    }

    /// The server by its address, for a request that names no host.
    fn authority(flow: &Flow) -> String {
        std::net::SocketAddr::new(flow.tuple.dst, flow.tuple.dst_port).to_string()
    }

    fn conclude(
        &mut self,
        matches: Matches,
        flow: &Flow,
        context: &Context<'_>,
        out: &mut Vec<Verdict>,
    ) {
        self.conclude_for(matches, (&flow.tuple, Some(flow.id)), context, out);
    }

    fn conclude_for(
        &mut self,
        matches: Matches,
        of: (&FiveTuple, Option<FlowId>),
        context: &Context<'_>,
        out: &mut Vec<Verdict>,
    ) {
        self.unreadable = self.unreadable.saturating_add(matches.unreadable);
        let Some(indicators) = matches.indicators else {
            return;
        };
        self.reasons_max_hit = self.reasons_max_hit.saturating_add(matches.left_out);
        let address = matches.offender.unwrap_or(of.0.src);
        let subject = Subject {
            indicators,
            address,
            evidence: matches.evidence,
        };
        let Some(count) = self.say(subject, context.now_ns) else {
            self.quieted = self.quieted.saturating_add(1);
            return;
        };
        self.verdicts = self.verdicts.saturating_add(1);
        out.push(matches.verdict(of, count, context.now_ns));
    }

    /// How many matches a verdict now stands for; none when it was given a moment ago.
    fn say(&mut self, subject: Subject, now_ns: u64) -> Option<u32> {
        if self.config.quiet_ns == 0 {
            return Some(1);
        }
        let said = self.said.entry(subject);
        if said
            .at_ns
            .is_some_and(|at| now_ns.abs_diff(at) < self.config.quiet_ns)
        {
            said.quieted = said.quieted.saturating_add(1);
            return None;
        }
        said.at_ns = Some(now_ns);
        Some(std::mem::take(&mut said.quieted).saturating_add(1))
    }
}

impl Detect for Indicators {
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>) {
        if context.index.is_empty() {
            return;
        }
        match event {
            Event::FlowStart(flow) | Event::Proven(flow) => self.ends(flow, context, out),
            Event::Transaction(flow, transaction) => {
                self.transaction(flow, *transaction, context, out);
            }
            Event::Anomaly(None, anomaly) if anomaly.kind == AnomalyKind::Fragment => {
                if let Some(tuple) = &anomaly.tuple {
                    self.fragment(tuple, context, out);
                }
            }
            Event::Attempt(..)
            | Event::Closed(..)
            | Event::Exchanged(_)
            | Event::File(..)
            | Event::FileData(..)
            | Event::AppFrame(..)
            | Event::Inspect(_)
            | Event::Progress(..)
            | Event::Stream(..)
            | Event::FlowEnd(..)
            | Event::Packet(_)
            | Event::Arp(_)
            | Event::Anomaly(..) => {}
        }
    }

    /// A source that was forgiven and goes on is to be told again at once.
    fn forgive(&mut self, source: IpAddr) {
        self.said
            .retain(|subject| subject.address.to_canonical() != source);
    }

    fn counters(&self) -> Vec<Counter> {
        vec![
            ("indicator.verdicts", self.verdicts),
            ("indicator.verdicts_quieted", self.quieted),
            ("indicator.quiet_evicted", self.said.evicted()),
            ("indicator.reasons_max_hit", self.reasons_max_hit),
            ("indicator.owner_unreadable", self.unreadable),
        ]
    }
}

impl Matches {
    fn new(offender: Option<IpAddr>, evidence: EvidenceClass, first_packet_ns: u64) -> Self {
        Self {
            offender,
            accuses: true,
            evidence,
            first_packet_ns,
            indicators: None,
            confidence: 0,
            reasons: Vec::new(),
            left_out: 0,
            unreadable: 0,
        }
    }

    /// Matches in a transaction can name its client when it came to us. What goes out names nobody:
    /// a listed name or URL may be served from an address that others share (hosting, CDN), and our
    /// own client is a victim.
    fn of_transaction(flow: &Flow, first_packet_ns: u64, context: &Context<'_>) -> Self {
        let (client, server) = (flow.tuple.src, flow.tuple.dst);
        let inbound =
            context.is_home(client) == Some(false) && context.is_home(server) == Some(true);
        let offender = inbound.then_some(client);
        let proven = flow.client_proven && flow.tuple.proto == Proto::Tcp;
        let accuses = false;
        Self {
            accuses,
            ..Self::new(offender, proof(proven), first_packet_ns)
        }
    }

    fn address(&mut self, buffer: &'static str, address: IpAddr, hit: Hit<'_>) {
        let what = format!("{address} is listed (/{})", hit.start);
        self.push(buffer, 0, &octets(address), what, hit);
    }

    fn domain(&mut self, buffer: &'static str, name: &[u8], hit: Hit<'_>) {
        let listed = name.get(hit.start..).unwrap_or_default();
        let what = if hit.start == 0 {
            "the name is listed"
        } else {
            "a parent domain is listed"
        };
        self.push(buffer, hit.start, listed, what.to_owned(), hit);
    }

    fn url(&mut self, host: &[u8], target: &[u8], hit: Hit<'_>) {
        let absolute = !target.starts_with(b"/");
        let url = if absolute {
            target.to_vec()
        } else {
            [host, target].concat()
        };
        self.accuses = true;
        if self.evidence == EvidenceClass::PathProven {
            self.evidence = EvidenceClass::Exploit;
        }
        self.push("http.url", 0, &url, "the URL is listed".to_owned(), hit);
    }

    fn whole(&mut self, buffer: &'static str, value: &[u8], hit: Hit<'_>) {
        self.accuses = true;
        self.push(
            buffer,
            0,
            value,
            "the fingerprint is listed".to_owned(),
            hit,
        );
    }

    fn push(&mut self, buffer: &'static str, at: usize, bytes: &[u8], what: String, hit: Hit<'_>) {
        let Some(owner) = hit.owner() else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        self.indicators = Some(mixed(self.indicators, hit.owner_at));
        self.confidence = self.confidence.max(owner.confidence);
        if self.reasons.len() >= REASONS_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.reasons.push(Reason {
            object: Some(owner.key.id),
            source: Some(owner.key.source),
            buffer,
            offset: u32::try_from(at).unwrap_or(u32::MAX),
            matched: capped(bytes),
            exact: is_exact(buffer, bytes, &hit),
            what: what.into_boxed_str(),
        });
    }

    fn verdict(
        self,
        (tuple, flow): (&FiveTuple, Option<FlowId>),
        count: u32,
        now_ns: u64,
    ) -> Verdict {
        let offender = self.offender.filter(|_| self.accuses);
        let inbound = offender == Some(tuple.src);
        Verdict {
            at_ns: now_ns,
            first_packet_ns: self.first_packet_ns,
            evidence: self.evidence,
            confidence: self.confidence,
            offender: offender.map(|address| address.to_canonical()),
            far_end: None,
            victim: service(tuple).filter(|_| inbound && flow.is_some()),
            tuple: Some(*tuple),
            flow,
            detector: NAME,
            reasons: self.reasons,
            count,
        }
    }
}

/// One number for a list of indicators, in the order in which they matched (FNV-1a over 32-bit
/// words).
fn mixed(before: Option<u64>, indicator: u32) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let before = before.unwrap_or(0xcbf2_9ce4_8422_2325);
    (before ^ u64::from(indicator)).wrapping_mul(PRIME)
}

/// Whether the listed value is the matched one and nothing wider. `Hit::start` is the length of the
/// listed prefix for addresses, and where the listed name starts for names.
fn is_exact(buffer: &str, matched: &[u8], hit: &Hit<'_>) -> bool {
    match buffer {
        "ip.src" | "ip.dst" => hit.start == matched.len().saturating_mul(8),
        "ja3.hash" | "ja4.hash" => false,
        _ => hit.start == 0,
    }
}

fn proof(proven: bool) -> EvidenceClass {
    if proven {
        EvidenceClass::PathProven
    } else {
        EvidenceClass::Unproven
    }
}
