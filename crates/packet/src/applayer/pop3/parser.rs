//! Both directions: commands and responses are matched in their order.

use std::collections::VecDeque;

use super::transaction::{Exchange, Request, Response};
use crate::applayer::lines::{Line, Lines, Rest};
use crate::applayer::{AppLayer, AppProto, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// The server's greeting (RFC 1939 section 4). It says something behind its status, unlike what
/// Redis answers. A client's commands are like those of others: the server will tell.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    let mut both = data.iter().zip(b"+OK ");
    let begins = both.all(|(a, b)| a.eq_ignore_ascii_case(b));
    match (proto, direction, begins, data.get(4)) {
        (Proto::Tcp, Direction::ToClient, true, Some(_)) => Probe::Certain,
        (Proto::Tcp, Direction::ToClient, true, None) => Probe::Unsure,
        (Proto::Tcp, Direction::ToServer, ..) if Request::is_begun(data) => Probe::Unsure,
        _ => Probe::No,
    }
}

#[derive(Debug, Default)]
struct Parser {
    client: Lines,
    server: Lines,
    /// Commands without a response yet.
    pending: VecDeque<Exchange>,
    /// What the lines that come in belong to.
    current: Option<Exchange>,
    /// The client's next line answers a challenge.
    is_challenged: bool,
    /// Bytes kept in commands and responses.
    kept: usize,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let mut rest = data;
        match direction {
            Direction::ToServer => {
                while let Some(line) = self.client.next(&mut rest, LINE_BYTES_MAX, Rest::Dropped) {
                    self.request(cx, &line);
                }
            }
            Direction::ToClient => {
                while let Some(line) = self.server.next(&mut rest, LINE_BYTES_MAX, Rest::Dropped) {
                    if self.response(cx, &line) {
                        cx.leave(|cx| self.end(cx));
                        cx.expect_change_to(AppProto::Tls);
                        return Next::Redetect(data.len().saturating_sub(rest.len()));
                    }
                }
            }
        }
        Next::More
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        match direction {
            Direction::ToServer => self.client.gap(),
            Direction::ToClient => {
                self.server.gap();
                // responses can no longer be matched
                self.end(cx);
            }
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        for exchange in self
            .current
            .take()
            .into_iter()
            .chain(self.pending.drain(..))
        {
            cx.transaction(&exchange);
        }
        self.kept = 0;
    }

    fn buffered(&self) -> usize {
        self.client
            .buffered()
            .saturating_add(self.server.buffered())
            .saturating_add(self.kept)
    }
}

impl Parser {
    fn request(&mut self, cx: &mut Context<'_, '_>, line: &Line<'_>) {
        let mut trouble = None;
        let request = if std::mem::take(&mut self.is_challenged) {
            Request::sasl()
        } else {
            let request = Request::parse(line.text());
            if request.command.is_empty() {
                return;
            }
            trouble = request.trouble();
            request
        };
        let len = request.len();
        let exchange = exchange(cx, Some(request));
        let is_long = line.bytes.len() > REQUEST_BYTES_MAX;
        for trouble in is_long
            .then_some("request_too_long")
            .into_iter()
            .chain(trouble)
        {
            cx.anomaly_in(exchange.tx_id, trouble);
        }
        if self.pending.len() >= cx.config.pending_max
            || self.kept.saturating_add(len) > cx.config.head_bytes_max
        {
            let hit = &mut cx.counters.pending_max_hit;
            *hit = hit.saturating_add(1);
            return cx.transaction(&exchange);
        }
        self.kept = self.kept.saturating_add(len);
        self.pending.push_back(exchange);
    }

