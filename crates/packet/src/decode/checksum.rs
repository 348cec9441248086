//! Internet checksums (RFC 1071).

use std::net::IpAddr;

use super::{Decoded, Ip, Transport};
use crate::bytes::{be16, len32};

/// A checksum that a packet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// Of the IPv4 header.
    Ipv4,
    /// Of ICMP, for IPv4 or IPv6.
    Icmp,
    /// Of TCP.
    Tcp,
    /// Of UDP.
    Udp,
}

/// Whether the IPv4 header checksum and the TCP, UDP or ICMP checksum hold.
#[must_use]
pub fn checksums_valid(decoded: &Decoded<'_>) -> bool {
    bad_checksum(decoded).is_none()
}

/// A checksum that does not hold, the transport's first. Truncated packets and fragments are judged
/// by their IPv4 header alone; a UDP checksum of zero over IPv4 means "none" and holds.
#[must_use]
pub fn bad_checksum(decoded: &Decoded<'_>) -> Option<Checksum> {
    let ip = decoded.ip.as_ref()?;
    let is_whole = !ip.is_truncated() && ip.fragment.is_none();
    let transport = transport_checksum(ip, &decoded.transport).filter(|_| is_whole);
    if let Some((kind, _)) = transport.filter(|(_, sum)| fold(*sum) != 0xffff) {
        return Some(kind);
    }
    (ip.src.is_ipv4() && fold(sum(ip.header, 0)) != 0xffff).then_some(Checksum::Ipv4)
}

/// Whether a checksum of the packet holds; none where it has no such checksum, or is not whole.
#[must_use]
pub fn checksum_holds(decoded: &Decoded<'_>, checksum: Checksum) -> Option<bool> {
    let ip = decoded.ip.as_ref()?;
    if checksum == Checksum::Ipv4 {
        return ip.src.is_ipv4().then(|| fold(sum(ip.header, 0)) == 0xffff);
    }
    if let Transport::Unsound(..) = decoded.transport {
        return (checksum == Checksum::Tcp).then_some(false);
    }
    let is_whole = !ip.is_truncated() && ip.fragment.is_none();
    let (kind, sum) = transport_checksum(ip, &decoded.transport).filter(|_| is_whole)?;
    (kind == checksum).then(|| fold(sum) == 0xffff)
}

/// Which checksum the transport has, and the sum over what it covers.
fn transport_checksum(ip: &Ip<'_>, transport: &Transport<'_>) -> Option<(Checksum, u64)> {
    let pseudo = || pseudo_header(ip.src, ip.dst, ip.protocol, len32(ip.payload.len()));
    match transport {
        Transport::Absent
        | Transport::Esp(_)
        | Transport::Other(_)
        | Transport::Sctp(..)
        | Transport::Unsound(..) => None,
        Transport::Icmp4(_) => Some((Checksum::Icmp, sum(ip.payload, 0))),
        Transport::Icmp6(_) => Some((Checksum::Icmp, sum(ip.payload, pseudo()))),
        Transport::Tcp(_) => Some((Checksum::Tcp, sum(ip.payload, pseudo()))),
        Transport::Udp(_) if ip.src.is_ipv4() && be16(ip.payload, 6) == Some(0) => None,
        // the UDP length may be less than what IP carries
        Transport::Udp(udp) => {
            let len = udp.payload_len.saturating_add(8);
            let covered = usize::try_from(len)
                .ok()
                .and_then(|len| ip.payload.get(..len))?;
            let pseudo = pseudo_header(ip.src, ip.dst, ip.protocol, len);
            Some((Checksum::Udp, sum(covered, pseudo)))
        }
    }
}

/// The checksum of a header whose checksum field is zero.
pub(crate) fn header_checksum(header: &[u8]) -> u16 {
    !u16::try_from(fold(sum(header, 0))).unwrap_or(u16::MAX)
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

/// The sum of 16-bit words, with the carries left in the top. Eight bytes at a time, in the order of
/// this machine: the sum of swapped words is the swapped sum (RFC 1071, section 2 (B)).
fn sum(data: &[u8], start: u64) -> u64 {
    let (eights, rest) = data.as_chunks::<8>();
    let swapped = eights.iter().fold(0_u64, |total, eight| {
        let eight = u64::from_ne_bytes(*eight);
        total
            .wrapping_add(eight & 0xffff_ffff)
            .wrapping_add(eight >> 32)
    });
    let whole = u16::from_be(u16::try_from(fold(swapped)).unwrap_or(u16::MAX));
    let (pairs, odd) = rest.as_chunks::<2>();
    let pairs = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    let odd = odd.iter().map(|byte| u16::from_be_bytes([*byte, 0]));
    let words = pairs.chain(odd).chain([whole]);
    words.fold(start, |total, word| total.wrapping_add(word.into()))
}

fn fold(mut total: u64) -> u64 {
    while total > 0xffff {
        total = (total & 0xffff).wrapping_add(total >> 16);
    }
    total
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sum_is_that_of_its_words(data in vec(any::<u8>(), 0..100), start in 0..1_u64 << 32) {
            let words = data.chunks(2).map(|pair| {
                u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0))
            });
            let total = words.fold(start, u64::wrapping_add);
            prop_assert_eq!(fold(sum(&data, start)), fold(total));
        }
    }
}
