//! Escapes of programming languages: `\x41`, `\u0041`, `\u{41}`.

use super::{Undone, count, hex, write};

/// Decodes once; true where something changed.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>, undone: &mut Undone) -> bool {
    let mut changed = false;
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        rest = from.get(1..).unwrap_or_default();
        if let Some((code, taken)) = escape(rest) {
            write(code, out);
            rest = rest.get(taken..).unwrap_or_default();
            changed = true;
            count(&mut undone.escapes);
        } else {
            out.push(b'\\');
        }
    }
    out.extend_from_slice(rest);
    changed
}

/// Reads what follows a backslash: the character, and how many bytes it took.
fn escape(rest: &[u8]) -> Option<(u32, usize)> {
    match rest.first()? {
        b'x' | b'X' => Some((rest.get(1..3).and_then(hex)?, 3)),
        b'u' if rest.get(1) == Some(&b'{') => {
            let end = rest.iter().take(9).position(|byte| *byte == b'}')?;
            Some((rest.get(2..end).and_then(hex)?, end.saturating_add(1)))
        }
        b'u' | b'U' => Some((rest.get(1..5).and_then(hex)?, 5)),
        _ => None,
    }
}
