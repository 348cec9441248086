use super::*;

#[test]
fn first_bytes() {
    let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    assert_eq!(probe(b"SSH-2.0-x"), Probe::Certain);
    assert_eq!(probe(b"SS"), Probe::Unsure);
    assert_eq!(probe(b"GET /"), Probe::No);
}

#[test]
fn banners_and_proposals() {
    let mut session = Session::default();
    let client = &mut session.client;
    client.read_banner(b"SSH-2.0-OpenSSH_9.2 Debian").unwrap();
    assert_eq!(client.software, b"OpenSSH_9.2");
    assert_eq!(client.protocol, b"2.0");
    assert!(client.read_banner(b"SSH-2.0").is_none());
    let mut payload = vec![0; 16];
    for list in ["k1,k2", "h", "ec", "es", "mc", "ms", "cc", "cs"] {
        payload.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
        payload.extend(list.as_bytes());
    }
    client.read_proposal(Direction::ToServer, &payload).unwrap();
    assert_eq!(client.hassh.as_deref(), Some("k1,k2;ec;mc;cc"));
    client.read_proposal(Direction::ToClient, &payload).unwrap();
    assert_eq!(client.hassh.as_deref(), Some("k1,k2;es;ms;cs"));
    for len in 0..payload.len() {
        assert!(
            client
                .read_proposal(Direction::ToClient, &payload[..len])
                .is_none()
        );
    }
}

#[test]
fn the_banners_make_the_record() {
    let messages = vec![
        (Direction::ToClient, b"SSH-2.0-one\r\n".to_vec()),
        (Direction::ToServer, b"SSH-2.0-two\r\n".to_vec()),
        (Direction::ToServer, vec![0xff; 8]),
    ];
    let records = crate::applayer::testing::records(Proto::Tcp, "", &messages);
    assert_eq!(records[0]["client"]["software_version"], "two");
    assert_eq!(records[1]["event"], "invalid_record");
}
