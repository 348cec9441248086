//! What rules remember, and what was wrong with a packet.

use packet::{AnomalyKind, AppProto};

use super::note::{Entropies, Variables};
use super::state::tags::{HostTags, Tags};
use super::state::{FlowBits, FlowInts, HostBits, RuleKey};

/// What rules remember of one flow.
#[derive(Debug, Default)]
pub(crate) struct FlowMemory {
    pub(crate) bits: FlowBits,
    pub(crate) ints: FlowInts,
    /// What expressions caught.
    pub(crate) variables: Variables,
    /// What was measured of its buffers.
    pub(crate) entropies: Entropies,
    /// How many bits and numbers had no room since that was last counted.
    pub(crate) refused: u64,
    /// What its records show of it has changed.
    pub(crate) has_changed: bool,
    /// Rules that show its packets.
    pub(crate) tags: Tags,
    /// A rule says that it is not to be looked at any more.
    pub(crate) is_bypassed: bool,
    /// The packet of each direction with which the application protocol of that direction was
    /// known, by its number.
    pub(crate) protocol_known_at: [Option<u64>; 2],
    /// The application protocol that it had before it changed, as of the packet before: with the
    /// packet that changes it, the old one is still what is parsed.
    pub(crate) protocol_before: AppProto,
}

/// What conditions may ask and effects change.
#[derive(Debug)]
pub(crate) struct Memory<'m> {
    pub(crate) flow: &'m mut FlowMemory,
    pub(crate) hosts: &'m mut HostBits,
    /// Rules that show the packets of hosts.
    pub(crate) tags: &'m mut HostTags,
    /// The rule at hand.
    pub(crate) rule: RuleKey,
    /// What was wrong with the packet or the transaction.
    pub(crate) events: &'m [AnomalyKind],
}
