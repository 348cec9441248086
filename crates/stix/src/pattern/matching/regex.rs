//! `MATCHES`: regular expressions in the syntax of PCRE, found anywhere in the text
//! (STIX 2.1 section 9.6.1).
//!
//! What is regular runs in linear time. Look-around and back references step back, on texts of a
//! bounded length, and count their steps at the most that they may take.

use std::iter::Peekable;
use std::str::Chars;

use fancy_regex::{BytesMode, RegexBuilder};
use regex_automata::meta;
use regex_automata::util::syntax;

use super::{MatchError, Steps};

/// Longest expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 8 << 10;
/// Longest program of one expression, in bytes.
const PROGRAM_BYTES_MAX: usize = 2 << 20;
/// Most instructions of one expression that steps back.
const INSTRUCTIONS_MAX: usize = 1 << 12;
/// Most steps back of one search.
const BACKTRACKS_MAX: usize = 20_000;
/// Longest text that an expression which steps back is looked for in, in bytes.
const BACKTRACKED_BYTES_MAX: usize = 8 << 10;
/// The most that the numbers of repetitions in an expression that steps back come to, multiplied.
const REPETITIONS_MAX: u64 = 1000;
/// Bytes of text that one step of a regular expression looks at.
const BYTES_PER_STEP: usize = 16;

/// An expression for text and for bytes.
#[derive(Debug)]
pub(super) struct Expression {
    text: Engine,
    /// None where it has characters that no byte is.
    bytes: Option<Engine>,
    /// Whether a newline at the end may stand behind `$`.
    has_end: bool,
}

#[derive(Debug)]
enum Engine {
    /// In linear time.
    Linear(meta::Regex),
    Backtracking(fancy_regex::Regex),
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn new(expression: &str) -> Result<Self, String> {
        if expression.len() > EXPRESSION_BYTES_MAX {
            return Err(format!("it has more than {EXPRESSION_BYTES_MAX} bytes"));
        }
        let expression = translated(expression);
        let text = Engine::new(&expression, BytesMode::Unicode)?;
        // What has a meaning for text alone is found in no bytes.
        let bytes = in_bytes(&expression);
        let bytes = bytes.and_then(|bytes| Engine::new(&bytes, BytesMode::Ascii).ok());
        Ok(Self {
            text,
            bytes,
            has_end: expression.contains('$'),
        })
    }

    pub(super) fn is_in_text(&self, text: &str, steps: &mut Steps) -> Result<bool, MatchError> {
        self.is_in(&self.text, text.as_bytes(), steps)
    }

    pub(super) fn is_in_bytes(&self, bytes: &[u8], steps: &mut Steps) -> Result<bool, MatchError> {
        match &self.bytes {
            Some(engine) => self.is_in(engine, bytes, steps),
            None => steps.take(1).map(|()| false),
        }
    }

    fn is_in(&self, engine: &Engine, text: &[u8], steps: &mut Steps) -> Result<bool, MatchError> {
        let shorter = text.strip_suffix(b"\n").filter(|_| self.has_end);
        match shorter {
            Some(shorter) if !engine.is_in(text, steps)? => engine.is_in(shorter, steps),
            Some(_) => Ok(true),
            None => engine.is_in(text, steps),
        }
    }
}

impl Engine {
    fn new(expression: &str, mode: BytesMode) -> Result<Self, String> {
        let unicode = matches!(mode, BytesMode::Unicode);
        let syntax = syntax::Config::new().unicode(unicode).utf8(unicode);
        let config = meta::Config::new()
            .nfa_size_limit(Some(PROGRAM_BYTES_MAX))
            .hybrid_cache_capacity(PROGRAM_BYTES_MAX)
            .onepass_size_limit(Some(PROGRAM_BYTES_MAX))
            .utf8_empty(unicode);
        let built = meta::Builder::new()
            .configure(config)
            .syntax(syntax)
            .build(expression);
        let error = match built {
            Ok(linear) => return Ok(Self::Linear(linear)),
            Err(error) => error,
        };
        if error.size_limit().is_some() {
            return Err(format!(
                "its program has more than {PROGRAM_BYTES_MAX} bytes"
            ));
        }
        if repetitions(expression) > REPETITIONS_MAX {
            let what = "with look-around or back references, its numbers of repetitions come to";
            return Err(format!("{what} more than {REPETITIONS_MAX}"));
        }
        RegexBuilder::new(expression)
            .bytes_mode(mode)
            .backtrack_limit(BACKTRACKS_MAX)
            .delegate_size_limit(PROGRAM_BYTES_MAX)
            .delegate_dfa_size_limit(PROGRAM_BYTES_MAX)
            .delegate_dfa_skip_cache_capacity_check(false)
            .max_prog_size(INSTRUCTIONS_MAX)
            .build()
            .map(Self::Backtracking)
            .map_err(|error| error.to_string())
    }

