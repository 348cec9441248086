//! ARP (RFC 826) between Ethernet and IPv4.

use std::net::Ipv4Addr;

use super::Damage;
use super::layer::Layer;
use super::walk::{Step, Walk};

/// An ARP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// What it asks or says (IANA operation code).
    pub opcode: u16,
    /// MAC address of the sender.
    pub src_mac: [u8; 6],
    /// IPv4 address of the sender.
    pub src: Ipv4Addr,
    /// MAC address of the target.
    pub dst_mac: [u8; 6],
    /// IPv4 address of the target.
    pub dst: Ipv4Addr,
}

impl Arp {
    /// The operation's name, as logged; `None` for one that other sensors do not look at.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        Some(match self.opcode {
            1 => "request",
            2 => "reply",
            3 => "request_reverse",
            4 => "reply_reverse",
            _ => return None,
        })
    }

    fn read(data: &[u8]) -> Result<Self, Damage> {
        let (&[h0, h1, p0, p1, hardware_len, protocol_len, o0, o1], rest) = data
            .split_first_chunk::<8>()
            .ok_or(Damage::ArpPktTooSmall)?;
        if [h0, h1] != [0, 1] {
            return Err(Damage::ArpUnsupportedHardware);
        }
        if [p0, p1] != [8, 0] {
            return Err(Damage::ArpUnsupportedProtocol);
        }
        let arp = Self::of(u16::from_be_bytes([o0, o1]), rest).ok_or(Damage::ArpInvalidPkt)?;
        if hardware_len != 6 {
            return Err(Damage::ArpInvalidHardwareSize);
        }
        if protocol_len != 4 {
            return Err(Damage::ArpInvalidProtocolSize);
        }
        match arp.operation() {
            Some(_) => Ok(arp),
            None => Err(Damage::ArpUnsupportedOpcode),
        }
    }

    fn of(opcode: u16, addresses: &[u8]) -> Option<Self> {
        let (src_mac, rest) = addresses.split_first_chunk::<6>()?;
        let (src, rest) = rest.split_first_chunk::<4>()?;
        let (dst_mac, rest) = rest.split_first_chunk::<6>()?;
        let (dst, _) = rest.split_first_chunk::<4>()?;
        Some(Self {
            opcode,
            src_mac: *src_mac,
            src: Ipv4Addr::from(*src),
            dst_mac: *dst_mac,
            dst: Ipv4Addr::from(*dst),
        })
    }
}

impl<'a> Walk<'a, '_> {
    pub(super) fn arp(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Arp)?;
        self.decoded.arp = Some(Arp::read(data)?);
        Ok(())
    }
}
