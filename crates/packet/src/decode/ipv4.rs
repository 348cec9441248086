//! IPv4 (RFC 791) and its options.

use std::net::{IpAddr, Ipv4Addr};

use super::layer::Layer;
use super::transport::Transport;
use super::tunnel::Start;
use super::walk::{Step, Walk};
use super::{Damage, Damages, Fragment, Ip, Payload, Source};
use crate::bytes::{be16, len32};

/// Most IPv4 options walked; the header has room for 40 bytes of them.
const OPTIONS_MAX: usize = 40;

impl<'a> Walk<'a, '_> {
    pub(super) fn ipv4(&mut self, packet: &'a [u8]) -> Step {
        self.enter(Layer::Ipv4)?;
        let ip = read(packet, &mut self.decoded.damages)?;
        self.decoded.ip_start = self.offset_of(packet);
        self.decoded.ip = Some(ip);
        if ip.is_truncated() {
            // what a capture cut short is looked at as far as it goes; who cut it, the sensor knows
            self.truncated(Damage::Ipv4TruncPkt);
        }
        if ip.fragment.is_some() {
            return Ok(());
        }
        match ip.protocol {
            6 | 17 | 50 | 132 => self.transport(Payload::of(&ip)),
            1 => self.icmp4(ip.payload),
            47 => {
                self.decoded.transport = Transport::Other(47);
                self.gre(ip.payload)
            }
            4 => {
                self.decoded.transport = Transport::Other(4);
                self.inner(Start::Ipv4, Source::Ipv4, ip.payload);
                self.count_inner(Layer::Ipv4InIpv4);
                Ok(())
            }
            41 => {
                self.decoded.transport = Transport::Other(41);
                self.inner(Start::Ipv6, Source::Ipv4, ip.payload);
                self.count_inner(Layer::Ipv6InIpv4);
                Ok(())
            }
            58 => Err(Damage::Ipv4Icmp6),
            other => {
                self.decoded.transport = Transport::Other(other);
                Ok(())
            }
        }
    }

    /// The frame ends before the packet does.
    pub(super) fn truncated(&mut self, damage: Damage) {
        self.decoded.damages.add_invalid(damage);
    }
}

fn read<'a>(packet: &'a [u8], damages: &mut Damages) -> Result<Ip<'a>, Damage> {
    let (head, _) = packet
        .split_first_chunk::<20>()
        .ok_or(Damage::Ipv4PktTooSmall)?;
    let [
        version_ihl,
        tos,
        l0,
        l1,
        _,
        _,
        _,
        _,
        ttl,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = *head;
    if version_ihl >> 4 != 4 {
        return Err(Damage::Ipv4WrongIpVersion);
    }
    let header_len = usize::from(version_ihl & 0x0f).saturating_mul(4);
    if header_len < head.len() {
        return Err(Damage::Ipv4HlenTooSmall);
    }
    let total_len = usize::from(u16::from_be_bytes([l0, l1]));
    let payload_len = total_len
        .checked_sub(header_len)
        .ok_or(Damage::Ipv4IplenSmallerThanHlen)?;
    let header = packet.get(..header_len).ok_or(Damage::Ipv4TruncPkt)?;
    let options = header.get(head.len()..).unwrap_or_default();
    if !options.is_empty() && packet.len() >= total_len {
        check_options(options, damages)?;
    }
    Ok(Ip {
        src: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        dst: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        ttl,
        tos,
        protocol,
        fragment: fragment(packet, protocol),
        options,
        header,
        payload: captured(packet, header_len, payload_len),
        payload_len: len32(payload_len),
    })
}

fn fragment(packet: &[u8], protocol: u8) -> Option<Fragment> {
    let word = be16(packet, 6)?;
    if word & 0x3fff == 0 {
        return None;
    }
    Some(Fragment {
        id: u32::from(be16(packet, 4)?),
        offset: u32::from(word & 0x1fff).saturating_mul(8),
        more: word & 0x2000 != 0,
        protocol,
        protocol_at: 9,
    })
}

/// At most `len` bytes from `start`: link-layer padding is cut off, a truncated packet gives what
/// is there.
pub(super) fn captured(packet: &[u8], start: usize, len: usize) -> &[u8] {
    let rest = packet.get(start..).unwrap_or_default();
    rest.get(..len).unwrap_or(rest)
}

