use super::*;

#[test]
fn first_bytes() {
    let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    assert_eq!(probe(b"\0\0\0\x40\xfeSMB"), Probe::Unsure);
    assert_eq!(
        probe(b"\0\0\0\x40\xfeSMB@\0\0\0\0\0\0\0\0\0\0\0\0"),
        Probe::Certain
    );
    assert_eq!(probe(b"\0\0\0\x40\xffSMBr\0\0\0\0\x18"), Probe::Certain);
    assert_eq!(
        probe(b"\0\0\0\x40\xffSMBr\0\0\0\0\x98"),
        Probe::No,
        "a response"
    );
    assert_eq!(probe(b"\x81\0\0\x44 CK"), Probe::Certain);
    assert_eq!(probe(b"\0\0\0\x40\xfeS"), Probe::Unsure);
    assert_eq!(probe(b"\0\0\0\x40\xfeSMC"), Probe::No);
    assert_eq!(probe(b"\0\x1e\0\x06\x01\0"), Probe::No, "DNS");
}

#[test]
fn the_next_message_is_found() {
    let parser = Parser {
        files: [None; 2],
        state: State::new(Config::default().apps.smb),
    };
    let find = |data: &[u8]| parser.find(Direction::ToServer, data);
    assert_eq!(find(b"junk SMB \0\0\0\x20\xfeSMBrest"), Found::At(9));
    assert_eq!(find(b"nothing here\0\0\0\x20\xfe"), Found::Nowhere(7));
    assert_eq!(find(b"SMB"), Found::Nowhere(3));
}
