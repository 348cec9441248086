//! Real captures: nothing panics, nothing is left behind, every flow begins and ends once.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

use std::collections::{BTreeMap, HashSet};
use std::process::{Command, Stdio};

use common::{captures, replay, shared};
use packet::{AppProto, Config, Event, FlowId};

#[test]
fn every_capture_replays() {
    let Some(folder) = shared("every_capture_replays", "vectors/shield/pcaps") else {
        return;
    };
    let paths = captures(&folder);
    assert!(
        paths.len() > 100,
        "{} captures in {}",
        paths.len(),
        folder.display()
    );
    let (mut packets, mut unread) = (0, 0);
    let mut transactions = BTreeMap::new();
    for path in &paths {
        let mut book = Book::default();
        let done = replay(path, Config::default(), PACKETS_MAX, &mut |event| {
            if let Event::Transaction(_, transaction) = event {
                *transactions.entry(transaction.app().name()).or_insert(0) += 1;
            }
            book.note(event);
        });
        book.check(&path.display().to_string());
        assert_eq!(
            (done.open_flows, done.counters.stream_bytes),
            (0, 0),
            "{}",
            path.display()
        );
        packets += done.packets;
        unread += usize::from(done.error.is_some());
        if let Some(error) = done.error {
            println!("{}: {error}", path.display());
        }
    }
    println!(
        "{} captures, {packets} packets, transactions {transactions:?}",
        paths.len()
    );
    assert!(
        unread * 100 < paths.len(),
        "{unread} of {} captures cannot be read",
        paths.len()
    );
    for app in [AppProto::Dns, AppProto::Http, AppProto::Tls] {
        assert!(
            transactions[app.name()] > 50,
            "{}: {transactions:?}",
            app.name()
        );
    }
}

#[test]
fn a_mixed_capture_replays_in_bounds() {
    let name = "a_mixed_capture_replays_in_bounds";
    let Some(packed) = shared(name, "bench/mixed.pcap.zst") else {
        return;
    };
    let unpack = Command::new("zstd")
        .arg("-dcq")
        .arg(&packed)
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut unpack) = unpack else {
        println!("SKIPPED {name}: there is no zstd command");
        return;
    };
    let mut sensor = packet::Sensor::new(Config {
        flows_max: 500,
        ..Config::default()
    });
    let mut reader = packet::pcap::Reader::new(unpack.stdout.take().unwrap()).unwrap();
    let mut book = Book::default();
    for _ in 0..PACKETS_MAX {
        let Some(frame) = reader.next().unwrap() else {
            break;
        };
        sensor.packet(&frame, &mut |event| book.note(event));
        assert!(sensor.open_flows() <= 500);
    }
    unpack.kill().unwrap();
    unpack.wait().unwrap();
    assert!(
        sensor.counters().flows_evicted > 0,
        "the bound was never hit"
    );
    sensor.finish(&mut |event| book.note(event));
    book.check("mixed");
    println!("{:?}", sensor.counters());
}

/// Enough to go through most captures, and few enough for an unoptimised build.
const PACKETS_MAX: usize = 40_000;

/// Which flows began and ended.
#[derive(Default)]
struct Book {
    open: HashSet<FlowId>,
    ended: usize,
    wrong: Vec<String>,
}

impl Book {
    fn note(&mut self, event: Event<'_>) {
        let (id, sound) = match event {
            Event::Packet(_)
            | Event::Arp(_)
            | Event::Inspect(_)
            | Event::Progress(..)
            | Event::Stream(..) => return,
            Event::FlowStart(flow) => (flow.id, self.open.insert(flow.id)),
            Event::FlowEnd(flow, _) => {
                self.ended += 1;
                (flow.id, self.open.remove(&flow.id))
            }
            Event::Anomaly(None, _) => return,
            Event::Attempt(flow, _)
            | Event::Exchanged(flow)
            | Event::Proven(flow)
            | Event::Closed(flow, _)
            | Event::File(flow, ..)
            | Event::FileData(flow, ..)
            | Event::AppFrame(flow, _)
            | Event::Transaction(flow, _)
            | Event::Anomaly(Some(flow), _) => (flow.id, self.open.contains(&flow.id)),
        };
        if !sound {
            self.wrong.push(format!("{id:?}: {event:?}"));
        }
    }

    fn check(&self, capture: &str) {
        assert!(self.wrong.is_empty(), "{capture}: {:?}", self.wrong);
        assert!(
            self.open.is_empty(),
            "{capture}: {} flows never ended",
            self.open.len()
        );
    }
}
