//! What several test files use: the shared folder of captures, and running a sensor over a file.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::fs::File;
use std::path::{Path, PathBuf};

use packet::{Config, Counters, Event, Sensor, pcap};

/// A file or folder of captures that are shared between checkouts; says so and gives `None` when it
/// is absent.
pub(crate) fn shared(test: &str, path: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("SHIELDWALL_SHARED").map_or(beside, PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("SKIPPED {test}: {} is absent", found.display());
    None
}

/// Captures in a folder.
pub(crate) fn captures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut captures: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|e| e == "pcap" || e == "pcapng")
        })
        .collect();
    captures.sort();
    captures
}

/// What a replay came to.
pub(crate) struct Replay {
    pub(crate) packets: usize,
    pub(crate) counters: Counters,
    pub(crate) open_flows: usize,
    pub(crate) error: Option<pcap::PcapError>,
}

/// Runs a sensor over at most `packets_max` packets of a capture.
pub(crate) fn replay(
    path: &Path,
    config: Config,
    packets_max: usize,
    each: &mut dyn FnMut(Event<'_>),
) -> Replay {
    let mut sensor = Sensor::new(config);
    let mut packets = 0;
    let error = match pcap::Reader::new(File::open(path).unwrap()) {
        Err(error) => Some(error),
        Ok(mut reader) => loop {
            if packets >= packets_max {
                break None;
            }
            match reader.next() {
                Ok(Some(frame)) => sensor.packet(&frame, each),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
            packets += 1;
        },
    };
    sensor.finish(each);
    let (counters, open_flows) = (*sensor.counters(), sensor.open_flows());
    Replay {
        packets,
        counters,
        open_flows,
        error,
    }
}
