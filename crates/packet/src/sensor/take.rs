//! One packet's way through defragmentation, flows and the packets within it.

use super::event::{Inspect, Outer, Packet};
use super::track::tuple_of;
use super::{Anomaly, Event, Sensor, Sink};
use crate::bytes::len32;
use crate::decode::{
    Checksum, Damage, Decoded, Source, Transport, bad_checksum, decode_inner, decode_whole,
};
use crate::defrag::Whole;
use crate::flow::key::Scope;
use crate::flow::{Direction, FiveTuple, Flow, FlowState};
use crate::frame::Frame;

impl Sensor {
    /// Takes a decoded packet, and those that it carries or completes. How deep they go is bounded
    /// by the decoder's `layers_max`.
    pub(super) fn take(
        &mut self,
        frame: &Frame<'_>,
        decoded: &mut Decoded<'_>,
        from: (Source, Option<Outer>),
        out: &mut Sink<'_>,
    ) {
        let whole = self.defragment(frame, decoded, out);
        self.check(frame, decoded);
        self.counters.decode.count(decoded);
        if let Transport::Tcp(tcp) = &decoded.transport {
            self.counters.segment(tcp.flags);
        }
        let packet = Packet {
            link: frame.link,
            source: from.0,
            decoded,
            outer: from.1,
        };
        let is_cut = decoded.ip.is_some_and(|ip| ip.is_truncated());
        let inner = decoded.inner.filter(|_| !is_cut);
        // what is no packet after all is the outer one's payload
        let within = inner
            .map(|inner| (inner, decode_inner(&self.config.decode, decoded, &inner)))
            .filter(|(_, within)| within.has_network());
        let carries_ip = within
            .as_ref()
            .is_some_and(|(_, within)| within.ip.is_some());
        self.with_flow(frame, &packet, carries_ip, out);
        if let Some((inner, mut within)) = within {
            let frame = part_of(frame, inner.data);
            let outer = Outer::of(&packet);
            self.take(&frame, &mut within, (inner.source, outer), out);
        }
        if let Some(Whole { front, data }) = whole {
            let mut decoded = decode_whole(&self.config.decode, &front, &data);
            let frame = part_of(frame, &data);
            self.take(&frame, &mut decoded, (Source::Defrag, from.1), out);
        }
    }

    /// What keeps the packet's flow apart from others between the same ends.
    pub(super) fn scope(&self, decoded: &Decoded<'_>) -> Scope {
        self.config.tracking.scope(&decoded.vlans, decoded.depth)
    }

