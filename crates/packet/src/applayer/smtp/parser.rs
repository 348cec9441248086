//! Both directions: commands and their replies are matched in their order, so that it is known when
//! DATA, RSET and STARTTLS take effect.

use std::collections::VecDeque;

use super::Options;
use super::command::{self, Command};
use super::mime::Mime;
use super::transaction::{Email, Mail};
use crate::applayer::lines::{Line, Lines, Rest};
use crate::applayer::{AppLayer, Context, Next};
use crate::file::{File, FileState};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        options: config.apps.smtp.clone(),
        ..Parser::default()
    })
}

#[derive(Debug, Default)]
struct Parser {
    options: Options,
    client: Lines,
    server: Lines,
    /// The client's lines within mails.
    body: Lines,
    /// The client's name for itself.
    helo: Option<Vec<u8>>,
    /// The server said that it is ready.
    is_welcomed: bool,
    /// A reply was none: said once.
    is_reply_bad: bool,
    mail: Option<Mail>,
    content: Content,
    /// A mail that is over, while its files wait to be reported.
    sent: Option<(Mail, Vec<(File, FileState)>)>,
    /// Commands without a reply yet.
    pending: VecDeque<Awaited>,
    mode: Mode,
    /// A mail ended with the bytes that are being read.
    ended_just_now: bool,
}

