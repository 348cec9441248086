//! One direction's records (RFC 8446 section 5.1): headers and bodies, whatever pieces they come in.

use crate::applayer::Context;
use crate::bytes::be16;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
pub(super) const HEARTBEAT: u8 = 24;
pub(super) const HEADER: usize = 5;
/// RFC 5246 section 6.2.3: 2^14 bytes of content and 2048 of expansion.
pub(super) const BODY_BYTES_MAX: u16 = (1 << 14) + 2048;
/// First bytes kept of an alert or a heartbeat.
const HEAD_BYTES_MAX: usize = 3;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Side {
    header: Vec<u8>,
    kind: u8,
    version: u16,
    len: usize,
    /// Bytes left of the record.
    left: usize,
    /// First bytes of an alert or a heartbeat.
    head: Vec<u8>,
    /// The handshake message, as far as it is there.
    pub(super) message: Vec<u8>,
    /// Bytes left of a handshake message that is not looked at.
    pub(super) skip: usize,
    /// What follows cannot be read.
    pub(super) encrypted: bool,
    /// A gap has hidden where records begin.
    pub(super) lost: bool,
    /// Its part of the handshake is over: what its user sends has begun.
    pub(super) finished: bool,
    /// A record has begun.
    pub(super) begun: bool,
}

/// A part of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) kind: u8,
    pub(super) data: &'a [u8],
    /// It is the record's end.
    pub(super) last: bool,
}

impl Side {
    /// Bytes kept.
    pub(super) fn buffered(&self) -> usize {
        let header = self.header.len().saturating_add(self.head.len());
        header.saturating_add(self.message.len())
    }

    /// Version in the header of the record at hand.
    pub(super) fn version(&self) -> u16 {
        self.version
    }

    /// Length of the record at hand, bytes.
    pub(super) fn record_len(&self) -> usize {
        self.len
    }

    /// Whether the next bytes are those of a header.
    pub(super) fn is_in_header(&self) -> bool {
        self.left == 0
    }

    /// The frames of the record whose header was just taken, so many bytes being left behind that.
    pub(super) fn frame(&self, cx: &mut Context<'_, '_>, left: usize) {
        cx.record_begins(left.saturating_add(HEADER));
        cx.frame("hdr", 0, HEADER);
        cx.frame("pdu", 0, self.len.saturating_add(HEADER));
        cx.frame("data", HEADER, self.len);
        match self.kind {
            ALERT => cx.frame("alert", HEADER, self.len),
            HEARTBEAT => cx.frame("heartbeat", HEADER, self.len),
            _ => {}
        }
    }

    /// Takes the front of `data`; gives the part of a record that it is, if it is not a part of a
    /// header, and what is behind.
    ///
    /// # Errors
    /// The anomaly of a header that makes no sense.
    pub(super) fn take<'a>(
        &mut self,
        data: &'a [u8],
    ) -> Result<(Option<Part<'a>>, &'a [u8]), &'static str> {
        if self.left == 0 {
            let missing = HEADER.saturating_sub(self.header.len());
            let (taken, rest) = data.split_at_checked(missing).unwrap_or((data, &[]));
            self.header.extend_from_slice(taken);
            if self.header.len() < HEADER {
                return Ok((None, rest));
            }
            self.read_header()?;
            let empty = Part {
                kind: self.kind,
                data: &[],
                last: true,
            };
            return Ok(((self.left == 0).then_some(empty), rest));
        }
        let (taken, rest) = data.split_at_checked(self.left).unwrap_or((data, &[]));
        self.left = self.left.saturating_sub(taken.len());
        let part = Part {
            kind: self.kind,
            data: taken,
            last: self.left == 0,
        };
        Ok((Some(part), rest))
    }

    /// Keeps the first bytes of a record; gives them when it is complete.
    pub(super) fn head(&mut self, part: Part<'_>) -> Option<Vec<u8>> {
        let room = HEAD_BYTES_MAX.saturating_sub(self.head.len());
        self.head.extend(part.data.iter().take(room));
        part.last.then(|| std::mem::take(&mut self.head))
    }

    fn read_header(&mut self) -> Result<(), &'static str> {
        let header = std::mem::take(&mut self.header);
        self.kind = header.first().copied().unwrap_or(0);
        self.version = be16(&header, 1).unwrap_or(0);
        let len = be16(&header, 3).unwrap_or(0);
        self.len = usize::from(len);
        self.left = self.len;
        self.begun = true;
        if !(CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&self.kind) {
            return Err("INVALID_RECORD_TYPE");
        }
        if !matches!(self.version, 0x0300..=0x0304 | 0x7f00..=0x7fff) {
            return Err("INVALID_RECORD_VERSION");
        }
        let may_be_empty = self.kind == APPLICATION_DATA;
        if len > BODY_BYTES_MAX || (len == 0 && !may_be_empty) {
            return Err("INVALID_RECORD_LENGTH");
        }
        Ok(())
    }
}
