//! Lines of a head, and where it ends: as receivers take them, not as senders should write them.

use super::head::StartLine;

/// A line without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) start: usize,
    pub(super) bytes: &'a [u8],
    /// It ended in a bare CR, which browsers take for a line end in responses.
    pub(super) bare_cr: bool,
}

/// The lines of a head. LF and CR LF end a line; in a response CR alone does too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) raw: &'a [u8],
    pub(super) at: usize,
    pub(super) kind: StartLine,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.at;
        let rest = self.raw.get(start..).filter(|rest| !rest.is_empty())?;
        let end = match self.kind {
            StartLine::Request => memchr::memchr(b'\n', rest),
            StartLine::Status => memchr::memchr2(b'\r', b'\n', rest),
        };
        let len = end.unwrap_or(rest.len());
        let (bytes, tail) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        let (over, bare_cr) = match tail {
            [b'\r', b'\n', ..] => (2, false),
            [b'\r', ..] => (1, true),
            _ => (1, false),
        };
        self.at = start.saturating_add(len).saturating_add(over);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        Some(Line {
            start,
            bytes,
            bare_cr,
        })
    }
}

/// White space as C's `isspace` has it.
pub(super) fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// White space and NUL, which receivers pass over around names and values.
pub(super) fn is_void(byte: u8) -> bool {
    is_space(byte) || byte == 0
}

/// The part of `bytes` without white space and NULs around it.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_void(*byte));
    let end = bytes.iter().rposition(|byte| !is_void(*byte));
    match (start, end) {
        (Some(start), Some(end)) => bytes.get(start..=end).unwrap_or_default(),
        _ => &[],
    }
}

/// Where the head ends: behind the first empty line at or behind `from`, which is a place at or
/// before the last line end looked at.
pub(super) fn end_of_head(data: &[u8], from: usize) -> Option<usize> {
    let rest = data.get(from..)?;
    memchr::memchr_iter(b'\n', rest).find_map(|at| {
        let after = from.checked_add(at)?.checked_add(1)?;
        match data.get(after..)? {
            [b'\n', ..] => after.checked_add(1),
            [b'\r', b'\n', ..] => after.checked_add(2),
            // a lone blank is an empty line, unless an empty one follows
            [blank, b'\n', next, ..] if is_space(*blank) && *next != b'\n' => after.checked_add(2),
            _ => None,
        }
    })
}

/// Where the head of a response ends, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    End(usize),
    /// More bytes will tell; the lines before this place need not be looked at again.
    More(usize),
}

/// Looks for the end of a response's head that begins at `start`, from the start of a line on.
///
/// CR, LF, CR LF and LF CR end a line, and an empty line ends the head. Behind the status line only
/// CR LF and LF are an empty line, and one LF more belongs to that line.
pub(super) fn end_of_response_head(data: &[u8], start: usize, from: usize) -> Scan {
    let mut line = from;
    loop {
        let rest = data.get(line..).unwrap_or_default();
        let Some(len) = memchr::memchr2(b'\r', b'\n', rest) else {
            return Scan::More(line);
        };
        let (_, rest) = rest.split_at_checked(len).unwrap_or_default();
        let is_status = line == start;
        let found = if is_status {
            status_line_end(rest)
        } else {
            line_end(rest)
        };
        let Some(end) = found else {
            return Scan::More(line);
        };
        let after = rest.get(end..).unwrap_or_default();
        let next = line.saturating_add(len).saturating_add(end);
        let empty = match after {
            [] | [b'\r'] | [b' ' | b'\t'] | [b' ' | b'\t', b'\r' | b'\n'] => {
                return Scan::More(line);
            }
            [b'\r', b'\n', b' ' | b'\t', ..] if is_status => 0,
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] if is_status => 1,
            [b'\n', b'\r', ..] => 2,
            [b'\n', ..] => 1,
            // behind CR LF, a CR before a blank folds the line
            [b'\r', b' ' | b'\t', ..] if rest.starts_with(b"\r\n") => {
                line = next.saturating_add(2);
                continue;
            }
            [b'\r', ..] if !is_status => 1,
            // a lone blank is an empty line, unless an empty one follows or one that it folds
            [b' ' | b'\t', b'\n', next, ..] if !is_status && !is_space(*next) => 2,
            [b' ' | b'\t', b'\r', next, ..]
                if !is_status && !matches!(next, b'\n' | b' ' | b'\t') =>
            {
                2
            }
            _ => 0,
        };
        if empty > 0 {
            return Scan::End(next.saturating_add(empty));
        }
        line = next;
    }
}

/// Length of the line end that `rest` begins with; `None` when more bytes will tell.
fn line_end(rest: &[u8]) -> Option<usize> {
    match rest {
        // CRs behind a line end that another follows are no empty line
        [b'\r', b'\n', b'\r', b'\r', more @ ..] => {
            let returns = more.iter().take_while(|byte| **byte == b'\r').count();
            let is_newline = *more.get(returns)? == b'\n';
            Some(returns.saturating_add(4).saturating_add(is_newline.into()))
        }
        [b'\n', b'\r', b'\r', b'\n', b'\n', ..]
        | [b'\n', b'\r', b'\r', b'\n', b'\r', b'\n', ..] => Some(4),
        [b'\r'] | [b'\r', b'\n', b'\r'] => None,
        [b'\r', b'\n', ..] | [b'\n', b'\r', ..] => Some(2),
        _ => Some(1),
    }
}

fn status_line_end(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'\r'] => None,
        [b'\r', b'\n', b'\n', ..] => Some(3),
        [b'\r', b'\n', ..] | [b'\n', b'\n', ..] => Some(2),
        _ => Some(1),
    }
}

