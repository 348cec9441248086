//! Lines of bounded length.

use std::io::{self, BufRead};

/// Longest line that is read, in bytes. Longer ones are told of and skipped.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;

/// Lines of a reader, one at a time.
pub(crate) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    number: u64,
    line: Vec<u8>,
}

/// A line.
pub(crate) enum Line<'a> {
    /// Its text, without its end, and its number from 1.
    Text(&'a [u8], u64),
    /// It is longer than [`LINE_BYTES_MAX`]; its number.
    TooLong(u64),
}

impl<'a> Lines<'a> {
    pub(crate) fn new(input: &'a mut dyn BufRead) -> Self {
        Self {
            input,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let (mut any, mut long) = (false, false);
        loop {
            let piece = self.input.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            any = true;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let whole = piece.get(..end.unwrap_or(piece.len())).unwrap_or(piece);
            if self.line.len().saturating_add(whole.len()) > LINE_BYTES_MAX {
                long = true;
                self.line.clear();
            }
            if !long {
                self.line.extend_from_slice(whole);
            }
            let used = whole.len().saturating_add(usize::from(end.is_some()));
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        Ok(Some(match long {
            true => Line::TooLong(self.number),
            false => {
                let text = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
                // A mark of byte order stands at the start of what some editors write.
                let text = match self.number {
                    1 => text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text),
                    _ => text,
                };
                Line::Text(text, self.number)
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut input = io::BufReader::with_capacity(piece, bytes);
        let mut lines = Lines::new(&mut input);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push(match line {
                Line::Text(text, number) => format!("{number}:{}", String::from_utf8_lossy(text)),
                Line::TooLong(number) => format!("{number}!"),
            });
        }
        seen
    }

    #[test]
    fn lines_end_anyhow_and_long_ones_are_skipped() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let text = format!("\u{feff}a\r\n\n{long}\nb\n{long}\nc");
        for piece in [1, 7, 8192, 1 << 20] {
            assert_eq!(
                all(text.as_bytes(), piece),
                ["1:a", "2:", "3!", "4:b", "5!", "6:c"]
            );
        }
        assert_eq!(all(b"", 8), [] as [&str; 0]);
    }
}
