//! Targets as servers read them: percent-encodings decoded, paths made straight.

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
            .extend_from_slice(&straighten(&best_fit(&decoded)));
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
            (b'%', [b'u' | b'U', a, b, c, d, ..]) if path => match hex(&[*a, *b, *c, *d]) {
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

/// The byte that stands for a character: itself in Latin-1, the plain form of a full-width one.
fn best_fit_of(code: u32) -> u8 {
    match code {
        0..=0xff => u8::try_from(code).unwrap_or(b'?'),
        0xff01..=0xff5e => u8::try_from(code.saturating_sub(0xfee0)).unwrap_or(b'?'),
        _ => b'?',
    }
}

/// A path in UTF-8 as single bytes; what is no UTF-8 stays as it is.
fn best_fit(path: &[u8]) -> Vec<u8> {
    if path.is_ascii() {
        return path.to_vec();
    }
    let mut fitted = Vec::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        let fit = |c: char| {
            if c.is_ascii() {
                u8::try_from(c).unwrap_or(b'?')
            } else {
                best_fit_of(u32::from(c))
            }
        };
        fitted.extend(chunk.valid().chars().map(fit));
        fitted.extend(chunk.invalid().iter().map(|_| b'?'));
    }
    fitted
}

/// Without doubled slashes and dot segments (RFC 3986 section 5.2.4).
fn straighten(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    let rooted = path.starts_with(b"/");
    if rooted {
        out.push(b'/');
    }
    let mut parts = path.split(|byte| *byte == b'/').peekable();
    if rooted {
        parts.next();
    }
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            b"" | b"." => {}
            b".." => {
                let body = out.strip_suffix(b"/").unwrap_or(&out);
                let keep = memchr::memrchr(b'/', body).map_or(0, |slash| slash.saturating_add(1));
                out.truncate(keep.max(usize::from(rooted)));
            }
            part => {
                out.extend_from_slice(part);
                if !is_last {
                    out.push(b'/');
                }
            }
        }
    }
    out
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
