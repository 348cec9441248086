//! Link layers: everything in front of IP.

use super::Damage;
use super::layer::Layer;
use super::walk::{Step, Walk};
use crate::bytes::{be16, be32};
use crate::frame::LinkType;

/// Most VLAN tags read; a frame with more is not inspected.
pub const VLANS_MAX: usize = 3;

/// The Ethernet header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ether {
    /// Source MAC address.
    pub src: [u8; 6],
    /// Destination MAC address.
    pub dst: [u8; 6],
    /// EtherType, in front of all tags.
    pub ethertype: u16,
}

/// VLAN identifiers (12 bits each), outermost first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Vlans {
    ids: [u16; VLANS_MAX],
    count: u8,
}

impl Vlans {
    /// None.
    pub const NONE: Self = Self {
        ids: [0; VLANS_MAX],
        count: 0,
    };

    /// These identifiers, outermost first, as many as are read.
    pub(crate) fn of(ids: impl Iterator<Item = u16>) -> Self {
        let mut vlans = Self::NONE;
        for id in ids {
            if !vlans.push(id) {
                break;
            }
        }
        vlans
    }

    /// The identifiers, outermost first.
    #[must_use]
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Whether there was room.
    pub(super) fn push(&mut self, id: u16) -> bool {
        let Some(slot) = self.ids.get_mut(usize::from(self.count)) else {
            return false;
        };
        *slot = id;
        self.count = self.count.saturating_add(1);
        true
    }
}

