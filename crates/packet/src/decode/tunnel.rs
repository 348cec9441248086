//! Packets within packets.

use super::layer::Layer;
use super::walk::{Step, Walk};

/// A packet within a packet: see [`decode_inner`](super::decode_inner).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inner<'a> {
    pub(super) start: Start,
    /// What carries it.
    pub source: Source,
    /// Its bytes.
    pub data: &'a [u8],
    /// The layer to count when it can be used.
    pub(super) counts: Option<Layer>,
}

/// What the first byte of an inner packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Ethernet,
    Arp,
    ErspanI,
    ErspanII,
    Ipv4,
    Ipv6,
    Ppp,
    Vlan,
}

/// Where a packet came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Source {
    /// The wire.
    #[default]
    Wire,
    /// GRE, ERSPAN among it.
    Gre,
    /// IPv4 in IP.
    Ipv4,
    /// IPv6 in IP.
    Ipv6,
    /// Teredo.
    Teredo,
    /// Put together from fragments.
    Defrag,
    /// No packet: a flow's time was over.
    FlowTimeout,
    /// No packet: a flow's protocol changed.
    ProtocolChange,
    /// Geneve.
    Geneve,
    /// VXLAN.
    Vxlan,
}

impl Source {
    /// Its name, as logged.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire/pcap",
            Self::Gre => "gre tunnel",
            Self::Ipv4 => "ipv4 tunnel",
            Self::Ipv6 => "ipv6 tunnel",
            Self::Teredo => "teredo tunnel",
            Self::Defrag => "defrag",
            Self::FlowTimeout => "stream (flow timeout)",
            Self::ProtocolChange => "stream (detect/log)",
            Self::Geneve => "geneve encapsulation",
            Self::Vxlan => "vxlan encapsulation",
        }
    }
}

impl<'a> Walk<'a, '_> {
    pub(super) fn start(&mut self, start: Start, data: &'a [u8]) -> Step {
        match start {
            Start::Ethernet => self.ethernet(data),
            Start::Arp => self.arp(data),
            Start::ErspanI => self.erspan_type1(data),
            Start::ErspanII => self.erspan(data),
            Start::Ipv4 => self.ipv4(data),
            Start::Ipv6 => self.ipv6(data),
            Start::Ppp => self.ppp(data),
            Start::Vlan => self.vlan(data),
        }
    }
}
