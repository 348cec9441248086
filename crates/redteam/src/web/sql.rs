//! SQL that means the same: case, spaces, numbers, operators, tautologies, comments, texts.

use super::text::{at, is_space, is_sql, is_word, map, number, replace, settled, tokens};
use crate::Chance;

/// Letters of keywords in either case.
pub(super) fn case(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    map(text, |_, token, _| {
        is_sql(token).then(|| cased(token, chance))
    })
}

/// Each letter in either case.
pub(super) fn cased(token: &[u8], chance: &mut Chance) -> Vec<u8> {
    let letters = token.iter();
    letters
        .map(|byte| match chance.holds(50) {
            true => byte.to_ascii_uppercase(),
            false => byte.to_ascii_lowercase(),
        })
        .collect()
}

pub(super) fn lower(text: &[u8]) -> Vec<u8> {
    text.to_ascii_lowercase()
}

/// Spaces beside keywords and numbers become something that separates them as well. The space after
/// `--` stays: it makes that a comment.
pub(super) fn spaced(text: &[u8], by: &[u8]) -> Vec<u8> {
    map(text, |before, token, after| {
        let beside = [before, after]
            .iter()
            .any(|token| is_sql(token) || number(token).is_some());
        let keeps = is_space(token) && beside && !matches!(before, b"-" | b"#" | b"/" | b"*");
        (keeps && !matches!(after, b"-" | b"#" | b"/")).then(|| by.to_vec())
    })
}

/// One space for comments between words and for everything that MySQL takes as a space.
pub(super) fn unspaced(text: &[u8]) -> Vec<u8> {
    let text = settled(text, |text| {
        let text = replace(text, b"/**/", b" ");
        replace(&text, b"/*xyz*/", b" ")
    });
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        let space = matches!(byte, b' ' | b'\t'..=b'\r' | 0xa0);
        match (space, out.last()) {
            (true, Some(b' ')) => {}
            (true, _) => out.push(b' '),
            (false, _) => out.push(byte),
        }
    }
    out
}

/// Numbers that stand as values, written otherwise. Not where their place counts (ORDER BY 2).
pub(super) fn numbers(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let small = text.to_ascii_lowercase();
    let places: [&[u8]; 5] = [b"order", b"limit", b"group by", b"top", b"delay"];
    if places
        .iter()
        .any(|word| super::request::contains(&small, word))
    {
        return text.to_vec();
    }
    map(text, |before, token, after| {
        let value = number(token).filter(|_| !token.starts_with(b"0x"))?;
        let opens = matches!(before, b"=" | b"<" | b">" | b"(" | b",");
        let closes = matches!(after, b"=" | b"<" | b">" | b")" | b",")
            || after.is_empty()
            || is_space(after);
        if !opens || !closes || token.len() > 6 {
            return None;
        }
        let more = u64::try_from(chance.below(90))
            .unwrap_or(0)
            .saturating_add(1);
        Some(match chance.below(3) {
            0 => format!("0x{value:x}").into_bytes(),
            1 => {
                let part = more.min(value);
                format!("({}+{part})", value.saturating_sub(part)).into_bytes()
            }
            _ => format!("(select {value})").into_bytes(),
        })
    })
}

/// Every number in decimal.
pub(super) fn counted(text: &[u8]) -> Vec<u8> {
    settled(text, |text| {
        let tokens = tokens(text);
        let mut out = Vec::with_capacity(text.len());
        let mut index = 0_usize;
        while let Some(rest) = tokens.get(index..).filter(|rest| !rest.is_empty()) {
            let (written, taken) = match rest {
                [b"(", a, b"+", b, b")", ..] => (sum(a, b), 5),
                [b"(", select, space, a, b")", ..]
                    if select.eq_ignore_ascii_case(b"select") && is_space(space) =>
                {
                    (number(a), 5)
                }
                [a, ..] => (number(a), 1),
                [] => (None, 1),
            };
            match written {
                Some(value) => {
                    out.extend(value.to_string().bytes());
                    index = index.saturating_add(taken);
                }
                None => {
                    out.extend_from_slice(at(&tokens, Some(index)));
                    index = index.saturating_add(1);
                }
            }
        }
        out
    })
}

fn sum(a: &[u8], b: &[u8]) -> Option<u64> {
    number(a)?.checked_add(number(b)?)
}

