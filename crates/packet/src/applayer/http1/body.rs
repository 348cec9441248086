//! Where bodies end (RFC 9112 section 6), and their bytes without chunk sizes.

use super::head::Head;
use super::lines::is_void;

/// Where the body of a message ends.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        extension: bool,
    },
    /// In the chunk; so many bytes are left.
    Data(u64),
    /// In what stands between a chunk and the next size.
    DataEnd,
    /// In the trailer; whether the line has any bytes so far.
    Trailer { line_empty: bool },
}

/// What became of some bytes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken<'d> {
    /// Bytes that belong to the message.
    pub(super) used: usize,
    /// Of these, bytes behind the last chunk, which do not count for the body's length.
    pub(super) trailer: usize,
    /// Of these, bytes of the body proper.
    pub(super) content: &'d [u8],
    /// The message is over.
    pub(super) over: bool,
    /// A chunk size is none: the body is taken as it comes from here on.
    pub(super) broken: bool,
    /// A chunk extension began.
    pub(super) extension: bool,
}

impl Body {
    pub(super) const CHUNKED: Self = Self::Chunked(Chunk::START);

    pub(super) fn of_request(head: &Head, oddities: &mut Vec<&'static str>) -> Self {
        if is_chunked(head, Names::REQUEST, oddities) {
            return Self::CHUNKED;
        }
        let length = content_length(head, Names::REQUEST, oddities);
        Self::Length(length.and_then(Result::ok).unwrap_or(0))
    }

    /// A response to HEAD, and one with status 1xx, 204 or 304, has no body, unless a length says
    /// otherwise: some receivers believe it. `None` where its length is none: receivers give up.
    pub(super) fn of_response(
        head: &Head,
        status: Option<u16>,
        to_head: bool,
        oddities: &mut Vec<&'static str>,
    ) -> Option<Self> {
        if to_head {
            return Some(Self::Length(0));
        }
        let chunked = is_chunked(head, Names::RESPONSE, oddities);
        let length = content_length(head, Names::RESPONSE, oddities);
        if chunked {
            return Some(Self::CHUNKED);
        }
        if status.is_some_and(|status| matches!(status, 100..200 | 204 | 304)) {
            return Some(match length {
                Some(Ok(length)) if status == Some(204) => Self::Length(length),
                _ => Self::Length(0),
            });
        }
        match length {
            Some(Ok(length)) => Some(Self::Length(length)),
            Some(Err(NoLength)) => None,
            None => Some(Self::UntilClose),
        }
    }

    /// Takes bytes of the body up to its end, or to the end of the next piece of content.
    pub(super) fn take<'d>(&mut self, data: &'d [u8]) -> Taken<'d> {
        let mut taken = Taken {
            used: 0,
            trailer: 0,
            content: &[],
            over: false,
            broken: false,
            extension: false,
        };
        match self {
            Self::Length(left) => {
                taken.content = take(left, data);
                taken.used = taken.content.len();
                taken.over = *left == 0;
            }
            Self::UntilClose => (taken.used, taken.content) = (data.len(), data),
            Self::Chunked(chunk) => {
                chunk.take(data, &mut taken);
                if taken.broken {
                    *self = Self::UntilClose;
                }
            }
        }
        taken
    }

    /// Bytes that a body of known length still has.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Takes a gap; `false` when where the body ends is not known any more.
    pub(super) fn skip_gap(&mut self, len: u64) -> bool {
        match self {
            Self::UntilClose => true,
            Self::Length(left) if len <= *left => {
                *left = left.saturating_sub(len);
                true
            }
            Self::Chunked(chunk) => match chunk {
                Chunk::Data(left) if len <= *left => {
                    *left = left.saturating_sub(len);
                    if *left == 0 {
                        *chunk = Chunk::DataEnd;
                    }
                    true
                }
                Chunk::Size { .. } | Chunk::Data(_) | Chunk::DataEnd | Chunk::Trailer { .. } => {
                    false
                }
            },
            // a gap that goes a little beyond the body hides no other message
            Self::Length(left) if len.saturating_sub(*left) < MESSAGE_BYTES_MIN => {
                *left = 0;
                true
            }
            Self::Length(_) => false,
        }
    }
}

