//! URLs in one normal form, so that an indicator and a request compare byte for byte.
//!
//! The form is `host[:port]/path[?query]`: no scheme, user information or fragment; host in lower
//! case without a final dot; the default port dropped; percent-encoding as in RFC 3986 section
//! 6.2.2 (unreserved characters plain, upper-case hex for the rest, what may not stand in a URI
//! encoded); dot segments removed (section 5.2.4); an empty path is `/`.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Longest URL that is compared, in its normal form; longer ones never match.
pub const URL_MAX: usize = 8192;

/// The normal form of a URL in an indicator (the scheme is optional); none when it has no host, or
/// a scheme other than http and https.
pub(super) fn from_text(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let (scheme, rest) = match scheme_end(text.as_bytes()) {
        Some(end) => text.split_at_checked(end)?,
        None => ("http", text),
    };
    let default_port = default_port(scheme.as_bytes())?;
    let ascii = to_ascii_host(rest.strip_prefix("://").unwrap_or(rest));
    let mut out = Vec::with_capacity(ascii.len());
    absolute(ascii.as_bytes(), default_port, &mut out).then_some(out)
}

/// Writes the normal form of a request into `out`; false when it names no host or is too long.
///
/// A target in absolute form (RFC 9112 section 3.2.2) overrules the Host field.
pub(super) fn from_request(host: &[u8], target: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    if target.len() > URL_MAX {
        return false;
    }
    if let Some(end) = scheme_end(target) {
        let (scheme, rest) = target.split_at(end);
        let Some(port) = default_port(scheme) else {
            return false;
        };
        return absolute(rest.strip_prefix(b"://").unwrap_or(rest), port, out);
    }
    push_authority(host, b"80", out) && push_target(target, out)
}

/// Where a scheme (RFC 3986 section 3.1) that `://` follows ends.
fn scheme_end(text: &[u8]) -> Option<usize> {
    let in_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let end = text.iter().position(|byte| !in_scheme(byte))?;
    (end > 0 && text.get(end..)?.starts_with(b"://")).then_some(end)
}

fn default_port(scheme: &[u8]) -> Option<&'static [u8]> {
    if scheme.eq_ignore_ascii_case(b"http") {
        Some(b"80")
    } else if scheme.eq_ignore_ascii_case(b"https") {
        Some(b"443")
    } else {
        None
    }
}

/// An indicator may spell its host in Unicode; a request carries A-labels.
fn to_ascii_host(rest: &str) -> Cow<'_, str> {
    let end = rest.find(['/', '?', '#', ':']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    if host.is_ascii() {
        return rest.into();
    }
    match url::Host::parse(host) {
        Ok(url::Host::Domain(name)) => format!("{name}{tail}").into(),
        Ok(_) | Err(_) => rest.into(),
    }
}

fn absolute(rest: &[u8], default_port: &[u8], out: &mut Vec<u8>) -> bool {
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let host = authority
        .rsplit(|byte| *byte == b'@')
        .next()
        .unwrap_or_default();
    push_authority(host, default_port, out) && push_target(target, out)
}

fn push_authority(authority: &[u8], default_port: &[u8], out: &mut Vec<u8>) -> bool {
    if is_normal_host(authority) {
        out.extend_from_slice(authority);
        return true;
    }
    let authority = authority.trim_ascii();
    let (host, port) = split_port(authority);
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.is_empty() {
        return false;
    }
    push_host(host, out);
    let port = port.trim_ascii_start();
    if !port.is_empty() && port != default_port {
        out.push(b':');
        out.extend_from_slice(port);
    }
    true
}

/// Whether an authority is a host in its normal form and no more, as most are: one pass without a
/// branch on the bytes says so.
fn is_normal_host(authority: &[u8]) -> bool {
    let in_host = |byte: &u8| IN_HOST.get(usize::from(*byte)).copied().unwrap_or(false);
    let normal = authority.iter().fold(true, |all, byte| all & in_host(byte));
    normal && authority.last().is_some_and(|last| *last != b'.')
}

fn split_port(authority: &[u8]) -> (&[u8], &[u8]) {
    match authority
        .iter()
        .rposition(|byte| matches!(byte, b':' | b']'))
    {
        Some(at) if authority.get(at) == Some(&b':') => {
            let (host, port) = authority.split_at(at);
            (host, port.get(1..).unwrap_or_default())
        }
        Some(_) | None => (authority, b""),
    }
}

