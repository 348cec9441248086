//! A conversation of a client and a server without its packets: seeds of fuzzers, and what parsers
//! are tested with. As packets it is cut, lost and doubled in any way.
//!
//! A file is a sequence of chunks, each `direction (0 to server, 1 to client) | length (2 bytes,
//! big-endian) | data`. Any bytes are a conversation: what is odd in a fuzzer's input is read as
//! well as can be.

use std::net::{Ipv4Addr, SocketAddr};

use crate::capture::{Frames, Segment, flag};

/// What client and server say, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    chunks: Vec<(bool, Vec<u8>)>,
}

/// How a conversation becomes TCP segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Most bytes of a segment.
    pub segment_bytes_max: usize,
    /// The data segment that is lost, by its number.
    pub lost: Option<usize>,
    /// Each data segment comes twice.
    pub twice: bool,
    /// Each two data segments of one direction come in the wrong order.
    pub swapped: bool,
}

impl Plan {
    /// As sent, in large segments.
    pub const WHOLE: Self = Self {
        segment_bytes_max: 1400,
        lost: None,
        twice: false,
        swapped: false,
    };
}

impl Conversation {
    /// Reads a file.
    #[must_use]
    pub fn read(mut bytes: &[u8]) -> Self {
        let mut chunks = Vec::new();
        while let [direction, high, low, rest @ ..] = bytes {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let (data, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            chunks.push((direction & 1 == 0, data.to_vec()));
            bytes = rest;
        }
        Self { chunks }
    }

    /// As datagrams to a port.
    #[must_use]
    pub fn udp(&self, port: u16) -> Frames {
        let mut frames = Frames::default();
        let mut at_ns = START_NS;
        for (forward, data) in &self.chunks {
            let (from, to) = ends(*forward, port);
            frames.udp(at_ns, from, to, data);
            at_ns = at_ns.saturating_add(STEP_NS);
        }
        frames
    }

    /// As a TCP connection to a port, from SYN to FIN.
    #[must_use]
    pub fn tcp(&self, port: u16, plan: Plan) -> Frames {
        let mut line = Line {
            frames: Frames::default(),
            at_ns: START_NS,
            next: [1_000, u32::MAX - 500],
            port,
        };
        line.segment(true, flag::SYN, &[]);
        line.segment(false, flag::SYN | flag::ACK, &[]);
        line.segment(true, flag::ACK, &[]);
        let pieces = self.pieces(plan.segment_bytes_max);
        let mut at = 0_usize;
        while let Some(first) = pieces.get(at) {
            let second = pieces.get(at.saturating_add(1));
            match second.filter(|second| plan.swapped && second.0 == first.0) {
                Some(second) => {
                    let seq = line.next;
                    line.skip(first.0, first.1.len());
                    line.data(second.0, second.1, plan, at.saturating_add(1));
                    let after = std::mem::replace(&mut line.next, seq);
                    line.data(first.0, first.1, plan, at);
                    line.next = after;
                    at = at.saturating_add(2);
                }
                None => {
                    line.data(first.0, first.1, plan, at);
                    at = at.saturating_add(1);
                }
            }
        }
        for forward in [true, false] {
            line.segment(!forward, flag::ACK, &[]);
            line.segment(forward, flag::FIN | flag::ACK, &[]);
        }
        line.segment(true, flag::ACK, &[]);
        line.frames
    }

    /// How many data segments a plan makes.
    #[must_use]
    pub fn segments(&self, plan: Plan) -> usize {
        self.pieces(plan.segment_bytes_max).len()
    }

    fn pieces(&self, bytes_max: usize) -> Vec<(bool, &[u8])> {
        let chunks = self.chunks.iter();
        let pieces = chunks.flat_map(|(forward, data)| {
            data.chunks(bytes_max.max(1)).map(|piece| (*forward, piece))
        });
        pieces.collect()
    }
}

/// A connection being written.
struct Line {
    frames: Frames,
    at_ns: u64,
    /// Next sequence numbers of client and server.
    next: [u32; 2],
    port: u16,
}

impl Line {
    fn data(&mut self, forward: bool, data: &[u8], plan: Plan, number: usize) {
        let before = self.next;
        if plan.lost == Some(number) {
            self.skip(forward, data.len());
            return;
        }
        self.segment(forward, flag::ACK | flag::PSH, data);
        if plan.twice {
            self.next = before;
            self.segment(forward, flag::ACK | flag::PSH, data);
        }
    }

    fn segment(&mut self, forward: bool, flags: u8, payload: &[u8]) {
        let [client, server] = self.next;
        let (seq, ack) = if forward {
            (client, server)
        } else {
            (server, client)
        };
        let (from, to) = ends(forward, self.port);
        let segment = Segment {
            seq,
            ack: if flags & flag::ACK == 0 { 0 } else { ack },
            flags,
            timestamp: None,
            payload,
        };
        self.frames.tcp(self.at_ns, from, to, &segment);
        self.at_ns = self.at_ns.saturating_add(STEP_NS);
        let counted = usize::from(flags & (flag::SYN | flag::FIN) != 0);
        self.skip(forward, payload.len().saturating_add(counted));
    }

    fn skip(&mut self, forward: bool, len: usize) {
        let [client, server] = &mut self.next;
        let next = if forward { client } else { server };
        *next = next.wrapping_add(u32::try_from(len).unwrap_or(u32::MAX));
    }
}

fn ends(forward: bool, port: u16) -> (SocketAddr, SocketAddr) {
    let client = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 40_000));
    let server = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 2), port));
    if forward {
        (client, server)
    } else {
        (server, client)
    }
}

const START_NS: u64 = 1_700_000_000_000_000_000;
const STEP_NS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_a_conversation() {
        let read = Conversation::read(&[0, 0, 2, b'h', b'i', 3, 0, 9, b'x']);
        let chunks = vec![(true, b"hi".to_vec()), (false, b"x".to_vec())];
        assert_eq!(read, Conversation { chunks });
        assert_eq!(Conversation::read(&[0, 1]), Conversation::default());
    }

    #[test]
    fn segments_are_cut_and_lost_by_plan() {
        let talk = Conversation::read(&[0, 0, 4, 1, 2, 3, 4, 1, 0, 1, 5]);
        let plan = Plan {
            segment_bytes_max: 3,
            ..Plan::WHOLE
        };
        assert_eq!((talk.segments(Plan::WHOLE), talk.segments(plan)), (2, 3));
        let frames = |plan| talk.tcp(80, plan).iter().count();
        let lost = Plan {
            lost: Some(1),
            ..plan
        };
        let twice = Plan {
            twice: true,
            ..plan
        };
        assert_eq!([frames(plan), frames(lost), frames(twice)], [11, 10, 14]);
    }
}
