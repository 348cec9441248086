//! Captures made in code: Ethernet frames with right checksums, and classic pcap files of them.
//!
//! For tests that need one exact sequence of packets. Field layouts: RFC 791 (IPv4), RFC 8200
//! (IPv6), RFC 9293 (TCP), RFC 768 (UDP); the file format is
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>.
#![expect(
    clippy::cast_possible_truncation,
    reason = "lengths of frames that a test wrote; a frame over 64 KiB is refused"
)]

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::Path,
};

/// TCP flags, to be or-ed.
pub mod flag {
    /// Close.
    pub const FIN: u8 = 0x01;
    /// Open.
    pub const SYN: u8 = 0x02;
    /// Refuse or abort.
    pub const RST: u8 = 0x04;
    /// Hand over now.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

/// One TCP segment to be framed.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// [`flag`]s.
    pub flags: u8,
    /// TSval of the timestamps option (RFC 7323); `None` leaves the option out.
    pub timestamp: Option<u32>,
    /// What it carries.
    pub payload: &'a [u8],
}

/// A capture in memory.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    frames: Vec<(u64, Vec<u8>)>,
}

impl Frames {
    /// Adds a raw Ethernet frame captured at `ts_ns` (unix time).
    pub fn push(&mut self, ts_ns: u64, frame: Vec<u8>) -> &mut Self {
        self.frames.push((ts_ns, frame));
        self
    }

    /// Adds one TCP segment.
    pub fn tcp(
        &mut self,
        ts_ns: u64,
        from: SocketAddr,
        to: SocketAddr,
        segment: &Segment<'_>,
    ) -> &mut Self {
        self.push(ts_ns, tcp(from, to, segment))
    }

    /// Adds one UDP datagram.
    pub fn udp(
        &mut self,
        ts_ns: u64,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> &mut Self {
        self.push(ts_ns, udp(from, to, payload))
    }

    /// The frames with their times.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.frames
            .iter()
            .map(|(ts_ns, frame)| (*ts_ns, frame.as_slice()))
    }

    /// The capture as a classic pcap file with nanosecond time stamps.
    #[must_use]
    pub fn pcap(&self) -> Vec<u8> {
        let mut file = pcap_head();
        for (ts_ns, frame) in &self.frames {
            pcap_record(&mut file, *ts_ns, frame);
        }
        file
    }

    /// Writes the capture to a file.
    ///
    /// # Errors
    ///
    /// As [`fs::write`].
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, self.pcap())
    }
}

/// The head of a classic pcap file of Ethernet frames with nanosecond time stamps.
#[must_use]
pub fn pcap_head() -> Vec<u8> {
    const MAGIC_NS: u32 = 0xA1B2_3C4D;
    const ETHERNET: u32 = 1;
    let mut file = Vec::new();
    file.extend(MAGIC_NS.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(u32::from(u16::MAX).to_le_bytes());
    file.extend(ETHERNET.to_le_bytes());
    file
}

/// Adds a frame to such a file.
pub fn pcap_record(file: &mut Vec<u8>, ts_ns: u64, frame: &[u8]) {
    let length = frame.len() as u32;
    file.extend(((ts_ns / 1_000_000_000) as u32).to_le_bytes());
    file.extend(((ts_ns % 1_000_000_000) as u32).to_le_bytes());
    file.extend(length.to_le_bytes());
    file.extend(length.to_le_bytes());
    file.extend(frame);
}

/// An Ethernet frame with one TCP segment.
///
/// # Panics
///
/// When the addresses are of two families, or the packet exceeds 64 KiB.
#[must_use]
pub fn tcp(from: SocketAddr, to: SocketAddr, segment: &Segment<'_>) -> Vec<u8> {
    const TCP: u8 = 6;
    let options = segment.timestamp.map_or_else(Vec::new, |value| {
        let mut options = vec![1, 1, 8, 10];
        options.extend(value.to_be_bytes());
        options.extend([0; 4]);
        options
    });
    let words = 5_usize.saturating_add(options.len() / 4);
    let mut bytes = Vec::new();
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(segment.seq.to_be_bytes());
    bytes.extend(segment.ack.to_be_bytes());
    bytes.extend([(words as u8) << 4, segment.flags]);
    bytes.extend(64_240_u16.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(options);
    bytes.extend(segment.payload);
    framed(from.ip(), to.ip(), TCP, 16, bytes)
}

/// An Ethernet frame with one UDP datagram.
///
/// # Panics
///
/// As [`tcp()`].
#[must_use]
pub fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    const UDP: u8 = 17;
    let mut bytes = Vec::new();
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend((payload.len().saturating_add(8) as u16).to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(payload);
    framed(from.ip(), to.ip(), UDP, 6, bytes)
}

/// Puts the checksum (over the pseudo header) in place, then IP and Ethernet in front.
fn framed(
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    checksum_at: usize,
    mut body: Vec<u8>,
) -> Vec<u8> {
    assert!(
        from.is_ipv4() == to.is_ipv4(),
        "two address families: {from} and {to}"
    );
    assert!(body.len() < 65_000, "a packet of {} bytes", body.len());
    let mut pseudo = [octets(from), octets(to)].concat();
    pseudo.extend((body.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    pseudo.extend(&body);
    let sum = checksum(&pseudo).to_be_bytes();
    if let Some(field) = body.get_mut(checksum_at..checksum_at.saturating_add(2)) {
        field.copy_from_slice(&sum);
    }
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(if from.is_ipv4() {
        [0x08, 0x00]
    } else {
        [0x86, 0xDD]
    });
    frame.extend(ip_header(from, to, protocol, body.len()));
    frame.extend(body);
    frame
}

fn ip_header(from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    const TTL: u8 = 64;
    if from.is_ipv6() {
        let mut header = vec![0x60, 0, 0, 0];
        header.extend((length as u16).to_be_bytes());
        header.extend([protocol, TTL]);
        header.extend([octets(from), octets(to)].concat());
        return header;
    }
    let mut header = vec![0x45, 0];
    header.extend((length.saturating_add(20) as u16).to_be_bytes());
    header.extend([0, 0, 0x40, 0, TTL, protocol, 0, 0]);
    header.extend([octets(from), octets(to)].concat());
    let sum = checksum(&header).to_be_bytes();
    if let Some(field) = header.get_mut(10..12) {
        field.copy_from_slice(&sum);
    }
    header
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u64;
    for pair in bytes.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        sum = sum.wrapping_add(u64::from(u16::from_be_bytes([high, low])));
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF).wrapping_add(sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of RFC 1071, section 3.
    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2
        );
    }

    #[test]
    fn a_frame_sums_to_zero_and_a_file_has_its_length() {
        let (from, to) = (
            "192.0.2.1:1000".parse().unwrap(),
            "192.0.2.2:80".parse().unwrap(),
        );
        let syn = Segment {
            seq: 1,
            ack: 0,
            flags: flag::SYN,
            timestamp: Some(7),
            payload: b"",
        };
        let frame = tcp(from, to, &syn);
        assert_eq!(checksum(&frame[14..34]), 0);
        let mut pseudo = frame[26..34].to_vec();
        pseudo.extend([0, 6, 0, 32]);
        pseudo.extend(&frame[34..]);
        assert_eq!(checksum(&pseudo), 0);
        let mut frames = Frames::default();
        frames
            .tcp(1_500_000_001, from, to, &syn)
            .udp(2_000_000_000, from, to, b"x");
        assert_eq!(frames.pcap().len(), 24 + 16 + 66 + 16 + 43);
    }
}
