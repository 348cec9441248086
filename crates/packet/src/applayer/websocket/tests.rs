//! Frames, messages put together from them, and what is wrong with some.

use serde_json::json;

use super::frame::Frame;
use crate::Event;
use crate::applayer::testing::{Messages, anomalies, corpus, endures, records, stream_events};
use crate::flow::{Direction, Proto};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: ws.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\
    Connection: Upgrade\r\n\r\n";

/// An upgraded connection.
fn talk(frames: &[(Direction, Vec<u8>)]) -> Messages {
    let mut all = vec![
        (Direction::ToServer, REQUEST.into()),
        (Direction::ToClient, RESPONSE.into()),
    ];
    all.extend_from_slice(frames);
    all
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [&[first, len], payload].concat()
}

/// The messages that a conversation holds, each with its opcode.
fn messages(settings: &str, talk: &Messages) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    stream_events(settings, talk, &mut |event| {
        if let Event::Transaction(_, transaction) = event
            && let Some(frame) = transaction.downcast_ref::<Frame>()
            && let Some(message) = &frame.message
        {
            found.push((frame.opcode, message.clone()));
        }
    });
    found
}

#[test]
fn frames_are_records() {
    let found = records(Proto::Tcp, "", &corpus("websocket/chat.bin"));
    assert_eq!(found[0]["status"], 101);
    let expected = [
        json!({"fin": false, "mask": 0x0102_0304, "opcode": "text"}),
        json!({"fin": true, "mask": 7, "opcode": "ping"}),
        json!({"fin": true, "opcode": "pong"}),
        json!({"fin": true, "mask": 0x0102_0304, "opcode": "continuation"}),
        json!({"fin": true, "opcode": "text"}),
        json!({"fin": true, "opcode": "unknown-3"}),
        json!({"fin": true, "opcode": "binary"}),
        json!({"fin": true, "opcode": "close"}),
    ];
    assert_eq!(found[1..], expected);
    endures(Proto::Tcp, &corpus("websocket/chat.bin"));
}

#[test]
fn fragments_make_messages() {
    let found = messages("", &corpus("websocket/chat.bin"));
    let expected = [
        (9, &b"are you there"[..]),
        (10, b"are you there"),
        (0, b"Hello, world"),
        (1, b"hello hello hello"),
        (3, b"?"),
        (2, &[0x5a; 130]),
        (8, b"\x03\xe8bye"),
    ];
    let expected: Vec<_> = expected.map(|(code, text)| (code, text.to_vec())).into();
    assert_eq!(found, expected);
}

#[test]
fn what_is_too_long_is_cut_and_passed_over() {
    let settings = "app-layer: {protocols: {websocket: {max-payload-size: 20}}}";
    let long = frame(0x82, &[b'x'; 100]);
    let part = frame(0x01, &[b'y'; 15]);
    let rest = frame(0x00, &[b'y'; 15]);
    let last = frame(0x80, b"");
    let server = Direction::ToClient;
    let talk = talk(&[
        (server, long),
        (server, part),
        (server, rest.clone()),
        (server, rest),
        (server, last),
        (server, frame(0x81, b"ok")),
    ]);
    let found = records(Proto::Tcp, settings, &talk);
    assert_eq!(
        anomalies(&found),
        ["skip_end_of_payload", "reassembly_limit_reached"]
    );
    let kept = messages(settings, &talk);
    assert_eq!(kept[0], (2, vec![b'x'; 20]));
    assert_eq!(kept[1], (0, vec![b'y'; 20]));
    assert_eq!(kept[2], (1, b"ok".to_vec()));
}

#[test]
fn a_compressed_message_refers_to_those_before_it() {
    let server = Direction::ToClient;
    // "hello hello hello" in one message, and the same by reference to it in the next
    let first = [
        0xca, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00, 0x00,
    ];
    let second = [0xca, 0x40, 0x17, 0x00, 0x00];
    let found = messages(
        "",
        &talk(&[
            (server, frame(0xc1, &first)),
            (server, frame(0xc1, &second)),
            (server, frame(0xc1, b"\xff\xff\xffnothing of the kind")),
            (server, frame(0x81, b"plain")),
        ]),
    );
    assert_eq!(found[0].1, b"hello hello hello");
    assert_eq!(found[1].1, b"hello hello hello");
    assert_eq!(found[2].1, b"\xff\xff\xffnothing of the kind");
    assert_eq!(found[3].1, b"plain");
}

#[test]
fn what_never_came_is_no_websocket() {
    let found = records(Proto::Tcp, "", &talk(&[]));
    assert_eq!(found.len(), 1, "{found:?}");
}
