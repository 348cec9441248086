//! What the table keeps of a flow: a small part that every packet touches, and a part that is
//! allocated when data comes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::tcp::Tracker;
use super::{
    Counts, Direction, ESP, FiveTuple, Flow, FlowId, FlowState, Proto, Scope, Standing, SynTraits,
    spi_of_ports,
};
use crate::decode::Vlans;
use crate::sensor::Tracking;
use crate::sensor::session::Session;

/// A flow in the table.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) id: FlowId,
    pub(crate) start_ns: u64,
    pub(crate) last_ns: u64,
    /// What exists only where there is data.
    pub(crate) cold: Option<Box<Cold>>,
    pub(crate) tcp: Tracker,
    /// IPv4: client's and server's address; IPv6: their place in the table of addresses, and 0.
    ends: [u32; 2],
    /// The client's and the server's; ICMP: the first message's type, and that of its answer.
    pub(super) ports: [u16; 2],
    packets: [u32; 2],
    bytes: [u32; 2],
    payload_bytes: [u32; 2],
    pub(super) older: u32,
    pub(super) newer: u32,
    /// Second in which it was put where it stands in its list.
    pub(super) listed_s: u32,
    syn_timestamp: u32,
    syn_options_hash: u32,
    syn_window: u16,
    syn_mss: u16,
    syn_ttl: u8,
    syn_wscale: u8,
    /// With the VLAN tags, tracked or not.
    scope: Scope,
    pub(crate) standing: Standing,
    ttl_min: [u8; 2],
    ttl_max: [u8; 2],
    tcp_flags: [u8; 2],
    /// ICMP: code of the first packet, and of the first one the other way; types stand in the place
    /// of ports. Others: how many of the packets were ICMP errors.
    icmp_codes: [u8; 2],
    pub(super) proto: u8,
    pub(super) class: u8,
    marks: u8,
}

/// Client's and server's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    V4(u32, u32),
    /// Place in the table of IPv6 addresses.
    V6(u32),
}

/// The part of a flow that comes with its first data.
#[derive(Debug)]
pub(crate) struct Cold {
    /// The flow as others see it; its counts and standing are brought up to date when it is shown.
    pub(crate) flow: Flow,
    /// Streams and parser; none when nobody reads on.
    pub(crate) session: Option<Session>,
    /// Nobody reads this flow's data any more.
    pub(crate) unread: bool,
    /// For want of memory, that is.
    pub(crate) starved: bool,
    /// Overflows of the entry's counts: packets, bytes, payload bytes.
    carries: Carries,
}

impl Cold {
    /// Whether the parser has read all that can be read.
    pub(crate) fn is_done(&self) -> bool {
        self.unread && !self.starved && !self.flow.app_error
    }
}

/// By packets, bytes, payload bytes, and by direction.
type Carries = [[u32; 2]; 3];

impl Entry {
    pub(super) fn new(flow: &Flow, ends: Ends, ports: [u16; 2]) -> Self {
        let (ends, six) = match ends {
            Ends::V4(src, dst) => ([src, dst], 0),
            Ends::V6(place) => ([place, 0], IS_V6),
        };
        let mut entry = Self {
            id: flow.id,
            start_ns: flow.start_ns,
            last_ns: flow.last_ns,
            cold: None,
            tcp: Tracker::default(),
            ends,
            ports,
            packets: [0; 2],
            bytes: [0; 2],
            payload_bytes: [0; 2],
            older: u32::MAX,
            newer: u32::MAX,
            listed_s: 0,
            syn_timestamp: 0,
            syn_options_hash: 0,
            syn_window: 0,
            syn_mss: 0,
            syn_ttl: 0,
            syn_wscale: 0,
            scope: flow.scope.with(&flow.vlan),
            standing: Standing {
                state: flow.state,
                client_proven: flow.client_proven,
                server_proven: flow.server_proven,
                midstream: flow.midstream,
                action: None,
                by_exception: false,
            },
            ttl_min: [0; 2],
            ttl_max: [0; 2],
            tcp_flags: [0; 2],
            icmp_codes: [0; 2],
            proto: flow.tuple.proto.number(),
            class: 0,
            marks: six,
        };
        entry.set_syn(flow.syn);
        entry
    }

    /// The addresses, or where they stand.
    pub(super) fn ends(&self) -> Ends {
        let [src, dst] = self.ends;
        match self.has(IS_V6) {
            true => Ends::V6(src),
            false => Ends::V4(src, dst),
        }
    }

