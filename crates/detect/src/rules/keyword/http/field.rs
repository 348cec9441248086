//! Header fields.

use std::borrow::Cow;

use packet::{Direction, http1, http2};

use super::{Http, head};
use crate::rules::scene::{Buffer, Scene, Sides, Values};

/// A header field with its name as sent.
type Pair<'s> = (Cow<'s, [u8]>, Cow<'s, [u8]>);

/// The header fields of the direction at hand. Of HTTP/1, those of one name are put together, where
/// it first came.
fn pairs<'s>(scene: &Scene<'s>) -> Vec<Pair<'s>> {
    match Http::of(scene) {
        Some(Http::One(http)) => {
            let merged = http.head(scene.direction).map(http1::Head::merged);
            let merged = merged.unwrap_or_default().into_iter();
            merged.map(|(name, value)| (name.into(), value)).collect()
        }
        Some(Http::Two(http)) => {
            let fields = http.message(scene.direction).headers.iter();
            let pair = |field: &'s http2::Entry| ((&*field.name).into(), (&*field.value).into());
            fields.map(pair).collect()
        }
        None => Vec::new(),
    }
}

/// The value of a header field of the direction at hand; of several with that name, all.
fn field<'s>(scene: &Scene<'s>, name: &[u8], values: &mut Values<'s>) {
    let value = match Http::of(scene) {
        Some(Http::One(http)) => {
            let head = http.head(scene.direction);
            // of a length that is sent more than once, the first counts
            match name {
                b"content-length" => {
                    let value = head.and_then(|head| head.header(name));
                    value.map(|value| Cow::Borrowed(value.bytes))
                }
                _ => head.and_then(|head| head.merged_header(name)),
            }
        }
        Some(Http::Two(http)) => http.message(scene.direction).merged_header(name),
        None => None,
    };
    value.into_iter().for_each(|value| values.either(value));
}

/// The name of the field that cookies stand in.
fn cookie(direction: Direction) -> &'static [u8] {
    match direction {
        Direction::ToServer => b"cookie",
        Direction::ToClient => b"set-cookie",
    }
}

/// Room for the header fields of most messages.
const LINES_BYTES: usize = 1024;

/// A line of each field.
fn lines<'s>(fields: impl Iterator<Item = Pair<'s>>, values: &mut Values<'s>) {
    let mut lines = Vec::with_capacity(LINES_BYTES);
    for (name, value) in fields {
        super::add_line(&mut lines, &name, &value);
    }
    if !lines.is_empty() {
        values.made(lines);
    }
}

pub(super) static HEADER: Buffer = head("http.header", Sides::Both, |scene, values| {
    let cookie = cookie(scene.direction);
    let fields = pairs(scene).into_iter();
    lines(
        fields.filter(|(name, _)| !name.eq_ignore_ascii_case(cookie)),
        values,
    );
});

pub(super) static HEADER_RAW: Buffer =
    head(
        "http.header.raw",
        Sides::Both,
        |scene, values| match Http::of(scene) {
            Some(Http::One(http)) => {
                let Some(head) = http.head(scene.direction) else {
                    return;
                };
                match (head.raw_headers(), head.raw_trailer()) {
                    ([], _) => {}
                    (fields, []) => values.push(fields),
                    (fields, trailer) => values.made([fields, trailer].concat()),
                }
            }
            Some(Http::Two(_)) => lines(pairs(scene).into_iter(), values),
            None => {}
        },
    );

pub(super) static HEADER_NAMES: Buffer = head("http.header_names", Sides::Both, |scene, values| {
    let all = pairs(scene);
    if !all.is_empty() {
        let mut names = Vec::with_capacity(LINES_BYTES);
        names.extend_from_slice(b"\r\n");
        for (name, _) in all {
            names.extend_from_slice(&name);
            names.extend_from_slice(b"\r\n");
        }
        names.extend_from_slice(b"\r\n");
        values.made(names);
    }
});

const fn each(name: &'static str, sides: Sides) -> Buffer {
    head(name, sides, |scene, values| {
        for (name, value) in pairs(scene) {
            values.made([&name, &b": "[..], &value].concat());
        }
    })
    .multiple()
}

pub(super) static REQUEST_HEADER: Buffer = each("http.request_header", Sides::Client);
pub(super) static RESPONSE_HEADER: Buffer = each("http.response_header", Sides::Server);

pub(super) static COOKIE: Buffer = head("http.cookie", Sides::Both, |scene, values| {
    field(scene, cookie(scene.direction), values);
});
pub(super) static USER_AGENT: Buffer = head("http.user_agent", Sides::Client, |scene, values| {
    field(scene, b"user-agent", values);
});
pub(super) static ACCEPT: Buffer = head("http.accept", Sides::Client, |scene, values| {
    field(scene, b"accept", values);
});
pub(super) static ACCEPT_LANG: Buffer = head("http.accept_lang", Sides::Client, |scene, values| {
    field(scene, b"accept-language", values);
});
pub(super) static ACCEPT_ENC: Buffer = head("http.accept_enc", Sides::Client, |scene, values| {
    field(scene, b"accept-encoding", values);
});
pub(super) static REFERER: Buffer = head("http.referer", Sides::Client, |scene, values| {
    field(scene, b"referer", values);
});
pub(super) static CONNECTION: Buffer = head("http.connection", Sides::Both, |scene, values| {
    field(scene, b"connection", values);
});
pub(super) static CONTENT_TYPE: Buffer = head("http.content_type", Sides::Both, |scene, values| {
    field(scene, b"content-type", values);
});
pub(super) static CONTENT_LEN: Buffer = head("http.content_len", Sides::Both, |scene, values| {
    field(scene, b"content-length", values);
});
pub(super) static SERVER: Buffer = head("http.server", Sides::Server, |scene, values| {
    field(scene, b"server", values);
});
pub(super) static LOCATION: Buffer = head("http.location", Sides::Server, |scene, values| {
    field(scene, b"location", values);
});
