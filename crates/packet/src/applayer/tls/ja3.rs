//! JA3: five lists of numbers in the order sent, without GREASE
//! (<https://github.com/salesforce/ja3>).

use md5::{Digest, Md5};

use super::hello::{Hello, is_grease};

pub(super) fn text(hello: &Hello) -> String {
    let point_formats: Vec<u16> = hello
        .point_formats
        .iter()
        .map(|format| u16::from(*format))
        .collect();
    let lists = [
        &hello.ciphers,
        &hello.extensions,
        &hello.groups,
        &point_formats,
    ];
    let mut text = hello.legacy_version.to_string();
    for list in lists {
        text.push(',');
        text.push_str(&joined(list));
    }
    text
}

pub(super) fn hash(text: &str) -> String {
    crate::bytes::hex(&Md5::digest(text.as_bytes()))
}

fn joined(values: &[u16]) -> String {
    let values = values.iter().filter(|value| !is_grease(**value));
    values.map(u16::to_string).collect::<Vec<_>>().join("-")
}
