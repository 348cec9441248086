//! From text to tokens (STIX 2.1 section 9; the lexical part of the OASIS grammar `STIXPattern.g4`).
//!
//! The longest token wins, and of two equally long ones the keyword.

use std::borrow::Cow;

use super::error::Refusal;

/// A token and where it starts, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) at: usize,
    pub(super) text: &'a str,
    pub(super) kind: Kind,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword; which one, its text says.
    Keyword,
    /// A name without a hyphen: an object type or a property.
    Name,
    /// A name with a hyphen: an object type only.
    HyphenName,
    /// Brackets, comma, colon, dot, asterisk.
    Punctuation,
    /// `=`, `==`, `!=`, `<>`, `<`, `<=`, `>`, `>=`.
    Comparison,
    /// A constant.
    Constant(Constant),
    /// After the last token.
    End,
}

/// What kind of constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    Text,
    Integer,
    Float,
    Boolean,
    Binary,
    Hex,
    Time,
}

/// The keywords of the language but `true` and `false`, which are constants.
const KEYWORDS: [&str; 17] = [
    "AND",
    "OR",
    "NOT",
    "FOLLOWEDBY",
    "LIKE",
    "MATCHES",
    "ISSUPERSET",
    "ISSUBSET",
    "EXISTS",
    "LAST",
    "IN",
    "START",
    "STOP",
    "SECONDS",
    "WITHIN",
    "REPEATS",
    "TIMES",
];

/// Whether a word is one of the language's.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word) || matches!(word, "TRUE" | "FALSE")
}

/// Whether a key can stand in a path without quotes.
pub(super) fn is_name_alone(key: &str) -> bool {
    let first = key.chars().next();
    let begins = first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let is_word = KEYWORDS.contains(&key) || matches!(key, "true" | "false");
    begins && key.chars().all(is_name) && !is_word
}

/// Reads tokens one after the other.
#[derive(Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; [`Kind::End`] again and again at the end.
    pub(super) fn next(&mut self) -> Result<Token<'a>, Refusal> {
        self.skip_space();
        let at = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Token {
                at,
                text: "",
                kind: Kind::End,
            });
        };
        let (len, kind) = measure(rest, first).ok_or_else(|| illegal(at, rest, first))?;
        let text = rest.get(..len).unwrap_or(rest);
        self.at = at.saturating_add(len);
        Ok(Token { at, text, kind })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Skips white space and comments. A comment that does not end is left to be refused.
    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let space = rest
                .len()
                .saturating_sub(rest.trim_start_matches(is_space).len());
            let len = match space {
                0 => comment(rest),
                space => space,
            };
            if len == 0 {
                return;
            }
            self.at = self.at.saturating_add(len);
        }
    }
}

/// The value of a string constant: without quotes, escapes resolved.
pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    let inner = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
        .unwrap_or(text);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        value.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    Cow::Owned(value)
}

/// The length in bytes and the kind of the token that `rest` begins with.
fn measure(rest: &str, first: char) -> Option<(usize, Kind)> {
    match first {
        'a'..='z' | 'A'..='Z' | '_' => word(rest),
        '\'' => Some((quoted(rest)?, Kind::Constant(Constant::Text))),
        '+' | '-' | '.' | '0'..='9' => number(rest),
        '[' | ']' | '(' | ')' | ',' | ':' | '*' => Some((1, Kind::Punctuation)),
        _ => comparison(rest),
    }
}

fn word(rest: &str) -> Option<(usize, Kind)> {
    let len = rest
        .find(|c: char| !is_name(c) && c != '-')
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(len)?;
    if after.starts_with('\'') && matches!(word, "t" | "b" | "h") {
        return typed(word, after);
    }
    let kind = match word {
        "true" | "false" => Kind::Constant(Constant::Boolean),
        _ if KEYWORDS.contains(&word) => Kind::Keyword,
        _ if word.contains('-') => Kind::HyphenName,
        _ => Kind::Name,
    };
    Some((len, kind))
}

/// A constant with a letter before its quote.
fn typed(letter: &str, after: &str) -> Option<(usize, Kind)> {
    let len = quoted(after)?;
    let value = after.get(1..len.checked_sub(1)?)?;
    let (legal, constant) = match letter {
        "t" => (is_time(value), Constant::Time),
        "b" => (is_base64(value), Constant::Binary),
        _ => (is_hex(value), Constant::Hex),
    };
    legal.then_some((len.saturating_add(1), Kind::Constant(constant)))
}

/// The length of the string constant that `rest` begins with, quotes included.
fn quoted(rest: &str) -> Option<usize> {
    let mut bytes = rest.bytes().enumerate().skip(1);
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'\'' => return index.checked_add(1),
            b'\\' => bytes
                .next()
                .filter(|(_, escaped)| matches!(escaped, b'\'' | b'\\'))?,
            _ => continue,
        };
    }
    None
}

fn number(rest: &str) -> Option<(usize, Kind)> {
    let unsigned = rest.trim_start_matches(['+', '-']);
    let sign = rest
        .len()
        .checked_sub(unsigned.len())
        .filter(|sign| *sign <= 1)?;
    let whole = digits(unsigned);
    let fraction = unsigned.get(whole..)?.strip_prefix('.').map_or(0, digits);
    if fraction > 0 {
        let len = sign
            .checked_add(whole)?
            .checked_add(1)?
            .checked_add(fraction)?;
        return Some((len, Kind::Constant(Constant::Float)));
    }
    match whole {
        0 if rest.starts_with('.') => Some((1, Kind::Punctuation)),
        0 => None,
        // A number with a leading zero is two numbers, which no rule of the grammar takes.
        _ if unsigned.starts_with('0') => Some((sign.checked_add(1)?, INTEGER)),
        _ => Some((sign.checked_add(whole)?, INTEGER)),
    }
}

