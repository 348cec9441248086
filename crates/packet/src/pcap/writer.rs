//! Writes classic pcap with nanoseconds, for tools and tests.

use std::io::{self, Write};

use crate::bytes::len32;
use crate::frame::{Frame, LinkType};

/// Writes the header of a capture file. Every frame that follows must be of the link type `link`.
///
/// # Errors
/// Those of the writer.
pub fn write_header(to: &mut impl Write, link: LinkType) -> io::Result<()> {
    let words = [MAGIC_NS, VERSION_2_4, 0, 0, SNAPLEN, link.code()];
    words
        .iter()
        .try_for_each(|word| to.write_all(&word.to_le_bytes()))
}

/// Writes one frame.
///
/// # Errors
/// Those of the writer.
pub fn write_packet(to: &mut impl Write, frame: &Frame<'_>) -> io::Result<()> {
    let seconds = frame.ts_ns.checked_div(super::NS_PER_S).unwrap_or(0);
    let rest = frame.ts_ns.checked_rem(super::NS_PER_S).unwrap_or(0);
    let words = [
        u32::try_from(seconds).unwrap_or(u32::MAX),
        u32::try_from(rest).unwrap_or(0),
        len32(frame.data.len()),
        frame.wire_len,
    ];
    words
        .iter()
        .try_for_each(|word| to.write_all(&word.to_le_bytes()))?;
    to.write_all(frame.data)
}

const MAGIC_NS: u32 = 0xa1b2_3c4d;
/// Major version in the lower half, as the file is little-endian.
const VERSION_2_4: u32 = 4 << 16 | 2;
const SNAPLEN: u32 = 256 << 10;
