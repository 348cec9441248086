//! Beacons: a host that turns to one service of another as regularly as no person does.
//!
//! A contact is a TCP connection, a UDP flow, or a later request of an HTTP connection that stays
//! open. The statistics over the latest 64 contacts of a host with a service are those of
//! `beacon@1` ([`features::Contacts`]), and [`score`] is RITA's idea of them: gaps and sizes that
//! deviate little from their median, and as often up as down.
//!
//! **What it cannot tell.** Software that polls is regular as well: updates, mail, monitoring. A
//! verdict says that something is regular, never that it is malicious: it is an alert for somebody
//! who knows the host. [`Config::allowed`] takes services out.
//!
//! **The far end.** Software that polls goes by a name: somebody here looked the address up, or the
//! connection itself says whom it is meant for (the Host of HTTP, the name in a TLS handshake). Where
//! neither was ever seen, both sides proved their path and the service is not ours, the verdict names
//! the address. Whether that is enough to do anything about it, policy says.
//!
//! **Limits.** A connection that stays open and is not HTTP/1 is one contact. Jitter of more than
//! half of the period is not told from people. Services that are polled by design (DNS, DHCP, NTP,
//! discovery) are not looked at. A beacon that shows a name has no far end. Names that are looked up
//! where no packet of it passes here (DNS over HTTPS, a resolver inside) are not seen, though most
//! connections show theirs.
//!
//! # Failure bias
//! Open: a full table forgets the pair used least recently. A full table of names forgets the oldest,
//! and a service that shows no name itself may be taken for one without any.

use std::net::IpAddr;

use features::Contacts;
use ipnet::IpNet;
use packet::applayer::dns;
use packet::{Event, FiveTuple, Flow, Proto, Transaction, http1, tls};

use super::{DAY_NS, SECOND_NS, Said, alert, is_ours, leaves_home, measure};
use crate::detector::{Context, Counter, Detect};
use crate::fields::{dns_addresses, host_without_port};
use crate::lru::Lru;
use crate::verdict::{Reason, Verdict, octets};
use stix::lease::EvidenceClass;

/// Name and version in verdicts.
pub const NAME: &str = "beacon@1";

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Least score, 0 to 1, that is told.
    pub score_min: f64,
    /// Least contacts that are judged.
    pub contacts_min: usize,
    /// Least time between the first and the last of them, nanoseconds.
    pub span_min_ns: u64,
    /// Most pairs of host and service that are remembered.
    pub pairs_max: usize,
    /// A pair is forgotten after this long without a contact, nanoseconds.
    pub idle_ns: u64,
    /// A pair is not told again before this long, nanoseconds.
    pub quiet_ns: u64,
    /// The same of one whose far end is sure.
    pub again_ns: u64,
    /// Most addresses that are remembered to have a name.
    pub names_max: usize,
    /// Networks whose services may be polled.
    pub allowed: Vec<IpNet>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            score_min: 0.65,
            contacts_min: 20,
            span_min_ns: 60 * SECOND_NS,
            pairs_max: 16_384,
            idle_ns: 2 * DAY_NS,
            quiet_ns: DAY_NS,
            again_ns: DAY_NS,
            names_max: 65_536,
            allowed: Vec::new(),
        }
    }
}

/// UDP services that are polled by design: DNS, DHCP, NTP, NetBIOS, SNMP, SSDP, discovery, mDNS.
const POLLED_UDP: [u16; 10] = [53, 67, 68, 123, 137, 138, 161, 1900, 3702, 5353];

/// How regular contacts of `beacon@1` are, 0 to 1.
#[must_use]
pub fn score(numbers: &[f32]) -> f64 {
    let [
        contacts,
        _,
        median,
        deviation,
        skew,
        covered,
        _,
        size_deviation,
        size_skew,
    ] = *numbers
    else {
        return 0.0;
    };
    if median < 1.0 {
        return 0.0;
    }
    // jitter of half the period deviates by a quarter, exponential gaps by 0.69; how skewed numbers are
    // that hardly differ says nothing
    let regular = |deviation: f32, skew: f32, most: f64| {
        let (deviation, skew) = (f64::from(deviation), f64::from(skew.abs()).min(1.0));
        let steady = 1.0 - (deviation / most).min(1.0);
        0.75 * steady + 0.25 * (1.0 - skew * (deviation / 0.1).min(1.0))
    };
    let gaps = regular(deviation, skew, 0.5);
    let sizes = regular(size_deviation, size_skew, 1.0);
    let enough = (f64::from(contacts) / 20.0).min(1.0);
    let steady = (f64::from(covered) / 0.2).min(1.0);
    (0.8 * gaps + 0.2 * sizes) * enough * steady
}

