use super::*;

fn ber(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let len = u8::try_from(body.len()).unwrap();
    let mut out = if len < 0x80 {
        vec![tag, len]
    } else {
        vec![tag, 0x81, len]
    };
    out.extend(body);
    out
}

fn number(number: u8) -> Vec<u8> {
    vec![INTEGER, 1, number]
}

fn string(text: &str) -> Vec<u8> {
    ber(0x1b, &[text.as_bytes().to_vec()])
}

fn principal(names: &[&str]) -> Vec<u8> {
    let names: Vec<_> = names.iter().map(|name| string(name)).collect();
    ber(
        SEQUENCE,
        &[ber(0xa0, &[number(1)]), ber(0xa1, &[ber(SEQUENCE, &names)])],
    )
}

fn as_req() -> Vec<u8> {
    let body = ber(
        SEQUENCE,
        &[
            ber(0xa1, &[principal(&["user"])]),
            ber(0xa2, &[string("REALM")]),
            ber(0xa3, &[principal(&["krbtgt", "REALM"])]),
        ],
    );
    let fields = [
        ber(0xa1, &[number(5)]),
        ber(0xa2, &[number(10)]),
        ber(0xa4, &[body]),
    ];
    ber(0x6a, &[ber(SEQUENCE, &fields)])
}

fn as_rep(encryption: u8) -> Vec<u8> {
    let encrypted = || ber(SEQUENCE, &[ber(0xa0, &[number(encryption)])]);
    let ticket = ber(
        0x61,
        &[ber(
            SEQUENCE,
            &[
                ber(0xa0, &[number(5)]),
                ber(0xa1, &[string("REALM")]),
                ber(0xa2, &[principal(&["krbtgt", "REALM"])]),
                ber(0xa3, &[encrypted()]),
            ],
        )],
    );
    let fields = [
        ber(0xa0, &[number(5)]),
        ber(0xa1, &[number(11)]),
        ber(0xa3, &[string("REALM")]),
        ber(0xa4, &[principal(&["user"])]),
        ber(0xa5, &[ticket]),
        ber(0xa6, &[encrypted()]),
    ];
    ber(0x6b, &[ber(SEQUENCE, &fields)])
}

#[test]
fn a_request_and_its_answer() {
    let parsed = Parsed::of(MessageType::AsReq, &as_req()[2..]).unwrap();
    assert_eq!(parsed.cname.unwrap(), b"user");
    assert_eq!(parsed.sname.unwrap(), b"krbtgt/REALM");
    let message = as_rep(23);
    let element = Reader::new(&message).next().unwrap();
    let parsed = Parsed::of(MessageType::AsRep, element.body).unwrap();
    assert_eq!(
        (parsed.encryption, parsed.ticket_encryption),
        (Some(23), Some(23))
    );
    assert!(is_weak(23) && !is_weak(18));
}

#[test]
fn both_transports_are_known_by_their_first_bytes() {
    let message = as_req();
    assert_eq!(
        probe(Proto::Udp, Direction::ToServer, &message),
        Probe::Certain
    );
    let mut framed = vec![0, 0, 0, u8::try_from(message.len()).unwrap()];
    framed.extend(&message);
    assert_eq!(
        probe(Proto::Tcp, Direction::ToServer, &framed),
        Probe::Certain
    );
    assert_eq!(
        probe(Proto::Tcp, Direction::ToServer, &framed[..7]),
        Probe::Unsure
    );
    assert_eq!(
        probe(Proto::Udp, Direction::ToServer, b"j\x03abc"),
        Probe::No
    );
}

#[test]
fn damaged_messages_are_refused_or_read() {
    for message in [as_req(), as_rep(18)] {
        let kind = MessageType::of(message[0]).unwrap();
        for at in 0..message.len() {
            _ = Parsed::of(kind, &message[2..at.max(2)]);
            let mut bent = message.clone();
            bent[at] ^= 0xff;
            _ = Parsed::of(kind, &bent[2..]);
            _ = looks_like_krb5(&bent[..at]);
        }
    }
}
