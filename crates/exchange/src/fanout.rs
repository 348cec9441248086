//! Fan-out: what is committed goes to those who follow, each lane's entries as one shared batch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use sharing::Audience;
use stix::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};

use crate::handle::Counters;
use crate::store::{LaneEntries, READ_BYTES_MAX};
use crate::{Entry, ExchangeError, Lane, Log, Position, StoreError};

/// Most entries in one [`LaneBatch`].
pub(crate) const BATCH_ENTRIES_MAX: usize = 256;

/// Consecutive entries of one lane. What is live is one batch for all who follow the lane.
#[derive(Debug)]
pub struct LaneBatch {
    /// Which lane.
    pub lane: Lane,
    /// Position before the first entry.
    pub from: u64,
    /// Position of the last entry.
    pub to: u64,
    /// The entries.
    pub entries: Vec<Entry>,
    /// Room for the form in which the batch travels: whoever needs it first fills it in for all.
    pub bytes: OnceLock<Bytes>,
}

/// What the live set of a lane comes to, at the position that the subscription has reached in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneDigest {
    /// Which lane.
    pub lane: Lane,
    /// Position up to which the lane is summed up.
    pub position: u64,
    /// The moment that decides what has expired.
    pub at: Timestamp,
    /// Live indicators.
    pub active: u64,
    /// Their digest.
    pub digest: [u8; 32],
}

/// What a subscription yields.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The next entries of a lane.
    Batch(Arc<LaneBatch>),
    /// A digest of a lane.
    Digest(LaneDigest),
}

/// Follows one partner's view; see [`crate::Exchange::subscribe`].
#[derive(Debug)]
pub struct Subscription<S> {
    store: Arc<S>,
    audience: Audience,
    community: Reader,
    addressed: Reader,
    counters: Arc<Counters>,
}

impl<S: Log> Subscription<S> {
    pub(crate) fn new(
        store: Arc<S>,
        audience: Audience,
        from: Position,
        receivers: Receivers,
        counters: Arc<Counters>,
    ) -> Self {
        let reader = |lane, receiver| Reader {
            lane,
            position: from.lane(lane),
            behind: true,
            receiver,
        };
        let community = reader(Lane::Community, receivers.community);
        let addressed = reader(Lane::Addressed, receivers.addressed);
        Self {
            store,
            audience,
            community,
            addressed,
            counters,
        }
    }

    /// How far it has come; a new subscription from here continues without loss or duplicate.
    pub fn position(&self) -> Position {
        Position {
            community: self.community.position,
            addressed: self.addressed.position,
        }
    }

    /// The next delivery. Safe to drop and call again.
    ///
    /// # Errors
    /// `Stopped` when the exchange was closed; an error of the store.
    pub async fn next(&mut self) -> Result<Delivery, ExchangeError> {
        loop {
            if let Some(batch) = self
                .community
                .catch_up(&*self.store, &self.audience)
                .await?
            {
                return Ok(Delivery::Batch(batch));
            }
            if let Some(batch) = self
                .addressed
                .catch_up(&*self.store, &self.audience)
                .await?
            {
                return Ok(Delivery::Batch(batch));
            }
            let delivery = tokio::select! {
                item = self.community.receiver.recv() => self.community.take(item, &self.counters),
                item = self.addressed.receiver.recv() => self.addressed.take(item, &self.counters),
            };
            if let Some(delivery) = delivery? {
                return Ok(delivery);
            }
        }
    }
}

/// One lane of a subscription.
#[derive(Debug)]
struct Reader {
    lane: Lane,
    position: u64,
    /// Whether the store may hold more than was read; live items count only when it does not.
    behind: bool,
    receiver: Receiver<Item>,
}

impl Reader {
    async fn catch_up<S: Log>(
        &mut self,
        store: &S,
        audience: &Audience,
    ) -> Result<Option<Arc<LaneBatch>>, ExchangeError> {
        if !self.behind {
            return Ok(None);
        }
        let read = store.lane(audience, self.lane, self.position, BATCH_ENTRIES_MAX);
        let entries = read.await?;
        let Some(last) = entries.last() else {
            self.behind = false;
            return Ok(None);
        };
        let (from, to) = (self.position, last.position);
        self.position = to;
        Ok(Some(Arc::new(LaneBatch {
            lane: self.lane,
            from,
            to,
            entries,
            bytes: OnceLock::new(),
        })))
    }

