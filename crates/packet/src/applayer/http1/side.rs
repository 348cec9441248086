//! One direction of a connection: heads and bodies in turn.

use super::body::{Body, Chunk};
use super::head::{Head, StartLine, starts_with_http};
use super::lines::{Scan, Start, end_of_head, end_of_response_head, is_void, response_start};
use super::probe::{is_known_method, probe_request};
use crate::applayer::{Context, Probe};
use crate::flow::Direction;

#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) state: State,
    /// The front of a head that is not complete yet.
    kept: Vec<u8>,
    /// Where in `kept` the search for the end of a response's head goes on.
    scanned: usize,
    /// Time of the packet that the first byte of `kept` came with.
    ts_ns: u64,
    /// The first line of the head in `kept` was told of.
    line_told: bool,
    /// Offset in the stream of the next byte.
    offset: u64,
    /// The trailer of a chunked body.
    trailer: Vec<u8>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// A head comes next.
    #[default]
    Head,
    Body(Body),
    /// Where the next message begins is not known.
    Lost,
}

impl State {
    pub(super) fn after_head(body: Body) -> Self {
        if body == Body::Length(0) {
            Self::Head
        } else {
            Self::Body(body)
        }
    }
}

/// What some bytes came to.
#[derive(Debug)]
pub(super) struct Step<'d> {
    pub(super) kind: Kind<'d>,
    /// How many of the bytes given it used.
    pub(super) used: usize,
}

#[derive(Debug)]
pub(super) enum Kind<'d> {
    /// A whole head, and the time of its first byte.
    Head(Head, u64),
    /// A body without a head, with its front that was kept.
    Headless(Vec<u8>),
    /// Bytes of a body.
    Body {
        content: &'d [u8],
        /// Bytes of the trailer.
        trailer: usize,
        over: bool,
        broken: bool,
        extension: bool,
    },
    /// Where the next message begins is not known any more.
    Lost,
    /// More bytes are needed.
    Wait,
}

