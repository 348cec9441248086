//! ARP (RFC 826) between Ethernet and IPv4.

use std::net::Ipv4Addr;

use super::layer::Layer;
use super::walk::{Step, Walk};
use crate::bytes::be16;

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
    /// The operation's name, as logged; `None` for one that is not.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        Some(match self.opcode {
            1 => "request",
            2 => "reply",
            3 => "request_reverse",
            4 => "reply_reverse",
            8 => "request_inverse",
            9 => "reply_inverse",
            10 => "arp_nak",
            _ => return None,
        })
    }

    fn read(data: &[u8]) -> Option<Self> {
        let (src_mac, rest) = data.get(8..)?.split_first_chunk::<6>()?;
        let (src, rest) = rest.split_first_chunk::<4>()?;
        let (dst_mac, rest) = rest.split_first_chunk::<6>()?;
        let (dst, _) = rest.split_first_chunk::<4>()?;
        Some(Self {
            opcode: be16(data, 6)?,
            src_mac: *src_mac,
            src: Ipv4Addr::from(*src),
            dst_mac: *dst_mac,
            dst: Ipv4Addr::from(*dst),
        })
    }
}

impl<'a> Walk<'a, '_> {
    /// ARP of other hardware or protocols, and damaged ARP, is passed over.
    pub(super) fn arp(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Arp)?;
        self.decoded.arp = Arp::read(data).filter(|arp| {
            let is_known = data.starts_with(&[0, 1, 8, 0, 6, 4]);
            is_known && arp.operation().is_some()
        });
        Ok(())
    }
}
