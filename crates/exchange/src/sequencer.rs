//! The sequencer: the one task that writes the log.
//!
//! It writes what is queued in one transaction and acknowledges after the commit. While one
//! transaction commits, the next batch gathers; nothing ever waits for company.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stix::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::fanout::{LaneDigest, Lanes};
use crate::handle::{Config, Counters};
use crate::store::LaneEntries;
use crate::{
    Entry, Erased, Erasure, ExchangeError, Lane, LiveSet, Log, Outcome, StoreError, Submission,
};

/// What the sequencer is asked.
#[derive(Debug)]
pub(crate) enum Command {
    Submit {
        submissions: Vec<Submission>,
        /// Room in the queue, given back when the request is done.
        room: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<Vec<Outcome>, ExchangeError>>,
    },
    Erase {
        erasure: Erasure,
        reply: oneshot::Sender<Result<Erased, ExchangeError>>,
    },
    Digest {
        reply: oneshot::Sender<()>,
    },
    Close {
        reply: oneshot::Sender<()>,
    },
}

pub(crate) struct Sequencer<S> {
    store: Arc<S>,
    lanes: Arc<Lanes>,
    counters: Arc<Counters>,
    config: Config,
    /// Live sets by lane; the community's is under no name.
    live: BTreeMap<Option<Arc<str>>, Live>,
    /// Latest `date_added` given.
    latest: Timestamp,
    /// Who waits for the end.
    closing: Option<oneshot::Sender<()>>,
}