    fn set_syn(&mut self, traits: Option<SynTraits>) {
        let Some(traits) = traits else { return };
        let mark = |is_set: bool, mark: u8| if is_set { mark } else { 0 };
        self.marks |= HAS_SYN
            | mark(traits.mss.is_some(), HAS_MSS)
            | mark(traits.wscale.is_some(), HAS_WSCALE)
            | mark(traits.timestamp.is_some(), HAS_TIMESTAMP);
        self.syn_timestamp = traits.timestamp.unwrap_or(0);
        self.syn_options_hash = traits.options_hash;
        self.syn_window = traits.window;
        self.syn_mss = traits.mss.unwrap_or(0);
        self.syn_ttl = traits.ttl;
        self.syn_wscale = traits.wscale.unwrap_or(0);
    }

    fn syn(&self) -> Option<SynTraits> {
        self.has(HAS_SYN).then(|| SynTraits {
            ttl: self.syn_ttl,
            window: self.syn_window,
            mss: self.has(HAS_MSS).then_some(self.syn_mss),
            wscale: self.has(HAS_WSCALE).then_some(self.syn_wscale),
            timestamp: self.has(HAS_TIMESTAMP).then_some(self.syn_timestamp),
            options_hash: self.syn_options_hash,
        })
    }

    /// Which way a packet of this flow goes; none when it is another flow's. `six` are the flow's
    /// addresses where they are IPv6.
    pub(super) fn direction(
        &self,
        packet: &FiveTuple,
        six: Option<&[Ipv6Addr; 2]>,
    ) -> Option<Direction> {
        if self.proto != packet.proto.number() {
            return None;
        }
        let (same, crossed) = match (self.ends(), packet.src, packet.dst) {
            (Ends::V4(client, server), IpAddr::V4(src), IpAddr::V4(dst)) => {
                let (src, dst) = (src.to_bits(), dst.to_bits());
                (
                    (client, server) == (src, dst),
                    (client, server) == (dst, src),
                )
            }
            (Ends::V6(_), IpAddr::V6(src), IpAddr::V6(dst)) => {
                (six == Some(&[src, dst]), six == Some(&[dst, src]))
            }
            // 192.0.2.1 and ::ffff:192.0.2.1 are two hosts
            (Ends::V4(..) | Ends::V6(_), _, _) => return None,
        };
        let ports = (packet.src_port, packet.dst_port);
        let [client, server] = self.ports;
        if same && ports == (client, server) {
            Some(Direction::ToServer)
        } else {
            (crossed && ports == (server, client)).then_some(Direction::ToClient)
        }
    }

    /// What keeps it apart from others between the same ends.
    pub(super) fn scope(&self, tracking: Tracking) -> Scope {
        match tracking.vlans {
            true => self.scope,
            false => self.scope.with(&Vlans::NONE),
        }
    }

    pub(crate) fn proto(&self) -> Proto {
        Proto::from_number(self.proto)
    }

    /// The ends by which the flow is found, client first; `six` are its addresses where they are
    /// IPv6.
    pub(super) fn tuple(&self, six: Option<&[Ipv6Addr; 2]>) -> FiveTuple {
        let (src, dst) = match (self.ends(), six) {
            (Ends::V4(src, dst), _) => (IpAddr::V4(src.into()), IpAddr::V4(dst.into())),
            (Ends::V6(_), Some(&[src, dst])) => (IpAddr::V6(src), IpAddr::V6(dst)),
            (Ends::V6(_), None) => {
                let none = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
                (none, none)
            }
        };
        let [src_port, dst_port] = self.ports;
        FiveTuple {
            src,
            src_port,
            dst,
            dst_port,
            proto: self.proto(),
        }
    }

    /// Shows the flow as others see it; `tuple` is asked for its ends, client first, where they do not
    /// stand in the part for data. That part is shown in its place: a copy for each packet would cost
    /// more than most of what looks at it.
    pub(crate) fn show<T>(
        &mut self,
        tuple: impl FnOnce(&Self) -> FiveTuple,
        tell: impl FnOnce(&Flow) -> T,
    ) -> T {
        match self.cold.take() {
            Some(mut cold) => {
                self.refresh_cold(&mut cold);
                let told = tell(&cold.flow);
                self.cold = Some(cold);
                told
            }
            None => tell(&self.view(tuple(self))),
        }
    }

    /// The flow as others see it, as a copy.
    pub(crate) fn view(&self, tuple: FiveTuple) -> Flow {
        let mut flow = match &self.cold {
            Some(cold) => cold.flow,
            None => blank(self.id, tuple, self.scope, self.start_ns),
        };
        let carries = self.cold.as_ref().map_or([[0; 2]; 3], |cold| cold.carries);
        self.refresh(&mut flow, &carries);
        flow
    }

