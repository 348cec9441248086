//! A capture file: container, decoders, fragments, flows, streams and parsers together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packet::{Config, Sensor, pcap::Reader};

fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = Reader::new(data) else {
        return;
    };
    let mut sensor = Sensor::new(Config::default());
    while let Ok(Some(frame)) = reader.next() {
        sensor.packet(&frame, &mut |_| {});
    }
    sensor.finish(&mut |_| {});
});
