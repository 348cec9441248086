//! Control connections: commands and replies are matched in their order.

use std::collections::VecDeque;

use super::address::{comma_port, extended_passive_port, extended_port};
use super::command::Command;
use super::transaction::{Exchange, Mode};
use super::{Options, data};
use crate::applayer::lines::{Line, Lines, Rest};
use crate::applayer::{AppLayer, AppProto, Context, Expectation, Next};
use crate::flow::{Direction, FiveTuple, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        options: config.apps.ftp,
        ..Parser::default()
    })
}

#[derive(Debug, Default)]
struct Parser {
    options: Options,
    client: Lines,
    server: Lines,
    /// Commands without a reply yet.
    pending: VecDeque<Exchange>,
    /// What the reply that comes in belongs to.
    current: Option<Exchange>,
    /// The lines behind belong to a reply that is not over.
    within_reply: bool,
    /// What `current` has came with the packet of this time and may be all of it.
    settles_behind_ns: Option<u64>,
    /// The server's last line promises more.
    is_promised: bool,
    /// What was agreed for the next transfer.
    agreed: Option<(Mode, u16)>,
    /// Bytes kept in commands and replies.
    kept: usize,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        // Suricata takes what comes at once as the reply, unless more is promised
        if self
            .settles_behind_ns
            .is_some_and(|ts_ns| direction == Direction::ToServer || ts_ns != cx.now_ns)
        {
            self.answered(cx);
        }
        match direction {
            Direction::ToServer => {
                self.client_data(cx, data);
                Next::More
            }
            Direction::ToClient => self.server_data(cx, data),
        }
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        match direction {
            Direction::ToServer => self.client.gap(),
            Direction::ToClient => {
                self.server.gap();
                self.within_reply = false;
                // replies can no longer be matched
                self.end(cx);
            }
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        if self.settles_behind_ns.is_some() {
            self.answered(cx);
        }
        self.agreed = None;
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
    fn client_data(&mut self, cx: &mut Context<'_, '_>, data: &[u8]) {
        let mut rest = data;
        let max = self.options.line_bytes_max;
        while let Some(line) = self.client.next(&mut rest, max, Rest::Dropped) {
            self.command(cx, &line);
        }
    }

    fn command(&mut self, cx: &mut Context<'_, '_>, line: &Line<'_>) {
        let command = Command::parse(line.text());
        let mut exchange = Exchange {
            tx_id: cx.transaction_id(),
            first_ts_ns: cx.ts_ns,
            is_asked: true,
            command: command.name,
            command_data: command.data.to_vec(),
            is_command_truncated: line.is_cut,
            is_auth: command.is_auth,
            ..Exchange::default()
        };
        if line.is_cut {
            cx.anomaly_in(exchange.tx_id, "request_command_too_long");
        }
        let agreed = match command.name {
            Some("PORT") => Some(comma_port(command.data)),
            Some("EPRT") => Some(extended_port(command.data)),
            Some("PASV" | "EPSV") => Some(None),
            _ => None,
        };
        if let Some(port) = agreed {
            let mode = port.map_or(Mode::Passive, |_| Mode::Active);
            (exchange.mode, exchange.dynamic_port) = (Some(mode), port);
            self.agreed = port.map(|port| (mode, port)).or(self.agreed);
        }
        self.transfer(cx, command, exchange.tx_id);
        cx.progress_of(&exchange, Direction::ToServer);
        let room = cx.config.head_bytes_max.saturating_sub(self.kept);
        if self.pending.len() >= self.options.transactions_max || room < command.data.len() {
            cx.anomaly_in(exchange.tx_id, "too_many_transactions");
            let hit = &mut cx.counters.pending_max_hit;
            *hit = hit.saturating_add(1);
            return cx.transaction(&exchange);
        }
        self.kept = self.kept.saturating_add(command.data.len());
        self.pending.push_back(exchange);
    }

    /// Announces the connection that a command moves data over.
    fn transfer(&mut self, cx: &mut Context<'_, '_>, command: Command<'_>, tx_id: u32) {
        let Some((name, is_file)) = command.transfer() else {
            return;
        };
        let is_nameless = is_file && name != "STOU" && command.data.is_empty();
        if is_nameless {
            cx.anomaly_in(tx_id, "file_without_name");
        }
        let Some((mode, port)) = self.agreed.take() else {
            if !is_nameless {
                cx.anomaly_in(tx_id, "file_before_port");
            }
            return;
        };
        let control = cx.flow().tuple;
        let (src, dst) = match mode {
            Mode::Active => (control.dst, control.src),
            Mode::Passive => (control.src, control.dst),
        };
        let filename = if is_file { command.data } else { &[] };
        cx.expect(Expectation {
            tuple: FiveTuple {
                src,
                src_port: 0,
                dst,
                dst_port: port,
                proto: Proto::Tcp,
            },
            app: AppProto::FtpData,
            parser: Box::new(data::Parser::new(name, filename)),
        });
    }

    fn server_data(&mut self, cx: &mut Context<'_, '_>, data: &[u8]) -> Next {
        let mut rest = data;
        let max = self.options.line_bytes_max;
        while let Some(line) = self.server.next(&mut rest, max, Rest::Dropped) {
            let code = self.reply(cx, &line);
            // after a preliminary reply another one follows (RFC 959 section 4.2)
            self.is_promised = code.is_some_and(|[first, ..]| first == b'1');
            if code.is_some() && !self.is_promised {
                let is_tls = matches!(code, Some([b'2' | b'3', b'3', b'4']));
                if self.answered(cx) && is_tls {
                    self.end(cx);
                    return Next::Redetect(data.len().saturating_sub(rest.len()));
                }
            }
        }
        let has_lines = |exchange: &Exchange| !exchange.replies.is_empty();
        self.settles_behind_ns = self
            .current
            .as_ref()
            .is_some_and(has_lines)
            .then_some(cx.now_ns)
            .filter(|_| !self.is_promised);
        Next::More
    }

    /// Takes a line of a reply; gives its code where it is the reply's last.
    fn reply(&mut self, cx: &mut Context<'_, '_>, line: &Line<'_>) -> Option<[u8; 3]> {
        let text = line.text().trim_ascii_end();
        let pending = &mut self.pending;
        let is_rest = self.within_reply;
        let exchange = self.current.get_or_insert_with(|| {
            let next = if is_rest { None } else { pending.pop_front() };
            next.unwrap_or_else(|| Exchange {
                tx_id: cx.transaction_id(),
                first_ts_ns: cx.ts_ns,
                ..Exchange::default()
            })
        });
        if line.is_cut {
            exchange.is_reply_truncated = true;
            cx.anomaly_in(exchange.tx_id, "response_command_too_long");
        }
        let coded = text
            .split_first_chunk::<3>()
            .filter(|(code, _)| code.iter().all(u8::is_ascii_digit));
        let (code, text) = match coded {
            Some((code, [b' ', behind @ ..])) => (Some(*code), behind),
            Some((_, [b'-', ..])) => {
                self.within_reply = true;
                (None, text)
            }
            Some(_) | None => (None, text),
        };
        if let Some(code) = code {
            self.within_reply = false;
            let port = match (exchange.command, &code) {
                (Some("PASV"), b"227") => comma_port(text),
                (Some("EPSV"), b"229") => extended_passive_port(text),
                _ => None,
            };
            if let Some(port) = port {
                exchange.dynamic_port = Some(port);
                self.agreed = Some((Mode::Passive, port));
            }
        }
        if exchange.replies.len() < REPLIES_MAX
            && self.kept.saturating_add(text.len()) <= cx.config.head_bytes_max
        {
            exchange.completion_codes.extend(code);
            exchange.replies.push(text.to_vec());
            self.kept = self.kept.saturating_add(text.len());
        }
        code
    }

    /// The reply is complete. Says whether TLS was asked for.
    fn answered(&mut self, cx: &mut Context<'_, '_>) -> bool {
        let Some(mut exchange) = self.current.take() else {
            return false;
        };
        self.settles_behind_ns = None;
        exchange.is_answered = true;
        let lens = exchange.replies.iter().map(Vec::len).sum::<usize>();
        let freed = lens.saturating_add(exchange.command_data.len());
        self.kept = self.kept.saturating_sub(freed);
        cx.transaction(&exchange);
        exchange.is_auth
    }
}

/// Most lines kept of one reply.
const REPLIES_MAX: usize = 1024;
