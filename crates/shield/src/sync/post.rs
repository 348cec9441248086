//! Sending signals: at once on the warm connection, and again in order until the hub has them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use stix::StixId;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, random};
use super::link::{ANSWER_WAIT_MAX, Link, read_answer};
use super::status::Status;
use crate::clock::Now;
use crate::journal::{Event, Journal};
use crate::signals::Batch;
use crate::signals::spool::{Item, Spool};

/// Most requests on their way at a time; beyond, signals wait their turn in the spool.
pub(super) const IN_FLIGHT_MAX: usize = 16;
/// Most signals in one request when catching up.
pub(super) const CATCH_UP_MAX: usize = 64;

/// Sends what comes out of `batches` until `stop`.
pub(crate) struct Poster {
    pub(crate) link: Arc<Link>,
    pub(crate) status: Arc<Status>,
    pub(crate) journal: Journal,
    pub(crate) spool: Spool,
    /// Whether anything may leave: what an earlier configuration spooled stays where it is if not.
    pub(crate) shares: bool,
}

/// What the hub made of one request.
#[derive(Debug)]
enum Outcome {
    /// It has the objects; those that it refused, with its reason.
    Taken(Vec<(String, String)>),
    /// Not now.
    Later(String),
    /// It says that it has them, in words that do not say so for each: nothing is known of any.
    Unclear(String),
    /// Never, whatever is tried.
    Never(String),
}

/// The part of the hub's answer that matters here.
#[derive(Deserialize)]
struct Report {
    outcomes: Vec<ObjectOutcome>,
}

#[derive(Deserialize)]
struct ObjectOutcome {
    id: String,
    outcome: String,
    #[serde(default)]
    reason: Option<String>,
}

/// Requests on their way: which signals, and what becomes of them.
type Flights = JoinSet<(Vec<u64>, Outcome)>;

/// When and what to try again.
struct Retry {
    waiting: BTreeSet<u64>,
    at: Instant,
    backoff: Backoff,
}