/// The beacon detector.
#[derive(Debug)]
pub(crate) struct Beacon {
    config: Config,
    pairs: Lru<Key, Pair>,
    /// Addresses that an answer gave for a name.
    names: Lru<IpAddr, ()>,
    contacts: u64,
    verdicts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    host: IpAddr,
    server: IpAddr,
    proto: Proto,
    port: u16,
}

impl Key {
    fn of(tuple: &FiveTuple) -> Self {
        Self {
            host: tuple.src.to_canonical(),
            server: tuple.dst.to_canonical(),
            proto: tuple.proto,
            port: tuple.dst_port,
        }
    }
}

#[derive(Debug, Default)]
struct Pair {
    contacts: Contacts,
    /// Whether a contact said whom it was meant for.
    named: bool,
    seen_ns: u64,
    said: Said,
}

impl Beacon {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            pairs: Lru::new(config.pairs_max),
            names: Lru::new(config.names_max),
            contacts: 0,
            verdicts: 0,
            config: config.clone(),
        }
    }

    fn contact(
        &mut self,
        flow: &Flow,
        (at_ns, bytes): (u64, u64),
        context: &Context<'_>,
        out: &mut Vec<Verdict>,
    ) {
        let (now_ns, key) = (context.now_ns, Key::of(&flow.tuple));
        if self
            .config
            .allowed
            .iter()
            .any(|net| net.contains(&key.server))
        {
            return;
        }
        self.contacts = self.contacts.saturating_add(1);
        let pair = self.pairs.entry(key);
        if now_ns.saturating_sub(pair.seen_ns) > self.config.idle_ns {
            *pair = Pair::default();
        }
        pair.seen_ns = pair.seen_ns.max(now_ns);
        let is_new = pair.contacts.add(at_ns, bytes);
        let enough = pair.contacts.len() >= self.config.contacts_min
            && pair.contacts.span_ns() >= self.config.span_min_ns;
        let is_proven = flow.client_proven && flow.server_proven;
        let is_named = pair.named || self.names.peek(&key.server).is_some();
        let is_sure = is_proven && !is_named && leaves_home(context, flow);
        let far_end = is_sure.then_some(key.server);
        let quiet = (self.config.quiet_ns, self.config.again_ns);
        let is_due = pair.said.is_due(far_end.is_some(), quiet, now_ns);
        // statistics cost microseconds: at most once a second for a pair, and not in vain
        if !is_new || !enough || !is_due {
            return;
        }
        let numbers = pair.contacts.numbers();
        let score = score(&numbers);
        if score < self.config.score_min {
            return;
        }
        pair.said.say(far_end.is_some(), now_ns);
        self.verdicts = self.verdicts.saturating_add(1);
        let scores = (score, self.config.score_min);
        let said = verdict(flow, &numbers, scores, now_ns);
        out.push(Verdict { far_end, ..said });
    }

    /// Learns names: of addresses from answers, of services from what connections say.
    fn learn(&mut self, flow: &Flow, transaction: &dyn Transaction, is_contact: bool) {
        if let Some(message) = transaction.downcast_ref::<dns::Message>() {
            if message.kind == dns::Kind::Answer {
                for address in dns_addresses(message) {
                    self.names.entry(address.to_canonical());
                }
            }
            return;
        }
        if is_contact && shows_name(transaction) {
            self.pairs.entry(Key::of(&flow.tuple)).named = true;
        }
    }
}

/// Whether a transaction says by name whom it is meant for.
fn shows_name(transaction: &dyn Transaction) -> bool {
    if let Some(http) = transaction.downcast_ref::<http1::Transaction>() {
        return http.host().is_some_and(|host| {
            let (host, address) = host_without_port(host);
            !host.is_empty() && address.is_none()
        });
    }
    let hello = transaction.downcast_ref::<tls::Hello>();
    hello.is_some_and(|hello| hello.sni().is_some())
}

