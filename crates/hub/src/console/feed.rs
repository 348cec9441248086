//! Feeds the console's board from the exchange: what the view holds, then what comes.

use super::board::{Board, Signal};
use crate::app::Hub;
use exchange::{Delivery, Entry, EventKind, ExchangeError, Log as _, Position};
use sharing::Audience;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stix::{Limits, Object, StixId, Timestamp};
use tokio_util::sync::CancellationToken;

/// Entries that a fresh console starts with.
const RECENT_MAX: usize = 500;
/// Entries that are remembered to show each once, though several views bring it.
const SEEN_MAX: usize = 4_096;
/// How long a broken feed waits before it begins again.
const RETRY: Duration = Duration::from_secs(1);

/// Feeds the board until shutdown.
pub(crate) async fn run(hub: Arc<Hub>, board: Arc<Board>, shutdown: CancellationToken) {
    let feed = Arc::new(Feed {
        hub,
        board,
        seen: Mutex::default(),
    });
    let partners = feed.board.partners().to_vec();
    if partners.is_empty() {
        return;
    }
    if let Err(error) = feed.begin(partners.clone()).await {
        tracing::error!(%error, "the console starts empty");
    }
    let mut tasks = tokio::task::JoinSet::new();
    for partner in partners {
        tasks.spawn(
            shutdown
                .clone()
                .run_until_cancelled_owned(Arc::clone(&feed).follow(partner)),
        );
    }
    tasks.join_all().await;
}

struct Feed {
    hub: Arc<Hub>,
    board: Arc<Board>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    keys: BTreeSet<Key>,
    order: VecDeque<Key>,
}

type Key = (Arc<str>, StixId, Timestamp);

impl Feed {
    async fn begin(&self, partners: Vec<Arc<str>>) -> Result<(), ExchangeError> {
        let audience = Audience::Partners(partners);
        let mut recent = self
            .hub
            .exchange
            .store()
            .recent(&audience, RECENT_MAX)
            .await?;
        recent.reverse();
        self.show(&recent);
        Ok(())
    }

    /// Follows one partner's view for ever.
    async fn follow(self: Arc<Self>, partner: Arc<str>) {
        let audience = Audience::Partner(partner);
        let mut from = None;
        loop {
            if let Err(error) = self.follow_once(&audience, &mut from).await {
                tracing::debug!(%error, "the console's feed begins again");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow_once(
        &self,
        audience: &Audience,
        from: &mut Option<Position>,
    ) -> Result<(), ExchangeError> {
        let start = match *from {
            Some(position) => position,
            None => self.hub.exchange.store().head(audience).await?,
        };
        let mut subscription = self.hub.exchange.subscribe(audience, start).await?;
        loop {
            if let Delivery::Batch(batch) = subscription.next().await? {
                self.show(&batch.entries);
            }
            *from = Some(subscription.position());
        }
    }

    fn show(&self, entries: &[Entry]) {
        let erased = entries.iter().filter(|one| one.event == EventKind::Erase);
        erased.for_each(|one| self.board.erase(&one.source, &one.id, one.version));
        let fresh: Vec<Signal> = entries
            .iter()
            .filter(|entry| entry.event != EventKind::Erase && self.is_new(entry))
            .filter_map(signal)
            .collect();
        if !fresh.is_empty() {
            self.board.signals(fresh);
        }
    }

    fn is_new(&self, entry: &Entry) -> bool {
        let key = (Arc::clone(&entry.source), entry.id.clone(), entry.version);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.keys.insert(key.clone()) {
            return false;
        }
        seen.order.push_back(key);
        if seen.order.len() > SEEN_MAX
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.keys.remove(&oldest);
        }
        true
    }
}

fn signal(entry: &Entry) -> Option<Signal> {
    let object = Object::parse(&entry.raw, &Limits::default()).ok()?;
    Some(Signal {
        added: entry.date_added,
        source: Arc::clone(&entry.source),
        object,
    })
}