    /// Brings the flow that a parser sees up to date; its part for data has been taken out.
    pub(crate) fn refresh_cold(&self, cold: &mut Cold) {
        self.refresh(&mut cold.flow, &cold.carries);
    }

    /// Brings a flow's counts and standing up to date.
    fn refresh(&self, flow: &mut Flow, carries: &Carries) {
        flow.last_ns = self.last_ns;
        flow.to_server = self.counts(Direction::ToServer, carries);
        flow.to_client = self.counts(Direction::ToClient, carries);
        flow.state = self.standing.state;
        flow.action = self.standing.action;
        flow.client_proven = self.standing.client_proven;
        flow.server_proven = self.standing.server_proven;
        flow.midstream = self.standing.midstream;
        flow.syn = self.syn();
        flow.tcp_state = self.tcp.state();
        flow.sequence = self.tcp.sequence();
        flow.is_ignored = self.has(IGNORED);
        let ([ask, answer], [code, answer_code]) = (self.ports, self.icmp_codes);
        let kind = |kind: u16| u8::try_from(kind).unwrap_or(0);
        flow.icmp = self.has(HAS_ICMP).then_some([kind(ask), code]);
        flow.icmp_answer = self
            .has(HAS_ICMP_ANSWER)
            .then_some([kind(answer), answer_code]);
        let ends = (flow.tuple.src, flow.tuple.dst);
        flow.spi = (flow.tuple.proto == ESP).then(|| spi_of_ports(self.ports, ends));
    }

    /// The part for data, made when it is first asked for.
    pub(crate) fn cold(&mut self, tuple: FiveTuple) -> &mut Cold {
        let (id, scope, start_ns) = (self.id, self.scope, self.start_ns);
        self.cold.get_or_insert_with(|| {
            Box::new(Cold {
                flow: blank(id, tuple, scope, start_ns),
                session: None,
                unread: false,
                starved: false,
                carries: [[0; 2]; 3],
            })
        })
    }

    /// Counts a packet; `tuple` is asked for the flow's ends, client first, when a count runs over.
    pub(crate) fn count(
        &mut self,
        direction: Direction,
        tuple: impl FnOnce() -> FiveTuple,
        (bytes, payload_bytes, ttl): (u32, u32, u8),
    ) {
        let at = direction.at();
        let first = self.packets.get(at).is_none_or(|packets| *packets == 0);
        if let (Some(min), Some(max)) = (self.ttl_min.get_mut(at), self.ttl_max.get_mut(at)) {
            *min = if first { ttl } else { ttl.min(*min) };
            *max = ttl.max(*max);
        }
        let mut carried = [false; 3];
        let counts = [&mut self.packets, &mut self.bytes, &mut self.payload_bytes];
        let added = [1, bytes, payload_bytes];
        for ((count, added), carry) in counts.into_iter().zip(added).zip(&mut carried) {
            if let Some(count) = count.get_mut(at) {
                (*count, *carry) = count.overflowing_add(added);
            }
        }
        if carried != [false; 3] {
            let carries = &mut self.cold(tuple()).carries;
            for (carry, carried) in carries.iter_mut().zip(carried) {
                if let Some(carry) = carry.get_mut(at) {
                    *carry = carry.saturating_add(u32::from(carried));
                }
            }
        }
    }

    pub(crate) fn packets(&self, direction: Direction) -> u32 {
        self.packets.get(direction.at()).copied().unwrap_or(0)
    }

    /// Whether there was payload both ways, and the client's path is proven.
    pub(crate) fn has_exchanged(&self) -> bool {
        self.standing.client_proven && self.payload_bytes.iter().all(|bytes| *bytes > 0)
    }

    /// Notes the flags of a TCP segment.
    pub(crate) fn note_flags(&mut self, direction: Direction, flags: u8) {
        if let Some(seen) = self.tcp_flags.get_mut(direction.at()) {
            *seen |= flags;
        }
    }

    /// Notes the code of an ICMP message: of the first, and of the first one the other way.
    pub(crate) fn note_icmp(&mut self, direction: Direction, code: u8) {
        let mark = match direction {
            Direction::ToServer => HAS_ICMP,
            Direction::ToClient => HAS_ICMP_ANSWER,
        };
        if !self.has(mark)
            && let Some(place) = self.icmp_codes.get_mut(direction.at())
        {
            *place = code;
            self.marks |= mark;
        }
    }

    /// Notes an ICMP error about a flow that is none of ICMP.
    pub(crate) fn note_error(&mut self, direction: Direction) {
        if let Some(errors) = self.icmp_codes.get_mut(direction.at()) {
            *errors = errors.saturating_add(1);
        }
    }

