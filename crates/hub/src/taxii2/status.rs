//! Adding objects: `POST objects/` and the status of the request (TAXII 2.1 sections 4.3, 5.5).

use super::{Body, Caller, Hub, Problem, is_envelope, known_collection, taxii_json};
use crate::clock;
use crate::ingest::ObjectOutcome;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use stix::{StixId, Timestamp};
use taxii::message::{Progress, Status, StatusDetail};

/// Statuses that are kept to be asked for again; the oldest go first.
const STATUSES_MAX: usize = 1_000;

/// Statuses of the latest requests, each visible to its sender alone.
#[derive(Debug, Default)]
pub(crate) struct Statuses(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    statuses: BTreeMap<Key, Arc<Status>>,
    order: VecDeque<Key>,
}

type Key = (Arc<str>, String);

impl Statuses {
    fn keep(&self, partner: &Arc<str>, status: Arc<Status>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(partner), status.id.clone());
        if kept.statuses.insert(key.clone(), status).is_none() {
            kept.order.push_back(key);
        }
        if kept.order.len() > STATUSES_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.statuses.remove(&oldest);
        }
    }

    fn of(&self, partner: &Arc<str>, id: &str) -> Option<Arc<Status>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.statuses
            .get(&(Arc::clone(partner), id.to_owned()))
            .cloned()
    }
}

/// `GET status/{id}/`.
pub(super) async fn get(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let status = hub
        .statuses
        .of(&caller.partner, &id)
        .ok_or_else(Problem::not_found)?;
    Ok(taxii_json(StatusCode::OK, status.as_ref()))
}

/// `POST objects/`: answered 202 when every object is decided and the accepted ones are durable.
pub(super) async fn post(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(collection): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    known_collection(&hub, &collection)?;
    is_envelope(&headers)?;
    let received = clock::now();
    let outcomes = hub.ingest(&caller, &body.bytes).await?;
    let status = Arc::new(status(&caller.partner, &body.bytes, received, outcomes));
    hub.statuses.keep(&caller.partner, Arc::clone(&status));
    Ok(taxii_json(StatusCode::ACCEPTED, status.as_ref()))
}

fn status(partner: &str, body: &[u8], received: Timestamp, outcomes: Vec<ObjectOutcome>) -> Status {
    let count = |details: &[StatusDetail]| u64::try_from(details.len()).unwrap_or(u64::MAX);
    let (good, bad): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(ObjectOutcome::is_success);
    let successes: Vec<StatusDetail> = good.into_iter().map(detail).collect();
    let failures: Vec<StatusDetail> = bad.into_iter().map(detail).collect();
    Status {
        id: status_id(partner, body),
        status: Progress::Complete,
        request_timestamp: received,
        total_count: count(&successes).saturating_add(count(&failures)),
        success_count: count(&successes),
        successes,
        failure_count: count(&failures),
        failures,
        pending_count: 0,
        pendings: vec![],
    }
}

fn detail(outcome: ObjectOutcome) -> StatusDetail {
    StatusDetail {
        id: outcome.id,
        version: outcome.version,
        message: outcome.reason,
    }
}

/// The same request of the same partner has the same status.
fn status_id(partner: &str, body: &[u8]) -> String {
    let digest = crate::tls::peer::hex(&crate::tls::authority::sha256(body));
    StixId::v5("x-status", &format!("{partner}|{digest}"))
        .uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Verdict;

    fn outcome(id: &str, outcome: Verdict, reason: Option<&str>) -> ObjectOutcome {
        let reason = reason.map(str::to_owned);
        ObjectOutcome {
            id: id.to_owned(),
            version: String::new(),
            outcome,
            reason,
        }
    }

    #[test]
    fn a_status_lists_successes_and_failures_with_reasons() {
        let outcomes = vec![
            outcome("a", Verdict::Accepted, None),
            outcome("b", Verdict::Refused, Some("$.id: not an identifier")),
            outcome("c", Verdict::Duplicate, None),
        ];
        let status = status("p", b"body", Timestamp::EPOCH, outcomes);
        assert_eq!(
            (
                status.total_count,
                status.success_count,
                status.failure_count
            ),
            (3, 2, 1)
        );
        assert_eq!(
            status.failures[0].message.as_deref(),
            Some("$.id: not an identifier")
        );
        assert_eq!(
            status.id,
            status_id("p", b"body"),
            "a retry has the same status"
        );
        assert_ne!(status.id, status_id("q", b"body"));
    }

    #[test]
    fn statuses_are_bounded_and_private() {
        let statuses = Statuses::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        for n in 0..=STATUSES_MAX {
            let body = n.to_string();
            statuses.keep(
                &a,
                Arc::new(status("a", body.as_bytes(), Timestamp::EPOCH, vec![])),
            );
        }
        assert!(
            statuses.of(&a, &status_id("a", b"0")).is_none(),
            "the oldest went"
        );
        let last = status_id("a", STATUSES_MAX.to_string().as_bytes());
        assert!(statuses.of(&a, &last).is_some());
        assert!(statuses.of(&b, &last).is_none());
    }
}
