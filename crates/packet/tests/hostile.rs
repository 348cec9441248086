//! Hostile bytes: nothing panics, bounds hold, the books balance.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

#[path = "common/wire.rs"]
mod wire;

use packet::decode::{Options, decode, decode_inner};
use packet::{Config, Event, LinkType, Sensor, pcap};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use wire::{Wire, feed};

const LINKS: [u32; 12] = [0, 1, 9, 101, 104, 108, 113, 147, 228, 229, 276, 778];

proptest! {
    #[test]
    fn random_frames(data in vec(any::<u8>(), 0..200)) {
        for link in LINKS.map(LinkType::from_code) {
            let decoded = decode(link, &data);
            if let Some(ip) = decoded.ip {
                prop_assert!(ip.payload.len() <= ip.payload_len as usize);
                prop_assert!(ip.payload.len() + ip.header.len() <= data.len());
            }
            let options = Options::default();
            let (mut outer, mut depth) = (decoded, 0);
            while let Some(inner) = outer.inner {
                prop_assert!(inner.data.len() < data.len());
                outer = decode_inner(&options, &outer, &inner);
                depth += 1;
            }
            prop_assert!(depth < 20);
        }
    }

    /// Sound conversations with bits flipped, packets dropped, doubled and swapped.
    #[test]
    fn damaged_conversations(
        damage in vec((any::<Index>(), any::<Index>(), 0_u8..8), 0..60),
        shuffle in vec((any::<Index>(), 0_u8..3), 0..20),
    ) {
        let mut frames = conversation();
        for (frame, at, bit) in damage {
            let frame = &mut frames[frame.index(conversation().len())];
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
        }
        for (at, what) in shuffle {
            let at = at.index(frames.len());
            match what {
                0 => frames.push(frames[at].clone()),
                1 => frames.swap(0, at),
                _ => frames[at].truncate(60),
            }
        }
        check(&frames);
    }

    #[test]
    fn random_streams(
        pieces in vec((any::<bool>(), prop_oneof![9 => 0_u32..3000, 1 => any::<u32>()], vec(any::<u8>(), 1..100)), 1..60),
        acks in vec((any::<Index>(), any::<bool>(), 0_u32..3000), 0..10),
        front in select(&FRONTS),
    ) {
        let mut wire = Wire::new();
        let mut frames = wire.handshake();
        frames.push(wire.data(true, front));
        frames.push(wire.data(false, front));
        for (from_client, ahead, data) in pieces {
            frames.push(wire.data_at(from_client, ahead, &data));
        }
        for (at, from_client, ahead) in acks {
            let other = match from_client {
                true => wire.server_seq,
                false => wire.client_seq,
            };
            let ack = wire.frame(from_client, |tcp| tcp.ack(other.wrapping_add(ahead)), &[]);
            frames.insert(3 + at.index(frames.len() - 3), ack);
        }
        check(&frames);
    }

    #[test]
    fn random_files(data in vec(any::<u8>(), 0..400), front in 0_usize..3) {
        let file = [FILE_FRONTS[front], &data].concat();
        if let Ok(mut reader) = pcap::Reader::new(&file[..]) {
            while let Ok(Some(frame)) = reader.next() {
                prop_assert!(frame.data.len() <= data.len());
            }
        }
    }
}

/// What makes a parser look on.
const FRONTS: [&[u8]; 5] = [
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00\x20\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00",
    b"\x05\x01\x00",
];

/// Headers of capture files: classic, pcapng, none.
const FILE_FRONTS: [&[u8]; 3] = [
    b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0",
    b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
    b"",
];

fn conversation() -> Vec<Vec<u8>> {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    for number in 0..3 {
        let request =
            format!("POST /{number} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
        frames.push(wire.data(true, request.as_bytes()));
        frames.push(wire.data(
            false,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ));
        frames.push(wire.data(false, b"4\r\nabcd\r\n0\r\n\r\n"));
    }
    frames.push(wire.fin(true));
    frames.push(wire.fin(false));
    frames
}

/// As a shield, inline, and under settings.
fn check(frames: &[Vec<u8>]) {
    let yaml = "stream:\n  midstream: yes\n  reassembly:\n    depth: 1000\n\
        host-os-policy:\n  solaris: [0.0.0.0/0]\n";
    let settings = packet::settings::Settings::parse(yaml).unwrap();
    for (inline, config) in [
        (false, Config::default()),
        (true, Config::default()),
        (false, Config::from_settings(&settings)),
        (true, Config::from_settings(&settings)),
    ] {
        check_with(frames, Config { inline, ..config });
    }
}

/// Few flows, little memory: every bound is close.
fn check_with(frames: &[Vec<u8>], config: Config) {
    let config = Config {
        flows_max: 4,
        segments_max: 4,
        segment_bytes_max: 500,
        stream_bytes_max: 2000,
        head_bytes_max: 300,
        pending_max: 2,
        ..config
    };
    let mut sensor = Sensor::new(config);
    let (mut open, mut now_ns) = (0_i64, 0);
    let mut count = |event: Event<'_>| match event {
        Event::Packet(_) | Event::Arp(_) => {}
        Event::FlowStart(_) => open += 1,
        Event::FlowEnd(..) => open -= 1,
        Event::Attempt(..)
        | Event::Exchanged(_)
        | Event::Proven(_)
        | Event::Closed(..)
        | Event::File(..)
        | Event::FileData(..)
        | Event::AppFrame(..)
        | Event::Inspect(_)
        | Event::Progress(..)
        | Event::Stream(..)
        | Event::Transaction(..)
        | Event::Anomaly(..) => {}
    };
    for frame in frames {
        feed(
            &mut sensor,
            &mut now_ns,
            std::slice::from_ref(frame),
            &mut count,
        );
        assert!(sensor.open_flows() <= 4);
        assert!(sensor.counters().stream_bytes <= 2000);
    }
    sensor.finish(&mut count);
    assert_eq!(
        (open, sensor.open_flows(), sensor.counters().stream_bytes),
        (0, 0, 0)
    );
}
