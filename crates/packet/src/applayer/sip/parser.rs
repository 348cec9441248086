//! Messages from datagrams, and from a stream, where `Content-Length` says how long a body is (RFC
//! 3261 section 18.3).

use super::message::{Message, Start, content_length, headers_len, split_line};
use super::probe::probe;
use super::sdp::Sdp;
use crate::applayer::buffer::Buffer;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(proto: Proto, _: &Config) -> Box<dyn AppLayer> {
    if proto == Proto::Tcp {
        Box::new(OverTcp::default())
    } else {
        Box::new(OverUdp)
    }
}

#[derive(Debug)]
struct OverUdp;

impl AppLayer for OverUdp {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let data = data.trim_ascii_start();
        // what keeps bindings of address translators alive
        if data.len() <= KEEPALIVE_MAX {
            return Next::More;
        }
        let len = headers_len(data).unwrap_or(data.len());
        let (head, body) = data.split_at_checked(len).unwrap_or((data, &[]));
        let ts_ns = cx.ts_ns;
        message(cx, direction, head, body, ts_ns);
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::More
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        0
    }
}

#[derive(Debug, Default)]
struct OverTcp {
    to_server: Side,
    to_client: Side,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    buffer: Buffer,
    /// Bytes of the front that hold no end of the headers.
    searched: usize,
    /// Lengths of head and body of the message in front, once its head is there.
    lens: Option<(usize, u64)>,
    /// It is not known where the next message begins.
    lost: bool,
}

impl AppLayer for OverTcp {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let side = self.side(direction);
        // behind what was missed, a message is known by what makes the first of a flow known
        if side.lost && probe(Proto::Tcp, direction, data) != Probe::Certain {
            return Next::More;
        }
        side.lost = false;
        side.data(cx, direction, data);
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        let side = self.side(direction);
        side.lost |= !side.buffer.gap(len);
        (side.searched, side.lens) = (0, None);
        Next::More
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        let (a, b) = (&self.to_server.buffer, &self.to_client.buffer);
        a.len().saturating_add(b.len())
    }
}

impl OverTcp {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

impl Side {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) {
        self.buffer.push(data, cx.ts_ns);
        loop {
            let front = self.buffer.front();
            let blank = front.len().saturating_sub(front.trim_ascii_start().len());
            if blank > 0 {
                self.buffer.consume(to_u64(blank));
                (self.searched, self.lens) = (0, None);
                continue;
            }
            if front.is_empty() {
                return;
            }
            let Some((head_len, body_len)) = self.lens() else {
                let kept = self.buffer.front().len();
                self.searched = kept.saturating_sub(4);
                if kept > cx.config.head_bytes_max {
                    self.give_up(cx);
                }
                return;
            };
            let front = self.buffer.front();
            let (head, rest) = front.split_at_checked(head_len).unwrap_or((front, &[]));
            let wanted = usize::try_from(body_len).unwrap_or(usize::MAX);
            let Some(body) = rest.get(..wanted.min(cx.config.head_bytes_max)) else {
                return;
            };
            let ts_ns = self.buffer.ts_ns();
            if !message(cx, direction, head, body, ts_ns) {
                self.lost = true;
                self.buffer = Buffer::default();
                return;
            }
            self.buffer
                .consume(to_u64(head_len).saturating_add(body_len));
            (self.searched, self.lens) = (0, None);
        }
    }

    /// Lengths of head and body.
    fn lens(&mut self) -> Option<(usize, u64)> {
        if self.lens.is_none() {
            let len = self.head_len()?;
            let (head, rest) = self.buffer.front().split_at_checked(len)?;
            // where its length is missing, a body that begins as one is taken as far as it is there
            let is_sdp = rest.starts_with(b"v=0");
            let there = if is_sdp { to_u64(rest.len()) } else { 0 };
            self.lens = Some((len, content_length(head).unwrap_or(there)));
        }
        self.lens
    }

    /// Length of the head, if its end is there; what was searched before is not searched again.
    fn head_len(&self) -> Option<usize> {
        let front = self.buffer.front();
        let unsearched = front.get(self.searched..)?;
        // the search must begin at the start of a line
        let from = match memchr::memrchr(b'\n', front.get(..self.searched)?) {
            Some(end) => end.saturating_add(1),
            None => 0,
        };
        let has_line = memchr::memchr(b'\n', unsearched).is_some();
        if !has_line {
            return None;
        }
        headers_len(front.get(from..)?).map(|len| len.saturating_add(from))
    }

    fn give_up(&mut self, cx: &mut Context<'_, '_>) {
        cx.too_large("invalid_data");
        self.buffer = Buffer::default();
        self.lost = true;
    }
}

/// Yields a message; whether it is one.
fn message(
    cx: &mut Context<'_, '_>,
    direction: Direction,
    head: &[u8],
    body: &[u8],
    ts_ns: u64,
) -> bool {
    let (line, headers) = split_line(head).unwrap_or((head, &[]));
    let Some(start) = Start::parse(line) else {
        cx.anomaly("invalid_data");
        return false;
    };
    let message = Message {
        id: cx.transaction_id(),
        first_ts_ns: ts_ns,
        direction,
        start,
        line: line.to_vec(),
        headers: headers.to_vec(),
        sdp: Sdp::parse(body),
    };
    cx.transaction(&message);
    true
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Longest datagram that is no message, bytes.
const KEEPALIVE_MAX: usize = 4;
