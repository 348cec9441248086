//! Hellos whole and in pieces; fingerprints against the examples that their authors publish.

use super::super::{Hello, hello::Carrier, ja3};
use super::*;
use crate::applayer::testing;

#[test]
fn the_example_of_the_ja4_specification() {
    let hello = Hello::parse(&chrome(), 7, Carrier::Tcp).unwrap();
    assert_eq!(hello.ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_eq!(hello.sni(), Some(&b"www.example.com"[..]));
    let field = hello.sni_field().unwrap();
    assert_eq!(&chrome()[field.offset as usize..][..15], b"www.example.com");
    assert_eq!((hello.version, hello.legacy_version), (0x0304, 0x0303));
    assert_eq!(hello.alpn.len(), 2);
    assert!(
        hello.ja3().starts_with("771,4865-4866-4867-49195-"),
        "{}",
        hello.ja3()
    );
    assert!(hello.ja3().ends_with(",29-23-24,0"), "{}", hello.ja3());
}

#[test]
fn the_examples_of_ja3() {
    let text = "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0";
    assert_eq!(ja3::hash(text), "ada70206e40642a3e4461f35503241d5");
    assert_eq!(
        ja3::hash("769,4-5-10-9-100-98-3-6-19-18-99,,,"),
        "de350869b8c85de67a350c8d186f11e6"
    );
}

#[test]
fn a_hello_may_end_before_the_extensions() {
    let mut message = message(&[4, 5, 10], &[]);
    message.truncate(message.len() - 2);
    let len = message.len() - 4;
    message[3] = u8::try_from(len).unwrap();
    let hello = Hello::parse(&message, 0, Carrier::Tcp).unwrap();
    assert_eq!(hello.ja3(), "771,4-5-10,,,");
    assert!(hello.ja4().starts_with("t12i030000_"), "{}", hello.ja4());
    assert!(hello.ja4().ends_with("_000000000000"), "{}", hello.ja4());
    assert_eq!(hello.sni(), None);
}

#[test]
fn every_cut_of_a_hello_is_refused_and_none_panics() {
    let whole = chrome();
    for len in 0..whole.len() {
        assert!(
            Hello::parse(&whole[..len], 0, Carrier::Tcp).is_none(),
            "{len}"
        );
    }
}

#[test]
fn first_bytes() {
    let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    assert_eq!(probe(&[22, 3, 1, 0, 200, 1]), Probe::Certain);
    assert_eq!(probe(&[22, 3, 1, 0, 200]), Probe::Unsure);
    assert_eq!(probe(&[22, 3]), Probe::Unsure);
    assert_eq!(
        probe(&[22, 3, 1, 0, 200, 2]),
        Probe::No,
        "a server's hello from the client"
    );
    assert_eq!(probe(&[22, 3, 1, 0, 0]), Probe::No, "an empty record");
    assert_eq!(probe(&[23, 3, 1, 0, 200, 1]), Probe::No);
}

/// The ClientHello of a browser: the lists of the JA4 specification, in another order, with GREASE.
fn chrome() -> Vec<u8> {
    let ciphers = [
        0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
        0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
    ];
    let algorithms = [
        0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
    ];
    let name = b"www.example.com";
    let server_name = [&[0, 18, 0, 0, 15][..], name].concat();
    let plain = [
        0xff01, 0x0023, 0x0005, 0x0012, 0x0033, 0x002d, 0x001b, 0x4469, 0x0015, 0x0017,
    ];
    let mut extensions: Vec<(u16, Vec<u8>)> = vec![
        (0x7a7a, vec![]),
        (0, server_name),
        (10, vec16(&words(&[0x9a9a, 29, 23, 24]))),
        (11, vec![1, 0]),
        (13, vec16(&words(&algorithms))),
        (16, vec16(b"\x02h2\x08http/1.1")),
        (43, vec![6, 0xba, 0xba, 3, 4, 3, 3]),
        (0xcaca, vec![0]),
    ];
    extensions.extend(plain.map(|kind| (kind, vec![])));
    message(&ciphers, &extensions)
}

fn message(ciphers: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (kind, body) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend(vec16(body));
    }
    let parts = [
        &[3, 3][..],
        &[9; 32],
        &[0],
        &vec16(&words(ciphers)),
        &[1, 0],
        &vec16(&list),
    ];
    let body = parts.concat();
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1], &len[1..], &body].concat()
}

fn words(values: &[u16]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

#[test]
fn without_a_certificate_a_record_is_for_sessions_taken_up() {
    let ticket = [(35, vec![])];
    for (extensions, is_logged) in [(&ticket[..], true), (&[], false)] {
        let hello = record(record::HANDSHAKE, &message(&[0xc02f], extensions));
        let taken = [server_hello(), record(record::CHANGE_CIPHER_SPEC, &[1])];
        let data = record(record::APPLICATION_DATA, &[7; 40]);
        let messages = vec![
            (Direction::ToServer, hello),
            (Direction::ToClient, taken.concat()),
            (
                Direction::ToServer,
                [record(record::CHANGE_CIPHER_SPEC, &[1]), data.clone()].concat(),
            ),
            (Direction::ToClient, data),
        ];
        let records = testing::records(Proto::Tcp, "", &messages);
        assert_eq!(records.len(), usize::from(is_logged), "{records:?}");
        let resumed = records.iter().all(|tls| tls["session_resumed"] == true);
        assert!(resumed, "{records:?}");
    }
}

#[test]
fn a_server_may_begin_with_an_alert() {
    let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToClient, data);
    assert_eq!(probe(&[21, 3, 3, 0, 2, 1, 112]), Probe::Certain);
    assert_eq!(probe(&[21, 3, 3, 0]), Probe::Unsure);
    assert_eq!(probe(&[21, 3, 3, 0, 9, 1]), Probe::No);
}

/// A ServerHello of TLS 1.2 with a session identifier of its own.
fn server_hello() -> Vec<u8> {
    let parts = [&[3, 3][..], &[8; 32], &[32], &[5; 32], &[0xc0, 0x2f], &[0]];
    let body = parts.concat();
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    record(
        record::HANDSHAKE,
        &[&[SERVER_HELLO], &len[1..], &body].concat(),
    )
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vec16(body)].concat()
}
