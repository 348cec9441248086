//! The head of a message: start line and header fields, each at its place in the bytes as sent.

use crate::applayer::Field;
use crate::bytes::len32;

/// Most header fields that are read of one head; more are left out and set `headers_cut`.
pub const HEADERS_MAX: usize = 256;

/// Start line and header fields of a request or response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    raw: Box<[u8]>,
    /// Request: method, target, version. Response: version, status, reason.
    start: [Span; 3],
    headers: Vec<(Span, Span)>,
    headers_cut: bool,
    stream_offset: u64,
}

/// Where a part stands in the head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    len: u32,
}

impl Head {
    /// The head as sent, with the empty line at its end.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Offset of its first byte in the stream of its direction, bytes.
    #[must_use]
    pub fn stream_offset(&self) -> u64 {
        self.stream_offset
    }

    /// A part of the start line: 0, 1 or 2.
    #[must_use]
    pub fn start_part(&self, part: usize) -> Field<'_> {
        self.field(self.start.get(part).copied().unwrap_or_default())
    }

    /// Names and values in the order sent; values without the white space around them.
    pub fn headers(&self) -> impl Iterator<Item = (Field<'_>, Field<'_>)> {
        self.headers
            .iter()
            .map(|(name, value)| (self.field(*name), self.field(*value)))
    }

    /// The value of the first field of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &[u8]) -> Option<Field<'_>> {
        self.headers()
            .find(|(found, _)| found.bytes.eq_ignore_ascii_case(name))
            .map(|pair| pair.1)
    }

    /// Whether there were more than [`HEADERS_MAX`] header fields.
    #[must_use]
    pub fn headers_cut(&self) -> bool {
        self.headers_cut
    }

    /// Takes a whole head apart. Nothing is refused: what has no colon is a field name without a
    /// value.
    pub(super) fn parse(raw: &[u8], kind: StartLine, stream_offset: u64) -> Self {
        let mut lines = Lines { raw, at: 0 };
        let start_line = lines.find(|line| !line.is_empty()).unwrap_or(Line {
            start: 0,
            bytes: &[],
        });
        let start = match kind {
            StartLine::Request => request_line(start_line),
            StartLine::Status => status_line(start_line),
        };
        let mut head = Self {
            raw: raw.into(),
            start,
            headers: Vec::new(),
            headers_cut: false,
            stream_offset,
        };
        lines.for_each(|line| head.add_header(line));
        head
    }

    fn add_header(&mut self, line: Line<'_>) {
        match line.bytes.first() {
            None => {}
            // a line that begins with white space continues the one before (RFC 9112 section 5.2)
            Some(b' ' | b'\t') => {
                if let Some((_, value)) = self.headers.last_mut() {
                    let end = line.start.saturating_add(line.bytes.trim_ascii_end().len());
                    value.len = len32(end).saturating_sub(value.start);
                }
            }
            Some(_) if self.headers.len() >= HEADERS_MAX => self.headers_cut = true,
            Some(_) => {
                let colon = memchr::memchr(b':', line.bytes).unwrap_or(line.bytes.len());
                let after = colon.saturating_add(1);
                self.headers
                    .push((line.part(0, colon), line.part(after, line.bytes.len())));
            }
        }
    }

    fn field(&self, span: Span) -> Field<'_> {
        let start = usize::try_from(span.start).unwrap_or(usize::MAX);
        let len = usize::try_from(span.len).unwrap_or(usize::MAX);
        let bytes = self
            .raw
            .get(start..start.saturating_add(len))
            .unwrap_or_default();
        Field {
            bytes,
            offset: span.start,
        }
    }

    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        let per_header = size_of::<(Span, Span)>();
        self.raw
            .len()
            .saturating_add(self.headers.len().saturating_mul(per_header))
    }
}

/// Which start line a head has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartLine {
    Request,
    Status,
}

/// Method up to the first white space; version behind the last, if it looks like one; the target is
/// all between.
fn request_line(line: Line<'_>) -> [Span; 3] {
    let bytes = line.bytes;
    let method = bytes
        .iter()
        .position(|byte| is_blank(*byte))
        .unwrap_or(bytes.len());
    let last = bytes
        .trim_ascii_end()
        .iter()
        .rposition(|byte| is_blank(*byte));
    let version = last
        .map(|blank| blank.saturating_add(1))
        .filter(|start| {
            *start > method && starts_with_http(bytes.get(*start..).unwrap_or_default())
        })
        .unwrap_or(bytes.len());
    [
        line.part(0, method),
        line.part(method, version),
        line.part(version, bytes.len()),
    ]
}

