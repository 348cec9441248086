//! HTTP, versions 1 and 2.

use packet::{AppProto, Direction, http1, http2};

use super::number::Number;
use super::payload::Size;
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::Apps;
use crate::rules::rule::Step;
use crate::rules::scene::{Buffer, Scene, Sides, Stage, Values};

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
    Keyword::sticky("http.request_line", "The request line.", &REQUEST_LINE),
    Keyword::modifier("http_request_line", "The request line.", &REQUEST_LINE),
    Keyword::sticky("http.response_line", "The status line.", &RESPONSE_LINE),
    Keyword::modifier("http_response_line", "The status line.", &RESPONSE_LINE),
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
        "http.start",
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
        "http.accept_lang",
        "The languages that the client accepts.",
        &ACCEPT_LANG,
    ),
    Keyword::sticky(
        "http.accept_enc",
        "The codings that the client accepts.",
        &ACCEPT_ENC,
    ),
    Keyword::sticky("http.referer", "Where the client comes from.", &REFERER),
    Keyword::sticky(
        "http.connection",
        "What becomes of the connection.",
        &CONNECTION,
    ),
    Keyword::sticky(
        "http.content_type",
        "The media type of the body.",
        &CONTENT_TYPE,
    ),
    Keyword::sticky(
        "http.content_len",
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

const HTTP: Apps = Apps::of(&[AppProto::Http, AppProto::Http2]);

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

/// The value of a header field of the direction at hand; of several with that name, all.
fn field<'s>(scene: &Scene<'s>, name: &[u8], values: &mut Values<'s>) {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        let head = transaction.head(scene.direction);
        if let Some(value) = head.and_then(|head| head.merged_header(name)) {
            values.either(value);
        }
    } else if let Some(transaction) = scene.of::<http2::Transaction>() {
        values.maybe(transaction.message(scene.direction).header(name));
    }
}

/// Header fields as pairs: those of one name together, where it first came.
fn pairs(scene: &Scene<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        let head = transaction.head(scene.direction);
        let merged = head.map(http1::Head::merged).unwrap_or_default();
        merged
            .into_iter()
            .map(|(name, value)| (name.to_vec(), value))
            .collect()
    } else if let Some(transaction) = scene.of::<http2::Transaction>() {
        let fields = transaction.message(scene.direction).headers.iter();
        fields
            .map(|entry| (entry.name.clone(), entry.value.clone()))
            .collect()
    } else {
        Vec::new()
    }
}

fn line(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b": ", value].concat()
}

static URI: Buffer = head("http.uri", Sides::Client, |scene, values| {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        values.push(transaction.uri());
    } else if let Some(transaction) = scene.of::<http2::Transaction>() {
        values.maybe(transaction.target());
    }
});

static URI_RAW: Buffer = head("http.uri.raw", Sides::Client, |scene, values| {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        values.push(transaction.raw_uri());
    } else if let Some(transaction) = scene.of::<http2::Transaction>() {
        values.maybe(transaction.target());
    }
});

static METHOD: Buffer = head("http.method", Sides::Client, |scene, values| {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        values.push(transaction.method());
    } else if let Some(transaction) = scene.of::<http2::Transaction>() {
        values.maybe(transaction.method());
    }
});

static PROTOCOL: Buffer = head("http.protocol", Sides::Both, |scene, values| {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        values.push(match scene.direction {
            Direction::ToServer => transaction.version(),
            Direction::ToClient => transaction.response_version(),
        });
    } else if scene.of::<http2::Transaction>().is_some() {
        values.push(b"HTTP/2");
    }
});

static REQUEST_LINE: Buffer = head("http.request_line", Sides::Client, |scene, values| {
    values.maybe(
        scene
            .of::<http1::Transaction>()
            .map(http1::Transaction::request_line),
    );
});

static RESPONSE_LINE: Buffer = head("http.response_line", Sides::Server, |scene, values| {
    values.maybe(
        scene
            .of::<http1::Transaction>()
            .map(http1::Transaction::response_line),
    );
});

static HEADER: Buffer = head("http.header", Sides::Both, |scene, values| {
    let cookie: &[u8] = match scene.direction {
        Direction::ToServer => b"cookie",
        Direction::ToClient => b"set-cookie",
    };
    let all = pairs(scene);
    let shown = all
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(cookie));
    let lines: Vec<u8> = shown
        .flat_map(|(name, value)| [&line(name, value)[..], b"\r\n"].concat())
        .collect();
    if !lines.is_empty() {
        values.made(lines);
    }
});

static HEADER_RAW: Buffer = head("http.header.raw", Sides::Both, |scene, values| {
    let transaction = scene.of::<http1::Transaction>();
    let head = transaction.and_then(|transaction| transaction.head(scene.direction));
    match head {
        Some(head) => values.push(head.raw_headers()),
        None => (HEADER.get)(scene, values),
    }
});

static HEADER_NAMES: Buffer = head("http.header_names", Sides::Both, |scene, values| {
    let all = pairs(scene);
    if !all.is_empty() {
        let names = all
            .iter()
            .flat_map(|(name, _)| [&name[..], b"\r\n"].concat());
        values.made(
            b"\r\n"
                .iter()
                .copied()
                .chain(names)
                .chain(*b"\r\n")
                .collect(),
        );
    }
});

