//! What an application undoes before the value means something: encodings around it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::Chance;

/// One encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// `%27` for what is no letter or digit.
    Percent,
    /// `&#39;`.
    EntityDecimal,
    /// `&#x27;`.
    EntityHex,
    /// Half of the printable ASCII characters in full width: U+FF01 to U+FF5E. With a seed.
    FullWidth(u64),
    /// Signs that Windows code pages map to ASCII: U+02BC for `'`.
    BestFit,
    /// Signs as two bytes of UTF-8, which RFC 3629, section 3, forbids.
    Overlong,
    /// Zero bytes before some signs. With a seed.
    Nulls(u64),
    /// Base64.
    Base64,
    /// Base64 of the other alphabet, in the middle of three parts.
    Token,
    /// Base64 of a JSON object with the value in it.
    Base64Json,
}

/// First and last parts of a token: a head, and 24 bytes that sign nothing.
const TOKEN: (&str, &str) = ("eyJhbGciOiJIUzI1NiJ9", "Q2hlY2tzdW0tb2Ytbm90aGluZy0x");

/// What Windows code page 1252 maps to ASCII.
const BEST_FIT: [(char, char); 6] = [
    ('\'', '\u{2bc}'),
    ('"', '\u{2ba}'),
    ('<', '\u{3008}'),
    ('>', '\u{3009}'),
    ('/', '\u{2215}'),
    (':', '\u{2236}'),
];

impl Layer {
    /// Wraps a value; `None` where this encoding cannot hold it, or changes nothing.
    #[must_use]
    pub fn encode(self, value: &[u8]) -> Option<Vec<u8>> {
        if self.is_taken(value) {
            return None;
        }
        let encoded = match self {
            Self::Percent => by_byte(value, |byte| format!("%{byte:02X}").into_bytes()),
            Self::EntityDecimal => by_char(value, is_sign, |c| format!("&#{};", u32::from(c)))?,
            Self::EntityHex => by_char(value, is_sign, |c| format!("&#x{:x};", u32::from(c)))?,
            Self::FullWidth(seed) => {
                let mut chance = Chance::new(seed);
                let mut half = |c: char| c.is_ascii_graphic() && chance.holds(50);
                by_char(value, &mut half, |c| wide(c).to_string())?
            }
            Self::BestFit => by_char(
                value,
                |c| BEST_FIT.iter().any(|(ascii, _)| *ascii == c),
                |c| fit(c).to_string(),
            )?,
            Self::Overlong => by_byte(value, |byte| vec![0xc0 | byte >> 6, 0x80 | byte & 0x3f]),
            Self::Nulls(seed) => {
                let mut chance = Chance::new(seed);
                by_byte(value, |byte| match chance.holds(50) {
                    true => vec![0, byte],
                    false => vec![byte],
                })
            }
            Self::Base64 => STANDARD.encode(value).into_bytes(),
            Self::Token => {
                let middle = URL_SAFE_NO_PAD.encode(value);
                format!("{}.{middle}.{}", TOKEN.0, TOKEN.1).into_bytes()
            }
            Self::Base64Json => {
                let text = std::str::from_utf8(value).ok()?;
                let object = serde_json::json!({"id": 7, "value": text}).to_string();
                STANDARD.encode(object).into_bytes()
            }
        };
        (encoded != value).then_some(encoded)
    }

    /// Whether the value already holds what decoding would undo.
    fn is_taken(self, value: &[u8]) -> bool {
        let any = |other: fn(char) -> bool| {
            std::str::from_utf8(value).is_ok_and(|text| text.chars().any(other))
        };
        match self {
            Self::FullWidth(_) => any(|c| narrow(c) != c),
            Self::BestFit => any(|c| unfit(c) != c),
            Self::Overlong => value.iter().any(|byte| matches!(byte, 0xc0 | 0xc1)),
            Self::Nulls(_) => value.contains(&0),
            Self::Percent
            | Self::EntityDecimal
            | Self::EntityHex
            | Self::Base64
            | Self::Token
            | Self::Base64Json => false,
        }
    }

    /// Unwraps it again; `None` of what this encoding cannot have made.
    #[must_use]
    pub fn decode(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Percent => Some(super::request::unescaped(value, false)),
            Self::EntityDecimal => entities(value, "&#", 10),
            Self::EntityHex => entities(value, "&#x", 16),
            Self::FullWidth(_) => by_char(value, |c| narrow(c) != c, |c| narrow(c).to_string()),
            Self::BestFit => by_char(value, |c| unfit(c) != c, |c| unfit(c).to_string()),
            Self::Overlong => Some(shortened(value)),
            Self::Nulls(_) => Some(value.iter().copied().filter(|byte| *byte != 0).collect()),
            Self::Base64 => STANDARD.decode(value).ok(),
            Self::Token => {
                let middle = value.split(|byte| *byte == b'.').nth(1)?;
                URL_SAFE_NO_PAD.decode(middle).ok()
            }
            Self::Base64Json => {
                let object = STANDARD.decode(value).ok()?;
                let object: serde_json::Value = serde_json::from_slice(&object).ok()?;
                Some(object.get("value")?.as_str()?.as_bytes().to_vec())
            }
        }
    }
}

const fn is_sign(c: char) -> bool {
    c.is_ascii_punctuation()
}

/// Rewrites the signs and spaces among bytes.
fn by_byte(value: &[u8], mut write: impl FnMut(u8) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for byte in value {
        match byte.is_ascii_alphanumeric() || !byte.is_ascii() {
            true => out.push(*byte),
            false => out.extend(write(*byte)),
        }
    }
    out
}

/// Rewrites some of the characters of text.
fn by_char(
    value: &[u8],
    mut which: impl FnMut(char) -> bool,
    write: impl Fn(char) -> String,
) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match which(c) {
            true => out.push_str(&write(c)),
            false => out.push(c),
        }
    }
    Some(out.into_bytes())
}

fn wide(c: char) -> char {
    let moved = u32::from(c).saturating_add(0xfee0);
    char::from_u32(moved).unwrap_or(c)
}

fn narrow(c: char) -> char {
    let is_wide = ('\u{ff01}'..='\u{ff5e}').contains(&c);
    let moved = u32::from(c).saturating_sub(0xfee0);
    char::from_u32(moved).filter(|_| is_wide).unwrap_or(c)
}

fn fit(c: char) -> char {
    let found = BEST_FIT.iter().find(|(ascii, _)| *ascii == c);
    found.map_or(c, |(_, other)| *other)
}

fn unfit(c: char) -> char {
    let found = BEST_FIT.iter().find(|(_, other)| *other == c);
    found.map_or(c, |(ascii, _)| *ascii)
}

/// Undoes numeric references of HTML of one base.
fn entities(value: &[u8], open: &str, base: u32) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.split(open);
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let read = part.split_once(';').and_then(|(digits, rest)| {
            let code = u32::from_str_radix(digits, base).ok()?;
            Some((char::from_u32(code)?, rest))
        });
        match read {
            Some((c, rest)) => {
                out.push(c);
                out.push_str(rest);
            }
            None => {
                out.push_str(open);
                out.push_str(part);
            }
        }
    }
    Some(out.into_bytes())
}

/// Undoes sequences of two bytes that stand for ASCII.
fn shortened(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        match (first, after.first()) {
            (0xc0 | 0xc1, Some(second @ 0x80..=0xbf)) => {
                out.push((first & 1) << 6 | second & 0x3f);
                rest = after.get(1..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}
