//! Rows of the console's tables: everything is text by now, and every text says it plainly.

use super::board::Signal;
use ipnet::IpNet;
use std::collections::HashMap;
use stix::lease::{EvidenceClass, LeaseRequest, Selector, Service};
use stix::{Object, StixId, Timestamp, Tlp};
use taxii::state::{LeaseState, Refusal, StateReport};

/// Characters of a pattern or name that a row shows.
const WHAT_CHARS_MAX: usize = 300;

pub(super) struct SignalRow {
    pub(super) iso: String,
    pub(super) time: String,
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) what: String,
    pub(super) reasons: String,
    pub(super) evidence: &'static str,
    pub(super) detector: String,
    pub(super) tlp: &'static str,
    pub(super) tlp_class: &'static str,
    pub(super) tone: &'static str,
}

impl SignalRow {
    pub(super) fn of(signal: &Signal, reasons: String, wording: &Wording<'_>) -> Self {
        let seen = wording.seen(signal);
        let times = if seen > 1 { format!(" · seen {seen} times") } else { String::new() };
        let head = signal.object.head();
        let tlp = head.tlp();
        let named = head.name.as_deref().unwrap_or_default();
        Self {
            iso: signal.added.to_string(),
            time: clock(signal.added),
            source: signal.source.to_string(),
            kind: kind(&signal.object) + &times,
            what: shortened(&wording.what(&signal.object)),
            reasons: if reasons.is_empty() { shortened(named) } else { shortened(&reasons) },
            evidence: head.lease.as_ref().map_or("", |lease| evidence(lease.evidence)),
            detector: head.lease.as_ref().map(|l| l.detector.to_string()).unwrap_or_default(),
            tlp: tlp.map_or("no marking", |tlp| tlp.name().trim_start_matches("TLP:")),
            tlp_class: tlp.map_or("none", tlp_class),
            tone: if head.revoked { "revoked" } else { "" },
        }
    }
}

pub(super) struct LeaseRow {
    pub(super) selector: String,
    pub(super) why: String,
    pub(super) source: String,
    pub(super) action: &'static str,
    /// The first few shields that enforce it.
    pub(super) shields: Vec<String>,
    /// All of them, in one text.
    pub(super) shields_all: String,
    pub(super) drops: String,
    pub(super) ends_ms: i64,
    pub(super) ends_iso: String,
    pub(super) ends: String,
}

impl LeaseRow {
    /// One row for a lease that several shields hold for the same reason.
    pub(super) fn of(held: &[(&StateReport, &LeaseState)]) -> Option<Self> {
        let (_, lease) = held.iter().max_by_key(|(_, lease)| lease.ends_at)?;
        let names: Vec<&str> = held.iter().map(|(report, _)| report.shield.as_str()).collect();
        let drops = held.iter().map(|(_, lease)| lease.drops).fold(0, u64::saturating_add);
        Some(Self {
            selector: shortened(&matched(&lease.selector, lease.service.as_ref())),
            why: shortened(&lease.why),
            source: lease.source.clone(),
            action: action(lease.action),
            shields: few(&names),
            shields_all: names.join(", "),
            drops: grouped(drops),
            ends_ms: millis(lease.ends_at),
            ends_iso: lease.ends_at.to_string(),
            ends: clock(lease.ends_at),
        })
    }
}

pub(super) struct RefusalRow {
    pub(super) iso: String,
    pub(super) time: String,
    pub(super) selector: String,
    pub(super) source: String,
    pub(super) why: String,
    pub(super) shield: String,
}

impl RefusalRow {
    pub(super) fn of(report: &StateReport, refusal: &Refusal) -> Self {
        Self {
            iso: refusal.at.to_string(),
            time: clock(refusal.at),
            selector: shortened(&refusal.selector),
            source: refusal.source.clone(),
            why: shortened(&refusal.why),
            shield: report.shield.clone(),
        }
    }
}

