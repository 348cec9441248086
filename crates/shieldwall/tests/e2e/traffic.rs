//! Traffic of a small place with one server, made frame by frame.

use std::net::SocketAddr;

use testkit::capture::{Frames, Segment, flag};

/// The server of the place.
const SERVER: &str = "203.0.113.10";
/// Between two frames.
const STEP_NS: u64 = 1_000_000;

/// A capture in the making.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    frames: Frames,
    now_ns: u64,
    port: u16,
}

impl Traffic {
    /// A client's whole HTTP sessions, each with a connection of its own.
    pub(crate) fn benign_sessions(&mut self, client: &str, count: u16) {
        for _ in 0..count {
            let payloads: [&[u8]; 2] = [
                b"GET /index.html HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n",
            ];
            self.connection(client, 80, payloads);
        }
    }

    /// One HTTP session of a client that sends this.
    pub(crate) fn request(&mut self, client: &str, request: &[u8]) {
        let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        self.connection(client, 80, [request, answer]);
    }

    /// Completed handshakes with many services, and not a byte of payload: a proven scan.
    pub(crate) fn connect_scan(&mut self, scanner: &str) {
        for port in [21, 22, 25, 80, 110, 143, 443, 993] {
            self.connection(scanner, port, [b"", b""]);
        }
    }

    /// The capture file.
    pub(crate) fn pcap(&self) -> Vec<u8> {
        self.frames.pcap()
    }

    /// A connection from the first SYN to the last acknowledgement.
    fn connection(&mut self, client: &str, service: u16, [asked, answered]: [&[u8]; 2]) {
        self.port += 1;
        let client = SocketAddr::new(client.parse().unwrap(), 40_000 + self.port);
        let server = SocketAddr::new(SERVER.parse().unwrap(), service);
        let mut ends = [(client, 1_000_u32), (server, 9_000)];
        let fin = flag::FIN | flag::ACK;
        let steps: [(usize, u8, &[u8]); 9] = [
            (0, flag::SYN, b""),
            (1, flag::SYN | flag::ACK, b""),
            (0, flag::ACK, b""),
            (0, flag::PSH | flag::ACK, asked),
            (1, flag::PSH | flag::ACK, answered),
            (0, flag::ACK, b""),
            (0, fin, b""),
            (1, fin, b""),
            (0, flag::ACK, b""),
        ];
        for (from, flags, payload) in steps {
            if flags & flag::PSH != 0 && payload.is_empty() {
                continue;
            }
            let to = 1 - from;
            let ack = if flags == flag::SYN { 0 } else { ends[to].1 };
            let segment = Segment {
                seq: ends[from].1,
                ack,
                flags,
                timestamp: None,
                payload,
            };
            self.now_ns += STEP_NS;
            self.frames
                .tcp(self.now_ns, ends[from].0, ends[to].0, &segment);
            let control = u32::from(flags & (flag::SYN | flag::FIN) != 0);
            ends[from].1 += u32::try_from(payload.len()).unwrap() + control;
        }
    }
}