/// What becomes of a mail's bytes.
#[derive(Debug, Default)]
enum Content {
    /// They are passed over.
    #[default]
    None,
    /// They are taken apart.
    Mime(Box<Mime>),
    /// They are one file.
    Raw(Box<File>),
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
        self.report_sent(cx);
        match direction {
            Direction::ToServer => {
                self.ended_just_now = false;
                self.client_data(cx, data);
                Next::More
            }
            Direction::ToClient => self.server_data(cx, data),
        }
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        self.report_sent(cx);
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
        self.report_sent(cx);
        self.accept_data(cx);
        self.end_body(cx);
        if let Some(mail) = self.cut_mail(cx) {
            cx.transaction(&mail);
        }
    }

    fn buffered(&self) -> usize {
        let held = match &self.mode {
            Mode::Asked(held) => held.len(),
            Mode::Commands | Mode::Data | Mode::Chunk(..) | Mode::Lost => 0,
        };
        let content = match &self.content {
            Content::Mime(mime) => mime.buffered(),
            Content::None | Content::Raw(_) => 0,
        };
        self.client
            .buffered()
            .saturating_add(self.server.buffered())
            .saturating_add(self.body.buffered())
            .saturating_add(content)
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
                    if line.is_cut {
                        self.anomaly(cx, "TRUNCATED_LINE");
                    }
                    self.command(cx, line.text());
                    if matches!(self.mode, Mode::Asked(_)) && !rest.is_empty() {
                        self.anomaly(cx, "INVALID_PIPELINED_SEQUENCE");
                    }
                }
                Mode::Data | Mode::Lost => {
                    let line = self.body.next(&mut rest, LINE_BYTES_MAX, Rest::Follows);
                    let Some(line) = line else { return };
                    self.data_line(cx, &line);
                }
            }
        }
    }

    fn client_gap(&mut self, cx: &mut Context<'_, '_>, len: u64) {
        self.end_body(cx);
        if matches!(self.mode, Mode::Data | Mode::Chunk(..)) {
            self.end_mail(cx, FileState::Truncated);
            self.report_sent(cx);
        }
        match self.mode {
            // what is missing were commands
            Mode::Commands | Mode::Asked(_) => {
                self.client.gap();
                self.open_mail(cx);
            }
            Mode::Data | Mode::Lost => {
                self.body.gap();
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
            self.open_mail(cx);
        }
        if !self.is_welcomed {
            self.anomaly(cx, "NO_SERVER_WELCOME_MESSAGE");
        }
        let mut awaited = Awaited::Other;
        match command {
            Command::Hello(_) if self.helo.is_some() => self.anomaly(cx, "DUPLICATE_FIELDS"),
            Command::Hello(name) => {
                self.helo = Some(name.to_vec());
                self.open_mail(cx).helo = Some(name.to_vec());
            }
            Command::MailFrom(from) => {
                let mail = self.open_mail(cx);
                if mail.mail_from.is_some() {
                    cx.anomaly_in(mail.tx_id, "DUPLICATE_FIELDS");
                } else {
                    mail.mail_from = Some(from.to_vec());
                }
            }
            Command::RcptTo(to) => {
                let mail = self.open_mail(cx);
                if mail.rcpt_to.len() < RCPTS_MAX {
                    mail.rcpt_to.push(to.to_vec());
                } else {
                    cx.counters.heads_max_hit = cx.counters.heads_max_hit.saturating_add(1);
                }
            }
            Command::Data => {
                awaited = Awaited::Data;
                self.begin_content(cx);
                self.mode = Mode::Asked(Vec::new());
            }
            Command::Bdat(size, is_last) => {
                awaited = Awaited::Chunk;
                if matches!(self.content, Content::None) {
                    self.begin_content(cx);
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
        if self.pending.len() >= cx.config.pending_max {
            self.pending.pop_front();
        }
        self.pending.push_back(awaited);
    }

    fn anomaly(&self, cx: &mut Context<'_, '_>, name: &'static str) {
        match &self.mail {
            Some(mail) => cx.anomaly_in(mail.tx_id, name),
            None => cx.anomaly(name),
        }
    }

    /// The mail that commands are about now.
    fn open_mail(&mut self, cx: &mut Context<'_, '_>) -> &mut Mail {
        self.mail.get_or_insert_with(|| Mail {
            tx_id: cx.transaction_id(),
            first_ts_ns: cx.ts_ns,
            helo: self.helo.clone(),
            ..Mail::default()
        })
    }

    fn begin_content(&mut self, cx: &mut Context<'_, '_>) {
        let decode = self.options.decode_mime;
        // a mail that was given up
        if let Some(mut mail) = self.mail.take() {
            for (file, state) in self.end_content(cx, &mut mail, FileState::Truncated) {
                file.close(cx, &mail, state);
            }
            self.mail = Some(mail);
        }
        self.body = Lines::default();
        let mail = self.open_mail(cx);
        if mail.email.is_some() {
            cx.anomaly_in(mail.tx_id, "UNPARSABLE_CONTENT");
        }
        mail.email = decode.then(Email::default);
        self.content = if decode {
            Content::Mime(Box::new(Mime::new(&self.options)))
        } else if self.options.raw_extraction {
            Content::Raw(Box::new(File::open(cx, Direction::ToServer, b"rawmsg")))
        } else {
            Content::None
        };
    }

    /// The server agreed to take the mail, or must have.
    fn accept_data(&mut self, cx: &mut Context<'_, '_>) {
        if let Mode::Asked(held) = &mut self.mode {
            let held = std::mem::take(held);
            self.mode = Mode::Data;
            self.client_data(cx, &held);
        }
    }

    fn data_line(&mut self, cx: &mut Context<'_, '_>, line: &Line<'_>) {
        let is_end = line.is_start && line.text() == b"." && !line.is_cut;
        match (is_end, &self.mode) {
            (true, Mode::Lost) => self.mode = Mode::Commands,
            (true, _) => {
                self.end_mail(cx, FileState::Closed);
                self.mode = Mode::Commands;
                self.pending.push_back(Awaited::Other);
            }
            (false, Mode::Lost) => {}
            (false, _) => self.content_line(cx, &line.bytes, line.is_start),
        }
    }

    fn chunk(&mut self, cx: &mut Context<'_, '_>, taken: &[u8]) {
        let mut rest = taken;
        while let Some(line) = self.body.next(&mut rest, LINE_BYTES_MAX, Rest::Follows) {
            self.content_line(cx, &line.bytes, line.is_start);
        }
        if let Mode::Chunk(0, is_last) = self.mode {
            self.mode = Mode::Commands;
            if is_last {
                self.end_body(cx);
                self.end_mail(cx, FileState::Closed);
            }
        }
    }

    /// What is there of the mail's last line.
    fn end_body(&mut self, cx: &mut Context<'_, '_>) {
        if let Some(line) = self.body.take_rest() {
            self.content_line(cx, &line.bytes, line.is_start);
        }
    }

    fn content_line(&mut self, cx: &mut Context<'_, '_>, line: &[u8], is_start: bool) {
        let Some(mail) = &mut self.mail else { return };
        match &mut self.content {
            Content::None => {}
            Content::Mime(mime) => mime.line(cx, mail, line, is_start),
            Content::Raw(file) => file.data(cx, mail, line),
        }
    }

    /// The mail is over: it is yielded, its files a little later, when all of it is known.
    fn end_mail(&mut self, cx: &mut Context<'_, '_>, state: FileState) {
        let Some(mut mail) = self.mail.take() else {
            return;
        };
        let files = self.end_content(cx, &mut mail, state);
        cx.transaction(&mail);
        self.ended_just_now = true;
        self.sent = Some((mail, files));
    }

    fn end_content(
        &mut self,
        cx: &mut Context<'_, '_>,
        mail: &mut Mail,
        state: FileState,
    ) -> Vec<(File, FileState)> {
        match std::mem::take(&mut self.content) {
            Content::None => Vec::new(),
            Content::Mime(mime) => mime.finish(cx, mail, state),
            Content::Raw(file) => vec![(*file, state)],
        }
    }

    /// No more of the mail will come: closes its files and gives it.
    fn cut_mail(&mut self, cx: &mut Context<'_, '_>) -> Option<Mail> {
        let mut mail = self.mail.take()?;
        for (file, state) in self.end_content(cx, &mut mail, FileState::Truncated) {
            file.close(cx, &mail, state);
        }
        Some(mail)
    }

    fn report_sent(&mut self, cx: &mut Context<'_, '_>) {
        if let Some((mail, files)) = self.sent.take() {
            for (file, state) in files {
                file.close(cx, &mail, state);
            }
        }
    }

    fn server_data(&mut self, cx: &mut Context<'_, '_>, data: &[u8]) -> Next {
        let mut rest = data;
        while let Some(line) = self.server.next(&mut rest, LINE_BYTES_MAX, Rest::Dropped) {
            if line.is_cut {
                self.anomaly(cx, "TRUNCATED_LINE");
            }
            if self.reply(cx, line.text()) == Some(Awaited::StartTls) {
                if let Some(mail) = self.cut_mail(cx) {
                    cx.transaction(&mail);
                }
                return Next::Redetect(data.len().saturating_sub(rest.len()));
            }
        }
        Next::More
    }

    /// Takes a line of a reply; gives the command that takes effect with it.
    fn reply(&mut self, cx: &mut Context<'_, '_>, line: &[u8]) -> Option<Awaited> {
        let Some((code, is_last)) = command::reply(line) else {
            let is_first = !std::mem::replace(&mut self.is_reply_bad, true);
            if is_first && self.mail.is_some() {
                self.anomaly(cx, "INVALID_REPLY");
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
                self.anomaly(cx, "DATA_COMMAND_REJECTED");
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
            (Awaited::Reset, _) => {
                if let Some(mail) = self.cut_mail(cx) {
                    cx.transaction(&mail);
                }
            }
            (Awaited::StartTls, 220) => return Some(awaited),
            (Awaited::StartTls, _) => self.anomaly(cx, "TLS_REJECTED"),
            (Awaited::Chunk | Awaited::Other, _) => {}
        }
        None
    }
}

/// Longest line that is taken whole, its end included, bytes.
const LINE_BYTES_MAX: usize = 4096;
/// Most recipients kept of one mail.
const RCPTS_MAX: usize = 256;
