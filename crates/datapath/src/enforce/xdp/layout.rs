//! What the loader and the program agree on: the twin of `ebpf/shield.bpf.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use packet::{FiveTuple, Proto};

use crate::enforce::book::Entry;
use crate::enforce::{Action, Key, Lease, Service};

/// Version of keys and values; part of the folder name of pinned maps.
pub(super) const LAYOUT: u32 = 1;

/// Names of all maps, as in the program.
pub(super) const MAPS: [&str; 7] = [
    "leases",
    "slots",
    "settings",
    "protected4",
    "protected6",
    "exempt",
    "counters",
];

/// Byte offsets of the words of a slot, and its size.
pub(super) mod slot {
    pub(in super::super) const HITS: usize = 0;
    pub(in super::super) const DROPS: usize = 8;
    pub(in super::super) const FIRST_HIT: usize = 16;
    pub(in super::super) const FIRST_DROP: usize = 24;
    pub(in super::super) const DUE: usize = 32;
    pub(in super::super) const BYTES: usize = 64;
}

/// Byte offsets of the words of the settings, and their size.
pub(super) mod settings {
    pub(in super::super) const OBJECT: usize = 0;
    pub(in super::super) const EXEMPT_UNTIL: usize = 8;
    pub(in super::super) const PROTECTED4: usize = 16;
    pub(in super::super) const PROTECTED6: usize = 24;
    pub(in super::super) const LENGTHS: usize = 32;
    pub(in super::super) const BYTES: usize = 128;
}

const ACTION_MONITOR: u8 = 1;
const ACTION_RATE_LIMIT: u8 = 2;
const ACTION_DROP: u8 = 3;

/// struct lease_key.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeaseKey {
    address: [u64; 2],
    port: u16,
    protocol: u8,
    length: u8,
    family: u8,
    pad: [u8; 3],
}

/// struct lease.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseValue {
    expires_ns: u64,
    interval_ns: u64,
    tolerance_ns: u64,
    slot: u32,
    reason: u32,
    packets_per_s: u32,
    burst: u32,
    action: u8,
    pad: [u8; 7],
}

/// struct session_key.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionKey {
    source: [u64; 2],
    target: [u64; 2],
    source_port: u16,
    target_port: u16,
    protocol: u8,
    family: u8,
    pad: [u8; 2],
}

// SAFETY: numbers only, no padding beside the named, any bits are valid.
#[expect(unsafe_code, reason = "aya's mark of plain data")]
unsafe impl aya::Pod for LeaseKey {}
// SAFETY: numbers only, no padding beside the named, any bits are valid.
#[expect(unsafe_code, reason = "aya's mark of plain data")]
unsafe impl aya::Pod for LeaseValue {}
// SAFETY: numbers only, no padding beside the named, any bits are valid.
#[expect(unsafe_code, reason = "aya's mark of plain data")]
unsafe impl aya::Pod for SessionKey {}

impl LeaseKey {
    pub(super) fn of(key: &Key) -> Self {
        let service = key.service.unwrap_or(Service { proto: 0, port: 0 });
        Self {
            address: halves(key.source.network()),
            port: service.port,
            protocol: service.proto,
            length: key.source.prefix_len(),
            family: family(key.source.network()),
            pad: [0; 3],
        }
    }

    /// The key in our words; none if no loader of this layout wrote it.
    pub(super) fn key(&self) -> Option<Key> {
        let source = IpNet::new(address(self.family, self.address)?, self.length).ok()?;
        let service = Service {
            proto: self.protocol,
            port: self.port,
        };
        let key = Key {
            source,
            service: (self.protocol != 0).then_some(service),
        };
        (Self::of(&key.canonical()) == *self).then_some(key)
    }
}

impl LeaseValue {
    pub(super) fn of(lease: &Lease, slot: u32) -> Self {
        let (action, packets_per_s, burst) = match lease.action {
            Action::Monitor => (ACTION_MONITOR, 0, 0),
            Action::RateLimit {
                packets_per_s,
                burst,
            } => (ACTION_RATE_LIMIT, packets_per_s, burst),
            Action::Drop => (ACTION_DROP, 0, 0),
        };
        let interval_ns = 1_000_000_000_u64
            .checked_div(u64::from(packets_per_s))
            .unwrap_or(0);
        Self {
            expires_ns: lease.expires_ns,
            interval_ns,
            tolerance_ns: interval_ns.saturating_mul(u64::from(burst.saturating_sub(1))),
            slot,
            reason: lease.reason,
            packets_per_s,
            burst,
            action,
            pad: [0; 7],
        }
    }

    /// The lease in our words; none if no loader of this layout wrote it.
    pub(super) fn entry(&self, key: Key) -> Option<Entry> {
        let action = match self.action {
            ACTION_MONITOR => Action::Monitor,
            ACTION_RATE_LIMIT => Action::RateLimit {
                packets_per_s: self.packets_per_s,
                burst: self.burst,
            },
            ACTION_DROP => Action::Drop,
            _ => return None,
        };
        let lease = Lease {
            key,
            action,
            expires_ns: self.expires_ns,
            reason: self.reason,
        };
        Some(Entry {
            lease,
            slot: self.slot,
        })
    }
}

