//! Strings of some form: one entry each, with the rule that asks for it.

use std::net::{Ipv4Addr, Ipv6Addr};

use language_tags::LanguageTag;

use super::check::KEY_BYTES_MAX;
use super::registry::{CHARSETS, COUNTRIES, HEADER_FIELDS, MEDIA};

/// How much a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// What breaks it is not STIX 2.1.
    Must,
    /// What breaks it could be better.
    Should,
}

/// A form that a string has.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) level: Level,
    pub(super) rule: &'static str,
    pub(super) test: fn(&str) -> bool,
    /// What is wrong with a string that has it not.
    pub(super) what: &'static str,
    pub(super) mend: &'static str,
}

macro_rules! forms {
    ($($name:ident: $level:ident $rule:literal, $test:expr, $what:literal, $mend:literal;)+) => {
        $(pub(super) const $name: Form = Form {
            level: Level::$level,
            rule: concat!("STIX 2.1 section ", $rule),
            test: $test,
            what: $what,
            mend: $mend,
        };)+
    };
}

forms! {
    FILLED: Must "3.2", |text| !text.is_empty(),
        "a required text must not be empty", "say what it is";
    HEX: Must "2.8", |text| {
            !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
        },
        "must be pairs of hexadecimal digits", "write an even number of 0-9, a-f";
    BINARY: Must "2.1", is_base64,
        "must be base64", "encode the bytes as RFC 4648 section 4 does, with padding";
    LANGUAGE: Must "3.2", is_language,
        "must be a language code of RFC 5646", "write a registered code such as en or pt-BR";
    URL: Must "6.15.1", is_uri,
        "must be a URI of RFC 3986", "write scheme:rest, with %XX for other characters";
    SELECTOR: Must "7.2.3.2", is_selector,
        "must be a selector: names and [index], joined by '.'", "write for example labels.[0]";
    KILL_CHAIN: Should "2.11", is_hyphenated,
        "should be in lower case, with hyphens between words", "write for example lateral-movement";
    COUNTRY: Should "4.10.1", |text| {
            COUNTRIES.contains(&&*text.to_ascii_uppercase()) && text.len() == 2
        },
        "should be a country code of ISO 3166-1 alpha-2", "write for example US";
    PRODUCT: Should "4.12.1", is_hyphenated,
        "should be in lower case, with hyphens between words", "write for example some-scanner";
    RELATIONSHIP_TYPE: Must "5.1.1", |text| {
            let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            !text.is_empty() && text.bytes().all(legal)
        },
        "must be made of a-z, 0-9 and hyphens", "write for example attributed-to";
    CHARSET: Must "6.7.1", is_charset,
        "must be a character set of the IANA registry, by its preferred MIME name",
        "write for example UTF-8 or windows-1252";
    MEDIA_TYPE: Should "6.7.1", is_media_type,
        "should be a media type of the IANA registry: type/subtype", "write for example text/plain";
    DOMAIN: Must "6.4.1", is_domain,
        "must be a domain name of RFC 1034 and RFC 5890", "write for example example.com";
    EMAIL: Must "6.5.1", is_email,
        "must be an address of RFC 5322 section 3.4.1, without a display name",
        "write for example someone@example.com";
    // the sections say what the values of addresses are, and unlike those around them, not that they must be
    IPV4: Should "6.8.1", |text| is_network(text, 32, |text| text.parse::<Ipv4Addr>().is_ok()),
        "should be an IPv4 address or a network in CIDR notation", "write for example 192.0.2.0/24";
    IPV6: Should "6.9.1", |text| is_network(text, 128, |text| text.parse::<Ipv6Addr>().is_ok()),
        "should be an IPv6 address or a network in CIDR notation", "write for example 2001:db8::/32";
    MAC: Must "6.10.1", is_mac,
        "must be a MAC-48 address in lower case with colons", "write for example 00:00:5e:00:53:01";
    PROTOCOL: Should "6.12.1", is_service,
        "should be a service name of the IANA registry (RFC 6335 section 5.1), in lower case",
        "write for example tcp";
    PRIORITY: Should "6.13.2", |text| text.ends_with("_CLASS"),
        "should be a priority class, which ends in _CLASS", "write for example NORMAL_PRIORITY_CLASS";
    CPE: Must "6.14.1", is_cpe,
        "must be a CPE 2.3 formatted string", "write cpe:2.3: and eleven parts";
    REGISTRY_KEY: Must "6.17.1", |text| !has_short_hive(text),
        "must name the hive in full", "write for example HKEY_LOCAL_MACHINE for HKLM";
    CVE: Must "4.19.1", |text| {
            let number = text.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
            number.is_some_and(|(year, number)| {
                is_digits(year) && year.len() == 4 && is_digits(number) && number.len() >= 4
            })
        },
        "must be there beside source_name \"cve\", and be CVE-YYYY-NNNN", "write the CVE identifier";
    CAPEC: Must "4.1.1", |text| text.strip_prefix("CAPEC-").is_some_and(is_digits),
        "must be there beside source_name \"capec\", and be CAPEC-N", "write the CAPEC identifier";
}

