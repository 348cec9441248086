//! How it stands with the hub: written by the tasks that talk to it, read by reports.

use std::sync::{Mutex, MutexGuard, PoisonError};

use taxii::state::SyncState;
use tokio::sync::Notify;

/// Shared state of the connection.
#[derive(Debug, Default)]
pub struct Status {
    state: Mutex<SyncState>,
    counters: Mutex<Counters>,
    reconnected: Notify,
}

/// What synchronisation counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames taken.
    pub frames: u64,
    /// Objects in them.
    pub objects: u64,
    /// Objects that could not be read.
    pub unreadable: u64,
    /// Frames that we had already.
    pub replayed: u64,
    /// Gaps found.
    pub gaps: u64,
    /// Fresh starts from nothing.
    pub resyncs: u64,
    /// Frames, greetings or digests that were not to be believed.
    pub lies: u64,
    /// Connections made.
    pub connections: u64,
    /// Attempts and connections that failed.
    pub failures: u64,
    /// Answers of success that did not say what became of each signal; those are sent again.
    pub answers_unclear: u64,
    /// Indicators of the view left out at [`super::view::KNOWN_MAX`].
    pub known_left_out: u64,
    /// Members of its live sets left out at [`super::view::MEMBERS_MAX`].
    pub members_left_out: u64,
    /// Terms that the indicator index refused.
    pub terms_refused: u64,
    /// Indicators that are detected with.
    pub indexed: u64,
}

impl Status {
    /// The state, as reports tell it.
    #[must_use]
    pub fn state(&self) -> SyncState {
        self.lock().clone()
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state.
    pub(crate) fn update(&self, change: impl FnOnce(&mut SyncState)) {
        change(&mut self.lock());
    }

    /// Changes the counters.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The hub is there again: whoever waits to retry may do so now.
    pub(crate) fn connected(&self) {
        self.update(|state| state.connected = true);
        self.count(|counters| counters.connections = counters.connections.saturating_add(1));
        self.reconnected.notify_waiters();
    }

    /// Waits for the next time that the hub is there again.
    pub(crate) async fn reconnected(&self) {
        self.reconnected.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, SyncState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