    fn is_in(&self, text: &[u8], steps: &mut Steps) -> Result<bool, MatchError> {
        let regex = match self {
            Self::Linear(regex) => {
                let bytes = text.len().checked_div(BYTES_PER_STEP).unwrap_or(0);
                steps.take(bytes.saturating_add(1))?;
                return Ok(regex.is_match(text));
            }
            Self::Backtracking(regex) => regex,
        };
        let bounded = |what, max: usize| MatchError::Bound {
            what,
            max: u64::try_from(max).unwrap_or(u64::MAX),
        };
        if text.len() > BACKTRACKED_BYTES_MAX {
            let what = "bytes of text for a regular expression with look-around or back references";
            return Err(bounded(what, BACKTRACKED_BYTES_MAX));
        }
        steps.take(BACKTRACKS_MAX)?;
        let found = match std::str::from_utf8(text) {
            Ok(text) => regex.is_match(text),
            Err(_) => regex.is_match(text),
        };
        let what = "steps back in one regular expression (BACKTRACKS_MAX)";
        found.map_err(|_| bounded(what, BACKTRACKS_MAX))
    }
}

/// The numbers in `{…}` of an expression, multiplied: an upper bound of how often a part of it is
/// repeated without consuming text.
fn repetitions(expression: &str) -> u64 {
    let counted = expression.split('{').skip(1).map(|after| {
        let inside = after.split('}').next().unwrap_or("");
        let numbers = inside
            .split(',')
            .filter_map(|number| number.trim().parse().ok());
        numbers.max().unwrap_or(1_u64).max(1)
    });
    counted.fold(1, u64::saturating_mul)
}

/// The expression as the engine reads it: what the two read otherwise is written in a way that both
/// read alike. In brackets `[`, `&`, `~` and `--` stand for themselves; a backslash before what is
/// neither a letter nor a digit takes a meaning away and gives none; `\h` is a blank.
fn translated(expression: &str) -> String {
    const SPECIAL: &str = r"\.+*?()|[]{}^$#&-~/";
    let mut text = String::with_capacity(expression.len());
    let mut chars = expression.chars().peekable();
    // Whether inside brackets, and whether nothing stands in them yet.
    let (mut inside, mut first) = (false, false);
    while let Some(c) = chars.next() {
        let was_first = std::mem::take(&mut first);
        match c {
            '\\' => match chars.next() {
                Some('Q') => literally(&mut chars, &mut text),
                Some('h') if inside => text.push_str(r" \t"),
                Some('h') => text.push_str(r"[ \t]"),
                Some(next) if next.is_ascii_alphanumeric() || SPECIAL.contains(next) => {
                    text.extend(['\\', next]);
                }
                Some(next) => text.push(next),
                None => text.push('\\'),
            },
            '[' if !inside => {
                (inside, first) = (true, true);
                text.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    text.push('^');
                }
            }
            // A class such as [:alpha:].
            '[' if chars.peek() == Some(&':') => {
                text.push('[');
                while let Some(next) = chars.next() {
                    text.push(next);
                    if next == ':' && chars.peek() == Some(&']') {
                        text.extend(chars.next());
                        break;
                    }
                }
            }
            ']' if was_first => text.push_str(r"\]"),
            ']' if inside => {
                inside = false;
                text.push(']');
            }
            '[' | '&' | '~' if inside => text.extend(['\\', c]),
            '-' if inside && chars.peek() == Some(&'-') => text.push_str(r"\-"),
            other => text.push(other),
        }
    }
    text
}

