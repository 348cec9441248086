//! Captures that are cut and whose bits are flipped: whatever is left of them, the sensor and the
//! recorder come to an end and stay within their bounds.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

use common::{captures, shared};
use packet::eve::{Now, Output, Recorder};
use packet::settings::Settings;
use packet::{Config, Sensor, pcap::Reader};

/// Most bytes of a capture that are cut and flipped.
const BYTES_MAX: usize = 1 << 20;
/// Most memory that one small capture may hold in streams and heads.
const KEPT_BYTES_MAX: u64 = 64 << 20;

/// Runs a capture as far as it can be read, records included.
fn run(bytes: &[u8], config: &Config) {
    let Ok(mut reader) = Reader::new(bytes) else {
        return;
    };
    let mut sensor = Sensor::new(config.clone());
    let mut recorder = Recorder::new(vec![Output::all("-")]);
    let mut now = Now::default();
    let mut written = 0_usize;
    let mut emit = |_: usize, line: &str| written += line.len();
    while let Ok(Some(frame)) = reader.next() {
        now = Now {
            ts_ns: frame.ts_ns,
            packet: now.packet + 1,
        };
        sensor.packet(&frame, &mut |event| recorder.event(&event, now, &mut emit));
        assert!(sensor.counters().stream_bytes < KEPT_BYTES_MAX);
    }
    sensor.finish(&mut |event| recorder.event(&event, now, &mut emit));
}

#[test]
fn captures_cut_and_flipped_come_to_an_end() {
    let test = "captures_cut_and_flipped_come_to_an_end";
    let Some(folder) = shared(test, "vectors/shield/pcaps") else {
        return;
    };
    let (is_long, seeds) = match std::env::var_os("SHIELDWALL_LONG") {
        Some(_) => (true, 100),
        None => (false, 1),
    };
    let settings = Settings::parse("stream: {midstream: yes}").unwrap();
    let configs = [Config::default(), Config::from_settings(&settings)];
    for (number, path) in captures(&folder).iter().enumerate() {
        let config = &configs[number % 2];
        let bytes = std::fs::read(path).unwrap();
        let front = &bytes[..bytes.len().min(BYTES_MAX)];
        for end in cuts(front, is_long) {
            run(&front[..end], config);
        }
        for seed in 0..seeds {
            let mut flipped = front.to_vec();
            flip(&mut flipped, seed);
            run(&flipped, config);
        }
    }
}

/// Where a capture is cut: at every 7th byte, or at a few places. All cuts are read; of those that
/// leave the same frames one is run, since the sensor sees no difference.
fn cuts(front: &[u8], is_long: bool) -> Vec<usize> {
    let every = if is_long { 7 } else { front.len() / 4 + 1 };
    let ends = (0..front.len()).step_by(every);
    let mut cuts: Vec<_> = ends.map(|end| (frames(&front[..end]), end)).collect();
    cuts.dedup_by_key(|(frames, _)| *frames);
    cuts.into_iter().map(|(_, end)| end).collect()
}

/// Number of the frames that can be read, and their bytes.
fn frames(bytes: &[u8]) -> (usize, usize) {
    let mut found = (0, 0);
    let Ok(mut reader) = Reader::new(bytes) else {
        return found;
    };
    while let Ok(Some(frame)) = reader.next() {
        found = (found.0 + 1, found.1 + frame.data.len());
    }
    found
}

/// Flips one bit in each 300 bytes or so; the file's header stays.
fn flip(bytes: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut at = 24;
    loop {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at += usize::try_from(state % 600).unwrap();
        let Some(byte) = bytes.get_mut(at) else {
            return;
        };
        *byte ^= 1 << (state >> 32 & 7);
    }
}