const INTEGER: Kind = Kind::Constant(Constant::Integer);

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn comparison(rest: &str) -> Option<(usize, Kind)> {
    const LONGEST_FIRST: [&str; 8] = ["==", "!=", "<>", "<=", ">=", "=", "<", ">"];
    let operator = LONGEST_FIRST
        .iter()
        .find(|operator| rest.starts_with(**operator))?;
    Some((operator.len(), Kind::Comparison))
}

fn comment(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find(['\r', '\n']).unwrap_or(rest.len());
    }
    let inside = rest.strip_prefix("/*").and_then(|inside| inside.find("*/"));
    inside.map_or(0, |len| len.saturating_add(4))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// The form of a timestamp as the grammar has it: the ranges of the fields, not the calendar.
fn is_time(text: &str) -> bool {
    let Some(text) = text.strip_suffix('Z') else {
        return false;
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let in_range = |range: Option<&str>, low: u8, high: u8| {
        let number = range
            .filter(|text| digits(text) == 2)
            .and_then(|text| text.parse::<u8>().ok());
        number.is_some_and(|number| (low..=high).contains(&number))
    };
    let fields = digits(whole) == 4
        && in_range(whole.get(5..7), 1, 12)
        && in_range(whole.get(8..10), 1, 31)
        && in_range(whole.get(11..13), 0, 23)
        && in_range(whole.get(14..16), 0, 59)
        && in_range(whole.get(17..19), 0, 60);
    let form = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    let shape = whole.len() == 19 && whole.bytes().enumerate().all(form);
    shape && fields && !fraction.is_empty() && digits(fraction) == fraction.len()
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len().saturating_sub(body.len());
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    text.len() >= 4 && text.len().is_multiple_of(4) && padding <= 2 && body.bytes().all(legal)
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn illegal(at: usize, rest: &str, first: char) -> Refusal {
    let mend = match first {
        '\'' => "end the string with ', and write \\' and \\\\ inside it",
        't' | 'b' | 'h' => {
            "write t'YYYY-MM-DDThh:mm:ssZ', b'base64' or h'hexadecimal', each complete"
        }
        '"' => "quote strings with '",
        '/' if rest.starts_with("/*") => "end the comment with */",
        _ => "take it out, or put it into quotes",
    };
    Refusal::syntax(
        at,
        format!("{first:?} begins nothing that is legal here"),
        mend,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Option<Vec<(String, Kind)>> {
        let mut lexer = Lexer::new(text);
        let mut all = Vec::new();
        loop {
            let token = lexer.next().ok()?;
            if token.kind == Kind::End {
                return Some(all);
            }
            all.push((token.text.to_owned(), token.kind));
        }
    }

    fn one(text: &str) -> Option<Kind> {
        kinds(text).filter(|all| all.len() == 1).map(|all| all[0].1)
    }

    #[test]
    fn each_token_has_its_kind() {
        let cases = [
            ("AND", Some(Kind::Keyword)),
            ("and", Some(Kind::Name)),
            ("AND-x", Some(Kind::HyphenName)),
            ("_a1", Some(Kind::Name)),
            ("true", Some(Kind::Constant(Constant::Boolean))),
            ("-12", Some(INTEGER)),
            ("+.5", Some(Kind::Constant(Constant::Float))),
            ("12.5", Some(Kind::Constant(Constant::Float))),
            ("007", None),
            ("'it\\'s'", Some(Kind::Constant(Constant::Text))),
            ("'a\\n'", None),
            ("'open", None),
            ("h'0aF1'", Some(Kind::Constant(Constant::Hex))),
            ("h'0aF'", None),
            ("b'YQ=='", Some(Kind::Constant(Constant::Binary))),
            ("b'===='", None),
            ("b''", None),
            (
                "t'2016-02-30T23:59:60.5Z'",
                Some(Kind::Constant(Constant::Time)),
            ),
            ("t'2016-13-01T00:00:00Z'", None),
            ("t'2016-12-01T00:00:00'", None),
            ("==", Some(Kind::Comparison)),
            ("<>", Some(Kind::Comparison)),
            ("!", None),
            ("/* x */ AND // y", Some(Kind::Keyword)),
            ("/* x AND", None),
            ("\u{a0}AND\u{3000}", Some(Kind::Keyword)),
        ];
        for (text, kind) in cases {
            assert_eq!(one(text), kind, "{text}");
        }
    }

    #[test]
    fn strings_lose_their_quotes_and_escapes() {
        assert_eq!(unquoted("'plain'"), Cow::Borrowed("plain"));
        assert_eq!(unquoted(r"'it\'s a \\'"), r"it's a \");
    }

    proptest! {
        #[test]
        fn tokens_cover_the_text_in_order(text in "[a-z'\\\\/*=<>\\[\\]().:0-9+ -]{0,40}|\\PC*") {
            let mut lexer = Lexer::new(&text);
            let mut end = 0;
            while let Ok(token) = lexer.next() {
                prop_assert!(token.at >= end);
                end = token.at.saturating_add(token.text.len());
                prop_assert_eq!(text.get(token.at..end), Some(token.text));
                if token.kind == Kind::End {
                    break;
                }
                prop_assert!(!token.text.is_empty());
            }
        }
    }
}
