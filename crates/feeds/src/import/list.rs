//! Plain lists: one value per line.
//!
//! `#`, `;` and `//` at the start of a line, and `#` or `;` behind a space, begin a comment. In a
//! file of hosts (`0.0.0.0 evil.example`) the names are the values.

use std::io::BufRead;

use super::{Import, OptionError, Options, ReadError, Tell};
use crate::claim::{Claim, Place, Refused, Told};
use crate::lines::{Line, Lines};
use crate::value::{Kind, Value};

struct List {
    kind: Option<Kind>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of all readers' makers")]
pub(super) fn new(options: &Options) -> Result<Box<dyn Import>, OptionError> {
    Ok(Box::new(List { kind: options.kind }))
}

impl Import for List {
    fn read(&self, input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let mut lines = Lines::new(input);
        while let Some(line) = lines.next()? {
            match line {
                Line::Text(text, number) => self.line(text, number, tell)?,
                Line::TooLong(number) => {
                    let place = Place::Line(number, 1);
                    let why = "the line is too long";
                    tell(Told::Refused(Refused::new(
                        place,
                        why,
                        "write one value per line",
                    )))?;
                }
            }
        }
        Ok(())
    }
}

impl List {
    fn line(&self, line: &[u8], number: u64, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() || is_comment(trimmed) {
            return Ok(());
        }
        let Ok(text) = std::str::from_utf8(line) else {
            let place = Place::Line(number, 1);
            let refused = Refused::new(place, "the line is not UTF-8", "write the file in UTF-8");
            return tell(Told::Refused(refused));
        };
        let text = without_comment(text);
        let mut words = text.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        let column = |word: &str| column_of(text, word);
        let Some(second) = second else {
            return self.value(first, Place::Line(number, column(first)), tell);
        };
        if !is_sinkhole(first) {
            let place = Place::Line(number, column(second));
            let refused = Refused::new(
                place,
                "more than one value in a line",
                "write one value per line, or import it as csv",
            );
            return tell(Told::Refused(refused));
        }
        for name in text.split_whitespace().skip(1).filter(|name| !is_own(name)) {
            self.value(name, Place::Line(number, column(name)), tell)?;
        }
        Ok(())
    }

    fn value(&self, text: &str, place: Place, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let value = match self.kind {
            Some(kind) => Value::parse(kind, text),
            None => Value::guess(text),
        };
        tell(match value {
            Ok(value) => Told::Claim(Box::new(Claim::new(value, place))),
            Err(error) => Told::Refused(Refused::value(place, &error)),
        })
    }
}

fn is_comment(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.starts_with(b";") || line.starts_with(b"//")
}

fn without_comment(line: &str) -> &str {
    let starts = [" #", "\t#", " ;", "\t;"];
    let end = starts.iter().filter_map(|start| line.find(start)).min();
    line.get(..end.unwrap_or(line.len())).unwrap_or(line)
}

/// Where files of hosts send names that are not to be reached.
fn is_sinkhole(word: &str) -> bool {
    matches!(word, "0.0.0.0" | "127.0.0.1" | "::" | "::1")
}

/// Names that files of hosts give to the machine itself.
fn is_own(name: &str) -> bool {
    let parts = ["localhost", "local", "broadcasthost", "ip6-", "0.0.0.0"];
    parts.iter().any(|part| name.starts_with(part))
}

/// The column of a word that is a part of `line`, in characters from 1.
fn column_of(line: &str, word: &str) -> u64 {
    let bytes = (word.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let before = line.get(..bytes).unwrap_or_default();
    u64::try_from(before.chars().count())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    fn list(kind: Option<Kind>) -> Box<dyn Import> {
        new(&Options {
            kind,
            ..Options::default()
        })
        .unwrap()
    }

    #[test]
    fn values_stand_one_per_line_and_bad_ones_are_told_with_their_place() {
        let text = "# a list\n192.0.2.1\n  evil[.]example  # seen today\n\n; end\nhxxp://evil.example/a\n  word\n1.10.16.0/20 ; SBL\na.example b.example\n";
        let want = [
            "ip 192.0.2.1",
            "domain evil.example",
            "url http://evil.example/a",
            "refused line 7, column 3: \"word\" is of no kind that can be guessed; correct the value, or name its type",
            "ip 1.10.16.0/20",
            "refused line 9, column 11: more than one value in a line; write one value per line, or import it as csv",
        ];
        assert_eq!(told(&*list(None), text), want);
    }

    #[test]
    fn in_a_file_of_hosts_the_names_are_the_values() {
        let text = "127.0.0.1 localhost\n0.0.0.0 evil.example www.evil.example\n";
        assert_eq!(
            told(&*list(None), text),
            ["domain evil.example", "domain www.evil.example"]
        );
    }

    #[test]
    fn a_kind_that_is_given_is_insisted_on() {
        let hash = "0123456789abcdef0123456789ABCDEF";
        let told = told(&*list(Some(Kind::Ja3)), &format!("{hash}\n192.0.2.1\n"));
        assert_eq!(told[0], "ja3 0123456789abcdef0123456789abcdef");
        assert_eq!(
            told[1],
            "refused line 2, column 1: \"192.0.2.1\" is not a JA3 hash; correct the value, or its type"
        );
    }
}
