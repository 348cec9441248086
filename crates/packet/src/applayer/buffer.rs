//! Bytes of one direction, kept until a whole message is there.

/// What a parser of framed messages keeps of one direction. How much may be kept is its user's
/// bound: who finds a message too long for it skips it with [`Buffer::consume`].
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    kept: Vec<u8>,
    /// Bytes of `kept` that are done with.
    at: usize,
    /// Bytes still to come that are not wanted.
    skip: u64,
    /// Times of the first and of the last byte kept, nanoseconds since the Unix epoch.
    first_ns: u64,
    last_ns: u64,
}

impl Buffer {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, data: &[u8], ts_ns: u64) {
        if self.at > 0 {
            self.kept.drain(..self.at.min(self.kept.len()));
            self.at = 0;
        }
        let unwanted = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let unwanted = unwanted.min(data.len());
        self.skip = self.skip.saturating_sub(to_u64(unwanted));
        if self.kept.is_empty() {
            self.first_ns = ts_ns;
        }
        self.last_ns = ts_ns;
        self.kept
            .extend_from_slice(data.get(unwanted..).unwrap_or_default());
    }

    /// What is not done with.
    pub(crate) fn front(&self) -> &[u8] {
        self.kept.get(self.at..).unwrap_or_default()
    }

    /// So many bytes are done with; those that are not there yet are skipped as they come.
    pub(crate) fn consume(&mut self, len: u64) {
        let there = self.front().len();
        let now = usize::try_from(len).unwrap_or(usize::MAX).min(there);
        self.skip = self.skip.saturating_add(len.saturating_sub(to_u64(now)));
        self.at = self.at.saturating_add(now);
        self.first_ns = self.last_ns;
        if self.at >= self.kept.len() {
            self.kept.clear();
            self.at = 0;
        }
    }

    /// So many bytes are missing. Whether it is known where the next message begins: it is where
    /// they were to be skipped anyway.
    #[must_use]
    pub(crate) fn gap(&mut self, len: u64) -> bool {
        let fits = self.front().is_empty() && self.skip >= len;
        if fits {
            self.skip = self.skip.saturating_sub(len);
        } else {
            *self = Self::default();
        }
        fits
    }

    /// Time of the first byte of the front.
    pub(crate) fn ts_ns(&self) -> u64 {
        self.first_ns
    }

    /// Bytes kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_consumed_before_it_comes_is_skipped() {
        let mut buffer = Buffer::default();
        buffer.push(b"abc", 1);
        buffer.consume(1);
        assert_eq!((buffer.front(), buffer.ts_ns()), (&b"bc"[..], 1));
        buffer.consume(4);
        buffer.push(b"x", 2);
        assert_eq!(buffer.front(), b"");
        buffer.push(b"yzw", 3);
        assert_eq!((buffer.front(), buffer.ts_ns()), (&b"zw"[..], 3));
        buffer.consume(12);
        assert!(buffer.gap(10), "all of it was to be skipped");
        buffer.push(b"q", 4);
        assert_eq!(buffer.front(), b"q");
        assert!(!buffer.gap(1));
        assert_eq!(buffer.len(), 0);
    }
}
