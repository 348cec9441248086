//! The flow table: at most `flows_max` flows; idle flows leave by their class's timeout, oldest
//! first when it is full.
//!
//! Flows of one timeout class stand in one list from the longest idle to the latest, so expiry
//! looks at heads only. A flow moves to the end of its list at most once a second
//! ([`GRAIN_NS`]): a packet of a busy flow touches the flow alone, and the order holds to a second.

use std::net::{IpAddr, Ipv6Addr};

use hashbrown::HashTable;

use super::entry::{Ends, Entry};
use super::key::{Key, Scope};
use super::slab::Slab;
use super::{Direction, FiveTuple, Flow, FlowState, Proto, TcpState};
use crate::sensor::{Timeout, Timeouts, Tracking};

#[derive(Debug)]
pub(crate) struct Table {
    seed: [u64; 2],
    flows_max: usize,
    timeouts: Timeouts,
    index: HashTable<u32>,
    recent: [Recent; RECENT],
    slots: Slab<Entry>,
    /// Client's and server's address of IPv6 flows.
    six: Slab<[Ipv6Addr; 2]>,
    lists: [List; CLASSES.len()],
    emergency: bool,
    tracking: Tracking,
}

impl Table {
    pub(crate) fn new(
        seed: [u64; 2],
        flows_max: usize,
        timeouts: Timeouts,
        tracking: Tracking,
    ) -> Self {
        Self {
            seed,
            flows_max: flows_max.max(1),
            timeouts,
            index: HashTable::new(),
            recent: [Recent::NONE; RECENT],
            slots: Slab::new(),
            six: Slab::new(),
            lists: [List::EMPTY; CLASSES.len()],
            emergency: false,
            tracking,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.flows_max
    }

    /// The flow of a packet, and which way the packet goes. Most packets are of a flow that had one a
    /// moment ago: it is looked for in its place among the recent ones before the index is asked.
    pub(crate) fn find_recent(
        &mut self,
        packet: &FiveTuple,
        scope: Scope,
    ) -> Option<(u32, Direction)> {
        let tag = Recent::tag(packet);
        let place = Recent::place(tag);
        let recent = self.recent.get(place).filter(|recent| recent.tag == tag);
        if let Some(Recent { slot, .. }) = recent.copied()
            && let Some(direction) = self.direction_in(slot, packet, scope)
        {
            return Some((slot, direction));
        }
        let (slot, direction) = self.find(packet, scope)?;
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = Recent { tag, slot };
        }
        Some((slot, direction))
    }

    /// The same, by the index alone.
    pub(crate) fn find(&self, packet: &FiveTuple, scope: Scope) -> Option<(u32, Direction)> {
        let mut direction = None;
        let same = |slot: &u32| {
            direction = self.direction_in(*slot, packet, scope);
            direction.is_some()
        };
        let hash = Key::new(packet, scope).hash(self.seed);
        let slot = self.index.find(hash, same).copied()?;
        Some((slot, direction?))
    }

