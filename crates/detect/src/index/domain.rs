//! Domain names: lower case, no final dot, A-labels; matched as suffixes on label borders.

/// Longest domain name in text form (RFC 1035 section 3.1: 255 octets on the wire).
pub const DOMAIN_MAX: usize = 253;

/// The normal form of a name in an indicator, IDNA applied (RFC 5891); none when it is no domain
/// name of at least two labels. One label would match the whole of a top-level domain.
pub(super) fn from_text(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('.');
    let text = text.strip_prefix("*.").unwrap_or(text);
    plain(text.as_bytes()).or_else(|| mapped(text))
}

/// The normal form of a name that needs no mapping, as nearly all are: letters, digits and hyphens,
/// no A-label whose digits would have to be checked, and no last label that makes it a number.
fn plain(text: &[u8]) -> Option<Vec<u8>> {
    let in_name = |byte: &u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.');
    if text.len() > DOMAIN_MAX || !text.iter().all(in_name) {
        return None;
    }
    let (mut labels, mut last): (u32, &[u8]) = (0, b"");
    for label in text.split(|byte| *byte == b'.') {
        let prefix = label.get(..4).unwrap_or_default();
        if label.is_empty() || prefix.eq_ignore_ascii_case(b"xn--") {
            return None;
        }
        labels = labels.saturating_add(1);
        last = label;
    }
    let is_name = labels > 1 && last.first().is_some_and(u8::is_ascii_alphabetic);
    is_name.then(|| text.to_ascii_lowercase())
}

/// The normal form of any name, by the URL standard.
fn mapped(text: &str) -> Option<Vec<u8>> {
    let url::Host::Domain(name) = url::Host::parse(text).ok()? else {
        return None;
    };
    let name = name.trim_end_matches('.');
    let legal = name.len() <= DOMAIN_MAX && name.split('.').all(|label| !label.is_empty());
    (legal && name.contains('.')).then(|| name.as_bytes().to_vec())
}

/// Writes the normal form of a name off the wire into `out`; false when it is too long to be one.
pub(super) fn from_wire(name: &[u8], out: &mut Vec<u8>) -> bool {
    let name = name.strip_suffix(b".").unwrap_or(name);
    out.clear();
    if name.is_empty() || name.len() > DOMAIN_MAX {
        return false;
    }
    out.extend_from_slice(name);
    out.make_ascii_lowercase();
    true
}

/// Where the suffixes of at least two labels start in a normal name, longest suffix first.
pub(super) fn suffixes(name: &[u8]) -> impl Iterator<Item = usize> {
    let last_dot = name.iter().rposition(|byte| *byte == b'.');
    let borders = name
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'.')
        .map(|(dot, _)| dot.saturating_add(1));
    std::iter::once(0)
        .chain(borders)
        .take_while(move |start| last_dot.is_some_and(|dot| *start <= dot))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_take_their_normal_form() {
        assert_eq!(from_text("WWW.Example.COM.").unwrap(), b"www.example.com");
        assert_eq!(from_text("*.example.com").unwrap(), b"example.com");
        assert_eq!(
            from_text("b\u{fc}cher.example").unwrap(),
            b"xn--bcher-kva.example"
        );
        for refused in [
            "com",
            "",
            ".",
            "a..b",
            "192.0.2.1",
            "a b.example",
            "[2001:db8::1]",
        ] {
            assert_eq!(from_text(refused), None, "{refused}");
        }
    }

    #[test]
    fn suffixes_stop_before_the_top_level() {
        let name = b"a.b.example.com";
        let all: Vec<_> = suffixes(name).map(|start| &name[start..]).collect();
        assert_eq!(
            all,
            [&b"a.b.example.com"[..], b"b.example.com", b"example.com"]
        );
        assert_eq!(suffixes(b"localhost").count(), 0);
        assert_eq!(suffixes(b"").count(), 0);
    }

    proptest! {
        #[test]
        fn plain_names_are_what_the_standard_makes_of_them(
            text in "([a-zA-Z0-9-]{0,4}(xn--)?[a-z0-9-]{0,4}\\.){0,4}(xn--|0x)?[a-zA-Z0-9-]{0,3}",
        ) {
            if let Some(name) = plain(text.as_bytes()) {
                prop_assert_eq!(Some(name), mapped(&text));
            }
        }
    }
}
