//! Tags: packets of a flow or a host that are shown because a rule matched before them.
//!
//! The packet that matched counts, but is not shown by the tag: its alert shows it.

use std::net::IpAddr;

use super::{RuleKey, SECOND_NS};
use crate::lru::Lru;

/// Packets that a tag shows where its rule says nothing.
pub const PACKETS: u32 = 256;
/// Most tags of a flow or a host; further ones are left out.
pub const TAGS_MAX: usize = 50;
/// Most times that a rule may begin its tag again.
pub const AGAIN_MAX: u8 = 10;

/// How long a tag holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many packets, the one that matched among them.
    Packets(u32),
    /// So many bytes of packets, the one that matched among them.
    Bytes(u32),
    /// So many seconds.
    Seconds(u32),
}

#[derive(Debug, Clone, Copy)]
struct Tag {
    rule: RuleKey,
    limit: Limit,
    since_ns: u64,
    packets: u32,
    bytes: u64,
    again: u8,
    /// Its own packet is at hand.
    is_new: bool,
}

/// The tags of a flow, or of a host.
#[derive(Debug, Default)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A rule tags packets from here on, or again.
    pub fn add(&mut self, rule: RuleKey, limit: Limit, now_ns: u64) {
        if let Some(known) = self.0.iter_mut().find(|tag| tag.rule == rule) {
            if known.again < AGAIN_MAX {
                known.again = known.again.saturating_add(1);
                (known.since_ns, known.packets, known.bytes) = (now_ns, 0, 0);
            }
        } else if self.0.len() < TAGS_MAX {
            self.0.push(Tag {
                rule,
                limit,
                since_ns: now_ns,
                packets: 0,
                bytes: 0,
                again: 0,
                is_new: true,
            });
        }
    }

    /// Counts a packet of so many bytes; whether a tag shows it.
    pub fn packet(&mut self, len: usize, now_ns: u64) -> bool {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        let mut shows = false;
        self.0.retain_mut(|tag| {
            tag.packets = tag.packets.saturating_add(1);
            tag.bytes = tag.bytes.saturating_add(len);
            let age_s = now_ns.saturating_sub(tag.since_ns) / SECOND_NS;
            let holds = match tag.limit {
                Limit::Packets(packets) => tag.packets <= packets,
                Limit::Bytes(bytes) => tag.bytes <= u64::from(bytes),
                Limit::Seconds(seconds) => age_s <= u64::from(seconds),
            };
            shows |= holds && !tag.is_new;
            tag.is_new = false;
            holds
        });
        shows
    }
}

/// The tags of hosts. A full table forgets the host that sent or got a packet least recently.
#[derive(Debug)]
pub struct HostTags(Lru<IpAddr, Tags>);

impl HostTags {
    /// Room for so many hosts.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Lru::new(max))
    }

    /// Hosts forgotten to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.0.evicted()
    }

    /// A rule tags the packets of a host from here on, or again.
    pub fn add(&mut self, host: IpAddr, rule: RuleKey, limit: Limit, now_ns: u64) {
        self.0.entry(host).add(rule, limit, now_ns);
    }

    /// Counts a packet of so many bytes between two hosts; whether a tag shows it.
    pub fn packet(&mut self, [src, dst]: [IpAddr; 2], len: usize, now_ns: u64) -> bool {
        if self.0.len() == 0 {
            return false;
        }
        let of_dst = src != dst && self.of(dst, len, now_ns);
        self.of(src, len, now_ns) || of_dst
    }

    fn of(&mut self, host: IpAddr, len: usize, now_ns: u64) -> bool {
        let Some(tags) = self.0.get(&host) else {
            return false;
        };
        let shows = tags.packet(len, now_ns);
        if tags.is_empty() {
            self.0.remove(&host);
        }
        shows
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    const RULE: RuleKey = RuleKey { gid: 1, sid: 1 };

    /// How many packets of 60 bytes, a second apart, are shown after the one that matched.
    fn shown(limit: Limit) -> usize {
        let mut tags = Tags::default();
        tags.add(RULE, limit, 0);
        let shown = (0..20_u64).filter(|second| tags.packet(60, second * 1_000_000_000));
        shown.count()
    }

    #[test]
    fn the_packet_that_matched_counts_and_is_not_shown() {
        assert_eq!(shown(Limit::Packets(3)), 2);
        assert_eq!(shown(Limit::Packets(1)), 0);
        assert_eq!(shown(Limit::Packets(0)), 0);
        assert_eq!(shown(Limit::Bytes(180)), 2);
        assert_eq!(shown(Limit::Bytes(179)), 1);
        assert_eq!(shown(Limit::Seconds(5)), 5);
    }

    #[test]
    fn a_rule_begins_its_tag_again_so_many_times() {
        let mut tags = Tags::default();
        let mut shown = 0;
        for _ in 0..30 {
            tags.add(RULE, Limit::Packets(1), 0);
            shown += usize::from(tags.packet(60, 0));
        }
        // the first is new, ten follow; what comes then begins a new one
        assert!(shown >= usize::from(AGAIN_MAX), "{shown}");
    }

    #[test]
    fn hosts_have_a_bound() {
        let mut hosts = HostTags::new(1);
        let host = |last: u8| IpAddr::from([192, 0, 2, last]);
        hosts.add(host(1), RULE, Limit::Packets(9), 0);
        assert!(!hosts.packet([host(1), host(3)], 60, 0));
        assert!(hosts.packet([host(3), host(1)], 60, 0));
        hosts.add(host(2), RULE, Limit::Packets(9), 0);
        assert!(!hosts.packet([host(1), host(3)], 60, 0));
        assert_eq!(hosts.evicted(), 1);
    }
}