/// The form of `external_id` under a `source_name` that has one of its own.
pub(super) fn numbered(source: &str) -> Option<&'static Form> {
    match source {
        "cve" => Some(&CVE),
        "capec" => Some(&CAPEC),
        _ => None,
    }
}

/// Whether a text may be the name of a property (section 3.1).
pub(super) fn is_name(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
    let length = (NAME_BYTES_MIN..=KEY_BYTES_MAX).contains(&text.len());
    text == "id" || (starts && length && text.bytes().all(legal))
}

const NAME_BYTES_MIN: usize = 3;

/// Whether a field of HTTP is registered, in any case.
pub(super) fn is_header_field(name: &str) -> bool {
    HEADER_FIELDS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// In lower case, without spaces and underscores.
fn is_hyphenated(text: &str) -> bool {
    let odd = |b: u8| b.is_ascii_uppercase() || b == b' ' || b == b'_';
    !text.bytes().any(odd)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len().saturating_sub(body.len());
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    !body.is_empty() && text.len().is_multiple_of(4) && padding <= 2 && body.bytes().all(legal)
}

fn is_language(text: &str) -> bool {
    const BYTES_MAX: usize = 100;
    text.len() <= BYTES_MAX
        && text.is_ascii()
        && LanguageTag::parse(text).is_ok_and(|tag| tag.is_valid())
}

/// RFC 3986: a scheme, and only characters that a URI may have.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    if !starts || !scheme.bytes().all(scheme_byte) || rest.is_empty() {
        return false;
    }
    let mut bytes = rest.bytes();
    let mut fragment = false;
    while let Some(byte) = bytes.next() {
        let legal = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .into_iter()
                .all(|digit| digit.is_some_and(|b| b.is_ascii_hexdigit())),
            b'#' => !std::mem::replace(&mut fragment, true),
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&byte),
        };
        if !legal {
            return false;
        }
    }
    !rest.starts_with("//") || has_host(rest)
}

/// After `//` stands a host, except in file URIs, which may leave it empty.
fn has_host(rest: &str) -> bool {
    let authority = rest.trim_start_matches('/');
    !authority.is_empty()
}

fn is_selector(text: &str) -> bool {
    let mut steps = text.split('.');
    let first = steps.next().is_some_and(is_name);
    first && text.len() <= SELECTOR_BYTES_MAX && steps.all(is_step)
}

const SELECTOR_BYTES_MAX: usize = 4096;

/// A key, or an index in brackets.
fn is_step(step: &str) -> bool {
    let index = step
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    index.is_some_and(is_digits) || super::check::is_dictionary_key(step)
}

fn is_charset(text: &str) -> bool {
    CHARSETS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(text))
}

fn is_media_type(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
    text.split_once('/').is_some_and(|(kind, sub)| {
        MEDIA.contains(&kind) && !sub.is_empty() && sub.len() <= 127 && sub.bytes().all(legal)
    })
}