impl Chunk {
    const START: Self = Self::Size {
        size: 0,
        digits: 0,
        extension: false,
    };

    fn take<'d>(&mut self, data: &'d [u8], taken: &mut Taken<'d>) {
        while let Some(rest) = data.get(taken.used..).filter(|rest| !rest.is_empty()) {
            if let Self::Data(left) = self {
                taken.content = take(left, rest);
                taken.used = taken.used.saturating_add(taken.content.len());
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                return;
            }
            let Some(byte) = rest.first().copied() else {
                return;
            };
            if matches!(self, Self::Trailer { .. }) {
                taken.trailer = taken.trailer.saturating_add(1);
            }
            match self.byte(byte, taken) {
                Some(over) => {
                    taken.used = taken.used.saturating_add(1);
                    taken.over = over;
                    if over {
                        return;
                    }
                }
                None => {
                    taken.broken = true;
                    return;
                }
            }
        }
    }

    /// Takes a byte outside a chunk's data; `Some(true)` at the end of the body, `None` when it
    /// makes no sense.
    fn byte(&mut self, byte: u8, taken: &mut Taken<'_>) -> Option<bool> {
        *self = match (*self, byte) {
            (Self::Size { digits: 0, .. }, byte) if is_void(byte) => *self,
            (Self::Size { size: 0, .. }, b'\n') => Self::Trailer { line_empty: true },
            (Self::Size { size, .. }, b'\n') => Self::Data(size),
            (
                Self::Size {
                    size,
                    digits,
                    extension: false,
                },
                _,
            ) => self.size_byte(size, digits, byte, taken)?,
            (same @ Self::Size { .. }, _) => same,
            (Self::DataEnd, b'\n') => Self::START,
            // no line end after a chunk: the next size begins here
            (Self::DataEnd, byte) if byte.is_ascii_hexdigit() => {
                *self = Self::START;
                return self.byte(byte, taken);
            }
            (Self::DataEnd, _) => Self::DataEnd,
            (Self::Trailer { line_empty: true }, b'\n') => return Some(true),
            (Self::Trailer { .. }, b'\n') => Self::Trailer { line_empty: true },
            (same @ Self::Trailer { .. }, b'\r') => same,
            (Self::Trailer { .. }, _) => Self::Trailer { line_empty: false },
            (same @ Self::Data(_), _) => same,
        };
        Some(false)
    }

    fn size_byte(self, size: u64, digits: u8, byte: u8, taken: &mut Taken<'_>) -> Option<Self> {
        let value = char::from(byte).to_digit(16);
        match value {
            Some(digit) => {
                let size = size.checked_mul(16)?.checked_add(u64::from(digit))?;
                (size <= CHUNK_BYTES_MAX).then_some(Self::Size {
                    size,
                    digits: digits.saturating_add(1),
                    extension: false,
                })
            }
            None if digits == 0 => None,
            None if is_void(byte) => Some(self),
            None => {
                taken.extension |= byte == b';';
                Some(Self::Size {
                    size,
                    digits,
                    extension: true,
                })
            }
        }
    }
}

/// Names of events in either direction.
struct Names {
    abnormal_coding: &'static str,
    invalid_coding: &'static str,
    length_twice: &'static str,
    invalid_length: &'static str,
}

impl Names {
    const REQUEST: Self = Self {
        abnormal_coding: "INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST",
        invalid_coding: "INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST",
        length_twice: "DUPLICATE_CONTENT_LENGTH_FIELD_IN_REQUEST",
        invalid_length: "INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST",
    };
    const RESPONSE: Self = Self {
        abnormal_coding: "RESPONSE_ABNORMAL_TRANSFER_ENCODING",
        invalid_coding: "",
        length_twice: "DUPLICATE_CONTENT_LENGTH_FIELD_IN_RESPONSE",
        invalid_length: "INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE",
    };
}

