//! Ports for data connections, as commands and replies name them. Their addresses are not used: who
//! announces somebody else's takes no part in this flow.

/// From `h1,h2,h3,h4,p1,p2`, wherever it stands (RFC 959 section 4.1.2; RFC 1123 section 4.1.2.6
/// says how freely the reply to PASV is worded).
pub(super) fn comma_port(text: &[u8]) -> Option<u16> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b',' || *byte == b' ';
    let mut groups = text.split(|byte| !is_part(byte));
    groups.find_map(|group| {
        let numbers: Option<Vec<u8>> = group
            .split(|byte| *byte == b',')
            .take(7)
            .map(|number| number_in(number.trim_ascii()))
            .collect();
        match numbers?.as_slice() {
            [_, _, _, _, high, low] => positive(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    })
}

/// From `|family|address|port|`, with any delimiter (RFC 2428 section 2).
pub(super) fn extended_port(text: &[u8]) -> Option<u16> {
    let text = text.trim_ascii();
    let (delimiter, rest) = text.split_first()?;
    let port = rest.split(|byte| byte == delimiter).nth(2)?;
    positive(number_in(port)?)
}

/// From `(|||port|)` in the reply to EPSV (RFC 2428 section 3).
pub(super) fn extended_passive_port(text: &[u8]) -> Option<u16> {
    let start = text.iter().position(|byte| *byte == b'(')?;
    let inner = text.get(start..)?.get(1..)?;
    extended_port(inner.split(|byte| *byte == b')').next()?)
}

fn number_in<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.parse().ok()
}

fn positive(port: u16) -> Option<u16> {
    (port > 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        for (text, port) in [
            ("192,0,2,1,234,10", Some(59914)),
            ("Entering Passive Mode (192,0,2,1,234,10).", Some(59914)),
            ("=192,0,2,1,234,10", Some(59914)),
            ("1,2,3", None),
            ("(300,2,3,4,5,6)", None),
            ("1,2,3,4,0,0", None),
            ("1,2,3,4,5,6,7", None),
            ("", None),
        ] {
            assert_eq!(comma_port(text.as_bytes()), port, "{text}");
        }
        assert_eq!(extended_port(b"|2|2001:db8::1|41813|"), Some(41813));
        assert_eq!(extended_port(b"!1!192.0.2.1!5!"), Some(5));
        assert_eq!(extended_port(b"|||99999|"), None);
        assert_eq!(extended_passive_port(b"ok (|||58612|)"), Some(58612));
        assert_eq!(extended_passive_port(b"ok"), None);
    }
}
