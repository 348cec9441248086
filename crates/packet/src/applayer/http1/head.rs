//! The head of a message: start line and header fields, each at its place in the bytes as sent.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::lines::{Line, Lines, is_space, is_void, trim};
use crate::applayer::Field;
use crate::bytes::len32;

/// Most header fields that are read of one head; more are left out and set `headers_cut`.
pub const HEADERS_MAX: usize = 1024;

/// Most header fields whose names are compared with each other one by one.
const COMPARED_MAX: usize = 32;

/// Start line and header fields of a request or response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    raw: Box<[u8]>,
    /// Names and values that stand in more than one line, put together; their spans begin behind
    /// `raw`.
    joined: Vec<u8>,
    /// Request: method, target, version. Response: version, status, reason.
    start: [Span; 3],
    start_line: Span,
    headers: Vec<(Span, Span)>,
    headers_cut: bool,
    /// The lines of a trailer, as sent.
    trailer: Box<[u8]>,
    stream_offset: u64,
    pub(super) oddities: Oddities,
}

/// What was odd about the lines of a head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Oddities {
    /// Lines without a colon.
    pub(super) no_colon: u32,
    /// An empty line ended in CR alone, and was not taken for the end of the head.
    pub(super) bare_cr: bool,
    /// White space between a name and its colon.
    pub(super) space_after_name: u32,
    /// A name holds what no name may hold.
    pub(super) name_not_token: u32,
    /// A line continues the one before.
    pub(super) folded: u32,
    /// White space before the start line.
    pub(super) leading_space: bool,
}

/// Where a part stands in the head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    len: u32,
}