    /// Which way a packet goes in the flow of a slot; none when it is no packet of it.
    fn direction_in(&self, slot: u32, packet: &FiveTuple, scope: Scope) -> Option<Direction> {
        let entry = self.slots.get(slot)?;
        let is_scope = entry.scope(self.tracking) == scope;
        is_scope.then(|| entry.direction(packet, self.six_of(entry)))?
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Entry> {
        self.slots.get(slot)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.slots.get_mut(slot)
    }

    /// The ends of a flow, client first.
    pub(crate) fn tuple(&self, entry: &Entry) -> FiveTuple {
        entry.tuple(self.six_of(entry)).shown()
    }

    /// Shows a flow as others see it; none where it is not there.
    pub(crate) fn show<T>(&mut self, slot: u32, tell: impl FnOnce(&Flow) -> T) -> Option<T> {
        let Self { slots, six, .. } = self;
        let tuple = |entry: &Entry| entry.tuple(six_of(entry, six)).shown();
        Some(slots.get_mut(slot)?.show(tuple, tell))
    }

    /// Adds a flow, found by `keyed` from client to server; `None` when the table is full: evict
    /// first.
    pub(crate) fn insert(&mut self, flow: &Flow, keyed: &FiveTuple) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let ends = match (flow.tuple.src, flow.tuple.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Ends::V4(src.to_bits(), dst.to_bits()),
            (src, dst) => Ends::V6(self.six.insert([six(src), six(dst)])?),
        };
        let ports = [keyed.src_port, keyed.dst_port];
        let slot = self.slots.insert(Entry::new(flow, ends, ports))?;
        let key = Key::new(keyed, flow.scope);
        let (seed, slots, sixes) = (self.seed, &self.slots, &self.six);
        let tracking = self.tracking;
        let rehash = |slot: &u32| {
            slots
                .get(*slot)
                .map_or(0, |entry| key_of(entry, sixes, tracking).hash(seed))
        };
        self.index.insert_unique(key.hash(seed), slot, rehash);
        self.link(slot, Class::of(flow.tuple.proto, flow.state));
        Some(slot)
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<(Entry, FiveTuple)> {
        let entry = self.slots.get(slot)?;
        let (hash, tuple) = (self.key_of(entry).hash(self.seed), self.tuple(entry));
        if let Ends::V6(six) = entry.ends() {
            self.six.remove(six);
        }
        if let Ok(found) = self.index.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
        self.unlink(slot);
        let entry = self.slots.remove(slot)?;
        let target = self.flows_max.saturating_sub(self.recovery());
        if self.emergency && self.len() <= target {
            self.emergency = false;
        }
        Some((entry, tuple))
    }

    /// Client and server of a flow change places.
    pub(crate) fn reverse(&mut self, slot: u32) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        entry.reverse();
        if let Ends::V6(six) = entry.ends()
            && let Some(six) = self.six.get_mut(six)
        {
            six.reverse();
        }
    }

    /// Notes that the flow was just seen: it becomes the latest of its class.
    pub(crate) fn touch(&mut self, slot: u32) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let tcp = entry.tcp.state();
        let is_closed = self.timeouts.closed_by_fins
            && matches!(tcp, Some(TcpState::LastAck | TcpState::TimeWait));
        let state = entry.standing.state;
        let state = if is_closed && state == FlowState::Established {
            FlowState::Closed
        } else {
            state
        };
        let class = Class::of(entry.proto(), state);
        let is_recent = entry.listed_s == second(entry.last_ns);
        if entry.class == class.number() && (is_recent || entry.newer == NONE) {
            return;
        }
        self.unlink(slot);
        self.link(slot, class);
    }

    /// A flow that is idle for longer than its class may be.
    pub(crate) fn expired(&self, now_ns: u64) -> Option<u32> {
        let mut oldest = self.lists.iter().map(|list| list.oldest);
        oldest.find(|slot| self.is_expired(*slot, now_ns))
    }

    /// Whether a flow is idle for longer than its class may be.
    pub(crate) fn is_expired(&self, slot: u32, now_ns: u64) -> bool {
        let Some(entry) = self.slots.get(slot) else {
            return false;
        };
        let Some(class) = CLASSES.get(usize::from(entry.class)) else {
            return false;
        };
        let timeout = class.timeout(&self.timeouts);
        let timeout_ns = match self.emergency {
            true => timeout.emergency_ns,
            false => timeout.normal_ns,
        };
        now_ns.saturating_sub(entry.last_ns) > timeout_ns
    }

    /// The flow to give up when the table is full: the longest idle of the least valuable class
    /// that has any.
    pub(crate) fn victim(&self) -> Option<u32> {
        self.lists
            .iter()
            .map(|list| list.oldest)
            .find(|slot| *slot != NONE)
    }

    /// The table is full: timeouts are short until a part of the flows has left. Whether that began
    /// just now.
    pub(crate) fn enter_emergency(&mut self) -> bool {
        !std::mem::replace(&mut self.emergency, true)
    }

    /// No more flows will come.
    pub(crate) fn leave_emergency(&mut self) {
        self.emergency = false;
    }

    pub(crate) fn in_emergency(&self) -> bool {
        self.emergency
    }

    /// Flows that have to leave before an emergency is over.
    fn recovery(&self) -> usize {
        let percent = usize::from(self.timeouts.emergency_recovery_percent.min(100));
        self.flows_max.saturating_mul(percent) / 100
    }

    fn six_of(&self, entry: &Entry) -> Option<&[Ipv6Addr; 2]> {
        six_of(entry, &self.six)
    }

    fn key_of(&self, entry: &Entry) -> Key {
        key_of(entry, &self.six, self.tracking)
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
            (entry.class, entry.older, entry.newer) = (class.number(), before, NONE);
            entry.listed_s = second(entry.last_ns);
        }
        if let Some(entry) = self.slots.get_mut(before) {
            entry.newer = slot;
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(entry) = self.slots.get(slot) else {
            return;
        };
        let (class, older, newer) = (usize::from(entry.class), entry.older, entry.newer);
        let Some(list) = self.lists.get_mut(class) else {
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

fn six_of<'a>(entry: &Entry, sixes: &'a Slab<[Ipv6Addr; 2]>) -> Option<&'a [Ipv6Addr; 2]> {
    match entry.ends() {
        Ends::V4(..) => None,
        Ends::V6(slot) => sixes.get(slot),
    }
}

