//! Markup, scripts, shells, names of files and expressions of loggers that mean the same.

use super::sql::cased;
use super::text::{CALLS, COMMANDS, at, is_one, is_space, is_word, map, replace, settled, tokens};
use crate::Chance;

/// Names of elements and of attributes that hold scripts, in either case.
pub(super) fn names(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    map(text, |before, token, after| {
        let event = token.len() > 4
            && token
                .get(..2)
                .is_some_and(|on| on.eq_ignore_ascii_case(b"on"));
        let name = is_word(token)
            && token.is_ascii()
            && (before == b"<"
                || (event && after == b"=")
                || (token.eq_ignore_ascii_case(b"javascript") && after == b":"));
        name.then(|| cased(token, chance))
    })
}

/// What ends the name of an element, otherwise than by a space.
pub(super) fn tag_space(text: &[u8], by: &[u8]) -> Vec<u8> {
    let mut opened = false;
    map(text, |before, token, after| {
        let ends = opened && is_space(token) && is_word(after);
        opened = before == b"<" && is_word(token);
        ends.then(|| by.to_vec())
    })
}

/// A space for each way to end the name of an element.
pub(super) fn tag_spaced(text: &[u8]) -> Vec<u8> {
    let mut opened = false;
    map(text, |before, token, after| {
        let ends = opened && (is_space(token) || (token == b"/" && is_word(after)));
        opened = before == b"<" && is_word(token);
        ends.then(|| b" ".to_vec())
    })
}

/// The first letter of a function's name as an escape: `\u0061lert(1)`.
pub(super) fn escape(text: &[u8], _: &mut Chance) -> Vec<u8> {
    map(text, |before, token, after| {
        let called = is_one(token, &CALLS) && after == b"(" && before != b"\\";
        let (first, rest) = token.split_first()?;
        called.then(|| [format!("\\u{first:04x}").as_bytes(), rest].concat())
    })
}

/// Such letters as they are.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for byte in b'a'..=b'z' {
        out = replace(&out, format!("\\u{byte:04x}").as_bytes(), &[byte]);
    }
    out
}

/// A function by its name in two halves: `self["al"+"ert"](1)`.
pub(super) fn bracket(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let quotes: Vec<&[u8]> = [&b"'"[..], b"\"", b"`"]
        .into_iter()
        .filter(|quote| !super::request::contains(text, quote))
        .collect();
    let Some(quote) = chance.pick(&quotes).copied() else {
        return text.to_vec();
    };
    map(text, |before, token, after| {
        let called = is_one(token, &CALLS) && after == b"(" && !matches!(before, b"." | b"\\");
        let (one, other) = token.split_at_checked(2)?;
        called.then(|| [b"self[", quote, one, quote, b"+", quote, other, quote, b"]"].concat())
    })
}

/// Such a name as it is.
pub(super) fn unbracket(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for quote in ["'", "\"", "`"] {
        for call in CALLS {
            let (one, other) = call.split_at_checked(2).unwrap_or((call, ""));
            let split = format!("self[{quote}{one}{quote}+{quote}{other}{quote}]");
            out = replace(&out, split.as_bytes(), call.as_bytes());
        }
    }
    out
}

/// Joints that a shell drops inside of a word.
const JOINTS: [&[u8]; 5] = [b"''", b"\"\"", b"\\", b"$@", b"${x}"];

/// Names of programs in two halves: `c''at`, `c${x}at`.
pub(super) fn joints(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    map(text, |_, token, _| {
        let (one, other) = token
            .split_at_checked(1)
            .filter(|(_, other)| !other.is_empty())?;
        let joint = chance.pick(&JOINTS)?;
        is_one(token, &COMMANDS).then(|| [one, joint, other].concat())
    })
}

/// Words without joints.
pub(super) fn unjoint(text: &[u8]) -> Vec<u8> {
    JOINTS
        .iter()
        .fold(text.to_vec(), |text, joint| replace(&text, joint, b""))
}

/// What shells read as a space, and file systems as a slash.
const SPACES: [&[u8]; 2] = [b"${IFS}", b"$IFS$9"];
const SLASHES: [&[u8]; 3] = [b"//", b"/./", b"/"];

/// The space after a program's name as `${IFS}` or `$IFS$9`.
pub(super) fn ifs(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    map(text, |before, token, after| {
        let separates = is_space(token) && is_one(before, &COMMANDS) && !after.is_empty();
        let spelled = chance.pick(&SPACES)?;
        separates.then(|| spelled.to_vec())
    })
}

/// Those as spaces.
pub(super) fn unifs(text: &[u8]) -> Vec<u8> {
    let text = replace(text, b"${IFS}", b" ");
    let text = replace(&text, b"$IFS$9", b" ");
    map(&text, |_, token, _| is_space(token).then(|| b" ".to_vec()))
}

/// Slashes between names as `/./` and `//`.
pub(super) fn dots(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    map(text, |before, token, after| {
        let between = token == b"/"
            && (is_word(before) || before == b".")
            && (is_word(after) || after == b".");
        let spelled = chance.pick(&SLASHES)?;
        between.then(|| spelled.to_vec())
    })
}

/// One slash for each of those.
pub(super) fn undots(text: &[u8]) -> Vec<u8> {
    settled(text, |text| {
        replace(&replace(text, b"/./", b"/"), b"//", b"/")
    })
}

/// Letters of a look-up as look-ups: `${${lower:j}ndi:` (Log4j 2).
pub(super) fn lookup(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let Some(place) = text
        .windows(6)
        .position(|bytes| bytes.eq_ignore_ascii_case(b"${jndi"))
    else {
        return text.to_vec();
    };
    let (before, from) = text.split_at(place);
    let (word, after) = from.split_at_checked(6).unwrap_or((from, b""));
    let mut out = before.to_vec();
    out.extend_from_slice(b"${");
    for letter in word.iter().skip(2) {
        match chance.holds(60) {
            true => out.extend(format!("${{lower:{}}}", char::from(*letter)).bytes()),
            false => out.push(*letter),
        }
    }
    out.extend_from_slice(after);
    out
}

/// Those letters as they are.
pub(super) fn looked_up(text: &[u8]) -> Vec<u8> {
    let all = tokens(text);
    let mut out = Vec::with_capacity(text.len());
    let mut index = 0_usize;
    while let Some(rest) = all.get(index..).filter(|rest| !rest.is_empty()) {
        match rest {
            [b"$", b"{", b"lower", b":", letter, b"}", ..] => {
                out.extend_from_slice(letter);
                index = index.saturating_add(6);
            }
            _ => {
                out.extend_from_slice(at(&all, Some(index)));
                index = index.saturating_add(1);
            }
        }
    }
    out
}
