//! Targets as servers read them: percent-encodings decoded, paths made straight.

use std::sync::LazyLock;

/// A request target taken apart and normalised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Uri {
    /// Path, query and fragment.
    bytes: Vec<u8>,
    /// Length of the path in it.
    path_len: usize,
    /// A sequence that was decoded twice gave something else.
    pub(super) double_encoded: bool,
}

/// How targets are normalised.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    pub(super) double_decode_path: bool,
    pub(super) double_decode_query: bool,
    pub(super) plus_is_space: bool,
    pub(super) include_all: bool,
}

impl Uri {
    /// Of a target as sent. Servers differ in what they decode; all that any of them does is done,
    /// since the sensor does not know which one it is.
    pub(super) fn parse(target: &[u8], rules: Rules) -> Self {
        let front = authority_end(target).unwrap_or(0);
        let (front, rest) = target.split_at_checked(front).unwrap_or((&[], target));
        let fragment = memchr::memchr(b'#', rest).unwrap_or(rest.len());
        let (rest, fragment) = rest.split_at_checked(fragment).unwrap_or((rest, &[]));
        let query = memchr::memchr(b'?', rest).unwrap_or(rest.len());
        let (path, query) = rest.split_at_checked(query).unwrap_or((rest, &[]));
        let mut uri = Self::default();
        let mut decoded = decode(path, true, false);
        if rules.double_decode_path {
            let twice = decode(&decoded, true, false);
            uri.double_encoded = twice != decoded;
            decoded = twice;
        }
        if rules.include_all {
            uri.bytes.extend_from_slice(front);
        }
        uri.bytes
            .extend_from_slice(&best_fit(&straighten(&decoded)));
        uri.path_len = uri.bytes.len();
        let mut decoded = decode(query, false, rules.plus_is_space);
        if rules.double_decode_query {
            decoded = decode(&decoded, false, rules.plus_is_space);
        }
        uri.bytes.extend_from_slice(&decoded);
        uri.bytes.extend_from_slice(fragment);
        uri
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The path.
    pub(super) fn path(&self) -> &[u8] {
        self.bytes.get(..self.path_len).unwrap_or_default()
    }
}

/// Length of `scheme://authority` at the front of an absolute target.
fn authority_end(target: &[u8]) -> Option<usize> {
    let scheme = memchr::memmem::find(target, b"://")?;
    let name = target.get(..scheme)?;
    if name.is_empty() || !name.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let start = scheme.checked_add(3)?;
    let rest = target.get(start..)?;
    let len = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    start.checked_add(len)
}

/// Decodes `%XX` and `%uXXXX`; a `%` that begins neither stays. In a path, backslashes become
/// slashes.
fn decode(text: &[u8], path: bool, plus_is_space: bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0_usize;
    while let Some(byte) = text.get(at).copied() {
        let rest = text.get(at.saturating_add(1)..).unwrap_or_default();
        let (byte, len) = match (byte, rest) {
            (b'%', [b'u' | b'U', a, b, c, d, ..]) => match hex(&[*a, *b, *c, *d]) {
                Some(code) => (best_fit_of(code), 6),
                None => (byte, 1),
            },
            (b'%', [a, b, ..]) => match hex(&[*a, *b]).and_then(|code| u8::try_from(code).ok()) {
                Some(code) => (code, 3),
                None => (byte, 1),
            },
            (b'+', _) if plus_is_space => (b' ', 1),
            _ => (byte, 1),
        };
        decoded.push(if path && byte == b'\\' { b'/' } else { byte });
        at = at.saturating_add(len);
    }
    decoded
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        sum.checked_mul(16)?.checked_add(digit)
    })
}

/// The byte that stands for a character: itself in Latin-1, else the one that looks most like it, as
/// Windows has it in its code page 1252.
fn best_fit_of(code: u32) -> u8 {
    let known = match code {
        0..=0xff => u8::try_from(code).ok(),
        0xff01..=0xff5e => u8::try_from(code.saturating_sub(0xfee0)).ok(),
        _ => {
            let at = BEST_FIT.binary_search_by_key(&code, |(known, _)| *known);
            at.ok().and_then(|at| BEST_FIT.get(at)).map(|pair| pair.1)
        }
    };
    known.unwrap_or(b'?')
}

/// Characters outside of Latin-1, and what they are taken for.
static BEST_FIT: LazyLock<Vec<(u32, u8)>> = LazyLock::new(|| {
    let pairs = include_str!("bestfit.txt").split_ascii_whitespace();
    let pair = |pair: &str| {
        let (code, byte) = pair.split_at_checked(4)?;
        let code = u32::from_str_radix(code, 16).ok()?;
        Some((code, u8::from_str_radix(byte, 16).ok()?))
    };
    pairs.filter_map(pair).collect()
});