fn key_of(entry: &Entry, sixes: &Slab<[Ipv6Addr; 2]>, tracking: Tracking) -> Key {
    let scope = entry.scope(tracking);
    match entry.ends() {
        Ends::V4(src, dst) => Key::v4([src, dst], entry.ports, entry.proto, scope),
        Ends::V6(_) => Key::new(&entry.tuple(six_of(entry, sixes)), scope),
    }
}

fn six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Flows that share a timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Bypassed,
    TcpClosed,
    TcpNew,
    UdpNew,
    IcmpNew,
    OtherNew,
    OtherEstablished,
    IcmpEstablished,
    UdpEstablished,
    TcpEstablished,
}

/// All classes, in the order of the enum: the first is given up first.
const CLASSES: [Class; 10] = [
    Class::Bypassed,
    Class::TcpClosed,
    Class::TcpNew,
    Class::UdpNew,
    Class::IcmpNew,
    Class::OtherNew,
    Class::OtherEstablished,
    Class::IcmpEstablished,
    Class::UdpEstablished,
    Class::TcpEstablished,
];

impl Class {
    fn of(proto: Proto, state: FlowState) -> Self {
        match (proto, state) {
            (_, FlowState::Bypassed) => Self::Bypassed,
            (Proto::Tcp, FlowState::New) => Self::TcpNew,
            (Proto::Tcp, FlowState::Established) => Self::TcpEstablished,
            (Proto::Tcp, FlowState::Closed) => Self::TcpClosed,
            (Proto::Udp, FlowState::New) => Self::UdpNew,
            (Proto::Udp, FlowState::Established | FlowState::Closed) => Self::UdpEstablished,
            (Proto::Icmp | Proto::Icmp6, FlowState::New) => Self::IcmpNew,
            (Proto::Icmp | Proto::Icmp6, _) => Self::IcmpEstablished,
            (Proto::Other(_), FlowState::New) => Self::OtherNew,
            (Proto::Other(_), _) => Self::OtherEstablished,
        }
    }

    fn at(self) -> usize {
        usize::from(self.number())
    }

    fn number(self) -> u8 {
        self as u8
    }

    fn timeout(self, timeouts: &Timeouts) -> Timeout {
        match self {
            Self::Bypassed => timeouts.bypassed,
            Self::TcpClosed => timeouts.tcp.closed,
            Self::TcpNew => timeouts.tcp.new,
            Self::UdpNew => timeouts.udp.new,
            Self::IcmpNew => timeouts.icmp.new,
            Self::OtherNew => timeouts.other.new,
            Self::OtherEstablished => timeouts.other.established,
            Self::IcmpEstablished => timeouts.icmp.established,
            Self::UdpEstablished => timeouts.udp.established,
            Self::TcpEstablished => timeouts.tcp.established,
        }
    }
}

