//! Adding objects: `POST objects/` and the status of the request (TAXII 2.1 sections 4.3, 5.5).

use super::{Body, Caller, Hub, Problem, is_envelope, pending, taxii_json, to_write};
use crate::clock;
use crate::ingest::ObjectOutcome;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use stix::{Object, StixId, Timestamp};
use taxii::message::{Progress, Status, StatusDetail};

/// Statuses that are kept of one partner to be asked for again; its oldest go first.
const STATUSES_OF_PARTNER_MAX: usize = 1_000;

/// Bytes of the details kept of one partner's statuses; its oldest go first.
const BYTES_OF_PARTNER_MAX: usize = 1 << 20;

/// Successes, and failures, whose details are kept; the counts are of all. The answer to the
/// request itself lists every one.
const DETAILS_MAX: usize = 100;

/// Longest text kept in a detail, in characters.
const TEXT_CHARS_MAX: usize = 512;

/// Statuses of the latest requests, each visible to its sender alone. No partner takes room that
/// another needs; how many partners there are is the operator's choice.
#[derive(Debug, Default)]
pub(crate) struct Statuses(Mutex<BTreeMap<Arc<str>, Kept>>);

/// What is kept of one partner, oldest first.
#[derive(Debug, Default)]
struct Kept {
    statuses: VecDeque<(usize, Arc<Status>)>,
    bytes: usize,
}

impl Statuses {
    pub(super) fn keep(&self, partner: &Arc<str>, status: Status) {
        let mut partners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        partners
            .entry(Arc::clone(partner))
            .or_default()
            .keep(abridged(status));
    }

    fn of(&self, partner: &Arc<str>, id: &str) -> Option<Arc<Status>> {
        let partners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statuses = partners.get(partner)?.statuses.iter();
        let found = statuses.find(|(_, status)| status.id == id);
        found.map(|(_, status)| Arc::clone(status))
    }
}

