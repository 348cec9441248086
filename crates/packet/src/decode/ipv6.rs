//! IPv6 (RFC 8200).

use std::net::{IpAddr, Ipv6Addr};

use super::extension::Chain;
use super::ipv4::captured;
use super::layer::Layer;
use super::transport::Transport;
use super::tunnel::Start;
use super::walk::{Step, Walk};
use super::{Damage, Ip, Payload, Source};
use crate::bytes::{be16, be32, len32};

impl<'a> Walk<'a, '_> {
    pub(super) fn ipv6(&mut self, packet: &'a [u8]) -> Step {
        self.enter(Layer::Ipv6)?;
        if packet.len() < HEADER_LEN {
            return self.unusable();
        }
        let ip = read(packet)?;
        if ip.is_truncated() {
            self.truncated(Damage::Ipv6TruncPkt);
        }
        self.decoded.ip_start = self.offset_of(packet);
        self.decoded.ip = Some(ip);
        if ip.is_truncated() {
            return Ok(());
        }
        let mut chain = Chain::new(ip.protocol);
        let walked = chain.walk(ip.payload, &mut self.decoded.damages);
        let header_len = HEADER_LEN.saturating_add(chain.len);
        let ip = Ip {
            protocol: chain.protocol,
            fragment: chain.fragment,
            options: ip.payload.get(..chain.len).unwrap_or_default(),
            header: packet.get(..header_len).unwrap_or_default(),
            payload: ip.payload.get(chain.len..).unwrap_or_default(),
            payload_len: ip.payload_len.saturating_sub(len32(chain.len)),
            ..ip
        };
        self.decoded.ip = Some(ip);
        walked?;
        if ip.fragment.is_some() {
            return Ok(());
        }
        if chain.len > 0 && matches!(ip.protocol, 41 | 47) {
            // Suricata does not look there; what is no packet in there is not worth an event
            self.decoded.transport = Transport::Other(ip.protocol);
            self.odd(Damage::Ipv6UnknownNextHeader);
            if ip.protocol == 41 {
                self.inner(Start::Ipv6, Source::Ipv6, ip.payload);
            } else {
                self.gre(ip.payload).unwrap_or_default();
            }
            return Ok(());
        }
        self.above_ipv6(&ip, chain.named)
    }

    fn above_ipv6(&mut self, ip: &Ip<'a>, named: u8) -> Step {
        self.decoded.transport = Transport::Other(ip.protocol);
        match ip.protocol {
            6 | 17 | 50 | 132 => self.transport(Payload::of(ip)),
            58 => self.icmp6(ip),
            47 => self.gre(ip.payload),
            4 | 41 => self.in_ipv6(ip),
            1 => {
                self.has_no_protocol(named);
                self.odd(Damage::Ipv6Icmp4);
                Ok(())
            }
            59 => {
                self.has_no_protocol(named);
                if !ip.payload.is_empty() {
                    self.odd(Damage::Ipv6DataAfterNoneHeader);
                }
                Ok(())
            }
            51 => Ok(()),
            _ => {
                self.odd(Damage::Ipv6UnknownNextHeader);
                Ok(())
            }
        }
    }

    /// What follows is no protocol of IPv6: the packet is named after its last extension header.
    fn has_no_protocol(&mut self, named: u8) {
        self.decoded.transport = Transport::Other(named);
        if let Some(ip) = &mut self.decoded.ip {
            ip.protocol = named;
        }
    }

    fn in_ipv6(&mut self, ip: &Ip<'a>) -> Step {
        let is_v4 = ip.protocol == 4;
        let (len_min, version, small, wrong) = if is_v4 {
            (
                20,
                4,
                Damage::Ipv6Ipv4InIpv6TooSmall,
                Damage::Ipv6Ipv4InIpv6WrongVersion,
            )
        } else {
            (
                HEADER_LEN,
                6,
                Damage::Ipv6Ipv6InIpv6TooSmall,
                Damage::Ipv6Ipv6InIpv6WrongVersion,
            )
        };
        if ip.payload.len() < len_min {
            return Err(small);
        }
        if ip.payload.first().is_some_and(|byte| byte >> 4 != version) {
            return Err(wrong);
        }
        if is_v4 {
            self.inner(Start::Ipv4, Source::Ipv6, ip.payload);
            self.count_inner(Layer::Ipv4InIpv6);
        } else {
            self.inner(Start::Ipv6, Source::Ipv6, ip.payload);
            self.count_inner(Layer::Ipv6InIpv6);
        }
        Ok(())
    }
}

/// The fixed header; all behind it is payload.
fn read(packet: &[u8]) -> Result<Ip<'_>, Damage> {
    let (head, _) = packet
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(Damage::Ipv6PktTooSmall)?;
    let (src, rest) = head
        .get(8..)
        .and_then(<[u8]>::split_first_chunk::<16>)
        .ok_or(Damage::Ipv6PktTooSmall)?;
    let (dst, _) = rest
        .split_first_chunk::<16>()
        .ok_or(Damage::Ipv6PktTooSmall)?;
    let first = be32(packet, 0).unwrap_or(0);
    if first >> 28 != 6 {
        return Err(Damage::Ipv6WrongIpVersion);
    }
    let announced = usize::from(be16(packet, 4).unwrap_or(0));
    Ok(Ip {
        src: IpAddr::V6(Ipv6Addr::from(*src)),
        dst: IpAddr::V6(Ipv6Addr::from(*dst)),
        ttl: head.get(7).copied().unwrap_or(0),
        tos: u8::try_from((first >> 20) & 0xff).unwrap_or(0),
        protocol: head.get(6).copied().unwrap_or(59),
        fragment: None,
        options: &[],
        header: head,
        payload: captured(packet, HEADER_LEN, announced),
        payload_len: len32(announced),
    })
}

const HEADER_LEN: usize = 40;
