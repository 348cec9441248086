//! Text as tokens: words, numbers and signs, whatever language it is of.

use super::lexicon;

/// A token of folded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word that means something to an interpreter, with the bits of its classes.
    Known(&'a [u8], u32),
    /// Any other word.
    Word(&'a [u8]),
    /// A number, decimal or hexadecimal.
    Number(&'a [u8]),
    /// One sign, or two that belong together.
    Sign(&'a [u8]),
}

/// Signs of two that mean something else than each alone.
const PAIRS: [&[u8; 2]; 38] = [
    b"--", b"||", b"&&", b"/*", b"*/", b"..", b"//", b"</", b"/>", b"<!", b"<?", b"?>", b"<%",
    b"%>", b"${", b"#{", b"$(", b"{{", b"}}", b"{%", b"%}", b"*{", b"@{", b"==", b"!=", b"<=",
    b">=", b"<>", b"<<", b">>", b"::", b"->", b"=~", b"!~", b"$$", b"``", b"()", b";;",
];

/// Splits folded text into tokens; spaces are between them.
pub(super) fn tokens(text: &[u8]) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (token, length) = loop {
            let byte = *rest.first()?;
            if byte == b' ' {
                rest = rest.get(1..)?;
                continue;
            }
            break next(rest, byte);
        };
        rest = rest.get(length..).unwrap_or_default();
        Some(token)
    })
}

fn next(rest: &[u8], byte: u8) -> (Token<'_>, usize) {
    let run = |holds: fn(u8) -> bool| rest.iter().take_while(|byte| holds(**byte)).count();
    let take = |length: usize| rest.get(..length).unwrap_or_default();
    if byte.is_ascii_digit() {
        let digits = run(|byte| byte.is_ascii_digit());
        let word = run(is_word);
        let hexadecimal = take(word).starts_with(b"0x");
        if digits == word || hexadecimal {
            return (Token::Number(take(word)), word);
        }
        // `1or` and `1union`: databases end the number where the word begins
        return if rest.get(digits).is_some_and(u8::is_ascii_alphabetic) && known(rest, digits, word)
        {
            (Token::Number(take(digits)), digits)
        } else {
            (Token::Word(take(word)), word)
        };
    }
    if is_word(byte) {
        // names of files and of elements hold these inside: `web.config`, `value-of`
        let long = run(|byte| is_word(byte) || byte == b'.' || byte == b'-');
        let word = run(is_word);
        for length in [long, word] {
            let classes = lexicon::classes(take(length));
            if classes != 0 {
                return (Token::Known(take(length), classes), length);
            }
        }
        return (Token::Word(take(word)), word);
    }
    let pair = take(2);
    if PAIRS.iter().any(|known| known.as_slice() == pair) {
        return (Token::Sign(pair), 2);
    }
    (Token::Sign(take(1)), 1)
}

fn known(rest: &[u8], start: usize, end: usize) -> bool {
    rest.get(start..end)
        .is_some_and(|word| lexicon::classes(word) != 0)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0xfe
}
