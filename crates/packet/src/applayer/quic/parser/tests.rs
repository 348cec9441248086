//! The example packets of RFC 9001 appendix A.

use super::*;

#[test]
fn first_bytes() {
    let mut datagram = vec![0xc3, 0, 0, 0, 1, 8];
    datagram.extend(DESTINATION);
    datagram.extend([0, 0, 20]);
    datagram.extend([7; 20]);
    let probe = |data: &[u8]| probe(Proto::Udp, Direction::ToServer, data);
    assert_eq!(probe(&datagram), Probe::Certain);
    assert_eq!(probe(&datagram[..20]), Probe::No, "cut off");
    assert_eq!(probe(b"\x0d12345678Q043\x01"), Probe::Certain);
    assert_eq!(probe(&[0xc3, 0, 0, 0, 9, 0, 0]), Probe::No);
    for len in 0..datagram.len() {
        probe(&datagram[..len]);
    }
}

#[test]
fn the_servers_example_opens() {
    // appendix A.3
    let packet = hex(
        "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee",
    );
    let keys = Keys::new(header::V1, &DESTINATION).unwrap();
    let (read, rest) = header::read(&packet).unwrap();
    assert!(rest.is_empty());
    assert_eq!(read.kind, Kind::Initial);
    let frames = keys.open(Direction::ToClient, &read).unwrap();
    assert!(keys.open(Direction::ToServer, &read).is_none());
    let mut crypto = Crypto::default();
    crypto.take(&frames, 10_000).unwrap();
    let message = crypto.message().unwrap();
    let hello = ServerHello::parse(&message[4..]).unwrap();
    assert_eq!(hello.ja3s(), "771,4865,51-43");
    for at in 0..packet.len() {
        let mut broken = packet.clone();
        broken[at] ^= 0x55;
        if let Some((read, _)) = header::read(&broken) {
            keys.open(Direction::ToClient, &read);
        }
    }
}

const DESTINATION: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

fn hex(text: &str) -> Vec<u8> {
    let digit = |digit: &u8| u8::try_from(char::from(*digit).to_digit(16).unwrap()).unwrap();
    let pairs = text.as_bytes().as_chunks::<2>().0.iter();
    pairs
        .map(|[high, low]| digit(high) << 4 | digit(low))
        .collect()
}
