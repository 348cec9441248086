//! Lines of text protocols, cut from a stream: ended by LF, with or without a CR before it, as
//! lenient servers take them.

use std::borrow::Cow;

/// Cuts a stream into lines; keeps one that is not complete.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    kept: Vec<u8>,
    /// What comes up to the next LF is thrown away.
    dropping: bool,
    /// What comes next continues a line of which a piece was given out.
    within: bool,
}

/// A line, or a piece of one that is too long.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// Its bytes, the line end included.
    pub(crate) bytes: Cow<'a, [u8]>,
    /// It stands at the start of a line.
    pub(crate) is_start: bool,
    /// It is longer than the limit: this is the part before it.
    pub(crate) is_cut: bool,
}

/// What becomes of the rest of a line that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It is thrown away.
    Dropped,
    /// It comes as further pieces.
    Follows,
}

impl Line<'_> {
    /// The line without its end.
    pub(crate) fn text(&self) -> &[u8] {
        split_end(&self.bytes).0
    }
}

/// A line and its end: CRLF, LF or, in a piece, nothing.
pub(crate) fn split_end(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(text) = line.strip_suffix(b"\n") else {
        return (line, &[]);
    };
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    line.split_at_checked(text.len()).unwrap_or((line, &[]))
}

impl Lines {
    /// Takes the next line off the front of `data`; without a whole one, keeps what is there. At
    /// most `max` bytes of a line are kept and given out at once.
    pub(crate) fn next<'a>(
        &mut self,
        data: &mut &'a [u8],
        max: usize,
        rest: Rest,
    ) -> Option<Line<'a>> {
        let end = memchr::memchr(b'\n', data).map(|at| at.saturating_add(1));
        if self.dropping {
            let (_, behind) = data.split_at_checked(end.unwrap_or(data.len()))?;
            *data = behind;
            self.dropping = end.is_none();
            return if self.dropping {
                None
            } else {
                self.next(data, max, rest)
            };
        }
        let len = end.unwrap_or(data.len());
        let room = max.saturating_sub(self.kept.len());
        let is_cut = len > room;
        let (taken, behind) = data.split_at_checked(len.min(room))?;
        *data = behind;
        if end.is_none() && !is_cut {
            self.kept.extend_from_slice(taken);
            return None;
        }
        let bytes = if self.kept.is_empty() {
            Cow::Borrowed(taken)
        } else {
            self.kept.extend_from_slice(taken);
            Cow::Owned(std::mem::take(&mut self.kept))
        };
        let is_start = !std::mem::replace(&mut self.within, is_cut && rest == Rest::Follows);
        self.dropping = is_cut && rest == Rest::Dropped;
        Some(Line {
            bytes,
            is_start,
            is_cut,
        })
    }

    /// Bytes are missing: what is kept is void, and so is all up to the next LF.
    pub(crate) fn gap(&mut self) {
        *self = Self {
            dropping: true,
            ..Self::default()
        };
    }

    /// The piece that is kept, when no more will come.
    pub(crate) fn take_rest(&mut self) -> Option<Line<'static>> {
        let bytes = std::mem::take(&mut self.kept);
        let is_start = !std::mem::take(&mut self.within);
        (!bytes.is_empty()).then_some(Line {
            bytes: Cow::Owned(bytes),
            is_start,
            is_cut: false,
        })
    }

    /// Bytes kept.
    pub(crate) fn buffered(&self) -> usize {
        self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]], max: usize, rest: Rest) -> Vec<(String, bool, bool)> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for mut data in chunks.iter().copied() {
            while let Some(line) = lines.next(&mut data, max, rest) {
                let text = String::from_utf8_lossy(&line.bytes).into_owned();
                found.push((text, line.is_start, line.is_cut));
            }
        }
        found
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let one = all(&[b"ab\r\nc\n\nd"], 10, Rest::Dropped);
        let many = all(
            &[b"a", b"b", b"\r", b"\n", b"c", b"\n", b"\n", b"d"],
            10,
            Rest::Dropped,
        );
        assert_eq!(one, many);
        let texts: Vec<_> = one.iter().map(|(text, ..)| text.as_str()).collect();
        assert_eq!(texts, ["ab\r\n", "c\n", "\n"]);
    }

    #[test]
    fn long_lines_are_cut_or_come_in_pieces() {
        let text = |found: Vec<(String, bool, bool)>| {
            found
                .into_iter()
                .map(|(text, start, cut)| format!("{text}{start}{cut}"))
                .collect::<Vec<_>>()
        };
        let dropped = all(&[b"abcdef", b"ghi\nx\n"], 4, Rest::Dropped);
        assert_eq!(text(dropped), ["abcdtruetrue", "x\ntruefalse"]);
        let pieces = all(&[b"abcdef", b"ghi\nx\n"], 4, Rest::Follows);
        assert_eq!(
            text(pieces),
            [
                "abcdtruetrue",
                "efghfalsetrue",
                "i\nfalsefalse",
                "x\ntruefalse"
            ]
        );
    }

    #[test]
    fn ends_are_split_off() {
        assert_eq!(split_end(b"a\r\n"), (&b"a"[..], &b"\r\n"[..]));
        assert_eq!(split_end(b"a\r\r\n"), (&b"a\r"[..], &b"\r\n"[..]));
        assert_eq!(split_end(b"\n"), (&b""[..], &b"\n"[..]));
        assert_eq!(split_end(b"a"), (&b"a"[..], &b""[..]));
    }
}