/// Where a response begins among bytes that need not be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// More bytes will tell.
    Unsure,
    /// Behind so many bytes of junk.
    At(usize),
    /// These bytes are none: a body without a head, as HTTP/0.9 has it.
    Nowhere,
}

/// Looks for a status line: behind white space, and behind one line of anything.
pub(super) fn response_start(data: &[u8]) -> Start {
    let mut at = 0;
    for line in 0..2 {
        at = skip_void(data, at);
        match data.get(at..).unwrap_or_default() {
            rest if rest.len() < 4 && starts_with_http(b"HTTP", rest) => return Start::Unsure,
            rest if starts_with_http(rest, b"HTTP") => return Start::At(at),
            rest => match memchr::memchr2(b'\r', b'\n', rest) {
                Some(len) => at = at.saturating_add(len),
                None if rest.len() < JUNK_LINE_BYTES_MAX && line == 0 => return Start::Unsure,
                None => return Start::Nowhere,
            },
        }
    }
    Start::Nowhere
}

fn skip_void(data: &[u8], at: usize) -> usize {
    let rest = data.get(at..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| is_void(**byte)).count();
    at.saturating_add(blanks)
}

fn starts_with_http(bytes: &[u8], start: &[u8]) -> bool {
    let front = bytes.get(..start.len());
    front.is_some_and(|front| front.eq_ignore_ascii_case(start))
}

/// Longest line of junk before a status line.
const JUNK_LINE_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_end_at_empty_lines_of_any_kind() {
        for (data, end) in [
            (&b"a\n\nb"[..], Some(3)),
            (b"a\r\n\r\nb", Some(5)),
            (b"a\n\r\nb", Some(4)),
            (b"a\r\n\nb", Some(4)),
            (b"a\n\t\nb", Some(4)),
            (b"a\n\t\n\nb", Some(5)),
            (b"a\r\n\t\r\n\r\nb", Some(8)),
            (b"a\n\r\r\n\r\nb", Some(7)),
            (b"a\n", None),
            (b"a\rb\r\r", None),
        ] {
            assert_eq!(end_of_head(data, 0), end, "{data:?}");
        }
    }

    #[test]
    fn heads_of_responses_end_at_empty_lines_of_any_kind() {
        for (lines, end) in [
            (&b"\r\n\r\n"[..], Some(4)),
            (b"\n\n", Some(2)),
            (b"\r\r", Some(2)),
            (b"\r\r\n", Some(3)),
            (b"\r\n\r", Some(3)),
            (b"\n\r", None),
            (b"\n\r\r", Some(3)),
            (b"\n\n\r", Some(3)),
            (b"\n\r\n\r", Some(4)),
            (b"\n\r\r\n", Some(4)),
            (b"\n\r\r\n\r\n", Some(6)),
            (b"\r\n\r\r\n", None),
            (b"\r\n\r\r\n\r\n", Some(7)),
            (b"\r\n\t\r\n\r\n", Some(7)),
            (b"\n\t\n", Some(3)),
            (b"\r\n\r \r", None),
            (b"\r\n\r \r\n\r\n", Some(8)),
            (b"\n\r\r ", Some(3)),
            (b"\n \r ", None),
            (b"\r\n \r", Some(4)),
            (b"\n \n\r", None),
            (b"\r \n ", None),
        ] {
            let data = [b"HTTP/1.1 200 OK\r\na: b", lines, b"body"].concat();
            let expected = end.map(|end| Scan::End(21 + end));
            let found = end_of_response_head(&data, 0, 0);
            match expected {
                Some(_) => assert_eq!(Some(found), expected, "{lines:?}"),
                None => assert!(matches!(found, Scan::More(_)), "{lines:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn behind_a_status_line_a_line_feed_more_is_passed_over() {
        for (lines, end) in [
            (&b"\r\n\r\n"[..], Some(4)),
            (b"\n\n", None),
            (b"\r\n\n", None),
            (b"\n\n\n", Some(3)),
            (b"\r\r\n", Some(3)),
            (b"\r\r", None),
            (b"\n\r\r", Some(3)),
        ] {
            let data = [b"HTTP/1.1 200 OK", lines, b"body"].concat();
            let expected = end.map(|end| Scan::End(15 + end));
            let found = end_of_response_head(&data, 0, 0);
            match expected {
                Some(_) => assert_eq!(Some(found), expected, "{lines:?}"),
                None => assert!(matches!(found, Scan::More(_)), "{lines:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_comes() {
        let data = b"HTTP/1.1 200 OK\r\na: b\r\nc: d\r\n\r\nbody";
        for cut in 1..31 {
            let Scan::More(from) = end_of_response_head(&data[..cut], 0, 0) else {
                panic!("an end in {cut} bytes");
            };
            assert_eq!(end_of_response_head(data, 0, from), Scan::End(31), "{cut}");
        }
    }

    #[test]
    fn junk_before_a_status_line_is_passed_over() {
        for (data, start) in [
            (&b"HTTP/1.1 200"[..], Start::At(0)),
            (b"http/1.0 200", Start::At(0)),
            (b"HT", Start::Unsure),
            (b" ju", Start::Unsure),
            (b" \r\n\t\r\nHTTP", Start::At(6)),
            (b" foobar\r\nHTTP", Start::At(9)),
            (b"SIP/2.0 200 ok\r\nHTT", Start::Unsure),
            (b"a\nb\nHTTP", Start::Nowhere),
            (b"<html>\n<body>\n", Start::Nowhere),
        ] {
            assert_eq!(response_start(data), start, "{data:?}");
        }
    }
}
