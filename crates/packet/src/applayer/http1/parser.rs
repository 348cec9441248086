//! Finds requests and responses in the two streams of a connection and pairs them.

use std::collections::VecDeque;

use super::body::Body;
use super::content::Content;
use super::events;
use super::head::{Head, StartLine};
use super::pending::{Pending, Untold};
use super::side::{Kind, Side, State};
use super::status::{Switch, is_interim, status_of, switch_of};
use super::transaction::{Transaction, new_transaction};
use crate::applayer::{AppLayer, AppProto, Context, Next, http2, websocket};
use crate::file::FileState;
use crate::flow::{Direction, Proto};
use crate::sensor::{Config, Part};

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

#[derive(Debug, Default)]
struct Parser {
    requests: Side,
    responses: Side,
    /// Requests that wait for their response; the first is the one that a response in progress
    /// belongs to. Boxed: an idle connection keeps their places.
    pending: VecDeque<Box<Pending>>,
    /// Number of the request whose body is coming.
    latest: u64,
    /// A response without a request we know of is in progress.
    discard: bool,
    /// Responses that will come to requests given up.
    skip: usize,
    /// Exchanges told of, with files still to tell of.
    untold: Vec<Untold>,
    /// What follows is of a protocol that is not known.
    tunnel: bool,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        if self.tunnel {
            return Next::More;
        }
        let mut used = 0_usize;
        while let Some(rest) = data.get(used..).filter(|rest| !rest.is_empty()) {
            let step = self.side(direction).step(cx, direction, rest);
            used = used.saturating_add(step.used);
            let after = rest.get(step.used..).unwrap_or_default();
            let kind = frame_kind(direction);
            let next = match step.kind {
                Kind::Head(head, ts_ns) => {
                    cx.record_begins(after.len().saturating_add(head.wire_len()));
                    let next = match direction {
                        Direction::ToServer => self.request(cx, head, ts_ns),
                        Direction::ToClient => self.response(cx, head, ts_ns, after),
                    };
                    if self.side(direction).state == State::Head {
                        cx.frame_ends(kind, after.len());
                    }
                    next
                }
                Kind::Headless(front) => self.headless(cx, &front),
                Kind::Body {
                    content,
                    trailer,
                    over,
                    broken,
                    extension,
                } => {
                    let tx_id = self
                        .carrier(direction)
                        .map_or(0, |carrier| carrier.transaction.tx_id);
                    events::body(cx, tx_id, direction, (broken, extension));
                    let was_to_end = over;
                    let over = over && self.is_over(cx, direction, after);
                    let mut sent = step.used.saturating_sub(trailer);
                    if broken {
                        // the line that is no chunk size counts as such, and as body
                        sent = sent.saturating_add(first_line_len(after));
                    }
                    if over {
                        cx.frame_ends(kind, after.len());
                    }
                    let next = self.body(cx, direction, content, sent, over);
                    if was_to_end && !over {
                        self.end_coded(cx);
                    }
                    next
                }
                Kind::Lost => self.lose(cx, direction),
                Kind::Wait => {
                    if cx.config.inspect {
                        self.tell_line(cx, direction);
                    }
                    Next::More
                }
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
        if self.tunnel {
            return Next::More;
        }
        let side = self.side(direction);
        let was_lost = side.is_lost();
        match side.gap(len) {
            Some((len, over)) => self.body_gap(cx, direction, len, over),
            None if was_lost => Next::More,
            None => {
                cx.anomaly("INVALID_GAP");
                self.lose(cx, direction)
            }
        }
    }

    /// Files are told of with a packet that goes their way.
    fn packet(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        for pending in &mut self.pending {
            pending.tell(cx, direction);
        }
        self.untold.retain_mut(|untold| {
            untold.tell(cx, direction);
            untold.is_any()
        });
    }

    fn waits_for_packet(&self) -> bool {
        !self.untold.is_empty() || self.pending.iter().any(|pending| pending.is_untold())
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        if let Some((head, ts_ns)) = self.requests.unfinished_head(StartLine::Request) {
            self.request(cx, head, ts_ns);
        }
        if let Some(junk) = self.responses.unfinished_junk() {
            self.headless(cx, &junk);
        } else if let Some((head, ts_ns)) = self.responses.unfinished_head(StartLine::Status) {
            self.response(cx, head, ts_ns, &[]);
        }
        for direction in [Direction::ToServer, Direction::ToClient] {
            let trailer = self.side(direction).take_trailer();
            if let Some(pending) = self.carrier(direction) {
                pending.add_trailer(direction, &trailer);
            }
        }
        if self.responses.awaits_chunk()
            && let Some(front) = self.pending.front_mut()
            && let Some(content) = &mut front.response
        {
            content.abandon(cx, &front.transaction);
        }
        self.complete_all(cx, FileState::Closed);
    }

    fn buffered(&self) -> usize {
        let kept = self
            .requests
            .buffered()
            .saturating_add(self.responses.buffered());
        let pending = self.pending.iter().map(|pending| pending.size());
        let untold = self.untold.iter().map(Untold::size);
        pending.chain(untold).fold(kept, usize::saturating_add)
    }
}

impl Parser {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.requests,
            Direction::ToClient => &mut self.responses,
        }
    }

    /// Whether a body that came to its end is over: bytes behind a response that are no other
    /// response are taken for more of it, as browsers do.
    fn is_over(&mut self, cx: &mut Context<'_, '_>, direction: Direction, after: &[u8]) -> bool {
        let more = direction == Direction::ToClient && self.responses.take_for_body(after);
        if more && matches!(self.responses.state, State::Body(Body::Length(_))) {
            let front = self.pending.front();
            let tx_id = front.map_or(0, |front| front.transaction.tx_id);
            cx.anomaly_in(tx_id, "RESPONSE_BODY_UNEXPECTED");
        }
        !more
    }

    /// What is coded of a response ends where its length says, though more follows.
    fn end_coded(&mut self, cx: &mut Context<'_, '_>) {
        if let Some(front) = self.pending.front_mut().filter(|_| !self.discard)
            && let Some(content) = &mut front.response
        {
            content.end_coded(cx, &front.transaction);
        }
    }

    fn request(&mut self, cx: &mut Context<'_, '_>, head: Head, ts_ns: u64) -> Next {
        let mut oddities = Vec::new();
        let body = Body::of_request(&head, &mut oddities);
        let id = cx.transaction_id();
        let transaction = new_transaction(cx, (id, ts_ns), Some(head));
        cx.frame_begins(transaction.tx_id, "request", 0);
        let over = body == Body::Length(0);
        let path = transaction.uri.path();
        let content = transaction
            .request
            .as_ref()
            .filter(|_| !over)
            .map(|head| Content::of_request(head, path, &cx.config.apps, &mut oddities));
        events::request(cx, &transaction, oddities);
        self.requests.state = State::after_head(body);
        cx.transaction(&transaction);
        cx.progress(&transaction, Part::RequestHead);
        if over {
            cx.progress(&transaction, Part::Request);
        }
        self.latest = self.latest.wrapping_add(1);
        let pending = Pending {
            number: self.latest,
            transaction,
            request: content.map(Box::new),
            response: None,
            request_over: over,
            response_over: false,
        };
        if self.pending.len() >= cx.config.pending_max {
            self.give_up_oldest(cx);
        }
        self.pending.push_back(Box::new(pending));
        Next::More
    }

    /// Tells of the first line of a head whose rest has not come.
    fn tell_line(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        // the number that it will have
        let next = cx.flow().transactions;
        match direction {
            Direction::ToServer => {
                if let Some((line, ts_ns)) = self.requests.first_line(StartLine::Request) {
                    let transaction = new_transaction(cx, (next, ts_ns), Some(line));
                    cx.progress(&transaction, Part::RequestLine);
                }
            }
            Direction::ToClient => {
                let Some((line, ts_ns)) = self.responses.first_line(StartLine::Status) else {
                    return;
                };
                let status = status_of(&line);
                if self.skip > 0 || status.is_some_and(is_interim) {
                    return;
                }
                let front = self.pending.front().filter(|front| !front.response_over);
                let request = front.map(|front| front.transaction.clone());
                let transaction = Transaction {
                    status,
                    response: Some(line),
                    ..request.unwrap_or_else(|| new_transaction(cx, (next, ts_ns), None))
                };
                cx.progress(&transaction, Part::ResponseLine);
            }
        }
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
            self.complete(cx, given_up, FileState::Truncated);
        }
    }

    fn response(&mut self, cx: &mut Context<'_, '_>, head: Head, ts_ns: u64, after: &[u8]) -> Next {
        let status = status_of(&head);
        if status.is_some_and(is_interim) {
            return Next::More;
        }
        let mut oddities = Vec::new();
        self.begin_response(cx, ts_ns);
        let front = self.pending.front_mut().filter(|_| !self.discard);
        let method = front
            .as_ref()
            .map_or(&b""[..], |front| front.transaction.method());
        let (to_head, to_connect) = (method == b"HEAD", method == b"CONNECT");
        let body = Body::of_response(&head, status, to_head, &mut oddities);
        let switches = switch_of(&head, status, to_connect);
        if let Some(front) = front {
            cx.frame_begins(front.transaction.tx_id, "response", 0);
            let request = &front.transaction;
            let content = Content::of_response(&head, request, &cx.config.apps, &mut oddities);
            front.response = Some(Box::new(content));
            front.transaction.status = status;
            front.transaction.response = Some(head);
            cx.progress(&front.transaction, Part::ResponseHead);
            events::response(cx, &front.transaction, oddities);
        }
        if let Some(switch) = switches {
            return self.switch(cx, switch);
        }
        let Some(body) = body else {
            self.responses.state = State::Lost;
            return Next::More;
        };
        let over = body == Body::Length(0);
        self.responses.state = State::after_head(body);
        if over && self.is_over(cx, Direction::ToClient, after) {
            self.response_over(cx);
        }
        Next::More
    }

    /// The connection goes on as something else.
    fn switch(&mut self, cx: &mut Context<'_, '_>, switch: Switch) -> Next {
        let is_known = match switch {
            Switch::Any => true,
            Switch::Http2 => cx.config.apps.is_enabled(AppProto::Http2),
            Switch::Websocket => cx.config.apps.is_enabled(AppProto::Websocket),
            Switch::Other => false,
        };
        if !is_known {
            self.tunnel = true;
            return Next::More;
        }
        let request = self.pending.front().map(|front| front.transaction.clone());
        self.leave(cx);
        match (switch, request) {
            (Switch::Http2, Some(request)) => {
                let parser = http2::upgraded(cx, &request);
                cx.hand_over(AppProto::Http2, parser);
            }
            (Switch::Websocket, _) => {
                let parser = websocket::start(Proto::Tcp, cx.config);
                cx.hand_over(AppProto::Websocket, parser);
            }
            (Switch::Any | Switch::Http2 | Switch::Other, _) => {}
        }
        Next::Redetect(0)
    }

    /// Yields all that there is before another protocol begins.
    fn leave(&mut self, cx: &mut Context<'_, '_>) {
        cx.leave(|cx| self.complete_all(cx, FileState::Closed));
        cx.restart_transactions();
    }

    /// A response begins: it belongs to the oldest request, or to none that was seen.
    fn begin_response(&mut self, cx: &mut Context<'_, '_>, ts_ns: u64) {
        if self.pending.is_empty()
            && self.requests.lacks_version()
            && let Some((head, ts_ns)) = self.requests.unfinished_head(StartLine::Request)
        {
            // the server takes the request for whole
            self.request(cx, head, ts_ns);
        }
        self.discard = self.skip > 0;
        if self.discard {
            self.skip = self.skip.saturating_sub(1);
        } else if self.pending.front().is_none_or(|front| front.response_over) {
            let id = cx.transaction_id();
            let transaction = new_transaction(cx, (id, ts_ns), None);
            self.pending.push_front(Box::new(Pending {
                number: 0,
                transaction,
                request: None,
                response: None,
                request_over: true,
                response_over: false,
            }));
        }
    }

    /// A response without a head: all of it is body.
    fn headless(&mut self, cx: &mut Context<'_, '_>, data: &[u8]) -> Next {
        let ts_ns = cx.ts_ns;
        self.begin_response(cx, ts_ns);
        self.responses.state = State::Body(Body::UntilClose);
        if let Some(front) = self.pending.front_mut().filter(|_| !self.discard) {
            let path = front.transaction.uri.path();
            let content = Content::of_headless_response(path, &cx.config.apps);
            front.response = Some(Box::new(content));
        }
        self.body(cx, Direction::ToClient, data, data.len(), false)
    }

    /// Takes bytes of a body, of which `sent` were on the wire; `over` when they are its last.
    fn body(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        content: &[u8],
        sent: usize,
        over: bool,
    ) -> Next {
        let sent = u64::try_from(sent).unwrap_or(u64::MAX);
        if let Some(pending) = self.carrier(direction) {
            pending.count(direction, sent);
            pending.data(cx, direction, content);
            if !over && !content.is_empty() {
                cx.progress(&pending.transaction, Part::more(direction));
            }
        }
        self.after_body(cx, direction, over);
        Next::More
    }

    fn body_gap(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        len: u64,
        over: bool,
    ) -> Next {
        let is_placed = over || matches!(self.side(direction).state, State::Body(Body::Length(_)));
        if let Some(pending) = self.carrier(direction) {
            // what a body without a length has lost, nobody can tell
            if is_placed {
                pending.count(direction, len);
            }
            pending.gap(cx, direction, len);
        }
        self.after_body(cx, direction, over);
        Next::More
    }

    /// Whose body is coming.
    fn carrier(&mut self, direction: Direction) -> Option<&mut Pending> {
        let latest = self.latest;
        let carrier = match direction {
            Direction::ToServer => self
                .pending
                .iter_mut()
                .rev()
                .find(|pending| pending.number == latest),
            Direction::ToClient => self.pending.front_mut().filter(|_| !self.discard),
        };
        carrier.map(Box::as_mut)
    }

    fn after_body(&mut self, cx: &mut Context<'_, '_>, direction: Direction, over: bool) {
        if !over {
            return;
        }
        let trailer = self.side(direction).take_trailer();
        if let Some(pending) = self.carrier(direction) {
            pending.add_trailer(direction, &trailer);
            if !trailer.is_empty() {
                cx.progress(&pending.transaction, Part::head(direction));
            }
        }
        match direction {
            Direction::ToServer => {
                if let Some(pending) = self.carrier(direction) {
                    pending.request_over = true;
                    let Pending {
                        transaction,
                        request,
                        ..
                    } = pending;
                    if let Some(content) = request {
                        content.finish(cx, transaction, FileState::Closed);
                    }
                    cx.progress(transaction, Part::Request);
                }
                self.complete_finished(cx);
            }
            Direction::ToClient => self.response_over(cx),
        }
    }

    fn response_over(&mut self, cx: &mut Context<'_, '_>) {
        if std::mem::take(&mut self.discard) {
            return;
        }
        if let Some(front) = self.pending.front_mut() {
            front.response_over = true;
            if let Some(content) = &mut front.response {
                content.finish(cx, &front.transaction, FileState::Closed);
            }
            cx.progress(&front.transaction, Part::Response);
        }
        self.complete_finished(cx);
    }

    fn complete_finished(&mut self, cx: &mut Context<'_, '_>) {
        let is_finished = |front: &mut Box<Pending>| front.request_over && front.response_over;
        while let Some(front) = self.pending.pop_front_if(is_finished) {
            self.complete(cx, front, FileState::Closed);
        }
    }

    /// Bytes of a direction were lost with the end of the message that they belong to: what is
    /// pending of it is over. Those behind it find each other again: few clients send a request
    /// before they have the response to the last.
    fn lose(&mut self, cx: &mut Context<'_, '_>, direction: Direction) -> Next {
        match direction {
            Direction::ToServer => {
                if let Some(carrier) = self.carrier(direction)
                    && !std::mem::replace(&mut carrier.request_over, true)
                {
                    if let Some(content) = &mut carrier.request {
                        content.finish(cx, &carrier.transaction, FileState::Truncated);
                    }
                    cx.progress(&carrier.transaction, Part::Request);
                }
                self.complete_finished(cx);
            }
            Direction::ToClient => {
                let front = self.pending.front();
                let is_half_here = front.is_some_and(|front| front.response.is_some());
                let is_discarded = std::mem::take(&mut self.discard);
                // the lost bytes answered the requests before the latest
                let lost = match self.pending.len() {
                    _ if is_discarded => 0,
                    1 => usize::from(is_half_here),
                    len => len.saturating_sub(1),
                };
                for _ in 0..lost {
                    if let Some(front) = self.pending.pop_front() {
                        self.complete(cx, front, FileState::Truncated);
                    }
                }
            }
        }
        Next::More
    }

    fn complete(&mut self, cx: &mut Context<'_, '_>, pending: Box<Pending>, state: FileState) {
        let Some(mut untold) = pending.complete(cx, state) else {
            return;
        };
        if cx.is_prompt() || self.untold.len() >= UNTOLD_MAX {
            return untold.tell_all(cx);
        }
        untold.shrink();
        // most often it is the only one
        self.untold.reserve_exact(1);
        self.untold.push(untold);
    }

    fn complete_all(&mut self, cx: &mut Context<'_, '_>, state: FileState) {
        (self.skip, self.discard) = (0, false);
        for untold in std::mem::take(&mut self.untold) {
            untold.tell_all(cx);
        }
        while let Some(pending) = self.pending.pop_front() {
            if let Some(untold) = pending.complete(cx, state) {
                untold.tell_all(cx);
            }
        }
    }
}

/// Most exchanges that wait with files to be told of.
const UNTOLD_MAX: usize = 64;

/// Length of the first line with its end; 0 where it has none.
fn first_line_len(data: &[u8]) -> usize {
    memchr::memchr(b'\n', data).map_or(0, |at| at.saturating_add(1))
}

fn frame_kind(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "request",
        Direction::ToClient => "response",
    }
}

#[cfg(test)]
mod tests;
