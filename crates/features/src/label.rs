//! A name's parts, and how a label looks.

use crate::text::{count, entropy, longest, share, tally};

/// A host name or address, taken apart.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// What stands left of the registrable name.
    pub(crate) below: &'a str,
    /// The label that somebody chose when registering.
    pub(crate) label: &'a str,
    /// The public suffix; of a name whose top level is not known, the top level.
    pub(crate) suffix: &'a str,
    /// The suffix is one under which anybody gets a name of a host: `github.io`.
    pub(crate) private: bool,
    /// The suffix is in the list (publicsuffix.org).
    pub(crate) known: bool,
}

/// Takes a lower-case name apart.
pub(crate) fn parts(host: &str) -> Parts<'_> {
    let host = host.trim_matches('.');
    let suffix = psl::suffix(host.as_bytes());
    let text = suffix
        .and_then(|suffix| std::str::from_utf8(suffix.as_bytes()).ok())
        .unwrap_or_default();
    let rest = host
        .strip_suffix(text)
        .unwrap_or(host)
        .trim_end_matches('.');
    let (below, label) = rest.rsplit_once('.').unwrap_or(("", rest));
    Parts {
        below,
        label,
        suffix: text,
        private: suffix.is_some_and(|suffix| suffix.typ() == Some(psl::Type::Private)),
        known: suffix.is_some_and(|suffix| suffix.is_known()),
    }
}

/// What stands left of the registrable name, and that name: of a name whose top level nobody knows,
/// the last two labels. None for a name that is a public suffix, or has one label only.
#[must_use]
pub fn registrable(host: &str) -> Option<(&str, &str)> {
    let host = host.trim_matches('.');
    let parts = parts(host);
    if parts.label.is_empty() || parts.suffix.is_empty() {
        return None;
    }
    let start = match parts.below.len() {
        0 => 0,
        length => length.saturating_add(1),
    };
    host.get(start..).map(|base| (parts.below, base))
}

/// How many numbers [`look`] gives.
pub const LOOK: usize = 14;

/// Names and meanings of the numbers of [`look`].
pub(crate) const COLUMNS: [(&str, &str); LOOK] = [
    ("label_length", "bytes of the registered label"),
    (
        "label_entropy",
        "Shannon entropy of the label, bits per byte",
    ),
    ("label_digits", "share of digits in the label"),
    (
        "label_vowels",
        "share of vowels among the letters of the label",
    ),
    (
        "label_longest_consonants",
        "bytes of the longest run of consonants",
    ),
    ("label_longest_digits", "bytes of the longest run of digits"),
    ("label_hyphens", "count of hyphens"),
    ("label_distinct", "distinct characters by length"),
    ("label_changes", "changes between letters and digits"),
    ("label_hexadecimal", "share of hexadecimal digits"),
    (
        "label_rare",
        "share of j, k, q, v, w, x, y and z among the letters",
    ),
    (
        "label_repeated",
        "share of pairs of characters that come twice or more",
    ),
    (
        "label_alternation",
        "share of neighbouring letters of which one is a vowel",
    ),
    ("label_first_half", "share of its digits in its first half"),
];

/// How a label looks, in numbers: the first columns of `domain@1`, in their order.
#[must_use]
pub fn look(label: &[u8]) -> [f32; LOOK] {
    let vowel = |byte: u8| b"aeiou".contains(&byte);
    let letters = tally(label, |byte| byte.is_ascii_alphabetic());
    let digits = tally(label, |byte| byte.is_ascii_digit());
    let mut distinct = label.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let changes = label.windows(2).filter(|pair| match pair {
        [one, other] => one.is_ascii_digit() != other.is_ascii_digit(),
        _ => false,
    });
    let alternation = label.windows(2).filter(|pair| match pair {
        [one, other] => {
            one.is_ascii_alphabetic() && other.is_ascii_alphabetic() && vowel(*one) != vowel(*other)
        }
        _ => false,
    });
    let mut pairs: Vec<&[u8]> = label.windows(2).collect();
    let all_pairs = pairs.len();
    pairs.sort_unstable();
    pairs.dedup();
    let half = label.get(..label.len() / 2).unwrap_or_default();
    [
        count(label.len()),
        entropy(label),
        share(digits, label.len()),
        share(tally(label, vowel), letters),
        count(longest(label, |byte| {
            byte.is_ascii_alphabetic() && !vowel(byte)
        })),
        count(longest(label, |byte| byte.is_ascii_digit())),
        count(tally(label, |byte| byte == b'-')),
        share(distinct.len(), label.len()),
        count(changes.count()),
        share(tally(label, |byte| byte.is_ascii_hexdigit()), label.len()),
        share(tally(label, |byte| b"jkqvwxyz".contains(&byte)), letters),
        share(all_pairs.saturating_sub(pairs.len()), all_pairs),
        share(alternation.count(), all_pairs),
        share(tally(half, |byte| byte.is_ascii_digit()), digits),
    ]
}
