//! Both directions: commands and their replies are matched in their order, so that it is known when
//! DATA, RSET and STARTTLS take effect.

use std::collections::VecDeque;

use super::command::{self, Command};
use super::delivery::Delivery;
use crate::applayer::lines::{Line, Lines, Rest};
use crate::applayer::{AppLayer, AppProto, Context, Next};
use crate::file::FileState;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        delivery: Delivery::new(&config.apps.smtp),
        ..Parser::default()
    })
}

#[derive(Debug, Default)]
struct Parser {
    client: Lines,
    server: Lines,
    /// The server said that it is ready.
    is_welcomed: bool,
    /// A reply was none: said once.
    is_reply_bad: bool,
    delivery: Delivery,
    /// Commands without a reply yet.
    pending: VecDeque<Awaited>,
    mode: Mode,
    /// A mail ended with the bytes that are being read.
    ended_just_now: bool,
}

/// A command whose reply matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Data,
    Chunk,
    Reset,
    StartTls,
    Other,
}

/// What the client's bytes are.
#[derive(Debug, Default)]
enum Mode {
    #[default]
    Commands,
    /// DATA was sent: what follows is kept until the server says whether it is a mail.
    Asked(Vec<u8>),
    Data,
    /// Bytes left of a chunk, and whether it is the mail's last.
    Chunk(u64, bool),
    /// Within a mail behind a gap.
    Lost,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        self.delivery.report_sent(cx);
        let next = match direction {
            Direction::ToServer => {
                self.ended_just_now = false;
                self.client_data(cx, data);
                Next::More
            }
            Direction::ToClient => self.server_data(cx, data),
        };
        self.delivery.tell(cx);
        next
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        self.delivery.report_sent(cx);
        // commands and replies can no longer be matched
        self.pending.clear();
        self.accept_data(cx);
        match direction {
            Direction::ToClient => {
                self.server.gap();
                self.is_welcomed = true;
            }
            Direction::ToServer => self.client_gap(cx, len),
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.delivery.report_sent(cx);
        self.accept_data(cx);
        self.delivery.end_line(cx);
        self.delivery.report_sent(cx);
        self.delivery.cut(cx);
    }

    fn buffered(&self) -> usize {
        let held = match &self.mode {
            Mode::Asked(held) => held.len(),
            Mode::Commands | Mode::Data | Mode::Chunk(..) | Mode::Lost => 0,
        };
        self.client
            .buffered()
            .saturating_add(self.server.buffered())
            .saturating_add(self.delivery.buffered())
            .saturating_add(held)
    }
}