impl Kept {
    fn keep(&mut self, status: Status) {
        if let Some(at) = self.statuses.iter().position(|(_, s)| s.id == status.id)
            && let Some((bytes, _)) = self.statuses.remove(at)
        {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        let bytes = size(&status);
        self.statuses.push_back((bytes, Arc::new(status)));
        self.bytes = self.bytes.saturating_add(bytes);
        while self.statuses.len() > STATUSES_OF_PARTNER_MAX || self.bytes > BYTES_OF_PARTNER_MAX {
            let Some((bytes, _)) = self.statuses.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

/// What a status takes up, roughly.
fn size(status: &Status) -> usize {
    let details = status.successes.iter().chain(&status.failures);
    let text = |detail: &StatusDetail| {
        let message = detail.message.as_deref().unwrap_or_default();
        [detail.id.len(), detail.version.len(), message.len()]
            .into_iter()
            .fold(size_of::<StatusDetail>(), usize::saturating_add)
    };
    details
        .map(text)
        .fold(size_of::<Status>(), usize::saturating_add)
}

/// A status with the details of the first successes and failures; the last one says how many more
/// there were.
fn abridged(mut status: Status) -> Status {
    status.successes = first(&status.successes, "accepted");
    status.failures = first(&status.failures, "refused");
    status
}

fn first(details: &[StatusDetail], became: &str) -> Vec<StatusDetail> {
    let rest = details.len().saturating_sub(DETAILS_MAX);
    let short = |text: &String| text.chars().take(TEXT_CHARS_MAX).collect::<String>();
    // Collected anew, since what is cut off must not stay allocated.
    let mut kept: Vec<StatusDetail> = details
        .iter()
        .take(DETAILS_MAX)
        .map(|detail| StatusDetail {
            id: short(&detail.id),
            version: short(&detail.version),
            message: detail.message.as_ref().map(short),
        })
        .collect();
    if rest > 0
        && let Some(last) = kept.last_mut()
    {
        let message = last.message.get_or_insert_default();
        message.push_str(if message.is_empty() { "" } else { "; " });
        message.push_str(&format!("{rest} more were {became}, not listed here"));
    }
    kept
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

/// `POST objects/`: answered 202 when every object is decided and the accepted ones are durable; or
/// at once, with a status that is pending, when there are more than `answered_objects_max`.
pub(super) async fn post(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(collection): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (_, collection, _) = to_write(&hub, &caller, &collection)?;
    is_envelope(&headers)?;
    let partner = &caller.partner;
    let id = status_id(partner, &body.bytes);
    let known = hub.statuses.of(partner, &id);
    if let Some(known) = known.filter(|known| known.status == Progress::Pending) {
        return Ok(taxii_json(StatusCode::ACCEPTED, known.as_ref()));
    }
    let received = clock::now();
    let refuses = |object: &Object| collection.refuses(object);
    let taken = hub.read(&caller, &body.bytes, &refuses)?;
    let mut status = pending_status(id, received, taken.len());
    if taken.len() > hub.config.limits.answered_objects_max {
        let alias = &collection.alias;
        return pending::begin(&hub, partner, alias, status, (taken, body)).await;
    }
    advanced(&mut status, hub.ingest(partner, taken).await?);
    let answer = taxii_json(StatusCode::ACCEPTED, &status);
    hub.statuses.keep(partner, status);
    Ok(answer)
}

/// The status of a request none of whose objects is decided yet.
pub(super) fn pending_status(id: String, received: Timestamp, objects: usize) -> Status {
    let objects = u64::try_from(objects).unwrap_or(u64::MAX);
    Status {
        id,
        status: progress(objects),
        request_timestamp: received,
        total_count: objects,
        success_count: 0,
        successes: vec![],
        failure_count: 0,
        failures: vec![],
        pending_count: objects,
        pendings: vec![],
    }
}

/// Counts what was decided.
pub(super) fn advanced(status: &mut Status, outcomes: Vec<ObjectOutcome>) {
    for outcome in outcomes {
        let (count, details) = match outcome.is_success() {
            true => (&mut status.success_count, &mut status.successes),
            false => (&mut status.failure_count, &mut status.failures),
        };
        *count = count.saturating_add(1);
        details.push(detail(outcome));
        status.pending_count = status.pending_count.saturating_sub(1);
    }
    status.status = progress(status.pending_count);
}

fn progress(pending: u64) -> Progress {
    match pending {
        0 => Progress::Complete,
        _ => Progress::Pending,
    }
}

/// A status as it is kept.
pub(super) fn kept(status: &Status) -> Status {
    abridged(status.clone())
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

    fn status(partner: &str, body: &[u8], at: Timestamp, outcomes: Vec<ObjectOutcome>) -> Status {
        let mut status = pending_status(status_id(partner, body), at, outcomes.len());
        advanced(&mut status, outcomes);
        status
    }

    #[test]
    fn a_status_counts_what_is_decided_piece_by_piece() {
        let mut status = pending_status("s".to_owned(), Timestamp::EPOCH, 3);
        assert_eq!(
            (status.status, status.pending_count),
            (Progress::Pending, 3)
        );
        let piece = vec![
            outcome("a", Verdict::Accepted, None),
            outcome("b", Verdict::Refused, None),
        ];
        advanced(&mut status, piece);
        assert_eq!(
            (status.status, status.pending_count),
            (Progress::Pending, 1)
        );
        advanced(&mut status, vec![outcome("c", Verdict::Duplicate, None)]);
        assert_eq!(
            (status.status, status.pending_count),
            (Progress::Complete, 0)
        );
        assert_eq!((status.success_count, status.failure_count), (2, 1));
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

    fn empty(partner: &str, n: usize) -> Status {
        status(partner, n.to_string().as_bytes(), Timestamp::EPOCH, vec![])
    }

    fn partners() -> (Arc<str>, Arc<str>) {
        ("a".into(), "b".into())
    }

    #[test]
    fn statuses_are_bounded_and_private() {
        let statuses = Statuses::default();
        let (a, b) = partners();
        for n in 0..=STATUSES_OF_PARTNER_MAX {
            statuses.keep(&a, empty("a", n));
        }
        assert!(
            statuses.of(&a, &status_id("a", b"0")).is_none(),
            "the oldest went"
        );
        let last = empty("a", STATUSES_OF_PARTNER_MAX).id;
        assert!(statuses.of(&a, &last).is_some());
        assert!(statuses.of(&b, &last).is_none());
    }

    #[test]
    fn one_partner_does_not_push_out_what_another_needs() {
        let statuses = Statuses::default();
        let (a, b) = partners();
        statuses.keep(&a, empty("a", 0));
        for n in 0..=STATUSES_OF_PARTNER_MAX {
            statuses.keep(&b, empty("b", n));
        }
        assert!(statuses.of(&a, &empty("a", 0).id).is_some());
    }

    #[test]
    fn a_small_request_with_many_failures_keeps_few_bytes() {
        let refused = outcome(
            "",
            Verdict::Refused,
            Some("$.type: missing; give the object one"),
        );
        let status = status("a", b"many", Timestamp::EPOCH, vec![refused; 10_000]);
        let kept = abridged(status);
        assert_eq!(
            (kept.failure_count, kept.failures.len()),
            (10_000, DETAILS_MAX)
        );
        let last = kept
            .failures
            .last()
            .and_then(|detail| detail.message.as_deref());
        assert!(last.is_some_and(|text| text.ends_with("9900 more were refused, not listed here")));
        assert!(size(&kept) < 20_000, "{} bytes", size(&kept));
        assert!(kept.failures.capacity() < 2 * DETAILS_MAX);
    }

    #[test]
    fn bytes_of_a_partner_are_bounded_and_a_retry_takes_none() {
        let long = "x".repeat(1 << 16);
        let failures = vec![outcome(&long, Verdict::Refused, Some(&long)); DETAILS_MAX];
        let mut kept = Kept::default();
        for n in 0..100_u8 {
            for _ in 0..2 {
                kept.keep(abridged(status(
                    "a",
                    &[n],
                    Timestamp::EPOCH,
                    failures.clone(),
                )));
            }
            assert!(kept.bytes <= BYTES_OF_PARTNER_MAX);
        }
        let sum: usize = kept.statuses.iter().map(|(bytes, _)| bytes).sum();
        assert_eq!(kept.bytes, sum);
        assert!((2..100).contains(&kept.statuses.len()));
    }
}