/// `=` as LIKE, OR as `||`, AND as `&&`: MySQL.
pub(super) fn operators(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    map(text, |before, token, after| {
        let value =
            |token: &[u8]| is_word(token) || is_space(token) || matches!(token, b"'" | b"\"");
        if token == b"=" && value(before) && value(after) && chance.holds(70) {
            Some(b" like ".to_vec())
        } else if token.eq_ignore_ascii_case(b"or") && chance.holds(70) {
            Some(b"||".to_vec())
        } else if token.eq_ignore_ascii_case(b"and") && chance.holds(70) {
            Some(b"&&".to_vec())
        } else {
            None
        }
    })
}

/// One spelling of these operators, without spaces.
pub(super) fn operated(text: &[u8]) -> Vec<u8> {
    map(&text.to_ascii_lowercase(), |_, token, _| match token {
        b"like" => Some(b"=".to_vec()),
        b"or" => Some(b"||".to_vec()),
        b"and" => Some(b"&&".to_vec()),
        _ => is_space(token).then(Vec::new),
    })
}

/// Comparisons that are always true become others that are.
pub(super) fn tautologies(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    truths(text, |_| {
        let n = chance.below(9000).saturating_add(3);
        let (less, more) = (n.saturating_sub(2), n.saturating_add(2));
        match chance.below(5) {
            0 => format!("{n}={n}"),
            1 => format!("{less}<{n}"),
            2 => format!("{less}<>{n}"),
            3 => format!("{n} between {less} and {more}"),
            _ => format!("{n} in ({n})"),
        }
        .into_bytes()
    })
}

/// `T` for each of them.
pub(super) fn judged(text: &[u8]) -> Vec<u8> {
    truths(text, |_| b"T".to_vec())
}

fn truths(text: &[u8], mut write: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let tokens = tokens(text);
    let mut out = Vec::with_capacity(text.len());
    let mut index = 0_usize;
    while let Some(rest) = tokens.get(index..).filter(|rest| !rest.is_empty()) {
        // a number after a point, a sign or a quote is part of something else
        let free = match at(&tokens, index.checked_sub(1)) {
            b"" | b"(" => true,
            before => is_space(before),
        };
        let taken = if free { truth(rest) } else { 0 };
        if taken == 0 {
            out.extend_from_slice(at(&tokens, Some(index)));
            index = index.saturating_add(1);
        } else {
            out.extend(write(b""));
            index = index.saturating_add(taken);
        }
    }
    out
}

/// Tokens of the true comparison that stands here; 0 where there is none.
fn truth(tokens: &[&[u8]]) -> usize {
    let ends = |index| {
        let after = at(tokens, Some(index));
        after.is_empty() || is_space(after) || matches!(after, b")" | b"#" | b"-" | b";")
    };
    let holds = |a: &[u8], b: &[u8], is: fn(u64, u64) -> bool| {
        number(a).zip(number(b)).is_some_and(|(a, b)| is(a, b))
    };
    let word = |token: &[u8], word: &[u8]| token.eq_ignore_ascii_case(word);
    match tokens {
        [a, b"=", b, ..] if holds(a, b, |a, b| a == b) && ends(3) => 3,
        [a, b"<", b, ..] if holds(a, b, |a, b| a < b) && ends(3) => 3,
        [a, b"<", b">", b, ..] if holds(a, b, |a, b| a != b) && ends(4) => 4,
        [n, _, between, _, a, _, and, _, b, ..]
            if word(between, b"between")
                && word(and, b"and")
                && holds(a, n, |a, n| a <= n)
                && holds(n, b, |n, b| n <= b)
                && ends(9) =>
        {
            9
        }
        [n, _, is_in, _, b"(", a, b")", ..]
            if word(is_in, b"in") && holds(n, a, |n, a| n == a) && ends(7) =>
        {
            7
        }
        _ => 0,
    }
}

/// Comments that end a statement, the longest first.
const TAILS: [&[u8]; 8] = [b"-- -", b"--+", b"-- ", b"--", b"#", b"/*", b";%00", b"//"];

/// The text without the comment that cuts off what follows it, if there is one.
fn without_tail(text: &[u8]) -> Option<&[u8]> {
    let comment = |start: &[u8]| {
        let from = text
            .windows(start.len())
            .rposition(|bytes| bytes == start)?;
        let tail = text.get(from.saturating_add(start.len())..)?;
        let word = tail.trim_ascii().iter().all(u8::is_ascii_alphanumeric);
        (word && tail.len() <= 12).then_some(text.get(..from)?)
    };
    let marked = [&b"-- -"[..], b"--+", b"--", b"#"];
    let found = marked.iter().find_map(|start| comment(start));
    found.map(<[u8]>::trim_ascii_end)
}