/// A path in UTF-8 as single bytes. Forms that are longer than they need to be are read too, for some
/// servers do; what is no UTF-8 stands for one `?`.
fn best_fit(path: &[u8]) -> Vec<u8> {
    let mut fitted = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, mut behind)) = rest.split_first() {
        let (mut code, more) = match *first {
            byte @ 0..=0x7f => (u32::from(byte), 0_u8),
            byte @ 0xc0..=0xdf => (u32::from(byte & 0x1f), 1),
            byte @ 0xe0..=0xef => (u32::from(byte & 0x0f), 2),
            byte @ 0xf0..=0xf4 => (u32::from(byte & 0x07), 3),
            _ => (INVALID, 0),
        };
        for at in 0..more {
            let Some((next, left)) = behind.split_first() else {
                // cut off at the end
                return fitted;
            };
            let is_sound = match (*first, at, *next) {
                (0xed, 0, 0xa0..) | (0xf4, 0, 0x90..) => false,
                (_, _, next) => next & 0xc0 == 0x80,
            };
            if !is_sound {
                code = INVALID;
                break;
            }
            code = code << 6 | u32::from(next & 0x3f);
            behind = left;
        }
        fitted.push(best_fit_of(code));
        rest = behind;
    }
    fitted
}

/// No character.
const INVALID: u32 = u32::MAX;

/// Without doubled slashes and dot segments (RFC 3986 section 5.2.4). Behind a dot segment at the end
/// no slash is left, as other sensors have it.
fn straighten(path: &[u8]) -> Vec<u8> {
    let mut single = path.to_vec();
    single.dedup_by(|next, before| *next == b'/' && *before == b'/');
    let mut out: Vec<u8> = Vec::with_capacity(single.len());
    let mut rest = &*single;
    loop {
        rest = match rest {
            [] | b"." | b".." => return out,
            [b'.', b'/', behind @ ..] | [b'.', b'.', b'/', behind @ ..] => behind,
            b"/." | b"/./" => return out,
            [b'/', b'.', b'/', ..] => rest.get(2..).unwrap_or_default(),
            b"/.." | b"/../" => {
                out.truncate(memchr::memrchr(b'/', &out).unwrap_or(0));
                return out;
            }
            [b'/', b'.', b'.', b'/', ..] => {
                out.truncate(memchr::memrchr(b'/', &out).unwrap_or(0));
                rest.get(3..).unwrap_or_default()
            }
            [first, behind @ ..] => {
                let len = memchr::memchr(b'/', behind).unwrap_or(behind.len());
                let (segment, behind) = behind.split_at_checked(len).unwrap_or((behind, &[]));
                out.push(*first);
                out.extend_from_slice(segment);
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_servers_read_them() {
        for (target, expected) in [
            ("/a/%62/c", "/a/b/c"),
            ("/../a/b/../c/./d.html", "/a/c/d.html"),
            ("//a///b", "/a/b"),
            ("/a\\b%5cc%2fd", "/a/b/c/d"),
            ("/%u0061%uff0f", "/a/"),
            ("/evil%2527sqli", "/evil%27sqli"),
            ("/a/b/../c/..", "/a"),
            ("/a/./", "/a"),
            ("/a//", "/a/"),
            ("../x/../y", "/y"),
            ("/a/..", ""),
            ("/\u{100}\u{2215}\u{202e}x", "/A/?x"),
            ("/x?%u0100%uff0f", "/x?A/"),
            ("/100%/x%zz", "/100%/x%zz"),
            ("http://host:80/p?q=%41+b#f", "/p?q=A+b#f"),
            ("/a?b=../c//d", "/a?b=../c//d"),
            ("*", "*"),
            ("", ""),
        ] {
            let uri = Uri::parse(target.as_bytes(), Rules::default());
            assert_eq!(String::from_utf8_lossy(uri.bytes()), expected, "{target}");
        }
    }

    #[test]
    fn what_is_no_utf8_is_taken_for_something() {
        for (path, expected) in [
            (&b"/\xff\xfea"[..], &b"/??a"[..]),
            (b"/\xc3x\xc3", b"/?x"),
            (b"/\xe2\x80x", b"/?x"),
            (b"/\xed\xa0\x80", b"/???"),
            (b"/\xc0\xaf\xc0\xae", b"//."),
            (b"/\xf0\x9f\x98\x80", b"/?"),
            (b"/\xc3\xa9", b"/\xe9"),
        ] {
            assert_eq!(best_fit(path), expected, "{path:?}");
        }
    }

    #[test]
    fn double_encoding_is_told_and_decoded_on_demand() {
        let rules = Rules {
            double_decode_path: true,
            ..Rules::default()
        };
        let uri = Uri::parse(b"/a%252e%252e?x", rules);
        assert!(uri.double_encoded);
        assert_eq!(uri.path(), b"/a..");
    }
}