impl<S: Log> Sequencer<S> {
    pub(crate) fn new(
        store: Arc<S>,
        lanes: Arc<Lanes>,
        counters: Arc<Counters>,
        config: Config,
    ) -> Self {
        let (live, latest) = (BTreeMap::new(), Timestamp::MIN);
        Self {
            store,
            lanes,
            counters,
            config,
            live,
            latest,
            closing: None,
        }
    }

    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut ticks = interval(self.config.digest_every.max(DIGEST_EVERY_MIN));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        self.watch_lanes().await;
        loop {
            let command = tokio::select! {
                command = queue.recv() => command,
                _ = ticks.tick() => { self.digest(false).await; continue }
            };
            let Some(command) = command else { break };
            if self.take(command, &mut queue).await.is_break() {
                break;
            }
        }
        self.lanes.close();
        let closing = self.closing.take();
        // Whoever closes may want to open the store again.
        drop(self);
        closing.map(|reply| reply.send(()));
    }

    async fn take(
        &mut self,
        command: Command,
        queue: &mut mpsc::Receiver<Command>,
    ) -> std::ops::ControlFlow<()> {
        let mut gathered = Gathered::default();
        let mut next = Some(command);
        let mut last = None;
        while let Some(command) = next {
            match command {
                Command::Submit {
                    submissions,
                    room,
                    reply,
                } => {
                    gathered.add(submissions, room, reply);
                }
                other
                @ (Command::Erase { .. } | Command::Digest { .. } | Command::Close { .. }) => {
                    last = Some(other);
                    break;
                }
            }
            let full = gathered.submissions.len() >= self.config.batch_max;
            next = if full { None } else { queue.try_recv().ok() };
        }
        if self.write(gathered).await.is_break() {
            return std::ops::ControlFlow::Break(());
        }
        self.finish(last).await
    }

    async fn finish(&mut self, last: Option<Command>) -> std::ops::ControlFlow<()> {
        match last {
            Some(Command::Erase { erasure, reply }) => {
                let erased = self.erase(&erasure).await.map_err(Arc::new);
                let fenced = erased
                    .as_ref()
                    .is_err_and(|error| matches!(**error, StoreError::Fenced { .. }));
                reply.send(erased.map_err(ExchangeError::Store)).ok();
                if fenced {
                    return std::ops::ControlFlow::Break(());
                }
            }
            Some(Command::Digest { reply }) => {
                self.digest(true).await;
                // Whoever asked may have gone.
                reply.send(()).ok();
            }
            Some(Command::Close { reply }) => {
                self.closing = Some(reply);
                return std::ops::ControlFlow::Break(());
            }
            Some(Command::Submit { .. }) | None => {}
        }
        std::ops::ControlFlow::Continue(())
    }

    /// Writes what was gathered and tells its senders. Breaks when the log belongs to another
    /// writer now.
    async fn write(&mut self, gathered: Gathered) -> std::ops::ControlFlow<()> {
        let mut outcomes = Vec::with_capacity(gathered.submissions.len());
        let mut failure = None;
        for batch in gathered.submissions.chunks(self.config.batch_max.max(1)) {
            match self.append(batch).await {
                Ok(written) => outcomes.extend(written),
                Err(error) => {
                    tracing::error!(%error, objects = batch.len(), "append failed");
                    failure = Some(Arc::new(error));
                    break;
                }
            }
        }
        let fenced = failure
            .as_deref()
            .is_some_and(|e| matches!(e, StoreError::Fenced { .. }));
        gathered.answer(outcomes, failure);
        if fenced {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    }

    async fn append(&mut self, batch: &[Submission]) -> Result<Vec<Outcome>, StoreError> {
        let now = self.now().await;
        let appended = self.store.append(batch, now).await?;
        self.latest = self.latest.max(appended.latest);
        for lane in appended.lanes {
            self.publish(lane);
        }
        Counters::add(&self.counters.batches, 1);
        for outcome in &appended.outcomes {
            let counter = match outcome {
                Outcome::Accepted { .. } => &self.counters.accepted,
                Outcome::Duplicate => &self.counters.duplicates,
                Outcome::Conflict => &self.counters.conflicts,
            };
            Counters::add(counter, 1);
        }
        Ok(appended.outcomes)
    }

    /// Destroys versions, as many as one transaction takes.
    async fn erase(&mut self, erasure: &Erasure) -> Result<Erased, StoreError> {
        let now = self.now().await;
        let mut erased = self.store.erase(erasure, now).await?;
        self.latest = self.latest.max(erased.latest);
        for lane in std::mem::take(&mut erased.lanes) {
            self.publish(lane);
        }
        let count = u64::try_from(erased.versions).unwrap_or(u64::MAX);
        Counters::add(&self.counters.erased, count);
        // Also when nothing was left to erase: whoever asks again after a failure must not be told
        // that all is done before it is.
        if let Some(list) = &self.config.erasures {
            list.catch_up(&*self.store).await?;
        }
        Ok(erased)
    }

    /// The time, past the last `date_added` if a short wait gets there.
    ///
    /// Dates run ahead of the clock by one microsecond an object, and each lane dates by itself
    /// so that no lane shows what others hold. Starting past all of them keeps the merged view in
    /// order, too. A clock that was set back is not waited for: then a reader that pages by
    /// `added_after` instead of by cursor can miss an entry of its other lane.
    async fn now(&self) -> Timestamp {
        let now = (self.config.clock)();
        if now > self.latest {
            return now;
        }
        Counters::add(&self.counters.clock_waits, 1);
        sleep(CLOCK_WAIT_MAX.min(self.latest.since(now))).await;
        (self.config.clock)()
    }

    fn publish(&mut self, lane: LaneEntries) {
        let follows = self
            .live
            .get_mut(&lane.partner)
            .is_none_or(|live| live.apply(&lane.entries));
        if !follows {
            tracing::warn!("the log holds entries that were never acknowledged; live set anew");
            // The next digest begins it from the store.
            self.live.remove(&lane.partner);
        }
        self.lanes.publish(lane);
    }

    /// Digests of every lane that someone follows; `wait` for sets that are still being built.
    async fn digest(&mut self, wait: bool) {
        self.watch_lanes().await;
        let at = (self.config.clock)().max(self.latest);
        for (partner, live) in &mut self.live {
            live.settle(wait).await;
            if let Some(digest) = live.digest(partner.is_some(), at) {
                self.lanes.publish_digest(partner.as_ref(), digest);
            }
        }
    }

    /// Begins a live set for each lane that has one no more or not yet, and ends those that nobody
    /// follows.
    async fn watch_lanes(&mut self) {
        let followed = self.lanes.followed();
        self.live
            .retain(|partner, _| partner.is_none() || followed.contains(partner));
        for partner in followed {
            if self.live.contains_key(&partner) {
                continue;
            }
            match self.begin_live(partner.clone()).await {
                Ok(live) => drop(self.live.insert(partner, live)),
                Err(error) => tracing::error!(%error, "live set not begun; no digests for a lane"),
            }
        }
    }

    /// Builds a live set as of now beside the sequencer, which goes on meanwhile.
    async fn begin_live(&self, partner: Option<Arc<str>>) -> Result<Live, StoreError> {
        let position = self.store.end(partner.as_ref()).await?;
        let (store, at) = (Arc::clone(&self.store), (self.config.clock)());
        let mut set = (self.config.live_set)();
        let building = tokio::spawn(async move {
            let mut each = |entry: Entry| set.apply(&entry);
            store
                .live(partner.as_ref(), position, at, &mut each)
                .await?;
            Ok(set)
        });
        Ok(Live {
            position,
            state: LiveState::Building {
                building,
                waiting: Vec::new(),
            },
        })
    }
}

/// Longest wait for the clock to pass the last `date_added`.
const CLOCK_WAIT_MAX: Duration = Duration::from_millis(5);

