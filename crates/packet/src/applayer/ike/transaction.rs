//! One IKE message.

use super::v1::Exchange1;
use super::v2::Exchange2;
use crate::bytes::Cursor;
use crate::flow::Direction;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Time of its packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// Which way it went.
    pub direction: Direction,
    /// Its header.
    pub header: Header,
    /// What is behind it.
    pub body: Body,
}

/// What is behind the header, by version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Version 1.
    One(Box<Exchange1>),
    /// Version 2.
    Two(Box<Exchange2>),
}

/// The header (RFC 2408 section 3.1, RFC 7296 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The initiator's security parameter index.
    pub init_spi: [u8; 8],
    /// The responder's.
    pub resp_spi: [u8; 8],
    /// Type of the first payload.
    pub next: u8,
    /// Major version in the upper four bits, minor in the lower.
    pub version: u8,
    /// Type of the exchange.
    pub exchange: u8,
    /// Flags.
    pub flags: u8,
    /// Message identifier.
    pub message_id: u32,
    /// Length of the whole message, bytes.
    pub len: u32,
}

impl Header {
    /// Reads a header; also gives what is behind it.
    pub(super) fn read(data: &[u8]) -> Option<(Self, &[u8])> {
        let mut cursor = Cursor::new(data);
        let header = Self {
            init_spi: cursor.take(8)?.try_into().ok()?,
            resp_spi: cursor.take(8)?.try_into().ok()?,
            next: cursor.u8()?,
            version: cursor.u8()?,
            exchange: cursor.u8()?,
            flags: cursor.u8()?,
            message_id: cursor.u32()?,
            len: cursor.u32()?,
        };
        Some((header, data.get(cursor.position()..)?))
    }

    /// Major version.
    #[must_use]
    pub fn major(&self) -> u8 {
        self.version >> 4
    }
}

/// The payloads of a message one after the other: each says its successor's type (RFC 7296 section
/// 3.2). Gives type, content and the successor's type; the last item is `None` where the chain breaks.
pub(super) fn payloads(first: u8, body: &[u8]) -> Vec<Option<(u8, &[u8], u8)>> {
    /// Most payloads read of a message.
    const PAYLOADS_MAX: usize = 64;
    let mut cursor = Cursor::new(body);
    let mut kind = first;
    let mut payloads = Vec::new();
    while kind != 0 && payloads.len() < PAYLOADS_MAX {
        let mut read = || {
            let next = cursor.u8()?;
            cursor.u8()?;
            let len = usize::from(cursor.u16()?);
            Some((next, cursor.take(len.checked_sub(4)?)?))
        };
        let Some((next, content)) = read() else {
            payloads.push(None);
            break;
        };
        payloads.push(Some((kind, content, next)));
        kind = next;
    }
    payloads
}
