use std::collections::HashSet;

use miniz_oxide::deflate::compress_to_vec_zlib;
use proptest::prelude::*;

use super::{INFLATED_MAX, TRANSFORMS, Transform};

fn made(name: &str, value: &str, input: &[u8]) -> Vec<u8> {
    let transform = Transform::parse(name, Some(value)).unwrap().unwrap();
    let mut out = b"earlier".to_vec();
    transform.apply(input, &mut out);
    out
}

fn is_refused(name: &str, value: &str) -> bool {
    Transform::parse(name, Some(value)).unwrap().is_err()
}

/// What Suricata 8.0.6 makes of the same input.
#[test]
fn texts_become_what_suricata_makes_of_them() {
    let space = b"a \t\x0b\x0c\r\n  b\0c\x85\xa0 d ";
    for (name, input, output) in [
        ("dotprefix", &b"abc"[..], &b".abc"[..]),
        ("strip_whitespace", space, b"ab\0c\x85\xa0d"),
        ("compress_whitespace", space, b"a b\0c\x85\xa0 d "),
        ("compress_whitespace", b"a\tb\nc \td\t e", b"a\tb\nc d\te"),
        ("to_lowercase", b"AbC\xc4", b"abc\xc4"),
        ("to_uppercase", b"AbC\xe4z", b"ABC\xe4Z"),
        (
            "header_lowercase",
            b"Abc: DeF\r\nGHi: J:K\r\nLm",
            b"abc: DeF\r\nghi: J:K\r\nlm",
        ),
        ("header_lowercase", b"A:B\nC:D\rE:F", b"a:B\nc:D\rE:F"),
        (
            "strip_pseudo_headers",
            b":a: b\r\nCd: e\r\n:f: g\r\nh: i\r\n",
            b"Cd: e\r\nh: i\r\n",
        ),
        ("strip_pseudo_headers", b":c\n\n:d\nx", b"\nx"),
        (
            "to_md5",
            b"abc",
            b"\x90\x01P\x98<\xd2O\xb0\xd6\x96?}(\xe1\x7fr",
        ),
        (
            "to_sha1",
            b"abc",
            b"\xa9\x99>6G\x06\x81j\xba>%qxP\xc2l\x9c\xd0\xd8\x9d",
        ),
        ("url_decode", b"a+b%41%aF%Fg%0", b"a bA\xaf%Fg%0"),
        // What shows that it is no escape is not the start of one.
        ("url_decode", b"%%41", b"%%41"),
        ("url_decode", b"A%%%41", b"A%%A"),
        ("url_decode", b"%4%41", b"%4%41"),
        ("url_decode", b"%+41%u0041", b"%+41%u0041"),
        ("domain", b"hello.world.co.uk", b"world.co.uk"),
        ("domain", b"www.example.com.", b"example.com."),
        ("domain", b"WWW.Example.COM", b"Example.COM"),
        ("domain", b"x.y.github.io", b"y.github.io"),
        ("domain", b"10.1.2.3", b"2.3"),
        ("domain", b"localhost", b""),
        ("tld", b"hello.world.co.uk", b"co.uk"),
        ("tld", b"a.b.nosuchtld", b"nosuchtld"),
        ("tld", b"com", b""),
    ] {
        let shown = input.escape_ascii();
        assert_eq!(made(name, "", input), output, "{name} of {shown}");
    }
    let digest = made("to_sha256", "", b"abc");
    assert_eq!(digest.get(..4), Some(&b"\xba\x78\x16\xbf"[..]));
}

#[test]
fn base64_decodes_as_far_as_its_mode_says() {
    for (value, input, output) in [
        ("", &b"SGVsbG8="[..], &b"Hello"[..]),
        ("", b"SGVsbG8", b"Hello"),
        ("", b"SGVs bG8=", b"Hel"),
        ("", b"SGVsbA=x", b"Hell"),
        ("", b"SGVsbG8=\n", b"Hello"),
        // A sextet is left over, or padding is where none may be: nothing is decoded.
        ("", b"SGVsb", b"SGVsb"),
        ("", b"SGVsbG8==", b"SGVsbG8=="),
        ("", b"!SGVs", b"!SGVs"),
        ("mode rfc2045", b"SGV!s\r\nb*G8=", b"Hello"),
        ("mode rfc2045", b"SGVsbG8", b"Hel"),
        ("mode rfc2045", b"SGVsbG8=x", b"Hello"),
        ("mode rfc2045", b"S=GV", b"S=GV"),
        ("mode strict", b"SGVsbG8=", b"Hello"),
        ("mode strict", b"SGVsbG8", b"SGVsbG8"),
        ("mode strict", b"SGH=", b"SGH="),
        ("offset 2", b"xxSGVsbG8=", b"Hello"),
        ("bytes 6", b"SGVsbG8=", b"Hell"),
        ("bytes 4, offset 2, mode rfc4648", b"xxSGVsbG8=", b"Hel"),
        ("bytes 4 offset 4", b"xxSGVsbG", b"xxSGVsbG"),
        ("offset 20", b"SGVs", b"SGVs"),
    ] {
        let shown = input.escape_ascii();
        assert_eq!(made("from_base64", value, input), output, "{value} {shown}");
    }
    for refused in [
        "bytes",
        "bytes x",
        "offset 65536",
        "mode foo",
        "bytes 1, bytes 2",
        "foo 1",
    ] {
        assert!(is_refused("from_base64", refused), "{refused}");
    }
}