    /// Tracks the packet and says what was wrong with it. The packet itself is told of only where
    /// something follows from it.
    fn with_flow(
        &mut self,
        frame: &Frame<'_>,
        packet: &Packet<'_>,
        carries_ip: bool,
        out: &mut Sink<'_>,
    ) {
        let decoded = packet.decoded;
        let mut is_told = false;
        let mut sink = |event: Event<'_>| {
            if !std::mem::replace(&mut is_told, true) {
                out(Event::Packet(packet));
            }
            out(event);
        };
        if let Some(arp) = &decoded.arp {
            sink(Event::Arp(arp));
        }
        let mut place = None;
        (self.in_stream, self.was_established) = (false, false);
        if self.is_trackable(frame, decoded) {
            place = self.track(frame, decoded, &mut sink);
        }
        if !decoded.damages.is_empty() {
            self.report_damages(decoded, frame.ts_ns, &mut sink);
        }
        if self.config.inspect {
            self.inspect(packet, place, carries_ip, &mut sink);
        }
    }

    /// All that a packet led to was told.
    fn inspect(
        &mut self,
        packet: &Packet<'_>,
        place: Option<(u32, Direction)>,
        carries_ip: bool,
        out: &mut Sink<'_>,
    ) {
        let decoded = packet.decoded;
        let mut tell = |flow: Option<&Flow>| {
            let tuple = match flow {
                Some(_) => decoded.ip.map(|ip| tuple_of(&ip, &decoded.transport)),
                None => ends(decoded),
            };
            let flow = flow.filter(|flow| !self.config.field_flows || flow.tuple.proto.is_read());
            out(Event::Inspect(&Inspect {
                packet,
                flow,
                direction: place.map_or(Direction::ToServer, |(_, direction)| direction),
                tuple,
                established: match (&decoded.transport, flow) {
                    (Transport::Tcp(_), _) | (_, None) => self.was_established,
                    (_, Some(flow)) => flow.state == FlowState::Established,
                },
                in_stream: self.in_stream,
                refused: self.refused,
                is_passed: self.passed || flow.is_some_and(|flow| flow.action.is_some()),
                is_opaque: carries_ip || flow.is_some_and(|flow| flow.is_encrypted),
            }));
        };
        let shown = place.and_then(|(slot, _)| self.table.show(slot, |flow| tell(Some(flow))));
        if shown.is_none() {
            tell(None);
        }
    }

    fn defragment(
        &mut self,
        frame: &Frame<'_>,
        decoded: &mut Decoded<'_>,
        out: &mut Sink<'_>,
    ) -> Option<Whole> {
        decoded.ip.as_ref()?.fragment?;
        if decoded.damages.is_invalid() {
            return None;
        }
        let scope = self.scope(decoded);
        let ts_ns = frame.ts_ns;
        let whole = self.defrag.take(decoded, scope, self.now_ns, &mut |tuple| {
            out(Event::Anomaly(None, &Anomaly::fragment(Some(tuple), ts_ns)));
        });
        self.counters.defrag = *self.defrag.counters();
        whole
    }

    /// TCP whose checksum is wrong is counted, but not read: the host will not read it either, and
    /// its bytes would take the place of those that it reads. Datagrams stand for themselves.
    fn check(&mut self, frame: &Frame<'_>, decoded: &mut Decoded<'_>) {
        if !self.config.verify_checksums || decoded.damages.is_invalid() && !frame.is_snapped() {
            return;
        }
        let Some(bad) = bad_checksum(decoded) else {
            return;
        };
        let counters = &mut self.counters;
        counters.bad_checksums = counters.bad_checksums.saturating_add(1);
        let (Checksum::Tcp, Transport::Tcp(tcp)) = (bad, &decoded.transport) else {
            return;
        };
        if self.config.verify_streams {
            counters.bad_tcp_checksums = counters.bad_tcp_checksums.saturating_add(1);
            decoded.transport = Transport::Unsound(tcp.src_port, tcp.dst_port, tcp.payload_len);
        }
    }

    fn report_damages(&mut self, decoded: &Decoded<'_>, ts_ns: u64, out: &mut Sink<'_>) {
        if decoded.damages.is_invalid() {
            self.counters.damaged = self.counters.damaged.saturating_add(1);
        }
        let tuple = ends(decoded);
        let found = tuple.filter(|_| decoded.ip.is_some_and(|ip| ip.fragment.is_none()));
        let found = found.and_then(|tuple| {
            let (slot, _) = self.table.find(&tuple, self.scope(decoded))?;
            let entry = self.table.get(slot)?;
            Some(entry.view(self.table.tuple(entry)))
        });
        for damage in decoded.damages.iter() {
            let anomaly = Anomaly::decode(damage, tuple, ts_ns);
            out(Event::Anomaly(found.as_ref(), &anomaly));
        }
    }

    /// Packets that the receiving host would not take as they stand are no part of any flow: else
    /// their bytes would be inspected in place of those that the host sees. What a capture cut
    /// short is looked at as far as it goes.
    fn is_trackable(&mut self, frame: &Frame<'_>, decoded: &Decoded<'_>) -> bool {
        let Some(ip) = &decoded.ip else {
            self.counters.not_ip = self.counters.not_ip.saturating_add(1);
            return false;
        };
        let is_sound = !decoded.damages.is_invalid() || ip.is_truncated() && frame.is_snapped();
        is_sound && ip.fragment.is_none() && !matches!(decoded.transport, Transport::Absent)
    }
}

impl Outer {
    fn of(packet: &Packet<'_>) -> Option<Self> {
        Some(Self {
            tuple: ends(packet.decoded)?,
            source: packet.source,
            depth: packet.decoded.depth,
        })
    }
}

/// A packet within a frame, as if it had come alone.
fn part_of<'a>(frame: &Frame<'_>, data: &'a [u8]) -> Frame<'a> {
    Frame {
        ts_ns: frame.ts_ns,
        link: frame.link,
        data,
        wire_len: len32(data.len()),
        way: frame.way,
    }
}

/// The ends of a packet, where it had an IP header that made sense.
pub(crate) fn ends(decoded: &Decoded<'_>) -> Option<FiveTuple> {
    let ip = decoded.ip.as_ref()?;
    let damages = &decoded.damages;
    let is_cut = damages.contains(Damage::Ipv4TruncPkt) || damages.contains(Damage::Ipv6TruncPkt);
    (!is_cut).then(|| tuple_of(ip, &decoded.transport))
}
