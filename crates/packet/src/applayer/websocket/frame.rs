//! Frames (RFC 6455 section 5.2).

use crate::bytes::Cursor;
use crate::flow::Direction;

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Time of the packet that its first byte came with, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// Which way it goes.
    pub sent: Direction,
    /// Its first byte's upper half: 0x80 on the last frame of a message, 0x40 on the first of a compressed
    /// one, and two reserved bits.
    pub flags: u8,
    /// What it is, 0 to 15.
    pub opcode: u8,
    /// The key that its payload is masked with.
    pub mask: Option<u32>,
    /// Length of its payload as declared, bytes.
    pub len: u64,
    /// The payload without its mask, as far as it is kept; compressed where the message is.
    pub payload: Vec<u8>,
    /// The whole message, where this is its last frame: inflated, as far as it is kept.
    pub message: Option<Vec<u8>>,
    /// Which way the packet goes that it is told with.
    pub(super) direction: Direction,
}

/// The flag of a message's last frame.
pub(super) const FIN: u8 = 0x80;
/// The flag of a compressed message's first frame (RFC 7692 section 6).
pub(super) const COMPRESSED: u8 = 0x40;

pub(super) const CONTINUATION: u8 = 0;

const HEAD_BYTES_MIN: usize = 2;

impl Frame {
    /// Whether it is the last of its message.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.flags & FIN != 0
    }

    /// Close, ping, pong and what may come to stand beside them: these stand between the frames of
    /// messages and are none themselves.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.opcode & 0x08 != 0
    }

    /// The name of its operation code, as logged.
    #[must_use]
    pub fn opcode_name(&self) -> String {
        let name = match self.opcode {
            CONTINUATION => "continuation",
            1 => "text",
            2 => "binary",
            8 => "close",
            9 => "ping",
            10 => "pong",
            other => return format!("unknown-{other}"),
        };
        name.to_owned()
    }
}

/// Length of a frame's head, by its first bytes; `None` when more are needed to tell.
pub(super) fn head_len(head: &[u8]) -> Option<usize> {
    let second = head.get(1)?;
    let extended: usize = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    HEAD_BYTES_MIN.checked_add(extended)?.checked_add(mask)
}

/// Reads a whole head.
pub(super) fn parse(head: &[u8], direction: Direction, first_ts_ns: u64) -> Option<Frame> {
    let mut cursor = Cursor::new(head);
    let first = cursor.u8()?;
    let second = cursor.u8()?;
    let len = match second & 0x7f {
        126 => u64::from(cursor.u16()?),
        127 => u64::from(cursor.u32()?) << 32 | u64::from(cursor.u32()?),
        len => u64::from(len),
    };
    let mask = match second & 0x80 {
        0 => None,
        _ => Some(cursor.u32()?),
    };
    Some(Frame {
        first_ts_ns,
        tx_id: 0,
        sent: direction,
        flags: first & 0xf0,
        opcode: first & 0x0f,
        mask,
        len,
        payload: Vec::new(),
        message: None,
        direction,
    })
}
