//! What became of packs here, for the partners that contributed them.

use std::sync::{Mutex, PoisonError};

use taxii::packs::{PACKS_MAX, PackState};

/// The states of packs on this shield. Whoever runs packs puts them here; the state report takes
/// them, where `[share]` says `receipts = true`, and nowhere else.
#[derive(Debug, Default)]
pub struct Receipts(Mutex<Vec<PackState>>);

impl Receipts {
    /// Replaces the states; the first [`PACKS_MAX`] count.
    pub fn put(&self, mut states: Vec<PackState>) {
        states.retain(PackState::within_bounds);
        states.truncate(PACKS_MAX);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = states;
    }

    /// The states.
    #[must_use]
    pub fn all(&self) -> Vec<PackState> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.clone()
    }
}
