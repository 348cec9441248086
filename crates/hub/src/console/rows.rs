//! Rows of the console's tables: everything is text by now, and every text says it plainly.

use super::board::Signal;
use super::words::{
    Wording, action, clock, evidence, feed, few, grouped, joined, kind, matched, millis, mode,
    shortened, tlp_class,
};
use stix::Timestamp;
use taxii::state::{LeaseState, Refusal, StateReport};

pub(super) struct SignalRow {
    pub(super) iso: String,
    pub(super) time: String,
    pub(super) source: String,
    pub(super) what: String,
    /// Reasons, how often seen, and what kind of object if it is not an indicator in force.
    pub(super) why: String,
    pub(super) evidence: &'static str,
    pub(super) detector: String,
    pub(super) tlp: &'static str,
    pub(super) tlp_class: &'static str,
    pub(super) tone: &'static str,
}

impl SignalRow {
    pub(super) fn of(signal: &Signal, reasons: String, wording: &Wording<'_>) -> Self {
        let seen = wording.seen(signal);
        let times = if seen > 1 {
            format!("seen {seen} times")
        } else {
            String::new()
        };
        let head = signal.object.head();
        let tlp = head.tlp();
        let named = head.name.as_deref().unwrap_or_default();
        let reasons = if reasons.is_empty() { named } else { &reasons };
        Self {
            iso: signal.added.to_string(),
            time: clock(signal.added),
            source: signal.source.to_string(),
            what: shortened(&wording.what(&signal.object)),
            why: joined([kind(&signal.object), shortened(reasons), times]),
            evidence: head
                .lease
                .as_ref()
                .map_or("", |lease| evidence(lease.evidence)),
            detector: head
                .lease
                .as_ref()
                .map(|l| l.detector.to_string())
                .unwrap_or_default(),
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
        let names: Vec<&str> = held
            .iter()
            .map(|(report, _)| report.shield.as_str())
            .collect();
        let drops = held
            .iter()
            .map(|(_, lease)| lease.drops)
            .fold(0, u64::saturating_add);
        Some(Self {
            selector: shortened(&matched(&lease.selector, lease.service.as_ref())),
            why: if lease.why.is_empty() {
                "as asked".to_owned()
            } else {
                shortened(&lease.why)
            },
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
            about: shortened(&format!(
                "{partner} · {} · {}",
                report.iface, report.version
            )),
            mode,
            mode_class,
            mode_means,
            feed,
            feed_class,
            feed_means,
            leases: report
                .leases
                .iter()
                .filter(|lease| lease.ends_at > now)
                .count(),
            at_ms: millis(report.at),
            at_iso: report.at.to_string(),
            at: clock(report.at),
        }
    }
}
