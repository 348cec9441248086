//! HTTP, versions 1 and 2.
//!
//! What a buffer of HTTP/2 holds is what the same keyword holds of HTTP/1, as far as the protocol has
//! it; pseudo header fields stand among the others.

mod field;
mod line;

use packet::{AppProto, Direction, http1, http2};

use super::number::Number;
use super::payload::Size;
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::Apps;
use crate::rules::rule::Step;
use crate::rules::scene::{Buffer, Scene, Sides, Stage, Values};
use field::*;
use line::*;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("http.uri", "The URI, normalised.", &URI),
    Keyword::modifier("http_uri", "The URI, normalised.", &URI),
    Keyword::sticky("http.uri.raw", "The URI as sent.", &URI_RAW),
    Keyword::modifier("http_raw_uri", "The URI as sent.", &URI_RAW),
    Keyword::call(
        "urilen",
        "number[,norm|raw]",
        "The URI has so many bytes.",
        urilen,
    ),
    Keyword::call(
        "uricontent",
        "\"bytes\"",
        "Bytes that must occur in the normalised URI.",
        uricontent,
    ),
    Keyword::sticky("http.method", "The method.", &METHOD),
    Keyword::modifier("http_method", "The method.", &METHOD),
    Keyword::sticky("http.protocol", "The protocol with its version.", &PROTOCOL),
    Keyword::sticky("http_protocol", "The protocol with its version.", &PROTOCOL),
    Keyword::sticky("http.request_line", "The request line.", &REQUEST_LINE),
    Keyword::sticky("http_request_line", "The request line.", &REQUEST_LINE),
    Keyword::sticky(
        "http.response_line",
        "The status line with its end.",
        &RESPONSE_LINE,
    ),
    Keyword::sticky(
        "http_response_line",
        "The status line with its end.",
        &RESPONSE_LINE,
    ),
    Keyword::sticky(
        "http.header",
        "All header fields but cookies, a line each.",
        &HEADER,
    ),
    Keyword::modifier(
        "http_header",
        "All header fields but cookies, a line each.",
        &HEADER,
    ),
    Keyword::sticky("http.header.raw", "All header fields as sent.", &HEADER_RAW),
    Keyword::modifier("http_raw_header", "All header fields as sent.", &HEADER_RAW),
    Keyword::sticky(
        "http.header_names",
        "The names of the header fields, a line each.",
        &HEADER_NAMES,
    ),
    Keyword::sticky(
        "http_header_names",
        "The names of the header fields, a line each.",
        &HEADER_NAMES,
    ),
    Keyword::sticky(
        "http.start",
        "The start line and the header fields as sent.",
        &START,
    ),
    Keyword::sticky(
        "http_start",
        "The start line and the header fields as sent.",
        &START,
    ),
    Keyword::sticky(
        "http.request_header",
        "Each header field of the request: name: value.",
        &REQUEST_HEADER,
    ),
    Keyword::sticky(
        "http.response_header",
        "Each header field of the response: name: value.",
        &RESPONSE_HEADER,
    ),
    Keyword::sticky("http.cookie", "The cookies.", &COOKIE),
    Keyword::modifier("http_cookie", "The cookies.", &COOKIE),
    Keyword::sticky("http.user_agent", "The user agent.", &USER_AGENT),
    Keyword::modifier("http_user_agent", "The user agent.", &USER_AGENT),
    Keyword::sticky(
        "http.host",
        "The host asked for, without its port, in lower case.",
        &HOST,
    ),
    Keyword::modifier(
        "http_host",
        "The host asked for, without its port, in lower case.",
        &HOST,
    ),
    Keyword::sticky("http.host.raw", "The host asked for, as sent.", &HOST_RAW),
    Keyword::modifier("http_raw_host", "The host asked for, as sent.", &HOST_RAW),
    Keyword::sticky(
        "http.accept",
        "The media types that the client accepts.",
        &ACCEPT,
    ),
    Keyword::sticky(
        "http_accept",
        "The media types that the client accepts.",
        &ACCEPT,
    ),
    Keyword::sticky(
        "http.accept_lang",
        "The languages that the client accepts.",
        &ACCEPT_LANG,
    ),
    Keyword::sticky(
        "http_accept_lang",
        "The languages that the client accepts.",
        &ACCEPT_LANG,
    ),
    Keyword::sticky(
        "http.accept_enc",
        "The codings that the client accepts.",
        &ACCEPT_ENC,
    ),
    Keyword::sticky(
        "http_accept_enc",
        "The codings that the client accepts.",
        &ACCEPT_ENC,
    ),
    Keyword::sticky("http.referer", "Where the client comes from.", &REFERER),
    Keyword::sticky("http_referer", "Where the client comes from.", &REFERER),
    Keyword::sticky(
        "http.connection",
        "What becomes of the connection.",
        &CONNECTION,
    ),
    Keyword::sticky(
        "http_connection",
        "What becomes of the connection.",
        &CONNECTION,
    ),
    Keyword::sticky(
        "http.content_type",
        "The media type of the body.",
        &CONTENT_TYPE,
    ),
    Keyword::sticky(
        "http_content_type",
        "The media type of the body.",
        &CONTENT_TYPE,
    ),
    Keyword::sticky(
        "http.content_len",
        "The length of the body, as its header field says.",
        &CONTENT_LEN,
    ),
    Keyword::sticky(
        "http_content_len",
        "The length of the body, as its header field says.",
        &CONTENT_LEN,
    ),
    Keyword::sticky("http.stat_code", "The status code.", &STAT_CODE),
    Keyword::modifier("http_stat_code", "The status code.", &STAT_CODE),
    Keyword::sticky("http.stat_msg", "The reason phrase.", &STAT_MSG),
    Keyword::modifier("http_stat_msg", "The reason phrase.", &STAT_MSG),
    Keyword::sticky("http.server", "What the server says of itself.", &SERVER),
    Keyword::sticky(
        "http.location",
        "Where the server sends the client.",
        &LOCATION,
    ),
    Keyword::sticky(
        "http.request_body",
        "The body of the request, decoded.",
        &REQUEST_BODY,
    ),
    Keyword::modifier(
        "http_client_body",
        "The body of the request, decoded.",
        &REQUEST_BODY,
    ),
    Keyword::sticky(
        "http.response_body",
        "The body of the response, decoded.",
        &RESPONSE_BODY,
    ),
    Keyword::modifier(
        "http_server_body",
        "The body of the response, decoded.",
        &RESPONSE_BODY,
    ),
];

