//! Domain names: lower case, no final dot, A-labels; matched as suffixes on label borders.

/// Longest domain name in text form (RFC 1035 section 3.1: 255 octets on the wire).
pub const DOMAIN_MAX: usize = 253;

/// The normal form of a name in an indicator, IDNA applied (RFC 5891); none when it is no domain
/// name of at least two labels. One label would match the whole of a top-level domain.
pub(super) fn from_text(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('.');
    let text = text.strip_prefix("*.").unwrap_or(text);
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
    out.extend(name.iter().map(u8::to_ascii_lowercase));
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
}
