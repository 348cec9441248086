//! Packs of a running shield: who admits them, how far each has come, what its models find.
//!
//! ```text
//! [packs] files, `pack admit` ──> Admission ──> shadow ──> canary ──> enforce ──> retired
//!                                                  ╰──────────┴─────────┴──> rolled-back
//! folder `packs` (state.json, store, measured) ──> thread `packs` ──> ArcSwap<Loaded> ──> pipeline
//!                                                       ^─ gauges (scores of benign sessions) ─┘
//! ```
//!
//! What a pack may do here stands in `state.json` of the shield's data folder. The commands
//! `shieldwall pack admit|promote|rollback` change it, whether or not a shield runs; the thread takes
//! every change over by one pointer, within a second. Each step is a line of `packs/log.jsonl` that
//! says who did it and why, and of the journal when it takes effect.
//!
//! Only a [`pack::VerifiedPack`] is loaded, and it is verified anew each time: a key or a pack that
//! the trust file takes back is out of force as soon as that file says so.

pub mod admission;
mod folder;
mod gauge;
mod load;
mod receipts;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
mod thread;

use std::sync::Arc;

use arc_swap::ArcSwap;
use detect::behaviour::dga::NameModel;

pub use admission::{Admission, AdmissionError, Failed};
pub use folder::{Folder, FolderError};
pub use gauge::{Gauge, Measured, ModelMeasured};
pub use load::verified;
pub use state::{Entry, Stage, State, Step};
pub use thread::PacksError;
pub(crate) use thread::{Packer, spawn};

/// The models in force, and where what is seen of them is counted.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The models.
    pub in_force: Arc<detect::models::InForce>,
    /// One for each of them, in their order.
    pub gauges: Vec<Arc<Gauge>>,
    /// What names say of the client that asks for them; none: rules say it.
    pub names: Option<Arc<NameModel>>,
}

/// What a packet thread needs to judge by models.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The models; looked at between packets.
    pub loaded: Arc<ArcSwap<Loaded>>,
    /// Recent benign sessions of a source from which on another one of it counts as benign.
    pub history_min: u32,
}
