//! HTTP/1 and HTTP/2 conversations as transactions and files, however their bytes come.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

#[path = "common/wire.rs"]
mod wire;

use packet::http1::Phase;
use packet::{Config, Event, Sensor, http1, http2};
use proptest::prelude::*;
use wire::{Wire, feed};

/// Who speaks, and what.
type Said<'a> = (bool, &'a [u8]);

const CLIENT: bool = true;
const SERVER: bool = false;

/// What a conversation comes to, one line an event; both sides close it in the end.
fn events(said: &[Said<'_>], step: usize, config: Config) -> Vec<String> {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    for (from_client, data) in said {
        for part in data.chunks(step) {
            frames.push(wire.data(*from_client, part));
        }
    }
    frames.push(wire.fin(SERVER));
    frames.push(wire.fin(CLIENT));
    let mut sensor = Sensor::new(config);
    let mut told = Vec::new();
    feed(&mut sensor, &mut 0, &frames, &mut |event| {
        told.extend(line(&event))
    });
    sensor.finish(&mut |event| told.extend(line(&event)));
    assert_eq!(sensor.counters().stream_bytes, 0);
    told
}

fn line(event: &Event<'_>) -> Option<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match event {
        Event::Transaction(_, transaction) => {
            if let Some(http) = transaction.downcast_ref::<http1::Transaction>() {
                let status = http.status.unwrap_or(0);
                return (http.phase == Phase::Complete).then(|| {
                    let (method, uri) = (text(http.method()), text(http.uri()));
                    let (sent, got) = (text(http.request_body()), text(http.response_body()));
                    format!("{method} {uri} {status} {sent:?} {got:?}")
                });
            }
            let http = transaction.downcast_ref::<http2::Transaction>()?;
            let target = text(http.target().unwrap_or_default());
            let (stream, status) = (http.stream_id, http.status().unwrap_or(0));
            let messages = [&http.request, &http.response];
            let settings = messages.map(|message| message.settings.as_ref().map_or(0, Vec::len));
            let settings: usize = settings.iter().sum();
            let body = text(&http.response.body);
            Some(format!("h2 {stream} {target} {status} {settings} {body:?}"))
        }
        Event::File(_, _, file) => {
            let (name, state) = (text(&file.name), file.state.name());
            Some(format!("file {name} {} {state}", file.size))
        }
        Event::Arp(_)
        | Event::Packet(_)
        | Event::FlowStart(_)
        | Event::Attempt(..)
        | Event::Exchanged(_)
        | Event::Proven(_)
        | Event::Closed(..)
        | Event::FileData(..)
        | Event::AppFrame(..)
        | Event::Inspect(_)
        | Event::Progress(..)
        | Event::Stream(..)
        | Event::FlowEnd(..)
        | Event::Anomaly(..) => None,
    }
}

const UPLOAD: &[u8] = b"POST /up?x HTTP/1.1\r\nHost: a\r\n\
    Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n\
    4b\r\n--b\r\nContent-Disposition: form-data; name=f; filename=\"n\"\r\n\r\nhello\r\n--b--\r\n\r\n\
    0\r\nT: x\r\n\r\n";

fn conversation() -> Vec<Said<'static>> {
    vec![
        (CLIENT, b"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (CLIENT, UPLOAD),
        (
            SERVER,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\n\
            Content-Disposition: x; filename=f.txt\nContent-Length: 3\n\nabc",
        ),
        (
            SERVER,
            b"HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nunasked",
        ),
    ]
}

/// Settings, a request of stream 1 with the example of RFC 7541 C.4.1, and its answer.
fn conversation2() -> Vec<Said<'static>> {
    vec![
        (
            CLIENT,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64\
            \0\0\x11\x01\x05\0\0\0\x01\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
        ),
        (SERVER, b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0"),
        (SERVER, b"\0\0\x01\x01\x04\0\0\0\x01\x88"),
        (
            SERVER,
            b"\0\0\x08\0\x09\0\0\0\x01\x02hello\0\0",
        ),
    ]
}

#[test]
fn http1_however_it_is_cut() {
    let expected = [
        "GET /b 200 \"\" \"abc\"",
        "file  /libhtp::request_uri_not_seen 7 CLOSED",
        "file f.txt 3 CLOSED",
        "file n 5 CLOSED",
    ];
    for step in [1, 2, 3, 7, 50, 1400] {
        let told = events(&conversation(), step, Config::default());
        for line in expected.iter().map(|line| line.replace("file  ", "file ")) {
            assert!(told.contains(&line), "{line} in {told:?}, step {step}");
        }
        assert_eq!(told.len(), 6, "{told:?}, step {step}");
    }
}

#[test]
fn http2_however_it_is_cut() {
    for step in [1, 2, 3, 7, 50, 1400] {
        let told = events(&conversation2(), step, Config::default());
        let expected = ["h2 0  0 1 \"\"", "file  5 CLOSED", "h2 1 / 200 0 \"hello\""];
        assert_eq!(told, expected, "step {step}");
    }
}

#[test]
fn an_upgrade_leads_to_http2() {
    let mut said: Vec<Said<'_>> = vec![
        (
            CLIENT,
            b"GET /u HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        ),
        (
            SERVER,
            b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n\0\0\x01\x01\x05\0\0\0\x01\x88",
        ),
    ];
    said.extend(conversation2().into_iter().take(1));
    let told = events(&said, 1400, Config::default());
    assert_eq!(told[0], "GET /u 101 \"\" \"\"");
    assert_eq!(told[1], "h2 0  0 1 \"\"");
    assert_eq!(told[2], "h2 1 /u 200 0 \"\"");
}

#[test]
fn bodies_are_bounded_and_ranges_make_a_file() {
    let request: &[u8] = b"GET /z HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut config = Config::default();
    config.apps.http.response_body_max = 4;
    let long: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef";
    let told = events(&[(CLIENT, request), (SERVER, long)], 1400, config);
    assert_eq!(told[0], "file /z 4 TRUNCATED");
    let one: &[u8] =
        b"HTTP/1.1 206 P\r\nContent-Range: bytes 3-5/6\r\nContent-Length: 3\r\n\r\ndef";
    let two: &[u8] =
        b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-2/6\r\nContent-Length: 3\r\n\r\nabc";
    let said = [
        (CLIENT, request),
        (SERVER, one),
        (CLIENT, request),
        (SERVER, two),
    ];
    let told = events(&said, 1400, Config::default());
    let files: Vec<_> = told
        .iter()
        .filter(|line| line.starts_with("file"))
        .collect();
    assert_eq!(
        files,
        ["file /z 3 CLOSED", "file /z 6 CLOSED", "file /z 3 CLOSED"]
    );
}

proptest! {
    /// Whatever is changed in a conversation, it comes to an end and nothing stays behind.
    #[test]
    fn mutated_conversations_do_no_harm(
        second in any::<bool>(),
        changes in proptest::collection::vec((0_usize..600, any::<u8>()), 0..12),
        step in 1_usize..80,
    ) {
        let said = if second { conversation2() } else { conversation() };
        let mut said: Vec<(bool, Vec<u8>)> = said
            .into_iter()
            .map(|(from, data)| (from, data.to_vec()))
            .collect();
        for (mut at, byte) in changes {
            for (_, data) in &mut said {
                if at < data.len() {
                    data[at] = byte;
                    break;
                }
                at -= data.len();
            }
        }
        let said: Vec<Said<'_>> = said.iter().map(|(from, data)| (*from, &data[..])).collect();
        events(&said, step, Config::default());
    }
}
