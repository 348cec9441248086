//! What a board knows, and how it becomes HTML.

use super::board::{Fragments, Signal};
use super::rows::{LeaseRow, RefusalRow, ShieldRow, SignalRow};
use super::timing::{Round, Rounds};
use super::words::{Wording, grouped};
use askama::Template;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use stix::{StixId, Timestamp};
use taxii::state::{LeaseState, StateReport, VerdictState};

/// How the mode of a shield that enforces nothing begins in its reports.
const DRY_RUN: &str = "dry-run";
/// Signals that are kept; the oldest go first.
const SIGNALS_MAX: usize = 1_000;
/// Rows of one table; the rest is counted.
const ROWS_MAX: usize = 200;
/// Verdicts that wait for a dropped packet elsewhere; the oldest go first.
const VERDICTS_MAX: usize = 4_096;
/// A shield that has not reported for this long counts as gone.
const SILENT: Duration = Duration::from_secs(30);

/// Everything behind the lock.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Newest first.
    signals: VecDeque<Signal>,
    signals_total: u64,
    reports: BTreeMap<Shield, Arc<StateReport>>,
    verdicts: BTreeMap<String, Seen>,
    verdict_order: VecDeque<String>,
    rounds: Rounds,
}

/// A shield, by its partner and its name.
pub(super) type Shield = (Arc<str>, String);

/// A verdict and where it was given.
#[derive(Clone, Debug)]
struct Seen {
    shield: Shield,
    verdict: VerdictState,
}

impl Content {
    pub(super) fn take_signal(&mut self, signal: Signal) {
        self.signals_total = self.signals_total.saturating_add(1);
        self.signals.push_front(signal);
        self.signals.truncate(SIGNALS_MAX);
    }

    pub(super) fn erase_signal(&mut self, source: &str, id: &StixId, version: Timestamp) {
        self.signals.retain(|signal| {
            let object = &signal.object;
            *signal.source != *source || object.head().id != *id || object.version() != version
        });
    }

    pub(super) fn take_report(&mut self, shield: Shield, report: &Arc<StateReport>) {
        self.learn_verdicts(&shield, report);
        self.reports.insert(shield, Arc::clone(report));
        self.learn_rounds();
    }

    fn learn_verdicts(&mut self, shield: &Shield, report: &StateReport) {
        for verdict in &report.verdicts {
            let Some(object) = verdict.object.clone() else {
                continue;
            };
            let known = self.verdicts.get(&object);
            if known.is_some_and(|known| known.verdict.at >= verdict.at) {
                continue;
            }
            if known.is_none() {
                self.verdict_order.push_back(object.clone());
            }
            let seen = Seen {
                shield: shield.clone(),
                verdict: verdict.clone(),
            };
            self.verdicts.insert(object, seen);
            if self.verdict_order.len() > VERDICTS_MAX
                && let Some(oldest) = self.verdict_order.pop_front()
            {
                self.verdicts.remove(&oldest);
            }
        }
    }

    /// Puts verdicts and leases of different shields together, whichever was reported first.
    fn learn_rounds(&mut self) {
        let leases = self
            .reports
            .iter()
            .flat_map(|(shield, report)| report.leases.iter().map(move |l| (shield, report, l)));
        for (shield, report, lease) in leases {
            let seen = self
                .verdicts
                .get(&lease.object)
                .filter(|seen| seen.shield != *shield);
            if let Some(seen) = seen
                && let Some(round) = round(&seen.verdict, report, lease)
            {
                let at = seen.verdict.at.as_micros();
                self.rounds
                    .record((at, lease.object.clone(), shield.1.clone()), round);
            }
        }
    }

    pub(super) fn render(&self, now: Timestamp) -> Result<Fragments, askama::Error> {
        let leases = self.leases(now);
        let connected = |report: &StateReport| report.sync.connected && is_fresh(report, now);
        let summary = Summary {
            shields_connected: self
                .reports
                .values()
                .filter(|report| connected(report))
                .count(),
            shields: self.reports.len(),
            leases: leases.len(),
            drops: grouped(self.dropped()),
            signals: grouped(self.signals_total),
        };
        Ok(Fragments {
            summary: summary.render()?,
            timing: self.rounds.render()?,
            shields: Shields {
                rows: self.shields(now),
            }
            .render()?,
            signals: self.signals().render()?,
            leases: table(leases, |rows, total, hidden| Leases {
                rows,
                total,
                hidden,
            })
            .render()?,
            refused: Refused {
                rows: self.refused(),
            }
            .render()?,
        })
    }

