//! A million connections that are open at once: all handshakes, then all requests, then all
//! responses; none is closed.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use testkit::capture::{Segment, flag, pcap_head, pcap_record, tcp};

const FLOWS: u32 = 1_000_000;
const START_NS: u64 = 1_700_000_000_000_000_000;
/// Between two packets: the whole takes a minute, so that no flow is idle for long.
const STEP_NS: u64 = 10_000;
const CLIENT_SEQ: u32 = 1_000;
const SERVER_SEQ: u32 = 2_000_000_000;

/// What a flow's packets are, by wave: from the client, flags, payload.
type Wave = [(bool, u8, &'static [u8])];

const WAVES: [&Wave; 3] = [
    &[
        (true, flag::SYN, b""),
        (false, flag::SYN | flag::ACK, b""),
        (true, flag::ACK, b""),
    ],
    &[(true, flag::ACK | flag::PSH, REQUEST)],
    &[
        (false, flag::ACK | flag::PSH, RESPONSE),
        (true, flag::ACK, b""),
    ],
];
const REQUEST: &[u8] = b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nnothing to see";

pub(super) fn write(file: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(file)?);
    file.write_all(&pcap_head())?;
    let mut at_ns = START_NS;
    let mut record = Vec::new();
    let mut next = [CLIENT_SEQ, SERVER_SEQ];
    for wave in WAVES {
        let begin = next;
        for number in 0..FLOWS {
            next = begin;
            for (from_client, flags, payload) in wave {
                record.clear();
                let frame = frame(number, &mut next, (*from_client, *flags, payload));
                pcap_record(&mut record, at_ns, &frame);
                file.write_all(&record)?;
                at_ns = at_ns.saturating_add(STEP_NS);
            }
        }
    }
    file.flush()?;
    Ok(())
}

fn frame(number: u32, next: &mut [u32; 2], packet: (bool, u8, &[u8])) -> Vec<u8> {
    let (from_client, flags, payload) = packet;
    let [_, high, middle, low] = number.to_be_bytes();
    let port = 1024_u16.saturating_add(u16::from_be_bytes([middle, low]) % 60_000);
    let client = SocketAddr::from((Ipv4Addr::new(10, high, middle, low), port));
    let server = SocketAddr::from((Ipv4Addr::new(198, 51, 100, low), 80));
    let [client_seq, server_seq] = *next;
    let (from, to, seq, ack) = match from_client {
        true => (client, server, client_seq, server_seq),
        false => (server, client, server_seq, client_seq),
    };
    let segment = Segment {
        seq,
        ack: if flags & flag::ACK == 0 { 0 } else { ack },
        flags,
        timestamp: None,
        payload,
    };
    let counted = usize::from(flags & flag::SYN != 0).saturating_add(payload.len());
    let counted = u32::try_from(counted).unwrap_or(u32::MAX);
    let [client_next, server_next] = next;
    let sent = if from_client {
        client_next
    } else {
        server_next
    };
    *sent = sent.wrapping_add(counted);
    tcp(from, to, &segment)
}
