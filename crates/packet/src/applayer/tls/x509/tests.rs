//! Certificates made here, sound and damaged.

use super::*;

#[test]
fn a_certificate_is_read() {
    let read = Certificate::parse(&certificate()).unwrap();
    assert_eq!(read.subject, "C=DE, O=Example GmbH, CN=www.example.com");
    assert_eq!(
        read.issuer,
        "CN=Root + OU=Test, Email=ca@example.com, OID(1.2.3)=x"
    );
    assert_eq!(read.serial, "00:C7:D4");
    assert_eq!(read.not_before.to_string(), "1969-12-31T23:59:58");
    assert_eq!(read.not_after.to_string(), "2050-01-02T03:04:05");
    assert_eq!(
        read.alternative_names,
        ["www.example.com", "[192, 0, 2, 1]", "https://example.com/"]
    );
    assert_eq!(read.fingerprint.len(), 59);
    assert!(read.is_valid_at(0));
    assert!(!read.is_valid_at(-3));
    assert_eq!(read.not_before.unix_s(), -2);
    assert_eq!(read.not_after.unix_s(), 2_524_705_445);
}

#[test]
fn no_cut_and_no_flipped_bit_panics() {
    let whole = certificate();
    for len in 0..whole.len() {
        assert!(Certificate::parse(&whole[..len]).is_err(), "{len}");
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut broken = whole.clone();
            broken[at] ^= 1 << bit;
            let _any = Certificate::parse(&broken).is_ok();
        }
    }
}

/// A value of DER.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap();
    let mut out = vec![tag];
    match u8::try_from(len) {
        Ok(len) if len < 0x80 => out.push(len),
        _ => {
            out.push(0x82);
            out.extend(len.to_be_bytes());
        }
    }
    out.extend(content);
    out
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

fn attribute(oid: &[u8], text: &str) -> Vec<u8> {
    sequence(&[value(6, oid), value(0x0c, text.as_bytes())])
}

fn name(steps: &[&[Vec<u8>]]) -> Vec<u8> {
    let steps: Vec<_> = steps
        .iter()
        .map(|step| value(0x31, &step.concat()))
        .collect();
    sequence(&steps)
}

fn certificate() -> Vec<u8> {
    let algorithm = sequence(&[value(6, &[0x2a, 3])]);
    let issuer = name(&[
        &[
            attribute(&[0x55, 4, 3], "Root"),
            attribute(&[0x55, 4, 11], "Test"),
        ],
        &[attribute(
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
            "ca@example.com",
        )],
        &[attribute(&[0x2a, 3], "x")],
    ]);
    let subject = name(&[
        &[attribute(&[0x55, 4, 6], "DE")],
        &[attribute(&[0x55, 4, 10], "Example GmbH")],
        &[attribute(&[0x55, 4, 3], "www.example.com")],
    ]);
    let validity = sequence(&[
        value(0x17, b"691231235958Z"),
        value(0x18, b"20500102030405Z"),
    ]);
    let names = sequence(&[
        value(0x82, b"www.example.com"),
        value(0x87, &[192, 0, 2, 1]),
        value(0x86, b"https://example.com/"),
    ]);
    let extension = sequence(&[value(6, &[0x55, 0x1d, 0x11]), value(4, &names)]);
    let body = sequence(&[
        value(0xa0, &value(2, &[2])),
        value(2, &[0, 0xc7, 0xd4]),
        algorithm.clone(),
        issuer,
        validity,
        subject,
        sequence(&[algorithm.clone(), value(3, &[0, 1])]),
        value(0xa3, &sequence(&[extension])),
    ]);
    sequence(&[body, algorithm, value(3, &[0, 9])])
}
