//! External data representation (RFC 4506): numbers, and bytes behind their length.

use crate::bytes::Cursor;

/// Reads numbers and bytes, which stand at multiples of four.
#[derive(Debug, Clone)]
pub(super) struct Xdr<'a>(Cursor<'a>);

impl<'a> Xdr<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(Cursor::new(data))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.0.u32()
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let high = u64::from(self.u32()?);
        Some(high << 32 | u64::from(self.u32()?))
    }

    /// So many bytes, and what fills them up.
    pub(super) fn fixed(&mut self, len: usize) -> Option<&'a [u8]> {
        let padded = len.checked_add(3)? & !3;
        self.0.take(padded)?.get(..len)
    }

    /// Bytes behind their length.
    pub(super) fn opaque(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        // what fills up the last bytes may be left out at the end
        self.fixed(len).or_else(|| self.0.take(len))
    }

    /// Passes by attributes that need not be there (RFC 1813 section 2.6).
    pub(super) fn attributes_3(&mut self) -> Option<()> {
        if self.u32()? != 0 {
            self.fixed(ATTRIBUTES_3)?;
        }
        Some(())
    }

    /// What is left.
    pub(super) fn rest(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(self.0.position()..).unwrap_or_default()
    }
}

/// Length of the attributes of version 3, bytes.
const ATTRIBUTES_3: usize = 84;
