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
}

impl Prefixes {
    fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn add(&mut self, rule: u32, set: &Addresses) {
        for prefix in set.prefixes() {
            let [v4, v6] = &mut self.lengths;
            let lengths = if prefix.addr().is_ipv4() { v4 } else { v6 };
            if !lengths.contains(&prefix.prefix_len()) {
                lengths.push(prefix.prefix_len());
            }
            self.rules.entry(prefix).or_default().push(rule);
        }
    }

    fn find(&self, address: IpAddr, found: &mut impl FnMut(u32)) {
        let [v4, v6] = &self.lengths;
        for len in if address.is_ipv4() { v4 } else { v6 } {
            let prefix = IpNet::new(address, *len).map(|prefix| prefix.trunc());
            let rules = prefix.ok().and_then(|prefix| self.rules.get(&prefix));
            rules.into_iter().flatten().for_each(|rule| found(*rule));
        }
    }
}
