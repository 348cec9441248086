//! Finds requests and responses in the two streams of a connection and pairs them.

use std::collections::VecDeque;

use super::body::Body;
use super::head::{Head, StartLine};
use super::side::{Side, State, Step};
use super::transaction::{Phase, Transaction};
use crate::applayer::{AppLayer, Context, Next};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

#[derive(Debug, Default)]
struct Parser {
    requests: Side,
    responses: Side,
    /// Requests that wait for their response; the first is the one that a response in progress
    /// belongs to.
    pending: VecDeque<Pending>,
    /// Number of the request whose body is coming.
    latest: u64,
    /// A response without a request we know of is in progress.
    discard: bool,
    /// Responses that will come to requests given up.
    skip: usize,
    /// A gap hid messages: which response belongs to which request is not known any more.
    unpaired: bool,
}

#[derive(Debug)]
struct Pending {
    number: u64,
    transaction: Transaction,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let mut used = 0_usize;
        while let Some(rest) = data.get(used..).filter(|rest| !rest.is_empty()) {
            let step = self.side(direction).step(cx, direction, rest);
            used = used.saturating_add(step.used());
            let next = match step {
                Step::Head(head, ts_ns, _) => match direction {
                    Direction::ToServer => self.request(cx, head, ts_ns),
                    Direction::ToClient => self.response(cx, head, ts_ns),
                },
                Step::Body { len, over, .. } => self.body(cx, direction, len, over),
                Step::Lost(_) => self.lose(cx),
                Step::Wait(_) => Next::More,
            };
            match next {
                Next::More => {}
                Next::Done | Next::Error => return next,
                Next::Redetect(_) => return Next::Redetect(used),
            }
        }
        Next::More
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        let side = self.side(direction);
        let was_lost = side.is_lost();
        match side.gap(len) {
            Some(over) => self.body(cx, direction, len, over),
            None if was_lost => Next::More,
            None => self.lose(cx),
        }
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        if let Some((head, ts_ns)) = self.requests.unfinished_head(StartLine::Request) {
            self.request(cx, head, ts_ns);
        }
        self.complete_all(cx);
    }

    fn buffered(&self) -> usize {
        let kept = self
            .requests
            .buffered()
            .saturating_add(self.responses.buffered());
        self.pending.iter().fold(kept, |sum, pending| {
            sum.saturating_add(pending.transaction.size())
        })
    }
}

