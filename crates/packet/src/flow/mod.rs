//! Flows: which packets belong together, who is the client, and who proved to be at its address.
//!
//! [`key`] names a flow whichever way a packet goes, [`table`] holds a bounded number of flows and
//! forgets the idle ones, [`tcp`] follows the handshake and says what is proven.

pub(crate) mod entry;
mod hash;
pub(crate) mod key;
mod slab;
pub(crate) mod table;
pub(crate) mod tcp;

use std::net::IpAddr;

pub use key::Scope;

use crate::applayer::AppProto;
use crate::decode::Vlans;

pub use tcp::TcpState;

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

    /// Whether it is looked into: the others have flows for detectors only. As with Suricata, there
    /// is no record of those, and rules ask them nothing of flows.
    #[must_use]
    pub fn is_read(self) -> bool {
        match self {
            Self::Tcp | Self::Udp | Self::Icmp | Self::Icmp6 => true,
            // IP in IP, ESP, SCTP
            Self::Other(number) => matches!(number, 4 | 41 | 50 | 132),
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

impl FiveTuple {
    /// Without what stands in the place of ports where a protocol has none.
    pub(crate) fn shown(self) -> Self {
        let has_ports = matches!(self.proto, Proto::Tcp | Proto::Udp | SCTP);
        let (src_port, dst_port) = match has_ports {
            true => (self.src_port, self.dst_port),
            false => (0, 0),
        };
        Self {
            src_port,
            dst_port,
            ..self
        }
    }
}

/// The security parameters index of ESP in the place of ports, the same whichever way a packet goes.
pub(crate) fn spi_as_ports(spi: u32, (src, dst): (IpAddr, IpAddr)) -> (u16, u16) {
    let [a, b, c, d] = spi.to_be_bytes();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if src <= dst { (high, low) } else { (low, high) }
}

/// The index that stands in the place of ports.
pub(crate) fn spi_of_ports(ports: [u16; 2], (src, dst): (IpAddr, IpAddr)) -> u32 {
    let [high, low] = ports;
    let (high, low) = if src <= dst { (high, low) } else { (low, high) };
    u32::from(high) << 16 | u32::from(low)
}

const SCTP: Proto = Proto::Other(132);
pub(crate) const ESP: Proto = Proto::Other(50);

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

    /// Its place in a pair of things kept for both.
    pub(crate) fn at(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// MAC addresses of both sides of a flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Macs {
    /// The client's, or its router's.
    pub src: MacSet,
    /// The server's, or its router's.
    pub dst: MacSet,
}

impl Macs {
    /// The first of each side.
    #[must_use]
    pub fn first(&self) -> Option<([u8; 6], [u8; 6])> {
        Some((*self.src.iter().next()?, *self.dst.iter().next()?))
    }

    pub(crate) fn add(&mut self, src: [u8; 6], dst: [u8; 6]) {
        self.src.add(src);
        self.dst.add(dst);
    }
}

/// Most MAC addresses kept of one side of a flow; further ones are left out.
pub(crate) const MACS_MAX: usize = 4;

/// A few MAC addresses, in the order seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MacSet([Option<[u8; 6]>; MACS_MAX]);

impl MacSet {
    /// The addresses, in the order seen.
    pub fn iter(&self) -> impl Iterator<Item = &[u8; 6]> {
        self.0.iter().flatten()
    }

    fn add(&mut self, mac: [u8; 6]) {
        for slot in &mut self.0 {
            match slot {
                Some(known) if *known == mac => return,
                Some(_) => {}
                None => {
                    *slot = Some(mac);
                    return;
                }
            }
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
    /// Lowest TTL or hop limit; 0 where no packet came.
    pub ttl_min: u8,
    /// Highest TTL or hop limit.
    pub ttl_max: u8,
    /// All TCP flags seen.
    pub tcp_flags: u8,
}

/// Where a flow is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum FlowState {
    #[default]
    /// One side was heard, or a handshake is under way.
    New,
    /// TCP: the handshake is complete, or both sides send in a flow that was taken up midstream.
    /// Others: both sides were heard.
    Established,
    /// TCP: both sides sent FIN, or a valid RST was seen.
    Closed,
    /// It needs no more looking: its packets are only counted.
    Bypassed,
}

/// What is done with all packets of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowAction {
    /// Rules do not look at them.
    Pass,
    /// They do not go on, where they go through here.
    Drop,
}

/// Where a flow stands: what decides its timeout, and what it proves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: FlowState,
    pub(crate) client_proven: bool,
    pub(crate) server_proven: bool,
    pub(crate) midstream: bool,
    /// What is done with its packets without looking at them.
    pub(crate) action: Option<FlowAction>,
    /// A policy of exceptions said so, no rule.
    pub(crate) by_exception: bool,
}

/// What the streams of one direction went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamFacts {
    /// Most pieces, with holes between them, that it was in at a time.
    pub regions_max: u32,
    /// Whether bytes were missing.
    pub gap: bool,
    /// Urgent bytes taken out of it.
    pub urgent_bytes: u32,
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

/// A flow, as it is shown: put together from what the table keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Its number.
    pub id: FlowId,
    /// The flow that announced it.
    pub parent: Option<FlowId>,
    /// Client and server.
    pub tuple: FiveTuple,
    /// VLAN tags.
    pub vlan: Vlans,
    /// What keeps it apart from others between the same ends.
    pub scope: Scope,
    /// MAC addresses of both sides, where the link has them.
    pub macs: Option<Macs>,
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
    /// TCP: met midstream, and such flows are not followed.
    pub is_ignored: bool,
    /// TCP: where the connection is; none where it is not followed.
    pub tcp_state: Option<TcpState>,
    /// TCP: how far the sequence numbers of the client and the server have come, from the first one
    /// seen; SYN and FIN count.
    pub sequence: [u32; 2],
    /// Traits of the client's SYN.
    pub syn: Option<SynTraits>,
    /// ICMP type and code of the first packet.
    pub icmp: Option<[u8; 2]>,
    /// ICMP type and code of the first packet that went the other way.
    pub icmp_answer: Option<[u8; 2]>,
    /// ESP: the security parameters index.
    pub spi: Option<u32>,
    /// The application protocol, once known.
    pub app: AppProto,
    /// What was found in each direction: [`AppProto::Failed`] when all was looked at in vain.
    pub app_found: [AppProto; 2],
    /// The protocol before it changed on the way (STARTTLS, CONNECT).
    pub app_before: AppProto,
    /// The protocol that had to follow it.
    pub app_expected: AppProto,
    /// Its protocol changes now: what is told is told for that, not for the packet at hand.
    pub app_changes: bool,
    /// What is done with its packets by a policy of exceptions, or by a rule that dropped it.
    pub action: Option<FlowAction>,
    /// The parser gave up.
    pub app_error: bool,
    /// What follows is encrypted.
    pub is_encrypted: bool,
    /// Transactions that began.
    pub transactions: u32,
    /// Files that began.
    pub files: u16,
    /// Its files are followed to their end, however long they are.
    pub keeps_files: bool,
    /// The streams from client and from server.
    pub streams: [StreamFacts; 2],
    /// It ended because the table was full.
    pub in_emergency: bool,
}

impl Flow {
    /// A flow of which nothing was seen yet.
    #[must_use]
    pub fn new(id: FlowId, tuple: FiveTuple, vlan: Vlans, start_ns: u64) -> Self {
        Self {
            id,
            parent: None,
            tuple,
            vlan,
            scope: Scope::new(&vlan, 0),
            macs: None,
            start_ns,
            last_ns: start_ns,
            to_server: Counts::default(),
            to_client: Counts::default(),
            state: FlowState::New,
            client_proven: false,
            server_proven: false,
            midstream: false,
            is_ignored: false,
            tcp_state: None,
            sequence: [0; 2],
            syn: None,
            icmp: None,
            icmp_answer: None,
            spi: None,
            app: AppProto::Unknown,
            app_found: [AppProto::Unknown; 2],
            app_before: AppProto::Unknown,
            app_expected: AppProto::Unknown,
            app_changes: false,
            action: None,
            app_error: false,
            is_encrypted: false,
            transactions: 0,
            files: 0,
            keeps_files: false,
            streams: [StreamFacts::default(); 2],
            in_emergency: false,
        }
    }

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
}
