//! Captures that are cut and whose bits are flipped: whatever is left of them, the sensor and the
//! recorder come to an end and stay within their bounds.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
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
    let (cuts, seeds) = match std::env::var_os("SHIELDWALL_LONG") {
        Some(_) => (usize::MAX, 100),
        None => (4, 1),
    };
    let settings = Settings::parse("stream: {midstream: yes}").unwrap();
    let configs = [Config::default(), Config::from_settings(&settings)];
    for (number, path) in captures(&folder).iter().enumerate() {
        let config = &configs[number % 2];
        let bytes = std::fs::read(path).unwrap();
        let front = &bytes[..bytes.len().min(BYTES_MAX)];
        // each byte of a capture is read again for each cut: a whole number of megabytes each
        let budget = (256 << 20) / front.len().max(1);
        let cuts = cuts.min(budget).min(front.len() / 7).max(1);
        let step = (front.len() / 7 / cuts).max(1) * 7;
        for end in (0..front.len()).step_by(step) {
            run(&front[..end], config);
        }
        for seed in 0..seeds {
            let mut flipped = front.to_vec();
            flip(&mut flipped, seed);
            run(&flipped, config);
        }
    }
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
