//! Fragments to packets: IPv4 (RFC 791 section 3.2) and IPv6 (RFC 8200 section 4.5).
//!
//! Fragments of one packet gather in a [`tracker`]; which of two that overlap counts is up to the
//! [`policy`] of the host that they go to. Trackers, fragments and bytes are bounded, and what hits
//! a bound or its timeout is counted and told as never reassembled.

mod options;
mod policy;
mod tracker;

pub use options::Options;
pub use policy::Policy;

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;

use crate::decode::{Damage, Decoded, Fragment, Front, Ip};
use crate::flow::key::Scope;
use crate::flow::{FiveTuple, Proto};
use tracker::{Taken, Tracker};

/// Most fragments of one packet: no honest packet has more.
const FRAGMENTS_OF_PACKET_MAX: u64 = 8192;

/// Most trackers looked at for their timeout with one fragment.
const EXPIRED_PER_FRAGMENT_MAX: usize = 4;

/// What an empty fragment costs beside its bytes.
const OVERHEAD: usize = 64;

/// Gathers fragments.
#[derive(Debug)]
pub(crate) struct Defrag {
    options: Options,
    trackers: HashMap<Key, Tracker>,
    /// In the order of their beginning.
    order: VecDeque<(Key, u64)>,
    begun: u64,
    counters: Counters,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// IPv4 fragments.
    pub ipv4_fragments: u64,
    /// IPv4 packets put together.
    pub ipv4_reassembled: u64,
    /// IPv6 fragments.
    pub ipv6_fragments: u64,
    /// IPv6 packets put together.
    pub ipv6_reassembled: u64,
    /// Packets given up because their fragments did not come in time.
    pub timeouts: u64,
    /// Times that `trackers_max` was reached: the oldest is given up.
    pub trackers_max_hit: u64,
    /// Times that `fragments_max` was reached: the oldest is given up.
    pub fragments_max_hit: u64,
    /// Times that `bytes_max` was reached: the oldest is given up.
    pub bytes_max_hit: u64,
    /// Fragments kept at this time.
    pub fragments: u64,
    /// Bytes kept at this time.
    pub bytes: u64,
}

/// Fragments of one packet have this in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    protocol: u8,
    scope: Scope,
}

/// A packet that is whole again.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) front: Front,
    pub(crate) data: Vec<u8>,
}

/// Takes the ends of packets that were given up.
pub(crate) type GivenUp<'a> = dyn FnMut(FiveTuple) + 'a;

impl Defrag {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            trackers: HashMap::new(),
            order: VecDeque::new(),
            begun: 0,
            counters: Counters::default(),
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes a fragment; gives the packet that it completes. What is wrong with it goes to the
    /// fragment's own damages.
    pub(crate) fn take(
        &mut self,
        decoded: &mut Decoded<'_>,
        scope: Scope,
        now_ns: u64,
        given_up: &mut GivenUp<'_>,
    ) -> Option<Whole> {
        let ip = decoded.ip?;
        let fragment = ip.fragment?;
        let is_v4 = ip.src.is_ipv4();
        self.count_fragment(is_v4);
        self.expire(now_ns, EXPIRED_PER_FRAGMENT_MAX, given_up);
        let [overlap, too_large, ignored] = if is_v4 {
            [
                Damage::Ipv4FragOverlap,
                Damage::Ipv4FragPktTooLarge,
                Damage::Ipv4FragIgnored,
            ]
        } else {
            [
                Damage::Ipv6FragOverlap,
                Damage::Ipv6FragPktTooLarge,
                Damage::Ipv6FragIgnored,
            ]
        };
        if exceeds(&ip, &fragment) {
            decoded.damages.add(too_large);
            return None;
        }
        let key = Key::of(&ip, &fragment, scope);
        self.drop_if_late(&key, now_ns, given_up);
        // at most: the headers are kept of a first fragment alone
        let cost = decoded.data.len().saturating_add(OVERHEAD);
        if !self.make_room(&key, cost, given_up) {
            decoded.damages.add(ignored);
            return None;
        }
        let tracker = self.tracker(key, &ip, now_ns);
        if tracker.fragments >= FRAGMENTS_OF_PACKET_MAX {
            decoded.damages.add(ignored);
            return None;
        }
        let before = (tracker.fragments, tracker.bytes);
        let taken = tracker.insert(decoded, &ip, &fragment);
        let after = (tracker.fragments, tracker.bytes);
        self.recharge(before, after);
        match taken {
            Taken::Sound => {}
            Taken::Overlap => decoded.damages.add(overlap),
        }
        let is_complete = self.trackers.get(&key).is_some_and(Tracker::is_complete);
        if !is_complete {
            return None;
        }
        let whole = self.remove(&key)?.whole();
        if whole.is_some() {
            self.count_reassembled(is_v4);
        }
        whole
    }

    /// Gives up what did not become whole in time.
    pub(crate) fn expire(&mut self, now_ns: u64, most: usize, given_up: &mut GivenUp<'_>) {
        for _ in 0..most {
            let Some((key, number)) = self.order.front().copied() else {
                return;
            };
            let tracker = self
                .trackers
                .get(&key)
                .filter(|tracker| tracker.number == number);
            let Some(tracker) = tracker else {
                self.order.pop_front();
                continue;
            };
            if tracker.deadline_ns > now_ns {
                return;
            }
            self.order.pop_front();
            self.counters.timeouts = self.counters.timeouts.saturating_add(1);
            self.give_up(&key, given_up);
        }
    }