/// Says what is wrong with the options: each but end (0) and no-operation (1) has a length that
/// counts kind and length too.
fn check_options(options: &[u8], damages: &mut Damages) -> Result<(), Damage> {
    if !options.len().is_multiple_of(8) {
        damages.add(Damage::Ipv4OptPadRequired);
    }
    let (mut rest, mut seen) = (options, 0_u16);
    for _ in 0..OPTIONS_MAX {
        let (kind, option) = match rest {
            [] | [0, ..] => return Ok(()),
            [1, after @ ..] => {
                rest = after;
                continue;
            }
            [_] => {
                damages.add(Damage::Ipv4OptEolRequired);
                return Ok(());
            }
            [kind, len, ..] => match rest.get(..usize::from(*len)) {
                Some(option) if *len >= 2 => (*kind, option),
                _ => return Err(Damage::Ipv4OptInvalidLen),
            },
        };
        rest = rest.get(option.len()..).unwrap_or_default();
        let Some(bit) = KNOWN.iter().position(|known| *known == kind) else {
            damages.add(Damage::Ipv4OptInvalid);
            continue;
        };
        let bit = 1_u16 << bit;
        if seen & bit != 0 {
            damages.add(Damage::Ipv4OptDuplicate);
        } else if let Some(damage) = option_damage(kind, option) {
            damages.add(damage);
        } else {
            seen |= bit;
        }
    }
    Ok(())
}

/// Record route, quick start, timestamp, security, loose route, extended security, CIPSO, stream
/// identifier, strict route, router alert (IANA IP option numbers).
const KNOWN: [u8; 10] = [7, 25, 68, 130, 131, 133, 134, 136, 137, 148];

fn option_damage(kind: u8, option: &[u8]) -> Option<Damage> {
    let len = option.len();
    let wrong_len = |is_wrong: bool| is_wrong.then_some(Damage::Ipv4OptInvalidLen);
    match kind {
        // RFC 791: length, pointer, and addresses of four bytes
        7 | 131 | 137 => wrong_len(len < 3).or_else(|| {
            let pointer = usize::from(*option.get(2)?);
            let is_within = (4..=len.saturating_add(1)).contains(&pointer);
            let is_sound = is_within && pointer.is_multiple_of(4);
            (!is_sound).then_some(Damage::Ipv4OptMalformed)
        }),
        68 => wrong_len(len < 5).or_else(|| timestamp_damage(option)),
        25 => wrong_len(len < 8),
        130 | 133 => wrong_len(len < 3),
        134 => wrong_len(len < 10).or_else(|| cipso_damage(option)),
        136 | 148 => wrong_len(len != 4),
        _ => None,
    }
}

/// RFC 791 section 3.1: the flag says whether addresses stand beside the times.
fn timestamp_damage(option: &[u8]) -> Option<Damage> {
    let &[_, _, pointer, flags] = option.first_chunk::<4>()?;
    let entry_len = if matches!(flags & 0x0f, 1 | 3) { 8 } else { 4 };
    let pointer = usize::from(pointer);
    let is_within = (5..=option.len().saturating_add(1)).contains(&pointer);
    let is_sound = is_within && pointer.saturating_sub(5).is_multiple_of(entry_len);
    (!is_sound).then_some(Damage::Ipv4OptMalformed)
}

/// FIPS 188: a domain of interpretation, then tags with a length each; some have a byte of zero for
/// alignment.
fn cipso_damage(option: &[u8]) -> Option<Damage> {
    let mut tags = option.get(6..)?;
    for _ in 0..OPTIONS_MAX {
        if tags.is_empty() {
            return None;
        }
        let Some([tag, len, alignment]) = tags.first_chunk::<3>().copied() else {
            return Some(Damage::Ipv4OptMalformed);
        };
        let is_known = match tag {
            1 | 2 | 5 | 6 => alignment == 0,
            7 => true,
            _ => false,
        };
        match tags.get(usize::from(len)..) {
            Some(after) if len >= 4 && is_known => tags = after,
            _ => return Some(Damage::Ipv4OptMalformed),
        }
    }
    None
}