    /// Takes a line of a response. Says whether TLS begins behind it.
    fn response(&mut self, cx: &mut Context<'_, '_>, line: &Line<'_>) -> bool {
        let text = line.text();
        if let Some(exchange) = &mut self.current {
            if text == b"." && !line.is_cut {
                self.answered(cx);
                return false;
            }
            let text = text.strip_prefix(b".").unwrap_or(text);
            if let Some(response) = &mut exchange.response
                && response.data.len() < DATA_LINES_MAX
                && self.kept.saturating_add(text.len()) <= cx.config.head_bytes_max
            {
                response.data.push(text.to_vec());
                self.kept = self.kept.saturating_add(text.len());
            }
            return false;
        }
        let Some((status, header)) = status(text) else {
            return false;
        };
        let next = self.pending.pop_front();
        let mut exchange = next.unwrap_or_else(|| exchange(cx, None));
        if line.bytes.len() > RESPONSE_BYTES_MAX {
            cx.anomaly_in(exchange.tx_id, "response_too_long");
        }
        let is_success = status != Status::Failure;
        let has_lines = |request: &Request| request.has_lines() && status == Status::Success;
        let goes_on = exchange.request.as_ref().is_some_and(has_lines);
        let is_mail = goes_on
            && exchange
                .request
                .as_ref()
                .is_some_and(|request| request.is("RETR"));
        let starts_tls = status == Status::Success
            && exchange
                .request
                .as_ref()
                .is_some_and(|request| request.is("STLS"));
        let authenticates = |request: &Request| request.is("AUTH") || request.is("<SASL DATA>");
        self.is_challenged =
            status == Status::Challenge && exchange.request.as_ref().is_some_and(authenticates);
        exchange.response = (!is_mail).then(|| Response {
            is_success,
            header: header.to_vec(),
            data: Vec::new(),
        });
        self.current = Some(exchange);
        if !goes_on {
            self.answered(cx);
        }
        starts_tls
    }

    fn answered(&mut self, cx: &mut Context<'_, '_>) {
        let Some(exchange) = self.current.take() else {
            return;
        };
        let data = exchange.response.iter().flat_map(|response| &response.data);
        let freed = data
            .map(Vec::len)
            .sum::<usize>()
            .saturating_add(exchange.request.as_ref().map_or(0, Request::len));
        self.kept = self.kept.saturating_sub(freed);
        cx.transaction(&exchange);
    }
}

fn exchange(cx: &mut Context<'_, '_>, request: Option<Request>) -> Exchange {
    Exchange {
        tx_id: cx.transaction_id(),
        first_ts_ns: cx.ts_ns,
        request,
        response: None,
    }
}

/// What a response begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Success,
    Failure,
    /// The client shall go on with its authentication (RFC 5034 section 4).
    Challenge,
}

/// The status of a first line, and what stands behind it.
fn status(text: &[u8]) -> Option<(Status, &[u8])> {
    let end = text.iter().position(|byte| *byte == b' ');
    let (word, header) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let header = header.strip_prefix(b" ").unwrap_or(header);
    match word.to_ascii_uppercase().as_slice() {
        b"+OK" => Some((Status::Success, header)),
        b"-ERR" => Some((Status::Failure, header)),
        b"+" => Some((Status::Challenge, header)),
        _ => None,
    }
}

/// Longest line that is taken whole, its end included, bytes.
const LINE_BYTES_MAX: usize = 4096;
/// Longest command that passes without an anomaly, its end included, bytes (RFC 2449 section 4 has
/// 255, Suricata one more).
const REQUEST_BYTES_MAX: usize = 256;
/// Longest first line of a response, likewise (RFC 2449 section 4).
const RESPONSE_BYTES_MAX: usize = 512;
/// Most lines kept of one response.
const DATA_LINES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings() {
        let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToClient, data);
        assert_eq!(probe(b"+OK ready\r\n"), Probe::Certain);
        assert_eq!(probe(b"+OK"), Probe::Unsure);
        assert_eq!(probe(b"+OK\r\n"), Probe::No, "Redis");
        assert_eq!(probe(b"220 x"), Probe::No);
        let to_server = |data: &[u8]| super::probe(Proto::Tcp, Direction::ToServer, data);
        assert_eq!(to_server(b"user a\r\n"), Probe::Unsure);
        assert_eq!(to_server(b"GET / HTTP/1.0\r\n"), Probe::No);
    }

    #[test]
    fn statuses() {
        assert_eq!(status(b"+OK"), Some((Status::Success, &b""[..])));
        assert_eq!(status(b"-err  a b"), Some((Status::Failure, &b" a b"[..])));
        assert_eq!(status(b"+ x"), Some((Status::Challenge, &b"x"[..])));
        assert_eq!(status(b"+OKAY"), None);
        assert_eq!(status(b""), None);
    }
}
