//! Characters of other scripts that stand for ASCII: compatibility forms (Unicode Standard Annex
//! 15, NFKC), look-alikes, and UTF-8 that is longer than it may be.

use unicode_normalization::UnicodeNormalization as _;

use super::{Undone, count};

/// Letters of other scripts that are drawn as Latin ones, and signs that Windows code pages map to
/// ASCII.
const LOOKALIKES: [(char, char); 67] = [
    ('а', 'a'),
    ('в', 'b'),
    ('с', 'c'),
    ('ԁ', 'd'),
    ('е', 'e'),
    ('һ', 'h'),
    ('і', 'i'),
    ('ј', 'j'),
    ('к', 'k'),
    ('ӏ', 'l'),
    ('м', 'm'),
    ('ո', 'n'),
    ('о', 'o'),
    ('р', 'p'),
    ('ԛ', 'q'),
    ('г', 'r'),
    ('ѕ', 's'),
    ('т', 't'),
    ('ս', 'u'),
    ('ѵ', 'v'),
    ('ԝ', 'w'),
    ('х', 'x'),
    ('у', 'y'),
    ('А', 'A'),
    ('В', 'B'),
    ('С', 'C'),
    ('Е', 'E'),
    ('Н', 'H'),
    ('О', 'O'),
    ('Р', 'P'),
    ('Ѕ', 'S'),
    ('Т', 'T'),
    ('α', 'a'),
    ('ο', 'o'),
    ('ν', 'v'),
    ('ρ', 'p'),
    ('‘', '\''),
    ('’', '\''),
    ('“', '"'),
    ('”', '"'),
    ('ʼ', '\''),
    ('′', '\''),
    ('‹', '<'),
    ('›', '>'),
    ('∕', '/'),
    ('⁄', '/'),
    ('ʹ', '\''),
    ('ˈ', '\''),
    ('‵', '\''),
    ('‚', '\''),
    ('ʺ', '"'),
    ('〝', '"'),
    ('〞', '"'),
    ('〈', '<'),
    ('〉', '>'),
    ('❮', '<'),
    ('❯', '>'),
    ('∖', '\\'),
    ('∶', ':'),
    ('∗', '*'),
    ('∣', '|'),
    ('❘', '|'),
    ('∼', '~'),
    ('−', '-'),
    ('‐', '-'),
    ('〚', '['),
    ('〛', ']'),
];

/// Decodes once; true where something changed.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>, undone: &mut Undone) -> bool {
    if text.is_ascii() {
        return false;
    }
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((code, length, overlong)) = character(rest) {
        if overlong {
            count(&mut undone.overlong);
        }
        read.push(code);
        rest = rest.get(length..).unwrap_or_default();
    }
    // A word that is wholly of another script is a word of that script.
    let mixed = read.bytes().any(|byte| byte.is_ascii_alphabetic());
    for character in read.nfkc() {
        let like = LOOKALIKES.iter().find(|(other, _)| *other == character);
        let character = match like {
            Some((other, ascii)) if mixed || !other.is_alphabetic() => {
                count(&mut undone.lookalikes);
                *ascii
            }
            _ => character,
        };
        let mut buffer = [0; 4];
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
    let (before, after) = (ascii(text), ascii(out));
    if after > before {
        undone.lookalikes = undone
            .lookalikes
            .saturating_add(after.saturating_sub(before));
    }
    out != text
}

fn ascii(text: &[u8]) -> u32 {
    let count = text.iter().filter(|byte| byte.is_ascii()).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The next character, its length, and whether it was overlong. A byte that begins none is one of
/// Latin-1, as applications without Unicode read it.
fn character(rest: &[u8]) -> Option<(char, usize, bool)> {
    let first = *rest.first()?;
    let (length, mask, least) = match first {
        0xc0..=0xdf => (2, 0x1f, 0x80),
        0xe0..=0xef => (3, 0x0f, 0x800),
        0xf0..=0xf7 => (4, 0x07, 0x1_0000),
        0xf8..=0xfb => (5, 0x03, 0x20_0000),
        0xfc..=0xfd => (6, 0x01, 0x400_0000),
        _ => return Some((char::from(first), 1, false)),
    };
    let mut code = u32::from(first & mask);
    for at in 1..length {
        match rest.get(at) {
            Some(byte) if byte & 0xc0 == 0x80 => code = (code << 6) | u32::from(byte & 0x3f),
            _ => return Some((char::from(first), 1, false)),
        }
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some((character, length, code < least))
}