/// Another comment in place of the one at the end.
pub(super) fn tail(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let Some(before) = without_tail(text) else {
        return text.to_vec();
    };
    let word = format!("{:x}", chance.next() & 0xffff_ffff);
    let tails = [
        "-- -".to_owned(),
        format!("-- {word}"),
        format!("#{word}"),
        "--+".to_owned(),
        "#".to_owned(),
    ];
    let mut out = before.to_vec();
    out.push(b' ');
    out.extend(
        chance
            .pick(&tails)
            .map(String::as_bytes)
            .unwrap_or_default(),
    );
    out
}

/// The text without that comment.
pub(super) fn untailed(text: &[u8]) -> Vec<u8> {
    without_tail(text).unwrap_or(text).to_vec()
}

/// Whether whatever follows the text is a comment.
pub(super) fn ends_in_comment(text: &[u8]) -> bool {
    without_tail(text).is_some()
        || TAILS
            .iter()
            .any(|tail| text.trim_ascii_end().ends_with(tail.trim_ascii_end()))
}

/// Texts in quotes, as two that are joined.
pub(super) fn split(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    quoted(text, |word| {
        let (one, other) = word.split_at(
            chance
                .below(word.len().saturating_sub(1))
                .saturating_add(1)
                .min(word.len()),
        );
        Some(match chance.below(2) {
            0 => [b"'", one, b"'||'", other, b"'"].concat(),
            _ => [b"concat('", one, b"','", other, b"')"].concat(),
        })
    })
}

/// Those that are joined, as one.
pub(super) fn joined(text: &[u8]) -> Vec<u8> {
    settled(text, |text| {
        let text = replace(text, b"'||'", b"");
        let tokens = tokens(&text);
        let mut out = Vec::with_capacity(text.len());
        let mut index = 0_usize;
        while let Some(rest) = tokens.get(index..).filter(|rest| !rest.is_empty()) {
            match rest {
                [
                    b"concat",
                    b"(",
                    b"'",
                    one,
                    b"'",
                    b",",
                    b"'",
                    other,
                    b"'",
                    b")",
                    ..,
                ] => {
                    out.extend([b"'", *one, *other, b"'"].concat());
                    index = index.saturating_add(10);
                }
                [first, ..] => {
                    out.extend_from_slice(first);
                    index = index.saturating_add(1);
                }
                [] => break,
            }
        }
        out
    })
}

/// Texts in quotes as hexadecimal numbers: MySQL.
pub(super) fn hexadecimal(text: &[u8], _: &mut Chance) -> Vec<u8> {
    quoted(text, |word| {
        let digits: String = word.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("0x{digits}").into_bytes())
    })
}

/// Those numbers as texts in quotes.
pub(super) fn unhexadecimal(text: &[u8]) -> Vec<u8> {
    map(text, |_, token, _| {
        let digits = token
            .strip_prefix(b"0x")
            .filter(|digits| digits.len() >= 4)?;
        let bytes: Option<Vec<u8>> = digits
            .chunks(2)
            .map(|pair| {
                let pair = std::str::from_utf8(pair)
                    .ok()
                    .filter(|pair| pair.len() == 2)?;
                u8::from_str_radix(pair, 16).ok()
            })
            .collect();
        let bytes = bytes.filter(|bytes| {
            bytes
                .iter()
                .all(|byte| is_word(&[*byte]) && byte.is_ascii())
        })?;
        Some([b"'", bytes.as_slice(), b"'"].concat())
    })
}

/// Rewrites words of two letters and more that stand in quotes as values.
fn quoted(text: &[u8], mut write: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let tokens = tokens(text);
    let mut out = Vec::with_capacity(text.len());
    let mut index = 0_usize;
    while let Some(rest) = tokens.get(index..).filter(|rest| !rest.is_empty()) {
        let opens = match at(&tokens, index.checked_sub(1)) {
            b"=" | b"(" | b"," => true,
            before => {
                let earlier = at(&tokens, index.checked_sub(2));
                is_space(before) && (is_word(earlier) || matches!(earlier, b"=" | b"," | b"("))
            }
        };
        let written = match rest {
            [b"'", word, b"'", ..]
                if opens && is_word(word) && word.is_ascii() && word.len() > 1 =>
            {
                write(word)
            }
            _ => None,
        };
        match written {
            Some(written) => {
                out.extend(written);
                index = index.saturating_add(3);
            }
            None => {
                out.extend_from_slice(at(&tokens, Some(index)));
                index = index.saturating_add(1);
            }
        }
    }
    out
}
