//! What the tests of all formats share.

use super::*;
use crate::live::tests::{indicator, live, now};
use ::stix::Object;
use std::collections::BTreeMap;

/// Files in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<String, String>);

impl Folder for Memory {
    fn is_folder(&self) -> bool {
        true
    }

    fn file(
        &mut self,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            self.0.insert(name.to_owned(), text).is_none(),
            "{name} twice"
        );
        Ok(())
    }
}

/// Indicators of every kind.
pub(crate) fn sample() -> Vec<Object> {
    let until = r#","confidence":80,"valid_until":"2026-11-02T01:00:00Z""#;
    let cases = [
        ("one address", "[ipv4-addr:value = '192.0.2.1']", until),
        ("a network", "[ipv4-addr:value = '198.51.100.0/24']", until),
        ("inside it", "[ipv4-addr:value = '198.51.100.7']", ""),
        ("six", "[ipv6-addr:value = '2001:db8::1']", ""),
        ("six net", "[ipv6-addr:value = '2001:db8:1::/48']", until),
        (
            "c2",
            "[network-traffic:dst_ref.value = '203.0.113.5' AND network-traffic:dst_port = 443]",
            until,
        ),
        ("name", "[domain-name:value = 'evil.example']", ""),
        (
            "url",
            "[url:value = 'http://evil.example:8080/a;b?c=\"d\"']",
            "",
        ),
        ("tls url", "[url:value = 'https://evil.example/a']", ""),
        (
            "md5",
            "[file:hashes.MD5 = '0123456789abcdef0123456789abcdef']",
            "",
        ),
        (
            "sha1",
            "[file:hashes.'SHA-1' = '0123456789abcdef0123456789abcdef01234567']",
            "",
        ),
        (
            "sha256",
            "[file:hashes.'SHA-256' = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef']",
            "",
        ),
        (
            "ja3",
            "[network-traffic:extensions.'tls-ext'.ja3 = '0123456789abcdef0123456789abcdef']",
            "",
        ),
        (
            "=ja4",
            "[network-traffic:extensions.'tls-ext'.ja4 = 't13d1516h2_8daaf6152771_b186095e22b6']",
            "",
        ),
    ];
    cases
        .map(|(name, pattern, more)| indicator(name, pattern, more))
        .to_vec()
}

/// The files that a format writes of the sample.
pub(crate) fn written(export: &dyn Export) -> BTreeMap<String, String> {
    let mut memory = Memory::default();
    let options = Options {
        now: now(),
        sid_base: 1_000,
    };
    export
        .write(&live(&sample()), &options, &mut memory)
        .unwrap();
    memory.0
}

/// The only file that a format writes of the sample.
pub(crate) fn only_file(export: &dyn Export) -> String {
    let mut files = written(export);
    assert_eq!(files.len(), 1, "{files:?}");
    files.pop_first().unwrap().1
}

#[test]
fn formats_have_different_names() {
    let mut names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FORMATS.len());
}

#[test]
fn nothing_in_force_is_written_as_nothing() {
    let options = Options {
        now: now(),
        sid_base: 1,
    };
    for format in FORMATS {
        let mut memory = Memory::default();
        (format.new)()
            .write(&Live::default(), &options, &mut memory)
            .unwrap();
        let text: String = memory.0.into_values().collect();
        assert!(!text.contains("192.0.2"), "{}", format.name);
    }
}

#[test]
fn networks_inside_others_are_left_to_them() {
    let live = live(&sample());
    let shown: Vec<String> = disjoint(addresses(&live))
        .iter()
        .map(|(net, _)| net.to_string())
        .collect();
    assert_eq!(
        shown,
        [
            "192.0.2.1/32",
            "198.51.100.0/24",
            "2001:db8::1/128",
            "2001:db8:1::/48"
        ]
    );
}
