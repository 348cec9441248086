//! Messages that belong together.

use super::packet::Packet;
use crate::flow::Direction;

/// Most messages of one exchange, unless the settings say otherwise.
pub const MESSAGES_MAX: usize = 1024;

/// Messages that belong together: a request with its answer, a publication with all that
/// acknowledges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub(super) id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// Version of the protocol: 3, 4 or 5.
    pub version: u8,
    /// The messages, in the order in which they came.
    pub packets: Vec<Packet>,
}

impl Exchange {
    /// Bytes that it keeps, about.
    pub(super) fn size(&self) -> usize {
        let sizes = self.packets.iter().map(Packet::size);
        sizes.fold(0, usize::saturating_add)
    }
}
