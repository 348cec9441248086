//! What is odd about messages, by the names of Suricata's events.

use super::head::{Head, Oddities};
use super::lines::{is_space, trim};
use super::name::content_range;
use super::probe::is_known_method;
use super::transaction::Transaction;
use crate::applayer::Context;
use crate::flow::Direction;

/// Reports what is odd about a request's head.
pub(super) fn request(
    cx: &mut Context<'_, '_>,
    transaction: &Transaction,
    oddities: Vec<&'static str>,
) {
    let Some(head) = transaction.request() else {
        return;
    };
    let mut names = Vec::new();
    let version = transaction.version();
    let method = transaction.method();
    if head.oddities.leading_space {
        names.push("REQUEST_LINE_LEADING_WHITESPACE");
    }
    let known = is_known_method(method) || MORE_METHODS.contains(&method);
    let has_target = !transaction.target().is_empty();
    match (version.is_empty(), has_target) {
        _ if known => {}
        (true, false) => names.push("REQUEST_LINE_UNKNOWN_METHOD"),
        (true, true) => names.push("REQUEST_LINE_UNKNOWN_METHOD_NO_PROTOCOL"),
        (false, _) if is_known_version(version) => {}
        (false, _) => names.push("REQUEST_LINE_UNKNOWN_METHOD_INVALID_PROTOCOL"),
    }
    // a lone line is HTTP/0.9
    if version.is_empty() && head.headers().next().is_some() {
        names.push("REQUEST_LINE_MISSING_PROTOCOL");
    }
    let (method_delimiter, uri_delimiter) = odd_delimiters(head.start_line().bytes);
    if method_delimiter {
        names.push("METHOD_DELIM_NON_COMPLIANT");
    }
    if uri_delimiter {
        names.push("URI_DELIM_NON_COMPLIANT");
    }
    if transaction.uri.double_encoded {
        names.push("DOUBLE_ENCODED_URI");
    }
    let lines = Lines {
        missing_colon: "REQUEST_FIELD_MISSING_COLON",
        space_after_name: "REQUEST_INVALID_LWS_AFTER_NAME",
        not_token: "REQUEST_HEADER_NAME_NOT_TOKEN",
        repetition: "REQUEST_HEADER_REPETITION",
        too_many: "REQUEST_TOO_MANY_HEADERS",
    };
    lines.report(head, &mut names);
    if transaction
        .header(b"authorization")
        .is_some_and(is_unknown_auth)
    {
        names.push("REQUEST_AUTH_UNRECOGNIZED");
    }
    let has_host = head.header(b"host").is_some();
    if version.eq_ignore_ascii_case(b"HTTP/1.1") && !has_host && method != b"CONNECT" {
        names.push("MISSING_HOST_HEADER");
    }
    for name in names.into_iter().chain(oddities) {
        cx.anomaly_in(transaction.tx_id, name);
    }
}

/// Whether white space other than blanks stands behind the method of a request line, and behind
/// that.
fn odd_delimiters(line: &[u8]) -> (bool, bool) {
    let is_odd = |byte: &u8| is_space(*byte) && *byte != b' ';
    let line = trim(line);
    let delimiter = line.iter().position(|byte| is_space(*byte));
    let rest = delimiter.and_then(|at| line.get(at..)).unwrap_or_default();
    let method = rest.first().is_some_and(is_odd);
    (method, rest.iter().skip(1).any(is_odd))
}

/// Reports what is odd about a response's head.
pub(super) fn response(
    cx: &mut Context<'_, '_>,
    transaction: &Transaction,
    oddities: Vec<&'static str>,
) {
    let Some(head) = transaction.response() else {
        return;
    };
    let mut names = Vec::new();
    let version = transaction.response_version();
    if !is_known_version(version) {
        names.push("RESPONSE_LINE_INVALID_PROTOCOL");
    }
    if !transaction
        .status
        .is_some_and(|status| (100..1000).contains(&status))
    {
        names.push("RESPONSE_LINE_INVALID_RESPONSE_STATUS");
    }
    let lines = Lines {
        missing_colon: "RESPONSE_FIELD_MISSING_COLON",
        space_after_name: "RESPONSE_INVALID_LWS_AFTER_NAME",
        not_token: "RESPONSE_HEADER_NAME_NOT_TOKEN",
        repetition: "RESPONSE_HEADER_REPETITION",
        too_many: "RESPONSE_TOO_MANY_HEADERS",
    };
    lines.report(head, &mut names);
    let is_chunked = head.values(b"transfer-encoding").any(|value| {
        value
            .bytes
            .to_ascii_lowercase()
            .windows(7)
            .any(|part| part == b"chunked")
    });
    if is_chunked && !version.eq_ignore_ascii_case(b"HTTP/1.1") {
        names.push("RESPONSE_CHUNKED_OLD_PROTO");
    }
    let range = transaction.response_header(b"content-range");
    if range.is_some_and(|range| content_range(range).is_none()) {
        names.push("RANGE_INVALID");
    }
    let has_length = head.header(b"content-length").is_some();
    let kind = transaction.content_type(Direction::ToClient);
    if !has_length
        && !is_chunked
        && kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/byteranges"))
    {
        names.push("RESPONSE_MULTIPART_BYTERANGES");
    }
    if transaction.request().is_none() {
        names.push("UNABLE_TO_MATCH_RESPONSE_TO_REQUEST");
    }
    if transaction.status == Some(204) && (is_chunked || has_length) {
        names.push("RESPONSE_BODY_UNEXPECTED");
    }
    for name in names.into_iter().chain(oddities) {
        cx.anomaly_in(transaction.tx_id, name);
    }
}

