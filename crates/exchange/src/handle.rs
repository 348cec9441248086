//! The exchange as its users hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sharing::Audience;
use stix::Timestamp;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::fanout::Lanes;
use crate::sequencer::{Command, Sequencer};
use crate::{
    Erasure, Erasures, ExchangeError, LiveSet, Log, Outcome, Position, Submission, Subscription,
};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How an exchange runs.
#[derive(Clone)]
pub struct Config {
    /// Most objects that wait for the sequencer; beyond it [`Exchange::submit`] says `Busy`.
    pub queue_max: usize,
    /// Most objects written in one transaction.
    pub batch_max: usize,
    /// Most items that a subscriber may lag behind in a lane before it resumes from the store.
    pub lag_max: usize,
    /// How often the lanes that have subscribers get a digest.
    pub digest_every: Duration,
    /// Where the time comes from.
    pub clock: Clock,
    /// Makes an empty live set.
    pub live_set: fn() -> Box<dyn LiveSet>,
    /// The list in which an erasure stands, too, before it is acknowledged.
    pub erasures: Option<Arc<Erasures>>,
}

impl Config {
    /// The usual bounds, the system's clock, and these live sets.
    pub fn new(live_set: fn() -> Box<dyn LiveSet>) -> Self {
        Self {
            queue_max: 50_000,
            batch_max: 1000,
            lag_max: 256,
            digest_every: Duration::from_secs(5),
            clock: Arc::new(system_time),
            live_set,
            erasures: None,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("queue_max", &self.queue_max)
            .field("batch_max", &self.batch_max)
            .field("lag_max", &self.lag_max)
            .field("digest_every", &self.digest_every)
            .finish_non_exhaustive()
    }
}

/// What happened so far; every bound that was hit shows here.
#[derive(Debug, Default)]
pub struct Counters {
    /// Objects accepted.
    pub accepted: AtomicU64,
    /// Objects that were there already.
    pub duplicates: AtomicU64,
    /// Objects refused because other bytes have their identity.
    pub conflicts: AtomicU64,
    /// Versions erased.
    pub erased: AtomicU64,
    /// Transactions that appended.
    pub batches: AtomicU64,
    /// Submissions refused because `queue_max` was reached.
    pub busy: AtomicU64,
    /// Times that a subscriber lagged more than `lag_max` and resumed from the store.
    pub lagged: AtomicU64,
    /// Times that the sequencer waited for the clock to pass the last `date_added`.
    pub clock_waits: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

/// The exchange: one sequencer over a store, and those who follow it. Cloning is cheap.
#[derive(Debug)]
pub struct Exchange<S> {
    store: Arc<S>,
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    queue_max: usize,
    lanes: Arc<Lanes>,
    counters: Arc<Counters>,
}

impl<S> Clone for Exchange<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            commands: self.commands.clone(),
            room: Arc::clone(&self.room),
            queue_max: self.queue_max,
            lanes: Arc::clone(&self.lanes),
            counters: Arc::clone(&self.counters),
        }
    }
}

impl<S: Log> Exchange<S> {
    /// Starts the sequencer on the running tokio runtime. It ends with [`Exchange::close`], or
    /// when the last clone and subscription are gone.
    pub fn start(store: Arc<S>, config: Config) -> Self {
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let lanes = Arc::new(Lanes::new(config.lag_max));
        let counters = Arc::new(Counters::default());
        let queue_max = config.queue_max;
        let sequencer = Sequencer::new(
            Arc::clone(&store),
            Arc::clone(&lanes),
            Arc::clone(&counters),
            config,
        );
        tokio::spawn(sequencer.run(queue));
        let room = Arc::new(Semaphore::new(queue_max));
        Self {
            store,
            commands,
            room,
            queue_max,
            lanes,
            counters,
        }
    }

    /// Hands objects in; returns when they are durable, with one outcome for each in order.
    ///
    /// After an error any part of them may be in the log; submitting the same bytes again is safe.
    ///
    /// # Errors
    /// `Busy` when `queue_max` is reached: at once, so that the caller can say so to the sender.
    pub async fn submit(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Outcome>, ExchangeError> {
        if submissions.is_empty() {
            return Ok(Vec::new());
        }
        // One request larger than the whole queue still gets in when the queue is empty.
        let size = u32::try_from(submissions.len().min(self.queue_max)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(size) else {
            Counters::add(&self.counters.busy, 1);
            return Err(ExchangeError::Busy);
        };
        let (reply, outcomes) = oneshot::channel();
        let command = Command::Submit {
            submissions,
            room,
            reply,
        };
        self.commands
            .send(command)
            .await
            .map_err(|_| ExchangeError::Stopped)?;
        outcomes.await.map_err(|_| ExchangeError::Stopped)?
    }

    /// Destroys versions of an object for good, and tells those who hold them; returns how many when
    /// that is durable. 0 when there were none, or they were erased before.
    ///
    /// # Errors
    /// `Stopped`; an error of the store, after which some of them may be erased.
    pub async fn erase(&self, erasure: &Erasure) -> Result<usize, ExchangeError> {
        let mut versions = 0_usize;
        loop {
            // One transaction at a time, so that others get their turn.
            let (reply, erased) = oneshot::channel();
            let command = Command::Erase {
                erasure: erasure.clone(),
                reply,
            };
            self.commands
                .send(command)
                .await
                .map_err(|_| ExchangeError::Stopped)?;
            let erased = erased.await.map_err(|_| ExchangeError::Stopped)??;
            versions = versions.saturating_add(erased.versions);
            if !erased.more || erased.versions == 0 {
                return Ok(versions);
            }
        }
    }

    /// Follows a partner's view from a position on: what is in the store first, then what comes,
    /// without loss or duplicate between the two.
    ///
    /// # Errors
    /// `BeyondEnd` for a position that the view has not reached; `Store(SeveralViews)` for an
    /// audience of several partners.
    pub async fn subscribe(
        &self,
        audience: &Audience,
        from: Position,
    ) -> Result<Subscription<S>, ExchangeError> {
        let receivers = self.lanes.receivers(audience)?;
        let head = self.store.head(audience).await?;
        if from.community > head.community || from.addressed > head.addressed {
            return Err(ExchangeError::BeyondEnd);
        }
        let (store, counters) = (Arc::clone(&self.store), Arc::clone(&self.counters));
        Ok(Subscription::new(
            store,
            audience.clone(),
            from,
            receivers,
            counters,
        ))
    }

    /// Sends a digest to every lane that has subscribers, now instead of at the next tick.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn digest_now(&self) -> Result<(), ExchangeError> {
        let (reply, done) = oneshot::channel();
        let command = Command::Digest { reply };
        self.commands
            .send(command)
            .await
            .map_err(|_| ExchangeError::Stopped)?;
        done.await.map_err(|_| ExchangeError::Stopped)
    }

    /// The store, for reading and for the registry.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Ends the sequencer after what is queued already, and returns when it has let go of the store;
    /// later submissions get `Stopped`.
    pub async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Close { reply }).await.is_ok() {
            // An error means that the sequencer has ended already.
            done.await.ok();
        }
    }
}

/// Most requests that wait for the sequencer; the bound in objects is `queue_max`.
const COMMANDS_MAX: usize = 4096;

fn system_time() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
