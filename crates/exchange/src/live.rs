//! The live set of a lane: what its digest is about.

use stix::Timestamp;

use crate::Entry;

/// Sums up the live indicators of one lane, incrementally. The hub gives the implementation, the
/// same that shields use, because what a digest is belongs to the messages and not to the store.
///
/// Live are, per (source, id), those indicators of the latest version that are neither revoked
/// nor expired. Entries that are [`Entry::stale`] change nothing.
pub trait LiveSet: Send + Sync {
    /// Takes the next entry of the lane.
    fn apply(&mut self, entry: &Entry);

    /// Number of live members and their digest at `at`, which never goes back.
    fn digest(&mut self, at: Timestamp) -> (u64, [u8; 32]);
}
