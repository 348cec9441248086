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
    /// The packet that an error message is about.
    pub original: Option<Original>,
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
    pub(super) fn icmp4(&mut self, ip: &Ip<'a>) -> Step {
        self.note(Layer::Icmp4);
        let mut icmp = read(ip.payload).ok_or(Damage::Icmp4PktTooSmall)?;
        let code_max = match icmp.kind {
            0 | 4 | 8 | 10 | 13..=18 => 0,
            3 => 15,
            5 => 3,
            9 => 16,
            11 => 1,
            12 => 2,
            _ => {
                self.odd(Damage::Icmp4UnknownType);
                u8::MAX
            }
        };
        if icmp.code > code_max {
            self.odd(Damage::Icmp4UnknownCode);
        } else if matches!(icmp.kind, 3 | 4 | 5 | 11 | 12) {
            icmp.original = self.original4(icmp.body.get(4..).unwrap_or_default());
        }
        self.decoded.transport = Transport::Icmp4(icmp);
        Ok(())
    }

    pub(super) fn icmp6(&mut self, ip: &Ip<'a>) -> Step {
        self.note(Layer::Icmp6);
        let mut icmp = read(ip.payload).ok_or(Damage::Icmp6PktTooSmall)?;
        let code_max = match icmp.kind {
            1 => 7,
            2 => 0,
            3 => 1,
            4 => 4,
            128 | 129 => 0,
            // multicast listener discovery: only from the link itself (RFC 2710 section 3)
            130..=132 => {
                if ip.ttl != 1 {
                    self.odd(Damage::Icmp6MldMessageWithInvalidHl);
                }
                0
            }
            133..=137 => 0,
            138 => u8::MAX,
            139 | 140 => 2,
            141..=143 => 0,
            144..=147 => 0,
            148..=155 => u8::MAX,
            100 | 101 | 200 | 201 => {
                self.odd(Damage::Icmp6ExperimentationType);
                u8::MAX
            }
            0 => {
                self.odd(Damage::Icmp6UnknownType);
                u8::MAX
            }
            5..=99 | 102..=126 | 156..=199 | 202..=254 => {
                self.odd(Damage::Icmp6UnassignedType);
                u8::MAX
            }
            _ => {
                self.odd(Damage::Icmp6UnknownType);
                u8::MAX
            }
        };
        if icmp.code > code_max {
            self.odd(Damage::Icmp6UnknownCode);
        } else if matches!(icmp.kind, 1..=4) {
            icmp.original = self.original6(icmp.body.get(4..).unwrap_or_default());
        }
        self.decoded.transport = Transport::Icmp6(icmp);
        Ok(())
    }

    fn original4(&mut self, quoted: &[u8]) -> Option<Original> {
        let Some((head, _)) = quoted.split_first_chunk::<20>() else {
            self.odd(Damage::Icmp4Ipv4TruncPkt);
            return None;
        };
        let [version_ihl, .., s0, s1, s2, s3, d0, d1, d2, d3] = *head;
        if version_ihl >> 4 != 4 {
            self.odd(Damage::Icmp4Ipv4UnknownVer);
            return None;
        }
        let header_len = usize::from(version_ihl & 0x0f).saturating_mul(4);
        let Some(rest) = quoted.get(header_len..) else {
            self.odd(Damage::Icmp4Ipv4TruncPkt);
            return None;
        };
        let protocol = head.get(9).copied().unwrap_or(0);
        Some(Original {
            src: IpAddr::from([s0, s1, s2, s3]),
            dst: IpAddr::from([d0, d1, d2, d3]),
            protocol,
            ports: ports(protocol, rest),
        })
    }

    fn original6(&mut self, quoted: &[u8]) -> Option<Original> {
        let Some((head, rest)) = quoted.split_first_chunk::<40>() else {
            self.odd(Damage::Icmp6Ipv6TruncPkt);
            return None;
        };
        if head.first().is_some_and(|byte| byte >> 4 != 6) {
            self.odd(Damage::Icmp6Ipv6UnknownVersion);
            return None;
        }
        let (src, after) = head.get(8..)?.split_first_chunk::<16>()?;
        let (dst, _) = after.split_first_chunk::<16>()?;
        let protocol = head.get(6).copied().unwrap_or(0);
        Some(Original {
            src: IpAddr::from(*src),
            dst: IpAddr::from(*dst),
            protocol,
            ports: ports(protocol, rest),
        })
    }
}

impl Icmp<'_> {
    /// The type and its answer: echo, timestamp, information, address mask, router discovery.
    pub(super) fn pair4(&self) -> (u16, u16) {
        self.pair(&[(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)])
    }

    /// Echo, multicast listener, router and neighbour discovery, node information, inverse
    /// neighbour discovery, home agent discovery, mobile prefix.
    pub(super) fn pair6(&self) -> (u16, u16) {
        self.pair(&[
            (128, 129),
            (130, 131),
            (133, 134),
            (135, 136),
            (139, 140),
            (141, 142),
            (144, 145),
            (146, 147),
        ])
    }

    fn pair(&self, pairs: &[(u8, u8)]) -> (u16, u16) {
        let answer = pairs.iter().find_map(|(question, answer)| match self.kind {
            kind if kind == *question => Some(*answer),
            kind if kind == *answer => Some(*question),
            _ => None,
        });
        (u16::from(self.kind), u16::from(answer.unwrap_or(0)))
    }
}

fn read(data: &[u8]) -> Option<Icmp<'_>> {
    let body = data.get(4..).filter(|_| data.len() >= HEADER_LEN)?;
    Some(Icmp {
        kind: data.first().copied()?,
        code: data.get(1).copied()?,
        body,
        original: None,
    })
}

fn ports(protocol: u8, rest: &[u8]) -> (u16, u16) {
    let has_ports = matches!(protocol, 6 | 17 | 132);
    let ports = be16(rest, 0).zip(be16(rest, 2)).filter(|_| has_ports);
    ports.unwrap_or_default()
}

const HEADER_LEN: usize = 8;
