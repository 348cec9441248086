//! The console's board: takes what the exchange and the shields tell, and shows it as of now.

use super::content::{Content, Shield};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stix::{Object, StixId, Timestamp};
use taxii::state::StateReport;
use tokio::sync::watch;

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
        signals
            .into_iter()
            .for_each(|signal| content.take_signal(signal));
        drop(content);
        self.changed();
    }

    /// Forgets an object that was erased.
    pub(crate) fn erase(&self, source: &str, id: &StixId, version: Timestamp) {
        self.lock().erase_signal(source, id, version);
        self.changed();
    }

    /// Takes the latest report of a shield; one of a partner outside the view is not looked at.
    pub(crate) fn report(&self, partner: &Arc<str>, report: &Arc<StateReport>) {
        if !self.partners.contains(partner) {
            return;
        }
        let shield: Shield = (Arc::clone(partner), report.shield.clone());
        let mut content = self.lock();
        content.take_report(shield, report);
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
        self.changes
            .send_modify(|version| *version = version.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use stix::lease::{Action, EvidenceClass, Selector};
    use taxii::state::{LeaseState, SyncState, VerdictState};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(
            ms.saturating_mul(1_000)
                .saturating_add(1_760_000_000_000_000),
        )
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
            packs: vec![],
            sync: SyncState {
                connected: true,
                cursor: None,
                complete: true,
                spooled: 0,
            },
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
        board.report(
            &a,
            &Arc::new(StateReport {
                verdicts: vec![verdict(0)],
                ..report("sa", 0)
            }),
        );
        board.report(
            &b,
            &Arc::new(StateReport {
                leases: vec![at_b],
                ..report("sb", 20)
            }),
        );
        board
    }

    #[test]
    fn a_round_is_verdict_there_to_first_drop_here() {
        let html = board(lease(3, Some(5))).fragments(at(30));
        assert!(
            html.timing.contains("<dt>last</dt><dd>5.00 ms</dd>"),
            "{}",
            html.timing
        );
        let waiting = board(lease(3, None)).fragments(at(30));
        assert!(waiting.timing.contains("Not measured yet"));
        let older = board(lease(-3, Some(-1))).fragments(at(30));
        assert!(
            older.timing.contains("Not measured yet"),
            "a lease before the verdict is no round"
        );
    }

    #[test]
    fn the_order_of_reports_does_not_matter() {
        let board = Board::new(&["a".to_owned(), "b".to_owned()]);
        let leases = vec![lease(3, Some(5))];
        board.report(
            &"b".into(),
            &Arc::new(StateReport {
                leases,
                ..report("sb", 20)
            }),
        );
        let verdicts = vec![verdict(0)];
        board.report(
            &"a".into(),
            &Arc::new(StateReport {
                verdicts,
                ..report("sa", 0)
            }),
        );
        assert!(board.fragments(at(30)).timing.contains("1 round<"));
    }

    #[test]
    fn leases_end_and_text_is_escaped() {
        let board = board(lease(3, Some(5)));
        let html = board.fragments(at(30));
        assert!(html.leases.contains("<code>192.0.2.9</code>"));
        assert!(!html.leases.contains("<script>") && html.leases.contains("&#60;script&#62;"));
        assert!(
            html.summary.contains("<b>2</b>/2 shields connected"),
            "{}",
            html.summary
        );
        let later = board.fragments(at(61_000));
        assert!(later.leases.contains("nothing is blocked"));
        assert!(
            later.summary.contains("<b>0</b>/2 shields connected"),
            "silent shields are gone"
        );
    }

    #[test]
    fn other_partners_stay_outside() {
        let board = Board::new(&["b".to_owned()]);
        board.report(&"a".into(), &Arc::new(report("sa", 0)));
        assert!(
            board
                .fragments(at(1))
                .shields
                .contains("No shield has reported")
        );
    }
}
