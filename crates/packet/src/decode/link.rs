//! Link layers: everything in front of IP.

use super::{Damage, Decoded};
use crate::bytes::{be16, be32};
use crate::frame::LinkType;

/// Most VLAN tags read; a frame with more is not inspected.
pub const VLANS_MAX: usize = 3;

/// Most MPLS labels read; a frame with more is not inspected.
pub const MPLS_LABELS_MAX: usize = 8;

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
    let rest = rest.get(2..).unwrap_or_default();
    match snap(ethertype, rest) {
        Some((kind, rest)) => by_ethertype(kind, rest, decoded),
        None => by_ethertype(ethertype, rest, decoded),
    }
}

/// The EtherType behind an IEEE 802.3 length and an LLC/SNAP header (RFC 1042).
fn snap(length: u16, rest: &[u8]) -> Option<(u16, &[u8])> {
    let is_length = length < 0x0600;
    let rest = rest.strip_prefix(&[0xaa, 0xaa, 0x03, 0, 0, 0])?;
    let kind = be16(rest, 0).filter(|_| is_length)?;
    Some((kind, rest.get(2..)?))
}

/// Strips 802.1Q, 802.1ad and the older 0x9100 tags, then chooses by EtherType: IP, or what carries
/// it (PPPoE sessions, MPLS).
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
    match ethertype {
        0x0800 => Ok(Some((Version::V4, rest))),
        0x86dd => Ok(Some((Version::V6, rest))),
        0x8847 | 0x8848 => mpls(rest),
        0x8864 => pppoe(rest),
        _ => Ok(None),
    }
}

/// A PPPoE session packet (RFC 2516 section 4): six bytes, then PPP with its two-byte protocol
/// number; `None` for PPP's own control protocols.
fn pppoe(data: &[u8]) -> Result<Option<(Version, &[u8])>, Damage> {
    let protocol = be16(data, 6).ok_or(Damage::PppoeTooSmall)?;
    let rest = data.get(8..).unwrap_or_default();
    Ok(match protocol {
        0x0021 => Some((Version::V4, rest)),
        0x0057 => Some((Version::V6, rest)),
        _ => None,
    })
}

/// MPLS (RFC 3032): labels up to the bottom of the stack. They do not say what follows, so the
/// first four bits must, as routers do it too; `None` when that is no IP version (pseudowires).
fn mpls(data: &[u8]) -> Result<Option<(Version, &[u8])>, Damage> {
    let mut rest = data;
    for _ in 0..MPLS_LABELS_MAX {
        let label = be32(rest, 0).ok_or(Damage::MplsTooSmall)?;
        rest = rest.get(4..).unwrap_or_default();
        if label & 0x0000_0100 != 0 {
            return Ok(raw(rest).ok());
        }
    }
    Err(Damage::MplsTooManyLabels)
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
