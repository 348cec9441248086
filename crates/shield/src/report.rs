//! The state report: how this shield is, for its own partner.

use std::collections::BTreeMap;

use datapath::enforce::Hits;
use stix::Timestamp;
use stix::lease::{Proto, Selector, Service};
use taxii::packs::PackState;
use taxii::state::{COUNTERS_MAX, LEASES_MAX, LeaseState, StateReport};

use crate::clock::Now;
use crate::guard::{Guard, stix_action};
use crate::leases::{Asker, Claim, Origin};
use crate::sync::Status;

/// What does not change while a shield runs, for its reports.
#[derive(Clone, Debug)]
pub struct About {
    /// Name of the shield.
    pub shield: String,
    /// Interface or file that it inspects.
    pub iface: String,
}

/// Makes the report of this moment; `inspected` are the pipeline's counters, `packs` what becomes
/// receipts for those who contributed them.
#[must_use]
pub fn make(
    about: &About,
    guard: &Guard,
    status: &Status,
    inspected: BTreeMap<String, u64>,
    packs: Vec<PackState>,
) -> StateReport {
    let now = Now::read();
    let counters = counters(guard, status, inspected);
    let mode = mode_name(&guard.book().mode());
    let leases = leases(guard, now);
    let memory = guard.memory();
    StateReport {
        shield: about.shield.clone(),
        at: now.wall,
        mode,
        iface: about.iface.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        leases,
        refused: memory.refused().cloned().collect(),
        counters,
        verdicts: memory.verdicts().cloned().collect(),
        packs,
        sync: status.state(),
    }
}

/// The report of a shield that shares nothing: that it is there, and whether it is in step.
/// Whom it saw, blocked or spared stays at home.
#[must_use]
pub fn withheld(report: StateReport) -> StateReport {
    StateReport {
        iface: String::new(),
        leases: Vec::new(),
        refused: Vec::new(),
        counters: BTreeMap::new(),
        verdicts: Vec::new(),
        packs: Vec::new(),
        ..report
    }
}

/// The mode in one word, as reports have it, with the reason for a dry run.
#[must_use]
pub fn mode_name(mode: &datapath::enforce::Mode) -> String {
    match mode {
        datapath::enforce::Mode::XdpNative => "xdp-native".to_owned(),
        datapath::enforce::Mode::XdpGeneric => "xdp-generic".to_owned(),
        datapath::enforce::Mode::DryRun(why) => format!("dry-run: {why}"),
    }
}

/// Leases in force and just ended, the newest [`LEASES_MAX`] of them.
fn leases(guard: &Guard, now: Now) -> Vec<LeaseState> {
    let mut states: Vec<LeaseState> = {
        let memory = guard.memory();
        memory
            .ended(now)
            .map(|e| lease(&e.asker, &e.claim, &e.hits))
            .collect()
    };
    let book = guard.book();
    states.extend(
        book.claims()
            .map(|(asker, claim, hits)| lease(asker, claim, hits)),
    );
    drop(book);
    states.sort_by_key(|state| std::cmp::Reverse(state.installed_at));
    states.truncate(LEASES_MAX);
    states
}

fn lease(asker: &Asker, claim: &Claim, hits: &Hits) -> LeaseState {
    let at = |ns: u64| claim.made.wall_at(ns);
    let once = |ns: u64| (ns != 0).then(|| at(ns));
    let frame_at: Option<Timestamp> = match claim.origin {
        Origin::Exchange => Some(at(claim.frame_ns)),
        Origin::Local => None,
    };
    LeaseState {
        object: asker.object.to_string(),
        source: asker.source.to_string(),
        selector: Selector::Source(claim.key.source),
        service: claim.key.service.and_then(service),
        action: stix_action(&claim.action),
        ends_at: at(claim.ends_ns),
        frame_at,
        installed_at: at(claim.installed_ns),
        first_hit_at: once(hits.first_hit_ns),
        first_drop_at: once(hits.first_drop_ns),
        hits: hits.hits,
        drops: hits.drops,
        why: claim.why.to_string(),
    }
}

fn service(service: datapath::enforce::Service) -> Option<Service> {
    let protocol = Proto::from_number(service.proto)?;
    let port = Some(service.port).filter(|port| *port != 0 && protocol.has_ports());
    Some(Service {
        address: None,
        protocol,
        port,
    })
}

/// Every counter of the shield under one name each, at most [`COUNTERS_MAX`].
fn counters(
    guard: &Guard,
    status: &Status,
    inspected: BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    let mut all = inspected;
    let (refusals, verdicts) = guard.memory().totals();
    let sync = status.counters();
    let (book, kernel, leases) = {
        let mut held = guard.book();
        (held.counters(), held.enforcer_counters(), held.len())
    };
    let signals = guard.signals();
    let ours = [
        ("leases", u64::try_from(leases).unwrap_or(u64::MAX)),
        ("refusals", refusals),
        ("verdicts", verdicts),
        ("leases.full", book.full),
        ("leases.enforcer_errors", book.enforcer_errors),
        ("leases.reasserted", book.reasserted),
        ("leases.orphans", book.orphans),
        ("leases.exempt_full", book.exempt_full),
        ("kernel.pass_no_lease", kernel.pass_no_lease),
        ("kernel.pass_protected", kernel.pass_protected),
        ("kernel.pass_exempt", kernel.pass_exempt),
        ("kernel.pass_monitor", kernel.pass_monitor),
        ("kernel.pass_within_rate", kernel.pass_within_rate),
        ("kernel.pass_no_ports", kernel.pass_no_ports),
        ("kernel.pass_not_ip", kernel.pass_not_ip),
        ("kernel.pass_malformed", kernel.pass_malformed),
        ("kernel.drop_lease", kernel.drop_lease),
        ("kernel.drop_over_rate", kernel.drop_over_rate),
        ("kernel.expired_skipped", kernel.expired_skipped),
        ("sync.frames", sync.frames),
        ("sync.objects", sync.objects),
        ("sync.unreadable", sync.unreadable),
        ("sync.replayed", sync.replayed),
        ("sync.gaps", sync.gaps),
        ("sync.resyncs", sync.resyncs),
        ("sync.lies", sync.lies),
        ("sync.connections", sync.connections),
        ("sync.failures", sync.failures),
        ("sync.answers_unclear", sync.answers_unclear),
        ("sync.known_left_out", sync.known_left_out),
        ("sync.members_left_out", sync.members_left_out),
        ("sync.indexed", sync.indexed),
        ("sync.terms_refused", sync.terms_refused),
        ("signals.lost", signals.lost()),
        ("signals.throttled", signals.throttled()),
        ("signals.withheld", signals.withheld()),
        ("journal.lost", guard.journal().lost()),
        ("pipeline.forgive_lost", guard.forgiven_lost()),
    ];
    all.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    while all.len() > COUNTERS_MAX {
        all.pop_last();
    }
    all
}
