//! What a window holds, in numbers.

use std::sync::LazyLock;

use super::{
    lexer::Token,
    lexicon::{self, CLASSES},
};
use crate::{
    Column,
    normal::Undone,
    text::{count, entropy, longest, share, tally},
};

/// Signs that have a column of their own, with the name in it.
const SIGNS: [(u8, &str); 31] = [
    (b'\'', "quote"),
    (b'"', "double_quote"),
    (b'`', "backtick"),
    (b'<', "less"),
    (b'>', "greater"),
    (b'(', "parenthesis"),
    (b')', "parenthesis_end"),
    (b'[', "bracket"),
    (b']', "bracket_end"),
    (b'{', "brace"),
    (b'}', "brace_end"),
    (b';', "semicolon"),
    (b':', "colon"),
    (b'|', "bar"),
    (b'&', "ampersand"),
    (b'$', "dollar"),
    (b'%', "percent"),
    (b'#', "hash"),
    (b'@', "at"),
    (b'!', "exclamation"),
    (b'=', "equals"),
    (b'+', "plus"),
    (b'-', "minus"),
    (b'*', "asterisk"),
    (b',', "comma"),
    (b'.', "dot"),
    (b'/', "slash"),
    (b'\\', "backslash"),
    (b'~', "tilde"),
    (b'^', "caret"),
    (b'?', "question"),
];

/// Pairs of signs that have a column of their own.
const PAIRS: [(&[u8], &str); 16] = [
    (b"--", "pair_dashes"),
    (b"||", "pair_bars"),
    (b"&&", "pair_ampersands"),
    (b"/*", "pair_comment"),
    (b"..", "pair_dots"),
    (b"//", "pair_slashes"),
    (b"</", "pair_end_tag"),
    (b"<!", "pair_declaration"),
    (b"<?", "pair_instruction"),
    (b"<%", "pair_server_tag"),
    (b"${", "pair_dollar_brace"),
    (b"{{", "pair_braces"),
    (b"{%", "pair_brace_percent"),
    (b"$(", "pair_dollar_parenthesis"),
    (b"==", "pair_equals"),
    (b"::", "pair_colons"),
];

const SHAPE: [(&str, &str); 25] = [
    ("length", "bytes of the window"),
    ("value_length", "bytes of the whole value, folded"),
    ("letters", "share of letters"),
    ("digits", "share of digits"),
    ("spaces", "share of spaces"),
    ("signs", "share of other ASCII characters"),
    ("foreign", "share of characters beyond ASCII"),
    ("entropy", "Shannon entropy, bits per byte"),
    (
        "longest_word",
        "bytes of the longest run of letters and digits",
    ),
    ("longest_signs", "bytes of the longest run of signs"),
    ("tokens", "count of tokens"),
    (
        "known",
        "count of words that mean something to an interpreter, plain ones apart",
    ),
    ("unknown", "count of other words"),
    ("numbers", "count of numbers"),
    ("known_share", "share of known words among all words"),
    ("odd_quotes", "1 where single quotes do not pair"),
    ("odd_double_quotes", "1 where double quotes do not pair"),
    ("open_parentheses", "parentheses that do not pair"),
    ("calls", "count of words right before a parenthesis"),
    (
        "known_calls",
        "count of known words right before a parenthesis",
    ),
    (
        "same_both_sides",
        "count of comparisons of a thing with itself: 1=1, 'a'='a",
    ),
    ("begins_with_sign", "1 where the first byte is a sign"),
    ("ends_in_comment", "1 where the end is --, # or /*"),
    ("dot_dot_slash", "count of ../ and ..\\"),
    ("tags", "count of < right before a word or a slash"),
];

const UNDONE: [(&str, &str); 11] = [
    ("undone_rounds", "rounds of decoding that changed something"),
    ("undone_percent", "count of percent encodings of the value"),
    (
        "undone_percent_bad",
        "count of percent signs before no hexadecimal digits",
    ),
    ("undone_entities", "count of HTML references"),
    ("undone_escapes", "count of backslash escapes"),
    ("undone_overlong", "count of overlong UTF-8 sequences"),
    (
        "undone_lookalikes",
        "count of characters of other scripts that stand for ASCII",
    ),
    (
        "undone_controls",
        "count of control and zero-width characters",
    ),
    ("undone_comments", "count of comments between words"),
    ("undone_joints", "count of joints in split words"),
    ("undone_wrapped", "count of texts in base64"),
];

static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let named = |(name, meaning): &(&'static str, &'static str)| Column { name, meaning };
    let mut columns: Vec<Column> = SHAPE.iter().map(named).collect();
    columns.extend(SIGNS.iter().map(|(_, name)| Column {
        name,
        meaning: "count of this sign",
    }));
    columns.extend(PAIRS.iter().map(|(_, name)| Column {
        name,
        meaning: "count of this pair of signs",
    }));
    columns.extend(UNDONE.iter().map(named));
    columns.extend(CLASSES.iter().map(|(name, _)| Column {
        name,
        meaning: "count of words of this class",
    }));
    columns
});

/// The columns, in order.
pub(super) fn all() -> &'static [Column] {
    &COLUMNS
}

