//! The mail that is on its way, and its content.

use super::Options;
use super::mime::Mime;
use super::transaction::{Email, Mail};
use crate::applayer::Context;
use crate::applayer::lines::{Line, Lines, Rest};
use crate::file::{File, FileState};
use crate::flow::Direction;
use crate::sensor::Part;

/// The mail that commands are about now, its content as it comes in, and the one before while its
/// files wait to be reported.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    options: Options,
    /// The client's name for itself.
    helo: Option<Vec<u8>>,
    mail: Option<Mail>,
    /// Lines of the content.
    body: Lines,
    content: Content,
    /// How much the mail said when it was told last.
    told: Said,
    sent: Option<(Mail, Vec<(File, FileState)>)>,
}

/// How much a mail says: it only grows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    transaction: Option<u32>,
    has_helo: bool,
    has_sender: bool,
    recipients: usize,
    headers: usize,
    urls: usize,
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

impl Delivery {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            ..Self::default()
        }
    }

    /// The mail that commands are about now.
    pub(super) fn mail(&mut self, cx: &mut Context<'_, '_>) -> &mut Mail {
        self.mail.get_or_insert_with(|| Mail {
            tx_id: cx.transaction_id(),
            first_ts_ns: cx.ts_ns,
            helo: self.helo.clone(),
            ..Mail::default()
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.mail.is_some()
    }

    /// The transaction at hand.
    pub(super) fn tx_id(&self) -> Option<u32> {
        self.mail.as_ref().map(|mail| mail.tx_id)
    }

    /// Reports damage in the mail, if there is one.
    pub(super) fn anomaly(&self, cx: &mut Context<'_, '_>, name: &'static str) {
        match &self.mail {
            Some(mail) => cx.anomaly_in(mail.tx_id, name),
            None => cx.anomaly(name),
        }
    }

    /// The client says its name; the first one counts.
    pub(super) fn hello(&mut self, cx: &mut Context<'_, '_>, name: &[u8]) {
        if self.helo.is_some() {
            return self.anomaly(cx, "DUPLICATE_FIELDS");
        }
        self.helo = Some(name.to_vec());
        self.mail(cx).helo = Some(name.to_vec());
    }

    pub(super) fn sender(&mut self, cx: &mut Context<'_, '_>, from: &[u8]) {
        let mail = self.mail(cx);
        if mail.mail_from.is_some() {
            return cx.anomaly_in(mail.tx_id, "DUPLICATE_FIELDS");
        }
        mail.mail_from = Some(from.to_vec());
    }

    pub(super) fn recipient(&mut self, cx: &mut Context<'_, '_>, to: &[u8]) {
        let mail = self.mail(cx);
        if mail.rcpt_to.len() < RCPTS_MAX {
            mail.rcpt_to.push(to.to_vec());
        } else {
            cx.counters.heads_max_hit = cx.counters.heads_max_hit.saturating_add(1);
        }
    }

    /// The content follows; what there is of one that was given up is over.
    pub(super) fn begin(&mut self, cx: &mut Context<'_, '_>) {
        let decode = self.options.decode_mime;
        if let Some(mut mail) = self.mail.take() {
            for (file, state) in self.end_content(cx, &mut mail, FileState::Truncated) {
                file.close_if_whole(cx, &mail, state);
            }
            self.mail = Some(mail);
        }
        self.body = Lines::default();
        let mail = self.mail(cx);
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

    /// Tells what the mail says, if that is more than before.
    pub(super) fn tell(&mut self, cx: &mut Context<'_, '_>) {
        let mut said = Said::of(self.mail.as_ref());
        // headers are told together
        if matches!(&self.content, Content::Mime(mime) if mime.is_in_headers()) {
            said.headers = 0;
        }
        let has_news = said != self.told;
        self.told = said;
        if let Some(mail) = self.mail.as_ref().filter(|_| has_news) {
            cx.progress(mail, Part::RequestHead);
        }
    }

    pub(super) fn is_begun(&self) -> bool {
        !matches!(self.content, Content::None)
    }

    /// Takes a line of the content off the front of `data`, or a piece of one.
    pub(super) fn next_line<'a>(&mut self, data: &mut &'a [u8], max: usize) -> Option<Line<'a>> {
        self.body.next(data, max, Rest::Follows)
    }

    /// Takes a line of the content with its end, or a piece of one.
    pub(super) fn line(&mut self, cx: &mut Context<'_, '_>, line: &Line<'_>) {
        let Some(mail) = &mut self.mail else { return };
        match &mut self.content {
            Content::None => {}
            Content::Mime(mime) => mime.line(cx, mail, &line.bytes, line.is_start),
            Content::Raw(file) => file.data(cx, mail, &line.bytes),
        }
    }

    /// What is there of the content's last line is all of it.
    pub(super) fn end_line(&mut self, cx: &mut Context<'_, '_>) {
        if let Some(line) = self.body.take_rest() {
            self.line(cx, &line);
        }
    }

    /// Bytes of the content are missing, or of commands within it.
    pub(super) fn gap(&mut self) {
        self.body.gap();
    }

    /// The mail is over: it is yielded, its files a little later, as Suricata has it.
    pub(super) fn end(&mut self, cx: &mut Context<'_, '_>, state: FileState) -> bool {
        let Some(mut mail) = self.mail.take() else {
            return false;
        };
        let files = self.end_content(cx, &mut mail, state);
        cx.transaction(&mail);
        self.sent = Some((mail, files));
        true
    }

    /// No more of the mail will come: its files are closed, and it is yielded.
    pub(super) fn cut(&mut self, cx: &mut Context<'_, '_>) {
        let Some(mut mail) = self.mail.take() else {
            return;
        };
        for (file, state) in self.end_content(cx, &mut mail, FileState::Truncated) {
            file.close_if_whole(cx, &mail, state);
        }
        cx.transaction(&mail);
    }

    /// Reports the files of the mail before.
    pub(super) fn report_sent(&mut self, cx: &mut Context<'_, '_>) {
        if let Some((mail, files)) = self.sent.take() {
            for (file, state) in files {
                file.close_if_whole(cx, &mail, state);
            }
        }
    }

    /// Bytes kept.
    pub(super) fn buffered(&self) -> usize {
        let content = match &self.content {
            Content::Mime(mime) => mime.buffered(),
            Content::None | Content::Raw(_) => 0,
        };
        self.body.buffered().saturating_add(content)
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
}

impl Said {
    fn of(mail: Option<&Mail>) -> Self {
        let email = mail.and_then(|mail| mail.email.as_ref());
        Self {
            transaction: mail.map(|mail| mail.tx_id),
            has_helo: mail.is_some_and(|mail| mail.helo.is_some()),
            has_sender: mail.is_some_and(|mail| mail.mail_from.is_some()),
            recipients: mail.map_or(0, |mail| mail.rcpt_to.len()),
            headers: email.map_or(0, |email| email.headers.len()),
            urls: email.map_or(0, |email| email.urls.len()),
        }
    }
}

/// Most recipients kept of one mail.
const RCPTS_MAX: usize = 256;