    /// Gives everything up: the capture is over.
    pub(crate) fn finish(&mut self, given_up: &mut GivenUp<'_>) {
        while self.give_up_oldest(given_up) {}
    }

    fn tracker(&mut self, key: Key, ip: &Ip<'_>, now_ns: u64) -> &mut Tracker {
        let (options, begun, order) = (&self.options, &mut self.begun, &mut self.order);
        self.trackers.entry(key).or_insert_with(|| {
            *begun = begun.saturating_add(1);
            order.push_back((key, *begun));
            let timeout_ns = options.timeout_ns(ip.dst);
            let policy = options.policy(ip.dst);
            Tracker::new(*begun, now_ns.saturating_add(timeout_ns), policy)
        })
    }

    /// A packet whose time is over does not go on: the host has forgotten it too.
    fn drop_if_late(&mut self, key: &Key, now_ns: u64, given_up: &mut GivenUp<'_>) {
        let is_late = |tracker: &Tracker| tracker.deadline_ns <= now_ns;
        if self.trackers.get(key).is_some_and(is_late) {
            self.counters.timeouts = self.counters.timeouts.saturating_add(1);
            self.give_up(key, given_up);
        }
    }

    /// Whether there is room for a fragment of that many bytes; the oldest packets make some.
    fn make_room(&mut self, key: &Key, len: usize, given_up: &mut GivenUp<'_>) -> bool {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        if len > self.options.bytes_max {
            return false;
        }
        let is_new = !self.trackers.contains_key(key);
        if is_new && self.trackers.len() >= self.options.trackers_max {
            self.counters.trackers_max_hit = self.counters.trackers_max_hit.saturating_add(1);
            self.give_up_oldest(given_up);
        }
        if self.counters.fragments >= self.options.fragments_max {
            self.counters.fragments_max_hit = self.counters.fragments_max_hit.saturating_add(1);
            self.give_up_oldest(given_up);
        }
        if self.counters.bytes.saturating_add(len) > self.options.bytes_max {
            self.counters.bytes_max_hit = self.counters.bytes_max_hit.saturating_add(1);
            while self.counters.bytes.saturating_add(len) > self.options.bytes_max {
                if !self.give_up_oldest(given_up) {
                    return false;
                }
            }
        }
        true
    }

    /// Whether there was one.
    fn give_up_oldest(&mut self, given_up: &mut GivenUp<'_>) -> bool {
        while let Some((key, number)) = self.order.pop_front() {
            if self
                .trackers
                .get(&key)
                .is_some_and(|tracker| tracker.number == number)
            {
                self.give_up(&key, given_up);
                return true;
            }
        }
        false
    }

    fn give_up(&mut self, key: &Key, given_up: &mut GivenUp<'_>) {
        if self.remove(key).is_some() {
            given_up(FiveTuple {
                src: key.src,
                src_port: 0,
                dst: key.dst,
                dst_port: 0,
                proto: Proto::from_number(key.protocol),
            });
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Tracker> {
        let tracker = self.trackers.remove(key)?;
        self.recharge((tracker.fragments, tracker.bytes), (0, 0));
        // keys of removed trackers leave the queue from its front; a stale front keeps nothing
        while let Some((key, number)) = self.order.front() {
            if self
                .trackers
                .get(key)
                .is_some_and(|tracker| tracker.number == *number)
            {
                break;
            }
            self.order.pop_front();
        }
        if self.order.len()
            > self
                .trackers
                .len()
                .saturating_mul(2)
                .saturating_add(STALE_MAX)
        {
            let trackers = &self.trackers;
            self.order.retain(|(key, number)| {
                trackers
                    .get(key)
                    .is_some_and(|tracker| tracker.number == *number)
            });
        }
        Some(tracker)
    }

    fn recharge(&mut self, before: (u64, u64), after: (u64, u64)) {
        let counters = &mut self.counters;
        counters.fragments = counters
            .fragments
            .saturating_sub(before.0)
            .saturating_add(after.0);
        counters.bytes = counters
            .bytes
            .saturating_sub(before.1)
            .saturating_add(after.1);
    }

    fn count_fragment(&mut self, is_v4: bool) {
        let counters = &mut self.counters;
        let counter = if is_v4 {
            &mut counters.ipv4_fragments
        } else {
            &mut counters.ipv6_fragments
        };
        *counter = counter.saturating_add(1);
    }

    fn count_reassembled(&mut self, is_v4: bool) {
        let counters = &mut self.counters;
        let counter = if is_v4 {
            &mut counters.ipv4_reassembled
        } else {
            &mut counters.ipv6_reassembled
        };
        *counter = counter.saturating_add(1);
    }
}

impl Key {
    /// The protocol of an IPv6 packet is the first fragment's to say (RFC 8200 section 4.5).
    fn of(ip: &Ip<'_>, fragment: &Fragment, scope: Scope) -> Self {
        let protocol = if ip.src.is_ipv4() {
            fragment.protocol
        } else {
            44
        };
        Self {
            src: ip.src,
            dst: ip.dst,
            id: fragment.id,
            protocol,
            scope,
        }
    }
}

/// No packet is longer than its length field can say.
fn exceeds(ip: &Ip<'_>, fragment: &Fragment) -> bool {
    let header_len = match ip.src {
        IpAddr::V4(_) => crate::bytes::len32(ip.header.len()),
        IpAddr::V6(_) => 0,
    };
    let end = fragment.offset.saturating_add(ip.payload_len);
    end.saturating_add(header_len) > u32::from(u16::MAX)
}

/// Keys of trackers that are gone, kept in the queue at most, beside as many as there are trackers.
const STALE_MAX: usize = 1024;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