pub(super) struct ShieldRow {
    pub(super) shield: String,
    /// Partner, interface and version.
    pub(super) about: String,
    pub(super) mode: &'static str,
    pub(super) mode_class: &'static str,
    pub(super) mode_means: String,
    pub(super) feed: &'static str,
    pub(super) feed_class: &'static str,
    pub(super) feed_means: String,
    pub(super) leases: usize,
    pub(super) at_ms: i64,
    pub(super) at_iso: String,
    pub(super) at: String,
}

impl ShieldRow {
    pub(super) fn of(partner: &str, report: &StateReport, fresh: bool, now: Timestamp) -> Self {
        let (mode, mode_class, mode_means) = mode(&report.mode);
        let (feed, feed_class, feed_means) = feed(report, fresh);
        Self {
            shield: report.shield.clone(),
            about: shortened(&format!("{partner} · {} · {}", report.iface, report.version)),
            mode,
            mode_class,
            mode_means,
            feed,
            feed_class,
            feed_means,
            leases: report.leases.iter().filter(|lease| lease.ends_at > now).count(),
            at_ms: millis(report.at),
            at_iso: report.at.to_string(),
            at: clock(report.at),
        }
    }
}

/// What objects are about, where one has to be said in terms of another: sightings belong to the
/// indicator they sight.
pub(super) struct Wording<'a> {
    objects: HashMap<&'a StixId, &'a Object>,
    /// Times seen, by source and indicator.
    seen: HashMap<(&'a str, &'a StixId), u64>,
}

impl<'a> Wording<'a> {
    pub(super) fn of(signals: impl Iterator<Item = &'a Signal> + Clone) -> Self {
        let objects = signals.clone().map(|signal| (&signal.object.head().id, &signal.object));
        let mut seen: HashMap<_, u64> = HashMap::new();
        for signal in signals {
            let head = signal.object.head();
            if let Some(of) = &head.sighting_of {
                let times = seen.entry((&*signal.source, of)).or_default();
                *times = times.saturating_add(head.count.unwrap_or(1));
            }
        }
        Self { objects: objects.collect(), seen }
    }

    /// Whether a signal needs no row of its own: a sighting of an indicator that has one.
    pub(super) fn is_told_elsewhere(&self, signal: &Signal) -> bool {
        let sighted = signal.object.head().sighting_of.as_ref();
        sighted.is_some_and(|id| self.objects.contains_key(id))
    }

    fn seen(&self, signal: &Signal) -> u64 {
        let head = signal.object.head();
        match &head.sighting_of {
            Some(_) => head.count.unwrap_or(1),
            None => self.seen.get(&(&*signal.source, &head.id)).copied().unwrap_or(0),
        }
    }

    fn what(&self, object: &Object) -> String {
        let head = object.head();
        let sighted = head.sighting_of.as_ref();
        let about = sighted.and_then(|id| self.objects.get(id)).copied().unwrap_or(object);
        own_words(about).unwrap_or_else(|| match sighted {
            Some(id) => id.to_string(),
            None => head.name.as_deref().unwrap_or(head.id.as_str()).to_owned(),
        })
    }
}

fn own_words(object: &Object) -> Option<String> {
    let head = object.head();
    match (&head.lease, &head.pattern) {
        (Some(lease), _) => Some(lease_text(lease)),
        (None, Some(pattern)) => Some(pattern.pattern.to_string()),
        (None, None) => None,
    }
}

fn lease_text(lease: &LeaseRequest) -> String {
    matched(&lease.selector, lease.service.as_ref())
}

/// What a lease matches, as short as it can be said: an address alone is a source.
fn matched(selector: &Selector, service: Option<&Service>) -> String {
    let mut text = match selector {
        Selector::Source(net) => network(net),
        Selector::Destination(net) => format!("to {}", network(net)),
        Selector::Domain(name) => format!("domain {name}"),
        Selector::Url(url) => url.to_string(),
        Selector::Sha256(hash) => format!("sha256 {hash}"),
        Selector::Ja3(print) => format!("ja3 {print}"),
        Selector::Ja4(print) => format!("ja4 {print}"),
    };
    if let Some(service) = service {
        text.push_str(" → ");
        text.push_str(&service_text(service));
    }
    text
}

