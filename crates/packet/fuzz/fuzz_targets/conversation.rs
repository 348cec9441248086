//! A conversation over TCP and over UDP, from frames to records, all protocols asked. The input's
//! length chooses the port and how TCP cuts it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use packet::eve::{Now, Output, Recorder};
use packet::{Config, Frame, LinkType, Sensor, Way, settings::Settings};
use testkit::{
    capture::Frames,
    conversation::{Conversation, Plan},
};

/// Ports that tell a protocol where its first bytes do not.
const PORTS: [u16; 12] = [8080, 53, 67, 69, 88, 123, 161, 389, 443, 500, 502, 44818];
/// Most bytes of an input that TCP cuts into bytes.
const SLOW_BYTES_MAX: usize = 512;

fuzz_target!(|data: &[u8]| {
    let talk = Conversation::read(data);
    let seed = data.len();
    let port = PORTS[seed % PORTS.len()];
    let segment_bytes_max = match seed / 16 % 4 {
        0 if seed < SLOW_BYTES_MAX => 1,
        1 => 7,
        2 => 64,
        _ => 1400,
    };
    let plan = Plan {
        segment_bytes_max,
        twice: seed / 64 % 4 == 1,
        swapped: seed / 256 % 4 == 1,
        ..Plan::WHOLE
    };
    let config = &CONFIGS[seed % 2];
    run(config, &talk.tcp(port, plan));
    run(config, &talk.udp(port));
});

fn run(config: &Config, frames: &Frames) {
    let mut sensor = Sensor::new(config.clone());
    let mut recorder = Recorder::new(vec![Output::all("-")]);
    let mut now = Now::default();
    let mut written = 0;
    let mut emit = |_: usize, line: &str| written += line.len();
    for (ts_ns, data) in frames.iter() {
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            way: Way::Unknown,
        };
        now = Now {
            ts_ns,
            packet: now.packet + 1,
        };
        sensor.packet(&frame, &mut |event| recorder.event(&event, now, &mut emit));
    }
    sensor.finish(&mut |event| recorder.event(&event, now, &mut emit));
}

/// As a shield has it, and as other sensors.
static CONFIGS: LazyLock<[Config; 2]> = LazyLock::new(|| {
    let settings = "app-layer: {protocols: {template: {enabled: yes}}}";
    let settings = Settings::parse(settings).expect("settings");
    let shield = Config {
        apps: packet::applayer::Options::from_settings(&settings),
        ..Config::default()
    };
    [shield, Config::from_settings(&settings)]
});