#[test]
fn compressed_texts_are_taken_as_far_as_they_go() {
    const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\xcf\x80\x13\x00\x0b\xb4\x21\x3e\x0f\x00\x00\x00";
    const NAMED: &[u8] = b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x02\x03\x6e\x61\x6d\x00\xcb\x48\xcd\xc9\xc9\xcf\x80\x13\x00\x0b\xb4\x21\x3e\x0f\x00\x00\x00";
    let text = b"hellohellohello";
    let ends = |cut: usize| &GZIP[..GZIP.len() - cut];
    assert_eq!(made("gunzip", "", GZIP), text);
    assert_eq!(made("gunzip", "", NAMED), text);
    // Of its trailer nothing is asked.
    assert_eq!(made("gunzip", "", ends(8)), text);
    assert_eq!(made("gunzip", "", &[GZIP, GZIP].concat()), text);
    assert_eq!(made("gunzip", "max-size 7", GZIP), b"hellohe");
    assert_eq!(made("gunzip", "", b"notgzip!notgzip!"), b"");
    assert_eq!(made("gunzip", "", ends(GZIP.len() - 5)), b"");
    let mut zlib = compress_to_vec_zlib(b"hello", 6);
    assert_eq!(made("zlib_deflate", "", &zlib), b"hello");
    assert_eq!(made("zlib_deflate", "", &zlib[..zlib.len() - 2]), b"hello");
    *zlib.last_mut().unwrap() ^= 1;
    assert_eq!(made("zlib_deflate", "", &zlib), b"");
    assert_eq!(made("zlib_deflate", "max-size 3", &zlib), b"hel");
    for refused in [
        "max-size 0",
        "max-size",
        "10",
        "max-size 17mb",
        "foo 1",
        "max-size -1",
    ] {
        assert!(is_refused("gunzip", refused), "{refused}");
    }
}

#[test]
fn a_bomb_ends_at_the_bound_and_says_so() {
    let bomb = compress_to_vec_zlib(&vec![0; INFLATED_MAX + 1], 6);
    let mut out = Vec::new();
    for (value, bound) in [(None, 1024), (Some("max-size 16mb"), INFLATED_MAX)] {
        let transform = Transform::parse("zlib_deflate", value).unwrap().unwrap();
        assert!(!transform.apply(&bomb, &mut out));
        assert_eq!(out.len(), bound);
    }
}

#[test]
fn a_key_repeats() {
    assert_eq!(made("xor", "0D0ac8ff", b"passw"), b"}k\xbb\x8cz");
    for refused in ["", "0d0", "0g", "+1"] {
        assert!(is_refused("xor", refused), "{refused}");
    }
    assert!(is_refused("xor", &"00".repeat(256)));
}

#[test]
fn a_pattern_leaves_what_its_group_took() {
    assert_eq!(made("pcrexform", "b(c+)d", b"abccde"), b"cc");
    for unchanged in ["x(c+)d", "b(c*)c", "b(x)|d"] {
        assert_eq!(made("pcrexform", unchanged, b"abcde"), b"abcde");
    }
    for refused in ["", "abc", "(a)(b)", "(a"] {
        assert!(is_refused("pcrexform", refused), "{refused}");
    }
    let slow = Transform::parse("pcrexform", Some("(?=(a+)+b)a"))
        .unwrap()
        .unwrap();
    assert!(!slow.apply(&[b'a'; 1000], &mut Vec::new()));
}

#[test]
fn transforms_are_known_by_keyword_and_equal_when_written_alike() {
    assert!(Transform::parse("luaxform", Some("x")).is_none());
    assert!(Transform::parse("content", None).is_none());
    assert!(is_refused("dotprefix", "x"));
    let parse = |name, value| Transform::parse(name, value).unwrap().unwrap();
    let set = HashSet::from([
        parse("xor", Some("01")),
        parse("xor", Some(" 01 ")),
        parse("xor", Some("02")),
        parse("domain", None),
        parse("domain", Some("")),
    ]);
    assert_eq!(set.len(), 3);
    assert_eq!(parse("tld", None).name(), "tld");
}

#[test]
fn content_that_cannot_come_out_is_known() {
    let can_hold = |name, content: &[u8]| {
        Transform::parse(name, None)
            .unwrap()
            .unwrap()
            .can_hold(content)
    };
    assert!(!can_hold("to_lowercase", b"A"));
    assert!(!can_hold("to_uppercase", b"a"));
    assert!(!can_hold("strip_whitespace", b"a b"));
    assert!(!can_hold("compress_whitespace", b"a  b"));
    assert!(can_hold("compress_whitespace", b"a b"));
    assert!(can_hold("dotprefix", b"a"));
    assert!(can_hold("to_md5", b"abc"));
}

proptest! {
    #[test]
    fn any_input_becomes_something(input in prop::collection::vec(any::<u8>(), 0..80)) {
        for (name, _) in TRANSFORMS {
            let value = match name {
                "xor" => Some("0d0a"),
                "pcrexform" => Some("(.*)"),
                _ => None,
            };
            let transform = Transform::parse(name, value).unwrap().unwrap();
            transform.apply(&input, &mut Vec::new());
        }
    }
}

#[test]
fn each_transform_stands_in_the_reference() {
    let names: Vec<_> = super::REFERENCE.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, Transform::names().collect::<Vec<_>>());
    assert_eq!(Transform::usage("to_md5"), "to_md5;");
    assert_eq!(Transform::usage("gunzip"), "gunzip:[max-size N];");
}