impl Side {
    pub(super) fn buffered(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Whether a chunked body is between its chunks.
    pub(super) fn awaits_chunk(&self) -> bool {
        matches!(
            self.state,
            State::Body(Body::Chunked(Chunk::Size { .. } | Chunk::DataEnd))
        )
    }

    /// Takes the next bytes, at least one of them.
    pub(super) fn step<'d>(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &'d [u8],
    ) -> Step<'d> {
        if self.state == State::Lost && begins_message(direction, data) {
            self.state = State::Head;
        }
        let step = match &mut self.state {
            State::Lost => wait(data.len()),
            State::Head => self.head(cx, direction, data),
            State::Body(body) => {
                let taken = body.take(data);
                if taken.over {
                    self.state = State::Head;
                }
                let room = TRAILER_BYTES_MAX.saturating_sub(self.trailer.len());
                let start = taken.used.saturating_sub(taken.trailer);
                let trailer = data.get(start..taken.used).unwrap_or_default();
                let trailer = trailer.get(..room.min(trailer.len()));
                self.trailer.extend_from_slice(trailer.unwrap_or_default());
                Step {
                    kind: Kind::Body {
                        content: taken.content,
                        trailer: taken.trailer,
                        over: taken.over,
                        broken: taken.broken,
                        extension: taken.extension,
                    },
                    used: taken.used,
                }
            }
        };
        self.offset = self.offset.saturating_add(to_u64(step.used));
        step
    }

    /// Takes a gap; tells how much of a body it took and whether that is over with it, or `None`
    /// when the place in the stream is lost.
    pub(super) fn gap(&mut self, len: u64) -> Option<(u64, bool)> {
        self.offset = self.offset.saturating_add(len);
        if let State::Body(body) = &mut self.state
            && let left = body.left().unwrap_or(len)
            && body.skip_gap(len)
        {
            let over = *body == Body::Length(0);
            if over {
                self.state = State::Head;
            }
            return Some((len.min(left), over));
        }
        self.lost(0);
        None
    }

    /// The head that the connection ended in, if its start line is whole, or enough of it for a
    /// server to answer.
    pub(super) fn unfinished_head(&mut self, kind: StartLine) -> Option<(Head, u64)> {
        let kept = std::mem::take(&mut self.kept);
        let method = kept.split(|byte| *byte == b' ').next().unwrap_or_default();
        let is_simple = kind == StartLine::Request
            && is_known_method(method)
            && kept.len() > method.len().saturating_add(1);
        if !is_simple {
            memchr::memchr(b'\n', &kept)?;
        }
        let offset = self.offset.saturating_sub(to_u64(kept.len()));
        let start = match kind {
            StartLine::Request => 0,
            StartLine::Status => match response_start(&kept) {
                Start::At(start) => start,
                Start::Unsure | Start::Nowhere => return None,
            },
        };
        let kept = kept.get(start..)?;
        Some((Head::parse(kept, kind, offset), self.ts_ns))
    }

    /// The first line of a head that is not complete, and the time of its first byte; once for each
    /// head.
    pub(super) fn first_line(&mut self, kind: StartLine) -> Option<(Head, u64)> {
        let start = match kind {
            _ if self.line_told => return None,
            StartLine::Request => 0,
            StartLine::Status => match response_start(&self.kept) {
                Start::At(start) => start,
                Start::Unsure | Start::Nowhere => return None,
            },
        };
        let kept = self.kept.get(start..)?;
        let end = memchr::memchr(b'\n', kept)?.checked_add(1)?;
        self.line_told = true;
        Some((Head::parse(kept.get(..end)?, kind, self.offset), self.ts_ns))
    }

    /// The trailer of the chunked body that is over.
    pub(super) fn take_trailer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.trailer)
    }

    /// Bytes behind a response that are no other response are more of its body: lines of them, or
    /// all that comes if there is none. Whether there are any.
    pub(super) fn take_for_body(&mut self, after: &[u8]) -> bool {
        let mut len = 0_usize;
        loop {
            let rest = after.get(len..).unwrap_or_default();
            let front = rest.get(..5.min(rest.len())).unwrap_or_default();
            if b"HTTP/".starts_with(front.to_ascii_uppercase().as_slice()) {
                break;
            }
            let Some(line) = memchr::memchr(b'\n', rest) else {
                self.state = State::Body(Body::UntilClose);
                return true;
            };
            len = len.saturating_add(line).saturating_add(1);
        }
        if len > 0 {
            self.state = State::Body(Body::Length(to_u64(len)));
        }
        len > 0
    }

    /// What came in place of a response's head, of which nobody can tell any more that it is one.
    pub(super) fn unfinished_junk(&mut self) -> Option<Vec<u8>> {
        let is_head = matches!(response_start(&self.kept), Start::At(_));
        let junk = (!is_head && !self.kept.is_empty()).then(|| std::mem::take(&mut self.kept));
        junk.filter(|junk| !junk.iter().all(|byte| is_void(*byte)))
    }

    /// Whether the unfinished head of a request has a start line without a version: servers do not
    /// wait for more of it.
    pub(super) fn lacks_version(&self) -> bool {
        let line = memchr::memchr(b'\n', &self.kept).and_then(|end| self.kept.get(..end));
        line.is_some_and(|line| {
            let last = line.trim_ascii_end().rsplit(|byte| is_void(*byte)).next();
            !last.is_some_and(starts_with_http)
        })
    }

    fn head<'d>(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &'d [u8],
    ) -> Step<'d> {
        if self.kept.is_empty() {
            // empty lines before a start line are to be passed over (RFC 9112 section 2.2)
            let blanks = data.iter().take_while(|byte| is_void(**byte)).count();
            let blanks = match direction {
                Direction::ToServer => blanks,
                Direction::ToClient if blanks == data.len() => blanks,
                Direction::ToClient => 0,
            };
            if blanks > 0 {
                return wait(blanks);
            }
            self.ts_ns = cx.ts_ns;
            self.line_told = false;
        }
        match direction {
            Direction::ToServer => self.request_head(cx, data),
            Direction::ToClient => self.response_head(cx, data),
        }
    }

    fn request_head<'d>(&mut self, cx: &mut Context<'_, '_>, data: &'d [u8]) -> Step<'d> {
        let before = self.kept.len();
        if before == 0 {
            if !self.can_begin_request(data) {
                cx.anomaly_in_next("REQUEST_LINE_INVALID");
                return self.lost(data.len());
            }
            // most heads come whole and are taken where they lie
            if let Some(end) = end_of_head(data, 0).or_else(|| end_of_simple_request(data)) {
                let raw = data.get(..end).unwrap_or_default();
                return self.whole_request(cx, raw, 0, end);
            }
        }
        self.kept.extend_from_slice(data);
        // the end of a head has three bytes at most
        let from = before.saturating_sub(3);
        let end = end_of_head(&self.kept, from).or_else(|| end_of_simple_request(&self.kept));
        let Some(end) = end else {
            return self.wait(cx, data.len());
        };
        let kept = std::mem::take(&mut self.kept);
        let raw = kept.get(..end).unwrap_or_default();
        self.whole_request(cx, raw, before, end.saturating_sub(before))
    }

    /// At the front of a connection that is HTTP by its other side, anything is a request: servers
    /// answer the oddest ones.
    fn can_begin_request(&self, data: &[u8]) -> bool {
        self.offset == 0 || data.first().is_some_and(u8::is_ascii_graphic)
    }

    fn whole_request<'d>(
        &mut self,
        cx: &mut Context<'_, '_>,
        raw: &[u8],
        before: usize,
        used: usize,
    ) -> Step<'d> {
        let offset = self.offset.saturating_sub(to_u64(before));
        let method = raw.iter().take_while(|byte| byte.is_ascii_graphic());
        let method = method.count();
        let blank = raw.get(method).is_some_and(u8::is_ascii_whitespace);
        if offset == 0 || method > 0 && blank {
            let head = Head::parse(raw, StartLine::Request, offset);
            return Step {
                kind: Kind::Head(head, self.ts_ns),
                used,
            };
        }
        cx.anomaly_in_next("REQUEST_LINE_INVALID");
        self.lost(used)
    }

    fn response_head<'d>(&mut self, cx: &mut Context<'_, '_>, data: &'d [u8]) -> Step<'d> {
        let before = self.kept.len();
        if before == 0
            && let Start::At(start) = response_start(data)
            && let Scan::End(end) = end_of_response_head(data, start, start)
        {
            let raw = data.get(start..end).unwrap_or_default();
            let head = Head::parse(raw, StartLine::Status, self.offset);
            return Step {
                kind: Kind::Head(head, self.ts_ns),
                used: end,
            };
        }
        if before == 0 {
            self.scanned = 0;
        }
        self.kept.extend_from_slice(data);
        match response_start(&self.kept) {
            Start::Unsure => self.wait(cx, data.len()),
            Start::Nowhere => Step {
                kind: Kind::Headless(std::mem::take(&mut self.kept)),
                used: data.len(),
            },
            Start::At(start) => {
                let from = self.scanned.max(start);
                let end = match end_of_response_head(&self.kept, start, from) {
                    Scan::End(end) => end,
                    Scan::More(from) => {
                        self.scanned = from;
                        return self.wait(cx, data.len());
                    }
                };
                let kept = std::mem::take(&mut self.kept);
                let raw = kept.get(start..end).unwrap_or_default();
                let offset = self.offset.saturating_sub(to_u64(before));
                Step {
                    kind: Kind::Head(Head::parse(raw, StartLine::Status, offset), self.ts_ns),
                    used: end.saturating_sub(before),
                }
            }
        }
    }

    fn wait<'d>(&mut self, cx: &mut Context<'_, '_>, used: usize) -> Step<'d> {
        if self.kept.len() > cx.config.head_bytes_max {
            cx.too_large("http.head_too_large");
            return self.lost(used);
        }
        wait(used)
    }

    fn lost<'d>(&mut self, used: usize) -> Step<'d> {
        self.kept = Vec::new();
        self.state = State::Lost;
        Step {
            kind: Kind::Lost,
            used,
        }
    }
}

fn wait<'d>(used: usize) -> Step<'d> {
    Step {
        kind: Kind::Wait,
        used,
    }
}

fn begins_message(direction: Direction, data: &[u8]) -> bool {
    match direction {
        Direction::ToServer => probe_request(data) == Probe::Certain,
        Direction::ToClient => starts_with_http(data),
    }
}

/// HTTP/0.9: a known method and a target are a whole request, when nothing follows.
fn end_of_simple_request(data: &[u8]) -> Option<usize> {
    let line = data.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if memchr::memchr(b'\n', line).is_some() {
        return None;
    }
    let method = line.iter().position(|byte| matches!(byte, b' ' | b'\t'))?;
    let last = line.rsplit(|byte| *byte == b' ').next()?;
    (is_known_method(line.get(..method)?) && !starts_with_http(last)).then_some(data.len())
}

/// Most bytes of a trailer that are kept.
const TRAILER_BYTES_MAX: usize = 16 << 10;

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