impl Parser {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.requests,
            Direction::ToClient => &mut self.responses,
        }
    }

    fn request(&mut self, cx: &mut Context<'_, '_>, head: Head, ts_ns: u64) -> Next {
        let (body, damage) = Body::of_request(&head);
        if let Some(name) = damage {
            cx.anomaly(name);
        }
        self.requests.state = State::after_head(body);
        let transaction = new_transaction(cx, ts_ns, Some(head));
        cx.transaction(&transaction);
        if self.unpaired {
            complete(cx, transaction);
            return Next::More;
        }
        if self.pending.len() >= cx.config.pending_max {
            self.give_up_oldest(cx);
        }
        self.latest = self.latest.wrapping_add(1);
        self.pending.push_back(Pending {
            number: self.latest,
            transaction,
        });
        Next::More
    }

    /// The oldest request will not get its response: but one that is half here stays.
    fn give_up_oldest(&mut self, cx: &mut Context<'_, '_>) {
        cx.counters.pending_max_hit = cx.counters.pending_max_hit.saturating_add(1);
        let half_here = self
            .pending
            .front()
            .is_some_and(|front| front.transaction.response.is_some());
        if let Some(given_up) = self.pending.remove(usize::from(half_here)) {
            self.skip = self.skip.saturating_add(1);
            complete(cx, given_up.transaction);
        }
    }

    fn response(&mut self, cx: &mut Context<'_, '_>, head: Head, ts_ns: u64) -> Next {
        let Some(status) = status_of(&head) else {
            cx.anomaly("http.response_status_invalid");
            return self.lose_responses(cx);
        };
        if matches!(status, 100..200) && status != SWITCHING_PROTOCOLS {
            return Next::More;
        }
        self.discard = self.skip > 0;
        if self.discard {
            self.skip = self.skip.saturating_sub(1);
        } else if self.pending.is_empty() {
            let transaction = new_transaction(cx, ts_ns, None);
            self.pending.push_back(Pending {
                number: 0,
                transaction,
            });
        }
        let front = self.pending.front_mut().filter(|_| !self.discard);
        let method = front
            .as_ref()
            .map_or(&b""[..], |front| front.transaction.method());
        let (to_head, to_connect) = (method == b"HEAD", method == b"CONNECT");
        let (body, damage) = Body::of_response(&head, status, to_head);
        if let Some(name) = damage {
            cx.anomaly(name);
        }
        if let Some(front) = front {
            front.transaction.status = Some(status);
            front.transaction.response = Some(head);
        }
        if to_connect && matches!(status, 200..300) {
            self.complete_all(cx);
            return Next::Redetect(0);
        }
        if status == SWITCHING_PROTOCOLS {
            self.complete_all(cx);
            return Next::Done;
        }
        self.responses.state = State::after_head(body);
        if body == Body::Length(0) {
            self.response_over(cx);
        }
        Next::More
    }

    /// Counts bytes of a body; `over` when they are its last.
    fn body(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        len: u64,
        over: bool,
    ) -> Next {
        match direction {
            Direction::ToServer => {
                let latest = self.latest;
                if let Some(back) = self.pending.back_mut().filter(|back| back.number == latest) {
                    let sum = &mut back.transaction.request_len;
                    *sum = sum.saturating_add(len);
                }
            }
            Direction::ToClient => {
                if let Some(front) = self.pending.front_mut().filter(|_| !self.discard) {
                    let sum = &mut front.transaction.response_len;
                    *sum = sum.saturating_add(len);
                }
                if over {
                    self.response_over(cx);
                }
            }
        }
        Next::More
    }

    fn response_over(&mut self, cx: &mut Context<'_, '_>) {
        if std::mem::take(&mut self.discard) {
            return;
        }
        if let Some(pending) = self.pending.pop_front() {
            complete(cx, pending.transaction);
        }
    }

    fn lose_responses(&mut self, cx: &mut Context<'_, '_>) -> Next {
        self.responses.state = State::Lost;
        self.lose(cx)
    }

    /// From here on nobody knows which response answers which request.
    fn lose(&mut self, cx: &mut Context<'_, '_>) -> Next {
        self.unpaired = true;
        self.complete_all(cx);
        Next::More
    }

    fn complete_all(&mut self, cx: &mut Context<'_, '_>) {
        (self.skip, self.discard) = (0, false);
        while let Some(pending) = self.pending.pop_front() {
            complete(cx, pending.transaction);
        }
    }
}

fn new_transaction(
    cx: &mut Context<'_, '_>,
    first_ts_ns: u64,
    request: Option<Head>,
) -> Transaction {
    let tuple = cx.flow().tuple;
    Transaction {
        first_ts_ns,
        tx_id: cx.transaction_id(),
        phase: Phase::Request,
        status: None,
        request_len: 0,
        response_len: 0,
        request,
        response: None,
        server: (tuple.dst, tuple.dst_port),
    }
}

fn complete(cx: &mut Context<'_, '_>, mut transaction: Transaction) {
    transaction.phase = Phase::Complete;
    cx.transaction(&transaction);
}

fn status_of(head: &Head) -> Option<u16> {
    let code = std::str::from_utf8(head.start_part(1).bytes).ok()?;
    code.parse()
        .ok()
        .filter(|status| (100..1000).contains(status))
}

const SWITCHING_PROTOCOLS: u16 = 101;
#[cfg(test)]
mod tests;
