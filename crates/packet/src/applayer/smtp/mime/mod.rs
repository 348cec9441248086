//! A mail taken apart line by line: nothing of its content is kept.

mod decode;
mod header;
mod url;

use md5::{Digest as _, Md5};

use super::Options;
use super::transaction::{Header, Mail};
use crate::applayer::Context;
use crate::applayer::lines::split_end;
use crate::bytes::hex;
use crate::file::{File, FileState};
use crate::flow::Direction;
use decode::{Decoder, Encoding};
use url::Scanner;

/// Takes one mail apart.
#[derive(Debug)]
pub(super) struct Mime {
    options: Options,
    /// Boundaries of the multiparts that are open, the outermost first.
    boundaries: Vec<Vec<u8>>,
    phase: Phase,
    /// These are the headers of the mail itself.
    is_top: bool,
    /// The header that is being read, unfolded.
    field: Vec<u8>,
    field_bytes: usize,
    part: Part,
    file: Option<File>,
    decoder: Decoder,
    scanner: Scanner,
    body_md5: Option<Md5>,
    /// Bytes of the line so far, of which pieces were taken.
    line_len: usize,
    /// The files of parts that are over.
    files: Vec<(File, FileState)>,
}

/// What the next line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Headers,
    Body,
    /// In front of, between and behind the parts of a multipart.
    Between,
}

/// What the headers of a part say of it.
#[derive(Debug, Default)]
struct Part {
    name: Option<Vec<u8>>,
    kind: Option<Vec<u8>>,
    boundary: Option<Vec<u8>>,
    encoding: Encoding,
}

