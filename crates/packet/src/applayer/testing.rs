//! Conversations for the tests of protocols: messages to frames, frames through a sensor, events to
//! records.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

use std::path::Path;

use serde_json::Value;

use crate::applayer::{Context, Expectations};
use crate::decode::Vlans;
use crate::eve::{Now, Output, Recorder};
use crate::flow::{Direction, FiveTuple, Flow, FlowId, Proto};
use crate::ranges::Ranges;
use crate::sensor::Counters;
use crate::settings::Settings;
use crate::{Config, Event, Frame, LinkType, Sensor, Way};

/// Messages with their directions.
pub(crate) type Messages = Vec<(Direction, Vec<u8>)>;

/// A conversation of the corpus: chunks of direction, 16-bit length and data.
pub(crate) fn corpus(path: &str) -> Messages {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let file = std::fs::read(folder.join(path)).unwrap();
    let (mut rest, mut messages) = (&file[..], Vec::new());
    while let [direction, high, low, behind @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let direction = match direction {
            0 => Direction::ToServer,
            _ => Direction::ToClient,
        };
        messages.push((direction, behind[..len].to_vec()));
        rest = &behind[len..];
    }
    messages
}

/// The records of a conversation, those of flows and of detection aside.
pub(crate) fn records(proto: Proto, settings: &str, messages: &Messages) -> Vec<Value> {
    match proto {
        Proto::Udp => {
            let frames = messages.iter().map(|(to, data)| datagram(*to, data));
            replay(settings, frames)
        }
        _ => replay(settings, connection(messages, None)),
    }
}

/// What a stream comes to.
pub(crate) fn stream_events(settings: &str, messages: &Messages, on: &mut dyn FnMut(&Event<'_>)) {
    let settings = Settings::parse(settings).unwrap();
    run(&settings, connection(messages, None), &mut |event, _| {
        on(event)
    });
}

fn replay(settings: &str, frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<Value> {
    let settings = Settings::parse(settings).unwrap();
    let outputs = match settings.at("outputs").is_set() {
        true => Output::from_settings(&settings),
        false => vec![Output::all("-")],
    };
    let mut recorder = Recorder::new(outputs);
    let mut found = Vec::new();
    let mut emit = |_: usize, line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let kind = record["event_type"].as_str().unwrap();
        // what detection says hangs on how much of a side it saw at once
        let is_detection = record[kind]["layer"] == "proto_detect";
        if !["flow", "netflow"].contains(&kind) && !is_detection {
            found.push(record[kind].clone());
        }
    };
    run(&settings, frames, &mut |event, now| {
        recorder.event(event, now, &mut emit);
    });
    found
}

fn run(
    settings: &Settings,
    frames: impl IntoIterator<Item = Vec<u8>>,
    on: &mut dyn FnMut(&Event<'_>, Now),
) {
    let mut sensor = Sensor::new(Config::from_settings(settings));
    let mut now = Now::default();
    for data in frames {
        now.ts_ns += 1_000_000;
        now.packet += 1;
        let frame = Frame {
            ts_ns: now.ts_ns,
            link: LinkType::Raw,
            data: &data,
            wire_len: u32::try_from(data.len()).unwrap(),
            way: Way::Unknown,
        };
        sensor.packet(&frame, &mut |event| on(&event, now));
    }
    sensor.finish(&mut |event| on(&event, now));
}

/// The records of a stream of which the message with this number never comes.
pub(crate) fn records_without(messages: &Messages, missing: usize) -> Vec<Value> {
    replay("", connection(messages, Some(missing)))
}

/// The names of the anomalies among records.
pub(crate) fn anomalies(records: &[Value]) -> Vec<&str> {
    let names = records.iter().filter_map(|record| record.get("event"));
    names.filter_map(Value::as_str).collect()
}

/// A stream says the same in one byte at a time; whatever is changed in a conversation, nothing
/// panics.
pub(crate) fn endures(proto: Proto, messages: &Messages) {
    let whole = records(proto, "", messages);
    assert!(!whole.is_empty());
    if proto == Proto::Tcp {
        let cut = |(to, data): &(Direction, Vec<u8>)| {
            let bytes: Messages = data.iter().map(|byte| (*to, vec![*byte])).collect();
            bytes
        };
        let bytes: Messages = messages.iter().flat_map(cut).collect();
        assert_eq!(records(proto, "", &bytes), whole);
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |max: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).unwrap() % max.max(1)
    };
    for _ in 0..200 {
        let mut changed = messages.clone();
        for _ in 0..=below(3) {
            let at = below(changed.len());
            let data = &mut changed[at].1;
            if data.is_empty() {
                continue;
            }
            let byte = below(data.len());
            match below(4) {
                0 => data.truncate(byte),
                1 => data[byte] = 0xff,
                2 => data[byte] = 0,
                _ => data[byte] ^= 1 << below(8),
            }
        }
        records(proto, "", &changed);
    }
}

/// Runs parts of a parser on a flow of TCP that nobody looks at.
pub(crate) fn context<T>(config: &Config, work: impl FnOnce(&mut Context<'_, '_>) -> T) -> T {
    let tuple = FiveTuple {
        src: CLIENT.0.into(),
        src_port: CLIENT.1,
        dst: SERVER.0.into(),
        dst_port: SERVER.1,
        proto: Proto::Tcp,
    };
    work(&mut Context {
        config,
        ts_ns: 7,
        now_ns: 7,
        flow: &mut Flow::new(FlowId(1), tuple, Vlans::NONE, 7),
        counters: &mut Counters::default(),
        expectations: &mut Expectations::new([0; 2]),
        ranges: &mut Ranges::default(),
        out: &mut |_| (),
        successor: None,
        is_end: false,
        frames: None,
    })
}

const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 1], 40000);
const SERVER: ([u8; 4], u16) = ([198, 51, 100, 2], 7);