/// Where the flow of a packet was that came a moment ago. Which flows share a place, a sender can
/// choose; then the index is asked for them, whose hash is keyed.
#[derive(Debug, Clone, Copy)]
struct Recent {
    tag: u32,
    slot: u32,
}

impl Recent {
    const NONE: Self = Self { tag: 0, slot: NONE };

    /// The same for both directions.
    fn tag(packet: &FiveTuple) -> u32 {
        let ends = match (packet.src, packet.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => u64::from(src.to_bits() ^ dst.to_bits()),
            (src, dst) => {
                let ends = six(src).to_bits() ^ six(dst).to_bits();
                u64::try_from((ends ^ ends >> 64) & u128::from(u64::MAX)).unwrap_or(0)
            }
        };
        let ports = u64::from(packet.src_port ^ packet.dst_port);
        let mixed = (ends ^ ports << 32).wrapping_mul(GOLDEN);
        u32::try_from(mixed >> 32).unwrap_or(0)
    }

    /// The upper bits of a product are those that all bits of its factors change.
    fn place(tag: u32) -> usize {
        usize::try_from(tag >> (u32::BITS.saturating_sub(RECENT.ilog2()))).unwrap_or(0)
    }
}

/// Places for flows that had a packet a moment ago: few senders take turns in any short time.
const RECENT: usize = 256;

/// 2^64 divided by the golden ratio: a multiplier that spreads what differs in few bits (Knuth, The
/// Art of Computer Programming 3, section 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// No slot.
const NONE: u32 = u32::MAX;

/// How exact the order of a list is, nanoseconds.
const GRAIN_NS: u64 = 1_000_000_000;

