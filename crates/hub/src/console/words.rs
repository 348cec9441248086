//! How the console says things: plainly, and as short as they can be said.

use super::board::Signal;
use ipnet::IpNet;
use std::collections::HashMap;
use stix::lease::{Action, EvidenceClass, LeaseRequest, Selector, Service};
use stix::{Object, StixId, Timestamp, Tlp};
use taxii::state::StateReport;

/// Characters of a pattern or name that a row shows.
const WHAT_CHARS_MAX: usize = 300;

/// What objects are about, where one has to be said in terms of another: sightings belong to the
/// indicator they sight.
pub(super) struct Wording<'a> {
    objects: HashMap<&'a StixId, &'a Object>,
    /// Times seen, by source and indicator.
    seen: HashMap<(&'a str, &'a StixId), u64>,
}

impl<'a> Wording<'a> {
    pub(super) fn of(signals: impl Iterator<Item = &'a Signal> + Clone) -> Self {
        let objects = signals
            .clone()
            .map(|signal| (&signal.object.head().id, &signal.object));
        let mut seen: HashMap<_, u64> = HashMap::new();
        for signal in signals {
            let head = signal.object.head();
            if let Some(of) = &head.sighting_of {
                let times = seen.entry((&*signal.source, of)).or_default();
                *times = times.saturating_add(head.count.unwrap_or(1));
            }
        }
        Self {
            objects: objects.collect(),
            seen,
        }
    }

    /// Whether a signal needs no row of its own: a sighting of an indicator that has one.
    pub(super) fn is_told_elsewhere(&self, signal: &Signal) -> bool {
        let sighted = signal.object.head().sighting_of.as_ref();
        sighted.is_some_and(|id| self.objects.contains_key(id))
    }

    pub(super) fn seen(&self, signal: &Signal) -> u64 {
        let head = signal.object.head();
        match &head.sighting_of {
            Some(_) => head.count.unwrap_or(1),
            None => self
                .seen
                .get(&(&*signal.source, &head.id))
                .copied()
                .unwrap_or(0),
        }
    }

    pub(super) fn what(&self, object: &Object) -> String {
        let head = object.head();
        let sighted = head.sighting_of.as_ref();
        let about = sighted
            .and_then(|id| self.objects.get(id))
            .copied()
            .unwrap_or(object);
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
pub(super) fn matched(selector: &Selector, service: Option<&Service>) -> String {
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
    if net.prefix_len() == net.max_prefix_len() {
        net.addr().to_string()
    } else {
        net.to_string()
    }
}

/// The first names, and how many more there are.
pub(super) fn few(names: &[&str]) -> Vec<String> {
    const FEW: usize = 2;
    let mut few: Vec<String> = names
        .iter()
        .take(FEW)
        .map(|name| (*name).to_owned())
        .collect();
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

pub(super) fn joined(parts: [String; 3]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" · ")
}

/// What kind of object a row is about, where that does not go without saying.
pub(super) fn kind(object: &Object) -> String {
    let head = object.head();
    match (head.revoked, &*head.kind) {
        (true, _) => "withdrawn".to_owned(),
        (false, "indicator") => String::new(),
        (false, kind) => kind.to_owned(),
    }
}

/// What a mode means for the network, said plainly.
pub(super) fn mode(reported: &str) -> (&'static str, &'static str, String) {
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

pub(super) fn feed(report: &StateReport, fresh: bool) -> (&'static str, &'static str, String) {
    let (feed, class, means) = match (fresh, report.sync.connected, report.sync.complete) {
        (false, _, _) => ("silent", "bad", "its leases run out"),
        (true, false, _) => ("disconnected", "bad", "its leases run out"),
        (true, true, false) => ("catching up", "warn", "set not complete yet"),
        (true, true, true) => ("complete", "good", "same set as the hub"),
    };
    match report.sync.spooled {
        0 => (feed, class, means.to_owned()),
        spooled => (feed, class, format!("{spooled} signals spooled, {means}")),
    }
}

pub(super) const fn evidence(class: EvidenceClass) -> &'static str {
    match class {
        EvidenceClass::Unproven => "unproven",
        EvidenceClass::PathProven => "path-proven",
        EvidenceClass::Exploit => "exploit",
        EvidenceClass::Token => "token",
    }
}

pub(super) const fn action(action: Action) -> &'static str {
    match action {
        Action::Monitor => "monitor",
        Action::Tag => "tag",
        Action::RateLimit => "rate-limit",
        Action::Reject => "reject",
        Action::Drop => "drop",
    }
}

pub(super) const fn tlp_class(tlp: Tlp) -> &'static str {
    match tlp {
        Tlp::Clear => "clear",
        Tlp::Green => "green",
        Tlp::Amber | Tlp::AmberStrict => "amber",
        Tlp::Red => "red",
    }
}

/// The time of day with milliseconds; the date stands in the row's title.
pub(super) fn clock(at: Timestamp) -> String {
    let text = at.fmt_micros();
    text.get(11..23).unwrap_or(&text).to_owned()
}

pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000)
}

pub(super) fn shortened(text: &str) -> String {
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
        assert_eq!(
            clock(Timestamp::from_micros(1_760_000_000_123_456)),
            "08:53:20.123"
        );
    }
}
