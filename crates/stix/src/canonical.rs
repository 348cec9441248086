//! The one form of each value that is compared: what a pattern, a lease and a packet say of the
//! same thing must come out byte for byte equal.
//!
//! Each function gives `None` for a text that is no such value.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use url::{Host, Url};

use crate::pattern::HashKind;

/// Longest domain name without its trailing dot (RFC 1035 section 2.3.4), in bytes.
pub const DOMAIN_BYTES_MAX: usize = 253;
/// Longest label of a domain name (RFC 1035 section 2.3.4), in bytes.
pub const LABEL_BYTES_MAX: usize = 63;
/// Longest URL that is compared, in bytes.
pub const URL_BYTES_MAX: usize = 8192;

/// An address or a network in CIDR notation, with the host bits cleared; an address alone is a
/// network of its full length. IPv4 inside IPv6 (`::ffff:0:0/96`, RFC 4291 section 2.5.5.2) is
/// the IPv4 network that it means.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let network = match text.contains('/') {
        true => text.parse::<IpNet>().ok()?,
        false => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    Some(network_of(network))
}

/// The normal form of a network: host bits cleared, IPv4 inside IPv6 unwrapped.
#[must_use]
pub fn network_of(network: IpNet) -> IpNet {
    match network.trunc() {
        IpNet::V6(six) => unmapped(six).unwrap_or(IpNet::V6(six)),
        four @ IpNet::V4(_) => four,
    }
}

/// A domain name: lower case, internationalised labels in their ASCII form (UTS 46), without a
/// trailing dot; never an address.
#[must_use]
pub fn domain(text: &str) -> Option<Box<str>> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > URL_BYTES_MAX {
        return None;
    }
    let Host::Domain(name) = Host::parse(text).ok()? else {
        return None;
    };
    let whole = (1..=DOMAIN_BYTES_MAX).contains(&name.len());
    (whole && name.split('.').all(is_label)).then(|| name.into_boxed_str())
}

/// A URL: scheme and host in lower case, default port and fragment left out, dot segments
/// resolved (WHATWG URL Standard; RFC 3986 section 6.2). It must name a host.
#[must_use]
pub fn url(text: &str) -> Option<Box<str>> {
    if text.len() > URL_BYTES_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let mut url = Url::parse(text).ok()?;
    url.host()
        .filter(|host| !matches!(host, Host::Domain("")))?;
    url.set_fragment(None);
    Some(String::from(url).into_boxed_str())
}

/// A file hash: lower-case hexadecimal of the algorithm's length.
#[must_use]
pub fn hash(algorithm: HashKind, text: &str) -> Option<Box<str>> {
    lower_hex(text, algorithm.digits())
}

/// A JA3 fingerprint: the MD5 of the JA3 string, in lower-case hexadecimal.
#[must_use]
pub fn ja3(text: &str) -> Option<Box<str>> {
    lower_hex(text, HashKind::Md5.digits())
}

/// A JA4 fingerprint such as `t13d1516h2_8daaf6152771_b186095e22b6`: ten characters that count,
/// and two hashes of twelve digits.
#[must_use]
pub fn ja4(text: &str) -> Option<Box<str>> {
    let lower = text.to_ascii_lowercase();
    let mut parts = lower.split('_');
    let (counts, ciphers, extensions) = (parts.next()?, parts.next()?, parts.next()?);
    let counted = counts.len() == 10
        && counts.starts_with(['t', 'q', 'd'])
        && counts
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let hashed = is_hex(ciphers, 12) && is_hex(extensions, 12);
    (counted && hashed && parts.next().is_none()).then(|| lower.into_boxed_str())
}

fn unmapped(network: Ipv6Net) -> Option<IpNet> {
    const MAPPED_BITS: u8 = 96;
    let four = network.addr().to_ipv4_mapped()?;
    let prefix = network.prefix_len().checked_sub(MAPPED_BITS)?;
    IpNet::new(IpAddr::V4(four), prefix).ok()
}

fn is_label(label: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(legal)
}

fn lower_hex(text: &str, digits: usize) -> Option<Box<str>> {
    is_hex(text, digits).then(|| text.to_ascii_lowercase().into_boxed_str())
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn networks_have_one_form() {
        let cases = [
            ("192.0.2.1", Some("192.0.2.1/32")),
            ("192.0.2.1/24", Some("192.0.2.0/24")),
            ("2001:DB8::1", Some("2001:db8::1/128")),
            ("2001:db8:0:0::1/64", Some("2001:db8::/64")),
            ("::ffff:192.0.2.1", Some("192.0.2.1/32")),
            ("::ffff:192.0.2.1/120", Some("192.0.2.0/24")),
            ("192.0.2.1/33", None),
            ("192.0.2", None),
            ("192.0.2.01", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(
                network(text).map(|n| n.to_string()).as_deref(),
                want,
                "{text}"
            );
        }
    }

    #[test]
    fn domains_have_one_form() {
        let long = "a".repeat(64);
        let cases = [
            ("Example.COM.", Some("example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("_dmarc.example.com", Some("_dmarc.example.com")),
            ("192.0.2.1", None),
            ("*.example.com", None),
            ("example..com", None),
            ("example.com..", None),
            (".", None),
            ("a b.example", None),
            (long.as_str(), None),
        ];
        for (text, want) in cases {
            assert_eq!(domain(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn urls_have_one_form() {
        let cases = [
            (
                "HTTP://Example.COM:80/a/../b?Q=1#top",
                Some("http://example.com/b?Q=1"),
            ),
            ("https://example.com", Some("https://example.com/")),
            ("ftp://example.com/x", Some("ftp://example.com/x")),
            ("http://192.0.2.1:8080/x", Some("http://192.0.2.1:8080/x")),
            ("/only/a/path", None),
            ("mailto:someone@example.com", None),
            ("http://exa mple.com/", None),
            ("http://example.com/a\nb", None),
        ];
        for (text, want) in cases {
            assert_eq!(url(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn fingerprints_have_one_form() {
        let ja4_text = "t13d1516h2_8daaf6152771_b186095e22b6";
        assert_eq!(ja4(&ja4_text.to_uppercase()).as_deref(), Some(ja4_text));
        assert_eq!(ja4("t13d1516h2_8daaf6152771"), None);
        assert_eq!(ja4("x13d1516h2_8daaf6152771_b186095e22b6"), None);
        assert_eq!(
            ja3("ABCDEF0123456789abcdef0123456789")
                .as_deref()
                .map(str::len),
            Some(32)
        );
        assert_eq!(hash(HashKind::Sha256, "f00"), None);
    }

    proptest! {
        #[test]
        fn a_canonical_form_is_its_own(text in "[a-zA-Z0-9.:/_*-]{1,40}|\\PC{0,20}") {
            for form in [domain, url, ja3, ja4] {
                if let Some(once) = form(&text) {
                    prop_assert_eq!(form(&once), Some(once));
                }
            }
            if let Some(once) = network(&text) {
                prop_assert_eq!(network(&once.to_string()), Some(once));
            }
        }
    }
}