    fn take(
        &mut self,
        item: Result<Item, RecvError>,
        counters: &Counters,
    ) -> Result<Option<Delivery>, ExchangeError> {
        match item {
            Ok(Item::Batch(batch)) if batch.from == self.position => {
                self.position = batch.to;
                return Ok(Some(Delivery::Batch(batch)));
            }
            // Older ones were read from the store already; a gap or an overlap is read from it.
            Ok(Item::Batch(batch)) => self.behind = batch.to > self.position,
            Ok(Item::Digest(digest)) if digest.position == self.position => {
                return Ok(Some(Delivery::Digest(digest)));
            }
            Ok(Item::Digest(_)) => {}
            Err(RecvError::Lagged(_)) => {
                Counters::add(&counters.lagged, 1);
                self.behind = true;
            }
            Err(RecvError::Closed) => return Err(ExchangeError::Stopped),
        }
        Ok(None)
    }
}

#[derive(Clone, Debug)]
enum Item {
    Batch(Arc<LaneBatch>),
    Digest(LaneDigest),
}

/// The two ends that a subscription listens at.
#[derive(Debug)]
pub(crate) struct Receivers {
    community: Receiver<Item>,
    addressed: Receiver<Item>,
}

/// The channels of all lanes; those of the addressed lanes come and go with their followers.
#[derive(Debug)]
pub(crate) struct Lanes {
    lag_max: usize,
    channels: Mutex<Option<Channels>>,
}

#[derive(Debug)]
struct Channels {
    community: Sender<Item>,
    addressed: BTreeMap<Arc<str>, Sender<Item>>,
}

impl Lanes {
    pub(crate) fn new(lag_max: usize) -> Self {
        let lag_max = lag_max.max(1);
        let (community, addressed) = (channel(lag_max).0, BTreeMap::new());
        Self {
            lag_max,
            channels: Mutex::new(Some(Channels {
                community,
                addressed,
            })),
        }
    }

    /// Listens to the two lanes of a partner.
    pub(crate) fn receivers(&self, audience: &Audience) -> Result<Receivers, ExchangeError> {
        let [partner] = audience.names() else {
            return Err(StoreError::SeveralViews.into());
        };
        let partner = Arc::clone(partner);
        self.with(|channels| {
            let sender = channels.addressed.entry(partner);
            let addressed = sender
                .or_insert_with(|| channel(self.lag_max).0)
                .subscribe();
            Receivers {
                community: channels.community.subscribe(),
                addressed,
            }
        })
        .ok_or(ExchangeError::Stopped)
    }

    /// The lanes that someone follows, the community's under no name; forgets the others.
    pub(crate) fn followed(&self) -> Vec<Option<Arc<str>>> {
        let followed = self.with(|channels| {
            channels
                .addressed
                .retain(|_, sender| sender.receiver_count() > 0);
            let mut followed: Vec<_> = channels.addressed.keys().cloned().map(Some).collect();
            followed.push(None);
            followed
        });
        followed.unwrap_or_default()
    }

    pub(crate) fn publish(&self, lane: LaneEntries) {
        let kind = if lane.partner.is_some() {
            Lane::Addressed
        } else {
            Lane::Community
        };
        for batch in batches(kind, lane.entries) {
            self.send(lane.partner.as_ref(), Item::Batch(Arc::new(batch)));
        }
    }

    pub(crate) fn publish_digest(&self, partner: Option<&Arc<str>>, digest: LaneDigest) {
        self.send(partner, Item::Digest(digest));
    }

    /// Tells every follower that nothing more will come.
    pub(crate) fn close(&self) {
        *self.channels.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn send(&self, partner: Option<&Arc<str>>, item: Item) {
        self.with(|channels| {
            let sender = match partner {
                None => Some(&channels.community),
                Some(partner) => channels.addressed.get(partner),
            };
            // An error means that nobody follows the lane.
            sender.and_then(|sender| sender.send(item).ok());
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Channels) -> T) -> Option<T> {
        self.channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .map(act)
    }
}

/// Cuts entries into batches of bounded number and size.
fn batches(lane: Lane, entries: Vec<Entry>) -> Vec<LaneBatch> {
    let mut batches: Vec<LaneBatch> = Vec::new();
    let mut bytes = 0_usize;
    for entry in entries {
        bytes = bytes.saturating_add(entry.raw.len());
        let fits = batches
            .last()
            .is_some_and(|open| open.entries.len() < BATCH_ENTRIES_MAX && bytes <= READ_BYTES_MAX);
        if let Some(open) = batches.last_mut().filter(|_| fits) {
            open.to = entry.position;
            open.entries.push(entry);
            continue;
        }
        bytes = entry.raw.len();
        let (from, to) = (entry.position.saturating_sub(1), entry.position);
        batches.push(LaneBatch {
            lane,
            from,
            to,
            entries: vec![entry],
            bytes: OnceLock::new(),
        });
    }
    batches
}
