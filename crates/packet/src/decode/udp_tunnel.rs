//! VXLAN (RFC 7348), Geneve (RFC 8926) and Teredo (RFC 4380): packets in UDP.

use super::layer::Layer;
use super::options::Ports;
use super::transport::Udp;
use super::tunnel::Start;
use super::walk::Walk;
use super::{Damage, Source};
use crate::bytes::be16;

impl<'a> Walk<'a, '_> {
    /// Whether the datagram is nothing but a tunnel: its flow is not inspected then.
    pub(super) fn udp_tunnel(&mut self, udp: &Udp<'a>) {
        let options = self.options;
        let has = |ports: Option<Ports>, port: u16| ports.is_some_and(|ports| ports.has(port));
        let at_either = |ports: Option<Ports>| has(ports, udp.src_port) || has(ports, udp.dst_port);
        if at_either(options.teredo) && self.teredo(udp.payload) {
            return;
        }
        if has(options.vxlan, udp.dst_port) {
            self.vxlan(udp.payload);
        } else if has(options.geneve, udp.dst_port) {
            self.geneve(udp.payload);
        }
    }

    /// RFC 7348 section 5: flags with the I bit set, network identifier, and an Ethernet frame.
    fn vxlan(&mut self, data: &'a [u8]) {
        let Some((&[flags, .., reserved], frame)) = data.split_first_chunk::<8>() else {
            return;
        };
        if flags & 0x08 == 0 || reserved != 0 || frame.len() < ETHERNET_LEN {
            return;
        }
        self.note(Layer::Vxlan);
        let start = match be16(frame, 12).unwrap_or(0) {
            0x0800 => Start::Ipv4,
            0x86dd => Start::Ipv6,
            0x8100 | 0x88a8 => Start::Vlan,
            0x0806 => return,
            _ => return self.odd(Damage::VxlanUnknownPayloadType),
        };
        let rest = frame.get(ETHERNET_LEN..).unwrap_or_default();
        self.inner(start, Source::Vxlan, rest);
    }

    /// RFC 8926 section 3.4: version 0, options in units of four bytes, protocol.
    fn geneve(&mut self, data: &'a [u8]) {
        let Some((&[first, flags, p0, p1, .., reserved], rest)) = data.split_first_chunk::<8>()
        else {
            return;
        };
        let options_len = usize::from(first & 0x3f).saturating_mul(4);
        let Some((options, payload)) = rest.split_at_checked(options_len) else {
            return;
        };
        let is_reserved_zero = flags & 0x3f == 0 && reserved == 0;
        let is_sound = first >> 6 == 0 && is_reserved_zero && are_whole(options);
        if !is_sound || payload.len() < ETHERNET_LEN {
            return;
        }
        self.note(Layer::Geneve);
        let start = match u16::from_be_bytes([p0, p1]) {
            0x6558 => Start::Ethernet,
            0x0800 => Start::Ipv4,
            0x86dd => Start::Ipv6,
            0x0806 => Start::Arp,
            _ => return self.odd(Damage::GeneveUnknownPayloadType),
        };
        self.inner(start, Source::Geneve, payload);
    }

    /// RFC 4380 section 5.1: perhaps an origin indication, then IPv6 of
    /// exactly the length that is left.
    fn teredo(&mut self, data: &'a [u8]) -> bool {
        let mut rest = data;
        if let [0, 0, ..] = rest {
            rest = rest.get(8..).unwrap_or_default();
        }
        let is_ipv6 = rest.first().is_some_and(|byte| byte >> 4 == 6);
        let announced = usize::from(be16(rest, 4).unwrap_or(0));
        if !is_ipv6 || rest.len() != announced.saturating_add(IPV6_LEN) {
            return false;
        }
        self.note(Layer::Teredo);
        self.inner(Start::Ipv6, Source::Teredo, rest);
        true
    }
}

/// Options of a Geneve header have a header of four bytes and a length in units of four (section 3.5).
fn are_whole(options: &[u8]) -> bool {
    let mut rest = options;
    for _ in 0..GENEVE_OPTIONS_MAX {
        let Some(&[_, _, _, len]) = rest.first_chunk::<4>() else {
            break;
        };
        let len = usize::from(len & 0x1f).saturating_mul(4).saturating_add(4);
        match rest.get(len..) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Most options of a Geneve header: as many as have room.
const GENEVE_OPTIONS_MAX: usize = 63;
const ETHERNET_LEN: usize = 14;
const IPV6_LEN: usize = 40;
