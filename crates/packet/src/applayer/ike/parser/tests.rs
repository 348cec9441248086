use super::*;

#[test]
fn first_bytes() {
    let probe = |data: &[u8]| probe(Proto::Udp, Direction::ToServer, data);
    let message = hello();
    assert_eq!(probe(&message), Probe::Certain);
    assert_eq!(probe(&[&[0; 4][..], &message].concat()), Probe::Certain);
    assert_eq!(probe(&message[..message.len() - 1]), Probe::No);
    let mut other = message;
    other[17] = 0x30;
    assert_eq!(probe(&other), Probe::No);
}

#[test]
fn offers_are_judged_and_answers_taken() {
    let message = hello();
    let (mut header, body) = Header::read(&message).unwrap();
    let mut state = v2::State::default();
    let mut events = Vec::new();
    let exchange = state.message(&header, body, &mut |name| events.push(name));
    assert_eq!(exchange.payloads, [33, 0]);
    assert_eq!(events, ["weak_crypto_enc", "weak_crypto_no_dh"]);
    assert_eq!(exchange.chosen, v2::Chosen::default());
    header.flags = 0x20;
    let exchange = state.message(&header, body, &mut |_| {});
    assert_eq!(exchange.chosen.encryption, Some(3));
    for len in 0..body.len() {
        state.message(&header, &body[..len], &mut |_| {});
        v1::State::default().message(&header, &body[..len], true);
    }
}

/// A request of version 2 that offers 3DES with SHA-256.
fn hello() -> Vec<u8> {
    let transforms = [3, 0, 0, 8, 1, 0, 0, 3, 0, 0, 0, 8, 3, 0, 0, 12];
    let proposal = [&[0, 0, 0, 24, 1, 1, 0, 2][..], &transforms].concat();
    let payload = [&[0, 0, 0, 28][..], &proposal].concat();
    let head = [33, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 0, 56];
    [&[7; 8][..], &[0; 8], &head, &payload].concat()
}
