//! `%41`, and `%u0041` as IIS reads it.

use super::{Undone, count, hex, write};

/// Decodes once; true where something changed.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>, undone: &mut Undone) -> bool {
    let mut changed = false;
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        rest = from.get(1..).unwrap_or_default();
        if let Some(value) = rest.get(..2).and_then(hex) {
            out.push(u8::try_from(value).unwrap_or_default());
            rest = rest.get(2..).unwrap_or_default();
        } else if let Some(code) = rest
            .strip_prefix(b"u")
            .or_else(|| rest.strip_prefix(b"U"))
            .and_then(|digits| digits.get(..4))
            .and_then(hex)
        {
            write(code, out);
            rest = rest.get(5..).unwrap_or_default();
        } else {
            out.push(b'%');
            if rest.first().is_some_and(u8::is_ascii_alphanumeric) {
                count(&mut undone.percent_bad);
            }
            continue;
        }
        changed = true;
        count(&mut undone.percent);
    }
    out.extend_from_slice(rest);
    changed
}
