//! Rules of a running shield: read from files, taken from partners, handed to the packet threads.
//!
//! ```text
//! files ──> read ──┐                                   ┌─> pipeline: Inspector of own rules
//!                  ├─> thread `rules` ──> ArcSwap<InForce> (one pointer, taken between two packets)
//! sync ──> Shared ─┘        │                          └─> pipeline: Inspector of partners' rules
//!                           └─> journal: what was taken, what was refused
//! ```
//!
//! Rules of partners are looked for by an inspector of their own. Nothing in them can change what the
//! operator's rules see: no bit, no count, no place in a packet's list of alerts.

mod files;
mod foreign;
mod partners;
mod read;
mod thread;

use std::sync::Arc;

use arc_swap::ArcSwap;
use detect::rules::{Options, RuleSet};
use packet::Digests;

pub use files::{FILES_MAX, FilesError, expand};
pub use partners::{ALL_INDICATORS_MAX, INDICATORS_MAX, Partners, RULES_MAX, TEXT_BYTES_MAX};
pub use read::{Read, Wanted, read};
pub use thread::{Handle, RulesError};
pub(crate) use thread::{Ruler, spawn};

/// The rules that packets are judged by; replaced as a whole.
#[derive(Debug, Default)]
pub struct InForce {
    /// The operator's; none where there are none.
    pub own: Option<Arc<RuleSet>>,
    /// Those that partners share; none where there are none.
    pub partners: Option<Arc<RuleSet>>,
}

impl InForce {
    /// Whether there is any rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.is_none() && self.partners.is_none()
    }

    /// What must be worked out of files for them.
    #[must_use]
    pub fn digests(&self) -> Digests {
        let sets = [&self.own, &self.partners].into_iter().flatten();
        sets.fold(Digests::default(), |all, set| all.or(set.digests()))
    }
}

/// What a packet thread needs to judge by rules.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The rules; looked at between packets.
    pub in_force: Arc<ArcSwap<InForce>>,
    /// Bounds, and how streams are taken.
    pub options: Options,
    /// Whether `drop` and `reject` rules accuse.
    pub drops: bool,
}
