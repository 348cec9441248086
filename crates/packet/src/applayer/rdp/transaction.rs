//! One message of the negotiation.

use super::connect::Connect;
use crate::flow::Direction;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Time of its first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// Which way its record is told.
    pub(super) direction: Direction,
    /// What it says.
    pub item: Item,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The client asks for a connection ([MS-RDPBCGR] section 2.2.1.1).
    InitialRequest {
        /// The user that it names.
        cookie: Option<Vec<u8>>,
        /// Flags of its negotiation request; 0 without one.
        flags: u8,
    },
    /// The server agrees (section 2.2.1.2).
    InitialResponse {
        /// Flags, and the protocol chosen.
        chosen: Option<(u8, u32)>,
    },
    /// The server refuses, for a reason by number.
    InitialFailure(u32),
    /// The client tells of itself.
    ConnectRequest(Box<Connect>),
    /// The server answers that.
    ConnectResponse,
    /// The connection goes on in TLS, with certificates of these serial numbers.
    TlsHandshake(Vec<String>),
}