/// Writes the numbers of a window, in the order of [`all`].
pub(super) fn measure(
    text: &[u8],
    tokens: &[Token<'_>],
    length: usize,
    undone: &Undone,
    out: &mut Vec<f32>,
) {
    shape(text, tokens, length, out);
    let mut bytes = [0_usize; 256];
    for byte in text {
        if let Some(seen) = bytes.get_mut(usize::from(*byte)) {
            *seen = seen.saturating_add(1);
        }
    }
    out.extend(
        SIGNS
            .iter()
            .map(|(sign, _)| count(bytes.get(usize::from(*sign)).copied().unwrap_or(0))),
    );
    out.extend(PAIRS.iter().map(|(pair, _)| {
        count(
            tokens
                .iter()
                .filter(|token| matches!(token, Token::Sign(sign) if sign == pair))
                .count(),
        )
    }));
    let wide = |number: u32| count(usize::try_from(number).unwrap_or(usize::MAX));
    out.push(f32::from(undone.rounds));
    out.extend(
        [
            undone.percent,
            undone.percent_bad,
            undone.entities,
            undone.escapes,
            undone.overlong,
            undone.lookalikes,
            undone.controls,
            undone.comments,
            undone.joints,
            undone.wrapped,
        ]
        .map(wide),
    );
    for class in 0..CLASSES.len() {
        let bit = u32::try_from(class)
            .ok()
            .and_then(|class| 1_u32.checked_shl(class))
            .unwrap_or(0);
        let of =
            |token: &&Token<'_>| matches!(token, Token::Known(_, classes) if classes & bit != 0);
        out.push(count(tokens.iter().filter(of).count()));
    }
}

fn shape(text: &[u8], tokens: &[Token<'_>], length: usize, out: &mut Vec<f32>) {
    let is_sign = |byte: u8| byte.is_ascii_punctuation();
    let letters = tally(text, |byte| byte.is_ascii_alphabetic());
    let digits = tally(text, |byte| byte.is_ascii_digit());
    let spaces = tally(text, |byte| byte == b' ');
    let signs = tally(text, is_sign);
    let foreign = tally(text, |byte| !byte.is_ascii());
    let is_known = |token: &&Token<'_>| matches!(token, Token::Known(_, classes) if *classes != lexicon::PLAIN);
    let known = tokens.iter().filter(is_known).count();
    let words = tokens
        .iter()
        .filter(|token| matches!(token, Token::Known(..) | Token::Word(_)))
        .count();
    let numbers = tokens
        .iter()
        .filter(|token| matches!(token, Token::Number(_)))
        .count();
    let of = |sign: u8| tally(text, |byte| byte == sign);
    let odd = |sign: u8| if of(sign) % 2 == 1 { 1.0 } else { 0.0 };
    let flag = |holds: bool| if holds { 1.0 } else { 0.0 };
    let calls = |known_only: bool| {
        let call = |pair: &[Token<'_>]| match pair {
            [Token::Known(..), Token::Sign(b"(" | b"()")] => true,
            [Token::Word(_), Token::Sign(b"(" | b"()")] => !known_only,
            _ => false,
        };
        count(tokens.windows(2).filter(|pair| call(pair)).count())
    };
    out.extend([
        count(text.len()),
        count(length),
        share(letters, text.len()),
        share(digits, text.len()),
        share(spaces, text.len()),
        share(signs, text.len()),
        share(foreign, text.len()),
        entropy(text),
        count(longest(text, |byte| byte.is_ascii_alphanumeric())),
        count(longest(text, is_sign)),
        count(tokens.len()),
        count(known),
        count(words.saturating_sub(known)),
        count(numbers),
        share(known, words),
        odd(b'\''),
        odd(b'"'),
        count(of(b'(').abs_diff(of(b')'))),
        calls(false),
        calls(true),
        count(same_both_sides(tokens)),
        flag(text.first().is_some_and(|byte| is_sign(*byte))),
        flag(
            [&b"--"[..], b"#", b"/*", b"-- -", b"--+"]
                .iter()
                .any(|end| text.ends_with(end)),
        ),
        count(
            text.windows(3)
                .filter(|bytes| matches!(*bytes, b"../" | b"..\\"))
                .count(),
        ),
        count(tags(text)),
    ]);
}

/// Comparisons of a thing with itself, quoted or not.
fn same_both_sides(tokens: &[Token<'_>]) -> usize {
    let compares = |token: &Token<'_>| {
        matches!(
            token,
            Token::Sign(b"=" | b"==" | b"<=" | b">=")
                | Token::Known(b"like" | b"regexp" | b"rlike", _)
        )
    };
    let plain: Vec<&Token<'_>> = tokens
        .iter()
        .filter(|token| {
            !matches!(
                token,
                Token::Sign(b"'" | b"\"" | b"(" | b")" | b"`" | b"()")
            )
        })
        .collect();
    plain
        .windows(3)
        .filter(|three| matches!(three, [a, by, b] if compares(by) && a == b))
        .count()
}

fn tags(text: &[u8]) -> usize {
    text.windows(2)
        .filter(|pair| matches!(pair, [b'<', next] if next.is_ascii_alphabetic() || *next == b'/'))
        .count()
}