    fn signals(&self) -> Signals {
        let wording = Wording::of(self.signals.iter());
        let reasons = |signal: &Signal| {
            let seen = self.verdicts.get(signal.object.head().id.as_str());
            seen.map(|seen| seen.verdict.reasons.join(" · "))
                .unwrap_or_default()
        };
        let own = self
            .signals
            .iter()
            .filter(|signal| !wording.is_told_elsewhere(signal));
        let rows: Vec<SignalRow> = own
            .clone()
            .take(ROWS_MAX)
            .map(|signal| SignalRow::of(signal, reasons(signal), &wording))
            .collect();
        Signals {
            hidden: own.count().saturating_sub(rows.len()),
            rows,
        }
    }

    /// Leases in force, those that end last first.
    fn leases(&self, now: Timestamp) -> Vec<LeaseRow> {
        let mut held: BTreeMap<_, Vec<(&StateReport, &LeaseState)>> = BTreeMap::new();
        for report in self.reports.values() {
            for lease in report.leases.iter().filter(|lease| lease.ends_at > now) {
                let key = (&lease.object, &lease.selector, lease.service, lease.action);
                held.entry(key).or_default().push((report, lease));
            }
        }
        let mut rows: Vec<LeaseRow> = held
            .values()
            .filter_map(|held| LeaseRow::of(held))
            .collect();
        rows.sort_by(|a, b| {
            b.ends_ms
                .cmp(&a.ends_ms)
                .then_with(|| a.selector.cmp(&b.selector))
        });
        rows
    }

    fn refused(&self) -> Vec<RefusalRow> {
        let mut all: Vec<_> = self
            .reports
            .values()
            .flat_map(|report| {
                report
                    .refused
                    .iter()
                    .map(move |refusal| (refusal.at, report, refusal))
            })
            .collect();
        all.sort_by_key(|(at, _, _)| std::cmp::Reverse(*at));
        all.truncate(ROWS_MAX);
        all.into_iter()
            .map(|(_, report, refusal)| RefusalRow::of(report, refusal))
            .collect()
    }

    fn shields(&self, now: Timestamp) -> Vec<ShieldRow> {
        let row = |(shield, report): (&Shield, &Arc<StateReport>)| {
            ShieldRow::of(&shield.0, report, is_fresh(report, now), now)
        };
        self.reports.iter().map(row).collect()
    }

    fn dropped(&self) -> u64 {
        let leases = self
            .reports
            .values()
            .flat_map(|report| report.leases.iter());
        leases.map(|lease| lease.drops).fold(0, u64::saturating_add)
    }
}

/// Time to shield of one lease: `None` until a packet was dropped by it, and for a lease that is
/// older than the verdict (the object's version before). A dry run drops nothing: there it ends when
/// the lease is ready.
fn round(verdict: &VerdictState, report: &StateReport, lease: &LeaseState) -> Option<Round> {
    let dry_run = report.mode.starts_with(DRY_RUN);
    let ready_at = Some(lease.installed_at).filter(|_| dry_run);
    let (frame_at, drop_at) = (lease.frame_at?, lease.first_drop_at.or(ready_at)?);
    let micros = |from: Timestamp, to: Timestamp| {
        u64::try_from(to.as_micros().saturating_sub(from.as_micros())).ok()
    };
    Some(Round {
        detect_us: verdict.detect_us,
        share_us: micros(verdict.at, frame_at)?,
        enforce_us: micros(frame_at, drop_at)?,
        dry_run,
    })
}

fn is_fresh(report: &StateReport, now: Timestamp) -> bool {
    now.since(report.at) <= SILENT
}

fn table<T, R>(mut rows: Vec<R>, make: impl FnOnce(Vec<R>, usize, usize) -> T) -> T {
    let total = rows.len();
    rows.truncate(ROWS_MAX);
    make(rows, total, total.saturating_sub(ROWS_MAX))
}

#[derive(Template)]
#[template(path = "summary.html")]
struct Summary {
    shields_connected: usize,
    shields: usize,
    leases: usize,
    drops: String,
    signals: String,
}

#[derive(Template)]
#[template(path = "signals.html")]
struct Signals {
    rows: Vec<SignalRow>,
    hidden: usize,
}

#[derive(Template)]
#[template(path = "leases.html")]
struct Leases {
    rows: Vec<LeaseRow>,
    total: usize,
    hidden: usize,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused {
    rows: Vec<RefusalRow>,
}

#[derive(Template)]
#[template(path = "shields.html")]
struct Shields {
    rows: Vec<ShieldRow>,
}
