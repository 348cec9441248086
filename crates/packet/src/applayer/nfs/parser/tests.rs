use super::super::rpc::{Credentials, Message};
use super::*;

/// A call of `NULL` of version 3 with a machine's credentials.
fn call() -> Vec<u8> {
    let numbers: [u32; 14] = [
        7,
        0,
        2,
        100_003,
        3,
        0,
        1,
        24,
        9,
        2,
        0x686f_0000,
        500,
        600,
        0,
    ];
    let mut call: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    call.extend([0; 8]);
    call
}

#[test]
fn a_call() {
    let call = call();
    let Some(Message::Call(read)) = Message::of(&call) else {
        panic!()
    };
    assert_eq!((read.xid, read.version, read.procedure), (7, 3, 0));
    let Credentials::Unix(unix) = Credentials::of(read.credentials) else {
        panic!()
    };
    assert_eq!(
        (unix.machine.as_slice(), unix.uid, unix.gid),
        (&b"ho"[..], 500, 600)
    );
    assert_eq!(
        probe(Proto::Udp, Direction::ToServer, &call),
        Probe::Certain
    );
    let framed = [&[0x80, 0, 0, 64], &call[..]].concat();
    assert_eq!(
        probe(Proto::Tcp, Direction::ToServer, &framed),
        Probe::Certain
    );
    assert_eq!(
        probe(Proto::Tcp, Direction::ToServer, &framed[..9]),
        Probe::Unsure
    );
    assert_eq!(
        probe(Proto::Tcp, Direction::ToServer, b"\x16\x03\x01"),
        Probe::No
    );
}

#[test]
fn damaged_messages_are_refused_or_read() {
    let call = call();
    for at in 0..call.len() {
        _ = Message::of(&call[..at]);
        let mut bent = call.clone();
        bent[at] ^= 0xff;
        if let Some(Message::Call(read)) = Message::of(&bent) {
            _ = Credentials::of(read.credentials);
        }
    }
}
