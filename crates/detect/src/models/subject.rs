//! What of a transaction models look at.

use features::{Request, Subject};
use pack::manifest::Task;
use packet::applayer::{dns, http1, http2, tls};
use packet::{Direction, Transaction};

use crate::fields::host_without_port;

/// Something to be judged.
pub(super) struct Shown<'a> {
    /// For models that look for this.
    pub(super) task: Task,
    pub(super) subject: Subject<'a>,
    /// What it is of, as verdicts name it.
    pub(super) buffer: &'static str,
    pub(super) first_packet_ns: u64,
    /// Its length.
    pub(super) bytes: usize,
    /// Bytes of a body that are left out.
    pub(super) cut: usize,
}

/// Most header fields of a request that are shown.
const HEADERS_MAX: usize = 256;

/// Calls `see` with everything in a transaction that a model may look at, once in its life.
pub(super) fn each(
    transaction: &dyn Transaction,
    body_bytes_max: usize,
    mut see: impl FnMut(&Shown<'_>),
) {
    if let Some(message) = transaction.downcast_ref::<dns::Message>() {
        dns(message, &mut see);
    } else if let Some(request) = transaction.downcast_ref::<http1::Transaction>() {
        if let Some(head) = Head::of_http1(request) {
            head.each(body_bytes_max, &mut see);
        }
    } else if let Some(stream) = transaction.downcast_ref::<http2::Transaction>() {
        if let Some(head) = Head::of_http2(stream) {
            head.each(body_bytes_max, &mut see);
        }
    } else if let Some(hello) = transaction.downcast_ref::<tls::Hello>() {
        tls(hello, &mut see);
    }
}

/// An answer repeats the question, which was looked at when it was asked.
fn dns(message: &dns::Message, see: &mut impl FnMut(&Shown<'_>)) {
    if message.kind != dns::Kind::Query || message.multicast {
        return;
    }
    for question in &message.questions {
        name(question.name.bytes(), "dns.query", message.first_ts_ns, see);
    }
}

fn tls(hello: &tls::Hello, see: &mut impl FnMut(&Shown<'_>)) {
    let Some(sni) = hello.sni() else { return };
    name(sni, "tls.sni", hello.first_ts_ns, see);
    url(
        &String::from_utf8_lossy(sni),
        "tls.sni",
        hello.first_ts_ns,
        see,
    );
}

/// A name of several labels that no address stands behind by its form.
fn name(
    bytes: &[u8],
    buffer: &'static str,
    first_packet_ns: u64,
    see: &mut impl FnMut(&Shown<'_>),
) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('.');
    let lower = text.to_ascii_lowercase();
    if !text.contains('.') || lower.ends_with(".arpa") {
        return;
    }
    see(&Shown {
        task: Task::DgaDomain,
        subject: Subject::Domain(text),
        buffer,
        first_packet_ns,
        bytes: text.len(),
        cut: 0,
    });
}

fn url(text: &str, buffer: &'static str, first_packet_ns: u64, see: &mut impl FnMut(&Shown<'_>)) {
    see(&Shown {
        task: Task::PhishingUrl,
        subject: Subject::Url(text),
        buffer,
        first_packet_ns,
        bytes: text.len(),
        cut: 0,
    });
}

/// A request, whatever carries it.
struct Head<'a> {
    method: &'a [u8],
    target: &'a [u8],
    host: Option<&'a [u8]>,
    headers: Vec<(&'a [u8], &'a [u8])>,
    body: &'a [u8],
    first_packet_ns: u64,
}

impl<'a> Head<'a> {
    /// A request without a body is judged when its head is there, any other one when it is over.
    fn of_http1(request: &'a http1::Transaction) -> Option<Self> {
        request.request()?;
        let length = request.header(b"content-length").map(<[u8]>::trim_ascii);
        let has_body = length.is_some_and(|length| length != b"0")
            || request.header(b"transfer-encoding").is_some();
        let due = match has_body {
            true => http1::Phase::Complete,
            false => http1::Phase::Request,
        };
        (request.phase == due).then(|| Self {
            method: request.method(),
            target: request.target(),
            host: request.host(),
            headers: request.headers().take(HEADERS_MAX).collect(),
            body: request.body(Direction::ToServer),
            first_packet_ns: request.first_ts_ns,
        })
    }

    fn of_http2(stream: &'a http2::Transaction) -> Option<Self> {
        let (method, target) = stream.method().zip(stream.target())?;
        let fields = stream.request.headers.iter();
        let fields = fields.filter(|field| {
            !field.name.starts_with(b":")
                && field.damage.is_none()
                && field.table_size_update.is_none()
        });
        stream.complete.then(|| Self {
            method,
            target,
            host: stream.host(),
            headers: fields
                .map(|field| (field.name.as_slice(), field.value.as_slice()))
                .take(HEADERS_MAX)
                .collect(),
            body: &stream.request.body,
            first_packet_ns: stream.first_ts_ns,
        })
    }

    fn each(&self, body_bytes_max: usize, see: &mut impl FnMut(&Shown<'_>)) {
        let body = self.body.get(..body_bytes_max).unwrap_or(self.body);
        let headers = self.headers.iter();
        let lengths = headers.map(|(name, value)| name.len().saturating_add(value.len()));
        let length = lengths.fold(self.target.len(), usize::saturating_add);
        see(&Shown {
            task: Task::WebAttack,
            subject: Subject::Request(Request {
                method: self.method,
                target: self.target,
                headers: &self.headers,
                body,
            }),
            buffer: "http.request",
            first_packet_ns: self.first_packet_ns,
            bytes: length.saturating_add(body.len()),
            cut: self.body.len().saturating_sub(body.len()),
        });
        let Some(host) = self.host else { return };
        let (bare, address) = host_without_port(host);
        if address.is_none() {
            name(bare, "http.host", self.first_packet_ns, see);
        }
        let absolute = !self.target.starts_with(b"/");
        let text = match absolute {
            true => self.target.to_vec(),
            false => [host, self.target].concat(),
        };
        let text = String::from_utf8_lossy(&text);
        url(&text, "http.url", self.first_packet_ns, see);
    }
}
