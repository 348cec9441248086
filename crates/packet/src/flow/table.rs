//! The flow table: at most `flows_max` flows; idle flows leave by their class's timeout, oldest
//! first when it is full.
//!
//! Flows of one timeout class stand in one list from the longest idle to the latest, so expiry
//! looks at heads only.

use hashbrown::HashTable;

use super::key::Key;
use super::slab::Slab;
use super::{Flow, FlowState, Proto, tcp};
use crate::sensor::Timeouts;
use crate::sensor::session::Session;

/// A flow with everything that the sensor keeps of it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) flow: Flow,
    pub(crate) tcp: tcp::Tracker,
    /// Streams and parser: allocated when data comes, dropped when nobody reads on.
    pub(crate) session: Option<Box<Session>>,
    /// Nobody reads this flow's data any more.
    pub(crate) unread: bool,
    class: Class,
    older: u32,
    newer: u32,
}

#[derive(Debug)]
pub(crate) struct Table {
    seed: [u64; 2],
    flows_max: usize,
    timeouts: Timeouts,
    index: HashTable<u32>,
    slots: Slab<Entry>,
    lists: [List; CLASSES.len()],
}

impl Table {
    pub(crate) fn new(seed: [u64; 2], flows_max: usize, timeouts: Timeouts) -> Self {
        Self {
            seed,
            flows_max: flows_max.max(1),
            timeouts,
            index: HashTable::new(),
            slots: Slab::new(),
            lists: [List::EMPTY; CLASSES.len()],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.flows_max
    }

    pub(crate) fn find(&self, key: &Key) -> Option<u32> {
        let same = |slot: &u32| {
            self.slots
                .get(*slot)
                .is_some_and(|entry| key_of(&entry.flow) == *key)
        };
        self.index.find(key.hash(self.seed), same).copied()
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Entry> {
        self.slots.get(slot)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.slots.get_mut(slot)
    }

    /// Adds a flow; `None` when the table is full: evict first.
    pub(crate) fn insert(&mut self, flow: Flow) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let class = Class::of(&flow);
        let slot = self.slots.insert(Entry {
            flow,
            tcp: tcp::Tracker::default(),
            session: None,
            unread: false,
            class,
            older: NONE,
            newer: NONE,
        })?;
        let (seed, slots) = (self.seed, &self.slots);
        let rehash = |slot: &u32| {
            slots
                .get(*slot)
                .map_or(0, |entry| key_of(&entry.flow).hash(seed))
        };
        self.index
            .insert_unique(key_of(&flow).hash(seed), slot, rehash);
        self.link(slot, class);
        Some(slot)
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Entry> {
        let hash = key_of(&self.slots.get(slot)?.flow).hash(self.seed);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
        self.unlink(slot);
        self.slots.remove(slot)
    }

    /// Notes that the flow was just seen: it becomes the latest of its class.
    pub(crate) fn touch(&mut self, slot: u32) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let class = Class::of(&entry.flow);
        if entry.class == class && entry.newer == NONE {
            return;
        }
        self.unlink(slot);
        self.link(slot, class);
    }

    /// A flow that is idle for longer than its class may be.
    pub(crate) fn expired(&self, now_ns: u64) -> Option<u32> {
        CLASSES.iter().zip(&self.lists).find_map(|(class, list)| {
            let last_ns = self.slots.get(list.oldest)?.flow.last_ns;
            let idle_ns = now_ns.saturating_sub(last_ns);
            (idle_ns > class.timeout_ns(&self.timeouts)).then_some(list.oldest)
        })
    }

    /// The flow to give up when the table is full: the longest idle of the least valuable class
    /// that has any.
    pub(crate) fn victim(&self) -> Option<u32> {
        self.lists
            .iter()
            .map(|list| list.oldest)
            .find(|slot| *slot != NONE)
    }

    fn link(&mut self, slot: u32, class: Class) {
        let Some(list) = self.lists.get_mut(class.at()) else {
            return;
        };
        let before = std::mem::replace(&mut list.newest, slot);
        if before == NONE {
            list.oldest = slot;
        }
        if let Some(entry) = self.slots.get_mut(slot) {
            (entry.class, entry.older, entry.newer) = (class, before, NONE);
        }
        if let Some(entry) = self.slots.get_mut(before) {
            entry.newer = slot;
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(entry) = self.slots.get(slot) else {
            return;
        };
        let (class, older, newer) = (entry.class, entry.older, entry.newer);
        let Some(list) = self.lists.get_mut(class.at()) else {
            return;
        };
        match self.slots.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => list.oldest = newer,
        }
        match self.slots.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => list.newest = older,
        }
    }
}

/// Flows that share a timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    TcpClosed,
    TcpNew,
    UdpNew,
    Other,
    UdpEstablished,
    TcpEstablished,
}

