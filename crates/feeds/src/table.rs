//! Tables of separated values (RFC 4180), with the comments and spaces that feeds put into them.

use std::io::{self, BufRead};

use crate::claim::{Place, Refused};
use crate::lines::{LINE_BYTES_MAX, Line, Lines};

/// Most columns of a table.
const COLUMNS_MAX: usize = 512;

/// Rows of a table.
pub(crate) struct Table<'a> {
    lines: Lines<'a>,
    separator: u8,
    /// The text of the last line of comments: in some feeds the headings.
    pub(crate) comment: Option<String>,
}

/// A field and the column of the text that it begins in, in characters from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) column: u64,
}

/// A row: the line that it begins in, and its fields.
pub(crate) type Row = (u64, Vec<Field>);

impl<'a> Table<'a> {
    pub(crate) fn new(input: &'a mut dyn BufRead, separator: u8) -> Self {
        Self {
            lines: Lines::new(input),
            separator,
            comment: None,
        }
    }

    /// The next row; `None` at the end. Empty lines and comments (`#`) are skipped.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Row, Refused>>> {
        let mut row = String::new();
        let mut first = 0;
        loop {
            let (text, number) = match self.lines.next()? {
                // A quote that nobody closed: what stands there is not lost in silence.
                None if row.is_empty() => return Ok(None),
                None => return Ok(Some(Err(unclosed(first)))),
                Some(Line::TooLong(number)) => return Ok(Some(Err(too_long(number)))),
                Some(Line::Text(text, number)) => (text, number),
            };
            if row.is_empty() {
                if text.trim_ascii().is_empty() {
                    continue;
                }
                if let Some(comment) = text.strip_prefix(b"#") {
                    self.comment = Some(String::from_utf8_lossy(comment).trim().to_owned());
                    continue;
                }
                first = number;
            }
            let Ok(text) = std::str::from_utf8(text) else {
                let place = Place::Line(number, 1);
                let refused =
                    Refused::new(place, "the line is not UTF-8", "write the file in UTF-8");
                return Ok(Some(Err(refused)));
            };
            if row.len().saturating_add(text.len()) > LINE_BYTES_MAX {
                return Ok(Some(Err(too_long(first))));
            }
            row.push_str(text);
            if let Some(fields) = split(&row, self.separator) {
                return Ok(Some(match fields.len() <= COLUMNS_MAX {
                    true => Ok((first, fields)),
                    false => Err(too_long(first)),
                }));
            }
            row.push('\n');
        }
    }
}

fn too_long(number: u64) -> Refused {
    Refused::new(
        Place::Line(number, 1),
        "the row is too long",
        "see that every quote is closed",
    )
}

fn unclosed(number: u64) -> Refused {
    Refused::new(
        Place::Line(number, 1),
        "a quote is not closed",
        "close it, or write it twice",
    )
}

/// The fields of a row; `None` when a quote is open at its end.
pub(crate) fn split(row: &str, separator: u8) -> Option<Vec<Field>> {
    let separator = char::from(separator);
    let mut fields = Vec::new();
    let mut field = Field {
        text: String::new(),
        column: 1,
    };
    // Where we are in a field: before a quote, inside of quotes, behind them or without any.
    let (mut quoted, mut closed) = (false, false);
    let mut chars = row.chars().peekable();
    let mut column = 0_u64;
    while let Some(c) = chars.next() {
        // Columns are those of the line that a field stands in.
        column = if c == '\n' {
            0
        } else {
            column.saturating_add(1)
        };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                column = column.saturating_add(1);
                field.text.push('"');
            }
            '"' if quoted => (quoted, closed) = (false, true),
            _ if quoted => field.text.push(c),
            '"' if !closed && field.text.trim().is_empty() => {
                field = Field {
                    text: String::new(),
                    column: column.saturating_add(1),
                };
                quoted = true;
            }
            _ if c == separator => {
                finish(&mut fields, std::mem::take(&mut field), closed);
                field.column = column.saturating_add(1);
                closed = false;
            }
            // A space is no part of a field before it begins, nor behind its quotes.
            ' ' if field.text.is_empty() && !closed => field.column = column.saturating_add(1),
            _ if closed && c.is_whitespace() => {}
            _ => field.text.push(c),
        }
    }
    if quoted {
        return None;
    }
    finish(&mut fields, field, closed);
    Some(fields)
}

fn finish(fields: &mut Vec<Field>, mut field: Field, closed: bool) {
    if !closed {
        field.text.truncate(field.text.trim_end().len());
    }
    fields.push(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<String> {
        let mut input = text.as_bytes();
        let mut table = Table::new(&mut input, b',');
        let mut seen = Vec::new();
        while let Some(row) = table.next().unwrap() {
            seen.push(match row {
                Ok((line, fields)) => {
                    let fields: Vec<String> = fields
                        .iter()
                        .map(|f| format!("{}@{}", f.text, f.column))
                        .collect();
                    format!("{line} {}", fields.join("|"))
                }
                Err(refused) => refused.to_string(),
            });
        }
        seen
    }

    #[test]
    fn rows_are_read_as_rfc_4180_says_and_as_feeds_write() {
        let text = "# c\na,b,,\n\n\"x,\"\"y\"\"\", \"z\" ,w \n\"two\nlines\",1\n";
        assert_eq!(
            rows(text),
            [
                "2 a@1|b@3|@5|@6",
                "4 x,\"y\"@2|z@13|w@17",
                "5 two\nlines@2|1@8"
            ]
        );
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told() {
        assert_eq!(
            rows("a\n\"b,\nc"),
            [
                "1 a@1",
                "line 2, column 1: a quote is not closed; close it, or write it twice"
            ]
        );
        let long = format!("\"{}", "x\n".repeat(LINE_BYTES_MAX));
        assert!(rows(&long)[0].contains("too long"));
    }

    #[test]
    fn the_last_comment_is_remembered() {
        let mut input = &b"# one\n# \"first\",second\nx\n"[..];
        let mut table = Table::new(&mut input, b',');
        assert!(table.next().unwrap().is_some());
        assert_eq!(table.comment.as_deref(), Some("\"first\",second"));
    }
}
