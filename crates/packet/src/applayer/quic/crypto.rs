//! CRYPTO frames (RFC 9000 section 19.6): the handshake's bytes, in whatever order and overlap they
//! come.

use super::header::varint;
use crate::bytes::Cursor;

/// Most pieces kept that are not at their turn yet.
const PIECES_MAX: usize = 128;
/// Most frames read of one packet: padding counts as one.
const FRAMES_MAX: usize = 2048;

/// The handshake bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct Crypto {
    /// Bytes from the start, without a hole.
    bytes: Vec<u8>,
    /// Bytes behind a hole, by their offset.
    pieces: Vec<(usize, Vec<u8>)>,
}

/// What is wrong with the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// They make no sense.
    Damaged,
    /// More bytes than are kept.
    TooLong,
}

impl Crypto {
    /// Bytes kept.
    pub(super) fn buffered(&self) -> usize {
        let pieces = self.pieces.iter().map(|(_, bytes)| bytes.len());
        pieces.fold(self.bytes.len(), usize::saturating_add)
    }

    /// The first handshake message with its header, once it is whole.
    pub(super) fn message(&self) -> Option<&[u8]> {
        let &[_, a, b, c] = self.bytes.first_chunk()?;
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        self.bytes.get(..len.checked_add(4)?)
    }

    /// Takes the CRYPTO frames of a packet; the handshake may be `bytes_max` long.
    pub(super) fn take(&mut self, frames: &[u8], bytes_max: usize) -> Result<(), Trouble> {
        let mut cursor = Cursor::new(frames);
        for _ in 0..FRAMES_MAX {
            while cursor.peek() == Some(PADDING) {
                cursor.u8();
            }
            if cursor.is_empty() {
                break;
            }
            self.frame(&mut cursor, bytes_max)?;
        }
        Ok(())
    }

    fn frame(&mut self, cursor: &mut Cursor<'_>, bytes_max: usize) -> Result<(), Trouble> {
        let mut number = || varint(cursor).ok_or(Trouble::Damaged);
        let kind = number()?;
        match kind {
            PING => {}
            ACK | ACK_ECN => {
                number()?;
                number()?;
                let ranges = number()?;
                number()?;
                for _ in 0..ranges.min(FRAMES_MAX) {
                    number()?;
                    number()?;
                }
                if kind == ACK_ECN {
                    number()?;
                    number()?;
                    number()?;
                }
            }
            CRYPTO => {
                let (offset, len) = (number()?, number()?);
                let data = cursor.take(len).ok_or(Trouble::Damaged)?;
                self.put(offset, data, bytes_max)?;
            }
            CLOSE => {
                number()?;
                number()?;
                let reason = number()?;
                cursor.take(reason).ok_or(Trouble::Damaged)?;
            }
            _ => return Err(Trouble::Damaged),
        }
        Ok(())
    }

    fn put(&mut self, offset: usize, data: &[u8], bytes_max: usize) -> Result<(), Trouble> {
        let end = offset.checked_add(data.len()).ok_or(Trouble::Damaged)?;
        if end > bytes_max {
            return Err(Trouble::TooLong);
        }
        if offset > self.bytes.len() {
            let kept = self.buffered().saturating_add(data.len());
            if self.pieces.len() >= PIECES_MAX || kept > bytes_max {
                return Err(Trouble::TooLong);
            }
            self.pieces.push((offset, data.to_vec()));
            return Ok(());
        }
        self.append(offset, data);
        // each round uses up a piece, so this ends
        while let Some(at) = self.next_piece() {
            let (offset, data) = self.pieces.swap_remove(at);
            self.append(offset, &data);
        }
        Ok(())
    }

    fn next_piece(&self) -> Option<usize> {
        let reach = self.bytes.len();
        self.pieces.iter().position(|(offset, _)| *offset <= reach)
    }

    /// Adds what is new of bytes that begin at or before the end.
    fn append(&mut self, offset: usize, data: &[u8]) {
        let known = self.bytes.len().saturating_sub(offset);
        self.bytes
            .extend_from_slice(data.get(known..).unwrap_or_default());
    }
}

const PADDING: u8 = 0;
const PING: usize = 1;
const ACK: usize = 2;
const ACK_ECN: usize = 3;
const CRYPTO: usize = 6;
const CLOSE: usize = 0x1c;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_and_overlap() {
        let mut crypto = Crypto::default();
        crypto.take(&[6, 4, 3, 5, 6, 7, 0, 0], 100).unwrap();
        assert_eq!(crypto.message(), None);
        crypto
            .take(&[1, 6, 2, 3, 0, 3, 9, 6, 0, 2, 1, 0], 100)
            .unwrap();
        assert_eq!(crypto.message(), Some(&[1, 0, 0, 3, 9, 6, 7][..]));
    }

    #[test]
    fn bounds_and_damage() {
        let mut crypto = Crypto::default();
        assert_eq!(crypto.take(&[6, 9, 2, 1, 1], 10), Err(Trouble::TooLong));
        assert_eq!(crypto.take(&[6, 0, 9, 1], 100), Err(Trouble::Damaged));
        assert_eq!(crypto.take(&[0x33], 100), Err(Trouble::Damaged));
        for at in 0..=PIECES_MAX {
            let offset = u8::try_from(at % 60 + 2).unwrap();
            let taken = crypto.take(&[6, offset, 1, 7], 10_000);
            assert_eq!(taken.is_err(), at == PIECES_MAX);
        }
    }
}
