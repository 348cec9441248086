//! The push streams that are open: bounded per partner, and closed when their partner is revoked.

use crate::app::Hub;
use crate::authn::{Caller, Credential};
use crate::counters::Counters;
use exchange::Registry as _;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often open streams are held against the registry: a revocation closes them within this.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// Single credentials that are looked up in one round; partners are looked up all in one query.
const CREDENTIALS_MAX: usize = 64;

/// The open push streams of a hub.
#[derive(Debug)]
pub(crate) struct Streams {
    streams_max: usize,
    shutdown: CancellationToken,
    open: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    rows: BTreeMap<u64, Row>,
    /// How many are open, by partner.
    per_partner: BTreeMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Row {
    partner: Arc<str>,
    credential: Credential,
    ended: CancellationToken,
}

/// One open stream; dropping it takes it off the table.
#[derive(Debug)]
pub(crate) struct Stream {
    id: u64,
    ended: CancellationToken,
    table: Arc<Mutex<Table>>,
    counters: Arc<Counters>,
}

impl Streams {
    /// At most `streams_max` streams of each partner.
    pub(crate) fn new(streams_max: usize, shutdown: CancellationToken) -> Self {
        Self {
            streams_max,
            shutdown,
            open: Arc::default(),
        }
    }

    /// Enters a stream; `None` at the bound.
    pub(crate) fn open(&self, caller: &Caller, counters: &Arc<Counters>) -> Option<Stream> {
        let mut table = lock(&self.open);
        let count = table
            .per_partner
            .entry(Arc::clone(&caller.partner))
            .or_default();
        if *count >= self.streams_max {
            return None;
        }
        *count = count.saturating_add(1);
        let id = table.next;
        table.next = id.wrapping_add(1);
        let ended = self.shutdown.child_token();
        let row = Row {
            partner: Arc::clone(&caller.partner),
            credential: caller.credential.clone(),
            ended: ended.clone(),
        };
        table.rows.insert(id, row);
        counters.push_streams.fetch_add(1, Relaxed);
        Some(Stream {
            id,
            ended,
            table: Arc::clone(&self.open),
            counters: Arc::clone(counters),
        })
    }

    /// Closes the streams of revoked partners and credentials, for as long as the hub runs.
    pub(crate) async fn watch(&self, hub: &Hub) {
        let mut after = 0;
        while self
            .shutdown
            .run_until_cancelled(tokio::time::sleep(WATCH_EVERY))
            .await
            .is_some()
        {
            if lock(&self.open).rows.is_empty() {
                continue;
            }
            if let Err(error) = self.close_partners(hub).await {
                tracing::error!(%error, "the registry cannot be read");
            }
            after = self.close_credentials(hub, after).await;
        }
    }

    async fn close_partners(&self, hub: &Hub) -> Result<(), exchange::StoreError> {
        let partners = hub.exchange.store().partners().await?;
        let good = |name: &Arc<str>| {
            partners
                .iter()
                .any(|partner| partner.name == *name && partner.revoked.is_none())
        };
        let table = lock(&self.open);
        let gone: Vec<&Arc<str>> = table
            .per_partner
            .keys()
            .filter(|name| !good(name))
            .collect();
        for row in table
            .rows
            .values()
            .filter(|row| gone.contains(&&row.partner))
        {
            row.ended.cancel();
        }
        Ok(())
    }

    /// Looks some credentials up, in turn; returns where to go on.
    async fn close_credentials(&self, hub: &Hub, after: u64) -> u64 {
        let some: Vec<(u64, Credential, CancellationToken)> = {
            let table = lock(&self.open);
            let rows = table
                .rows
                .range(after.saturating_add(1)..)
                .take(CREDENTIALS_MAX);
            rows.map(|(id, row)| (*id, row.credential.clone(), row.ended.clone()))
                .collect()
        };
        let last = some.last().map_or(0, |(id, _, _)| *id);
        for (_, credential, ended) in some {
            if let Ok(None) = hub.partner_of(&credential).await {
                ended.cancel();
            }
        }
        last
    }
}

impl Stream {
    /// Returns when the stream must end: revoked, or the hub stops.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        if let Some(row) = table.rows.remove(&self.id)
            && let Some(count) = table.per_partner.get_mut(&row.partner)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.per_partner.remove(&row.partner);
            }
        }
        self.counters.push_streams.fetch_sub(1, Relaxed);
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_per_partner_and_leave_when_dropped() {
        let streams = Streams::new(1, CancellationToken::new());
        let counters = Arc::new(Counters::default());
        let caller = |name: &str| Caller {
            partner: name.into(),
            credential: Credential::Token([0; 32]),
        };
        let first = streams.open(&caller("a"), &counters).unwrap();
        assert!(streams.open(&caller("a"), &counters).is_none());
        let other = streams.open(&caller("b"), &counters).unwrap();
        assert_eq!(counters.push_streams.load(Relaxed), 2);
        drop((first, other));
        assert!(streams.open(&caller("a"), &counters).is_some());
        assert_eq!(lock(&streams.open).per_partner.len(), 0);
    }
}