fn network(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// The first names, and how many more there are.
fn few(names: &[&str]) -> Vec<String> {
    const FEW: usize = 2;
    let mut few: Vec<String> = names.iter().take(FEW).map(|name| (*name).to_owned()).collect();
    if let (more @ 1.., Some(last)) = (names.len().saturating_sub(FEW), few.last_mut()) {
        last.push_str(&format!(" +{more}"));
    }
    few
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn service_text(service: &Service) -> String {
    let mut text = String::new();
    if let Some(address) = service.address {
        text.push_str(&format!("{address} "));
    }
    text.push_str(service.protocol.name());
    if let Some(port) = service.port {
        text.push_str(&format!("/{port}"));
    }
    text
}

fn kind(object: &Object) -> String {
    let head = object.head();
    if head.revoked { format!("{} withdrawn", head.kind) } else { head.kind.to_string() }
}

/// What a mode means for the network, said plainly.
fn mode(reported: &str) -> (&'static str, &'static str, String) {
    let (name, detail) = reported.split_once(':').unwrap_or((reported, ""));
    let why = |plain: &str| match detail.trim() {
        "" => plain.to_owned(),
        detail => format!("{plain}: {}", shortened(detail)),
    };
    match name.trim() {
        "native" | "xdp-native" => ("native", "native", why("drops in the driver")),
        "generic" | "xdp-generic" => ("generic", "generic", why("drops in the kernel, slower")),
        "dry-run" => ("dry run", "dry", why("drops nothing")),
        _ => ("unknown", "dry", shortened(reported)),
    }
}

fn feed(report: &StateReport, fresh: bool) -> (&'static str, &'static str, String) {
    let (feed, class, means) = match (fresh, report.sync.connected, report.sync.complete) {
        (false, _, _) => ("silent", "bad", "its leases run out"),
        (true, false, _) => ("disconnected", "bad", "its leases run out"),
        (true, true, false) => ("catching up", "warn", "connected, set not complete"),
        (true, true, true) => ("complete", "good", "connected, set complete"),
    };
    match report.sync.spooled {
        0 => (feed, class, means.to_owned()),
        spooled => (feed, class, format!("{spooled} signals spooled, {means}")),
    }
}

const fn evidence(class: EvidenceClass) -> &'static str {
    match class {
        EvidenceClass::Unproven => "unproven",
        EvidenceClass::PathProven => "path-proven",
        EvidenceClass::Exploit => "exploit",
        EvidenceClass::Token => "token",
    }
}

const fn action(action: stix::lease::Action) -> &'static str {
    use stix::lease::Action;
    match action {
        Action::Monitor => "monitor",
        Action::Tag => "tag",
        Action::RateLimit => "rate-limit",
        Action::Reject => "reject",
        Action::Drop => "drop",
    }
}

const fn tlp_class(tlp: Tlp) -> &'static str {
    match tlp {
        Tlp::Clear => "clear",
        Tlp::Green => "green",
        Tlp::Amber | Tlp::AmberStrict => "amber",
        Tlp::Red => "red",
    }
}

/// The time of day with milliseconds; the date stands in the row's title.
fn clock(at: Timestamp) -> String {
    let text = at.fmt_micros();
    text.get(11..23).unwrap_or(&text).to_owned()
}

fn millis(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000)
}

fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(WHAT_CHARS_MAX).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_said_plainly() {
        assert_eq!(mode("xdp-native").0, "native");
        let (name, class, means) = mode("dry-run: no CAP_NET_ADMIN");
        assert_eq!((name, class), ("dry run", "dry"));
        assert_eq!(means, "drops nothing: no CAP_NET_ADMIN");
        assert_eq!(mode("something").0, "unknown");
    }

    #[test]
    fn times_show_milliseconds() {
        assert_eq!(clock(Timestamp::from_micros(1_760_000_000_123_456)), "08:53:20.123");
    }
}
