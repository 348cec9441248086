//! Sets of networks that decisions look at: protected, reserved and private ones.

use std::net::IpAddr;

use ipnet::IpNet;

/// The networks that nobody's word blocks, with how each came to be protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    networks: Vec<IpNet>,
}

impl Protected {
    /// From any list; duplicates and parts of others are merged away.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let networks: Vec<IpNet> = networks
            .into_iter()
            .map(|net| canonical(net.trunc()))
            .collect();
        Self {
            networks: IpNet::aggregate(&networks),
        }
    }

    /// The networks, merged.
    #[must_use]
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// The protected network that `net` touches, if any: inside it, around it or equal.
    #[must_use]
    pub fn touched_by(&self, net: &IpNet) -> Option<IpNet> {
        let net = canonical(*net);
        self.networks
            .iter()
            .copied()
            .find(|protected| overlaps(protected, &net))
    }
}

/// Whether two networks share an address.
#[must_use]
pub fn overlaps(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// An IPv4 network written in IPv6's mapped form (RFC 4291 section 2.5.5.2) as IPv4.
#[must_use]
pub fn canonical(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped(),
        IpNet::V4(_) => None,
    };
    mapped
        .zip(net.prefix_len().checked_sub(MAPPED_BITS))
        .and_then(|(v4, bits)| IpNet::new(IpAddr::V4(v4), bits).ok())
        .unwrap_or(net)
}

/// The reserved network that `net` touches, if any (IANA special-purpose registries, RFC 6890).
pub(super) fn reserved(net: &IpNet) -> Option<IpNet> {
    touched(RESERVED, net)
}

/// The private network that `net` touches, if any (RFC 1918, RFC 6598, RFC 4193).
pub(super) fn private(net: &IpNet) -> Option<IpNet> {
    touched(PRIVATE, net)
}

fn touched(list: &[(IpAddr, u8)], net: &IpNet) -> Option<IpNet> {
    let listed = list
        .iter()
        .filter_map(|(addr, bits)| IpNet::new(*addr, *bits).ok());
    listed.into_iter().find(|listed| overlaps(listed, net))
}

const MAPPED_BITS: u8 = 96;

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d))
}

const fn v6(a: u16, b: u16, f: u16, g: u16, h: u16) -> IpAddr {
    IpAddr::V6(std::net::Ipv6Addr::new(a, b, 0, 0, 0, f, g, h))
}

/// No host on a network has these as its own source address. The documentation networks
/// (RFC 5737, RFC 3849) are left out: laboratories use them.
const RESERVED: &[(IpAddr, u8)] = &[
    (v4(0, 0, 0, 0), 8),
    (v4(127, 0, 0, 0), 8),
    (v4(169, 254, 0, 0), 16),
    (v4(224, 0, 0, 0), 3),
    (v6(0, 0, 0, 0, 0), 128),
    (v6(0, 0, 0, 0, 1), 128),
    (v6(0, 0, 0xffff, 0, 0), MAPPED_BITS),
    (v6(0x64, 0xff9b, 0, 0, 0), 96),
    (v6(0xfe80, 0, 0, 0, 0), 10),
    (v6(0xff00, 0, 0, 0, 0), 8),
];

const PRIVATE: &[(IpAddr, u8)] = &[
    (v4(10, 0, 0, 0), 8),
    (v4(100, 64, 0, 0), 10),
    (v4(172, 16, 0, 0), 12),
    (v4(192, 168, 0, 0), 16),
    (v6(0xfc00, 0, 0, 0, 0), 7),
];
