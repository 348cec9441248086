//! JA4 of a TLS client over TCP or QUIC, by its specification (FoxIO, BSD-3-Clause:
//! <https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>). GREASE counts nowhere.

use sha2::{Digest, Sha256};

use super::hello::{Carrier, Hello, is_grease};

pub(super) fn fingerprint(hello: &Hello, carrier: Carrier) -> String {
    let ciphers = without_grease(&hello.ciphers);
    let extensions = without_grease(&hello.extensions);
    let head = format!(
        "{}{}{}{:02}{:02}{}",
        match carrier {
            Carrier::Tcp => 't',
            Carrier::Quic => 'q',
        },
        version(hello.version),
        if extensions.contains(&SERVER_NAME) {
            'd'
        } else {
            'i'
        },
        ciphers.len().min(COUNT_MAX),
        extensions.len().min(COUNT_MAX),
        alpn(hello.alpn.first().map_or(&[], |name| &**name)),
    );
    format!(
        "{head}_{}_{}",
        cipher_hash(ciphers),
        extension_hash(hello, extensions)
    )
}

fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character of the first protocol name; of its hexadecimal form when one of them is
/// no letter or digit; `00` without one.
fn alpn(name: &[u8]) -> String {
    let ends = |text: &[u8]| match (text.first(), text.last()) {
        (Some(first), Some(last)) => [*first, *last].map(char::from).iter().collect(),
        (None, _) | (_, None) => "00".to_owned(),
    };
    let plain = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    if plain(name.first()) && plain(name.last()) {
        ends(name)
    } else {
        ends(crate::bytes::hex(name).as_bytes())
    }
}

fn cipher_hash(mut ciphers: Vec<u16>) -> String {
    ciphers.sort_unstable();
    short_hash(&hex_list(&ciphers))
}

/// Extensions sorted, without server name and ALPN, then the signature algorithms in the order
/// sent. The underscore between them stands also where there are no algorithms: the specification
/// would leave it out, but the rules and logs of the field have it.
fn extension_hash(hello: &Hello, mut extensions: Vec<u16>) -> String {
    extensions.retain(|kind| *kind != SERVER_NAME && *kind != ALPN);
    extensions.sort_unstable();
    let algorithms = without_grease(&hello.signature_algorithms);
    if extensions.is_empty() && algorithms.is_empty() {
        return short_hash("");
    }
    let (extensions, algorithms) = (hex_list(&extensions), hex_list(&algorithms));
    short_hash(&format!("{extensions}_{algorithms}"))
}

/// The first 12 hexadecimal digits of SHA-256; zeros for nothing.
fn short_hash(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(HASH_DIGITS);
    }
    let mut hash = crate::bytes::hex(&Sha256::digest(text.as_bytes()));
    hash.truncate(HASH_DIGITS);
    hash
}

fn without_grease(values: &[u16]) -> Vec<u16> {
    values
        .iter()
        .copied()
        .filter(|value| !is_grease(*value))
        .collect()
}

fn hex_list(values: &[u16]) -> String {
    let mut list = String::with_capacity(values.len().saturating_mul(5));
    for value in values {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(&crate::bytes::hex(&value.to_be_bytes()));
    }
    list
}

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
/// Counts have two digits.
const COUNT_MAX: usize = 99;
const HASH_DIGITS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpn_rules_of_the_specification() {
        for (name, expected) in [
            (&b"h2"[..], "h2"),
            (b"http/1.1", "h1"),
            (b"h", "hh"),
            (b"", "00"),
            (b"\xab", "ab"),
            (b"\xab\xcd", "ad"),
            (b"\x30\xab", "3b"),
            (b"\x30\x31\xab\xcd", "3d"),
            (b"\x30\xab\xcd\x31", "01"),
        ] {
            assert_eq!(alpn(name), expected, "{name:?}");
        }
    }
}
