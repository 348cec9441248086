//! A window on a file that always holds the whole of the record being read.

use std::io::{self, Read};
use std::ops::Range;

#[derive(Debug)]
pub(super) struct Buffer<R> {
    source: R,
    bytes: Vec<u8>,
    /// Read and not taken yet.
    fresh: Range<usize>,
    /// The record taken last.
    taken: Range<usize>,
    /// Offset in the file of the first byte not taken.
    offset: u64,
    truncated: bool,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            bytes: vec![0; READ_BYTES],
            fresh: 0..0,
            taken: 0..0,
            offset: 0,
            truncated: false,
        }
    }

    /// The next `len` bytes without taking them; `None` at the end of the file. A file that ends in
    /// the midst of them is truncated.
    #[inline]
    pub(super) fn peek(&mut self, len: usize) -> io::Result<Option<&[u8]>> {
        if self.fresh.len() < len && !self.fill(len)? {
            self.truncated |= !self.fresh.is_empty();
            return Ok(None);
        }
        let end = self.fresh.start.saturating_add(len);
        Ok(self.bytes.get(self.fresh.start..end))
    }

    /// Takes the next `len` bytes, which must have been peeked at.
    #[inline]
    pub(super) fn take(&mut self, len: usize) {
        let end = self.fresh.start.saturating_add(len).min(self.fresh.end);
        self.taken = self.fresh.start..end;
        self.fresh.start = end;
        self.offset = self.offset.saturating_add(u64::try_from(len).unwrap_or(0));
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    #[cold]
    fn fill(&mut self, len: usize) -> io::Result<bool> {
        self.bytes.copy_within(self.fresh.clone(), 0);
        self.fresh = 0..self.fresh.len();
        if self.bytes.len() < len {
            self.bytes.resize(len, 0);
        }
        while self.fresh.len() < len {
            let room = self.bytes.get_mut(self.fresh.end..).unwrap_or_default();
            match self.source.read(room) {
                Ok(0) => return Ok(false),
                Ok(read) => self.fresh.end = self.fresh.end.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl<R> Buffer<R> {
    /// The record taken last; valid until the next peek.
    pub(super) fn taken(&self) -> &[u8] {
        self.bytes.get(self.taken.clone()).unwrap_or_default()
    }

    pub(super) fn is_truncated(&self) -> bool {
        self.truncated
    }
}

/// Bytes read at a time.
const READ_BYTES: usize = 256 << 10;