fn push_host(host: &[u8], out: &mut Vec<u8>) {
    let literal = host
        .strip_prefix(b"[")
        .and_then(|host| host.strip_suffix(b"]"));
    let address = literal
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.parse::<Ipv6Addr>().ok());
    match address {
        Some(address) => out.extend_from_slice(format!("[{address}]").as_bytes()),
        None => {
            let start = out.len();
            out.extend_from_slice(host);
            out.get_mut(start..)
                .unwrap_or_default()
                .make_ascii_lowercase();
        }
    }
}

fn push_target(target: &[u8], out: &mut Vec<u8>) -> bool {
    if is_normal(target) {
        out.extend_from_slice(target);
        return out.len() <= URL_MAX;
    }
    let end = target
        .iter()
        .position(|byte| *byte == b'#')
        .unwrap_or(target.len());
    let (target, _fragment) = target.split_at(end);
    let query = target
        .iter()
        .position(|byte| *byte == b'?')
        .unwrap_or(target.len());
    let (path, query) = target.split_at(query);
    let start = out.len();
    if !path.starts_with(b"/") {
        out.push(b'/');
    }
    push_path(path, out);
    remove_dot_segments(out, start);
    push_encoded(query, out);
    out.len() <= URL_MAX
}

/// Whether a target is in its normal form already, as most are: nothing to encode or decode, no
/// fragment, and no dot after a slash. One pass without a branch on the bytes says so.
fn is_normal(target: &[u8]) -> bool {
    let (mut normal, mut before) = (target.first() == Some(&b'/'), b' ');
    for byte in target {
        let plain = PLAIN.get(usize::from(*byte)).copied().unwrap_or(false);
        normal &= plain & !((before == b'/') & (*byte == b'.'));
        before = *byte;
    }
    normal
}

/// A backslash in a path is a slash, as browsers and the URL standard have it.
fn push_path(path: &[u8], out: &mut Vec<u8>) {
    for (at, part) in path.split(|byte| *byte == b'\\').enumerate() {
        if at > 0 {
            out.push(b'/');
        }
        push_encoded(part, out);
    }
}

fn push_encoded(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let special = rest.iter().position(|byte| !is_plain(*byte));
        let (plain, after) = rest.split_at(special.unwrap_or(rest.len()));
        out.extend_from_slice(plain);
        let Some((first, tail)) = after.split_first() else {
            return;
        };
        let escape = if *first == b'%' { escaped(tail) } else { None };
        rest = match escape {
            Some((byte, after)) => {
                push_byte(byte, is_unreserved(byte), out);
                after
            }
            None => {
                push_byte(*first, false, out);
                tail
            }
        };
    }
}

fn escaped(tail: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = tail.split_at_checked(2)?;
    let text = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let byte = u8::from_str_radix(text, 16).ok()?;
    is_hex.then_some((byte, after))
}

fn push_byte(byte: u8, plain: bool, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if plain {
        return out.push(byte);
    }
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand unencoded in path and query: unreserved, sub-delims and `: @ / ?` (RFC 3986
/// sections 3.3 and 3.4). The apostrophe is none here: the URL standard that indicators are
/// written by encodes it in queries and browsers do too, so both spellings must come to one.
const fn is_plain(byte: u8) -> bool {
    let reserved = matches!(
        byte,
        b'!' | b'$'
            | b'&'
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'='
            | b':'
            | b'@'
            | b'/'
            | b'?'
    );
    reserved || is_unreserved(byte)
}

/// [`is_plain`] of every byte.
const PLAIN: [bool; 256] = plain(false);
/// Which bytes a host in its normal form consists of, addresses in brackets aside.
const IN_HOST: [bool; 256] = plain(true);

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which would refuse it"
)]
const fn plain(host: bool) -> [bool; 256] {
    let (mut plain, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        plain[byte as usize] = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => true,
            _ => !host && is_plain(byte),
        };
        byte = byte.wrapping_add(1);
    }
    plain
}

/// RFC 3986 section 5.2.4, in place on `out[start..]`, which begins with a slash.
fn remove_dot_segments(out: &mut Vec<u8>, start: usize) {
    let Some(path) = out.get(start..) else { return };
    if !path.windows(2).any(|pair| pair == b"/.") {
        return;
    }
    let path = path.to_vec();
    out.truncate(start);
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    pop_segment(out, start);
                }
                if is_last {
                    out.push(b'/');
                }
            }
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
}

