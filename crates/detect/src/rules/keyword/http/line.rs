//! The first lines of messages, and what stands in them.

use packet::http1;

use super::{Direction, Http, head, line};
use crate::rules::scene::{Buffer, Sides, Values};

pub(super) static URI: Buffer = line("http.uri", Sides::Client, |scene, values| {
    match Http::of(scene) {
        Some(Http::One(http)) => some(path_of(http), values),
        Some(Http::Two(http)) => values.maybe(http.target()),
        None => {}
    }
});

pub(super) static URI_RAW: Buffer =
    line(
        "http.uri.raw",
        Sides::Client,
        |scene, values| match Http::of(scene) {
            Some(Http::One(http)) => some(http.raw_uri(), values),
            Some(Http::Two(http)) => values.maybe(http.target()),
            None => {}
        },
    );

pub(super) static METHOD: Buffer = line(
    "http.method",
    Sides::Client,
    |scene, values| match Http::of(scene) {
        Some(Http::One(http)) => values.push(http.method()),
        Some(Http::Two(http)) => values.maybe(http.method()),
        None => {}
    },
);

/// Adds a value, if it has any bytes.
fn some<'s>(value: &'s [u8], values: &mut Values<'s>) {
    values.maybe(Some(value).filter(|value| !value.is_empty()));
}

/// The normalised URI; CONNECT asks for a host, not for a path.
fn path_of(http: &http1::Transaction) -> &[u8] {
    match http.method() == b"CONNECT" && http.target_host().is_some() {
        true => b"",
        false => http.uri(),
    }
}

/// What HTTP/2 is called where a version stands.
const HTTP2: &[u8] = b"HTTP/2";

pub(super) static PROTOCOL: Buffer = line("http.protocol", Sides::Both, |scene, values| {
    match (Http::of(scene), scene.direction) {
        (Some(Http::One(http)), Direction::ToServer) => some(http.version(), values),
        (Some(Http::One(http)), Direction::ToClient) => some(http.response_version(), values),
        (Some(Http::Two(_)), _) => values.push(HTTP2),
        (None, _) => {}
    }
});

pub(super) static REQUEST_LINE: Buffer =
    line("http.request_line", Sides::Client, |scene, values| {
        match Http::of(scene) {
            Some(Http::One(http)) => values.push(http.request_line()),
            // as it would be in the words of HTTP/1
            Some(Http::Two(http)) => {
                let (method, target) = (http.method(), http.target());
                let (method, target) = (method.unwrap_or_default(), target.unwrap_or_default());
                values.made([method, b" ", target, b" ", HTTP2, b"\r\n"].concat());
            }
            None => {}
        }
    });

pub(super) static RESPONSE_LINE: Buffer = line(
    "http.response_line",
    Sides::Server,
    |scene, values| match Http::of(scene) {
        Some(Http::One(http)) => values.push(http.response_line()),
        Some(Http::Two(http)) => {
            let status = http.response.last_header(b":status");
            values.made([HTTP2, b" ", status.unwrap_or_default(), b"\r\n"].concat());
        }
        None => {}
    },
);

pub(super) static STAT_CODE: Buffer =
    line(
        "http.stat_code",
        Sides::Server,
        |scene, values| match Http::of(scene) {
            Some(Http::One(http)) => values.push(http.status_code()),
            Some(Http::Two(http)) => values.maybe(http.response.last_header(b":status")),
            None => {}
        },
    );

pub(super) static STAT_MSG: Buffer = line("http.stat_msg", Sides::Server, |scene, values| {
    match Http::of(scene) {
        Some(Http::One(http)) => values.push(http.status_message()),
        // there is none in HTTP/2
        Some(Http::Two(_)) => values.push(b""),
        None => {}
    }
});

/// The first line and the header fields, as they are understood.
pub(super) static START: Buffer = Buffer {
    apps: super::HTTP1,
    ..head("http.start", Sides::Both, |scene, values| {
        let Some(Http::One(http)) = Http::of(scene) else {
            return;
        };
        let Some(fields) = http.head(scene.direction).map(http1::Head::merged) else {
            return;
        };
        let is_bare = fields.is_empty();
        let first = match scene.direction {
            Direction::ToServer => http.request_line(),
            Direction::ToClient => http.response_line(),
        };
        let mut start = [first, b"\r\n"].concat();
        for (name, value) in fields {
            super::add_line(&mut start, name, &value);
        }
        if !is_bare {
            start.extend_from_slice(b"\r\n");
        }
        values.made(start);
    })
};

pub(super) static HOST: Buffer = head("http.host", Sides::Client, |scene, values| {
    match Http::of(scene) {
        Some(Http::One(http)) => {
            let name = http.host_name();
            name.into_iter().for_each(|name| values.made(name));
        }
        Some(Http::Two(http)) => {
            if let Some(host) = http.host() {
                let (name, _) = crate::fields::host_without_port(host);
                values.made(name.to_ascii_lowercase());
            }
        }
        None => {}
    }
});

pub(super) static HOST_RAW: Buffer =
    head(
        "http.host.raw",
        Sides::Client,
        |scene, values| match Http::of(scene) {
            Some(Http::One(http)) => match http.target_host() {
                Some(name) => values.made(name),
                None => {
                    let head = http.request();
                    let hosts = head.and_then(|head| head.merged_header(b"host"));
                    hosts.into_iter().for_each(|hosts| values.either(hosts));
                }
            },
            Some(Http::Two(http)) => values.maybe(http.host()),
            None => {}
        },
    );
