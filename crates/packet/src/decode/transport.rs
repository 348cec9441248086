//! TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260) and ESP (RFC 4303).

use super::icmp::{Icmp, TYPES4, TYPES6};
use super::layer::Layer;
use super::tcp::{self, Tcp};
use super::walk::{Step, Walk};
use super::{Damage, Payload};
use crate::bytes::{be16, be32};

/// What IP carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport<'a> {
    /// Nothing that could be read.
    Absent,
    /// ESP, by its security parameters index.
    Esp(u32),
    /// ICMP for IPv4.
    Icmp4(Icmp<'a>),
    /// ICMP for IPv6.
    Icmp6(Icmp<'a>),
    /// A protocol not decoded further, by its number.
    Other(u8),
    /// SCTP, by its source and destination port.
    Sctp(u16, u16),
    /// TCP.
    Tcp(Tcp<'a>),
    /// UDP.
    Udp(Udp<'a>),
    /// TCP whose checksum is wrong, by source port, destination port and length of the
    /// payload, bytes: its receiver will not take it.
    Unsound(u16, u16, u32),
}

impl Transport<'_> {
    /// Source and destination port; 0 and 0 where there are none. ICMP has its type, and the type
    /// that answers it, so that a question and its answer have one pair.
    #[must_use]
    pub fn ports(&self) -> (u16, u16) {
        match self {
            Self::Tcp(tcp) => (tcp.src_port, tcp.dst_port),
            Self::Udp(udp) => (udp.src_port, udp.dst_port),
            Self::Sctp(src, dst) | Self::Unsound(src, dst, _) => (*src, *dst),
            Self::Icmp4(icmp) => icmp.pair(TYPES4),
            Self::Icmp6(icmp) => icmp.pair(TYPES6),
            Self::Absent | Self::Esp(_) | Self::Other(_) => (0, 0),
        }
    }

    /// Whether it has ports, and they could be read.
    #[must_use]
    pub fn has_ports(&self) -> bool {
        match self {
            Self::Sctp(..) | Self::Tcp(_) | Self::Udp(_) | Self::Unsound(..) => true,
            Self::Absent | Self::Esp(_) | Self::Icmp4(_) | Self::Icmp6(_) | Self::Other(_) => false,
        }
    }

    /// Type and code of ICMP.
    #[must_use]
    pub fn icmp(&self) -> Option<(u8, u8)> {
        match self {
            Self::Icmp4(icmp) | Self::Icmp6(icmp) => Some((icmp.kind, icmp.code)),
            Self::Absent
            | Self::Esp(_)
            | Self::Other(_)
            | Self::Sctp(..)
            | Self::Tcp(_)
            | Self::Udp(_)
            | Self::Unsound(..) => None,
        }
    }
}

/// A UDP datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Udp<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Captured payload.
    pub payload: &'a [u8],
    /// Length of the payload by the UDP header, bytes.
    pub payload_len: u32,
}

impl<'a> Walk<'a, '_> {
    pub(super) fn transport(&mut self, ip: Payload<'a>) -> Step {
        match ip.protocol {
            6 => {
                self.note(Layer::Tcp);
                self.decoded.transport = Transport::Tcp(tcp::read(ip, &mut self.decoded.damages)?);
            }
            17 => {
                self.note(Layer::Udp);
                let udp = udp(ip)?;
                self.decoded.transport = Transport::Udp(udp);
                self.udp_tunnel(&udp);
            }
            50 => {
                self.note(Layer::Esp);
                let spi = be32(ip.bytes, 0).filter(|_| ip.bytes.len() >= 8);
                self.decoded.transport = Transport::Esp(spi.ok_or(Damage::EspPktTooSmall)?);
            }
            _ => {
                self.note(Layer::Sctp);
                let (&[s0, s1, d0, d1, ..], _) = ip
                    .bytes
                    .split_first_chunk::<12>()
                    .ok_or(Damage::SctpPktTooSmall)?;
                self.decoded.transport =
                    Transport::Sctp(u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
            }
        }
        Ok(())
    }
}

fn udp<'a>(ip: Payload<'a>) -> Result<Udp<'a>, Damage> {
    let (head, rest) = ip
        .bytes
        .split_first_chunk::<8>()
        .ok_or(Damage::UdpHlenTooSmall)?;
    let announced = u32::from(be16(head, 4).unwrap_or(0));
    let by_ip = ip.len.saturating_sub(8);
    let payload_len = announced.checked_sub(8).ok_or(Damage::UdpLenInvalid)?;
    if payload_len > by_ip {
        return Err(Damage::UdpPktTooSmall);
    }
    Ok(Udp {
        src_port: be16(head, 0).unwrap_or(0),
        dst_port: be16(head, 2).unwrap_or(0),
        payload: usize::try_from(payload_len)
            .ok()
            .and_then(|len| rest.get(..len))
            .unwrap_or(rest),
        payload_len,
    })
}
