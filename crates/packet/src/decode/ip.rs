//! IPv4 (RFC 791) and IPv6 (RFC 8200).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Damage, Damages};
use crate::bytes::{be16, be32, len32};

/// Most IPv6 extension headers walked; a packet with more has no transport here.
pub const EXT_HEADERS_MAX: usize = 12;

/// An IP header and what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// IPv4 type of service, or IPv6 traffic class.
    pub tos: u8,
    /// The protocol after all extension headers (IANA protocol number).
    pub protocol: u8,
    /// Set when the packet is a fragment.
    pub fragment: Option<Fragment>,
    /// IPv4 options, or the IPv6 extension headers.
    pub options: &'a [u8],
    /// The whole header as captured, options or extension headers included.
    pub header: &'a [u8],
    /// The captured part of the payload, without link-layer padding.
    pub payload: &'a [u8],
    /// Length of the payload by the header, bytes; more than `payload.len()` when the packet is
    /// truncated.
    pub payload_len: u32,
}

impl Ip<'_> {
    /// Whether bytes that the header announces are missing from the frame.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.payload_len > len32(self.payload.len())
    }
}

/// Where a fragment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Identification.
    pub id: u32,
    /// Offset of the payload in the whole, bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
}

pub(super) fn decode_v4<'a>(packet: &'a [u8], damages: &mut Damages) -> Result<Ip<'a>, Damage> {
    let (head, _) = packet
        .split_first_chunk::<20>()
        .ok_or(Damage::Ipv4TooSmall)?;
    let [version_ihl, tos, .., s0, s1, s2, s3, d0, d1, d2, d3] = *head;
    if version_ihl >> 4 != 4 {
        return Err(Damage::Ipv4WrongVersion);
    }
    let header_len = usize::from(version_ihl & 0x0f).saturating_mul(4);
    if header_len < head.len() {
        return Err(Damage::Ipv4HeaderTooSmall);
    }
    let header = packet.get(..header_len).ok_or(Damage::Ipv4TooSmall)?;
    let total_len = usize::from(be16(packet, 2).unwrap_or(0));
    let payload_len = total_len
        .checked_sub(header_len)
        .ok_or(Damage::Ipv4LengthBelowHeader)?;
    let options = header.get(head.len()..).unwrap_or_default();
    if !options_sound(options) {
        damages.add(Damage::Ipv4OptionInvalid);
    }
    let ip = Ip {
        src: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        dst: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        ttl: head.get(8).copied().unwrap_or(0),
        tos,
        protocol: head.get(9).copied().unwrap_or(0),
        fragment: fragment_v4(packet),
        options,
        header,
        payload: captured(packet, header_len, payload_len),
        payload_len: len32(payload_len),
    };
    if ip.is_truncated() {
        damages.add(Damage::Ipv4Truncated);
    }
    Ok(ip)
}

pub(super) fn decode_v6<'a>(packet: &'a [u8], damages: &mut Damages) -> Result<Ip<'a>, Damage> {
    let (head, _) = packet
        .split_first_chunk::<40>()
        .ok_or(Damage::Ipv6TooSmall)?;
    let (src, rest) = head
        .get(8..)
        .and_then(<[u8]>::split_first_chunk::<16>)
        .ok_or(Damage::Ipv6TooSmall)?;
    let (dst, _) = rest.split_first_chunk::<16>().ok_or(Damage::Ipv6TooSmall)?;
    let first = be32(packet, 0).unwrap_or(0);
    if first >> 28 != 6 {
        return Err(Damage::Ipv6WrongVersion);
    }
    let announced = usize::from(be16(packet, 4).unwrap_or(0));
    let body = captured(packet, head.len(), announced);
    let chain = walk_extensions(head.get(6).copied().unwrap_or(59), body)?;
    let header_len = head.len().saturating_add(chain.len);
    let ip = Ip {
        src: IpAddr::V6(Ipv6Addr::from(*src)),
        dst: IpAddr::V6(Ipv6Addr::from(*dst)),
        ttl: head.get(7).copied().unwrap_or(0),
        tos: u8::try_from((first >> 20) & 0xff).unwrap_or(0),
        protocol: chain.protocol,
        fragment: chain.fragment,
        options: body.get(..chain.len).unwrap_or_default(),
        header: packet.get(..header_len).unwrap_or_default(),
        payload: body.get(chain.len..).unwrap_or_default(),
        payload_len: len32(announced.saturating_sub(chain.len)),
    };
    if ip.is_truncated() {
        damages.add(Damage::Ipv6Truncated);
    }
    Ok(ip)
}

