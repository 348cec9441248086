//! A direction of a stream that is cut into records, each behind a head that tells its size.
//!
//! Records that lie whole in what just came are handed out where they lie; only the beginning of an
//! unfinished one is kept, within a bound. A record beyond the bound is passed by. Behind a gap in a
//! place that is not known, the next bytes that look like a record's beginning begin one.

pub(crate) use super::der::Size;

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Records {
    kept: Vec<u8>,
    /// Time of the packet that the first kept byte came with.
    ts_ns: u64,
    /// Bytes to pass by: the rest of a record that is too large or damaged.
    skip: u64,
    /// Where the next record begins is not known.
    is_lost: bool,
}

/// How the records of a protocol are told apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    /// Size of the record that begins here, head included.
    pub(crate) size: fn(&[u8]) -> Size,
    /// Whether a record can begin here, to go on behind a gap.
    pub(crate) is_start: fn(&[u8]) -> bool,
    /// Largest record taken, bytes.
    pub(crate) bytes_max: usize,
}

/// What the records of some data came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All taken.
    More,
    /// The taker said to stop, behind so many bytes of the data just given.
    Stopped(usize),
    /// A record beyond the bound is being passed by.
    TooLarge,
    /// What follows is no record.
    Bad,
}

/// What the taker of a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// The next one.
    Next,
    /// No more.
    Stop,
}

impl Records {
    /// Bytes kept.
    pub(crate) fn buffered(&self) -> usize {
        self.kept.len()
    }

    /// Takes the next bytes and hands out whole records with the time of their first packet.
    pub(crate) fn data(
        &mut self,
        data: &[u8],
        ts_ns: u64,
        format: Format,
        take: &mut dyn FnMut(&[u8], u64) -> Take,
    ) -> Outcome {
        let mut kept = std::mem::take(&mut self.kept);
        let before = kept.len();
        let bytes = if before == 0 {
            self.ts_ns = ts_ns;
            data
        } else {
            kept.extend_from_slice(data);
            &kept[..]
        };
        let mut outcome = Outcome::More;
        let mut rest = self.skipped(bytes);
        if self.is_lost && !rest.is_empty() {
            if (format.is_start)(rest) {
                self.is_lost = false;
            } else {
                rest = &[];
            }
        }
        while !rest.is_empty() {
            let len = match (format.size)(rest) {
                Size::Unsure => break,
                Size::Bad | Size::Bytes(0) => return Outcome::Bad,
                Size::Bytes(len) => len,
            };
            if len > format.bytes_max {
                self.skip = to_u64(len);
                rest = self.skipped(rest);
                outcome = Outcome::TooLarge;
                continue;
            }
            let Some((record, behind)) = rest.split_at_checked(len) else {
                break;
            };
            let first_ts_ns = std::mem::replace(&mut self.ts_ns, ts_ns);
            rest = behind;
            if take(record, first_ts_ns) == Take::Stop {
                let used = bytes.len().saturating_sub(rest.len());
                return Outcome::Stopped(used.saturating_sub(before));
            }
        }
        let used = bytes.len().saturating_sub(rest.len());
        self.kept = if before == 0 {
            rest.to_vec()
        } else {
            // a large record comes in many pieces: what is kept of it stays where it is
            kept.drain(..used.min(kept.len()));
            kept
        };
        outcome
    }

    /// So many bytes are missing.
    pub(crate) fn gap(&mut self, len: u64, format: Format) {
        if self.skip >= len && self.kept.is_empty() {
            self.skip = self.skip.saturating_sub(len);
            return;
        }
        let kept = std::mem::take(&mut self.kept);
        let missing = match (format.size)(&kept) {
            Size::Bytes(size) => to_u64(size).checked_sub(to_u64(kept.len())),
            Size::Unsure | Size::Bad => None,
        };
        match missing.and_then(|missing| missing.checked_sub(len)) {
            Some(behind) if self.skip == 0 && !kept.is_empty() => self.skip = behind,
            _ => {
                self.skip = 0;
                self.is_lost = true;
            }
        }
    }

    fn skipped<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let skip = skip.min(bytes.len());
        self.skip = self.skip.saturating_sub(to_u64(skip));
        bytes.get(skip..).unwrap_or_default()
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A byte of length, then so many bytes; records begin with an odd length.
    const FORMAT: Format = Format {
        size: |data| match data {
            [] => Size::Unsure,
            [0, ..] => Size::Bad,
            [len, ..] => Size::Bytes(usize::from(*len) + 1),
        },
        is_start: |data| data[0] % 2 == 1,
        bytes_max: 20,
    };

    fn feed(records: &mut Records, data: &[u8], out: &mut Vec<Vec<u8>>) -> Outcome {
        records.data(data, 7, FORMAT, &mut |record, _| {
            out.push(record.to_vec());
            if record.ends_with(b"!") {
                Take::Stop
            } else {
                Take::Next
            }
        })
    }

    #[test]
    fn records_come_whole_however_they_are_cut() {
        let stream = b"\x01a\x02bc\x15xxxxxxxxxxxxxxxxxxxxx\x03def";
        for cut in 1..stream.len() {
            let (mut records, mut out) = (Records::default(), Vec::new());
            for part in stream.chunks(cut) {
                feed(&mut records, part, &mut out);
            }
            assert_eq!(out, [&b"\x01a"[..], b"\x02bc", b"\x03def"], "{cut}");
            assert_eq!(records.buffered(), 0);
        }
    }

    #[test]
    fn gaps_and_stops() {
        let (mut records, mut out) = (Records::default(), Vec::new());
        feed(&mut records, b"\x05ab", &mut out);
        records.gap(2, FORMAT);
        feed(&mut records, b"e\x01x", &mut out);
        assert_eq!(out, [b"\x01x"], "the gap lay inside a record");
        records.gap(9, FORMAT);
        feed(&mut records, b"\x02yy", &mut out);
        feed(&mut records, b"\x01z", &mut out);
        assert_eq!(out.last().unwrap(), b"\x01z", "resumed where one can begin");
        feed(&mut records, b"\x02", &mut out);
        assert_eq!(feed(&mut records, b"o!tls", &mut out), Outcome::Stopped(2));
        assert_eq!(feed(&mut records, b"\0", &mut out), Outcome::Bad);
    }
}
