//! Bodies: not kept, only measured, so that the next message is found (RFC 9112 section 6).

use super::head::Head;

/// Where the body of a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// After so many bytes.
    Length(u64),
    /// After the chunk of size zero and its trailer.
    Chunked(Chunk),
    /// With the connection.
    UntilClose,
}

/// Where in a chunked body we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the line with the size, which is so much up to here.
    Size {
        size: u64,
        digits: u8,
        in_extension: bool,
    },
    /// In the chunk; so many bytes are left.
    Data(u64),
    /// In the line end after the chunk.
    DataEnd,
    /// In the trailer; whether the line has any bytes so far.
    Trailer { line_empty: bool },
}

/// What became of some bytes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skipped {
    /// Bytes that belong to the message.
    pub(super) used: usize,
    /// Of these, bytes of the body proper.
    pub(super) body: u64,
    /// The message is over.
    pub(super) over: bool,
    /// A chunk size is no number: where the body ends is not known.
    pub(super) broken: bool,
}

impl Body {
    pub(super) const CHUNKED: Self = Self::Chunked(Chunk::START);

    pub(super) fn of_request(head: &Head) -> (Self, Option<&'static str>) {
        match (is_chunked(head), content_length(head)) {
            (true, _) => (Self::CHUNKED, None),
            (false, Ok(len)) => (Self::Length(len.unwrap_or(0)), None),
            (false, Err(name)) => (Self::Length(0), Some(name)),
        }
    }

    /// A response to HEAD, and one with status 1xx, 204 or 304, has no body whatever its fields
    /// say.
    pub(super) fn of_response(
        head: &Head,
        status: u16,
        to_head: bool,
    ) -> (Self, Option<&'static str>) {
        if to_head || matches!(status, 100..200 | 204 | 304) {
            return (Self::Length(0), None);
        }
        match (is_chunked(head), content_length(head)) {
            (true, _) => (Self::CHUNKED, None),
            (false, Ok(len)) => (len.map_or(Self::UntilClose, Self::Length), None),
            (false, Err(name)) => (Self::UntilClose, Some(name)),
        }
    }

    /// Takes bytes of the body, up to its end.
    pub(super) fn skip(&mut self, data: &[u8]) -> Skipped {
        match self {
            Self::Length(left) => {
                let used = take(left, data.len());
                let over = *left == 0;
                Skipped {
                    used,
                    body: to_u64(used),
                    over,
                    broken: false,
                }
            }
            Self::UntilClose => Skipped {
                used: data.len(),
                body: to_u64(data.len()),
                over: false,
                broken: false,
            },
            Self::Chunked(chunk) => chunk.skip(data),
        }
    }

    /// Takes a gap; `false` when where the body ends is not known any more.
    pub(super) fn skip_gap(&mut self, len: u64) -> bool {
        match self {
            Self::UntilClose => true,
            Self::Length(left) | Self::Chunked(Chunk::Data(left)) if len <= *left => {
                *left = left.saturating_sub(len);
                true
            }
            Self::Length(_) | Self::Chunked(_) => false,
        }
    }
}

impl Chunk {
    const START: Self = Self::Size {
        size: 0,
        digits: 0,
        in_extension: false,
    };

    fn skip(&mut self, data: &[u8]) -> Skipped {
        let mut skipped = Skipped {
            used: 0,
            body: 0,
            over: false,
            broken: false,
        };
        while let Some(rest) = data.get(skipped.used..).filter(|rest| !rest.is_empty()) {
            if let Self::Data(left) = self {
                let used = take(left, rest.len());
                skipped.body = skipped.body.saturating_add(to_u64(used));
                skipped.used = skipped.used.saturating_add(used);
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                continue;
            }
            skipped.used = skipped.used.saturating_add(1);
            match rest.first().and_then(|byte| self.byte(*byte)) {
                Some(false) => {}
                Some(true) => skipped.over = true,
                None => skipped.broken = true,
            }
            if skipped.over || skipped.broken {
                break;
            }
        }
        skipped
    }