impl Head {
    /// Length as sent, bytes.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.raw.len()
    }

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

    /// The start line without its end.
    #[must_use]
    pub fn start_line(&self) -> Field<'_> {
        self.field(self.start_line)
    }

    /// The start line with its end.
    #[must_use]
    pub fn start_line_as_sent(&self) -> &[u8] {
        let start = usize::try_from(self.start_line.start).unwrap_or(usize::MAX);
        let end = self.raw.len().saturating_sub(self.raw_headers().len());
        self.raw.get(start..end).unwrap_or_default()
    }

    /// All lines behind the start line, as sent.
    #[must_use]
    pub fn raw_headers(&self) -> &[u8] {
        let end = self.start_line.start.saturating_add(self.start_line.len);
        let rest = usize::try_from(end)
            .ok()
            .and_then(|end| self.raw.get(end..));
        let rest = rest.unwrap_or_default();
        let line = rest.strip_prefix(b"\r").unwrap_or(rest);
        line.strip_prefix(b"\n").unwrap_or(line)
    }

    /// The lines of the trailer behind a chunked body, as sent.
    #[must_use]
    pub fn raw_trailer(&self) -> &[u8] {
        &self.trailer
    }

    /// A part of the start line: 0, 1 or 2.
    #[must_use]
    pub fn start_part(&self, part: usize) -> Field<'_> {
        self.field(self.start.get(part).copied().unwrap_or_default())
    }

    /// Names and values in the order sent; values without the white space around them, continued
    /// lines put together.
    pub fn headers(&self) -> impl Iterator<Item = (Field<'_>, Field<'_>)> {
        self.headers
            .iter()
            .map(|(name, value)| (self.field(*name), self.field(*value)))
    }

    /// The value of the first field of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &[u8]) -> Option<Field<'_>> {
        self.headers()
            .find(|(found, _)| is_name(found.bytes, name))
            .map(|pair| pair.1)
    }

    /// The values of all fields of that name.
    pub fn values<'h>(&'h self, name: &'h [u8]) -> impl Iterator<Item = Field<'h>> {
        self.headers()
            .filter(move |(found, _)| is_name(found.bytes, name))
            .map(|pair| pair.1)
    }

    /// The values of all fields of that name behind each other.
    #[must_use]
    pub fn merged_header(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut found = self
            .headers()
            .filter(|(known, _)| is_name(known.bytes, name));
        let first = found.next()?.1.bytes;
        let mut merged = Cow::Borrowed(first);
        for (_, value) in found {
            let all = merged.to_mut();
            all.extend_from_slice(b", ");
            all.extend_from_slice(value.bytes);
        }
        Some(merged)
    }

    /// Adds the fields of a trailer.
    pub(super) fn add_trailer(&mut self, raw: &[u8], kind: StartLine) {
        self.trailer = raw.into();
        let lines = Lines { raw, at: 0, kind };
        for line in lines.filter(|line| !line.bytes.is_empty()) {
            let colon = memchr::memchr(b':', line.bytes);
            let (name, value) = colon
                .and_then(|colon| line.bytes.split_at_checked(colon))
                .unwrap_or((&[], line.bytes));
            if self.headers.len() >= HEADERS_MAX {
                self.headers_cut = true;
                return;
            }
            let name = self.join(&[trim(name)]);
            let value = self.join(&[trim(value.strip_prefix(b":").unwrap_or(value))]);
            self.headers.push((name, value));
        }
    }

    /// Names with the values of all fields of that name behind each other (RFC 9110 section 5.3),
    /// in the order in which names first came.
    #[must_use]
    pub fn merged(&self) -> Vec<(&[u8], Cow<'_, [u8]>)> {
        let mut merged: Vec<(&[u8], Cow<'_, [u8]>)> = Vec::with_capacity(self.headers.len());
        let mut places = HashMap::new();
        for (name, value) in self.headers() {
            let is_name = |(known, _): &(&[u8], _)| known.eq_ignore_ascii_case(name.bytes);
            let same = match self.headers.len() {
                ..=COMPARED_MAX => merged.iter().position(is_name),
                _ => match places.entry(name.bytes.to_ascii_lowercase()) {
                    Entry::Occupied(place) => Some(*place.get()),
                    Entry::Vacant(place) => {
                        place.insert(merged.len());
                        None
                    }
                },
            };
            match same.and_then(|same| merged.get_mut(same)) {
                Some((known, _)) if known.eq_ignore_ascii_case(b"content-length") => {}
                Some((_, values)) => {
                    let values = values.to_mut();
                    values.extend_from_slice(b", ");
                    values.extend_from_slice(value.bytes);
                }
                None => merged.push((name.bytes, Cow::Borrowed(value.bytes))),
            }
        }
        merged
    }

    /// Whether there were more than [`HEADERS_MAX`] header fields.
    #[must_use]
    pub fn headers_cut(&self) -> bool {
        self.headers_cut
    }

    /// Takes a whole head apart. Nothing is refused: what has no colon is a value without a name.
    pub(super) fn parse(raw: &[u8], kind: StartLine, stream_offset: u64) -> Self {
        let mut lines = Lines { raw, at: 0, kind };
        let blank = |line: &Line<'_>| line.bytes.iter().all(|byte| is_void(*byte));
        let start_line = lines.find(|line| !blank(line)).unwrap_or(Line {
            start: 0,
            bytes: &[],
            bare_cr: false,
        });
        let start = match kind {
            StartLine::Request => request_line(start_line),
            StartLine::Status => status_line(start_line),
        };
        let first = start_line.bytes.first().copied();
        let mut head = Self {
            raw: raw.into(),
            joined: Vec::new(),
            start,
            start_line: start_line.span(0, start_line.bytes.len()),
            headers: Vec::new(),
            headers_cut: false,
            trailer: Box::default(),
            stream_offset,
            oddities: Oddities {
                leading_space: first.is_some_and(is_void),
                ..Oddities::default()
            },
        };
        let mut open = None;
        for line in lines {
            head.oddities.bare_cr |= line.bare_cr && line.bytes.is_empty();
            open = head.add_line(line, open, kind);
        }
        if let Some(line) = open {
            head.add_field(line);
        }
        head
    }

    /// Takes a line; hands back a line without a colon, for its colon may come in the next.
    fn add_line<'r>(
        &mut self,
        line: Line<'r>,
        open: Option<Line<'r>>,
        kind: StartLine,
    ) -> Option<Line<'r>> {
        let Some(first) = line.bytes.first().copied() else {
            open.into_iter().for_each(|open| self.add_field(open));
            return None;
        };
        let folds = matches!(first, b' ' | b'\t' | 0);
        if let Some(open) = open {
            if folds && memchr::memchr(b':', line.bytes).is_some() {
                self.oddities.space_after_name = self.oddities.space_after_name.saturating_add(1);
                self.join_name(open, line);
                return None;
            }
            self.add_field(open);
        }
        // browsers take what looks like a field for one, servers do not
        let is_field = kind == StartLine::Status && looks_like_field(line.bytes);
        if folds && !self.headers.is_empty() && !is_field {
            self.fold(line.bytes);
            return None;
        }
        if memchr::memchr(b':', line.bytes).is_none() {
            return Some(line);
        }
        self.add_field(line);
        None
    }

    fn add_field(&mut self, line: Line<'_>) {
        if self.headers.len() >= HEADERS_MAX {
            self.headers_cut = true;
            return;
        }
        let colon = memchr::memchr(b':', line.bytes).filter(|colon| *colon > 0);
        let Some(colon) = colon else {
            self.oddities.no_colon = self.oddities.no_colon.saturating_add(1);
            let from = usize::from(line.bytes.starts_with(b":"));
            let value = line.part(from, line.bytes.len());
            self.headers.push((Span::default(), value));
            return;
        };
        let name = line.bytes.get(..colon).unwrap_or_default();
        let trimmed = trim(name);
        let after = colon.saturating_add(1);
        if name.last().is_some_and(|last| matches!(last, b' ' | b'\t')) {
            self.oddities.space_after_name = self.oddities.space_after_name.saturating_add(1);
        } else if name.last().copied().is_some_and(is_void)
            || !trimmed.iter().all(|byte| is_token(*byte))
        {
            self.oddities.name_not_token = self.oddities.name_not_token.saturating_add(1);
        }
        self.headers.push((line.part(0, colon), line.value(after)));
    }

    /// A name whose colon comes in the next line.
    fn join_name(&mut self, open: Line<'_>, line: Line<'_>) {
        let colon = memchr::memchr(b':', line.bytes).unwrap_or(0);
        let before = trim(line.bytes.get(..colon).unwrap_or_default());
        let name = self.join(&[trim(open.bytes), before]);
        let value = line.part(colon.saturating_add(1), line.bytes.len());
        self.headers.push((name, value));
    }

    /// Continues the value of the last field.
    fn fold(&mut self, more: &[u8]) {
        self.oddities.folded = self.oddities.folded.saturating_add(1);
        let more = more.trim_ascii_end();
        let Some((_, value)) = self.headers.last().copied() else {
            return;
        };
        let mut before = self.field(value).bytes.to_vec();
        if !before.is_empty() {
            before.extend_from_slice(self.blanks_behind(value));
        }
        let blank = more
            .first()
            .is_some_and(|first| matches!(first, b' ' | b'\t'));
        let joined = if before.is_empty() {
            self.join(&[trim(more)])
        } else if blank {
            self.join(&[&[&before, more].concat()])
        } else {
            self.join(&[&before, trim(more)])
        };
        if let Some((_, value)) = self.headers.last_mut() {
            *value = joined;
        }
    }

    /// The blanks that stand behind a part that was sent in one piece.
    fn blanks_behind(&self, span: Span) -> &[u8] {
        let end = usize::try_from(span.start.saturating_add(span.len)).ok();
        let rest = end.and_then(|end| self.raw.get(end..)).unwrap_or_default();
        let len = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
        rest.get(..len.count()).unwrap_or_default()
    }

    /// Parts with a space between those that are not empty. What is joined again and again stays
    /// in the buffer each time, so the buffer has a bound.
    fn join(&mut self, parts: &[&[u8]]) -> Span {
        let start = self.joined.len();
        let room = JOINED_BYTES_MAX.saturating_sub(start);
        for part in parts.iter().filter(|part| !part.is_empty()) {
            if self.joined.len() > start {
                self.joined.push(b' ');
            }
            self.joined.extend_from_slice(part);
        }
        self.joined.truncate(start.saturating_add(room));
        Span {
            start: len32(self.raw.len().saturating_add(start)),
            len: len32(self.joined.len().saturating_sub(start)),
        }
    }

    /// Frees all but the start line and the fields of these names. What is left stands where it
    /// stood among the fields, but not where it stood in the bytes as sent.
    pub(super) fn shrink_to(&mut self, names: &[&[u8]]) {
        let start_end = self.start_line.start.saturating_add(self.start_line.len);
        let start_end = usize::try_from(start_end).unwrap_or(usize::MAX);
        let mut joined = Vec::new();
        let mut keep = |part: &[u8]| {
            let start = len32(start_end.saturating_add(joined.len()));
            joined.extend_from_slice(part);
            Span {
                start,
                len: len32(part.len()),
            }
        };
        let is_wanted = |name: &[u8]| names.iter().any(|wanted| is_name(name, wanted));
        let wanted = self.headers().filter(|(name, _)| is_wanted(name.bytes));
        let mut headers: Vec<_> = wanted
            .map(|(name, value)| (keep(name.bytes), keep(value.bytes)))
            .collect();
        headers.shrink_to_fit();
        joined.shrink_to_fit();
        (self.headers, self.joined) = (headers, joined);
        self.trailer = Box::default();
        self.raw = self.raw.get(..start_end).unwrap_or_default().into();
    }

    fn field(&self, span: Span) -> Field<'_> {
        let start = usize::try_from(span.start).unwrap_or(usize::MAX);
        let len = usize::try_from(span.len).unwrap_or(usize::MAX);
        let end = start.saturating_add(len);
        let bytes = match start.checked_sub(self.raw.len()) {
            Some(start) if len > 0 => self.joined.get(start..start.saturating_add(len)),
            _ => self.raw.get(start..end),
        };
        Field {
            bytes: bytes.unwrap_or_default(),
            offset: span.start,
        }
    }

    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        let per_header = size_of::<(Span, Span)>();
        self.raw
            .len()
            .saturating_add(self.trailer.len())
            .saturating_add(self.joined.len())
            .saturating_add(self.headers.len().saturating_mul(per_header))
    }
}

