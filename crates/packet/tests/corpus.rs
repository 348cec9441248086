//! The seeds of the fuzzers, protocol by protocol: each is known for what it is, gives the same
//! records however its bytes are cut, doubled and reordered, says where bytes are missing, and
//! stops nothing however it is damaged.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "tests"
)]

#[path = "common/seeds.rs"]
mod seeds;

use packet::Event;
use packet::json::Object;
use packet::settings::Setting;
use seeds::{Seed, found, seeds};
use testkit::capture::Frames;
use testkit::conversation::{Conversation, Plan};

/// What a run came to.
#[derive(Debug, Default)]
struct Found {
    apps: Vec<&'static str>,
    records: Vec<String>,
    anomalies: Vec<&'static str>,
    gaps: u64,
}

impl Seed {
    fn run(&self, plan: Plan) -> Found {
        self.run_bytes(&self.bytes, plan)
    }

    fn run_bytes(&self, bytes: &[u8], plan: Plan) -> Found {
        let talk = Conversation::read(bytes);
        match self.udp {
            true => run(&talk.udp(self.port)),
            false => run(&talk.tcp(self.port, plan)),
        }
    }
}

fn run(frames: &Frames) -> Found {
    let mut found = Found::default();
    let mut note = |event: Event<'_>| match event {
        Event::Transaction(_, transaction) => {
            let mut record = String::new();
            Object::write(&mut record, |object| {
                transaction.log(object, Setting::NOTHING);
            });
            found.records.push(record);
        }
        Event::File(_, _, file) => {
            let (size, state) = (file.size, file.state);
            found
                .records
                .push(format!("file {size} {state:?} {:?}", file.sha256));
        }
        Event::FlowEnd(flow, _) => found.apps.push(match flow.app.name() {
            // what HTTP/2 becomes once it carries DNS
            "doh2" => "http2",
            name => name,
        }),
        Event::Anomaly(_, anomaly) => found.anomalies.push(anomaly.name()),
        Event::FileData(..)
        | Event::AppFrame(..)
        | Event::Inspect(_)
        | Event::Progress(..)
        | Event::Stream(..)
        | Event::FlowStart(_)
        | Event::Packet(_)
        | Event::Arp(_)
        | Event::Attempt(..)
        | Event::Exchanged(_)
        | Event::Proven(_)
        | Event::Closed(..) => {}
    };
    let sensor = seeds::run(frames, &mut note);
    found.gaps = sensor.counters().gaps;
    found
}

#[test]
fn every_protocol_has_a_seed_and_each_seed_is_its_protocol() {
    let seeds = seeds();
    for seed in &seeds {
        let found = seed.run(Plan::WHOLE);
        assert!(found.apps.contains(&seed.app()), "{}: {found:?}", seed.name);
    }
    for protocol in packet::applayer::PROTOCOLS {
        let has_seed = seeds.iter().any(|seed| seed.app() == protocol.name);
        assert!(has_seed, "fuzz/corpus has nothing for {}", protocol.name);
    }
}

#[test]
fn records_do_not_depend_on_how_the_bytes_are_cut() {
    for seed in seeds().iter().filter(|seed| !seed.udp) {
        let whole = seed.run(Plan::WHOLE);
        for segment_bytes_max in [1, 2, 3, 7, 64] {
            for (twice, swapped) in [(false, false), (true, false), (false, true), (true, true)] {
                let plan = Plan {
                    segment_bytes_max,
                    lost: None,
                    twice,
                    swapped,
                };
                let cut = seed.run(plan);
                assert_eq!(cut.records, whole.records, "{} {plan:?}", seed.name);
                assert_eq!(cut.apps, whole.apps, "{} {plan:?}", seed.name);
            }
        }
    }
}

#[test]
fn missing_bytes_are_declared() {
    for seed in seeds().iter().filter(|seed| !seed.udp) {
        let whole = seed.run(Plan::WHOLE);
        let plan = Plan {
            segment_bytes_max: 48,
            ..Plan::WHOLE
        };
        for lost in 0..Conversation::read(&seed.bytes).segments(plan) {
            let plan = Plan {
                lost: Some(lost),
                ..plan
            };
            let found = seed.run(plan);
            let mut anomalies = found.anomalies.iter();
            let is_declared = found.gaps > 0 || anomalies.any(|name| name.starts_with("stream."));
            let same = found.records == whole.records;
            assert!(is_declared || same, "{} {plan:?}: {found:?}", seed.name);
        }
    }
}

#[test]
fn damage_stops_nothing() {
    let rounds = match std::env::var_os("SHIELDWALL_LONG") {
        Some(_) => 20_000,
        None => 200,
    };
    for seed in seeds() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..rounds {
            let mut bytes = seed.bytes.clone();
            for _ in 0..=random.below(8) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = random.below(256).try_into().unwrap(),
                    2 => _ = bytes.remove(at),
                    _ => bytes.insert(at, 0xff),
                }
            }
            let plan = Plan {
                segment_bytes_max: 1 + random.below(200),
                ..Plan::WHOLE
            };
            seed.run_bytes(&bytes, plan);
        }
    }
}

#[test]
fn what_fuzzers_found_stops_nothing() {
    let plans = [1, 7, 1400].map(|segment_bytes_max| Plan {
        segment_bytes_max,
        ..Plan::WHOLE
    });
    for bytes in found() {
        let talk = Conversation::read(&bytes);
        for port in [PORT, 53] {
            run(&talk.udp(port));
        }
        for plan in plans {
            run(&talk.tcp(PORT, plan));
        }
    }
}

const PORT: u16 = 8080;

/// Numbers that are the same in each run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap() % bound.max(1)
    }
}