/// Reports what is odd about chunks.
pub(super) fn body(
    cx: &mut Context<'_, '_>,
    tx_id: u32,
    direction: Direction,
    (broken, extension): (bool, bool),
) {
    let (invalid, extended) = match direction {
        Direction::ToServer => ("INVALID_REQUEST_CHUNK_LEN", "REQUEST_CHUNK_EXTENSION"),
        Direction::ToClient => ("INVALID_RESPONSE_CHUNK_LEN", "RESPONSE_CHUNK_EXTENSION"),
    };
    if extension {
        cx.anomaly_in(tx_id, extended);
    }
    if broken {
        cx.anomaly_in(tx_id, invalid);
    }
}

/// Names of events about header lines.
struct Lines {
    missing_colon: &'static str,
    space_after_name: &'static str,
    not_token: &'static str,
    repetition: &'static str,
    too_many: &'static str,
}

impl Lines {
    fn report(&self, head: &Head, names: &mut Vec<&'static str>) {
        let Oddities {
            no_colon,
            bare_cr,
            space_after_name,
            name_not_token,
            ..
        } = head.oddities;
        if bare_cr {
            names.push("DEFORMED_EOL");
        }
        for (count, name) in [
            (no_colon, self.missing_colon),
            (space_after_name, self.space_after_name),
            (name_not_token, self.not_token),
        ] {
            if count > 0 {
                names.push(name);
            }
        }
        names.extend((0..repeated(head)).map(|_| self.repetition));
        if head.headers_cut() {
            names.push(self.too_many);
        }
    }
}

/// How many names come more than once. Only the first fields of a head are compared.
fn repeated(head: &Head) -> usize {
    let names: Vec<&[u8]> = head
        .headers()
        .map(|(name, _)| name.bytes)
        .filter(|name| !name.is_empty())
        .take(COMPARED_MAX)
        .collect();
    let second = names.iter().enumerate().filter(|(at, name)| {
        let before = names.get(..*at).unwrap_or_default();
        let same = before
            .iter()
            .filter(|known| known.eq_ignore_ascii_case(name));
        same.count() == 1
    });
    second.count()
}

/// Credentials of a scheme other than those of RFC 7617, RFC 7616 and RFC 6750.
fn is_unknown_auth(credentials: &[u8]) -> bool {
    let scheme = credentials.split(|byte| *byte == b' ').next();
    let scheme = scheme.unwrap_or_default();
    let known = [&b"basic"[..], b"digest", b"bearer"];
    !known.iter().any(|known| known.eq_ignore_ascii_case(scheme))
}

fn is_known_version(version: &[u8]) -> bool {
    let known = [&b"HTTP/0.9"[..], b"HTTP/1.0", b"HTTP/1.1"];
    known
        .iter()
        .any(|known| known.eq_ignore_ascii_case(version))
}

/// Methods of RFC 3253 and others that are no reason to wonder, but no sign of HTTP either.
const MORE_METHODS: [&[u8]; 12] = [
    b"UNLOCK",
    b"VERSION-CONTROL",
    b"CHECKOUT",
    b"UNCHECKOUT",
    b"CHECKIN",
    b"UPDATE",
    b"LABEL",
    b"REPORT",
    b"MKWORKSPACE",
    b"MKACTIVITY",
    b"BASELINE-CONTROL",
    b"MERGE",
];

/// Most fields of a head that are compared with each other.
const COMPARED_MAX: usize = 64;