/// What the chain of extension headers ends in.
struct Chain {
    protocol: u8,
    len: usize,
    fragment: Option<Fragment>,
}

fn walk_extensions(first: u8, body: &[u8]) -> Result<Chain, Damage> {
    let mut chain = Chain {
        protocol: first,
        len: 0,
        fragment: None,
    };
    for _ in 0..EXT_HEADERS_MAX {
        let rest = body.get(chain.len..).unwrap_or_default();
        let Some(len) = extension_len(chain.protocol, rest)? else {
            return Ok(chain);
        };
        if rest.len() < len {
            return Err(Damage::Ipv6ExtHeaderTruncated);
        }
        let was_fragment = chain.protocol == 44;
        chain.protocol = rest.first().copied().unwrap_or(59);
        chain.len = chain.len.saturating_add(len);
        if was_fragment {
            chain.fragment = fragment_v6(rest);
            if chain.fragment.is_some_and(|fragment| fragment.offset > 0) {
                return Ok(chain);
            }
        }
    }
    Err(Damage::Ipv6ExtHeadersTooMany)
}

/// Length of the extension header `kind`, bytes; `None` when `kind` is not one that can be walked
/// past.
fn extension_len(kind: u8, rest: &[u8]) -> Result<Option<usize>, Damage> {
    let unit = || {
        rest.get(1)
            .map(|len| usize::from(*len))
            .ok_or(Damage::Ipv6ExtHeaderTruncated)
    };
    Ok(match kind {
        // hop-by-hop, routing, destination options, mobility, HIP, shim6: 8-byte units after the
        // first
        0 | 43 | 60 | 135 | 139 | 140 => Some(unit()?.saturating_add(1).saturating_mul(8)),
        44 => Some(8),
        // the authentication header counts 4-byte units, less 2 (RFC 4302 section 2.2)
        51 => Some(unit()?.saturating_add(2).saturating_mul(4)),
        _ => None,
    })
}

/// A fragment header that says "whole packet" (RFC 6946 atomic fragment) is no fragment.
fn fragment_v6(header: &[u8]) -> Option<Fragment> {
    let word = be16(header, 2)?;
    let fragment = Fragment {
        id: be32(header, 4)?,
        offset: u32::from(word & 0xfff8),
        more: word & 1 == 1,
    };
    (fragment.more || fragment.offset > 0).then_some(fragment)
}

fn fragment_v4(packet: &[u8]) -> Option<Fragment> {
    let word = be16(packet, 6)?;
    let fragment = Fragment {
        id: u32::from(be16(packet, 4)?),
        offset: u32::from(word & 0x1fff).saturating_mul(8),
        more: word & 0x2000 != 0,
    };
    (fragment.more || fragment.offset > 0).then_some(fragment)
}

/// At most `len` bytes from `start`: link-layer padding is cut off, a truncated packet gives what
/// is there.
fn captured(packet: &[u8], start: usize, len: usize) -> &[u8] {
    let rest = packet.get(start..).unwrap_or_default();
    rest.get(..len).unwrap_or(rest)
}

/// Each option but end (0) and no-operation (1) has a length of at least 2 that stays inside the
/// header.
fn options_sound(options: &[u8]) -> bool {
    let mut rest = options;
    loop {
        match rest {
            [] | [0, ..] => return true,
            [1, tail @ ..] => rest = tail,
            [_, len, ..] if *len >= 2 => match rest.get(usize::from(*len)..) {
                Some(tail) => rest = tail,
                None => return false,
            },
            _ => return false,
        }
    }
}
