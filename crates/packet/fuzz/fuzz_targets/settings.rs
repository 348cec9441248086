//! Settings as an operator may bring them, and a sensor that works under them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packet::eve::{Now, Output, Recorder};
use packet::{Config, Frame, LinkType, Sensor, Way, settings::Settings};
use testkit::conversation::{Conversation, Plan};

/// A request and its response.
const TALK: &[u8] = b"\0\0\x1dGET / HTTP/1.1\r\nHost: a.b\r\n\r\n\
    \x01\0\x2aHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(settings) = Settings::parse(text) else {
        return;
    };
    let mut sensor = Sensor::new(Config::from_settings(&settings));
    let mut recorder = Recorder::new(Output::from_settings(&settings));
    let mut written = 0;
    let mut emit = |_: usize, line: &str| written += line.len();
    let mut now = Now::default();
    for (ts_ns, data) in Conversation::read(TALK).tcp(80, Plan::WHOLE).iter() {
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
});
