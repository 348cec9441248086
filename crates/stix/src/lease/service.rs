//! Services: what is under attack, and what a lease may be narrowed to.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The service that was attacked: what a lease may be narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Service {
    /// The attacked address; absent where the lease is meant for everyone's service on this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The transport protocol.
    pub protocol: Proto,
    /// The port; only with a protocol that has ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A transport protocol, by the name that STIX and IANA give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proto {
    /// IANA protocol number 6.
    Tcp,
    /// IANA protocol number 17.
    Udp,
    /// IANA protocol number 1.
    Icmp,
    /// ICMP for IPv6, IANA protocol number 58.
    #[serde(rename = "ipv6-icmp", alias = "icmp6", alias = "icmpv6")]
    Icmp6,
}

impl Proto {
    /// The IANA protocol number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp6 => 58,
        }
    }

    /// The protocol with this IANA number, if it is one that a lease can name.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Icmp),
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            58 => Some(Self::Icmp6),
            _ => None,
        }
    }

    /// The name in IANA's registry, in lower case, as STIX 2.1 section 6.12 asks.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Icmp6 => "ipv6-icmp",
        }
    }

    /// The protocol of this name, in any case; `icmp6` and `icmpv6` are understood.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            "icmp" => Some(Self::Icmp),
            "ipv6-icmp" | "icmp6" | "icmpv6" => Some(Self::Icmp6),
            _ => None,
        }
    }

    /// Whether the protocol has ports.
    #[must_use]
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp)
    }
}
