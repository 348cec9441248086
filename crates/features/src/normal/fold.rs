//! One form for what means the same: case, spaces, comments, split words.

use super::{Undone, count};

/// Stands for a letter or digit of another script.
pub(crate) const LETTER: u8 = 0xff;
/// Stands for another sign.
pub(crate) const SIGN: u8 = 0xfe;

/// Bytes of a comment that separates words at most.
const COMMENT_MAX: usize = 48;

/// What joins the halves of a split word in SQL, JavaScript, PHP and shells.
const JOINTS: [&[u8]; 10] = [
    b"'||'", b"'+'", b"\"+\"", b"'.'", b"\".\"", b"''", b"\"\"", b"\\", b"$@", b"^",
];

/// What shells read as a space.
const SHELL_SPACES: [&[u8]; 5] = [b"${IFS}", b"$IFS$9", b"$IFS", b"{IFS}", b"%0a"];

/// Folds text that was decoded.
pub(super) fn fold(text: &[u8], out: &mut Vec<u8>, undone: &mut Undone) {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        at = at
            .saturating_add(step(rest, out, undone))
            .max(at.saturating_add(1));
    }
    while out.last() == Some(&b' ') {
        out.pop();
    }
}

/// Takes what comes next; how many bytes that was.
fn step(rest: &[u8], out: &mut Vec<u8>, undone: &mut Undone) -> usize {
    let Some(&byte) = rest.first() else { return 0 };
    match byte {
        b'/' if rest.starts_with(b"/*") => comment(rest, out, undone),
        b'*' if rest.starts_with(b"*/") => {
            space(out);
            2
        }
        b'$' | b'{' => {
            if let Some(found) = SHELL_SPACES.iter().find(|space| rest.starts_with(space)) {
                count(&mut undone.joints);
                space(out);
                return found.len();
            }
            joint(rest, out, undone)
        }
        b'\'' | b'"' | b'\\' | b'^' => joint(rest, out, undone),
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
            space(out);
            1
        }
        0..0x20 | 0x7f => {
            count(&mut undone.controls);
            1
        }
        0x20..0x7f => {
            out.push(byte.to_ascii_lowercase());
            1
        }
        0x80.. => other(rest, out, undone),
    }
}

/// One space for any number of them.
fn space(out: &mut Vec<u8>) {
    if out.last().is_some_and(|last| *last != b' ') {
        out.push(b' ');
    }
}

/// A comment of SQL or C: what MySQL runs (`/*!50000 union*/`) stays, other short ones are a space.
fn comment(rest: &[u8], out: &mut Vec<u8>, undone: &mut Undone) -> usize {
    if rest.starts_with(b"/*!") {
        count(&mut undone.comments);
        space(out);
        let version = rest
            .iter()
            .skip(3)
            .take(5)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        return 3_usize.saturating_add(version);
    }
    let body = rest.get(2..).unwrap_or_default();
    let end = memchr::memmem::find(body.get(..COMMENT_MAX).unwrap_or(body), b"*/");
    let Some(end) = end else {
        out.extend_from_slice(b"/*");
        return 2;
    };
    count(&mut undone.comments);
    space(out);
    end.saturating_add(4)
}

/// A joint between two letters or digits goes, so that the word is whole.
fn joint(rest: &[u8], out: &mut Vec<u8>, undone: &mut Undone) -> usize {
    let inside = out.last().is_some_and(u8::is_ascii_alphanumeric);
    let found = JOINTS.iter().find(|joint| {
        inside
            && rest.starts_with(joint)
            && rest.get(joint.len()).is_some_and(u8::is_ascii_alphanumeric)
    });
    if let Some(found) = found {
        count(&mut undone.joints);
        return found.len();
    }
    out.extend(rest.first());
    1
}

/// A character beyond ASCII: what takes no place goes, spaces are spaces, the rest is of two sorts.
fn other(rest: &[u8], out: &mut Vec<u8>, undone: &mut Undone) -> usize {
    let length = match rest.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..) => 4,
        _ => 1,
    };
    let character = rest
        .get(..length)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|text| text.chars().next());
    match character {
        Some('\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}') => {
            count(&mut undone.controls)
        }
        Some(character) if character.is_whitespace() => space(out),
        Some(character) if character.is_alphanumeric() => out.push(LETTER),
        Some(_) => out.push(SIGN),
        None => {
            out.push(SIGN);
            return 1;
        }
    }
    length
}