/// Digests more often than this would be all that the sequencer does.
const DIGEST_EVERY_MIN: Duration = Duration::from_millis(1);

/// Requests that are written together.
#[derive(Default)]
struct Gathered {
    submissions: Vec<Submission>,
    requests: Vec<Request>,
}

struct Request {
    size: usize,
    reply: oneshot::Sender<Result<Vec<Outcome>, ExchangeError>>,
    _room: OwnedSemaphorePermit,
}

impl Gathered {
    fn add(
        &mut self,
        submissions: Vec<Submission>,
        room: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<Vec<Outcome>, ExchangeError>>,
    ) {
        self.requests.push(Request {
            size: submissions.len(),
            reply,
            _room: room,
        });
        self.submissions.extend(submissions);
    }

    /// Gives each request its part of the outcomes, or the failure where they end early.
    fn answer(self, outcomes: Vec<Outcome>, failure: Option<Arc<StoreError>>) {
        let mut outcomes = outcomes.into_iter();
        for request in self.requests {
            let own: Vec<Outcome> = outcomes.by_ref().take(request.size).collect();
            let answer = match &failure {
                Some(error) if own.len() < request.size => {
                    Err(ExchangeError::Store(Arc::clone(error)))
                }
                _ => Ok(own),
            };
            // Whoever asked may have gone; the objects are in the log all the same.
            request.reply.send(answer).ok();
        }
    }
}

/// The live set of one lane, or its becoming.
struct Live {
    position: u64,
    state: LiveState,
}

enum LiveState {
    Building {
        building: JoinHandle<Result<Box<dyn LiveSet>, StoreError>>,
        /// Entries after the position that the set is built as of.
        waiting: Vec<Entry>,
    },
    Ready(Box<dyn LiveSet>),
    Failed,
}

impl Live {
    /// Takes the next entries of the lane. False, and nothing is taken, when some are missing
    /// between: a commit that reported an error may be durable all the same.
    #[must_use]
    fn apply(&mut self, entries: &[Entry]) -> bool {
        let next = self.position.saturating_add(1);
        if entries.first().is_some_and(|entry| entry.position != next) {
            return false;
        }
        self.position = entries.last().map_or(self.position, |entry| entry.position);
        match &mut self.state {
            LiveState::Building { waiting, .. } => waiting.extend_from_slice(entries),
            LiveState::Ready(set) => entries.iter().for_each(|entry| set.apply(entry)),
            LiveState::Failed => {}
        }
        true
    }

    /// Takes a set that is done being built into use.
    async fn settle(&mut self, wait: bool) {
        let LiveState::Building { building, waiting } = &mut self.state else {
            return;
        };
        if !wait && !building.is_finished() {
            return;
        }
        self.state = match building.await {
            Ok(Ok(mut set)) => {
                waiting.iter().for_each(|entry| set.apply(entry));
                LiveState::Ready(set)
            }
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        };
    }

    fn digest(&mut self, addressed: bool, at: Timestamp) -> Option<LaneDigest> {
        let lane = if addressed {
            Lane::Addressed
        } else {
            Lane::Community
        };
        match &mut self.state {
            LiveState::Ready(set) => {
                let (active, digest) = set.digest(at);
                Some(LaneDigest {
                    lane,
                    position: self.position,
                    at,
                    active,
                    digest,
                })
            }
            LiveState::Building { .. } | LiveState::Failed => None,
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> LiveState {
    tracing::error!(%error, "live set not built; no digests for a lane until it is followed anew");
    LiveState::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Count(u64);

    impl LiveSet for Count {
        fn apply(&mut self, _: &Entry) {
            self.0 = self.0.saturating_add(1);
        }

        fn digest(&mut self, _: Timestamp) -> (u64, [u8; 32]) {
            (self.0, [0; 32])
        }
    }

    fn entry(position: u64) -> Entry {
        Entry {
            event: crate::EventKind::Accept,
            lane: Lane::Community,
            position,
            source: "alpha".into(),
            date_added: Timestamp::EPOCH,
            stale: false,
            id: stix::StixId::v5("indicator", "one"),
            version: Timestamp::EPOCH,
            valid_until: None,
            spec_version: None,
            raw: bytes::Bytes::new(),
        }
    }

    #[test]
    fn a_live_set_takes_only_what_follows_it() {
        let mut live = Live {
            position: 3,
            state: LiveState::Ready(Box::new(Count::default())),
        };
        assert!(live.apply(&[entry(4), entry(5)]));
        assert!(
            !live.apply(&[entry(7)]),
            "6 was committed without our knowing"
        );
        assert!(!live.apply(&[entry(5)]), "known already");
        let digest = live.digest(false, Timestamp::EPOCH).unwrap();
        assert_eq!((digest.position, digest.active), (5, 2));
    }
}
