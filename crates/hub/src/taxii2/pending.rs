//! Large additions: answered at once, decided piece by piece in the order in which they came, while
//! their status counts.
//!
//! What is pending is on disk ([`super::Spool`]) before it is answered, and stays there until it is decided: a
//! hub that stops, or whose store does not answer, goes on with it later.

use super::spool::{Head, Spooled};
use super::status::{advanced, kept, pending_status};
use super::{Body, Hub, Problem, taxii_json};
use crate::error::HubError;
use crate::ingest::{ObjectOutcome, Taken};
use axum::http::StatusCode;
use axum::response::Response;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stix::{Object, Timestamp};
use taxii::message::Status;
use tokio::sync::oneshot;

/// Objects that are decided between two counts.
const PIECE_OBJECTS: usize = 500;
/// How long is waited before what could not be decided is tried again; twice as long each time.
const AGAIN: Duration = Duration::from_millis(20);
/// But no longer than this.
const AGAIN_MAX: Duration = Duration::from_secs(5);

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
        self.place_within(partner, self.pending_max)
    }

    fn place_within(&self, partner: &Arc<str>, most: usize) -> Option<Place> {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let length = partners.get(partner).map_or(0, |line| line.length);
        if length >= most {
            return None;
        }
        let line = partners.entry(Arc::clone(partner)).or_default();
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

/// Takes an addition in, to be decided later: 202 with a status that is pending, once it is on disk.
pub(super) async fn begin(
    hub: &Arc<Hub>,
    partner: &Arc<str>,
    collection: &str,
    status: Status,
    (taken, body): (Vec<Taken>, Body),
) -> Result<Response, Problem> {
    let Some(place) = hub.pending.place(partner) else {
        hub.counters.pending_refused.fetch_add(1, Relaxed);
        let mend = "as many of your additions are pending as may be; send again later";
        return Err(Problem::busy(mend));
    };
    let head = Head {
        partner: partner.to_string(),
        collection: collection.to_owned(),
        id: status.id.clone(),
        received: status.request_timestamp.as_micros(),
        objects: taken.len(),
    };
    let spooled = hub.spool.put(&head, body.bytes.clone()).await;
    let spooled = spooled.map_err(|error| Problem::ours(&error))?;
    let answer = taxii_json(StatusCode::ACCEPTED, &status);
    hub.statuses.keep(partner, kept(&status));
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        // `body` holds its room until then.
        work(&hub, place, status, taken, spooled).await;
        drop(body);
    });
    Ok(answer)
}

/// Goes on with what an earlier run of the hub has left, before anything new is taken: each has its
/// place in its partner's line when this returns. One at a time is held in memory.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn resume(hub: &Arc<Hub>) -> Result<(), HubError> {
    let mut waiting = Vec::new();
    for (head, spooled) in hub.spool.waiting()? {
        let (partner, received) = (
            Arc::from(head.partner.as_str()),
            Timestamp::from_micros(head.received),
        );
        let status = pending_status(head.id.clone(), received, head.objects);
        hub.statuses.keep(&partner, kept(&status));
        let place = hub.pending.place_within(&partner, usize::MAX);
        waiting.extend(place.map(|place| (head, place, status, spooled)));
    }
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        for (head, place, status, spooled) in waiting {
            match read(&hub, &head, &spooled) {
                Ok(taken) => work(&hub, place, status, taken, spooled).await,
                Err(error) => tracing::error!(%error, "a pending addition cannot be read"),
            }
        }
    });
    Ok(())
}

fn read(hub: &Hub, head: &Head, spooled: &Spooled) -> Result<Vec<Taken>, HubError> {
    let (_, body) = spooled.read()?;
    let collection = hub.collections.of_alias(&head.collection);
    let refuses = |object: &Object| match collection {
        Some(collection) => collection.refuses(object),
        None => Some("the collection that it was added to is no more".to_owned()),
    };
    hub.read_again(&body, &refuses)
        .map_err(|problem| HubError::Store(problem.to_string()))
}

/// Decides an addition when its turn comes. It stays on disk when the hub stops before.
async fn work(
    hub: &Hub,
    mut place: Place,
    mut status: Status,
    taken: Vec<Taken>,
    spooled: Spooled,
) {
    if let Some(before) = place.before.take() {
        // An error is the end of the one before, too.
        before.await.ok();
    }
    let mut rest = taken.into_iter();
    loop {
        let piece: Vec<Taken> = rest.by_ref().take(PIECE_OBJECTS).collect();
        if piece.is_empty() {
            return spooled.done();
        }
        let Some(outcomes) = decide(hub, &place.partner, piece).await else {
            return;
        };
        advanced(&mut status, outcomes);
        hub.statuses.keep(&place.partner, kept(&status));
    }
}

/// Decides on a piece, however long the store does not answer; none when the hub stops before.
async fn decide(hub: &Hub, partner: &Arc<str>, piece: Vec<Taken>) -> Option<Vec<ObjectOutcome>> {
    let mut wait = AGAIN;
    loop {
        match hub.ingest(partner, piece.clone()).await {
            Ok(outcomes) => return Some(outcomes),
            Err(problem) if !problem.is_temporary() => {
                tracing::error!(%problem, "a pending addition is not decided");
                return None;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = hub.spool.shutdown.cancelled() => return None,
            () = tokio::time::sleep(wait) => {}
        }
        wait = wait.saturating_mul(2).min(AGAIN_MAX);
    }
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
