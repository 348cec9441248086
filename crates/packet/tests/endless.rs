//! Senders that never stop: whatever piece of a conversation comes again and again, the sensor keeps
//! no more than its bounds allow and takes no longer for the last bytes than for the first.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "common/counting.rs"]
mod counting;
#[path = "common/seeds.rs"]
mod seeds;

use std::net::SocketAddr;
use std::time::Duration;

use counting::Heap;
use packet::json::Object;
use packet::settings::Setting;
use packet::{Event, Frame, LinkType, Sensor, Way};
use seeds::{Seed, seeds};
use testkit::capture::{Segment, flag, tcp, udp};

/// A chunk: from the client?, its bytes.
type Chunk = (bool, Vec<u8>);

/// What comes first, and what then comes again and again.
struct Case<'a> {
    name: String,
    seed: &'a Seed,
    first: Vec<Chunk>,
    again: Vec<Chunk>,
    /// Place of a byte pair of each repeated chunk in which repetitions are counted.
    counted: Option<usize>,
    segment_bytes_max: usize,
}

struct Cost {
    name: String,
    bytes: usize,
    took: Duration,
    allocated: u64,
    peak: u64,
    /// What the sensor says that it keeps.
    counted: u64,
    records: usize,
}

impl Cost {
    /// Bytes of frames a second of work.
    fn speed(&self) -> f64 {
        self.bytes as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// Least speed on the worst of inputs, bytes of frames a second of one core: a tenth of what is seen.
const SPEED_MIN: f64 = 500e3;
/// What may be kept beyond what is counted, bytes: once, and for each byte counted. What is kept of
/// ranges of files has a bound of its own.
const UNCOUNTED: (u64, u64) = (1_000_000, 3);

/// `ENDLESS_ONLY=mqtt/` looks at the seeds with that in their names alone.
#[test]
fn what_comes_again_and_again_stays_within_bounds() {
    let is_long = std::env::var_os("SHIELDWALL_LONG").is_some();
    let only = std::env::var("ENDLESS_ONLY").unwrap_or_default();
    let bytes = if is_long { 256 << 10 } else { 4 << 10 };
    let (mut costs, mut too_much) = (Vec::new(), 0);
    for seed in seeds().iter().filter(|seed| seed.name.contains(&only)) {
        for case in cases(seed, is_long) {
            let cost = run(&case, bytes);
            let (once, each) = UNCOUNTED;
            if cost.peak > once + (1 + each) * cost.counted || is_long && cost.speed() < SPEED_MIN {
                show("too much", std::slice::from_ref(&cost));
                too_much += 1;
            }
            costs.push(cost);
        }
    }
    println!("{} cases", costs.len());
    costs.sort_by(|a, b| a.speed().total_cmp(&b.speed()));
    if is_long {
        show("slowest", &costs);
    }
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.peak));
    show("most kept", &costs);
    assert_eq!(too_much, 0);
}

fn show(what: &str, costs: &[Cost]) {
    println!("{what}:");
    for cost in costs.iter().take(10) {
        println!(
            "  {:>9.0} KB/s {:>10} kept {:>8} counted {:>8} allocated/byte {:>8} records {}",
            cost.speed() / 1e3,
            cost.peak,
            cost.counted,
            cost.allocated / cost.bytes as u64,
            cost.records,
            cost.name
        );
    }
}

fn cases(seed: &Seed, is_long: bool) -> Vec<Case<'_>> {
    let chunks = chunks(&seed.bytes);
    let mut cases = Vec::new();
    for (at, (way, data)) in chunks.iter().enumerate() {
        let before = &chunks[..at];
        let mut add = |what: String, head: &[u8], again: &[Chunk], counted, segment_bytes_max| {
            cases.push(Case {
                name: format!("{} {at} {what}", seed.name),
                seed,
                first: [before, &[(*way, head.to_vec())]].concat(),
                again: again.to_vec(),
                counted,
                segment_bytes_max,
            });
        };
        for len in [1, 4, 32, usize::MAX] {
            let len = len.min(data.len());
            let (head, tail) = data.split_at(data.len() - len);
            let (front, _) = data.split_at(len);
            add(
                format!("last {len}"),
                head,
                &[(*way, tail.to_vec())],
                None,
                1400,
            );
            add(
                format!("first {len}"),
                &[],
                &[(*way, front.to_vec())],
                None,
                1400,
            );
        }
        let one = [(*way, data.clone())];
        add("piece by piece".to_owned(), &[], &one, None, 1);
        add("and all behind".to_owned(), &[], &chunks[at..], None, 1400);
        let step = if is_long { 2 } else { 9 };
        let two = &chunks[at..chunks.len().min(at + 2)];
        for place in (0..data.len().min(24)).step_by(step) {
            add(format!("counted at {place}"), &[], two, Some(place), 1400);
            // some length says that much is to come
            let mut long = data.clone();
            for (byte, much) in long[place..].iter_mut().zip([0, 0x0f, 0xff, 0xf0]) {
                *byte = much;
            }
            let zeros = [(*way, vec![0; 16])];
            add(format!("long at {place}"), &long, &zeros, None, 16);
        }
    }
    cases
}

