//! Frames: decoders, tunnels, fragments, flows and streams together, records included.
//!
//! An input is a byte that chooses the link type, then frames, each `seconds since the one before
//! (1 byte) | length (2 bytes, big-endian) | data`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use packet::eve::{Now, Output, Recorder};
use packet::{Config, Frame, LinkType, Sensor, Way, settings::Settings};

const LINKS: [u32; 12] = [1, 101, 0, 9, 104, 108, 113, 147, 228, 229, 276, 778];

fuzz_target!(|data: &[u8]| {
    let Some((choice, mut data)) = data.split_first() else {
        return;
    };
    let choice = usize::from(*choice);
    let link = LinkType::from_code(LINKS[choice % LINKS.len()]);
    let mut sensor = Sensor::new(CONFIGS[choice / 128].clone());
    let mut recorder = Recorder::new(vec![Output::all("-")]);
    let mut now = Now::default();
    let mut written = 0;
    let mut emit = |_: usize, line: &str| written += line.len();
    while let [seconds, high, low, rest @ ..] = data {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        data = rest;
        now = Now {
            ts_ns: now.ts_ns + u64::from(*seconds) * 1_000_000_000 + 1000,
            packet: now.packet + 1,
        };
        let frame = Frame {
            ts_ns: now.ts_ns,
            link,
            data: bytes,
            wire_len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            way: Way::Unknown,
        };
        sensor.packet(&frame, &mut |event| recorder.event(&event, now, &mut emit));
    }
    sensor.finish(&mut |event| recorder.event(&event, now, &mut emit));
});

/// As a shield has it, and as other sensors, with every tunnel looked for.
static CONFIGS: LazyLock<[Config; 2]> = LazyLock::new(|| {
    let settings = "decoder: {vxlan: {enabled: true}, geneve: {enabled: true}, \
        teredo: {enabled: true}, esp: {enabled: true}}\nstream: {midstream: yes}";
    let settings = Settings::parse(settings).expect("settings");
    let shield = Config {
        verify_checksums: true,
        ..Config::default()
    };
    [shield, Config::from_settings(&settings)]
});
