//! Fragments of a few IPv4 and IPv6 packets, in any order and overlap.
//!
//! An input is fragments of 4 bytes: `packet, version and more to come | place in units of 8 bytes |
//! length (2 bytes)`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use packet::{Config, Frame, LinkType, Sensor, Way, settings::Settings};

fuzz_target!(|data: &[u8]| {
    let mut sensor = Sensor::new(CONFIG.clone());
    for (at, fragment) in data.chunks_exact(4).enumerate() {
        let &[kind, place, high, low] = fragment else {
            return;
        };
        let more = kind & 2 != 0;
        let far = if kind & 4 != 0 { 32 } else { 1 };
        let place = u16::from(place) * far;
        let len = usize::from(u16::from_be_bytes([high & 0x07, low]));
        let id = kind >> 4;
        let data = match kind & 1 {
            0 => v4(id, more, place, len),
            _ => v6(id, more, place, len),
        };
        sensor.packet(
            &Frame {
                ts_ns: at as u64 * 500_000_000,
                link: LinkType::Raw,
                data: &data,
                wire_len: data.len() as u32,
                way: Way::Unknown,
            },
            &mut |_| {},
        );
        let defrag = &sensor.counters().defrag;
        assert!(defrag.bytes <= CONFIG.defrag.bytes_max);
        assert!(defrag.fragments <= CONFIG.defrag.fragments_max);
    }
    sensor.finish(&mut |_| {});
    let defrag = &sensor.counters().defrag;
    assert_eq!((defrag.bytes, defrag.fragments), (0, 0));
});

const UDP: u8 = 17;
const FRAGMENT: u8 = 44;

fn v4(id: u8, more: bool, place: u16, len: usize) -> Vec<u8> {
    let total = u16::try_from(20 + len).expect("short");
    let place = place & 0x1fff | u16::from(more) << 13;
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, id]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, UDP, 0, 0, 192, 0, 2, 1, 198, 51, 100, id & 3]);
    packet.extend((0..len).map(|at| at as u8 ^ id));
    packet
}

fn v6(id: u8, more: bool, place: u16, len: usize) -> Vec<u8> {
    let payload_len = u16::try_from(8 + len).expect("short");
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(payload_len.to_be_bytes());
    packet.extend([FRAGMENT, 64]);
    packet.extend([0x20; 16]);
    packet.extend([0x21; 15]);
    packet.push(id & 3);
    packet.extend([UDP, 0]);
    packet.extend((place << 3 | u16::from(more)).to_be_bytes());
    packet.extend([0, 0, 0, id]);
    packet.extend((0..len).map(|at| at as u8 ^ id));
    packet
}

/// Bounds that are easily reached; each host reads overlaps in its own way.
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let settings = "defrag: {trackers: 4, max-frags: 24, memcap: 16kb, timeout: 10}\n\
        host-os-policy: {linux: [198.51.100.1], solaris: [198.51.100.2], \
        windows: [198.51.100.3], old-linux: [\"2121::/16\"]}";
    let settings = Settings::parse(settings).expect("settings");
    Config::from_settings(&settings)
});