impl Mime {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            boundaries: Vec::new(),
            phase: Phase::Headers,
            is_top: true,
            field: Vec::new(),
            field_bytes: 0,
            part: Part::default(),
            file: None,
            decoder: Decoder::default(),
            scanner: Scanner::default(),
            body_md5: None,
            line_len: 0,
            files: Vec::new(),
        }
    }

    /// Takes a line with its end, or a piece of one.
    pub(super) fn line(
        &mut self,
        cx: &mut Context<'_, '_>,
        mail: &mut Mail,
        line: &[u8],
        is_start: bool,
    ) {
        if self.options.body_md5 && !self.is_top {
            self.body_md5.get_or_insert_with(Md5::new).update(line);
        }
        // the sender doubled a leading dot (RFC 5321 section 4.5.2)
        let line = match line.strip_prefix(b".") {
            Some(rest) if is_start => rest,
            Some(_) | None => line,
        };
        let (text, end) = split_end(line);
        let before = if is_start { 0 } else { self.line_len };
        self.line_len = before.saturating_add(text.len());
        let crosses = |max: usize| before <= max && before.saturating_add(text.len()) > max;
        if crosses(LINE_BYTES_MAX) {
            cx.anomaly_in(mail.tx_id, "MIME_LONG_LINE");
        }
        if is_start && self.boundary(cx, mail, text) {
            return;
        }
        match self.phase {
            Phase::Headers => self.header_line(cx, mail, text, is_start),
            Phase::Body => {
                if self.decoder.encoding() != Encoding::Plain && crosses(ENCODED_LINE_BYTES_MAX) {
                    cx.anomaly_in(mail.tx_id, "MIME_LONG_ENC_LINE");
                }
                self.content(cx, mail, text, end);
            }
            Phase::Between => {}
        }
    }

    /// The mail is over, whole or not. Gives the files that it held.
    pub(super) fn finish(
        mut self,
        cx: &mut Context<'_, '_>,
        mail: &mut Mail,
        state: FileState,
    ) -> Vec<(File, FileState)> {
        if self.phase == Phase::Headers {
            self.end_field(cx, mail);
        }
        self.end_part(cx, mail, state);
        if let (Some(md5), Some(email), FileState::Closed) =
            (self.body_md5.take(), &mut mail.email, state)
        {
            email.body_md5 = Some(hex(&md5.finalize()));
        }
        self.files
    }

    /// The headers of the mail itself are still coming in.
    pub(super) fn is_in_headers(&self) -> bool {
        self.is_top
    }

    /// Bytes kept.
    pub(super) fn buffered(&self) -> usize {
        let boundaries: usize = self.boundaries.iter().map(Vec::len).sum();
        boundaries
            .saturating_add(self.field.len())
            .saturating_add(self.scanner.buffered())
    }

    /// Whether the line is a boundary of an open multipart, and what follows from it. The
    /// innermost is asked first; one further out ends those within, which their sender left open.
    fn boundary(&mut self, cx: &mut Context<'_, '_>, mail: &mut Mail, text: &[u8]) -> bool {
        let Some(rest) = text.strip_prefix(b"--") else {
            return false;
        };
        let behind = |boundary: &Vec<u8>| {
            let behind = rest.strip_prefix(boundary.as_slice());
            behind.map(<[u8]>::trim_ascii_end)
        };
        let exact = self
            .boundaries
            .iter()
            .rposition(|boundary| matches!(behind(boundary), Some([] | b"--")));
        let innermost = self.boundaries.len().saturating_sub(1);
        let Some((at, behind)) = exact
            .or(Some(innermost))
            .and_then(|at| Some((at, behind(self.boundaries.get(at)?)?)))
        else {
            return false;
        };
        let is_last = behind == b"--";
        if self.phase == Phase::Headers {
            self.end_field(cx, mail);
        }
        self.end_part(cx, mail, FileState::Closed);
        let open = if is_last { at } else { at.saturating_add(1) };
        self.boundaries.truncate(open);
        self.part = Part::default();
        self.phase = if is_last {
            Phase::Between
        } else {
            Phase::Headers
        };
        true
    }

    fn header_line(
        &mut self,
        cx: &mut Context<'_, '_>,
        mail: &mut Mail,
        text: &[u8],
        is_start: bool,
    ) {
        if is_start && text.is_empty() {
            self.end_field(cx, mail);
            return self.end_headers(cx);
        }
        let text = match text {
            [b' ' | b'\t', folded @ ..] if is_start => folded,
            _ if is_start => {
                self.end_field(cx, mail);
                text
            }
            _ => text,
        };
        let value = text.iter().skip_while(|byte| **byte != b':').count();
        if value > self.options.header_value_depth.saturating_add(1) {
            cx.anomaly_in(mail.tx_id, "MIME_LONG_HEADER_VALUE");
        }
        let room = FIELD_BYTES_MAX.saturating_sub(self.field.len());
        self.field.extend(text.iter().take(room));
    }

    /// A header is complete.
    fn end_field(&mut self, cx: &mut Context<'_, '_>, mail: &mut Mail) {
        let field = std::mem::take(&mut self.field);
        let Some((name, value)) = header::split(&field) else {
            return;
        };
        if name.len() > HEADER_NAME_BYTES_MAX {
            cx.anomaly_in(mail.tx_id, "MIME_LONG_HEADER_NAME");
        }
        match name.as_slice() {
            b"content-type" => {
                self.part.kind = Some(header::token(value));
                self.part.boundary = header::parameter(value, "boundary");
                let boundary = self.part.boundary.as_ref();
                if boundary.is_some_and(|boundary| boundary.len() > BOUNDARY_BYTES_MAX) {
                    cx.anomaly_in(mail.tx_id, "MIME_LONG_BOUNDARY");
                }
                self.name(cx, mail, header::parameter(value, "name"));
            }
            b"content-disposition" => {
                self.name(cx, mail, header::parameter(value, "filename"));
            }
            b"content-transfer-encoding" => {
                let encoding = Encoding::named(&header::token(value));
                self.part.encoding = encoding.unwrap_or(self.part.encoding);
            }
            _ => {}
        }
        self.field_bytes = self.field_bytes.saturating_add(field.len());
        if self.is_top && self.field_bytes <= cx.config.head_bytes_max {
            let value = value.to_vec();
            if let Some(email) = &mut mail.email {
                email.headers.push(Header { name, value });
            }
        } else if self.is_top {
            cx.counters.heads_max_hit = cx.counters.heads_max_hit.saturating_add(1);
        }
    }

    /// The part has a name; its first one counts.
    fn name(&mut self, cx: &mut Context<'_, '_>, mail: &mut Mail, name: Option<Vec<u8>>) {
        let Some(mut name) = name.filter(|_| self.part.name.is_none()) else {
            return;
        };
        if name.len() > NAME_BYTES_MAX {
            cx.anomaly_in(mail.tx_id, "MIME_LONG_FILENAME");
            name.truncate(NAME_BYTES_MAX);
        }
        if let Some(email) = &mut mail.email
            && email.attachments.len() < NAMES_MAX
        {
            email.attachments.push(name.clone());
        }
        self.part.name = Some(name);
    }

    /// The headers of the mail or of a part are over: what follows?
    fn end_headers(&mut self, cx: &mut Context<'_, '_>) {
        self.is_top = false;
        let part = &mut self.part;
        let kind = part.kind.as_deref().unwrap_or_default();
        if kind == b"message/rfc822" && part.encoding == Encoding::Plain {
            self.part = Part::default();
            return;
        }
        let boundary = part.boundary.take().filter(|boundary| {
            kind.starts_with(b"multipart/")
                && !boundary.is_empty()
                && self.boundaries.len() < BOUNDARIES_MAX
        });
        if let Some(boundary) = boundary {
            self.boundaries.push(boundary);
            self.phase = Phase::Between;
            return;
        }
        let name = part.name.as_ref().filter(|name| !name.is_empty());
        self.file = name.map(|name| File::open(cx, Direction::ToServer, name));
        self.decoder = Decoder::new(part.encoding);
        self.phase = Phase::Body;
    }

    fn content(&mut self, cx: &mut Context<'_, '_>, mail: &mut Mail, text: &[u8], end: &[u8]) {
        let mut decoded = Vec::new();
        let is_sound = self.decoder.line(text, end, &mut decoded);
        let (is_wanted, event) = match self.decoder.encoding() {
            Encoding::Plain => (true, ""),
            Encoding::Base64 => (self.options.decode_base64, "MIME_INVALID_BASE64"),
            Encoding::QuotedPrintable => (self.options.decode_quoted_printable, "MIME_INVALID_QP"),
        };
        if !is_wanted {
            return;
        }
        if !is_sound {
            cx.anomaly_in(mail.tx_id, event);
        }
        if let Some(file) = &mut self.file {
            file.data(cx, mail, &decoded);
        }
        if self.is_text() {
            let by_lines = self.decoder.encoding() != Encoding::Base64;
            let found = &mut found(&self.options, mail);
            let scanner = &mut self.scanner;
            if self.decoder.encoding() == Encoding::Plain {
                scanner.text(text, by_lines, &self.options.url_schemes, found);
                scanner.text(end, by_lines, &self.options.url_schemes, found);
            } else {
                scanner.text(&decoded, by_lines, &self.options.url_schemes, found);
            }
        }
    }

    /// URLs are looked for in texts that a reader shows, and in files.
    fn is_text(&self) -> bool {
        let kind = self.part.kind.as_deref();
        self.file.is_some() || kind.is_none_or(|kind| matches!(kind, b"text/plain" | b"text/html"))
    }

    fn end_part(&mut self, cx: &mut Context<'_, '_>, mail: &mut Mail, state: FileState) {
        let mut decoded = Vec::new();
        self.decoder.finish(&mut decoded);
        self.scanner
            .finish(&self.options.url_schemes, &mut found(&self.options, mail));
        let Some(mut file) = self.file.take() else {
            return;
        };
        if self.options.decode_base64 {
            file.data(cx, mail, &decoded);
        }
        if self.files.len() < FILES_MAX {
            self.files.push((file, state));
        } else {
            file.close_if_whole(cx, mail, state);
        }
    }
}

