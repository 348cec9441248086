//! ICMP for IPv4 (RFC 792) and for IPv6 (RFC 4443).

use std::net::IpAddr;

use super::layer::Layer;
use super::transport::Transport;
use super::walk::{Step, Walk};
use super::{Damage, Ip};
use crate::bytes::be16;

/// An ICMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp<'a> {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// What follows type, code and checksum.
    pub body: &'a [u8],
}

/// The packet that an error message is about, as far as the message quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// Its source address.
    pub src: IpAddr,
    /// Its destination address.
    pub dst: IpAddr,
    /// Its protocol (IANA number).
    pub protocol: u8,
    /// Source and destination port of TCP, UDP and SCTP; else 0 and 0.
    pub ports: (u16, u16),
}

impl<'a> Walk<'a, '_> {
    pub(super) fn icmp4(&mut self, payload: &'a [u8]) -> Step {
        self.note(Layer::Icmp4);
        let icmp = read(payload).ok_or(Damage::Icmp4PktTooSmall)?;
        self.decoded.transport = Transport::Icmp4(icmp);
        let code_max = match icmp.kind {
            0 | 4 | 8 | 12..=18 => 0,
            3 => 15,
            5 => 3,
            9 => u8::MAX,
            11 => 1,
            _ => {
                self.odd(Damage::Icmp4UnknownType);
                u8::MAX
            }
        };
        if matches!(icmp.kind, 13 | 14) && icmp.body.len() < TIMESTAMPS_LEN {
            self.odd(Damage::Icmp4Ipv4TruncPkt);
        }
        match (icmp.code > code_max, icmp.is_error4()) {
            (true, true) => return Err(Damage::Icmp4UnknownCode),
            (true, false) => self.odd(Damage::Icmp4UnknownCode),
            (false, true) => {
                if !icmp.quoted().is_empty() || icmp.kind == 4 {
                    original4(icmp.quoted())?;
                }
            }
            (false, false) => {}
        }
        Ok(())
    }

    pub(super) fn icmp6(&mut self, ip: &Ip<'a>) -> Step {
        self.note(Layer::Icmp6);
        let icmp = read(ip.payload).ok_or(Damage::Icmp6PktTooSmall)?;
        if matches!(icmp.kind, 130..=132) && ip.ttl != 1 {
            // multicast listener discovery comes from the link itself (RFC 2710 section 3)
            self.odd(Damage::Icmp6MldMessageWithInvalidHl);
        }
        let (code_max, damage) = code_max6(icmp.kind, icmp.code);
        if let Some(damage) = damage {
            self.odd(damage);
        }
        if icmp.code > code_max {
            self.odd(Damage::Icmp6UnknownCode);
        } else if matches!(icmp.kind, 1..=4) {
            self.check_original6(icmp.quoted());
        }
        self.decoded.transport = Transport::Icmp6(icmp);
        Ok(())
    }

    fn check_original6(&mut self, quoted: &[u8]) {
        match quoted.first_chunk::<40>() {
            None => self.odd(Damage::Icmp6Ipv6TruncPkt),
            Some([first, ..]) if first >> 4 != 6 => self.odd(Damage::Icmp6Ipv6UnknownVersion),
            Some(_) => {}
        }
    }
}

/// The highest code of a type, and what is wrong with types that have none.
fn code_max6(kind: u8, code: u8) -> (u8, Option<Damage>) {
    match kind {
        1 => (6, None),
        3 => (1, None),
        4 => (2, None),
        139 | 140 => (2, None),
        155 => (3, None),
        2 | 128..=137 | 141..=149 | 154 | 156..=159 => (0, None),
        138 if code == u8::MAX => (code, None),
        138 => (2, None),
        150..=153 => (u8::MAX, None),
        100 | 101 | 200 | 201 => (u8::MAX, Some(Damage::Icmp6ExperimentationType)),
        0 | 127 => (u8::MAX, Some(Damage::Icmp6UnknownType)),
        _ => (u8::MAX, Some(Damage::Icmp6UnassignedType)),
    }
}

fn original4(quoted: &[u8]) -> Result<Original, Damage> {
    let (head, _) = quoted
        .split_first_chunk::<20>()
        .ok_or(Damage::Icmp4Ipv4TruncPkt)?;
    let [version_ihl, .., s0, s1, s2, s3, d0, d1, d2, d3] = *head;
    if version_ihl >> 4 != 4 {
        return Err(Damage::Icmp4Ipv4UnknownVer);
    }
    let header_len = usize::from(version_ihl & 0x0f).saturating_mul(4);
    let protocol = head.get(9).copied().unwrap_or(0);
    Ok(Original {
        src: IpAddr::from([s0, s1, s2, s3]),
        dst: IpAddr::from([d0, d1, d2, d3]),
        protocol,
        ports: ports(protocol, quoted.get(header_len..).unwrap_or_default()),
    })
}

impl<'a> Icmp<'a> {
    /// The packet that an ICMPv4 error message is about.
    #[must_use]
    pub fn original4(&self) -> Option<Original> {
        self.is_error4().then(|| original4(self.quoted()).ok())?
    }

    /// Whether it is an ICMPv4 error message: one about another packet.
    #[must_use]
    pub fn is_error4(&self) -> bool {
        matches!(self.kind, 3 | 4 | 5 | 11 | 12)
    }

    /// What an error message quotes of a packet.
    fn quoted(&self) -> &'a [u8] {
        self.body.get(4..).unwrap_or_default()
    }

    pub(super) fn pair(&self, types: Types) -> (u16, u16) {
        pair(types, self.kind)
    }
}

/// Types of messages that answer each other, the question first.
pub(crate) type Types = &'static [(u8, u8)];

/// Echo, timestamp, information, address mask, router discovery.
pub(crate) const TYPES4: Types = &[(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)];

/// Echo, multicast listener, router and neighbour discovery, node information, inverse neighbour
/// discovery, home agent discovery, mobile prefix.
pub(crate) const TYPES6: Types = &[
    (128, 129),
    (130, 131),
    (133, 134),
    (135, 136),
    (139, 140),
    (141, 142),
    (144, 145),
    (146, 147),
];

/// A type, and the one that it answers or is answered by; 0 where there is none.
pub(crate) fn pair(types: Types, kind: u8) -> (u16, u16) {
    let other = types.iter().find_map(|(question, answer)| match kind {
        kind if kind == *question => Some(*answer),
        kind if kind == *answer => Some(*question),
        _ => None,
    });
    (u16::from(kind), u16::from(other.unwrap_or(0)))
}

fn read(data: &[u8]) -> Option<Icmp<'_>> {
    let body = data.get(4..).filter(|_| data.len() >= HEADER_LEN)?;
    Some(Icmp {
        kind: data.first().copied()?,
        code: data.get(1).copied()?,
        body,
    })
}

fn ports(protocol: u8, rest: &[u8]) -> (u16, u16) {
    let has_ports = matches!(protocol, 6 | 17 | 132);
    let ports = be16(rest, 0).zip(be16(rest, 2)).filter(|_| has_ports);
    ports.unwrap_or_default()
}

/// Identifier, sequence number and three timestamps.
const TIMESTAMPS_LEN: usize = 16;
const HEADER_LEN: usize = 8;