/// The second of a time, as far as 32 bits tell.
fn second(ns: u64) -> u32 {
    u32::try_from(ns / GRAIN_NS % (1 << 32)).unwrap_or(0)
}

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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::decode::Vlans;
    use crate::flow::FlowId;

    const S: u64 = GRAIN_NS;

    #[test]
    fn finds_both_ways_and_forgets() {
        for six in [false, true] {
            let mut table = Table::new([1, 2], 10, Timeouts::default(), Tracking::default());
            let mut flow = flow(1, 100);
            if six {
                flow.tuple.src = "2001:db8::1".parse().unwrap();
                flow.tuple.dst = "2001:db8::2".parse().unwrap();
            }
            let slot = insert(&mut table, &flow).unwrap();
            let find = |table: &Table, tuple: FiveTuple| table.find(&tuple, Scope::default());
            assert_eq!(find(&table, flow.tuple), Some((slot, Direction::ToServer)));
            let back = flow.tuple.reversed();
            assert_eq!(find(&table, back), Some((slot, Direction::ToClient)));
            table.reverse(slot);
            assert_eq!(find(&table, back), Some((slot, Direction::ToServer)));
            let (entry, tuple) = table.remove(slot).unwrap();
            assert_eq!((entry.id, tuple), (FlowId(1), back));
            assert_eq!(find(&table, back), None);
            assert_eq!((table.len(), table.six.len()), (0, 0));
        }
    }

    #[test]
    fn classes_stand_in_the_order_of_their_numbers() {
        for (at, class) in CLASSES.into_iter().enumerate() {
            assert_eq!(class.at(), at);
        }
    }

    #[test]
    fn recent_flows_are_those_that_the_index_has() {
        let mut table = Table::new([1, 2], 5000, Timeouts::default(), Tracking::default());
        let flows: Vec<Flow> = (1..4000).map(|port| flow(port, 100)).collect();
        let slots: Vec<u32> = flows
            .iter()
            .map(|flow| insert(&mut table, flow).unwrap())
            .collect();
        let scope = Scope::default();
        // more than there are places, and each of them twice
        for (flow, slot) in flows.iter().zip(&slots).flat_map(|one| [one, one]) {
            let back = flow.tuple.reversed();
            for (tuple, direction) in [
                (flow.tuple, Direction::ToServer),
                (back, Direction::ToClient),
            ] {
                let found = table.find_recent(&tuple, scope);
                assert_eq!(found, Some((*slot, direction)));
                assert_eq!(found, table.find(&tuple, scope));
            }
            let tunnelled = Scope::new(&Vlans::NONE, 1);
            assert_eq!(table.find_recent(&flow.tuple, tunnelled), None);
        }
        // its slot is another flow's now
        let (last, slot) = (flows.last().unwrap(), *slots.last().unwrap());
        table.remove(slot);
        assert_eq!(table.find_recent(&last.tuple, scope), None);
        let other = flow(4500, 100);
        assert_eq!(insert(&mut table, &other), Some(slot));
        assert_eq!(table.find_recent(&last.tuple, scope), None);
        assert_eq!(
            table.find_recent(&other.tuple, scope),
            Some((slot, Direction::ToServer))
        );
    }

    #[test]
    fn full_table_gives_up_the_longest_idle_of_the_least_valuable() {
        let mut table = Table::new([1, 2], 3, Timeouts::default(), Tracking::default());
        let established = insert(&mut table, &flow(1, S)).unwrap();
        table.get_mut(established).unwrap().standing.state = FlowState::Established;
        table.touch(established);
        let first = insert(&mut table, &flow(2, 2 * S)).unwrap();
        let second = insert(&mut table, &flow(3, 3 * S)).unwrap();
        assert_eq!(insert(&mut table, &flow(4, 4 * S)), None);
        assert_eq!(table.victim(), Some(first));
        table.get_mut(first).unwrap().last_ns = 5 * S;
        table.touch(first);
        assert_eq!(table.victim(), Some(second));
        table.remove(second);
        table.remove(first);
        assert_eq!(table.victim(), Some(established));
    }

    #[test]
    fn idle_flows_expire_by_class() {
        let mut timeouts = Timeouts::default();
        timeouts.tcp.new.normal_ns = 10;
        timeouts.tcp.established.normal_ns = 1000;
        let mut table = Table::new([1, 2], 10, timeouts, Tracking::default());
        let old = insert(&mut table, &flow(1, 100)).unwrap();
        let kept = insert(&mut table, &flow(2, 100)).unwrap();
        table.get_mut(kept).unwrap().standing.state = FlowState::Established;
        table.touch(kept);
        assert_eq!(table.expired(110), None, "not longer than the timeout");
        assert_eq!(table.expired(111), Some(old));
        table.remove(old);
        assert_eq!(table.expired(111), None);
        assert_eq!(table.expired(1101), Some(kept));
    }

    #[test]
    fn an_emergency_lasts_until_a_part_has_left() {
        let mut table = Table::new([1, 2], 10, Timeouts::default(), Tracking::default());
        let slots: Vec<u32> = (0..10)
            .map(|id| insert(&mut table, &flow(id, 0)).unwrap())
            .collect();
        assert!(table.enter_emergency() && !table.enter_emergency());
        assert_eq!(table.expired(6 * S), Some(slots[0]), "5 s, not 60");
        for slot in &slots[..2] {
            table.remove(*slot);
        }
        assert!(table.in_emergency());
        table.remove(slots[2]);
        assert!(!table.in_emergency());
    }

    /// A flow that never sends data costs its slot, its place in the index (a slot number and a
    /// control byte in at most 16/7 places), and the unused half of the last page.
    #[test]
    fn idle_flows_are_small() {
        let slot = size_of::<Option<Entry>>();
        assert!(slot <= ENTRY_BYTES_MAX, "{slot} bytes");
    }

    const ENTRY_BYTES_MAX: usize = 176;

    fn insert(table: &mut Table, flow: &Flow) -> Option<u32> {
        table.insert(flow, &flow.tuple)
    }

    fn flow(id: u16, last_ns: u64) -> Flow {
        let tuple = FiveTuple {
            src: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            src_port: id,
            dst: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
            dst_port: 80,
            proto: Proto::Tcp,
        };
        Flow::new(FlowId(u64::from(id)), tuple, Vlans::default(), last_ns)
    }
}
