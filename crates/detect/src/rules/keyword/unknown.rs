//! Names that are no keyword here: those of the language that are left out, with the reason, and those
//! that are probably misspelt.

use super::{FAMILIES, Keyword};
use crate::rules::diagnostic::Problem;
use crate::rules::syntax::Piece;
use crate::rules::transform::Transform;

/// Keywords of the language that are not there, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("app-layer-state", FIREWALL),
    (
        "config",
        "records are chosen in the settings of the outputs",
    ),
    ("flowvar", CAPTURES),
    (
        "frame",
        "write the buffer of the protocol that holds these bytes",
    ),
    ("lua", CODE),
    ("luajit", CODE),
    ("luaxform", CODE),
    (
        "nfq_set_mark",
        "packets are not marked: rules drop, reject or pass",
    ),
    ("pktvar", CAPTURES),
    (
        "replace",
        "packets go on as they are or not at all: write a drop rule",
    ),
];

const FIREWALL: &str =
    "the states of transactions belong to firewall rules; write the buffer that is asked";
const CAPTURES: &str =
    "captures are shown with alerts and not compared; write one expression over both places";
const CODE: &str = "rules of others run no code here";

/// What is said of a keyword that there is not.
pub(crate) fn unknown(name: Piece<'_>) -> Problem {
    let text = name.text;
    if let Some((_, why)) = LEFT_OUT.iter().find(|(known, _)| *known == text) {
        let message = format!("keyword {text:?} is not supported");
        return name.unsupported(message).mend(*why);
    }
    let shown: String = text.chars().take(SHOWN_MAX).collect();
    let all = "`shieldwall rules keywords` lists all";
    let mend = match nearest(text) {
        Some(meant) => format!("write {meant}, if that is meant; {all}"),
        None => all.to_owned(),
    };
    name.unsupported(format!("keyword {shown:?} is not known"))
        .mend(mend)
}

/// Most characters of a name that are repeated.
const SHOWN_MAX: usize = 40;

/// The keyword that a name was probably meant to be.
fn nearest(text: &str) -> Option<&'static str> {
    if text.len() > SHOWN_MAX {
        return None;
    }
    let changes_max = text.len() / 3;
    let keywords = FAMILIES.iter().flat_map(|family| family.keywords);
    let keywords = keywords.map(|keyword: &Keyword| keyword.name);
    let near = keywords
        .chain(Transform::names())
        .filter(|name| name.len().abs_diff(text.len()) <= changes_max)
        .map(|name| (distance(name.as_bytes(), text.as_bytes()), name));
    let (changes, name) = near.min()?;
    (changes <= changes_max).then_some(name)
}

/// A letter as far as names are told apart by it: old names have `_` and `-` for dots.
fn plain(letter: u8) -> u8 {
    match letter {
        b'_' | b'-' => b'.',
        other => other.to_ascii_lowercase(),
    }
}

/// How many letters are to be changed, put in or taken out to make one name of another.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in (1..).zip(one) {
        let mut before = std::mem::replace(&mut row, vec![number]).into_iter();
        let mut diagonal = before.next().unwrap_or(0);
        for (above, own) in before.zip(other) {
            let left = row.last().copied().unwrap_or(0);
            let differs = plain(*letter) != plain(*own);
            let change = diagonal.saturating_add(usize::from(differs));
            row.push(change.min(left.min(above).saturating_add(1)));
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found() {
        assert_eq!(distance(b"content", b"contnet"), 2);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b"abc"), 0);
        assert_eq!(nearest("contnet"), Some("content"));
        assert_eq!(nearest("http-uri"), Some("http.uri"));
        assert_eq!(nearest("to_md6"), Some("to_md5"));
        assert_eq!(nearest("something.else.altogether"), None);
        assert_eq!(nearest(&"x".repeat(10_000)), None);
    }

    #[test]
    fn what_is_left_out_is_no_keyword() {
        for (name, _) in LEFT_OUT {
            assert!(Keyword::find(name).is_none(), "{name}");
        }
    }
}
