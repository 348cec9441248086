//! Flows: which packets belong together, who is the client, and who proved to be at its address.
//!
//! [`key`] names a flow whichever way a packet goes, [`table`] holds a bounded number of flows and
//! forgets the idle ones, [`tcp`] follows the handshake and says what is proven.

mod hash;
pub(crate) mod key;
mod slab;
pub(crate) mod table;
pub(crate) mod tcp;

use std::net::IpAddr;

use crate::applayer::AppProto;
use crate::decode::Vlans;

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proto {
    /// TCP (6).
    Tcp,
    /// UDP (17).
    Udp,
    /// ICMP for IPv4 (1).
    Icmp,
    /// ICMP for IPv6 (58).
    Icmp6,
    /// Any other, by its IANA number.
    Other(u8),
}

impl Proto {
    /// From the IANA protocol number.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Icmp,
            6 => Self::Tcp,
            17 => Self::Udp,
            58 => Self::Icmp6,
            other => Self::Other(other),
        }
    }

    /// The IANA protocol number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp6 => 58,
            Self::Other(number) => number,
        }
    }
}

/// Addresses, ports and protocol, oriented from client to server. Protocols without ports have 0
/// and 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FiveTuple {
    /// The client's address.
    pub src: IpAddr,
    /// The client's port.
    pub src_port: u16,
    /// The server's address.
    pub dst: IpAddr,
    /// The server's port.
    pub dst_port: u16,
    /// Transport protocol.
    pub proto: Proto,
}

impl FiveTuple {
    /// The same from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            src: self.dst,
            src_port: self.dst_port,
            dst: self.src,
            dst_port: self.src_port,
            proto: self.proto,
        }
    }
}

/// Number of a flow; never used again by the same sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(
    /// Counts up from 1.
    pub u64,
);

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From client to server.
    ToServer,
    /// From server to client.
    ToClient,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// What went one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets.
    pub packets: u64,
    /// Frame bytes on the wire.
    pub bytes: u64,
    /// Transport payload, bytes; of TCP segments that are valid, retransmissions included.
    pub payload_bytes: u64,
}

/// Where a flow is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowState {
    /// One side was heard, or a handshake is under way.
    New,
    /// TCP: the handshake is complete, or both sides send in a flow that was taken up midstream.
    /// Others: both sides were heard.
    Established,
    /// TCP: both sides sent FIN, or a valid RST was seen.
    Closed,
}

/// What the client's first SYN tells of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynTraits {
    /// TTL or hop limit as received.
    pub ttl: u8,
    /// Window, not scaled.
    pub window: u16,
    /// Maximum segment size, bytes.
    pub mss: Option<u16>,
    /// Window scale, bits.
    pub wscale: Option<u8>,
    /// TSval of RFC 7323.
    pub timestamp: Option<u32>,
    /// Hash of the kinds of the options in their order.
    pub options_hash: u32,
}

/// A flow: the hot part, read and written with each packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Its number.
    pub id: FlowId,
    /// Client and server.
    pub tuple: FiveTuple,
    /// VLAN tags.
    pub vlan: Vlans,
    /// Time of the first packet, nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// Time of the latest packet, nanoseconds since the Unix epoch.
    pub last_ns: u64,
    /// From client to server.
    pub to_server: Counts,
    /// From server to client.
    pub to_client: Counts,
    /// Where it is in its life.
    pub state: FlowState,
    /// TCP: the client acknowledged a sequence number that only one who receives the server's
    /// packets can know.
    pub client_proven: bool,
    /// TCP: the server acknowledged the client's sequence number likewise.
    pub server_proven: bool,
    /// TCP: its first packet seen was no SYN.
    pub midstream: bool,
    /// Traits of the client's SYN.
    pub syn: Option<SynTraits>,
    /// The application protocol, once known.
    pub app: AppProto,
    /// Transactions that began.
    pub transactions: u32,
    /// Files that began.
    pub files: u16,
}

impl Flow {
    /// Which way a packet from `src` goes.
    #[must_use]
    pub fn direction(&self, src: IpAddr, src_port: u16) -> Direction {
        if self.tuple.src == src && self.tuple.src_port == src_port {
            Direction::ToServer
        } else {
            Direction::ToClient
        }
    }

    /// What went the given way.
    #[must_use]
    pub fn counts(&self, direction: Direction) -> &Counts {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    pub(crate) fn counts_mut(&mut self, direction: Direction) -> &mut Counts {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}
