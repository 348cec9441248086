//! Internet checksums (RFC 1071).

use std::net::IpAddr;

use super::{Decoded, Transport};
use crate::bytes::{be16, len32};

/// Whether the IPv4 header checksum and the TCP, UDP or ICMPv6 checksum hold. Truncated packets and
/// fragments are judged by their IPv4 header alone; a UDP checksum of zero over IPv4 means "none"
/// and holds.
#[must_use]
pub fn checksums_valid(decoded: &Decoded<'_>) -> bool {
    let Some(ip) = &decoded.ip else { return true };
    if ip.src.is_ipv4() && fold(sum(ip.header, 0)) != 0xffff {
        return false;
    }
    if ip.is_truncated() || ip.fragment.is_some() {
        return true;
    }
    match decoded.transport {
        Transport::Absent | Transport::Other(_) => true,
        Transport::Icmp4(_) => fold(sum(ip.payload, 0)) == 0xffff,
        Transport::Udp(_) if ip.src.is_ipv4() && be16(ip.payload, 6) == Some(0) => true,
        Transport::Icmp6(_) | Transport::Tcp(_) | Transport::Udp(_) => {
            let pseudo = pseudo_header(ip.src, ip.dst, ip.protocol, len32(ip.payload.len()));
            fold(sum(ip.payload, pseudo)) == 0xffff
        }
    }
}

fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, len: u32) -> u64 {
    let start = u64::from(protocol).wrapping_add(u64::from(len));
    sum_address(dst, sum_address(src, start))
}

fn sum_address(address: IpAddr, start: u64) -> u64 {
    match address {
        IpAddr::V4(v4) => sum(&v4.octets(), start),
        IpAddr::V6(v6) => sum(&v6.octets(), start),
    }
}

fn sum(data: &[u8], start: u64) -> u64 {
    let (pairs, odd) = data.as_chunks::<2>();
    let total = pairs.iter().fold(start, |total, pair| {
        total.wrapping_add(u64::from(u16::from_be_bytes(*pair)))
    });
    odd.iter().fold(total, |total, byte| {
        total.wrapping_add(u64::from(*byte) << 8)
    })
}

fn fold(mut total: u64) -> u64 {
    while total > 0xffff {
        total = (total & 0xffff).wrapping_add(total >> 16);
    }
    total
}
