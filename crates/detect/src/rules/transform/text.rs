//! White space, case, headers.

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// A dot first.
pub(super) fn dotprefix(input: &[u8], out: &mut Vec<u8>) {
    out.push(b'.');
    out.extend(input);
}

/// Without white space.
pub(super) fn strip_whitespace(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().filter(|byte| !is_space(**byte)));
}

/// Of adjacent white space, only the first byte.
pub(super) fn compress_whitespace(input: &[u8], out: &mut Vec<u8>) {
    let mut space = false;
    for byte in input {
        let before = std::mem::replace(&mut space, is_space(*byte));
        if !(before && space) {
            out.push(*byte);
        }
    }
}

/// ASCII letters in lower case.
pub(super) fn to_lowercase(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(u8::to_ascii_lowercase));
}

/// ASCII letters in upper case.
pub(super) fn to_uppercase(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(u8::to_ascii_uppercase));
}

/// Each line in lower case up to its colon.
pub(super) fn header_lowercase(input: &[u8], out: &mut Vec<u8>) {
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        out.extend(name.iter().map(u8::to_ascii_lowercase));
        out.extend(value);
    }
}

/// Without the lines that start with a colon (RFC 9113, section 8.3).
pub(super) fn strip_pseudo_headers(input: &[u8], out: &mut Vec<u8>) {
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b":") {
            out.extend(line);
        }
    }
}