const HTTP: Apps = Apps::of(&[AppProto::Http, AppProto::Http2, AppProto::Doh2]);

const fn head(
    name: &'static str,
    sides: Sides,
    get: for<'s> fn(&Scene<'s>, &mut Values<'s>),
) -> Buffer {
    Buffer {
        name,
        apps: HTTP,
        sides,
        stage: Stage::Head,
        multiple: false,
        get,
    }
}

const fn line(
    name: &'static str,
    sides: Sides,
    get: for<'s> fn(&Scene<'s>, &mut Values<'s>),
) -> Buffer {
    Buffer {
        stage: Stage::Line,
        ..head(name, sides, get)
    }
}

const HTTP1: Apps = Apps::of(&[AppProto::Http]);

/// Adds a header field as a line.
fn add_line(lines: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        lines.extend_from_slice(part);
    }
}

/// A transaction of either version.
#[derive(Debug, Clone, Copy)]
enum Http<'s> {
    One(&'s http1::Transaction),
    Two(&'s http2::Transaction),
}

impl<'s> Http<'s> {
    fn of(scene: &Scene<'s>) -> Option<Self> {
        let one = scene.of().map(Self::One);
        one.or_else(|| scene.of().map(Self::Two))
    }
}

const fn body(name: &'static str, sides: Sides) -> Buffer {
    Buffer {
        stage: Stage::Body,
        ..head(name, sides, |scene, values| {
            let body = match Http::of(scene) {
                Some(Http::One(http)) => http.body(scene.direction),
                Some(Http::Two(http)) => &http.message(scene.direction).body,
                None => &[],
            };
            if !body.is_empty() {
                values.push(body);
            }
        })
    }
}

static REQUEST_BODY: Buffer = body("http.request_body", Sides::Client);
static RESPONSE_BODY: Buffer = body("http.response_body", Sides::Server);

fn urilen(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut words = value.split(',');
    let size = Number::parse(words.next().unwrap_or(value), 0..=65_535)?;
    let buffer = match words.next() {
        None => &URI,
        Some(word) if word.text == "norm" => &URI,
        Some(word) if word.text == "raw" => &URI_RAW,
        Some(word) => {
            return Err(word
                .wrong(format!("{:?} is no form of the URI", word.text))
                .mend("write norm or raw"));
        }
    };
    rule.ask_of(buffer, Step::Check(Box::new(Size(size))), arg.name)
}

fn uricontent(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    super::content::content(rule, arg)?;
    rule.move_to(&URI, arg.name)
}
