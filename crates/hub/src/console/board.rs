//! What the console shows: the signals, leases, refusals, shields and times of one view.

use super::rows::{LeaseRow, RefusalRow, ShieldRow, SignalRow, Wording, grouped};
use super::timing::{Round, Rounds};
use askama::Template;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stix::{Object, Timestamp};
use taxii::state::{LeaseState, StateReport, VerdictState};
use tokio::sync::watch;

/// Signals that are kept; the oldest go first.
const SIGNALS_MAX: usize = 1_000;
/// Rows of one table; the rest is counted.
const ROWS_MAX: usize = 200;
/// Verdicts that wait for a dropped packet elsewhere; the oldest go first.
const VERDICTS_MAX: usize = 4_096;
/// A shield that has not reported for this long counts as gone.
const SILENT: Duration = Duration::from_secs(30);

/// The console's model; renders itself to HTML fragments.
#[derive(Debug)]
pub(crate) struct Board {
    partners: Vec<Arc<str>>,
    content: Mutex<Content>,
    changes: watch::Sender<u64>,
}

/// One object as it was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    pub(crate) added: Timestamp,
    pub(crate) source: Arc<str>,
    pub(crate) object: Object,
}

/// The panels in HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fragments {
    pub(crate) summary: String,
    pub(crate) timing: String,
    pub(crate) shields: String,
    pub(crate) signals: String,
    pub(crate) leases: String,
    pub(crate) refused: String,
}