    /// Takes a byte outside a chunk's data; `Some(true)` at the end of the body, `None` when it
    /// makes no sense.
    fn byte(&mut self, byte: u8) -> Option<bool> {
        *self = match (*self, byte) {
            (Self::Size { digits: 0, .. }, b'\n') => return None,
            (Self::Size { size: 0, .. }, b'\n') => Self::Trailer { line_empty: true },
            (Self::Size { size, .. }, b'\n') => Self::Data(size),
            (
                Self::Size {
                    size,
                    digits,
                    in_extension: false,
                },
                _,
            ) => match char::from(byte).to_digit(16) {
                Some(digit) if digits < CHUNK_DIGITS_MAX => Self::Size {
                    size: size << 4 | u64::from(digit),
                    digits: digits.saturating_add(1),
                    in_extension: false,
                },
                Some(_) => return None,
                None if digits == 0 && !matches!(byte, b' ' | b'\t' | b'\r') => return None,
                None => Self::Size {
                    size,
                    digits,
                    in_extension: digits > 0,
                },
            },
            (same @ Self::Size { .. }, _) => same,
            (Self::DataEnd, b'\n') => Self::START,
            (Self::DataEnd, b'\r') => Self::DataEnd,
            // no line end after a chunk: the next size begins here
            (Self::DataEnd, _) => {
                *self = Self::START;
                return self.byte(byte);
            }
            (Self::Trailer { line_empty: true }, b'\n') => return Some(true),
            (Self::Trailer { .. }, b'\n') => Self::Trailer { line_empty: true },
            (same @ Self::Trailer { .. }, b'\r') => same,
            (Self::Trailer { .. }, _) => Self::Trailer { line_empty: false },
            (same @ Self::Data(_), _) => same,
        };
        Some(false)
    }
}

/// Whether `chunked` is the last transfer coding.
fn is_chunked(head: &Head) -> bool {
    let codings = head
        .headers()
        .filter(|(name, _)| is(name.bytes, b"transfer-encoding"));
    codings.last().is_some_and(|(_, value)| {
        let last = value
            .bytes
            .rsplit(|byte| *byte == b',')
            .next()
            .unwrap_or_default();
        is(last.trim_ascii(), b"chunked")
    })
}

/// The content length; an error, named, when it is no number or said twice differently.
fn content_length(head: &Head) -> Result<Option<u64>, &'static str> {
    let mut found = None;
    for (_, value) in head
        .headers()
        .filter(|(name, _)| is(name.bytes, b"content-length"))
    {
        let len = number(value.bytes).ok_or("http.invalid_content_length")?;
        if found.is_some_and(|before| before != len) {
            return Err("http.content_length_differs");
        }
        found = Some(len);
    }
    Ok(found)
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit).then_some(text)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn is(name: &[u8], expected: &[u8]) -> bool {
    name.eq_ignore_ascii_case(expected)
}

fn take(left: &mut u64, available: usize) -> usize {
    let used = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left = left.saturating_sub(to_u64(used));
    used
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Most hexadecimal digits of a chunk size: what fits 60 bits.
const CHUNK_DIGITS_MAX: u8 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_bodies_end_where_they_end() {
        let sent = b"5;ext=\"1\"\r\nhello\r\n0A\n0123456789\n0\r\nTrailer: x\r\n\r\nGET";
        for cut in 0..sent.len() {
            let mut body = Body::CHUNKED;
            let (mut used, mut len) = (0, 0);
            for part in [&sent[..cut], &sent[cut..]] {
                let skipped = body.skip(part);
                assert!(!skipped.broken);
                used += skipped.used;
                len += skipped.body;
                if skipped.over {
                    break;
                }
            }
            assert_eq!((used, len), (sent.len() - 3, 15), "cut at {cut}");
        }
    }

    #[test]
    fn broken_chunk_sizes_are_told() {
        for sent in [&b"xyz\r\n"[..], b"\r\n", b"ffffffffffffffff\r\n"] {
            assert!(Body::CHUNKED.clone().skip(sent).broken, "{sent:?}");
        }
    }

    #[test]
    fn gaps_inside_bodies_are_skipped() {
        let mut body = Body::Length(100);
        assert!(body.skip_gap(60));
        assert_eq!(body, Body::Length(40));
        assert!(!body.skip_gap(41));
        assert!(!Body::CHUNKED.clone().skip_gap(1));
        assert!(Body::UntilClose.skip_gap(u64::MAX));
    }
}
