//! A conversation over TCP and over UDP. The first byte chooses the port and how TCP cuts it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packet::{Config, Frame, LinkType, Sensor, Way, settings::Settings};
use testkit::{
    capture::Frames,
    conversation::{Conversation, Plan},
};

/// Ports that tell a protocol where its first bytes do not.
const PORTS: [u16; 12] = [8080, 53, 67, 69, 88, 123, 161, 389, 443, 500, 502, 44818];

fuzz_target!(|data: &[u8]| {
    let talk = Conversation::read(data);
    let seed = data.len();
    let port = PORTS[seed % PORTS.len()];
    let plan = Plan {
        segment_bytes_max: [1400, 1, 7, 64][seed / 16 % 4],
        ..Plan::WHOLE
    };
    run(&talk.tcp(port, plan));
    run(&talk.udp(port));
});

fn run(frames: &Frames) {
    let settings = Settings::parse("app-layer: {protocols: {template: {enabled: yes}}}");
    let mut sensor = Sensor::new(Config::from_settings(&settings.unwrap_or_default()));
    for (ts_ns, data) in frames.iter() {
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            way: Way::Unknown,
        };
        sensor.packet(&frame, &mut |_| {});
    }
    sensor.finish(&mut |_| {});
}
