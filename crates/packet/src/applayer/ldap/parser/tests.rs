use super::super::operation::Authentication;
use super::*;

fn ber(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![tag, u8::try_from(body.len()).unwrap()];
    out.extend(body);
    out
}

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    ber(0x30, &[&[2, 1, id], operation])
}

fn bind() -> Vec<u8> {
    ber(0x60, &[&[2, 1, 3], b"\x04\x01n", b"\x80\x02pw"])
}

fn outcome(tag: u8, code: u8) -> Vec<u8> {
    ber(tag, &[&[10, 1, code], b"\x04\0", b"\x04\0"])
}

fn search() -> Vec<u8> {
    let numbers = [10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0xff];
    let attributes = ber(0x30, &[b"\x04\x02cn"]);
    ber(
        0x63,
        &[b"\x04\x04base", &numbers, b"\x87\x01o", &attributes],
    )
}

#[test]
fn operations_are_read() {
    let read = Message::of(&message(7, &bind())).unwrap();
    assert_eq!(read.id, 7);
    let Operation::Bind {
        version: 3,
        authentication: Authentication::Simple,
        ..
    } = read.operation
    else {
        panic!("{read:?}");
    };
    let read = Message::of(&message(8, &search())).unwrap();
    let Operation::Search(search) = read.operation else {
        panic!()
    };
    assert_eq!((search.scope, search.types_only), (2, true));
    assert_eq!(search.present.unwrap(), b"o");
    assert_eq!(search.attributes, [b"cn"]);
    let read = Message::of(&message(8, &outcome(0x65, 32))).unwrap();
    assert!(read.operation.is_final());
    assert!(Message::of(&message(1, &ber(0x7e, &[]))).is_none());
}

#[test]
fn first_bytes() {
    let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    let bind = message(1, &bind());
    assert_eq!(probe(&bind), Probe::Certain);
    assert_eq!(probe(&bind[..3]), Probe::Unsure);
    assert_eq!(probe(b"GET / HTTP/1.1\r\n"), Probe::No);
    assert_eq!(probe(b"0\x0c\x02\x01\x01\x60\x09\x02\x01\x03"), Probe::No);
}

#[test]
fn damaged_messages_are_refused_or_read() {
    for whole in [
        message(1, &bind()),
        message(1, &search()),
        message(1, &outcome(0x78, 0)),
    ] {
        for at in 0..whole.len() {
            _ = Message::of(&whole[..at]);
            let mut bent = whole.clone();
            bent[at] ^= 0xff;
            _ = Message::of(&bent);
            _ = looks_like_ldap(&bent);
        }
    }
}
