//! Link layers: everything in front of IP.

use super::{Damage, Decoded};
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
    /// EtherType after all VLAN tags.
    pub ethertype: u16,
}

/// VLAN identifiers (12 bits each), outermost first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Vlans {
    ids: [u16; VLANS_MAX],
    count: u8,
}

impl Vlans {
    /// The identifiers, outermost first.
    #[must_use]
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.count)).unwrap_or_default()
    }

    fn push(&mut self, id: u16) -> Result<(), Damage> {
        let slot = self
            .ids
            .get_mut(usize::from(self.count))
            .ok_or(Damage::VlanTooManyLayers)?;
        *slot = id;
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

/// Which IP decoder comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

/// Removes the link header; `None` when it carries something else than IP (ARP, LLDP, ...).
pub(super) fn strip<'a>(
    link: LinkType,
    data: &'a [u8],
    decoded: &mut Decoded<'a>,
) -> Result<Option<(Version, &'a [u8])>, Damage> {
    match link {
        LinkType::Ethernet => ethernet(data, decoded),
        LinkType::LinuxSll => {
            let kind = be16(data, 14).ok_or(Damage::SllTooSmall)?;
            by_ethertype(kind, data.get(16..).unwrap_or_default(), decoded)
        }
        LinkType::LinuxSll2 => {
            let rest = data.get(20..).ok_or(Damage::Sll2TooSmall)?;
            by_ethertype(be16(data, 0).ok_or(Damage::Sll2TooSmall)?, rest, decoded)
        }
        LinkType::Null | LinkType::Loop => loopback(data).map(Some),
        LinkType::Raw => raw(data).map(Some),
        LinkType::Ipv4 => Ok(Some((Version::V4, data))),
        LinkType::Ipv6 => Ok(Some((Version::V6, data))),
        LinkType::Other(_) => Err(Damage::LinkUnsupported),
    }
}

fn ethernet<'a>(
    data: &'a [u8],
    decoded: &mut Decoded<'a>,
) -> Result<Option<(Version, &'a [u8])>, Damage> {
    let (dst, rest) = data
        .split_first_chunk::<6>()
        .ok_or(Damage::EthernetTooSmall)?;
    let (src, rest) = rest
        .split_first_chunk::<6>()
        .ok_or(Damage::EthernetTooSmall)?;
    let ethertype = be16(rest, 0).ok_or(Damage::EthernetTooSmall)?;
    decoded.ether = Some(Ether {
        src: *src,
        dst: *dst,
        ethertype,
    });
    by_ethertype(ethertype, rest.get(2..).unwrap_or_default(), decoded)
}

/// Strips 802.1Q, 802.1ad and the older 0x9100 tags, then chooses by EtherType.
fn by_ethertype<'a>(
    first: u16,
    data: &'a [u8],
    decoded: &mut Decoded<'a>,
) -> Result<Option<(Version, &'a [u8])>, Damage> {
    let (mut ethertype, mut rest) = (first, data);
    while matches!(ethertype, 0x8100 | 0x88a8 | 0x9100) {
        let tag = be16(rest, 0).ok_or(Damage::VlanHeaderTooSmall)?;
        ethertype = be16(rest, 2).ok_or(Damage::VlanHeaderTooSmall)?;
        rest = rest.get(4..).unwrap_or_default();
        decoded.vlans.push(tag & 0x0fff)?;
    }
    if let Some(ether) = &mut decoded.ether {
        ether.ethertype = ethertype;
    }
    Ok(match ethertype {
        0x0800 => Some((Version::V4, rest)),
        0x86dd => Some((Version::V6, rest)),
        _ => None,
    })
}

/// The address family is 2 for IPv4 everywhere; for IPv6 it is 10, 24, 28 or 30 by operating
/// system. LINKTYPE_NULL writes it in the byte order of the capturing machine, so both orders are
/// tried: no family needs more than 8 bits.
fn loopback(data: &[u8]) -> Result<(Version, &[u8]), Damage> {
    let family = be32(data, 0).ok_or(Damage::NullTooSmall)?;
    let family = if family > 0xff {
        family.swap_bytes()
    } else {
        family
    };
    let rest = data.get(4..).unwrap_or_default();
    match family {
        2 => Ok((Version::V4, rest)),
        10 | 24 | 28 | 30 => Ok((Version::V6, rest)),
        _ => Err(Damage::NullUnsupportedFamily),
    }
}

fn raw(data: &[u8]) -> Result<(Version, &[u8]), Damage> {
    match data.first().map(|byte| byte >> 4) {
        Some(4) => Ok((Version::V4, data)),
        Some(6) => Ok((Version::V6, data)),
        Some(_) | None => Err(Damage::RawInvalidVersion),
    }
}
