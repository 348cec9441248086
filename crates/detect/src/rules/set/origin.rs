//! Rules that ask of nothing but the ends, by the addresses that they name: lists of addresses make
//! thousands of them, of which an address is in a few.

use std::net::IpAddr;

use hashbrown::HashMap;
use ipnet::IpNet;

use super::super::header::{Addresses, Header, Layer};

/// Rules by the addresses of their more telling end.
#[derive(Debug, Default, Clone)]
pub(crate) struct ByAddress {
    src: Prefixes,
    dst: Prefixes,
    /// Those that name too many addresses to be found by them.
    rest: Vec<u32>,
}

/// So much of all addresses, or more, is too much to be found by: a rule is asked of all then.
const SHARE_MAX: f64 = 1.0 / 256.0;
/// Most prefixes of a rule by which it is found.
const PREFIXES_MAX: usize = 1 << 16;

impl ByAddress {
    /// Adds a rule.
    pub(super) fn add(&mut self, rule: u32, header: &Header) {
        let (src, dst) = (header.src.share(), header.dst.share());
        // there is no address where there is no IP
        let is_everywhere = src.min(dst) >= SHARE_MAX || header.protocol.layer == Layer::Arp;
        let set = if src <= dst { &header.src } else { &header.dst };
        if is_everywhere || header.of_both_sides || set.prefixes().count() > PREFIXES_MAX {
            self.rest.push(rule);
            return;
        }
        if src <= dst || header.both_ways {
            self.src.add(rule, set);
        }
        if src > dst || header.both_ways {
            self.dst.add(rule, set);
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.src.is_empty() && self.dst.is_empty()
    }

    /// Calls `found` with each rule that may fit; with some of them twice.
    pub(crate) fn find(&self, ends: Option<(IpAddr, IpAddr)>, mut found: impl FnMut(u32)) {
        self.rest.iter().for_each(|rule| found(*rule));
        if let Some((src, dst)) = ends {
            self.src.find(src, &mut found);
            self.dst.find(dst, &mut found);
        }
    }
}

/// Rules by prefix.
#[derive(Debug, Default, Clone)]
struct Prefixes {
    rules: HashMap<IpNet, Vec<u32>>,
    /// Lengths of prefixes of IPv4 and of IPv6.
    lengths: [Vec<u8>; 2],
    /// For each sixteen first bits of an address, of either version, whether a prefix may begin so.
    firsts: [Vec<u64>; 2],
}

impl Prefixes {
    fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn add(&mut self, rule: u32, set: &Addresses) {
        for prefix in set.prefixes() {
            self.enter(rule, prefix);
        }
    }

    fn enter(&mut self, rule: u32, prefix: IpNet) {
        let version = version(prefix.addr());
        let lengths = self.lengths.get_mut(version);
        if let Some(lengths) = lengths.filter(|known| !known.contains(&prefix.prefix_len())) {
            lengths.push(prefix.prefix_len());
        }
        if let Some(firsts) = self.firsts.get_mut(version) {
            firsts.resize(FIRSTS_WORDS, 0);
            let free = u16::MAX.unbounded_shr(prefix.prefix_len().into());
            let least = first(prefix.network());
            for first in least..=least | free {
                let (word, bit) = place(first);
                if let Some(word) = firsts.get_mut(word) {
                    *word |= bit;
                }
            }
        }
        self.rules.entry(prefix).or_default().push(rule);
    }

    fn find(&self, address: IpAddr, found: &mut impl FnMut(u32)) {
        let version = version(address);
        let (word, bit) = place(first(address));
        let firsts = self.firsts.get(version).and_then(|firsts| firsts.get(word));
        if firsts.is_none_or(|firsts| firsts & bit == 0) {
            return;
        }
        for len in self.lengths.get(version).into_iter().flatten() {
            let prefix = IpNet::new(address, *len).map(|prefix| prefix.trunc());
            let rules = prefix.ok().and_then(|prefix| self.rules.get(&prefix));
            rules.into_iter().flatten().for_each(|rule| found(*rule));
        }
    }
}

/// Words of 64 bits for all that sixteen bits can be.
const FIRSTS_WORDS: usize = 1 << 10;

/// The place of an address's version in a pair.
fn version(address: IpAddr) -> usize {
    usize::from(address.is_ipv6())
}

/// The sixteen first bits of an address.
fn first(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(address) => u16::from_be_bytes([address.octets()[0], address.octets()[1]]),
        IpAddr::V6(address) => address.segments()[0],
    }
}

/// The word of a number, and its bit there.
fn place(number: u16) -> (usize, u64) {
    let bit = u32::from(number & 63);
    (usize::from(number >> 6), 1_u64.wrapping_shl(bit))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Addresses of few networks, so that prefixes hold them.
    fn address() -> impl Strategy<Value = IpAddr> {
        let bytes = (0..4_u8, 0..3_u8, any::<u8>(), any::<u8>());
        (bytes, any::<bool>()).prop_map(|((a, b, c, d), is_v4)| match is_v4 {
            true => IpAddr::from([a, b, c, d]),
            false => IpAddr::from([
                u16::from(a),
                u16::from(b),
                0,
                0,
                0,
                0,
                u16::from(c),
                u16::from(d),
            ]),
        })
    }

    proptest! {
        #[test]
        fn rules_are_found_by_each_prefix_that_holds_an_address(
            prefixes in vec((address(), 0..=128_u8), 0..40),
            asked in vec(address(), 1..40),
        ) {
            let prefix = |(address, len): (IpAddr, u8)| {
                let most = if address.is_ipv4() { 32 } else { 128 };
                IpNet::new(address, len.min(most)).unwrap().trunc()
            };
            let prefixes = prefixes.into_iter().map(prefix).collect::<Vec<_>>();
            let mut all = Prefixes::default();
            for (rule, prefix) in (0..).zip(&prefixes) {
                all.enter(rule, *prefix);
            }
            for address in asked {
                let mut found = Vec::new();
                all.find(address, &mut |rule| found.push(rule));
                found.sort_unstable();
                let holding = (0..).zip(&prefixes).filter(|(_, prefix)| prefix.contains(&address));
                prop_assert_eq!(found, holding.map(|(rule, _)| rule).collect::<Vec<u32>>());
            }
        }
    }
}
