//! Messages from datagrams, and from a stream, where `Content-Length` says how long a body is (RFC
//! 3261 section 18.3).

use super::message::{Message, Start, content_length, headers_len, split_line};
use super::probe::probe;
use super::sdp::Sdp;
use crate::applayer::records::{Found, Framed, RECORD_BYTES_MAX, Record, Records, Size};
use crate::applayer::{AppLayer, Context, Next};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser::default()))
}

#[derive(Debug, Default)]
struct Parser {
    fronts: [Front; 2],
}

/// What is known of the message in front of one direction.
#[derive(Debug, Default, Clone, Copy)]
struct Front {
    /// Bytes that hold no end of the headers.
    searched: usize,
    /// Lengths of head and body, once the head is there.
    lens: Option<(usize, usize)>,
    is_too_large: bool,
}

impl Records for Parser {
    /// Blanks between messages count as a record, too.
    fn size(&mut self, direction: Direction, data: &[u8]) -> Size {
        let blank = data.len().saturating_sub(data.trim_ascii_start().len());
        if blank > 0 {
            return Size::Bytes(blank);
        }
        let front = self.front(direction);
        let Some((head, body)) = front.lens(data) else {
            front.searched = data.len().saturating_sub(4);
            front.is_too_large = data.len() > RECORD_BYTES_MAX;
            return match front.is_too_large {
                true => Size::Bad,
                false => Size::Unsure,
            };
        };
        match split_line(data).and_then(|(line, _)| Start::parse(line)) {
            Some(_) => Size::Bytes(head.saturating_add(body)),
            None => Size::Bad,
        }
    }

    /// Of a long body the beginning is enough.
    fn wanted(&self, direction: Direction, _: &[u8], len: usize) -> usize {
        let front = self.fronts.get(direction.at());
        let lens = front.and_then(|front| front.lens);
        lens.map_or(len, |(head, body)| {
            head.saturating_add(body.min(RECORD_BYTES_MAX))
        })
    }

    fn find(&self, direction: Direction, data: &[u8]) -> Found {
        Found::by(probe(Proto::Tcp, direction, data))
    }

    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next {
        let front = std::mem::take(self.front(direction));
        if let Some((head, body)) = front.lens {
            let (head, rest) = record.bytes.split_at_checked(head).unwrap_or_default();
            let body = rest.get(..body.min(RECORD_BYTES_MAX)).unwrap_or(rest);
            message(cx, direction, head, body, record.ts_ns);
        }
        Next::More
    }

    fn datagram(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let data = data.trim_ascii_start();
        // what keeps bindings of address translators alive
        if data.len() > KEEPALIVE_MAX {
            let len = headers_len(data).unwrap_or(data.len());
            let (head, body) = data.split_at_checked(len).unwrap_or((data, &[]));
            cx.record_begins(data.len());
            message(cx, direction, head, body, cx.ts_ns);
        }
        Next::More
    }

    fn torn(&mut self, _: &mut Context<'_, '_>, direction: Direction, _: Record<'_>) {
        *self.front(direction) = Front::default();
    }

    fn bad(&mut self, cx: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        match std::mem::take(self.front(direction)).is_too_large {
            true => cx.too_large("invalid_data"),
            false => cx.anomaly("invalid_data"),
        }
        Next::More
    }
}

impl Parser {
    fn front(&mut self, direction: Direction) -> &mut Front {
        let [to_server, to_client] = &mut self.fronts;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }
}

impl Front {
    /// Lengths of head and body.
    fn lens(&mut self, data: &[u8]) -> Option<(usize, usize)> {
        if self.lens.is_none() {
            let len = self.head_len(data)?;
            let (head, rest) = data.split_at_checked(len)?;
            // where its length is missing, a body that begins as one is taken as far as it is there
            let there = if rest.starts_with(b"v=0") {
                rest.len()
            } else {
                0
            };
            let told = content_length(head);
            let body = told.map_or(there, |len| usize::try_from(len).unwrap_or(usize::MAX));
            self.lens = Some((len, body));
        }
        self.lens
    }

    /// Length of the head, if its end is there; what was searched before is not searched again.
    fn head_len(&self, data: &[u8]) -> Option<usize> {
        let unsearched = data.get(self.searched..)?;
        // the search must begin at the start of a line
        let from = match memchr::memrchr(b'\n', data.get(..self.searched)?) {
            Some(end) => end.saturating_add(1),
            None => 0,
        };
        memchr::memchr(b'\n', unsearched)?;
        headers_len(data.get(from..)?).map(|len| len.saturating_add(from))
    }
}

/// Yields a message.
fn message(cx: &mut Context<'_, '_>, direction: Direction, head: &[u8], body: &[u8], ts_ns: u64) {
    cx.frame("pdu", 0, head.len().saturating_add(body.len()));
    let (line, headers) = split_line(head).unwrap_or((head, &[]));
    let Some(start) = Start::parse(line) else {
        return cx.anomaly("invalid_data");
    };
    let id = cx.transaction_id();
    let (in_line, in_headers, in_body) = match start {
        Start::Request { .. } => ("request.line", "request.headers", "request.body"),
        Start::Response { .. } => ("response.line", "response.headers", "response.body"),
    };
    let line_len = head.len().saturating_sub(headers.len());
    let text = headers.strip_suffix(b"\n").unwrap_or(headers);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    cx.frame_in(id, in_line, 0, line_len);
    cx.frame_in(id, in_headers, line_len, text.len());
    if !body.is_empty() {
        cx.frame_in(id, in_body, head.len(), body.len());
    }
    let message = Message {
        id,
        first_ts_ns: ts_ns,
        direction,
        start,
        line: line.to_vec(),
        headers: headers.to_vec(),
        sdp: Sdp::parse(body),
    };
    cx.transaction(&message);
}

/// Longest datagram that is no message, bytes.
const KEEPALIVE_MAX: usize = 4;