    /// Whether anything but errors came in a direction.
    pub(crate) fn has_spoken(&self, direction: Direction) -> bool {
        let errors = match self.proto() {
            Proto::Icmp | Proto::Icmp6 => None,
            Proto::Tcp | Proto::Udp | Proto::Other(_) => self.icmp_codes.get(direction.at()),
        };
        let errors = errors.copied().unwrap_or(0);
        errors < u8::MAX && self.packets(direction) > u32::from(errors)
    }

    /// Whether its handshake is over, or both sides were heard; also when it is closed.
    pub(crate) fn is_established(&self) -> bool {
        match self.tcp.state() {
            Some(state) => state.is_established(),
            None => self.standing.state == FlowState::Established,
        }
    }

    /// Marks a TCP flow that was met midstream and is not followed.
    pub(crate) fn ignore(&mut self) {
        self.marks |= IGNORED;
    }

    pub(crate) fn is_ignored(&self) -> bool {
        self.has(IGNORED)
    }

    /// Client and server change places: what they say shows which is which.
    pub(crate) fn reverse(&mut self) {
        if !self.has(IS_V6) {
            self.ends.reverse();
        }
        self.ports.reverse();
        self.packets.reverse();
        self.bytes.reverse();
        self.payload_bytes.reverse();
        self.ttl_min.reverse();
        self.ttl_max.reverse();
        self.tcp_flags.reverse();
        self.icmp_codes.reverse();
        self.tcp.reverse();
        let standing = &mut self.standing;
        std::mem::swap(&mut standing.client_proven, &mut standing.server_proven);
        if let Some(cold) = &mut self.cold {
            cold.flow.tuple = cold.flow.tuple.reversed();
            cold.carries.iter_mut().for_each(|carry| carry.reverse());
        }
    }

    fn counts(&self, direction: Direction, carries: &Carries) -> Counts {
        let at = direction.at();
        let whole = |low: &[u32; 2], which: usize| {
            let carry = carries.get(which).and_then(|carry| carry.get(at));
            u64::from(carry.copied().unwrap_or(0)) << 32
                | u64::from(low.get(at).copied().unwrap_or(0))
        };
        let byte = |bytes: &[u8; 2]| bytes.get(at).copied().unwrap_or(0);
        Counts {
            packets: whole(&self.packets, 0),
            bytes: whole(&self.bytes, 1),
            payload_bytes: whole(&self.payload_bytes, 2),
            ttl_min: byte(&self.ttl_min),
            ttl_max: byte(&self.ttl_max),
            tcp_flags: byte(&self.tcp_flags),
        }
    }

    fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

/// A flow of which nothing is counted yet.
fn blank(id: FlowId, tuple: FiveTuple, scope: Scope, start_ns: u64) -> Flow {
    Flow {
        scope,
        ..Flow::new(id, tuple, scope.vlans(), start_ns)
    }
}

const HAS_SYN: u8 = 1;
const HAS_ICMP: u8 = 2;
const HAS_ICMP_ANSWER: u8 = 4;
const IGNORED: u8 = 8;
const IS_V6: u8 = 16;
const HAS_MSS: u8 = 32;
const HAS_WSCALE: u8 = 64;
const HAS_TIMESTAMP: u8 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits_survive_packing() {
        let traits = SynTraits {
            ttl: 64,
            window: 29200,
            mss: Some(1460),
            wscale: None,
            timestamp: Some(7),
            options_hash: 9,
        };
        let flow = Flow {
            syn: Some(traits),
            ..Flow::new(FlowId(1), tuple(), Vlans::default(), 0)
        };
        let entry = Entry::new(&flow, Ends::V4(1, 2), [1, 2]);
        assert_eq!(entry.view(tuple()).syn, Some(traits));
    }

    #[test]
    fn counts_go_on_beyond_32_bits() {
        let tuple = tuple();
        let flow = Flow::new(FlowId(1), tuple, Vlans::default(), 0);
        let mut entry = Entry::new(&flow, Ends::V4(1, 2), [1, 2]);
        for _ in 0..3 {
            entry.count(Direction::ToServer, || tuple, (1 << 31, 5, 64));
        }
        let view = entry.view(tuple);
        assert_eq!((view.to_server.packets, view.to_server.bytes), (3, 3 << 31));
        assert_eq!(view.to_client.bytes, 0);
        entry.reverse();
        assert_eq!(entry.view(tuple).to_client.bytes, 3 << 31);
    }

    fn tuple() -> FiveTuple {
        FiveTuple {
            src: "192.0.2.1".parse().unwrap(),
            src_port: 1,
            dst: "192.0.2.2".parse().unwrap(),
            dst_port: 2,
            proto: Proto::Udp,
        }
    }
}
