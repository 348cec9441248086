//! GRE (RFC 2784, RFC 2890, RFC 1701), the GRE of PPTP (RFC 2637), and ERSPAN
//! (draft-foschiano-erspan) within it.

use super::layer::Layer;
use super::tunnel::Start;
use super::walk::{Step, Walk};
use super::{Damage, Source};
use crate::bytes::be16;

/// Most source route entries of a GRE header walked (RFC 1701 section 3.2).
const ROUTES_MAX: usize = 32;

impl<'a> Walk<'a, '_> {
    pub(super) fn gre(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Gre)?;
        let (&[flags, version, p0, p1], _) = data
            .split_first_chunk::<4>()
            .ok_or(Damage::GrePktTooSmall)?;
        let protocol = u16::from_be_bytes([p0, p1]);
        let header_len = match version & 0x07 {
            0 => version0(flags, version, data)?,
            1 => version1(flags, version, protocol, data)?,
            _ => return Err(Damage::GreWrongVersion),
        };
        let rest = data.get(header_len..).unwrap_or_default();
        let start = match protocol {
            0x0800 => Start::Ipv4,
            0x86dd => Start::Ipv6,
            0x880b => Start::Ppp,
            0x8100 => Start::Vlan,
            0x6558 => Start::Ethernet,
            0x0806 => Start::Arp,
            // without a sequence number there is no ERSPAN header either: type I
            0x88be if flags & SEQUENCE == 0 => Start::ErspanI,
            0x88be => Start::ErspanII,
            _ => return Ok(()),
        };
        self.inner(start, Source::Gre, rest);
        Ok(())
    }

    /// Type I has no header of its own.
    pub(super) fn erspan_type1(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Erspan)?;
        self.ethernet(data)
    }

    pub(super) fn erspan(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Erspan)?;
        let rest = data.get(8..).ok_or(Damage::ErspanHeaderTooSmall)?;
        let first = be16(data, 0).ok_or(Damage::ErspanHeaderTooSmall)?;
        // section 4.2: version 1 is type II
        if first >> 12 != 1 {
            return Err(Damage::ErspanUnsupportedVersion);
        }
        let vlan = first & 0x0fff;
        if vlan > 0 && !self.decoded.vlans.push(vlan) {
            return Err(Damage::ErspanTooManyVlanLayers);
        }
        self.ethernet(rest)
    }
}

fn version0(flags: u8, version: u8, data: &[u8]) -> Result<usize, Damage> {
    if flags & RECURSION != 0 {
        return Err(Damage::GreVersion0Recur);
    }
    if version & 0x78 != 0 {
        return Err(Damage::GreVersion0Flags);
    }
    let mut len = HEADER_LEN;
    for (flag, field_len) in [(CHECKSUM | ROUTING, 4), (KEY, 4), (SEQUENCE, 4)] {
        if flags & flag != 0 {
            len = len.saturating_add(field_len);
        }
    }
    if len > data.len() {
        return Err(Damage::GreVersion0HdrTooBig);
    }
    if flags & ROUTING == 0 {
        return Ok(len);
    }
    for _ in 0..ROUTES_MAX {
        let entry = data.get(len..).and_then(|rest| rest.first_chunk::<4>());
        let &[f0, f1, _, route_len] = entry.ok_or(Damage::GreVersion0MalformedSreHdr)?;
        len = len.saturating_add(4).saturating_add(usize::from(route_len));
        if len > data.len() {
            return Err(Damage::GreVersion0MalformedSreHdr);
        }
        if [f0, f1, route_len] == [0; 3] {
            return Ok(len);
        }
    }
    Err(Damage::GreVersion0MalformedSreHdr)
}

/// RFC 2637 section 4.1.
fn version1(flags: u8, version: u8, protocol: u16, data: &[u8]) -> Result<usize, Damage> {
    for (is_wrong, damage) in [
        (flags & CHECKSUM != 0, Damage::GreVersion1Chksum),
        (flags & ROUTING != 0, Damage::GreVersion1Route),
        (flags & STRICT_ROUTE != 0, Damage::GreVersion1Ssr),
        (flags & RECURSION != 0, Damage::GreVersion1Recur),
        (version & 0x78 != 0, Damage::GreVersion1Flags),
        (protocol != 0x880b, Damage::GreVersion1WrongProtocol),
        (flags & KEY == 0, Damage::GreVersion1NoKey),
    ] {
        if is_wrong {
            return Err(damage);
        }
    }
    let mut len = HEADER_LEN.saturating_add(4);
    for is_there in [flags & SEQUENCE != 0, version & ACKNOWLEDGEMENT != 0] {
        if is_there {
            len = len.saturating_add(4);
        }
    }
    if len > data.len() {
        return Err(Damage::GreVersion1HdrTooBig);
    }
    Ok(len)
}

const HEADER_LEN: usize = 4;
const CHECKSUM: u8 = 0x80;
const ROUTING: u8 = 0x40;
const KEY: u8 = 0x20;
const SEQUENCE: u8 = 0x10;
const STRICT_ROUTE: u8 = 0x08;
const RECURSION: u8 = 0x07;
const ACKNOWLEDGEMENT: u8 = 0x80;