impl Poster {
    pub(crate) async fn run(mut self, mut batches: Receiver<Batch>, stop: CancellationToken) {
        let pending = self.spool.pending().filter(|_| self.shares);
        let waiting = pending.map(|item| item.seq).collect();
        let mut retry = Retry {
            waiting,
            at: Instant::now(),
            backoff: Backoff::default(),
        };
        let mut flights = Flights::new();
        let status = Arc::clone(&self.status);
        loop {
            self.status
                .update(|state| state.spooled = widen(self.spool.len()));
            let room = flights.len() < IN_FLIGHT_MAX;
            let due = room && !retry.waiting.is_empty();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(batch) = batches.recv() => self.take(&batch, &mut retry, &mut flights),
                Some(Ok((seqs, outcome))) = flights.join_next(), if !flights.is_empty() => {
                    self.landed(&seqs, outcome, &mut retry);
                }
                () = sleep_until(retry.at), if due => self.catch_up(&mut retry, &mut flights),
                () = status.reconnected(), if !retry.waiting.is_empty() => retry.at = Instant::now(),
            }
        }
        self.drain(batches, flights).await;
    }

    /// A new signal: spooled, then on its way, unless others wait that were before it.
    fn take(&mut self, batch: &Batch, retry: &mut Retry, flights: &mut Flights) {
        let ids: Vec<StixId> = batch
            .objects
            .iter()
            .map(|object| object.head().id.clone())
            .collect();
        let item = self.spool.append(&batch.objects);
        let seq = item.seq;
        if retry.waiting.is_empty() && flights.len() < IN_FLIGHT_MAX {
            self.launch(vec![item], flights);
        } else {
            retry.waiting.insert(seq);
        }
        self.journal.write(
            batch.at,
            Event::Signal {
                objects: ids,
                spooled: seq,
            },
        );
    }

    /// The first of what waits, in order, in one request.
    fn catch_up(&self, retry: &mut Retry, flights: &mut Flights) {
        let first: Vec<u64> = retry.waiting.iter().take(CATCH_UP_MAX).copied().collect();
        let items: Vec<Item> = self
            .spool
            .pending()
            .filter(|item| first.contains(&item.seq))
            .cloned()
            .collect();
        for seq in &first {
            retry.waiting.remove(seq);
        }
        if !items.is_empty() {
            self.launch(items, flights);
        }
    }

    fn launch(&self, items: Vec<Item>, flights: &mut Flights) {
        let request = self
            .link
            .client()
            .post(self.link.url("/exchange/v1/objects"))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .timeout(ANSWER_WAIT_MAX)
            .body(envelope(&items));
        let seqs = items.iter().map(|item| item.seq).collect();
        let ids: Vec<StixId> = items.iter().flat_map(Item::ids).collect();
        flights.spawn(async move { (seqs, post(request, &ids).await) });
    }

    fn landed(&mut self, seqs: &[u64], outcome: Outcome, retry: &mut Retry) {
        match outcome {
            Outcome::Taken(refused) => {
                retry.backoff.reset();
                retry.at = Instant::now();
                self.settle(seqs, &refused);
            }
            Outcome::Later(why) => {
                tracing::debug!(why, "signals not delivered yet");
                self.put_off(seqs, retry);
            }
            Outcome::Unclear(why) => {
                tracing::warn!(
                    why,
                    "signals kept: the hub's answer does not say that it has them"
                );
                self.status
                    .count(|c| c.answers_unclear = c.answers_unclear.saturating_add(1));
                let what = format!("signals kept: {why}");
                self.journal.write(Now::read(), Event::State { what });
                self.put_off(seqs, retry);
            }
            Outcome::Never(why) => {
                let all: Vec<_> = self
                    .ids(seqs)
                    .iter()
                    .map(|id| (id.to_string(), why.clone()))
                    .collect();
                self.settle(seqs, &all);
            }
        }
    }

    /// Signals that stay in the spool are sent again, after a wait that grows with each failure in
    /// a row: a hub that is broken, in whichever way, is not asked in a hot loop.
    fn put_off(&self, seqs: &[u64], retry: &mut Retry) {
        retry.waiting.extend(seqs);
        retry.at = Instant::now()
            .checked_add(retry.backoff.next(random()))
            .unwrap_or(retry.at);
        self.status
            .count(|c| c.failures = c.failures.saturating_add(1));
    }

    /// Takes signals out of the spool and tells what the hub took and what not.
    fn settle(&mut self, seqs: &[u64], refused: &[(String, String)]) {
        let now = Now::read();
        let is_refused = |id: &StixId| refused.iter().any(|(refused, _)| *refused == *id.as_str());
        let (bad, good): (Vec<_>, Vec<_>) = self.ids(seqs).into_iter().partition(is_refused);
        for seq in seqs {
            self.spool.settle(*seq);
        }
        if !good.is_empty() {
            self.journal
                .write(now, Event::Acknowledged { objects: good });
        }
        if !bad.is_empty() {
            let why = refused
                .iter()
                .map(|(_, why)| why.as_str())
                .collect::<Vec<_>>()
                .join("; ");
            self.journal
                .write(now, Event::Rejected { objects: bad, why });
        }
    }

    fn ids(&self, seqs: &[u64]) -> Vec<StixId> {
        let items = self.spool.pending().filter(|item| seqs.contains(&item.seq));
        items.flat_map(Item::ids).collect()
    }

    /// At the end: what is queued goes to the spool, what is on its way gets a moment.
    async fn drain(&mut self, mut batches: Receiver<Batch>, mut flights: Flights) {
        while let Ok(batch) = batches.try_recv() {
            self.spool.append(&batch.objects);
        }
        let mut retry = Retry {
            waiting: BTreeSet::new(),
            at: Instant::now(),
            backoff: Backoff::default(),
        };
        let landing = async {
            while let Some(landed) = flights.join_next().await {
                if let Ok((seqs, outcome)) = landed {
                    self.landed(&seqs, outcome, &mut retry);
                }
            }
        };
        if tokio::time::timeout(DRAIN_WAIT_MAX, landing).await.is_err() {
            tracing::debug!("requests on their way were left; their signals are spooled");
        }
    }
}