/// Most bytes of names and values that are put together from several lines.
const JOINED_BYTES_MAX: usize = 128 << 10;

/// Which start line a head has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartLine {
    Request,
    Status,
}

/// Method up to the first white space; version behind the last, if there is a target before it; the
/// target is all between.
fn request_line(line: Line<'_>) -> [Span; 3] {
    let bytes = line.bytes;
    let from = bytes.iter().take_while(|byte| is_void(**byte)).count();
    let rest = bytes.get(from..).unwrap_or_default();
    let method = rest
        .iter()
        .position(|byte| is_space(*byte))
        .map_or(bytes.len(), |len| from.saturating_add(len));
    let last = trim(bytes);
    let last = last.iter().rposition(|byte| is_space(*byte));
    let version = last
        .map(|blank| from.saturating_add(blank).saturating_add(1))
        .filter(|start| {
            let target = bytes.get(method..*start).unwrap_or_default();
            !trim(target).is_empty()
        })
        .unwrap_or(bytes.len());
    [
        line.span(from, method),
        line.part(method, version),
        line.part(version, bytes.len()),
    ]
}

fn status_line(line: Line<'_>) -> [Span; 3] {
    let bytes = line.bytes;
    let len = bytes.len();
    let skip = |from: usize, wanted: fn(u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        let passed = rest.iter().take_while(|byte| wanted(**byte)).count();
        from.saturating_add(passed)
    };
    let from = skip(0, is_void);
    let version = skip(from, |byte| !is_space(byte));
    let code = skip(version, is_space);
    let code_end = skip(code, |byte| !is_space(byte));
    [
        line.span(from, version),
        line.span(code, code_end),
        // blanks behind a reason are part of it
        line.span(skip(code_end, is_space), len),
    ]
}

