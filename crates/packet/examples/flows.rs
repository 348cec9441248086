//! What an idle TCP flow costs: resident memory of a sensor that holds so many of them.
//!
//! `cargo run --release -p packet --example flows -- [FLOWS]...`; without numbers, 250,000 and
//! 1,000,000. Each line is the number of flows and the bytes of memory that each took.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring tool around a crate that does no I/O"
)]

use std::error::Error;
use std::net::Ipv4Addr;

use packet::{Config, Frame, LinkType, Sensor, Way};

fn main() -> Result<(), Box<dyn Error>> {
    let mut counts = std::env::args()
        .skip(1)
        .map(|argument| argument.parse())
        .collect::<Result<Vec<u32>, _>>()?;
    if counts.is_empty() {
        counts = vec![250_000, 1_000_000];
    }
    for flows in counts {
        let before = resident_bytes()?;
        let sensor = filled(flows);
        let bytes = resident_bytes()?.saturating_sub(before);
        let open = u64::try_from(sensor.open_flows())?;
        println!("{open} {}", bytes.checked_div(open).unwrap_or(0));
    }
    Ok(())
}

/// A sensor that has seen so many handshakes, and nothing after them.
fn filled(flows: u32) -> Sensor {
    let mut sensor = Sensor::new(Config {
        flows_max: usize::try_from(flows).unwrap_or(usize::MAX),
        ..Config::default()
    });
    for number in 0..flows {
        let client = Ipv4Addr::from_bits(0x0a00_0000_u32.wrapping_add(number));
        let server = Ipv4Addr::new(192, 0, 2, 1);
        for (from_client, flags, seq, ack) in [
            (true, SYN, 1000, 0),
            (false, SYN | ACK, 2000, 1001),
            (true, ACK, 1001, 2001),
        ] {
            let (src, dst, ports) = match from_client {
                true => (client, server, [40_000, 443]),
                false => (server, client, [443, 40_000]),
            };
            let data = segment(src, dst, ports, (flags, seq, ack));
            let frame = Frame {
                ts_ns: 1_700_000_000_000_000_000_u64.saturating_add(u64::from(number)),
                link: LinkType::Ipv4,
                data: &data,
                wire_len: 40,
                way: Way::Unknown,
            };
            sensor.packet(&frame, &mut |_| {});
        }
    }
    sensor
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// An IPv4 packet with a TCP segment without payload.
fn segment(
    src: Ipv4Addr,
    dst: Ipv4Addr,
    [src_port, dst_port]: [u16; 2],
    (flags, seq, ack): (u8, u32, u32),
) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0];
    packet.extend(src.octets());
    packet.extend(dst.octets());
    packet.extend(src_port.to_be_bytes());
    packet.extend(dst_port.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend(ack.to_be_bytes());
    packet.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    packet
}

/// Resident memory of this process (proc(5), `statm`), bytes.
fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("statm is short")?.parse()?;
    Ok(pages.saturating_mul(4096))
}