async fn post(request: reqwest::RequestBuilder, ids: &[StixId]) -> Outcome {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Outcome::Later(error.to_string()),
    };
    let status = response.status();
    let answer = read_answer(response).await;
    match (status.as_u16(), answer) {
        (200..=299, Ok(answer)) => taken(&answer, ids),
        (_, Err(error)) => Outcome::Later(error),
        // The request itself is at fault: it would be refused for ever.
        (400 | 413 | 415 | 422, Ok(answer)) => Outcome::Never(
            String::from_utf8_lossy(&answer)
                .chars()
                .take(WHY_CHARS_MAX)
                .collect(),
        ),
        (status, Ok(_)) => Outcome::Later(format!("status {status}")),
    }
}

/// What an answer of success says of the objects that were sent. One that leaves any of them out
/// may come from something else than a hub: a proxy, a portal.
///
/// # Failure bias
/// Towards sending again: the hub answers the same both times, and what is settled is gone.
fn taken(answer: &[u8], ids: &[StixId]) -> Outcome {
    let outcomes = match serde_json::from_slice::<Report>(answer) {
        Ok(report) => report.outcomes,
        Err(error) => return Outcome::Unclear(format!("an unreadable answer: {error}")),
    };
    let told: BTreeSet<&str> = outcomes.iter().map(|o| o.id.as_str()).collect();
    if let Some(left_out) = ids.iter().find(|id| !told.contains(id.as_str())) {
        return Outcome::Unclear(format!("an answer without an outcome for {left_out}"));
    }
    let refused = outcomes
        .into_iter()
        .filter(|o| !matches!(&*o.outcome, "accepted" | "duplicate"));
    Outcome::Taken(
        refused
            .map(|o| (o.id, o.reason.unwrap_or(o.outcome)))
            .collect(),
    )
}

/// A TAXII envelope (TAXII 2.1 section 3.7) of the objects, byte for byte.
fn envelope(items: &[Item]) -> Vec<u8> {
    let mut body = b"{\"objects\":[".to_vec();
    let objects = items.iter().flat_map(|item| &item.objects);
    for (at, object) in objects.enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(object.get().as_bytes());
    }
    body.extend_from_slice(b"]}");
    body
}

fn widen(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// How long requests on their way are waited for at the end.
const DRAIN_WAIT_MAX: Duration = Duration::from_millis(500);
/// Most of the hub's words that are kept.
const WHY_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_names_every_object_settles_them() {
        let ids = ["a", "b"].map(|name| StixId::v5("indicator", name));
        let outcome =
            |id: &StixId, what: &str| format!("{{\"id\":\"{id}\",\"outcome\":\"{what}\"}}");
        let answer = |outcomes: &[String]| format!("{{\"outcomes\":[{}]}}", outcomes.join(","));
        let whole = answer(&[outcome(&ids[0], "duplicate"), outcome(&ids[1], "conflict")]);
        let Outcome::Taken(refused) = taken(whole.as_bytes(), &ids) else {
            panic!("{whole} says enough");
        };
        assert_eq!(refused, [(ids[1].to_string(), "conflict".to_owned())]);
        for unclear in [
            String::new(),
            "<html>Welcome</html>".to_owned(),
            "{}".to_owned(),
            answer(&[]),
            answer(&[outcome(&ids[0], "accepted")]),
            whole.trim_end_matches("]}").to_owned(),
        ] {
            let outcome = taken(unclear.as_bytes(), &ids);
            assert!(
                matches!(outcome, Outcome::Unclear(_)),
                "{unclear}: {outcome:?}"
            );
        }
    }
}
