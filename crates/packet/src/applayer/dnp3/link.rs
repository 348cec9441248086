//! Link frames (IEEE 1815 section 9) from the stream, and the transport segments in them (section
//! 8) put together.

use super::transaction::LinkHeader;

/// What stands at the front of the stream.
pub(super) enum Front {
    /// A frame of so many bytes.
    Frame(LinkHeader, usize),
    /// More bytes are needed.
    Partial,
    /// No frame begins here; so many bytes are none of one.
    Junk(usize, Option<&'static str>),
}

/// Bytes that every frame begins with.
pub(super) const START: [u8; 2] = [0x05, 0x64];

/// Looks for a frame at the front.
pub(super) fn front(data: &[u8]) -> Front {
    if !START.starts_with(data.get(..2).unwrap_or(data)) {
        let next = memchr::memchr(0x05, data.get(1..).unwrap_or_default());
        let junk = next.map_or(data.len(), |at| at.saturating_add(1));
        return Front::Junk(junk, None);
    }
    let Some((header, _)) = data.split_first_chunk::<HEADER>() else {
        return Front::Partial;
    };
    let [
        _,
        _,
        len,
        control,
        dst_low,
        dst_high,
        src_low,
        src_high,
        crc @ ..,
    ] = *header;
    let Some(user) = len.checked_sub(LEN_MIN) else {
        return Front::Junk(2, Some("LEN_TOO_SMALL"));
    };
    if crc16(header.get(..8).unwrap_or_default()) != u16::from_le_bytes(crc) {
        return Front::Junk(2, Some("BAD_LINK_CRC"));
    }
    let blocks = user.div_ceil(16);
    let user_len = usize::from(user).saturating_add(usize::from(blocks).saturating_mul(2));
    let header = LinkHeader {
        control,
        dst: u16::from_le_bytes([dst_low, dst_high]),
        src: u16::from_le_bytes([src_low, src_high]),
    };
    Front::Frame(header, user_len.saturating_add(HEADER))
}

/// The data of a whole frame: blocks of up to 16 bytes, each with its checksum. `None` when one is
/// wrong.
pub(super) fn user_data(frame: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::with_capacity(frame.len());
    for block in frame.get(HEADER..)?.chunks(18) {
        let (block, crc) = block.split_last_chunk::<2>()?;
        if crc16(block) != u16::from_le_bytes(*crc) {
            return None;
        }
        data.extend_from_slice(block);
    }
    Some(data)
}

/// Transport segments of one direction.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// What came of the fragment that is not complete yet, with the header of its first frame.
    pub(super) kept: Option<(LinkHeader, Vec<u8>)>,
    next: u8,
}

/// What came of a segment.
pub(super) enum Segment {
    /// A whole fragment.
    Fragment(LinkHeader, Vec<u8>),
    /// More segments follow, or it belongs to nothing.
    Nothing,
    /// The fragment grew too long: its first bytes.
    TooLong(LinkHeader, Vec<u8>),
}

impl Reassembly {
    pub(super) fn segment(&mut self, header: LinkHeader, user: &[u8]) -> Segment {
        let Some((transport, data)) = user.split_first() else {
            return Segment::Nothing;
        };
        let number = transport & 0x3f;
        if transport & FIR != 0 {
            self.kept = Some((header, Vec::new()));
        } else if number != self.next {
            // a receiver gives the fragment up here (section 8.2.3)
            self.kept = None;
        }
        self.next = number.wrapping_add(1) & 0x3f;
        let Some((header, mut kept)) = self.kept.take() else {
            return Segment::Nothing;
        };
        if kept.len().saturating_add(data.len()) > FRAGMENT_BYTES_MAX {
            return Segment::TooLong(header, kept);
        }
        kept.extend_from_slice(data);
        if transport & FIN != 0 {
            return Segment::Fragment(header, kept);
        }
        self.kept = Some((header, kept));
        Segment::Nothing
    }

    pub(super) fn buffered(&self) -> usize {
        self.kept.as_ref().map_or(0, |(_, kept)| kept.len())
    }
}

/// The checksum of link frames: polynomial 0x3d65, reflected, complemented (section 9.2.4.3).
pub(super) fn crc16(data: &[u8]) -> u16 {
    let mut crc = 0_u16;
    for byte in data {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xa6bc
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

const FIN: u8 = 0x80;
const FIR: u8 = 0x40;
/// Header of a link frame with its checksum, bytes.
const HEADER: usize = 10;
/// Control, destination and source, which the length field counts with the user data.
const LEN_MIN: u8 = 5;
/// Longest application fragment, bytes: 64 segments of the longest frames.
const FRAGMENT_BYTES_MAX: usize = 64 * 252;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_standard() {
        // the example frame of a link reset
        let frame = [0x05, 0x64, 0x05, 0xc0, 0x01, 0x00, 0x00, 0x04];
        assert_eq!(crc16(&frame), u16::from_le_bytes([0xe9, 0x21]));
    }
}