fn verdict(flow: &Flow, numbers: &[f32], (score, score_min): (f64, f64), now_ns: u64) -> Verdict {
    let tuple = &flow.tuple;
    let evidence = match flow.client_proven && flow.server_proven {
        true => EvidenceClass::PathProven,
        false => EvidenceClass::Unproven,
    };
    let mut verdict = alert(NAME, (*tuple, flow), evidence, flow.start_ns, now_ns);
    let [contacts, _, median, ..] = *numbers else {
        return verdict;
    };
    let what = format!(
        "{contacts:.0} contacts with port {} about every {median:.0} s",
        tuple.dst_port
    );
    verdict.reasons = vec![
        Reason::of("ip.dst", &octets(tuple.dst.to_canonical()), what),
        measure("score", score, format!("0 to 1; told from {score_min} on")),
    ];
    let columns = features::find(NAME).map_or(&[][..], |beacon| beacon.columns());
    let measured = columns.iter().zip(numbers);
    let measured = measured
        .map(|(column, value)| measure(column.name, f64::from(*value), column.meaning.to_owned()));
    verdict.reasons.extend(measured);
    verdict
}

/// Whether contacts with a service tell anything.
fn is_looked_at(tuple: &FiveTuple) -> bool {
    let to_one = match tuple.dst {
        IpAddr::V4(address) => !address.is_multicast() && !address.is_broadcast(),
        IpAddr::V6(address) => !address.is_multicast(),
    };
    let asked = match tuple.proto {
        Proto::Tcp => true,
        Proto::Udp => !POLLED_UDP.contains(&tuple.dst_port),
        Proto::Icmp | Proto::Icmp6 | Proto::Other(_) => false,
    };
    to_one && asked && !tuple.dst.is_loopback()
}

impl Detect for Beacon {
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let outbound = |flow: &Flow| {
            is_ours(context, flow.tuple.src)
                && context.is_home(flow.tuple.dst) != Some(true)
                && is_looked_at(&flow.tuple)
        };
        if let Event::Transaction(flow, transaction) = event {
            self.learn(flow, *transaction, outbound(flow));
        }
        match event {
            Event::FlowEnd(flow, _) if outbound(flow) => {
                let begun = (flow.start_ns, flow.to_server.payload_bytes);
                self.contact(flow, begun, context, out);
            }
            Event::Transaction(flow, transaction) if transaction.id() > 0 && outbound(flow) => {
                let http = transaction.downcast_ref::<http1::Transaction>();
                if let Some(http) = http.filter(|http| http.phase == http1::Phase::Complete) {
                    let head = u64::try_from(http.target().len()).unwrap_or(u64::MAX);
                    let begun = (http.first_ts_ns, http.request_len.saturating_add(head));
                    self.contact(flow, begun, context, out);
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

    fn counters(&self) -> Vec<Counter> {
        vec![
            ("beacon.contacts", self.contacts),
            ("beacon.pairs_evicted", self.pairs.evicted()),
            ("beacon.verdicts", self.verdicts),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_lowers_the_score() {
        let of =
            |deviation, skew| score(&[40.0, 2400.0, 60.0, deviation, skew, 1.0, 300.0, 0.05, 0.0]);
        let scores = [0.0, 0.05, 0.15, 0.25, 0.5].map(|deviation| of(deviation, 0.0));
        assert!(scores.is_sorted_by(|one, other| one > other), "{scores:?}");
        assert!(scores[2] > 0.75 && scores[4] < 0.5);
        assert!(of(0.1, 0.9) < of(0.1, 0.0));
    }

    #[test]
    fn few_contacts_bursts_and_nonsense_score_low() {
        assert!(score(&[5.0, 300.0, 60.0, 0.0, 0.0, 1.0, 300.0, 0.0, 0.0]) < 0.3);
        assert!(score(&[60.0, 9e5, 2.0, 0.0, 0.0, 0.01, 300.0, 0.0, 0.0]) < 0.1);
        assert!(score(&[]) < 0.1 && score(&[60.0, 30.0, 0.5, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]) < 0.1);
    }
}