fn datagram(to: Direction, data: &[u8]) -> Vec<u8> {
    let (src, dst) = ends(to);
    let len = u16::try_from(data.len() + 8).unwrap();
    let mut udp = Vec::new();
    for part in [src.1, dst.1, len, 0] {
        udp.extend(part.to_be_bytes());
    }
    udp.extend(data);
    packet(src.0, dst.0, 17, &udp)
}

fn connection(messages: &Messages, missing: Option<usize>) -> Vec<Vec<u8>> {
    const SYN: u8 = 2;
    const FIN: u8 = 1;
    const ACK: u8 = 16;
    let mut seqs = [1000_u32, 90_000];
    // what the other side has without a hole
    let mut heard = seqs;
    let mut holes = [false; 2];
    let mut frames = Vec::new();
    let mut send = |to: Direction, flags: u8, data: &[u8], comes: bool| {
        let (from, other) = match to {
            Direction::ToServer => (0, 1),
            Direction::ToClient => (1, 0),
        };
        let (src, dst) = ends(to);
        // who ends the connection says that all came, so that a hole is one for good
        let ack = match (flags & ACK != 0, flags & FIN != 0) {
            (false, _) => 0,
            (true, false) => heard[other],
            (true, true) => seqs[other],
        };
        let mut tcp = [src.1.to_be_bytes(), dst.1.to_be_bytes()].concat();
        tcp.extend(seqs[from].to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(data);
        if comes {
            frames.push(packet(src.0, dst.0, 6, &tcp));
        }
        holes[from] |= !comes;
        let used = u32::try_from(data.len()).unwrap() + u32::from(flags & (SYN | FIN) != 0);
        seqs[from] += used;
        if !holes[from] {
            heard[from] = seqs[from];
        }
    };
    let (client, server) = (Direction::ToServer, Direction::ToClient);
    send(client, SYN, &[], true);
    send(server, SYN | ACK, &[], true);
    send(client, ACK, &[], true);
    for (at, (to, data)) in messages.iter().enumerate() {
        for part in data.chunks(1400) {
            send(*to, ACK, part, missing != Some(at));
            send(to.reversed(), ACK, &[], true);
        }
    }
    send(client, FIN | ACK, &[], true);
    send(server, FIN | ACK, &[], true);
    send(client, ACK, &[], true);
    frames
}

fn ends(to: Direction) -> (([u8; 4], u16), ([u8; 4], u16)) {
    match to {
        Direction::ToServer => (CLIENT, SERVER),
        Direction::ToClient => (SERVER, CLIENT),
    }
}

fn packet(src: [u8; 4], dst: [u8; 4], proto: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len() + 20).unwrap().to_be_bytes();
    let head = [0x45, 0, high, low, 0, 0, 0, 0, 64, proto, 0, 0];
    [&head[..], &src, &dst, payload].concat()
}
