//! By which ends a packet's flow is found.

use std::net::{IpAddr, Ipv4Addr};

use crate::bytes::be16;
use crate::decode::{Decoded, Icmp, Ip, Transport};
use crate::flow::{FiveTuple, Proto};

/// The ends of the packet that an ICMP error is about: the error is a packet of that one's flow.
pub(super) fn about_packet(decoded: &Decoded<'_>) -> Option<FiveTuple> {
    match &decoded.transport {
        Transport::Icmp4(message) => about(message),
        Transport::Icmp6(_)
        | Transport::Absent
        | Transport::Tcp(_)
        | Transport::Udp(_)
        | Transport::Other(_) => None,
    }
}

/// The ends of a packet, its sender first. In the place of ports, ICMP messages have their type and
/// the type of what answers them.
pub(super) fn keyed(decoded: &Decoded<'_>, tuple: FiveTuple) -> FiveTuple {
    let (message, is_v4) = match &decoded.transport {
        Transport::Icmp4(icmp) => (icmp, true),
        Transport::Icmp6(icmp) => (icmp, false),
        Transport::Absent | Transport::Tcp(_) | Transport::Udp(_) | Transport::Other(_) => {
            return tuple;
        }
    };
    let answer = match is_v4 {
        true => answer_v4(message.kind),
        false => answer_v6(message.kind),
    };
    FiveTuple {
        src_port: u16::from(message.kind),
        dst_port: answer.map_or(NO_ANSWER, u16::from),
        ..tuple
    }
}

/// Whether packets of the protocol make flows for other sensors, too.
pub(super) fn makes_field_flows(ip: &Ip<'_>) -> bool {
    match ip.protocol {
        // ICMP, TCP, UDP, ESP, ICMPv6, SCTP
        1 | 6 | 17 | 50 | 58 | 132 => true,
        // IP in IPv6
        4 | 41 => ip.src.is_ipv6(),
        _ => false,
    }
}

/// The packet that an ICMP error is about, from its receiver to its sender: so the error goes the
/// other way than the packet.
fn about(message: &Icmp<'_>) -> Option<FiveTuple> {
    if !matches!(message.kind, UNREACHABLE | QUENCH | TIME_EXCEEDED | PROBLEM) {
        return None;
    }
    let packet = message.body.get(4..)?;
    let (head, _) = packet.split_first_chunk::<20>()?;
    let [first, ..] = *head;
    let header_len = usize::from(first & 0x0f).saturating_mul(4);
    if first >> 4 != 4 || header_len < head.len() {
        return None;
    }
    let [.., a, b, c, d, e, f, g, h] = *head;
    let proto = Proto::from_number(*head.get(9)?);
    if !matches!(proto, Proto::Tcp | Proto::Udp) {
        return None;
    }
    let ports = packet.get(header_len..)?;
    Some(FiveTuple {
        src: IpAddr::V4(Ipv4Addr::new(e, f, g, h)),
        src_port: be16(ports, 2)?,
        dst: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        dst_port: be16(ports, 0)?,
        proto,
    })
}

/// RFC 792.
const UNREACHABLE: u8 = 3;
const QUENCH: u8 = 4;
const TIME_EXCEEDED: u8 = 11;
const PROBLEM: u8 = 12;

/// In the place of an answer's type, where nothing answers.
const NO_ANSWER: u16 = 0x100;

/// The type of the message that answers one (RFC 792, RFC 950, RFC 1256).
fn answer_v4(kind: u8) -> Option<u8> {
    pair_of(kind, &[(8, 0), (10, 9), (13, 14), (15, 16), (17, 18)])
}

/// The same of ICMPv6 (RFC 4443, RFC 4861, RFC 4620, RFC 6275, RFC 2710).
fn answer_v6(kind: u8) -> Option<u8> {
    let pairs = [
        (128, 129),
        (130, 131),
        (133, 134),
        (135, 136),
        (139, 140),
        (144, 145),
    ];
    pair_of(kind, &pairs)
}

fn pair_of(kind: u8, pairs: &[(u8, u8)]) -> Option<u8> {
    pairs.iter().find_map(|&(ask, answer)| match kind {
        kind if kind == ask => Some(answer),
        kind if kind == answer => Some(ask),
        _ => None,
    })
}