/// Adds a URL to the mail.
fn found<'a>(options: &'a Options, mail: &'a mut Mail) -> impl FnMut(&[u8], usize) + 'a {
    move |url, scheme_len| {
        let skipped = if options.log_url_scheme {
            0
        } else {
            scheme_len
        };
        let url = url.get(skipped..).unwrap_or_default();
        if let Some(email) = &mut mail.email
            && email.urls.len() < URLS_MAX
        {
            email
                .urls
                .push(url.get(..URL_BYTES_MAX).unwrap_or(url).to_vec());
        }
    }
}

/// Most bytes of a line (RFC 5322 section 2.1.1).
const LINE_BYTES_MAX: usize = 998;
/// Most bytes of a line of encoded content (RFC 2045 sections 6.7 and 6.8).
const ENCODED_LINE_BYTES_MAX: usize = 76;
/// Most bytes of the name of a header that passes without an anomaly.
const HEADER_NAME_BYTES_MAX: usize = 75;
/// Most bytes of a header that are kept.
const FIELD_BYTES_MAX: usize = 16 << 10;
/// Most bytes of a boundary that passes without an anomaly.
const BOUNDARY_BYTES_MAX: usize = 254;
/// Most multiparts within each other; those further in are taken as text.
const BOUNDARIES_MAX: usize = 64;
/// Most bytes of the name of a part that are kept.
const NAME_BYTES_MAX: usize = 255;
/// Most names of parts kept of one mail.
const NAMES_MAX: usize = 256;
/// Most URLs kept of one mail.
const URLS_MAX: usize = 512;
/// Most bytes kept of a URL.
const URL_BYTES_MAX: usize = 2048;
/// Most files of one mail that wait for its end to be reported with all that it says.
const FILES_MAX: usize = 64;
