//! Capture files: reads pcap and pcapng, writes classic pcap.
//!
//! Formats: <https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/> and
//! <https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/>; blocks are taken apart by
//! `pcap-parser`.

mod buffer;
mod classic;
mod ng;
mod writer;

use std::io::{self, Read};
use std::ops::Range;

use crate::frame::{Frame, LinkType, Way};
use buffer::Buffer;
pub use writer::{write_header, write_packet};

/// Longest record of a capture file that is read, bytes; a longer one ends reading with an error.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
/// Most interfaces of one pcapng section.
pub const INTERFACES_MAX: usize = 4096;

/// Why a capture file cannot be read (further).
#[derive(Debug, thiserror::Error)]
pub enum PcapError {
    /// The file could not be read: not the file's fault.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file ends within its first four bytes.
    #[error(
        "an empty file, not a pcap or pcapng file: nothing was captured, or it was not written out"
    )]
    Empty,
    /// The file ends within its header.
    #[error("a pcap file that ends within its header: copy or capture it anew")]
    NoHeader,
    /// The file is something else.
    #[error(
        "not a pcap or pcapng file: starts with {0:#010x}; unpack it first if it is compressed"
    )]
    NotACapture(u32),
    /// The file is damaged from here on; frames before it were sound.
    #[error("capture damaged at byte {offset}: {what}")]
    Damaged {
        /// Where the damaged record begins.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Reads frames from a pcap or pcapng file, whichever it is.
#[derive(Debug)]
pub struct Reader<R> {
    buffer: Buffer<R>,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Classic(classic::Header),
    Ng(ng::Section),
}

impl<R: Read> Reader<R> {
    /// Reads the file's header.
    ///
    /// # Errors
    /// [`PcapError::NotACapture`] when the file is neither pcap nor pcapng, [`PcapError::Empty`] and
    /// [`PcapError::NoHeader`] when it is too short to tell; [`PcapError::Io`].
    pub fn new(source: R) -> Result<Self, PcapError> {
        let mut buffer = Buffer::new(source);
        let magic = buffer.peek(4)?.and_then(<[u8]>::first_chunk::<4>);
        let magic = magic.map(|bytes| u32::from_be_bytes(*bytes));
        let magic = magic.ok_or(PcapError::Empty)?;
        let format = if magic == ng::MAGIC {
            Format::Ng(ng::Section::default())
        } else {
            let header = classic::Header::read(&mut buffer)?;
            Format::Classic(header.ok_or(PcapError::NotACapture(magic))?)
        };
        Ok(Self { buffer, format })
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// [`PcapError::Damaged`] when the file makes no sense from here on; [`PcapError::Io`].
    #[expect(
        clippy::should_implement_trait,
        reason = "lends its buffer, an Iterator cannot"
    )]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, PcapError> {
        let record = match &mut self.format {
            Format::Classic(header) => header.next(&mut self.buffer)?,
            Format::Ng(section) => section.next(&mut self.buffer)?,
        };
        Ok(record.map(|record| Frame {
            ts_ns: record.ts_ns,
            link: record.link,
            wire_len: record.wire_len,
            way: Way::Unknown,
            data: self.buffer.taken().get(record.data).unwrap_or_default(),
        }))
    }

    /// Whether the file ended in the midst of a record.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.buffer.is_truncated()
    }
}

/// A frame in the buffer.
struct Record {
    ts_ns: u64,
    link: LinkType,
    wire_len: u32,
    /// Where its bytes stand in the record just taken.
    data: Range<usize>,
}

const NS_PER_S: u64 = 1_000_000_000;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