/// What stands between `\Q` and `\E`, each character for itself.
fn literally(chars: &mut Peekable<Chars<'_>>, text: &mut String) {
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&'E').is_some() {
            return;
        }
        if c.is_ascii() && !c.is_ascii_alphanumeric() && !c.is_ascii_whitespace() && c != '_' {
            text.push('\\');
        }
        text.push(c);
    }
}

/// The expression with each character as the byte that it stands for; nothing when one is none.
fn in_bytes(expression: &str) -> Option<String> {
    let mut text = String::with_capacity(expression.len());
    for c in expression.chars() {
        match u8::try_from(c).ok()? {
            byte if byte.is_ascii() => text.push(c),
            byte => text.push_str(&format!(r"\x{byte:02x}")),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Steps {
        Steps {
            taken: 0,
            max: 1_000_000,
        }
    }

    #[test]
    fn expressions_are_read_as_pcre_reads_them() {
        let cases = [
            ("l+", "hello", true),
            ("", "hello", true),
            ("HELLO", "hello", false),
            ("(?i)HELLO", "hello", true),
            ("(?<=h)e", "hello", true),
            (r"(l)\1", "hello", true),
            (r"(.)\1\1", "hello", false),
            ("a.b", "a\nb", false),
            ("(?s)a.b", "a\nb", true),
            ("a$", "a\nb", false),
            ("(?m)a$", "a\nb", true),
            ("b$", "a\nb\n", true),
            (r"b\z", "a\nb\n", false),
            (r"^\w$", "Ă", true),
            ("[[:alpha:]]{5}", "hello", true),
            ("h[[e]llo", "hello", true),
            ("[]x]", "]", true),
            ("[^]x]", "]", false),
            ("[a&&b]", "&", true),
            (r"\<a\>", "<a>", true),
            (r"a\@b\/c\_", "a@b/c_", true),
            (r"a\hb[\h]", "a\tb ", true),
            (r"C:\\Windows", r"C:\Windows", true),
            (r"\Qa.b\E", "a.b", true),
        ];
        for (expression, text, want) in cases {
            let compiled =
                Expression::new(expression).unwrap_or_else(|why| panic!("{expression}: {why}"));
            assert_eq!(
                compiled.is_in_text(text, &mut steps()),
                Ok(want),
                "{expression}"
            );
        }
    }

    #[test]
    fn in_bytes_each_character_is_one() {
        let cases: [(&str, &[u8], bool); 6] = [
            (r"\xd4\xc3\xb2\xa1", b"\xd4\xc3\xb2\xa1\x02", true),
            ("é", b"\xe9", true),
            ("é", b"\xc3\xa9", false),
            ("ălice", b"alice", false),
            (r"^\w$", b"\xe9", false),
            ("^.$", b"\xe9", true),
        ];
        for (expression, bytes, want) in cases {
            let compiled = Expression::new(expression).unwrap();
            assert_eq!(
                compiled.is_in_bytes(bytes, &mut steps()),
                Ok(want),
                "{expression}"
            );
        }
    }

    #[test]
    fn what_is_no_expression_or_too_much_is_refused() {
        for wrong in ["(", "[a", "*", r"\", "(?:a{1000}){1000}", &"x".repeat(9000)] {
            assert!(Expression::new(wrong).is_err(), "{wrong}");
        }
        for hostile in [r"(?=(a+)+$)(a+)+\1b", r"(a*)*\1b", r"(a|aa)+\1b"] {
            let compiled = Expression::new(hostile).unwrap();
            let found = compiled.is_in_text(&"a".repeat(3000), &mut steps());
            assert!(
                matches!(found, Err(MatchError::Bound { .. })),
                "{hostile}: {found:?}"
            );
        }
        for long in [r"(?:(a)\1{1000}){1000}", r"(?:()\1{100}){100}"] {
            assert!(
                Expression::new(long).unwrap_err().contains("repetitions"),
                "{long}"
            );
        }
        let compiled = Expression::new("(?<=a)b").unwrap();
        let found = compiled.is_in_text(&"a".repeat(9000), &mut steps());
        assert!(matches!(found, Err(MatchError::Bound { .. })), "{found:?}");
    }
}