fn pop_segment(out: &mut Vec<u8>, start: usize) {
    let cut = out
        .get(start..)
        .and_then(|path| path.iter().rposition(|byte| *byte == b'/'));
    out.truncate(start.saturating_add(cut.unwrap_or(0)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(url: &str) -> String {
        String::from_utf8(from_text(url).unwrap()).unwrap()
    }

    fn request(host: &str, target: &str) -> String {
        let mut out = Vec::new();
        assert!(
            from_request(host.as_bytes(), target.as_bytes(), &mut out),
            "{host} {target}"
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn spellings_of_one_url_are_one_key() {
        let key = "example.com/a~b?q=%2F";
        for spelling in [
            "http://example.com/a~b?q=%2f",
            "HTTP://EXAMPLE.com:80/a%7Eb?q=%2F#top",
            "https://user:pw@example.com:443/a%7eb?q=%2F",
            "example.com./x/../a~b?q=%2F",
        ] {
            assert_eq!(text(spelling), key, "{spelling}");
        }
        assert_eq!(request("Example.com:80", "/a%7Eb?q=%2f"), key);
        assert_eq!(request("other", "http://example.com/a~b?q=%2f"), key);
    }

    #[test]
    fn what_differs_stays_different() {
        assert_eq!(text("http://example.com"), "example.com/");
        assert_eq!(text("http://example.com?x"), "example.com/?x");
        assert_eq!(text("http://example.com:8080/"), "example.com:8080/");
        assert_eq!(text("http://[2001:DB8:0::1]:80/"), "[2001:db8::1]/");
        assert_eq!(
            text("http://b\u{fc}cher.example/"),
            "xn--bcher-kva.example/"
        );
        assert_ne!(text("example.com/a%2Fb"), text("example.com/a/b"));
        assert_ne!(text("example.com/A"), text("example.com/a"));
        assert_eq!(text("example.com/a b\u{e9}"), "example.com/a%20b%C3%A9");
        assert_eq!(from_text("ftp://example.com/"), None);
        assert_eq!(from_text("http:///path"), None);
    }

    #[test]
    fn dot_segments_are_removed_as_in_rfc_3986() {
        for (path, normal) in [
            ("/a/b/c/./../../g", "/a/g"),
            ("/..", "/"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/%2e%2E/a", "/a"),
            ("/a/.../b", "/a/.../b"),
            ("/a//..//b", "/a//b"),
        ] {
            assert_eq!(
                request("h.example", path),
                format!("h.example{normal}"),
                "{path}"
            );
        }
    }

    proptest! {
        /// The short way is the long way.
        #[test]
        fn what_is_normal_stays_as_it_is(target in "/[a-z/.?%#'\\\\ ]{0,12}") {
            let mut long = Vec::new();
            let path = target.split('#').next().unwrap_or_default();
            let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
            push_path(path.as_bytes(), &mut long);
            remove_dot_segments(&mut long, 0);
            push_encoded(query.as_bytes(), &mut long);
            let mut short = Vec::new();
            prop_assert!(push_target(target.as_bytes(), &mut short));
            prop_assert_eq!(&short, &long);
            prop_assert!(!is_normal(target.as_bytes()) || short == target.as_bytes());
        }

        /// The short way is the long way: a space makes nothing of it but the long way.
        #[test]
        fn a_normal_host_stays_as_it_is(host in "[a-cA-C0-9._:-]{0,8}") {
            let (mut short, mut long) = (Vec::new(), Vec::new());
            let spaced = format!(" {host}");
            let named = push_authority(host.as_bytes(), b"80", &mut short);
            prop_assert_eq!(named, push_authority(spaced.as_bytes(), b"80", &mut long));
            prop_assert_eq!(&short, &long);
            prop_assert!(!is_normal_host(host.as_bytes()) || short == host.as_bytes());
        }

        #[test]
        fn normal_form_is_a_fixed_point(target in "/[ -~]{0,60}") {
            let once = request("h.example", &target);
            prop_assert_eq!(text(&once), once);
        }

        #[test]
        fn an_indicator_as_stix_writes_it_is_the_request(target in "/[!-\"$-~]{0,60}") {
            let url = format!("http://h.example{target}");
            let written = stix::canonical::url(&url).unwrap();
            prop_assert_eq!(text(&written), request("h.example", &target));
        }

        #[test]
        fn any_bytes_are_taken(host: Vec<u8>, target: Vec<u8>) {
            let mut out = Vec::new();
            if from_request(&host, &target, &mut out) {
                prop_assert!(out.len() <= URL_MAX);
            }
        }
    }
}