pub(super) fn starts_with_http(bytes: &[u8]) -> bool {
    bytes
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"HTTP/"))
}

/// Whether a line that begins with white space is a field of its own all the same, as browsers
/// take it: a token and a colon.
fn looks_like_field(line: &[u8]) -> bool {
    let blanks = line.iter().take_while(|byte| is_void(**byte)).count();
    let line = line.get(blanks..).unwrap_or_default();
    let name = memchr::memchr(b':', line).and_then(|colon| line.get(..colon));
    name.is_some_and(|name| !name.is_empty() && name.iter().all(|byte| is_token(*byte)))
}

/// Whether a name is this one, whatever its case; lenient receivers do not see NULs in it.
fn is_name(found: &[u8], name: &[u8]) -> bool {
    if memchr::memchr(0, found).is_none() {
        return found.eq_ignore_ascii_case(name);
    }
    let seen = found.iter().filter(|byte| **byte != 0);
    seen.map(u8::to_ascii_lowercase)
        .eq(name.iter().map(u8::to_ascii_lowercase))
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Line<'_> {
    fn span(&self, from: usize, to: usize) -> Span {
        Span {
            start: len32(self.start.saturating_add(from)),
            len: len32(to.saturating_sub(from)),
        }
    }

    /// What stands from `from` on without the white space around it; NULs are part of it.
    fn value(&self, from: usize) -> Span {
        let part = self.bytes.get(from..).unwrap_or_default();
        let blanks = part.iter().take_while(|byte| is_space(**byte)).count();
        let end = part.iter().rposition(|byte| !is_space(*byte));
        let end = end.map_or(blanks, |last| last.saturating_add(1));
        self.span(from.saturating_add(blanks), from.saturating_add(end))
    }

    /// The part from `from` to `to` without the white space around it.
    fn part(&self, from: usize, to: usize) -> Span {
        let part = self.bytes.get(from..to).unwrap_or_default();
        let blanks = part.iter().take_while(|byte| is_void(**byte)).count();
        let start = from.saturating_add(blanks);
        self.span(start, start.saturating_add(trim(part).len()))
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
            ("Fold", "one  two"),
            ("", "bad line"),
        ];
        assert_eq!(headers, expected);
        let host = head.header(b"hOST").unwrap();
        assert_eq!(&raw[host.offset as usize..][..11], b"example.com");
        assert_eq!(head.stream_offset(), 7);
    }

    #[test]
    fn few_and_many_fields_of_one_name_are_put_together() {
        for others in [0, COMPARED_MAX + 1] {
            let mut raw = b"GET / HTTP/1.1\r\nA: 1\r\nContent-Length: 5\r\n".to_vec();
            for number in 0..others {
                raw.extend_from_slice(format!("N{number}: x\r\n").as_bytes());
            }
            raw.extend_from_slice(b"a: 2\r\ncontent-length: 6\r\nB: 3\r\nA: 4\r\n\r\n");
            let head = Head::parse(&raw, StartLine::Request, 0);
            let merged = head.merged();
            assert_eq!(merged.len(), others + 3);
            let of = |wanted: &[u8]| {
                let mut merged = merged.iter();
                let found = merged.find(|(name, _)| *name == wanted);
                found.map(|(_, value)| &**value)
            };
            assert_eq!(of(b"A"), Some(&b"1, 2, 4"[..]));
            assert_eq!(of(b"Content-Length"), Some(&b"5"[..]));
            assert_eq!(of(b"B"), Some(&b"3"[..]));
        }
    }

    #[test]
    fn odd_start_lines() {
        for (line, kind, expected) in [
            ("GET /\n\n", StartLine::Request, ["GET", "/", ""]),
            ("GET\n\n", StartLine::Request, ["GET", "", ""]),
            (
                "GET http/1.1\n\n",
                StartLine::Request,
                ["GET", "http/1.1", ""],
            ),
            ("GET /a b\n\n", StartLine::Request, ["GET", "/a", "b"]),
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
