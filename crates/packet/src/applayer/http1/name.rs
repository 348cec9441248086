//! Names of files in header fields.

use super::lines::trim;

/// The file name of a `Content-Disposition` value, also where it has no type before it.
pub(in crate::applayer) fn disposition_name(value: &[u8]) -> Option<&[u8]> {
    let front = memchr::memchr2(b';', b'=', value).and_then(|at| value.split_at_checked(at));
    let untyped = front.filter(|(name, rest)| {
        rest.first() == Some(&b'=') && trim(name).eq_ignore_ascii_case(b"filename")
    });
    match untyped {
        Some((_, rest)) => Some(unquoted(rest.get(1..)?)?.0),
        None => parameter(value, b"filename"),
    }
    .filter(|name| !name.is_empty())
}

/// A parameter of a value: `; name=value` or `; name="value"`, white space and case as it comes; a
/// quote that is not closed ends with the value.
pub(super) fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = value;
    loop {
        let semicolon = memchr::memchr(b';', rest)?;
        rest = rest.get(semicolon.checked_add(1)?..)?;
        let equals = memchr::memchr2(b'=', b';', rest)?;
        let (found, after) = rest.split_at_checked(equals)?;
        if after.first() == Some(&b';') {
            continue;
        }
        let (content, next) = unquoted(after.get(1..)?)?;
        if trim(found).eq_ignore_ascii_case(name) {
            return Some(content);
        }
        rest = next;
    }
}

/// The value of a parameter, and what stands behind it.
fn unquoted(after: &[u8]) -> Option<(&[u8], &[u8])> {
    let after = after.trim_ascii_start();
    let end = match after.strip_prefix(b"\"") {
        Some(quoted) => return quoted.split_at_checked(end_of_quoted(quoted)).map(trimmed),
        None => memchr::memchr(b';', after).unwrap_or(after.len()),
    };
    after.split_at_checked(end).map(trimmed)
}

fn trimmed<'a>((value, rest): (&'a [u8], &'a [u8])) -> (&'a [u8], &'a [u8]) {
    (trim(value), rest)
}

/// The quote that no backslash stands before.
fn end_of_quoted(quoted: &[u8]) -> usize {
    let mut escaped = false;
    let end = quoted.iter().position(|byte| {
        let end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        end
    });
    end.unwrap_or(quoted.len())
}

/// The first, last and whole length of `Content-Range: bytes 0-9/100` (RFC 9110 section 14.4);
/// what is not given, or `*`, is `None`.
pub(in crate::applayer) fn content_range(value: &[u8]) -> Option<[Option<u64>; 3]> {
    let value = value
        .get(..5)
        .filter(|unit| unit.eq_ignore_ascii_case(b"bytes"))
        .and(value.get(5..))?;
    let value = trim(value);
    let slash = memchr::memchr(b'/', value)?;
    let (range, total) = value.split_at_checked(slash)?;
    let total = trim(total.get(1..)?);
    let total = if total == b"*" {
        None
    } else {
        Some(number(total)?)
    };
    if trim(range) == b"*" {
        return total.map(|total| [None, None, Some(total)]);
    }
    let dash = memchr::memchr(b'-', range)?;
    let (first, last) = range.split_at_checked(dash)?;
    let first = number(trim(first))?;
    let last = number(trim(last.get(1..)?))?;
    Some([Some(first), Some(last), total])
}

fn number(digits: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    number.filter(|number| i64::try_from(*number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_dispositions() {
        for (value, name) in [
            (
                &b"attachment; filename=\"eicar.txt\""[..],
                Some(&b"eicar.txt"[..]),
            ),
            (b"attachment; FileName = a b.txt ; x=y", Some(b"a b.txt")),
            (
                b"form-data; name=\"filename=x\"; filename=\"y\"",
                Some(b"y"),
            ),
            (b"attachment; filename=\"a;b", Some(b"a;b")),
            (b"attachment; filename=\"a\\\"b\"", Some(b"a\\\"b")),
            (b"attachment; filename*=UTF-8''e%20x", None),
            (b"filename=\"a.bin\"; size=3", Some(b"a.bin")),
            (b"attachment", None),
            (b"attachment; filename=", None),
        ] {
            assert_eq!(disposition_name(value), name, "{value:?}");
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(
            content_range(b"bytes 0-9/100"),
            Some([Some(0), Some(9), Some(100)])
        );
        assert_eq!(
            content_range(b"bytes 5-9/*"),
            Some([Some(5), Some(9), None])
        );
        assert_eq!(content_range(b"bytes */7"), Some([None, None, Some(7)]));
        assert_eq!(content_range(b"lines 0-9/100"), None);
        assert_eq!(content_range(b"bytes x"), None);
    }
}
