//! Packets of flows that are known cost no allocation, but where bytes must be kept.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

#[path = "common/counting.rs"]
mod counting;
#[path = "common/wire.rs"]
mod wire;

use counting::Heap;
use packet::settings::Settings;
use packet::{Config, Event, Sensor};
use testkit::capture::{Segment, flag, tcp, udp};
use wire::{Wire, feed};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";

/// Allocations for the later frames, the earlier ones having been seen.
fn allocations(earlier: &[Vec<u8>], later: &[Vec<u8>]) -> u64 {
    let mut sensor = Sensor::new(Config::default());
    let (mut started, mut now_ns) = (0_u64, 0);
    let mut note = |event: Event<'_>| {
        started += u64::from(matches!(event, Event::FlowStart(_)));
    };
    feed(&mut sensor, &mut now_ns, earlier, &mut note);
    let before = Heap::now().calls;
    feed(&mut sensor, &mut now_ns, later, &mut note);
    let calls = Heap::now().calls - before;
    assert_eq!(started, 1);
    calls
}

/// Segments of 1000 bytes from the server and their acknowledgements.
fn body(wire: &mut Wire, segments: usize) -> Vec<Vec<u8>> {
    let both = |_| [wire.data(false, &[b'x'; 1000]), wire.data(true, b"")];
    (0..segments).flat_map(both).collect()
}

#[test]
fn a_body_behind_the_part_that_is_kept() {
    let mut wire = Wire::new();
    let mut head = wire.handshake();
    head.push(wire.data(true, REQUEST));
    head.push(wire.data(false, RESPONSE));
    let first = body(&mut wire, 150);
    let rest = body(&mut wire, 2000);
    // the part that is kept for inspection, 100 KiB, doubles as it grows: room for all of it from
    // the start would cost that much for each short body
    let growing = allocations(&head, &first);
    assert!((1..=14).contains(&growing), "{growing}");
    assert_eq!(allocations(&[head, first].concat(), &rest), 0);
}

#[test]
fn records_of_tls() {
    let mut wire = Wire::new();
    let mut first = wire.handshake();
    // hellos without extensions; then nothing but application data
    let hello = |kind: u8, rest: &[u8]| {
        let len = u8::try_from(2 + 32 + rest.len()).unwrap();
        let head = [22, 3, 3, 0, len + 4, kind, 0, 0, len, 3, 3];
        [&head[..], &[7; 32], rest].concat()
    };
    first.push(wire.data(true, &hello(1, &[0, 0, 2, 0, 0x2f, 1, 0])));
    first.push(wire.data(false, &hello(2, &[0, 0, 0x2f, 0])));
    let record = [&[23, 3, 3, 3, 0xe3][..], &[9; 0x3e3]].concat();
    let records = |wire: &mut Wire| {
        let both = |_| [wire.data(true, &record), wire.data(false, &record)];
        (0..200).flat_map(both).collect::<Vec<_>>()
    };
    first.extend(records(&mut wire));
    let rest = records(&mut wire);
    assert_eq!(allocations(&first, &rest), 0);
}

#[test]
fn segments_out_of_order() {
    let mut wire = Wire::new();
    let mut first = wire.handshake();
    first.push(wire.data(true, REQUEST));
    first.push(wire.data(false, RESPONSE));
    first.extend(body(&mut wire, 150));
    let pairs = |wire: &mut Wire| {
        let pair = |_| {
            let one = wire.data(false, &[b'x'; 1000]);
            [wire.data(false, &[b'y'; 1000]), one]
        };
        (0..200).flat_map(pair).collect::<Vec<_>>()
    };
    first.extend(pairs(&mut wire));
    let rest = pairs(&mut wire);
    // one for each segment that has to be kept
    assert_eq!(allocations(&first, &rest), 200);
}

#[test]
fn datagrams_of_no_known_protocol() {
    let datagrams = datagrams(9999, |number| vec![number, 0xff, 0xff, 0xff, 1, 2, 3]);
    // the first 512 bytes wait for the other side to tell what they are
    let (first, rest) = datagrams.split_at(100);
    assert_eq!(allocations(first, rest), 0);
}

#[test]
fn queries_of_dns() {
    let query = b"\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\
        \x03www\x07example\x00\x00\x10\x00\x01";
    let datagrams = datagrams(53, |number| {
        let mut query = query.to_vec();
        query.splice(0..2, [0, number]);
        query
    });
    let (first, rest) = datagrams.split_at(50);
    // a transaction has its names and records in memory of its own
    let each = allocations(first, rest) / u64::try_from(rest.len()).unwrap();
    assert!(each <= 4, "{each}");
}

fn datagrams(port: u16, data: impl Fn(u8) -> Vec<u8>) -> Vec<Vec<u8>> {
    let client = ([192, 0, 2, 1], 40_000).into();
    let server = ([198, 51, 100, 2], port).into();
    (0..200)
        .map(|number| udp(client, server, &data(number)))
        .collect()
}

#[test]
fn open_connections_with_an_exchange_behind_them_are_small() {
    let each = open_connection(Config::default(), b"ok");
    assert!(each < 1500, "{each} bytes");
}

/// Where records are told by packets, the file waits for the next from its server: with it stays
/// what its record says, neither its bytes nor all of the heads.
#[test]
fn open_connections_with_a_file_that_waits_are_small() {
    let config = Config::from_settings(&Settings::default());
    let each = open_connection(config, &[b'x'; 1400]);
    assert!(each < 2000, "{each} bytes");
}

/// Bytes kept of a connection that is open after a request and its response.
fn open_connection(config: Config, body: &[u8]) -> u64 {
    let cookie = "c".repeat(1000);
    let request = format!("GET / HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\n\r\n");
    let head = format!(
        "HTTP/1.1 200 OK\r\nSet-Cookie: {cookie}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (request, response) = (request.as_bytes(), [head.as_bytes(), body].concat());
    let mut sensor = Sensor::new(config);
    let flows = 2000_u16;
    let before = Heap::now().live;
    for number in 0..flows {
        let client = ([192, 0, 2, 1], 2000 + number).into();
        let server = ([198, 51, 100, 2], 80).into();
        let mut at_ns = u64::from(number) * 1000;
        let mut send = |to_server: bool, flags: u8, seq: u32, ack: u32, payload: &[u8]| {
            let (from, to) = if to_server {
                (client, server)
            } else {
                (server, client)
            };
            let segment = Segment {
                seq,
                ack,
                flags,
                timestamp: None,
                payload,
            };
            let data = tcp(from, to, &segment);
            feed(&mut sensor, &mut at_ns, &[data], &mut |_| {});
        };
        let (asked, told) = (len(request), len(&response));
        send(true, flag::SYN, 0, 0, b"");
        send(false, flag::SYN | flag::ACK, 0, 1, b"");
        send(true, flag::ACK, 1, 1, b"");
        send(true, flag::ACK, 1, 1, request);
        send(false, flag::ACK, 1, 1 + asked, &response);
        send(true, flag::ACK, 1 + asked, 1 + told, b"");
    }
    assert_eq!(sensor.counters().transactions, 2 * u64::from(flows));
    (Heap::now().live - before) / u64::from(flows)
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}