impl Parser {
    fn client_data(&mut self, cx: &mut Context<'_, '_>, data: &[u8]) {
        let mut rest = data;
        while !rest.is_empty() {
            match &mut self.mode {
                Mode::Asked(held) => {
                    let room = cx.config.head_bytes_max.saturating_sub(held.len());
                    let (taken, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
                    held.extend_from_slice(taken);
                    rest = behind;
                    if rest.is_empty() {
                        return;
                    }
                    // no server waits this long: it must have agreed
                    self.accept_data(cx);
                }
                Mode::Chunk(left, _) => {
                    let len = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (taken, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                    *left = left.saturating_sub(u64::try_from(taken.len()).unwrap_or(u64::MAX));
                    rest = behind;
                    self.chunk(cx, taken);
                }
                Mode::Commands => {
                    let line = self.client.next(&mut rest, LINE_BYTES_MAX, Rest::Dropped);
                    let Some(line) = line else { return };
                    let len = line.bytes.len();
                    cx.data_begins(Direction::ToServer, rest.len().saturating_add(len));
                    cx.frame("command_line", 0, len);
                    let text_len = line.text().len();
                    if line.is_cut {
                        self.delivery.anomaly(cx, "TRUNCATED_LINE");
                    }
                    self.command(cx, line.text());
                    if let Some(tx_id) = self.delivery.tx_id() {
                        cx.frame_in(tx_id, "command_line", 0, text_len);
                    }
                    if matches!(self.mode, Mode::Asked(_)) && !rest.is_empty() {
                        self.delivery.anomaly(cx, "INVALID_PIPELINED_SEQUENCE");
                    }
                }
                Mode::Data | Mode::Lost => {
                    let line = self.delivery.next_line(&mut rest, LINE_BYTES_MAX);
                    let Some(line) = line else { return };
                    if self.data_line(cx, &line) {
                        cx.frame_ends("data", rest.len());
                    }
                }
            }
        }
    }

    fn client_gap(&mut self, cx: &mut Context<'_, '_>, len: u64) {
        self.delivery.end_line(cx);
        if matches!(self.mode, Mode::Data | Mode::Chunk(..)) {
            self.delivery.end(cx, FileState::Truncated);
            self.delivery.report_sent(cx);
        }
        match self.mode {
            // what is missing were commands
            Mode::Commands | Mode::Asked(_) => {
                self.client.gap();
                self.delivery.mail(cx);
            }
            Mode::Data | Mode::Lost => {
                self.delivery.gap();
                self.mode = Mode::Lost;
            }
            Mode::Chunk(left, is_last) => match left.checked_sub(len) {
                Some(left) if left > 0 => self.mode = Mode::Chunk(left, is_last),
                Some(_) => self.mode = Mode::Commands,
                None => {
                    self.client.gap();
                    self.mode = Mode::Commands;
                }
            },
        }
    }

    fn command(&mut self, cx: &mut Context<'_, '_>, line: &[u8]) {
        let command = Command::parse(line);
        let is_new = match command {
            Command::Idle | Command::Reset | Command::StartTls | Command::Other => {
                !self.ended_just_now
            }
            Command::Hello(_)
            | Command::MailFrom(_)
            | Command::RcptTo(_)
            | Command::Data
            | Command::Bdat(..) => true,
        };
        if is_new {
            self.delivery.mail(cx);
        }
        if !self.is_welcomed {
            self.delivery.anomaly(cx, "NO_SERVER_WELCOME_MESSAGE");
        }
        let mut awaited = Awaited::Other;
        match command {
            Command::Hello(name) => self.delivery.hello(cx, name),
            Command::MailFrom(from) => self.delivery.sender(cx, from),
            Command::RcptTo(to) => self.delivery.recipient(cx, to),
            Command::Data => {
                awaited = Awaited::Data;
                self.delivery.begin(cx);
                self.mode = Mode::Asked(Vec::new());
            }
            Command::Bdat(size, is_last) => {
                awaited = Awaited::Chunk;
                if !self.delivery.is_begun() {
                    self.delivery.begin(cx);
                }
                self.mode = Mode::Chunk(size, is_last);
                if size == 0 {
                    self.chunk(cx, &[]);
                }
            }
            Command::Reset => awaited = Awaited::Reset,
            Command::StartTls => awaited = Awaited::StartTls,
            Command::Idle | Command::Other => {}
        }
        self.await_reply(cx, awaited);
    }

    fn await_reply(&mut self, cx: &mut Context<'_, '_>, awaited: Awaited) {
        if self.pending.len() >= cx.config.pending_max {
            cx.counters.pending_max_hit = cx.counters.pending_max_hit.saturating_add(1);
            self.pending.pop_front();
        }
        self.pending.push_back(awaited);
    }

    /// The server agreed to take the mail, or must have.
    fn accept_data(&mut self, cx: &mut Context<'_, '_>) {
        if let Mode::Asked(held) = &mut self.mode {
            let held = std::mem::take(held);
            self.mode = Mode::Data;
            cx.data_begins(Direction::ToServer, held.len());
            if let Some(tx_id) = self.delivery.tx_id() {
                cx.frame_begins(tx_id, "data", 0);
            }
            self.client_data(cx, &held);
        }
    }

    /// Takes a line of a mail; whether it is the end.
    fn data_line(&mut self, cx: &mut Context<'_, '_>, line: &Line<'_>) -> bool {
        let is_end = line.is_start && line.text() == b"." && !line.is_cut;
        match (is_end, &self.mode) {
            (true, Mode::Lost) => self.mode = Mode::Commands,
            (true, _) => {
                self.ended_just_now |= self.delivery.end(cx, FileState::Closed);
                self.mode = Mode::Commands;
                self.await_reply(cx, Awaited::Other);
            }
            (false, Mode::Lost) => {}
            (false, _) => self.delivery.line(cx, line),
        }
        is_end
    }

    fn chunk(&mut self, cx: &mut Context<'_, '_>, taken: &[u8]) {
        let mut rest = taken;
        while let Some(line) = self.delivery.next_line(&mut rest, LINE_BYTES_MAX) {
            self.delivery.line(cx, &line);
        }
        if let Mode::Chunk(0, is_last) = self.mode {
            self.mode = Mode::Commands;
            if is_last {
                self.delivery.end_line(cx);
                self.ended_just_now |= self.delivery.end(cx, FileState::Closed);
            }
        }
    }

    fn server_data(&mut self, cx: &mut Context<'_, '_>, data: &[u8]) -> Next {
        let mut rest = data;
        while let Some(line) = self.server.next(&mut rest, LINE_BYTES_MAX, Rest::Dropped) {
            let len = line.bytes.len();
            cx.data_begins(Direction::ToClient, rest.len().saturating_add(len));
            match self.delivery.tx_id() {
                Some(tx_id) => cx.frame_in(tx_id, "response_line", 0, len),
                None => cx.frame("response_line", 0, len),
            }
            if line.is_cut {
                self.delivery.anomaly(cx, "TRUNCATED_LINE");
            }
            if self.reply(cx, line.text()) == Some(Awaited::StartTls) {
                cx.leave(|cx| self.delivery.cut(cx));
                cx.expect_change_to(AppProto::Tls);
                return Next::Redetect(data.len().saturating_sub(rest.len()));
            }
        }
        Next::More
    }

    /// Takes a line of a reply; gives the command that takes effect with it.
    fn reply(&mut self, cx: &mut Context<'_, '_>, line: &[u8]) -> Option<Awaited> {
        let Some((code, is_last)) = command::reply(line) else {
            let is_first = !std::mem::replace(&mut self.is_reply_bad, true);
            if is_first && self.delivery.is_open() {
                self.delivery.anomaly(cx, "INVALID_REPLY");
            }
            if is_first {
                cx.flow.app_error = true;
                cx.counters.apps.error(cx.flow);
            }
            return None;
        };
        if !is_last {
            return None;
        }
        if code == 220 && !std::mem::replace(&mut self.is_welcomed, true) {
            return None;
        }
        let awaited = self.pending.pop_front()?;
        match (awaited, code) {
            (Awaited::Data, 354) => self.accept_data(cx),
            (Awaited::Data, _) => {
                self.delivery.anomaly(cx, "DATA_COMMAND_REJECTED");
                if let Mode::Asked(held) = &mut self.mode {
                    let held = std::mem::take(held);
                    self.mode = Mode::Commands;
                    self.client_data(cx, &held);
                }
            }
            // refused before it is there: no client goes on with it
            (Awaited::Chunk, 400..) if matches!(self.mode, Mode::Chunk(..)) => {
                self.mode = Mode::Commands;
            }
            (Awaited::Reset, _) => self.delivery.cut(cx),
            (Awaited::StartTls, 220) => return Some(awaited),
            (Awaited::StartTls, _) => self.delivery.anomaly(cx, "TLS_REJECTED"),
            (Awaited::Chunk | Awaited::Other, _) => {}
        }
        None
    }
}

/// Longest line that is taken whole, its end included, bytes.
const LINE_BYTES_MAX: usize = 4096;
