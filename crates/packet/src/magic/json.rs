//! Is a text JSON (RFC 8259)?

/// Deepest nesting looked into.
const DEPTH_MAX: usize = 64;

/// Whether the bytes are one object or array, and all of it.
pub(super) fn is_whole(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return false;
    }
    matches!(value(text, 0), Some([]))
}

/// Takes a value; what follows it.
fn value(text: &[u8], depth: usize) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    match text.split_first()? {
        (b'{', rest) => members(rest, b'}', depth),
        (b'[', rest) => members(rest, b']', depth),
        (b'"', rest) => string(rest),
        _ => [&b"true"[..], b"false", b"null"]
            .iter()
            .find_map(|word| text.strip_prefix(*word))
            .or_else(|| number(text)),
    }
}

/// Takes what stands between brackets.
fn members(text: &[u8], end: u8, depth: usize) -> Option<&[u8]> {
    let deeper = depth.checked_add(1).filter(|depth| *depth <= DEPTH_MAX)?;
    let mut text = text.trim_ascii_start();
    if let Some(rest) = text.strip_prefix(&[end]) {
        return Some(rest);
    }
    loop {
        if end == b'}' {
            let rest = string(text.trim_ascii_start().strip_prefix(b"\"")?)?;
            text = rest.trim_ascii_start().strip_prefix(b":")?;
        }
        text = value(text, deeper)?.trim_ascii_start();
        match text.split_first()? {
            (b',', rest) => text = rest,
            (byte, rest) if *byte == end => return Some(rest),
            _ => return None,
        }
    }
}

/// Takes the rest of a string.
fn string(text: &[u8]) -> Option<&[u8]> {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        end
    })?;
    text.get(end.checked_add(1)?..)
}

fn number(text: &[u8]) -> Option<&[u8]> {
    let len = text
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
        .count();
    (len > 0).then(|| text.get(len..)).flatten()
}