fn chunks(mut bytes: &[u8]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    while let [direction, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (data, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        chunks.push((direction & 1 == 0, data.to_vec()));
        bytes = rest;
    }
    chunks
}

/// Runs a case until it has repeated so many bytes.
fn run(case: &Case<'_>, bytes: usize) -> Cost {
    let bytes = match case.segment_bytes_max {
        1 => bytes / 16,
        _ => bytes,
    };
    let mut line = Line::new(case.seed);
    let mut records = 0;
    let mut record = String::new();
    let mut log = |event: Event<'_>| {
        if let Event::Transaction(_, transaction) = event {
            record.clear();
            Object::write(&mut record, |object| {
                transaction.log(object, Setting::NOTHING);
            });
            records += 1;
        }
    };
    line.open(&mut log);
    for (way, data) in &case.first {
        line.say(*way, data, &mut log);
    }
    let again = frames(case, &mut line, bytes);
    let before = Heap::reset_peak();
    let start = worked();
    let mut counted = 0;
    for frame in &again {
        line.give(frame, &mut log);
        counted = counted.max(line.sensor.counters().stream_bytes);
    }
    let took = worked() - start;
    let after = Heap::now();
    Cost {
        name: case.name.clone(),
        bytes: again.iter().map(Vec::len).sum(),
        took,
        allocated: after.bytes - before.bytes,
        peak: after.peak - before.live,
        counted,
        records,
    }
}

/// The time that this thread has worked; what others do on the machine does not count.
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let ns = stat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(ns)
}

/// The repeated part, cut into segments.
fn frames(case: &Case<'_>, line: &mut Line, bytes: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let (mut made, mut number) = (0, 0_u16);
    let mut waiting: Vec<u8> = Vec::new();
    while made < bytes {
        for (way, data) in &case.again {
            let mut data = data.clone();
            if let Some(pair) = case
                .counted
                .and_then(|place| data.get_mut(place..place + 2))
            {
                pair.copy_from_slice(&number.to_be_bytes());
            }
            made += data.len().max(1);
            if case.seed.udp {
                frames.push(line.frame(*way, &data));
                continue;
            }
            waiting.extend(data);
            let is_alone = case.again.len() == 1;
            while waiting.len() >= case.segment_bytes_max || !is_alone && !waiting.is_empty() {
                let rest = waiting.split_off(case.segment_bytes_max.min(waiting.len()));
                frames.push(line.frame(*way, &waiting));
                waiting = rest;
            }
        }
        number = number.wrapping_add(1);
    }
    frames
}

/// A connection to a sensor.
struct Line {
    sensor: Sensor,
    udp: bool,
    ends: [SocketAddr; 2],
    next: [u32; 2],
    ts_ns: u64,
}

impl Line {
    fn new(seed: &Seed) -> Self {
        Self {
            sensor: Sensor::new(seeds::config()),
            udp: seed.udp,
            ends: [
                ([192, 0, 2, 1], 40_000).into(),
                ([198, 51, 100, 2], seed.port).into(),
            ],
            next: [1000, 5000],
            ts_ns: 1_700_000_000_000_000_000,
        }
    }

    fn open(&mut self, log: &mut dyn FnMut(Event<'_>)) {
        if self.udp {
            return;
        }
        for (way, flags) in [(true, flag::SYN), (false, flag::SYN | flag::ACK)] {
            let frame = self.segment(way, flags, &[]);
            self.give(&frame, log);
            self.next[usize::from(!way)] += 1;
        }
        let frame = self.segment(true, flag::ACK, &[]);
        self.give(&frame, log);
    }

    fn say(&mut self, way: bool, data: &[u8], log: &mut dyn FnMut(Event<'_>)) {
        for part in data.chunks(1400) {
            let frame = self.frame(way, part);
            self.give(&frame, log);
        }
    }

    fn frame(&mut self, way: bool, data: &[u8]) -> Vec<u8> {
        let [client, server] = self.ends;
        let (from, to) = if way {
            (client, server)
        } else {
            (server, client)
        };
        if self.udp {
            return udp(from, to, data);
        }
        let frame = self.segment(way, flag::ACK | flag::PSH, data);
        let next = &mut self.next[usize::from(!way)];
        *next = next.wrapping_add(u32::try_from(data.len()).unwrap());
        frame
    }

    fn segment(&self, way: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [client, server] = self.ends;
        let (from, to) = if way {
            (client, server)
        } else {
            (server, client)
        };
        let segment = Segment {
            seq: self.next[usize::from(!way)],
            ack: if flags & flag::ACK == 0 {
                0
            } else {
                self.next[usize::from(way)]
            },
            flags,
            timestamp: None,
            payload,
        };
        tcp(from, to, &segment)
    }

    fn give(&mut self, data: &[u8], log: &mut dyn FnMut(Event<'_>)) {
        self.ts_ns += 1000;
        let frame = Frame {
            ts_ns: self.ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len: u32::try_from(data.len()).unwrap(),
            way: Way::Unknown,
        };
        self.sensor.packet(&frame, log);
    }
}