/// All classes, in the order of the enum: the first is given up first.
const CLASSES: [Class; 6] = [
    Class::TcpClosed,
    Class::TcpNew,
    Class::UdpNew,
    Class::Other,
    Class::UdpEstablished,
    Class::TcpEstablished,
];

impl Class {
    fn of(flow: &Flow) -> Self {
        match (flow.tuple.proto, flow.state) {
            (Proto::Tcp, FlowState::New) => Self::TcpNew,
            (Proto::Tcp, FlowState::Established) => Self::TcpEstablished,
            (Proto::Tcp, FlowState::Closed) => Self::TcpClosed,
            (Proto::Udp, FlowState::New) => Self::UdpNew,
            (Proto::Udp, FlowState::Established | FlowState::Closed) => Self::UdpEstablished,
            (Proto::Icmp | Proto::Icmp6 | Proto::Other(_), _) => Self::Other,
        }
    }

    fn at(self) -> usize {
        CLASSES.iter().position(|class| *class == self).unwrap_or(0)
    }

    fn timeout_ns(self, timeouts: &Timeouts) -> u64 {
        match self {
            Self::TcpClosed => timeouts.tcp_closed_ns,
            Self::TcpNew => timeouts.tcp_new_ns,
            Self::UdpNew => timeouts.udp_new_ns,
            Self::Other => timeouts.other_ns,
            Self::UdpEstablished => timeouts.udp_established_ns,
            Self::TcpEstablished => timeouts.tcp_established_ns,
        }
    }
}

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct List {
    oldest: u32,
    newest: u32,
}

impl List {
    const EMPTY: Self = Self {
        oldest: NONE,
        newest: NONE,
    };
}

fn key_of(flow: &Flow) -> Key {
    Key::new(&flow.tuple, &flow.vlan)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::applayer::AppProto;
    use crate::decode::Vlans;
    use crate::flow::{Counts, FiveTuple, FlowId};

    #[test]
    fn finds_both_ways_and_forgets() {
        let mut table = Table::new([1, 2], 10, Timeouts::default());
        let slot = table.insert(flow(1, 100)).unwrap();
        let tuple = flow(1, 100).tuple;
        let key = Key::new(&tuple.reversed(), &Vlans::default());
        assert_eq!(table.find(&key), Some(slot));
        assert_eq!(table.remove(slot).unwrap().flow.id, FlowId(1));
        assert_eq!(table.find(&key), None);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn full_table_gives_up_the_longest_idle_of_the_least_valuable() {
        let mut table = Table::new([1, 2], 3, Timeouts::default());
        let established = table.insert(flow(1, 100)).unwrap();
        table.get_mut(established).unwrap().flow.state = FlowState::Established;
        table.touch(established);
        let first = table.insert(flow(2, 200)).unwrap();
        let second = table.insert(flow(3, 300)).unwrap();
        assert_eq!(table.insert(flow(4, 400)), None);
        assert_eq!(table.victim(), Some(first));
        table.touch(first);
        assert_eq!(table.victim(), Some(second));
        table.remove(second);
        table.remove(first);
        assert_eq!(table.victim(), Some(established));
    }

    #[test]
    fn idle_flows_expire_by_class() {
        let timeouts = Timeouts {
            tcp_new_ns: 10,
            tcp_established_ns: 1000,
            ..Timeouts::default()
        };
        let mut table = Table::new([1, 2], 10, timeouts);
        let old = table.insert(flow(1, 100)).unwrap();
        let kept = table.insert(flow(2, 100)).unwrap();
        table.get_mut(kept).unwrap().flow.state = FlowState::Established;
        table.touch(kept);
        assert_eq!(table.expired(110), None, "not longer than the timeout");
        assert_eq!(table.expired(111), Some(old));
        table.remove(old);
        assert_eq!(table.expired(111), None);
        assert_eq!(table.expired(1101), Some(kept));
    }

    /// A flow that never sends data costs its slot, its place in the index (a slot number and a
    /// control byte in at most 8/7 places), and the unused half of the last page.
    #[test]
    fn idle_flows_are_small() {
        let slot = size_of::<Option<Entry>>();
        assert!(slot <= ENTRY_BYTES_MAX, "{slot} bytes");
    }

    const ENTRY_BYTES_MAX: usize = 216;

    fn flow(id: u16, last_ns: u64) -> Flow {
        Flow {
            id: FlowId(u64::from(id)),
            tuple: FiveTuple {
                src: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
                src_port: id,
                dst: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
                dst_port: 80,
                proto: Proto::Tcp,
            },
            vlan: Vlans::default(),
            start_ns: last_ns,
            last_ns,
            to_server: Counts::default(),
            to_client: Counts::default(),
            state: FlowState::New,
            client_proven: false,
            server_proven: false,
            midstream: false,
            syn: None,
            app: AppProto::Unknown,
            transactions: 0,
            files: 0,
        }
    }
}
