//! Large additions: answered at once, decided piece by piece in the order in which they came, while
//! their status counts.
//!
//! What is pending is not durable: a hub that stops forgets it with its status, and the sender, which
//! finds no status, sends again.

use super::status::{advanced, kept};
use super::{Body, Hub, Problem, taxii_json};
use crate::ingest::{ObjectOutcome, Taken, Verdict};
use axum::http::StatusCode;
use axum::response::Response;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use taxii::message::Status;
use tokio::sync::oneshot;

/// Objects that are decided between two counts.
const PIECE_OBJECTS: usize = 500;
/// How long a full queue is waited for before it is asked again.
const BUSY_WAIT: Duration = Duration::from_millis(20);
/// How often it is asked.
const BUSY_TRIES_MAX: usize = 3_000;

/// The additions that are pending, a bounded number of each partner.
#[derive(Debug)]
pub(crate) struct Pending {
    pending_max: usize,
    partners: Arc<Mutex<BTreeMap<Arc<str>, Line>>>,
}

/// The additions of one partner, one behind the other.
#[derive(Debug, Default)]
struct Line {
    length: usize,
    /// Comes, or fails, when the last of them is done.
    last: Option<oneshot::Receiver<()>>,
}

/// A place in the line; dropping it lets the next one go.
#[derive(Debug)]
struct Place {
    partner: Arc<str>,
    before: Option<oneshot::Receiver<()>>,
    partners: Arc<Mutex<BTreeMap<Arc<str>, Line>>>,
    _done: oneshot::Sender<()>,
}

impl Pending {
    /// At most so many of each partner.
    pub(crate) fn new(pending_max: usize) -> Self {
        Self {
            pending_max,
            partners: Arc::default(),
        }
    }

    /// A place behind those of the same partner; none at the bound.
    fn place(&self, partner: &Arc<str>) -> Option<Place> {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let line = partners.entry(Arc::clone(partner)).or_default();
        if line.length >= self.pending_max {
            return None;
        }
        line.length = line.length.saturating_add(1);
        let (done, last) = oneshot::channel();
        Some(Place {
            partner: Arc::clone(partner),
            before: line.last.replace(last),
            partners: Arc::clone(&self.partners),
            _done: done,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = partners.get_mut(&self.partner) {
            line.length = line.length.saturating_sub(1);
            if line.length == 0 {
                partners.remove(&self.partner);
            }
        }
    }
}

/// Takes an addition in, to be decided later: 202 with a status that is pending.
pub(super) fn begin(
    hub: &Arc<Hub>,
    partner: &Arc<str>,
    status: Status,
    taken: Vec<Taken>,
    body: Body,
) -> Result<Response, Problem> {
    let Some(place) = hub.pending.place(partner) else {
        hub.counters.pending_refused.fetch_add(1, Relaxed);
        let mend = "as many of your additions are pending as may be; send again later";
        return Err(Problem::busy(mend));
    };
    let answer = taxii_json(StatusCode::ACCEPTED, &status);
    hub.statuses.keep(partner, kept(&status));
    tokio::spawn(work(Arc::clone(hub), place, status, taken, body));
    Ok(answer)
}

/// Decides an addition when its turn comes. `_body` holds its room until then.
async fn work(hub: Arc<Hub>, mut place: Place, mut status: Status, taken: Vec<Taken>, _body: Body) {
    if let Some(before) = place.before.take() {
        // An error is the end of the one before, too.
        before.await.ok();
    }
    let mut rest = taken.into_iter();
    loop {
        let piece: Vec<Taken> = rest.by_ref().take(PIECE_OBJECTS).collect();
        if piece.is_empty() {
            return;
        }
        let outcomes = decide(&hub, &place.partner, piece).await;
        advanced(&mut status, outcomes);
        hub.statuses.keep(&place.partner, kept(&status));
    }
}

async fn decide(hub: &Hub, partner: &Arc<str>, piece: Vec<Taken>) -> Vec<ObjectOutcome> {
    let mut problem = None;
    for _ in 0..BUSY_TRIES_MAX {
        match hub.ingest(partner, piece.clone()).await {
            Ok(outcomes) => return outcomes,
            Err(busy) if busy.status == StatusCode::TOO_MANY_REQUESTS => {
                problem = Some(busy);
                tokio::time::sleep(BUSY_WAIT).await;
            }
            Err(other) => {
                problem = Some(other);
                break;
            }
        }
    }
    let why = problem.map_or_else(String::new, |problem| problem.to_string());
    let refused = |taken: Taken| match taken {
        Ok(object) => ObjectOutcome {
            id: object.head().id.to_string(),
            version: object.version().to_string(),
            outcome: Verdict::Refused,
            reason: Some(format!("not decided, send it again: {why}")),
        },
        Err(refused) => *refused,
    };
    piece.into_iter().map(refused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_bounded_per_partner_and_go_in_order() {
        let pending = Pending::new(2);
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        let mut first = pending.place(&a).unwrap();
        let mut second = pending.place(&a).unwrap();
        assert!(pending.place(&a).is_none());
        assert!(pending.place(&b).is_some(), "another has a line of its own");
        assert!(first.before.take().is_none(), "nobody is before the first");
        let mut before = second.before.take().unwrap();
        assert!(
            before
                .try_recv()
                .is_err_and(|e| e == oneshot::error::TryRecvError::Empty)
        );
        drop(first);
        assert!(before.await.is_err(), "the first is done");
        let third = pending.place(&a).unwrap();
        assert!(third.before.is_some());
        drop((second, third));
        assert!(pending.partners.lock().unwrap().is_empty());
    }
}