impl Fragments {
    /// Each panel under the name of the element that holds it.
    pub(crate) fn named(&self) -> [(&'static str, &str); 6] {
        [
            ("summary", &self.summary),
            ("timing", &self.timing),
            ("shields", &self.shields),
            ("signals", &self.signals),
            ("leases", &self.leases),
            ("refused", &self.refused),
        ]
    }
}

impl Board {
    /// A board of what these partners may see.
    pub(crate) fn new(partners: &[String]) -> Self {
        Self {
            partners: partners.iter().map(|name| name.as_str().into()).collect(),
            content: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// The partners of the view.
    pub(crate) fn partners(&self) -> &[Arc<str>] {
        &self.partners
    }

    /// Whose view it is, for people.
    pub(crate) fn view(&self) -> String {
        match self.partners.is_empty() {
            true => "no partner; set console_partners".to_owned(),
            false => self.partners.join(", "),
        }
    }

    /// Marks changes; a reader renders anew after one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes objects in the order they were accepted.
    pub(crate) fn signals(&self, signals: impl IntoIterator<Item = Signal>) {
        let mut content = self.lock();
        for signal in signals {
            content.signals_total = content.signals_total.saturating_add(1);
            content.signals.push_front(signal);
            content.signals.truncate(SIGNALS_MAX);
        }
        drop(content);
        self.changed();
    }

    /// Takes the latest report of a shield; one of a partner outside the view is not looked at.
    pub(crate) fn report(&self, partner: &Arc<str>, report: &Arc<StateReport>) {
        if !self.partners.contains(partner) {
            return;
        }
        let mut content = self.lock();
        content.learn_verdicts(partner, report);
        content.learn_rounds(partner, report);
        let key = (Arc::clone(partner), report.shield.clone());
        content.reports.insert(key, Arc::clone(report));
        drop(content);
        self.changed();
    }

    /// The panels as of now.
    pub(crate) fn fragments(&self, now: Timestamp) -> Fragments {
        self.lock().render(now).unwrap_or_else(|error| {
            tracing::error!(%error, "template");
            Fragments::default()
        })
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version = version.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything behind the lock.
#[derive(Debug, Default)]
struct Content {
    /// Newest first.
    signals: VecDeque<Signal>,
    signals_total: u64,
    reports: BTreeMap<(Arc<str>, String), Arc<StateReport>>,
    verdicts: BTreeMap<String, Seen>,
    verdict_order: VecDeque<String>,
    rounds: Rounds,
}

/// A verdict and where it was given.
#[derive(Clone, Debug)]
struct Seen {
    partner: Arc<str>,
    verdict: VerdictState,
}

impl Content {
    fn learn_verdicts(&mut self, partner: &Arc<str>, report: &StateReport) {
        for verdict in &report.verdicts {
            let Some(object) = verdict.object.clone() else { continue };
            let known = self.verdicts.get(&object);
            if known.is_some_and(|known| known.verdict.at >= verdict.at) {
                continue;
            }
            if known.is_none() {
                self.verdict_order.push_back(object.clone());
            }
            let seen = Seen { partner: Arc::clone(partner), verdict: verdict.clone() };
            self.verdicts.insert(object, seen);
            if self.verdict_order.len() > VERDICTS_MAX
                && let Some(oldest) = self.verdict_order.pop_front()
            {
                self.verdicts.remove(&oldest);
            }
        }
    }

    fn learn_rounds(&mut self, partner: &Arc<str>, report: &StateReport) {
        for lease in &report.leases {
            let Some(seen) = self.verdicts.get(&lease.object) else { continue };
            if seen.partner == *partner {
                continue;
            }
            if let Some(round) = round(&seen.verdict, lease) {
                let at = seen.verdict.at.as_micros();
                self.rounds.record((at, lease.object.clone(), report.shield.clone()), round);
            }
        }
    }

    fn render(&self, now: Timestamp) -> Result<Fragments, askama::Error> {
        let leases = self.leases(now);
        let connected = |report: &StateReport| report.sync.connected && is_fresh(report, now);
        let summary = Summary {
            shields_connected: self.reports.values().filter(|report| connected(report)).count(),
            shields: self.reports.len(),
            leases: leases.len(),
            drops: grouped(self.dropped()),
            signals: grouped(self.signals_total),
        };
        Ok(Fragments {
            summary: summary.render()?,
            timing: self.rounds.render()?,
            shields: Shields { rows: self.shields(now) }.render()?,
            signals: self.signals().render()?,
            leases: table(leases, |rows, total, hidden| Leases { rows, total, hidden }).render()?,
            refused: Refused { rows: self.refused() }.render()?,
        })
    }

    fn signals(&self) -> Signals {
        let wording = Wording::of(self.signals.iter());
        let reasons = |signal: &Signal| {
            let seen = self.verdicts.get(signal.object.head().id.as_str());
            seen.map(|seen| seen.verdict.reasons.join(" · ")).unwrap_or_default()
        };
        let own = self.signals.iter().filter(|signal| !wording.is_told_elsewhere(signal));
        let rows: Vec<SignalRow> = own
            .clone()
            .take(ROWS_MAX)
            .map(|signal| SignalRow::of(signal, reasons(signal), &wording))
            .collect();
        Signals { hidden: own.count().saturating_sub(rows.len()), rows }
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
        let mut rows: Vec<LeaseRow> = held.values().filter_map(|held| LeaseRow::of(held)).collect();
        rows.sort_by(|a, b| b.ends_ms.cmp(&a.ends_ms).then_with(|| a.selector.cmp(&b.selector)));
        rows
    }

    fn refused(&self) -> Vec<RefusalRow> {
        let mut all: Vec<_> = self
            .reports
            .values()
            .flat_map(|report| report.refused.iter().map(move |refusal| (refusal.at, report, refusal)))
            .collect();
        all.sort_by_key(|(at, _, _)| std::cmp::Reverse(*at));
        all.truncate(ROWS_MAX);
        all.into_iter().map(|(_, report, refusal)| RefusalRow::of(report, refusal)).collect()
    }

    fn shields(&self, now: Timestamp) -> Vec<ShieldRow> {
        let row = |(key, report): (&(Arc<str>, String), &Arc<StateReport>)| {
            ShieldRow::of(&key.0, report, is_fresh(report, now), now)
        };
        self.reports.iter().map(row).collect()
    }

    fn dropped(&self) -> u64 {
        let leases = self.reports.values().flat_map(|report| report.leases.iter());
        leases.map(|lease| lease.drops).fold(0, u64::saturating_add)
    }
}

/// Time to shield of one lease: `None` until a packet was dropped by it, and for a lease that is
/// older than the verdict (the object's version before).
fn round(verdict: &VerdictState, lease: &LeaseState) -> Option<Round> {
    let (frame_at, drop_at) = (lease.frame_at?, lease.first_drop_at?);
    let micros = |from: Timestamp, to: Timestamp| {
        u64::try_from(to.as_micros().saturating_sub(from.as_micros())).ok()
    };
    Some(Round {
        detect_us: verdict.detect_us,
        share_us: micros(verdict.at, frame_at)?,
        enforce_us: micros(frame_at, drop_at)?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use stix::lease::{Action, EvidenceClass, Selector};
    use taxii::state::SyncState;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms.saturating_mul(1_000).saturating_add(1_760_000_000_000_000))
    }

    fn report(shield: &str, ms: i64) -> StateReport {
        StateReport {
            shield: shield.to_owned(),
            at: at(ms),
            mode: "native".to_owned(),
            iface: "eth0".to_owned(),
            version: "0.1.0".to_owned(),
            leases: vec![],
            refused: vec![],
            counters: BTreeMap::new(),
            verdicts: vec![],
            sync: SyncState { connected: true, cursor: None, complete: true, spooled: 0 },
        }
    }

    fn verdict(ms: i64) -> VerdictState {
        VerdictState {
            object: Some("indicator--1".to_owned()),
            at: at(ms),
            detect_us: 900,
            offender: None,
            detector: "scan-trw@1".to_owned(),
            evidence: EvidenceClass::PathProven,
            reasons: vec!["12 refused of 13".to_owned()],
        }
    }

    fn lease(frame_ms: i64, drop_ms: Option<i64>) -> LeaseState {
        LeaseState {
            object: "indicator--1".to_owned(),
            source: "a".to_owned(),
            selector: Selector::Source("192.0.2.9/32".parse().unwrap()),
            service: None,
            action: Action::Drop,
            ends_at: at(60_000),
            frame_at: Some(at(frame_ms)),
            installed_at: at(frame_ms),
            first_hit_at: drop_ms.map(at),
            first_drop_at: drop_ms.map(at),
            hits: 1,
            drops: 1,
            why: "path-proven <script>".to_owned(),
        }
    }

    fn board(at_b: LeaseState) -> Board {
        let board = Board::new(&["a".to_owned(), "b".to_owned()]);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        board.report(&a, &Arc::new(StateReport { verdicts: vec![verdict(0)], ..report("sa", 0) }));
        board.report(&b, &Arc::new(StateReport { leases: vec![at_b], ..report("sb", 20) }));
        board
    }

    #[test]
    fn a_round_is_verdict_there_to_first_drop_here() {
        let html = board(lease(3, Some(5))).fragments(at(30));
        assert!(html.timing.contains("<dt>last</dt><dd>5.00 ms</dd>"), "{}", html.timing);
        let waiting = board(lease(3, None)).fragments(at(30));
        assert!(waiting.timing.contains("Not measured yet"));
        let older = board(lease(-3, Some(-1))).fragments(at(30));
        assert!(older.timing.contains("Not measured yet"), "a lease before the verdict is no round");
    }

    #[test]
    fn leases_end_and_text_is_escaped() {
        let board = board(lease(3, Some(5)));
        let html = board.fragments(at(30));
        assert!(html.leases.contains("<code>192.0.2.9</code>"));
        assert!(!html.leases.contains("<script>") && html.leases.contains("&#60;script&#62;"));
        assert!(html.summary.contains("<b>2</b>/2 shields connected"), "{}", html.summary);
        let later = board.fragments(at(61_000));
        assert!(later.leases.contains("nothing is blocked"));
        assert!(later.summary.contains("<b>0</b>/2 shields connected"), "silent shields are gone");
    }

    #[test]
    fn other_partners_stay_outside() {
        let board = Board::new(&["b".to_owned()]);
        board.report(&"a".into(), &Arc::new(report("sa", 0)));
        assert!(board.fragments(at(1)).shields.contains("No shield has reported"));
    }
}