fn is_domain(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let legal = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || !c.is_ascii();
    let is_label = |label: &str| {
        let hyphens = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && !hyphens && label.chars().all(legal)
    };
    !text.is_empty()
        && text.len() <= 253
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text.split('.').all(is_label)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let dots = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    let literal = domain.len() > 2 && domain.starts_with('[') && domain.ends_with(']');
    (quoted || (!local.is_empty() && dots && local.chars().all(atom)))
        && (literal || is_domain(domain))
}

/// An address, or one with a prefix length without leading zeros.
fn is_network(text: &str, bits: u8, is_address: fn(&str) -> bool) -> bool {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let plain = |prefix: &str| {
        let digits = is_digits(prefix) && (prefix.len() == 1 || !prefix.starts_with('0'));
        digits && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= bits)
    };
    is_address(address) && prefix.is_none_or(plain)
}

fn is_mac(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let octet = |octet: &str| octet.len() == 2 && octet.bytes().all(digit);
    text.len() == 17 && text.split(':').filter(|part| octet(part)).count() == 6
}

/// RFC 6335 section 5.1, and a few longer names that are registered all the same.
fn is_service(text: &str) -> bool {
    const BYTES_MAX: usize = 24;
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let hyphens = text.starts_with('-') || text.ends_with('-') || text.contains("--");
    (1..=BYTES_MAX).contains(&text.len())
        && text.bytes().all(legal)
        && !hyphens
        && text.bytes().any(|b| b.is_ascii_lowercase())
}

/// NISTIR 7695 section 6.2: `cpe:2.3:`, a part and ten attributes.
fn is_cpe(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("cpe:2.3:") else {
        return false;
    };
    let mut parts: Vec<&str> = Vec::new();
    let (mut start, mut escaped) = (0_usize, false);
    for (at, c) in rest.char_indices() {
        match (escaped, c) {
            (false, ':') => {
                parts.push(rest.get(start..at).unwrap_or_default());
                start = at.saturating_add(1);
            }
            (false, '\\') => escaped = true,
            _ => escaped = false,
        }
    }
    parts.push(rest.get(start..).unwrap_or_default());
    const LANGUAGE: usize = 6;
    let fits = |(index, part): (usize, &&str)| match index {
        0 => matches!(*part, "a" | "h" | "o" | "*" | "-"),
        LANGUAGE => matches!(*part, "*" | "-") || is_cpe_language(part),
        _ => matches!(*part, "*" | "-") || is_cpe_value(part),
    };
    !escaped && parts.len() == 11 && parts.iter().enumerate().all(fits)
}

fn is_cpe_language(text: &str) -> bool {
    let (language, region) = match text.split_once('-') {
        Some((language, region)) => (language, Some(region)),
        None => (text, None),
    };
    let letters = |text: &str| text.bytes().all(|b| b.is_ascii_alphabetic());
    let known = |region: &str| {
        (region.len() == 2 && letters(region)) || (region.len() == 3 && is_digits(region))
    };
    matches!(language.len(), 2 | 3) && letters(language) && region.is_none_or(known)
}

/// Letters, digits, `-._` and escaped punctuation; wildcards at either end alone.
fn is_cpe_value(text: &str) -> bool {
    let inner = text.trim_start_matches(['*', '?']);
    let mut inner_end = inner;
    while let Some(rest) = inner_end.strip_suffix(['*', '?']) {
        if rest.ends_with('\\') {
            break;
        }
        inner_end = rest;
    }
    let mut chars = inner_end.chars();
    let mut any = false;
    while let Some(c) = chars.next() {
        any = true;
        let legal = match c {
            '\\' => chars.next().is_some_and(|c| c.is_ascii_punctuation()),
            _ => c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'),
        };
        if !legal {
            return false;
        }
    }
    any
}

fn has_short_hive(text: &str) -> bool {
    const SHORT: [&str; 5] = ["HKLM", "HKCC", "HKCR", "HKCU", "HKU"];
    let hive = text.split(['\\', '/']).next().unwrap_or_default();
    SHORT.iter().any(|short| short.eq_ignore_ascii_case(hive))
}