impl SessionKey {
    /// The keys of both directions of a session; none if its addresses are of different families.
    pub(super) fn both(session: &FiveTuple) -> Option<[Self; 2]> {
        if session.src.is_ipv4() != session.dst.is_ipv4() {
            return None;
        }
        let to_server = Self {
            source: halves(session.src),
            target: halves(session.dst),
            source_port: session.src_port,
            target_port: session.dst_port,
            protocol: protocol(session.proto),
            family: family(session.src),
            pad: [0; 2],
        };
        let to_client = Self {
            source: to_server.target,
            target: to_server.source,
            source_port: to_server.target_port,
            target_port: to_server.source_port,
            ..to_server
        };
        Some([to_server, to_client])
    }
}

/// Words of the bitmaps of prefix lengths for one family and kind: the lowest bit is the longest prefix.
pub(super) fn length_bit(length: u8) -> Option<(usize, u64)> {
    let (word, longest) = if length > 64 { (0, 128_u8) } else { (1, 64) };
    let bit = u32::from(longest.checked_sub(length)?);
    Some((word, 1_u64.checked_shl(bit)?))
}

fn protocol(proto: Proto) -> u8 {
    match proto {
        Proto::Icmp => 1,
        Proto::Tcp => 6,
        Proto::Udp => 17,
        Proto::Icmp6 => 58,
        Proto::Other(number) => number,
    }
}

fn family(address: IpAddr) -> u8 {
    u8::from(address.is_ipv6())
}

/// An address as two numbers, an IPv4 address in the upper half of the first.
fn halves(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(v4) => [u64::from(u32::from(v4)).wrapping_shl(32), 0],
        IpAddr::V6(v6) => split(u128::from(v6)),
    }
}

fn split(number: u128) -> [u64; 2] {
    let [
        h0,
        h1,
        h2,
        h3,
        h4,
        h5,
        h6,
        h7,
        l0,
        l1,
        l2,
        l3,
        l4,
        l5,
        l6,
        l7,
    ] = number.to_be_bytes();
    [
        u64::from_be_bytes([h0, h1, h2, h3, h4, h5, h6, h7]),
        u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]),
    ]
}

fn address(family: u8, [high, low]: [u64; 2]) -> Option<IpAddr> {
    match family {
        0 => {
            let number = u32::try_from(high.wrapping_shr(32)).ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(number)))
        }
        1 => {
            let number = u128::from(high).wrapping_shl(64) | u128::from(low);
            Some(IpAddr::V6(Ipv6Addr::from(number)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(source: &str, service: Option<Service>) -> Key {
        Key {
            source: source.parse().unwrap(),
            service,
        }
    }

    #[test]
    fn keys_survive_the_way_to_the_kernel_and_back() {
        let service = Some(Service {
            proto: 6,
            port: 443,
        });
        for key in [
            key("192.0.2.1/32", None),
            key("192.0.2.0/24", service),
            key("2001:db8::/48", None),
            key("2001:db8::1/128", service),
        ] {
            assert_eq!(LeaseKey::of(&key).key(), Some(key));
        }
    }

    #[test]
    fn a_key_that_nobody_wrote_is_not_taken_for_one() {
        let good = LeaseKey::of(&key("192.0.2.0/24", None));
        assert_eq!(
            LeaseKey {
                address: [u64::MAX, 0],
                ..good
            }
            .key(),
            None
        );
        assert_eq!(LeaseKey { length: 33, ..good }.key(), None);
        assert_eq!(LeaseKey { family: 2, ..good }.key(), None);
        assert_eq!(LeaseKey { port: 80, ..good }.key(), None);
    }

    #[test]
    fn a_rate_costs_time_per_packet() {
        let action = Action::RateLimit {
            packets_per_s: 100,
            burst: 5,
        };
        let lease = Lease {
            key: key("192.0.2.1/32", None),
            action,
            expires_ns: 9,
            reason: 3,
        };
        let value = LeaseValue::of(&lease, 7);
        assert_eq!(
            (value.interval_ns, value.tolerance_ns),
            (10_000_000, 40_000_000)
        );
        assert_eq!(value.entry(lease.key), Some(Entry { lease, slot: 7 }));
        assert_eq!(LeaseValue { action: 9, ..value }.entry(lease.key), None);
    }

    #[test]
    fn the_longest_prefix_has_the_lowest_bit() {
        assert_eq!(length_bit(128), Some((0, 1)));
        assert_eq!(length_bit(65), Some((0, 1 << 63)));
        assert_eq!(length_bit(64), Some((1, 1)));
        assert_eq!(length_bit(32), Some((1, 1 << 32)));
        assert_eq!(length_bit(1), Some((1, 1 << 63)));
        assert_eq!(length_bit(0), None);
        assert_eq!(length_bit(129), None);
    }

    #[test]
    fn sizes_are_those_of_the_header() {
        assert_eq!(size_of::<LeaseKey>(), 24);
        assert_eq!(size_of::<LeaseValue>(), 48);
        assert_eq!(size_of::<SessionKey>(), 40);
        let header = include_str!("../../../../../ebpf/shield.bpf.h");
        assert!(header.contains(&format!("#define LAYOUT {LAYOUT}\n")));
        assert!(header.contains(&format!(
            "#define LENGTHS_MAX {}\n",
            crate::enforce::LENGTHS_MAX
        )));
    }
}
