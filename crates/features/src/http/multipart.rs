//! Bodies of several parts (RFC 7578): names, file names and contents are fields.

/// Parts that are looked at.
const PARTS_MAX: usize = 1024;

/// The boundary that a content type names.
pub(super) fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    if !content_type.get(..10)?.eq_ignore_ascii_case(b"multipart/") {
        return None;
    }
    let at = memchr::memmem::find(content_type, b"boundary=")?;
    let from = content_type.get(at.saturating_add(9)..)?;
    let from = from.strip_prefix(b"\"").unwrap_or(from);
    let end = from
        .iter()
        .position(|byte| b"\";, ".contains(byte))
        .unwrap_or(from.len());
    from.get(..end).filter(|boundary| !boundary.is_empty())
}

/// Visits what is in the parts: the heads that clients choose, and the contents.
pub(super) fn parts(body: &[u8], boundary: &[u8], mut visit: impl FnMut(&[u8], &[u8])) {
    let finder = memchr::memmem::Finder::new(boundary);
    let mut rest = body;
    for _ in 0..PARTS_MAX {
        let Some(at) = finder.find(rest) else {
            break;
        };
        rest = rest
            .get(at.saturating_add(boundary.len())..)
            .unwrap_or_default();
        let end = finder.find(rest).unwrap_or(rest.len());
        let part = rest.get(..end).unwrap_or_default();
        if part.starts_with(b"--") {
            break;
        }
        let (head, content) = match memchr::memmem::find(part, b"\r\n\r\n") {
            Some(at) => (
                part.get(..at).unwrap_or_default(),
                part.get(at.saturating_add(4)..).unwrap_or_default(),
            ),
            None => (part, &b""[..]),
        };
        for name in [&b"name=\""[..], b"filename=\""] {
            if let Some(value) = quoted(head, name) {
                visit(name.strip_suffix(b"=\"").unwrap_or(name), value);
            }
        }
        let content = content.strip_suffix(b"--").unwrap_or(content);
        visit(
            quoted(head, b"name=\"").unwrap_or_default(),
            content.trim_ascii_end(),
        );
    }
}

/// The value of a parameter in quotes.
fn quoted<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find_iter(head, name).find(|at| {
        at.checked_sub(1)
            .is_none_or(|before| head.get(before) != Some(&b'e'))
    })?;
    let value = head.get(at.saturating_add(name.len())..)?;
    let end = memchr::memchr(b'"', value)?;
    value.get(..end).filter(|value| !value.is_empty())
}
