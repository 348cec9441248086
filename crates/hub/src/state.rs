//! What shields report of themselves: kept in memory, shown to its owner alone.
//!
//! A report is a statement of the present. It is not part of the log: a restart of the hub forgets
//! it, and the next report, seconds later, brings it back.

use crate::app::Hub;
use crate::authn::Caller;
use crate::body::Body;
use crate::reply::{self, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use taxii::state::StateReport;

/// The latest report of each shield.
#[derive(Debug)]
pub(crate) struct States {
    shields_max: usize,
    reports: Mutex<BTreeMap<Arc<str>, Shields>>,
}

type Shields = BTreeMap<String, Arc<StateReport>>;

/// Longest name of a shield, bytes.
const SHIELD_BYTES_MAX: usize = 64;

impl States {
    /// At most `shields_max` shields of each partner.
    pub(crate) fn new(shields_max: usize) -> Self {
        Self {
            shields_max,
            reports: Mutex::default(),
        }
    }

    /// Keeps a report; `false` when the partner has too many shields.
    fn put(&self, partner: &Arc<str>, report: Arc<StateReport>) -> bool {
        let mut reports = self.lock();
        let shields = reports.entry(Arc::clone(partner)).or_default();
        if !shields.contains_key(&report.shield) && shields.len() >= self.shields_max {
            return false;
        }
        shields.insert(report.shield.clone(), report);
        true
    }

    /// What a partner reported, by name of the shield.
    pub(crate) fn of(&self, partner: &str) -> Vec<Arc<StateReport>> {
        self.lock()
            .get(partner)
            .map(|shields| shields.values().cloned().collect())
            .unwrap_or_default()
    }

    /// What every partner reported.
    pub(crate) fn all(&self) -> Vec<(Arc<str>, Vec<Arc<StateReport>>)> {
        let reports = self.lock();
        let all = reports.iter();
        all.map(|(partner, shields)| (Arc::clone(partner), shields.values().cloned().collect()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Shields>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /exchange/v1/state`.
pub(crate) async fn post(State(hub): State<Arc<Hub>>, caller: Caller, body: Body) -> Response {
    match take(&hub, &caller, &body.bytes) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => {
            hub.counters.states_refused.fetch_add(1, Relaxed);
            problem.into_response()
        }
    }
}

/// `GET /exchange/v1/state`: the caller's own shields.
pub(crate) async fn get(State(hub): State<Arc<Hub>>, caller: Caller) -> Response {
    let reports = hub.states.of(&caller.partner);
    let reports: Vec<&StateReport> = reports.iter().map(AsRef::as_ref).collect();
    reply::json(StatusCode::OK, &serde_json::json!({ "shields": reports }))
}

fn take(hub: &Hub, caller: &Caller, bytes: &[u8]) -> Result<(), Problem> {
    let max = hub.config.limits.state_bytes_max;
    if bytes.len() > max {
        let what = format!(
            "{} bytes, more than {max}; report fewer leases",
            bytes.len()
        );
        return Err(Problem::client(
            StatusCode::PAYLOAD_TOO_LARGE,
            "report too large",
            what,
        ));
    }
    let report: StateReport = serde_json::from_slice(bytes)
        .map_err(|error| Problem::bad_request(format!("not a state report: {error}")))?;
    if !report.within_bounds() || report.shield.len() > SHIELD_BYTES_MAX {
        let what = "more leases, refusals, verdicts or counters than a report may carry";
        return Err(Problem::client(
            StatusCode::PAYLOAD_TOO_LARGE,
            "report too large",
            what,
        ));
    }
    let report = Arc::new(report);
    if !hub.states.put(&caller.partner, Arc::clone(&report)) {
        let what = format!("more than {} shields", hub.config.limits.shields_max);
        return Err(Problem::client(
            StatusCode::FORBIDDEN,
            "too many shields",
            what,
        ));
    }
    if let Some(board) = &hub.board {
        board.report(&caller.partner, &report);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stix::Timestamp;
    use taxii::state::SyncState;

    fn report(shield: &str, mode: &str) -> Arc<StateReport> {
        Arc::new(StateReport {
            shield: shield.to_owned(),
            at: Timestamp::EPOCH,
            mode: mode.to_owned(),
            iface: "eth0".to_owned(),
            version: "0".to_owned(),
            leases: vec![],
            refused: vec![],
            counters: BTreeMap::new(),
            verdicts: vec![],
            packs: vec![],
            sync: SyncState::default(),
        })
    }

    #[test]
    fn each_partner_sees_its_own_latest_and_is_bounded() {
        let states = States::new(2);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        assert!(states.put(&a, report("one", "native")));
        assert!(states.put(&a, report("two", "native")));
        assert!(
            !states.put(&a, report("three", "native")),
            "the third shield is refused"
        );
        assert!(
            states.put(&a, report("one", "dry-run")),
            "a known one is always taken"
        );
        assert!(
            states.put(&b, report("one", "generic")),
            "bounds are per partner"
        );
        let modes: Vec<String> = states.of("a").iter().map(|r| r.mode.clone()).collect();
        assert_eq!(modes, ["dry-run", "native"]);
        assert_eq!(states.of("c"), []);
    }
}