fn status_line(line: Line<'_>) -> [Span; 3] {
    let bytes = line.bytes;
    let version = bytes
        .iter()
        .position(|byte| is_blank(*byte))
        .unwrap_or(bytes.len());
    let rest = bytes.get(version..).unwrap_or_default();
    let blanks = rest
        .iter()
        .position(|byte| !is_blank(*byte))
        .unwrap_or(rest.len());
    let code = rest.get(blanks..).unwrap_or_default();
    let code_len = code
        .iter()
        .position(|byte| is_blank(*byte))
        .unwrap_or(code.len());
    let code_end = version.saturating_add(blanks).saturating_add(code_len);
    [
        line.part(0, version),
        line.part(version, code_end),
        line.part(code_end, bytes.len()),
    ]
}

pub(super) fn starts_with_http(bytes: &[u8]) -> bool {
    bytes
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"HTTP/"))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A line without its end.
#[derive(Clone, Copy)]
struct Line<'a> {
    start: usize,
    bytes: &'a [u8],
}

impl Line<'_> {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The part from `from` to `to` without the white space around it.
    fn part(&self, from: usize, to: usize) -> Span {
        let part = self.bytes.get(from..to).unwrap_or_default();
        let blanks = part.len().saturating_sub(part.trim_ascii_start().len());
        let start = self.start.saturating_add(from).saturating_add(blanks);
        Span {
            start: len32(start),
            len: len32(part.trim_ascii().len()),
        }
    }
}

/// Lines that end in LF or CR LF.
struct Lines<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.at;
        let rest = self.raw.get(start..).filter(|rest| !rest.is_empty())?;
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at = start.saturating_add(len).saturating_add(1);
        let line = rest.get(..len).unwrap_or_default();
        Some(Line {
            start,
            bytes: line.strip_suffix(b"\r").unwrap_or(line),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(field: Field<'_>) -> &str {
        std::str::from_utf8(field.bytes).unwrap()
    }

    #[test]
    fn request_heads() {
        let raw = b"GET  /a b?c HTTP/1.1\r\nHost: example.com \r\nX:\r\nFold: one\r\n  two\nbad line\r\n\r\n";
        let head = Head::parse(raw, StartLine::Request, 7);
        let start = [0, 1, 2].map(|part| text(head.start_part(part)));
        assert_eq!(start, ["GET", "/a b?c", "HTTP/1.1"]);
        let headers: Vec<_> = head
            .headers()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
        let expected = [
            ("Host", "example.com"),
            ("X", ""),
            ("Fold", "one\r\n  two"),
            ("bad line", ""),
        ];
        assert_eq!(headers, expected);
        let host = head.header(b"hOST").unwrap();
        assert_eq!(&raw[host.offset as usize..][..11], b"example.com");
        assert_eq!(head.stream_offset(), 7);
    }

    #[test]
    fn odd_start_lines() {
        for (line, kind, expected) in [
            ("GET /\n\n", StartLine::Request, ["GET", "/", ""]),
            ("GET\n\n", StartLine::Request, ["GET", "", ""]),
            (
                "GET http/1.1\n\n",
                StartLine::Request,
                ["GET", "", "http/1.1"],
            ),
            (
                "\r\n\r\nPUT /x HTTP/1.0\r\n\r\n",
                StartLine::Request,
                ["PUT", "/x", "HTTP/1.0"],
            ),
            (
                "HTTP/1.1 404 Not Found\r\n\r\n",
                StartLine::Status,
                ["HTTP/1.1", "404", "Not Found"],
            ),
            (
                "HTTP/1.0  200\r\n\r\n",
                StartLine::Status,
                ["HTTP/1.0", "200", ""],
            ),
            ("", StartLine::Status, ["", "", ""]),
        ] {
            let head = Head::parse(line.as_bytes(), kind, 0);
            assert_eq!(
                [0, 1, 2].map(|part| text(head.start_part(part))),
                expected,
                "{line:?}"
            );
        }
    }

    #[test]
    fn header_fields_are_bounded() {
        let raw = [
            b"GET / HTTP/1.1\r\n".as_slice(),
            &b"a: b\r\n".repeat(HEADERS_MAX + 1),
            b"\r\n",
        ]
        .concat();
        let head = Head::parse(&raw, StartLine::Request, 0);
        assert_eq!(head.headers().count(), HEADERS_MAX);
        assert!(head.headers_cut());
    }
}