/// Whether `chunked` stands anywhere in the transfer codings: receivers differ in how strictly
/// they read them, and to be fooled is worse than to report.
fn is_chunked(head: &Head, names: Names, oddities: &mut Vec<&'static str>) -> bool {
    let mut values = 0_u32;
    let (mut chunked, mut exact) = (false, true);
    for value in head.values(b"transfer-encoding") {
        values = values.saturating_add(1);
        let text: Vec<u8> = value
            .bytes
            .iter()
            .copied()
            .filter(|byte| *byte != 0)
            .collect();
        chunked |= text
            .windows(b"chunked".len())
            .any(|part| part.eq_ignore_ascii_case(b"chunked"));
        exact &= value.bytes.eq_ignore_ascii_case(b"chunked");
    }
    if chunked && (!exact || values > 1) {
        oddities.push(names.abnormal_coding);
    } else if values > 0 && !chunked {
        oddities.push(names.invalid_coding);
    }
    oddities.retain(|name| !name.is_empty());
    chunked
}

/// A content length that is none.
struct NoLength;

/// The content length: of several the first; its first digits, whatever stands around them.
fn content_length(
    head: &Head,
    names: Names,
    oddities: &mut Vec<&'static str>,
) -> Option<Result<u64, NoLength>> {
    let mut values = head.values(b"content-length");
    let first = values.next()?;
    if values.next().is_some() {
        oddities.push(names.length_twice);
    }
    let digits = first.bytes.iter().position(u8::is_ascii_digit);
    let Some(digits) = digits.and_then(|start| first.bytes.get(start..)) else {
        oddities.push(names.invalid_length);
        return Some(Err(NoLength));
    };
    if digits.len() < first.bytes.len() {
        oddities.push("CONTENT_LENGTH_EXTRA_DATA_START");
    }
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let len = len.count();
    if len < digits.len() {
        oddities.push("CONTENT_LENGTH_EXTRA_DATA_END");
    }
    let number = digits.get(..len)?;
    let number = std::str::from_utf8(number).ok()?.parse::<u64>().ok();
    let number = number.filter(|number| *number <= i64::MAX.unsigned_abs());
    if number.is_none() {
        oddities.push(names.invalid_length);
    }
    Some(number.ok_or(NoLength))
}

fn take<'d>(left: &mut u64, data: &'d [u8]) -> &'d [u8] {
    let used = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
    *left = left.saturating_sub(to_u64(used));
    data.get(..used).unwrap_or_default()
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// No message is shorter.
const MESSAGE_BYTES_MIN: u64 = 16;
/// Largest chunk size taken for one.
const CHUNK_BYTES_MAX: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    fn content(body: &mut Body, mut data: &[u8]) -> (Vec<u8>, usize, bool, bool) {
        let (mut content, mut used) = (Vec::new(), 0);
        loop {
            let taken = body.take(data);
            content.extend_from_slice(taken.content);
            used = taken.used.saturating_add(used);
            data = &data[taken.used..];
            if taken.over || taken.broken || data.is_empty() {
                return (content, used, taken.over, taken.broken);
            }
        }
    }

    #[test]
    fn chunked_bodies_end_where_they_end() {
        let sent = b"5;ext=\"1\"\r\nhello\r\n\x0c\r\n0A \n0123456789\n0\r\nTrailer: x\r\n\r\nGET";
        for cut in 1..sent.len() - 3 {
            let mut body = Body::CHUNKED;
            let (mut all, first, ..) = content(&mut body, &sent[..cut]);
            let (rest, second, over, broken) = content(&mut body, &sent[cut..]);
            all.extend(rest);
            assert!(over && !broken);
            assert_eq!(
                (first + second, &all[..]),
                (sent.len() - 3, &b"hello0123456789"[..])
            );
        }
    }

    #[test]
    fn what_is_no_chunk_is_taken_as_it_comes() {
        for sent in [&b"xyz\r\n"[..], b"ffffffffffffffff\r\n"] {
            let mut body = Body::CHUNKED;
            assert!(body.take(sent).broken, "{sent:?}");
            assert_eq!(body, Body::UntilClose);
        }
    }

    #[test]
    fn gaps_inside_bodies_are_skipped() {
        let mut body = Body::Length(100);
        assert!(body.skip_gap(60));
        assert_eq!(body, Body::Length(40));
        assert!(!body.skip_gap(100));
        assert!(!Body::CHUNKED.clone().skip_gap(1));
        assert!(Body::UntilClose.skip_gap(u64::MAX));
    }
}
