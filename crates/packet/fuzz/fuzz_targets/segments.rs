//! Segments of one TCP connection with any flags and numbers.
//!
//! An input is a byte that chooses the configuration, then segments of 6 bytes: `sender and what is
//! odd | flags | sequence number | acknowledgement | length (2 bytes)`; numbers stand relative to
//! where the connection is. What stands at a sequence number is always the same, so that segments
//! say different things about the same bytes only where they are told to.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use packet::{Config, Frame, LinkType, Sensor, Way, settings::Settings};

/// What the sides say, again and again; a length that divides that of the number space.
const STREAM_BYTES: usize = 64;
const STREAMS: [&[u8; STREAM_BYTES]; 2] = [
    b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nCookie: a=1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nServer: example/1\r\nContent-Length: 5\r\n\r\nhello\r\n",
];

const URG: u8 = 0x20;

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let config = &CONFIGS[usize::from(*choice) % CONFIGS.len()];
    let mut sensor = Sensor::new(config.clone());
    let mut next = [0_u32, 1 << 31];
    let mut is_honest = true;
    for (at, segment) in data.chunks_exact(6).enumerate() {
        let &[kind, flags, seq, ack, high, low] = segment else {
            return;
        };
        let from = usize::from(kind & 1);
        let far = if kind & 2 != 0 { 1 << 24 } else { 1 };
        let lies = kind & 4 != 0;
        let seq = next[from].wrapping_add_signed(i32::from(seq as i8) * far);
        let ack = next[1 - from].wrapping_add_signed(i32::from(ack as i8));
        let len = usize::from(u16::from_be_bytes([high & 0x03, low]));
        is_honest &= !lies && flags & URG == 0;
        let frame = frame(from, (seq, ack, flags), len, lies);
        let counted = u32::from(flags & 3 != 0);
        next[from] = seq.wrapping_add(len as u32).wrapping_add(counted);
        sensor.packet(
            &Frame {
                ts_ns: at as u64 * 1_000_000,
                link: LinkType::Raw,
                data: &frame,
                wire_len: frame.len() as u32,
                way: Way::Unknown,
            },
            &mut |_| {},
        );
    }
    sensor.finish(&mut |_| {});
    assert!(!is_honest || sensor.counters().overlaps_different == 0);
    assert_eq!(sensor.counters().stream_bytes, 0);
});

fn frame(from: usize, (seq, ack, flags): (u32, u32, u8), len: usize, lies: bool) -> Vec<u8> {
    let ends = [([192, 0, 2, 1], 40_000_u16), ([198, 51, 100, 2], 80)];
    let (source, target) = (ends[from], ends[1 - from]);
    let total = u16::try_from(40 + len).expect("short");
    let mut frame = vec![0x45, 0];
    frame.extend(total.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 6, 0, 0]);
    frame.extend(source.0);
    frame.extend(target.0);
    frame.extend(source.1.to_be_bytes());
    frame.extend(target.1.to_be_bytes());
    frame.extend(seq.to_be_bytes());
    frame.extend(ack.to_be_bytes());
    frame.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 3]);
    let syn = usize::from(flags >> 1 & 1);
    let start = (seq as usize + syn) % STREAM_BYTES;
    let bytes = STREAMS[from].iter().cycle().skip(start).take(len);
    frame.extend(bytes.map(|byte| if lies { byte ^ 0x20 } else { *byte }));
    frame
}

/// A shield beside the path, one in it, other sensors beside it and in it.
static CONFIGS: LazyLock<[Config; 4]> = LazyLock::new(|| {
    let settings = Settings::parse("stream: {midstream: yes}").expect("settings");
    let field = Config::from_settings(&settings);
    let inline = |config: &Config| Config {
        inline: true,
        segments_max: 8,
        segment_bytes_max: 4096,
        ..config.clone()
    };
    let shield = Config::default();
    [inline(&shield), inline(&field), shield, field]
});
