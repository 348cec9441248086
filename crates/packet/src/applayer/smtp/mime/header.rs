//! Header fields of mails and of their parts, and the parameters in their values.

/// A field's name, lower case, and its value; `None` when it has no colon.
pub(super) fn split(field: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    let (name, value) = field.split_at_checked(colon)?;
    let value = value.get(1..)?.trim_ascii_start();
    Some((name.trim_ascii_end().to_ascii_lowercase(), value))
}

/// What stands in front of the parameters, lower case.
pub(super) fn token(value: &[u8]) -> Vec<u8> {
    let token = value
        .split(|byte| matches!(byte, b';' | b'('))
        .next()
        .unwrap_or_default();
    let token = token.trim_ascii();
    let bare = token
        .strip_prefix(b"\"")
        .and_then(|token| token.strip_suffix(b"\""));
    bare.unwrap_or(token).to_ascii_lowercase()
}

/// A parameter of a value. One that is spread over sections (`name*0`, `name*1`) is put together,
/// one in percent encoding (`name*`) is decoded (RFC 2231 sections 3 and 4); where one is there
/// plainly too, that counts.
pub(super) fn parameter(value: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for (key, value) in parameters(value).take(PARAMETERS_MAX) {
        let key = key.to_ascii_lowercase();
        let Some(suffix) = key.strip_prefix(name.as_bytes()) else {
            continue;
        };
        if suffix.is_empty() {
            return Some(value.to_vec());
        }
        sections.extend(Section::parse(suffix, value));
    }
    sections.sort_by_key(|section| section.number);
    (!sections.is_empty()).then(|| sections.iter().flat_map(Section::text).collect())
}

/// Each parameter: its name, and its value without quotes.
fn parameters(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = skip_section(value).1;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (section, behind) = skip_section(rest);
        rest = behind;
        Some(section)
    })
    .filter_map(|section| {
        let equals = section.iter().position(|byte| *byte == b'=')?;
        let (key, value) = section.split_at_checked(equals)?;
        Some((key.trim_ascii(), unquote(value.get(1..)?.trim_ascii())))
    })
}

/// Splits behind the first semicolon that is not in quotes.
fn skip_section(value: &[u8]) -> (&[u8], &[u8]) {
    let (mut quoted, mut escaped) = (false, false);
    let end = value.iter().position(|byte| {
        let is_escape = quoted && !escaped && *byte == b'\\';
        quoted ^= *byte == b'"' && !escaped;
        escaped = is_escape;
        *byte == b';' && !quoted
    });
    let Some((section, behind)) = end.and_then(|end| value.split_at_checked(end)) else {
        return (value, &[]);
    };
    (section, behind.get(1..).unwrap_or_default())
}

/// Without quotes; escapes stay as they are, as Suricata has them.
fn unquote(value: &[u8]) -> &[u8] {
    let Some(inner) = value.strip_prefix(b"\"") else {
        return value;
    };
    let mut escaped = false;
    let end = inner.iter().position(|byte| {
        let is_end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    });
    inner.get(..end.unwrap_or(inner.len())).unwrap_or(inner)
}

/// A section of a parameter.
struct Section<'a> {
    number: u16,
    is_encoded: bool,
    value: &'a [u8],
}

impl<'a> Section<'a> {
    /// From what stands behind the name: `*`, `*0` or `*0*`.
    fn parse(suffix: &[u8], value: &'a [u8]) -> Option<Self> {
        let suffix = suffix.strip_prefix(b"*")?;
        let digits = suffix.strip_suffix(b"*").unwrap_or(suffix);
        let number = if digits.is_empty() {
            0
        } else {
            std::str::from_utf8(digits).ok()?.parse().ok()?
        };
        Some(Self {
            number,
            is_encoded: suffix.is_empty() || digits.len() < suffix.len(),
            value,
        })
    }

    fn text(&self) -> Vec<u8> {
        if !self.is_encoded {
            return self.value.to_vec();
        }
        // charset'language'text
        let mut parts = self.value.splitn(3, |byte| *byte == b'\'');
        let text = if self.number == 0 {
            parts.nth(2).unwrap_or(self.value)
        } else {
            self.value
        };
        percent_decode(text)
    }
}

fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        let coded = behind.split_at_checked(2).filter(|_| *byte == b'%');
        let coded = coded.and_then(|(digits, behind)| Some((super::decode::hex(digits)?, behind)));
        let (byte, behind) = coded.unwrap_or((*byte, behind));
        decoded.push(byte);
        rest = behind;
    }
    decoded
}

/// Most parameters of a value that are looked at.
const PARAMETERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_however_they_are_written() {
        for (value, name) in [
            (r#"attachment; filename="a.bin""#, r"a.bin"),
            ("attachment; filename=a.bin; x=y", "a.bin"),
            ("attachment ;  FILENAME =  \"a.bin\" ", "a.bin"),
            (r#"x; filename="a\"b;c""#, r#"a\"b;c"#),
            ("x; filename='a'", "'a'"),
            ("x; filename*=utf-8''na%20me.txt", "na me.txt"),
            ("x; filename*1=b; filename*0=\"a\"", "ab"),
            (
                "x; filename*0*=u''a%20; filename*1*=b%zz; filename*2=.x",
                "a b%zz.x",
            ),
            ("x; filename*=u''no; filename=plain", "plain"),
            ("x; filename=\"open", "open"),
            ("x; filename=", ""),
        ] {
            let found = parameter(value.as_bytes(), "filename");
            assert_eq!(found.as_deref(), Some(name.as_bytes()), "{value}");
        }
        assert_eq!(parameter(b"x; y=filename=z", "filename"), None);
        assert_eq!(parameter(b"filename=z", "filename"), None);
        assert_eq!(parameter(b"x; filenames=z", "filename"), None);
    }

    #[test]
    fn fields() {
        let (name, value) = split(b"Subject : a b ").unwrap();
        assert_eq!((name.as_slice(), value), (&b"subject"[..], &b"a b "[..]));
        assert!(split(b"no colon").is_none());
        assert_eq!(token(b" BASE64 (c); x"), b"base64");
        assert_eq!(token(b"\"base64\"; x"), b"base64");
        assert_eq!(token(b"Multipart/Mixed; x"), b"multipart/mixed");
    }
}
