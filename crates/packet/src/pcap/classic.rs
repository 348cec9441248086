//! The classic format: one header, then records of 16 bytes and a frame.

use std::io::Read;

use pcap_parser::pcap::{PcapHeader, parse_pcap_header};

use super::buffer::Buffer;
use super::{NS_PER_S, PcapError, RECORD_BYTES_MAX, Record};
use crate::frame::LinkType;

#[derive(Debug)]
pub(super) struct Header {
    link: LinkType,
    big_endian: bool,
    /// Nanoseconds in the unit of the records' fractions.
    unit_ns: u64,
}

impl Header {
    pub(super) fn read<R: Read>(buffer: &mut Buffer<R>) -> Result<Option<Self>, PcapError> {
        let magic = buffer.peek(4)?.and_then(<[u8]>::first_chunk::<4>).copied();
        if magic.is_none_or(|magic| !MAGICS.contains(&u32::from_be_bytes(magic))) {
            return Ok(None);
        }
        let bytes = buffer.peek(FILE_HEADER)?.ok_or(PcapError::NoHeader)?;
        let Ok((_, header)) = parse_pcap_header(bytes) else {
            return Ok(None);
        };
        if header.is_modified_format() {
            return Ok(None);
        }
        let header = Self::of(&header);
        buffer.take(FILE_HEADER);
        Ok(Some(header))
    }

    fn of(header: &PcapHeader) -> Self {
        // the upper bits of the link type hold the length of a frame check sequence
        let link = u32::from_ne_bytes(header.network.0.to_ne_bytes()) & 0x0fff_ffff;
        Self {
            link: LinkType::from_code(link),
            big_endian: header.is_bigendian(),
            unit_ns: if header.is_nanosecond_precision() {
                1
            } else {
                1000
            },
        }
    }

    pub(super) fn next<R: Read>(
        &self,
        buffer: &mut Buffer<R>,
    ) -> Result<Option<Record>, PcapError> {
        let offset = buffer.offset();
        let head = buffer.peek(RECORD_HEADER)?;
        let Some(head) = head.and_then(<[u8]>::first_chunk::<RECORD_HEADER>) else {
            return Ok(None);
        };
        let (words, _) = head.as_chunks::<4>();
        let Ok([seconds, fraction, captured, wire_len]) = <&[[u8; 4]; 4]>::try_from(words) else {
            return Ok(None);
        };
        let [seconds, fraction] = [self.number(*seconds), self.number(*fraction)];
        let wire_len = self.number(*wire_len);
        let captured = usize::try_from(self.number(*captured)).unwrap_or(usize::MAX);
        if captured > RECORD_BYTES_MAX {
            return Err(PcapError::Damaged {
                offset,
                what: "a record longer than 16 MiB",
            });
        }
        let len = RECORD_HEADER.saturating_add(captured);
        if buffer.peek(len)?.is_none() {
            return Ok(None);
        }
        buffer.take(len);
        let fraction_ns = u64::from(fraction).saturating_mul(self.unit_ns);
        Ok(Some(Record {
            ts_ns: u64::from(seconds)
                .saturating_mul(NS_PER_S)
                .saturating_add(fraction_ns),
            link: self.link,
            wire_len,
            data: RECORD_HEADER..len,
        }))
    }

    #[inline]
    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

/// Microseconds and nanoseconds, in either byte order.
const MAGICS: [u32; 4] = [0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1];
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
