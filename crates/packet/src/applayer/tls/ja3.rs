//! JA3: five lists of numbers in the order sent, without GREASE
//! (<https://github.com/salesforce/ja3>). Over QUIC GREASE stays in: JA3 is not defined there, and
//! that is what those who log it agree on.

use md5::{Digest, Md5};

use super::hello::{Carrier, GREASE, Hello, is_grease};
use super::server_hello::ServerHello;

pub(super) fn text(hello: &Hello, carrier: Carrier) -> String {
    let keeps_grease = carrier == Carrier::Quic;
    let point_formats: Vec<u16> = hello
        .point_formats
        .iter()
        .map(|format| u16::from(*format))
        .collect();
    let extensions = hello.extensions.iter().map(|kind| match is_grease(*kind) {
        true => GREASE,
        false => *kind,
    });
    let extensions: Vec<u16> = extensions.collect();
    let lists = [&hello.ciphers, &extensions, &hello.groups, &point_formats];
    let mut text = hello.legacy_version.to_string();
    for list in lists {
        text.push(',');
        text.push_str(&joined(list, keeps_grease));
    }
    text
}

/// JA3S: what the server chose, in the same form.
pub(super) fn server_text(hello: &ServerHello) -> String {
    let (version, cipher) = (hello.legacy_version, hello.cipher);
    format!("{version},{cipher},{}", joined(&hello.extensions, true))
}

pub(super) fn hash(text: &str) -> String {
    crate::bytes::hex(&Md5::digest(text.as_bytes()))
}

fn joined(values: &[u16], keeps_grease: bool) -> String {
    let values = values
        .iter()
        .filter(|value| keeps_grease || !is_grease(**value));
    values.map(u16::to_string).collect::<Vec<_>>().join("-")
}
