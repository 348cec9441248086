//! What a probe sends and a sink finds again: a stream and a sequence number, in a UDP datagram or
//! in a TCP segment of no connection (RFC 9293, checksum by RFC 1071).

use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// What a datagram says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Datagram {
    pub(super) stream: u64,
    pub(super) sequence: u64,
}

/// Tells a probe from anything else that arrives.
const MAGIC: [u8; 4] = *b"swlP";
/// A datagram's length.
const LENGTH: usize = 20;

impl Datagram {
    pub(super) fn encode(&self) -> Vec<u8> {
        [
            &MAGIC[..],
            &self.stream.to_be_bytes(),
            &self.sequence.to_be_bytes(),
        ]
        .concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (stream, rest) = rest.split_first_chunk::<8>()?;
        let (sequence, _) = rest.split_first_chunk::<8>()?;
        let datagram = Self {
            stream: u64::from_be_bytes(*stream),
            sequence: u64::from_be_bytes(*sequence),
        };
        (*magic == MAGIC).then_some(datagram)
    }

    /// From the end of what a raw socket received, headers in front and all.
    pub(super) fn decode_at_end(bytes: &[u8]) -> Option<Self> {
        let at = bytes.len().checked_sub(LENGTH)?;
        Self::decode(bytes.get(at..)?)
    }
}

/// A socket for TCP segments, of one family.
pub(super) fn raw_socket(six: bool) -> std::io::Result<Socket> {
    let domain = if six { Domain::IPV6 } else { Domain::IPV4 };
    Socket::new(domain, Type::RAW, Some(Protocol::TCP))
}

/// A segment with an acknowledgement and a payload. Its sequence number never changes, so to
/// connection tracking on the way all of them are one segment, sent again and again.
pub(super) fn encode(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    const HEADER: [u8; 12] = [0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF];
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    let segment = |checksum: u16| {
        [
            &ports[..],
            &HEADER,
            &checksum.to_be_bytes(),
            &[0, 0],
            payload,
        ]
        .concat()
    };
    let bare = segment(0);
    let length = u32::try_from(bare.len()).unwrap_or(0).to_be_bytes();
    let addresses = [octets(from.ip()), octets(to.ip())].concat();
    segment(checksum(
        &[&addresses[..], &length, &[0, 0, 0, 6], &bare].concat(),
    ))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(u16::from_be_bytes([high, 0])),
        _ => 0,
    };
    let sum = bytes.chunks(2).map(word).fold(0_u64, u64::wrapping_add);
    // Adding a carry at most twice leaves 16 bits (RFC 1071, section 2).
    let folded = (sum & 0xFFFF).wrapping_add(sum >> 16);
    let folded = (folded & 0xFFFF).wrapping_add(folded >> 16);
    !u16::try_from(folded & 0xFFFF).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_survives_the_wire_and_nothing_else_is_one() {
        let datagram = Datagram {
            stream: 1 << 40,
            sequence: 77,
        };
        assert_eq!(Datagram::decode(&datagram.encode()), Some(datagram));
        assert_eq!(Datagram::decode(b"swlP too short"), None);
        assert_eq!(Datagram::decode(&[0; 20]), None);
        assert_eq!(datagram.encode().len(), LENGTH);
    }

    #[test]
    fn a_segment_sums_to_zero_and_carries_the_datagram() {
        let (from, to) = (
            "192.0.2.1:4000".parse().unwrap(),
            "203.0.113.10:80".parse().unwrap(),
        );
        let datagram = Datagram {
            stream: 9,
            sequence: 3,
        };
        let segment = encode(from, to, &datagram.encode());
        let pseudo = [
            &[192, 0, 2, 1, 203, 0, 113, 10, 0, 0, 0, 40, 0, 0, 0, 6][..],
            &segment,
        ]
        .concat();
        assert_eq!(checksum(&pseudo), 0);
        assert_eq!(Datagram::decode_at_end(&segment), Some(datagram));
    }
}