impl<'a> Walk<'a, '_> {
    pub(super) fn link(&mut self, link: LinkType, data: &'a [u8]) -> Step {
        match link {
            LinkType::Ethernet => self.ethernet(data),
            LinkType::LinuxSll => self.sll(data),
            LinkType::LinuxSll2 => self.sll2(data),
            LinkType::Null | LinkType::Loop => self.loopback(data),
            LinkType::Raw | LinkType::Ipv4 | LinkType::Ipv6 => self.raw(data),
            LinkType::Ppp => self.ppp(data),
            LinkType::Chdlc => self.chdlc(data),
            LinkType::GreOverIp => self.raw(data),
            LinkType::Other(_) => Err(Damage::LinkTypeUnsupported),
        }
    }

    pub(super) fn ethernet(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Ethernet)?;
        let (dst, rest) = data
            .split_first_chunk::<6>()
            .ok_or(Damage::EthernetPktTooSmall)?;
        let (src, rest) = rest
            .split_first_chunk::<6>()
            .ok_or(Damage::EthernetPktTooSmall)?;
        let ethertype = be16(rest, 0).ok_or(Damage::EthernetPktTooSmall)?;
        self.decoded.ether = Some(Ether {
            src: *src,
            dst: *dst,
            ethertype,
        });
        let rest = rest.get(2..).unwrap_or_default();
        self.carried(ethertype, rest)
    }

    /// What follows an EtherType that may be any. An IEEE 802.3 length is not known as one either, but
    /// behind it there may be IP.
    fn carried(&mut self, kind: u16, data: &'a [u8]) -> Step {
        if self.ethertype(kind, data)? {
            return Ok(());
        }
        match snap(kind, data) {
            Some((0x0800, rest)) => self.ipv4(rest),
            Some((0x86dd, rest)) => self.ipv6(rest),
            _ => Ok(()),
        }
    }

    /// What follows an EtherType; false when it is not known.
    pub(super) fn ethertype(&mut self, kind: u16, data: &'a [u8]) -> Result<bool, Damage> {
        match kind {
            0x0800 => self.ipv4(data)?,
            0x86dd => self.ipv6(data)?,
            0x8100 | 0x88a8 | 0x9100 => self.vlan(data)?,
            0x0806 => self.arp(data)?,
            0x8847 | 0x8848 => self.mpls(data)?,
            0x8863 => self.pppoe_discovery(data)?,
            0x8864 => self.pppoe_session(data)?,
            0x8903 => {
                // Cisco FabricPath: two bytes of tag, and the frame that it carries
                let frame = data.get(2..).filter(|frame| frame.len() >= ETHERNET_LEN);
                self.ethernet(frame.ok_or(Damage::DcePktTooSmall)?)?;
            }
            0x8926 => self.vntag(data)?,
            0x88e7 => self.provider_backbone(data)?,
            0x894f => self.nsh(data)?,
            _ => {
                self.note(Layer::UnknownEthertype);
                self.odd(Damage::EthernetUnknownEthertype);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A tag of IEEE 802.1Q, 802.1ad or the older 0x9100.
    pub(super) fn vlan(&mut self, data: &'a [u8]) -> Step {
        let tag = be16(data, 0).ok_or(Damage::VlanHeaderTooSmall)?;
        let kind = be16(data, 2).ok_or(Damage::VlanHeaderTooSmall)?;
        let layer = match self.decoded.vlans.ids().len() {
            0 => Layer::Vlan,
            1 => Layer::VlanQinq,
            _ => Layer::VlanQinqinq,
        };
        if !self.decoded.vlans.push(tag & 0x0fff) {
            return Err(Damage::VlanTooManyLayers);
        }
        self.enter(layer)?;
        let rest = data.get(4..).unwrap_or_default();
        if self.ethertype(kind, rest)? {
            Ok(())
        } else {
            Err(Damage::VlanUnknownType)
        }
    }

    /// VN-Tag (IEEE 802.1BR predecessor): four bytes of tag, then an EtherType.
    fn vntag(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Vntag)?;
        let kind = be16(data, 4).ok_or(Damage::VntagHeaderTooSmall)?;
        if self.ethertype(kind, data.get(6..).unwrap_or_default())? {
            Ok(())
        } else {
            Err(Damage::VntagUnknownType)
        }
    }

    /// IEEE 802.1ah: a service tag of four bytes, then the customer's frame.
    fn provider_backbone(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Ieee8021ah)?;
        let kind = be16(data, 16).ok_or(Damage::Ieee8021ahHeaderTooSmall)?;
        self.carried(kind, data.get(18..).unwrap_or_default())
    }

    fn sll(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Sll)?;
        let kind = be16(data, 14).ok_or(Damage::SllPktTooSmall)?;
        self.carried(kind, data.get(16..).unwrap_or_default())
    }

    fn sll2(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Sll2)?;
        let rest = data.get(20..).ok_or(Damage::Sll2PktTooSmall)?;
        let kind = be16(data, 0).ok_or(Damage::Sll2PktTooSmall)?;
        self.carried(kind, rest)
    }

    /// Cisco HDLC: address, control, EtherType.
    fn chdlc(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Chdlc)?;
        let kind = be16(data, 2).ok_or(Damage::ChdlcPktTooSmall)?;
        self.carried(kind, data.get(4..).unwrap_or_default())
    }

    /// The address family is 2 for IPv4 everywhere; for IPv6 it is 10, 24, 28 or 30 by operating
    /// system. LINKTYPE_NULL writes it in the byte order of the capturing machine, so both orders
    /// are tried: no family needs more than 8 bits.
    fn loopback(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Null)?;
        let family = be32(data, 0).ok_or(Damage::LtnullPktTooSmall)?;
        let family = if family > 0xff {
            family.swap_bytes()
        } else {
            family
        };
        let rest = data.get(4..).unwrap_or_default();
        match family {
            2 => self.ipv4(rest),
            10 | 24 | 28 | 30 => self.ipv6(rest),
            _ => Err(Damage::LtnullUnsupportedType),
        }
    }

    fn raw(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Raw)?;
        if data.len() < IP_LEN_MIN {
            return Err(Damage::Ipv4PktTooSmall);
        }
        self.ip(data)
    }

    /// IP of the version that the first four bits say.
    pub(super) fn ip(&mut self, data: &'a [u8]) -> Step {
        match data.first().map(|byte| byte >> 4) {
            Some(4) => self.ipv4(data),
            Some(6) => self.ipv6(data),
            Some(_) => Err(Damage::IprawInvalidIpVersion),
            None => Err(Damage::Ipv4PktTooSmall),
        }
    }
}

/// The EtherType behind an IEEE 802.3 length and an LLC/SNAP header (RFC 1042).
fn snap(length: u16, rest: &[u8]) -> Option<(u16, &[u8])> {
    if length >= 0x0600 {
        return None;
    }
    let rest = rest.strip_prefix(&[0xaa, 0xaa, 0x03, 0, 0, 0])?;
    Some((be16(rest, 0)?, rest.get(2..)?))
}

const ETHERNET_LEN: usize = 14;
const IP_LEN_MIN: usize = 20;