static START: Buffer = head("http.start", Sides::Both, |scene, values| {
    let transaction = scene.of::<http1::Transaction>();
    values.maybe(
        transaction
            .and_then(|transaction| transaction.head(scene.direction))
            .map(http1::Head::raw),
    );
});

const fn each(name: &'static str, sides: Sides) -> Buffer {
    Buffer {
        multiple: true,
        ..head(name, sides, |scene, values| {
            for (name, value) in pairs(scene) {
                values.made(line(&name, &value));
            }
        })
    }
}

static REQUEST_HEADER: Buffer = each("http.request_header", Sides::Client);
static RESPONSE_HEADER: Buffer = each("http.response_header", Sides::Server);

static COOKIE: Buffer = head("http.cookie", Sides::Both, |scene, values| {
    match scene.direction {
        Direction::ToServer => field(scene, b"cookie", values),
        Direction::ToClient => field(scene, b"set-cookie", values),
    }
});

static USER_AGENT: Buffer = head("http.user_agent", Sides::Client, |scene, values| {
    field(scene, b"user-agent", values)
});
static ACCEPT: Buffer = head("http.accept", Sides::Client, |scene, values| {
    field(scene, b"accept", values)
});
static ACCEPT_LANG: Buffer = head("http.accept_lang", Sides::Client, |scene, values| {
    field(scene, b"accept-language", values)
});
static ACCEPT_ENC: Buffer = head("http.accept_enc", Sides::Client, |scene, values| {
    field(scene, b"accept-encoding", values)
});
static REFERER: Buffer = head("http.referer", Sides::Client, |scene, values| {
    field(scene, b"referer", values)
});
static CONNECTION: Buffer = head("http.connection", Sides::Both, |scene, values| {
    field(scene, b"connection", values)
});
static CONTENT_TYPE: Buffer = head("http.content_type", Sides::Both, |scene, values| {
    field(scene, b"content-type", values)
});
static CONTENT_LEN: Buffer = head("http.content_len", Sides::Both, |scene, values| {
    field(scene, b"content-length", values)
});
static SERVER: Buffer = head("http.server", Sides::Server, |scene, values| {
    field(scene, b"server", values)
});
static LOCATION: Buffer = head("http.location", Sides::Server, |scene, values| {
    field(scene, b"location", values)
});

static HOST: Buffer = head("http.host", Sides::Client, |scene, values| {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        if let Some(name) = transaction.host_name() {
            values.made(name);
        }
    } else if let Some(host) = scene
        .of::<http2::Transaction>()
        .and_then(http2::Transaction::host)
    {
        let (name, _) = crate::fields::host_without_port(host);
        values.made(name.to_ascii_lowercase());
    }
});

static HOST_RAW: Buffer = head("http.host.raw", Sides::Client, |scene, values| {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        values.maybe(transaction.host());
    } else if let Some(transaction) = scene.of::<http2::Transaction>() {
        values.maybe(transaction.host());
    }
});

static STAT_CODE: Buffer = head("http.stat_code", Sides::Server, |scene, values| {
    if let Some(transaction) = scene.of::<http1::Transaction>() {
        values.push(transaction.status_code());
    } else if let Some(status) = scene
        .of::<http2::Transaction>()
        .and_then(http2::Transaction::status)
    {
        values.made(status.to_string().into_bytes());
    }
});

static STAT_MSG: Buffer = head("http.stat_msg", Sides::Server, |scene, values| {
    values.maybe(
        scene
            .of::<http1::Transaction>()
            .map(http1::Transaction::status_message),
    );
});

const fn body(
    name: &'static str,
    sides: Sides,
    get: for<'s> fn(&Scene<'s>, &mut Values<'s>),
) -> Buffer {
    Buffer {
        stage: Stage::Message,
        ..head(name, sides, get)
    }
}

static REQUEST_BODY: Buffer = body("http.request_body", Sides::Client, |scene, values| {
    let body = scene
        .of::<http1::Transaction>()
        .map(http1::Transaction::request_body);
    values.maybe(body.filter(|body| !body.is_empty()));
});

static RESPONSE_BODY: Buffer = body("http.response_body", Sides::Server, |scene, values| {
    let body = scene
        .of::<http1::Transaction>()
        .map(http1::Transaction::response_body);
    values.maybe(body.filter(|body| !body.is_empty()));
});

fn urilen(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut words = value.split(',');
    let size = Number::parse(words.next().unwrap_or(value), 0..=65_535)?;
    let buffer = match words.next() {
        None => &URI,
        Some(word) if word.text == "norm" => &URI,
        Some(word) if word.text == "raw" => &URI_RAW,
        Some(word) => return Err(word.wrong("no form of the URI").mend("write norm or raw")),
    };
    rule.ask_of(buffer, Step::Check(Box::new(Size(size))), arg.name)
}

fn uricontent(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    super::content::content(rule, arg)?;
    rule.move_to(&URI, arg.name)
}
