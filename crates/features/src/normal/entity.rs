//! Character references of HTML: `&lt;`, `&#60;`, `&#x3c;` (HTML Standard, section 13.2.5.72).

use super::{Undone, count, hex, write};

/// Bytes of a reference at most, the ampersand apart.
const LENGTH_MAX: usize = 10;

/// Those that stand for ASCII characters and spaces.
const NAMED: [(&[u8], u8); 36] = [
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"amp", b'&'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"nbsp", b' '),
    (b"Tab", b'\t'),
    (b"NewLine", b'\n'),
    (b"excl", b'!'),
    (b"num", b'#'),
    (b"dollar", b'$'),
    (b"percnt", b'%'),
    (b"lpar", b'('),
    (b"rpar", b')'),
    (b"ast", b'*'),
    (b"plus", b'+'),
    (b"comma", b','),
    (b"period", b'.'),
    (b"sol", b'/'),
    (b"colon", b':'),
    (b"semi", b';'),
    (b"equals", b'='),
    (b"quest", b'?'),
    (b"commat", b'@'),
    (b"lsqb", b'['),
    (b"lbrack", b'['),
    (b"bsol", b'\\'),
    (b"rsqb", b']'),
    (b"rbrack", b']'),
    (b"lowbar", b'_'),
    (b"grave", b'`'),
    (b"lcub", b'{'),
    (b"lbrace", b'{'),
    (b"verbar", b'|'),
    (b"rcub", b'}'),
    (b"rbrace", b'}'),
];

/// Decodes once; true where something changed.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>, undone: &mut Undone) -> bool {
    let mut changed = false;
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        rest = from.get(1..).unwrap_or_default();
        if let Some(taken) = reference(rest, out) {
            rest = rest.get(taken..).unwrap_or_default();
            changed = true;
            count(&mut undone.entities);
        } else {
            out.push(b'&');
        }
    }
    out.extend_from_slice(rest);
    changed
}

/// Reads what follows an ampersand; how many bytes it took.
fn reference(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    if let Some(number) = rest.strip_prefix(b"#") {
        let hexadecimal = number
            .first()
            .is_some_and(|x| x.eq_ignore_ascii_case(&b'x'));
        let digits = number.get(usize::from(hexadecimal)..)?;
        let is_digit = |byte: &u8| {
            if hexadecimal {
                byte.is_ascii_hexdigit()
            } else {
                byte.is_ascii_digit()
            }
        };
        // Browsers take any number of leading zeros; so many that nobody would bother.
        let length = digits
            .iter()
            .take(LENGTH_MAX)
            .take_while(|byte| is_digit(byte))
            .count();
        let zeros = digits
            .iter()
            .take(length)
            .take_while(|byte| **byte == b'0')
            .count();
        let significant = digits.get(zeros..length)?;
        let code = if hexadecimal {
            hex(significant)?
        } else {
            std::str::from_utf8(significant).ok()?.parse().ok()?
        };
        write(code, out);
        let end = 1_usize
            .saturating_add(usize::from(hexadecimal))
            .saturating_add(length);
        return Some(end.saturating_add(usize::from(rest.get(end) == Some(&b';'))));
    }
    let length = rest
        .iter()
        .take(LENGTH_MAX)
        .position(|byte| *byte == b';')?;
    let name = rest.get(..length)?;
    let (_, byte) = NAMED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    out.push(*byte);
    Some(length.saturating_add(1))
}
