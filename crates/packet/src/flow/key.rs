//! The name of a flow: the same for both directions.

use std::net::IpAddr;

use super::FiveTuple;
use super::hash::sip13;
use crate::decode::Vlans;

/// Marks the word with ports and protocol of a key with IPv4 addresses.
const IS_V4: u64 = 1 << 8;

/// Words of a key.
const WORDS: usize = 6;

/// Addresses, ports, protocol and VLAN tags with the lower end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u64; WORDS]);

impl Key {
    #[inline]
    pub(crate) fn new(tuple: &FiveTuple, scope: Scope) -> Self {
        if let (IpAddr::V4(src), IpAddr::V4(dst)) = (tuple.src, tuple.dst) {
            let ports = [tuple.src_port, tuple.dst_port];
            return Self::v4(
                [src.to_bits(), dst.to_bits()],
                ports,
                tuple.proto.number(),
                scope,
            );
        }
        let (one, other) = ((tuple.src, tuple.src_port), (tuple.dst, tuple.dst_port));
        let (low, high) = if one <= other {
            (one, other)
        } else {
            (other, one)
        };
        let [a, b] = address_words(low.0);
        let [c, d] = address_words(high.0);
        let ports = u64::from(low.1) << 48 | u64::from(high.1) << 32;
        let proto = u64::from(tuple.proto.number());
        Self([a, b, c, d, ports | proto, scope.0])
    }

    /// The key of IPv4 packets: 192.0.2.1 and ::ffff:192.0.2.1 are two hosts here.
    #[inline]
    pub(super) fn v4(ends: [u32; 2], ports: [u16; 2], proto: u8, scope: Scope) -> Self {
        let ([src, dst], [src_port, dst_port]) = (ends, ports);
        let one = u64::from(src) << 16 | u64::from(src_port);
        let other = u64::from(dst) << 16 | u64::from(dst_port);
        let (low, high) = (one.min(other), one.max(other));
        let ports = (low & 0xffff) << 48 | (high & 0xffff) << 32;
        let tail = ports | IS_V4 | u64::from(proto);
        Self([0, low >> 16, 0, high >> 16, tail, scope.0])
    }

    #[inline]
    pub(crate) fn hash(&self, seed: [u64; 2]) -> u64 {
        match self.0 {
            // most flows are in no VLAN and no tunnel; how many words there are is hashed, too
            [0, a, 0, b, ports, 0] if ports & IS_V4 != 0 => sip13(seed, &[a << 32 | b, ports]),
            // IPv4: both addresses fit one word, and the word with the ports says that it is one
            [0, a, 0, b, ports, tags] if ports & IS_V4 != 0 => {
                sip13(seed, &[a << 32 | b, ports, tags])
            }
            words => sip13(seed, &words),
        }
    }
}

/// What keeps flows of the same ends apart: the VLAN tags, and how many packets stand around theirs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scope(u64);

impl Scope {
    /// Three tags of 12 bits stand below, how many there are and the depth above.
    #[inline]
    pub(crate) fn new(vlans: &Vlans, depth: u8) -> Self {
        let ids = vlans.ids();
        let tags = ids
            .iter()
            .fold(0, |tags, id| tags << 12 | u64::from(*id & 0xfff));
        let count = u64::try_from(ids.len()).unwrap_or(0);
        Self(tags | count << 48 | u64::from(depth) << 56)
    }

    /// The same with other VLAN tags.
    pub(super) fn with(self, vlans: &Vlans) -> Self {
        let [depth, ..] = self.0.to_be_bytes();
        Self::new(vlans, depth)
    }

    /// The VLAN tags.
    pub(super) fn vlans(self) -> Vlans {
        let [_, count, ..] = self.0.to_be_bytes();
        let id = |at: u8| {
            let shift = u32::from(count.saturating_sub(at)).saturating_sub(1);
            let tags = self.0.checked_shr(shift.saturating_mul(12)).unwrap_or(0);
            u16::try_from(tags & 0xfff).unwrap_or(0)
        };
        Vlans::of((0..count).map(id))
    }
}

fn address_words(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(v4) => [0, u64::from(v4.to_bits())],
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            [join([a, b, c, d]), join([e, f, g, h])]
        }
    }
}

fn join(parts: [u16; 4]) -> u64 {
    parts
        .iter()
        .fold(0, |word, part| word << 16 | u64::from(*part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Proto;

    #[test]
    fn both_directions_have_one_key_and_others_have_another() {
        let tuple = FiveTuple {
            src: "192.0.2.1".parse().unwrap(),
            src_port: 40000,
            dst: "198.51.100.2".parse().unwrap(),
            dst_port: 443,
            proto: Proto::Tcp,
        };
        let scope = Scope::default();
        let key = Key::new(&tuple, scope);
        assert_eq!(key, Key::new(&tuple.reversed(), scope));
        assert_ne!(key, Key::new(&tuple, Scope::new(&Vlans::default(), 1)));
        assert_ne!(
            key,
            Key::new(
                &FiveTuple {
                    proto: Proto::Udp,
                    ..tuple
                },
                scope
            )
        );
        let swapped_ports = FiveTuple {
            src_port: 443,
            dst_port: 40000,
            ..tuple
        };
        assert_ne!(key, Key::new(&swapped_ports, scope));
    }
}
