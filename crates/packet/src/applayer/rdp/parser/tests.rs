use super::*;

#[test]
fn first_bytes() {
    let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    let request = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0";
    assert_eq!(probe(request), Probe::Certain);
    assert_eq!(probe(&request[..7]), Probe::Unsure);
    assert_eq!(
        probe(b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc1\x02\x01\0\xc2\x02\x01\x02\xc0\x01\x0a"),
        Probe::No
    );
    assert_eq!(probe(b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0"), Probe::Certain);
}

#[test]
fn requests_and_answers() {
    let body = b"\x06\xe0\0\0\0\0\0Cookie: mstshash=me\r\n\x01\x01\x08\0\x03\0\0\0";
    let Item::InitialRequest { cookie, flags } = request(body) else {
        panic!()
    };
    assert_eq!((cookie.as_deref(), flags), (Some(&b"me"[..]), 1));
    assert_eq!(
        confirm(b"\x0e\xd0\0\0\x12\x34\0\x02\x09\x08\0\x02\0\0\0"),
        Item::InitialResponse {
            chosen: Some((9, 2))
        }
    );
    assert_eq!(
        confirm(b"\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x05\0\0\0"),
        Item::InitialFailure(5)
    );
}
