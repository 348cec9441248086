//! One direction of a connection: heads and bodies in turn.

use super::body::Body;
use super::head::{Head, StartLine, starts_with_http};
use super::probe::{probe_request, probe_response};
use crate::applayer::{Context, Probe};
use crate::flow::Direction;

#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) state: State,
    /// The front of a head that is not complete yet.
    kept: Vec<u8>,
    /// Time of the packet that the first byte of `kept` came with.
    ts_ns: u64,
    /// Offset in the stream of the next byte.
    offset: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
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

/// What some bytes came to; each variant ends with how many bytes it used.
#[derive(Debug)]
pub(super) enum Step {
    /// A whole head, and the time of its first byte.
    Head(Head, u64, usize),
    /// So many bytes of a body.
    Body { len: u64, over: bool, used: usize },
    /// Where the next message begins is not known any more.
    Lost(usize),
    /// More bytes are needed.
    Wait(usize),
}

impl Step {
    pub(super) fn used(&self) -> usize {
        match self {
            Self::Head(_, _, used)
            | Self::Body { used, .. }
            | Self::Lost(used)
            | Self::Wait(used) => *used,
        }
    }
}

impl Side {
    pub(super) fn buffered(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Takes the next bytes, at least one of them.
    pub(super) fn step(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
    ) -> Step {
        if self.state == State::Lost && begins_message(direction, data) {
            self.state = State::Head;
        }
        let step = match &mut self.state {
            State::Lost => Step::Wait(data.len()),
            State::Head => self.head(cx, direction, data),
            State::Body(body) => {
                let skipped = body.skip(data);
                if skipped.broken {
                    cx.anomaly("http.invalid_chunk_size");
                    self.lost(skipped.used)
                } else {
                    if skipped.over {
                        self.state = State::Head;
                    }
                    Step::Body {
                        len: skipped.body,
                        over: skipped.over,
                        used: skipped.used,
                    }
                }
            }
        };
        self.offset = self.offset.saturating_add(to_u64(step.used()));
        step
    }

    /// Takes a gap; tells whether a body is over with it, or `None` when the place in the stream is
    /// lost.
    pub(super) fn gap(&mut self, len: u64) -> Option<bool> {
        self.offset = self.offset.saturating_add(len);
        if let State::Body(body) = &mut self.state
            && body.skip_gap(len)
        {
            let over = *body == Body::Length(0);
            if over {
                self.state = State::Head;
            }
            return Some(over);
        }
        self.lost(0);
        None
    }

    /// The head that the connection ended in, if its start line is whole.
    pub(super) fn unfinished_head(&mut self, kind: StartLine) -> Option<(Head, u64)> {
        let kept = std::mem::take(&mut self.kept);
        memchr::memchr(b'\n', &kept)?;
        let offset = self.offset.saturating_sub(to_u64(kept.len()));
        Some((Head::parse(&kept, kind, offset), self.ts_ns))
    }

    fn head(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Step {
        if !self.kept.is_empty() {
            return self.kept_head(cx, direction, data);
        }
        // empty lines before a start line are to be passed over (RFC 9112 section 2.2)
        let blanks = data
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        if blanks > 0 {
            return Step::Wait(blanks);
        }
        if !can_begin_message(direction, data) {
            cx.anomaly(invalid(direction));
            return self.lost(data.len());
        }
        self.ts_ns = cx.ts_ns;
        match end_of_head(data, 0) {
            Some(end) => {
                let raw = data.get(..end).unwrap_or_default();
                self.whole_head(cx, direction, raw, self.offset, end)
            }
            None => {
                self.kept.extend_from_slice(data);
                self.wait(cx, data.len())
            }
        }
    }

    /// The next part of a head whose front is kept.
    fn kept_head(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Step {
        let before = self.kept.len();
        // the end of a head has three bytes at most
        let from = before.saturating_sub(2);
        self.kept.extend_from_slice(data);
        let Some(end) = end_of_head(&self.kept, from) else {
            return self.wait(cx, data.len());
        };
        let kept = std::mem::take(&mut self.kept);
        let raw = kept.get(..end).unwrap_or_default();
        let offset = self.offset.saturating_sub(to_u64(before));
        self.whole_head(cx, direction, raw, offset, end.saturating_sub(before))
    }

    fn whole_head(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        raw: &[u8],
        offset: u64,
        used: usize,
    ) -> Step {
        let (kind, plausible) = match direction {
            Direction::ToServer => {
                let method = raw
                    .iter()
                    .take_while(|byte| byte.is_ascii_graphic())
                    .count();
                let blank = raw.get(method).is_some_and(u8::is_ascii_whitespace);
                (StartLine::Request, method > 0 && blank)
            }
            Direction::ToClient => (StartLine::Status, starts_with_http(raw)),
        };
        if plausible {
            return Step::Head(Head::parse(raw, kind, offset), self.ts_ns, used);
        }
        cx.anomaly(invalid(direction));
        self.lost(used)
    }

    fn wait(&mut self, cx: &mut Context<'_, '_>, used: usize) -> Step {
        if self.kept.len() > cx.config.head_bytes_max {
            cx.too_large("http.head_too_large");
            return self.lost(used);
        }
        Step::Wait(used)
    }

    fn lost(&mut self, used: usize) -> Step {
        self.kept = Vec::new();
        self.state = State::Lost;
        Step::Lost(used)
    }
}

fn begins_message(direction: Direction, data: &[u8]) -> bool {
    match direction {
        Direction::ToServer => probe_request(data) == Probe::Certain,
        Direction::ToClient => starts_with_http(data),
    }
}

/// Whether these bytes can be the first of a message: what is none is not to be kept.
fn can_begin_message(direction: Direction, data: &[u8]) -> bool {
    match direction {
        Direction::ToServer => data.first().is_some_and(u8::is_ascii_graphic),
        Direction::ToClient => probe_response(data) != Probe::No,
    }
}

fn invalid(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "http.request_line_invalid",
        Direction::ToClient => "http.response_line_invalid",
    }
}

/// Where the first empty line at or behind `from` ends.
fn end_of_head(data: &[u8], from: usize) -> Option<usize> {
    let rest = data.get(from..)?;
    memchr::memchr_iter(b'\n', rest).find_map(|at| {
        let after = from.checked_add(at)?.checked_add(1)?;
        match data.get(after..)? {
            [b'\n', ..] => after.checked_add(1),
            [b'\r', b'\n', ..] => after.checked_add(2),
            _ => None,
        }
    })
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
