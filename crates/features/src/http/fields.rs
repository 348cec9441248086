//! A request as the fields that an application reads: path, parameters, headers, cookies, body.

use serde_json::Value;

use super::multipart;
use crate::{Request, normal::Carried};

/// Fields of a request that are looked at: as many as applications read (PHP 1000). What comes after
/// them is not.
pub(super) const FIELDS_MAX: usize = 1024;

/// Levels of JSON that are looked into. What has more is no JSON to the reader here, and its text is
/// looked at instead.
const JSON_DEPTH_MAX: usize = 128;

/// Headers that connections need and applications do not read.
const SKIPPED: [&str; 12] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
    "keep-alive",
    "expect",
    "date",
    "if-modified-since",
    "if-none-match",
    "cache-control",
    "pragma",
];

/// Is called with the place of a field, its value as sent, and what the place does to it.
pub(super) trait Visit: FnMut(&[u8], &[u8], Carried) {}
impl<F: FnMut(&[u8], &[u8], Carried)> Visit for F {}

/// Counts fields, so that no request has more than [`FIELDS_MAX`].
struct Walk<V> {
    visit: V,
    left: usize,
    place: Vec<u8>,
}

/// Visits the fields of a request.
pub(super) fn walk(request: &Request<'_>, visit: impl Visit) {
    let mut walk = Walk {
        visit,
        left: FIELDS_MAX,
        place: Vec::new(),
    };
    walk.target(request.target);
    let host = request.header("host").unwrap_or_default();
    for (name, value) in request.headers {
        walk.header(name, value, host);
    }
    walk.body(request);
}

/// Visits the leaves of a value that is JSON itself.
pub(super) fn json(place: &[u8], text: &[u8], visit: impl Visit) {
    let Some(value) = parsed(text) else { return };
    Walk {
        visit,
        left: FIELDS_MAX,
        place: Vec::new(),
    }
    .leaves(place, &value, JSON_DEPTH_MAX);
}

impl<V: Visit> Walk<V> {
    fn field(&mut self, kind: &[u8], name: &[u8], value: &[u8], carried: Carried) {
        let Some(left) = self.left.checked_sub(1) else {
            return;
        };
        if value.is_empty() {
            return;
        }
        self.left = left;
        self.place.clear();
        self.place.extend_from_slice(kind);
        if !name.is_empty() {
            self.place.push(b' ');
            self.place.extend(name.iter().take(64));
        }
        (self.visit)(&self.place, value, carried);
    }

    fn target(&mut self, target: &[u8]) {
        let (path, query) = cut(target, b'?');
        // a path that is only a slash says nothing
        if path != b"/" {
            self.field(b"path", b"", path, Carried::Percent);
        }
        self.pairs(b"query", query.unwrap_or_default(), b'&', Carried::Form);
    }

    /// Names and values. A name is a field of its own only where it is no plain name.
    fn pairs(&mut self, kind: &[u8], text: &[u8], between: u8, carried: Carried) {
        for pair in text.split(|byte| *byte == between) {
            let pair = if between == b';' {
                pair.trim_ascii()
            } else {
                pair
            };
            let (name, value) = cut(pair, b'=');
            let plain = name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]$%".contains(byte))
                && name.len() <= 64;
            match value {
                Some(value) if plain => self.field(kind, name, value, carried),
                // an attack with a `=` in it, or with no name before it
                Some(_) | None => self.field(kind, b"", pair, carried),
            }
        }
    }

    fn header(&mut self, name: &[u8], value: &[u8], host: &[u8]) {
        let lower = name.to_ascii_lowercase();
        if SKIPPED.iter().any(|skipped| skipped.as_bytes() == lower) {
            return;
        }
        match lower.as_slice() {
            b"cookie" => self.pairs(b"cookie", value, b';', Carried::Percent),
            b"host"
                if value
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".:-_[]".contains(byte)) => {}
            b"referer" | b"origin" => {
                let (page, query) = cut(value, b'?');
                self.field(b"header", &lower, own(page, host), Carried::Percent);
                self.pairs(b"referer", query.unwrap_or_default(), b'&', Carried::Form);
            }
            _ => self.field(b"header", &lower, value, Carried::Plain),
        }
    }

    fn body(&mut self, request: &Request<'_>) {
        let body = request.body;
        if body.is_empty() {
            return;
        }
        let kind = request.header("content-type").unwrap_or_default();
        if let Some(boundary) = multipart::boundary(kind) {
            multipart::parts(body, boundary, |name, value| {
                self.field(b"part", name, value, Carried::Plain)
            });
        } else if let Some(value) = parsed(body) {
            if odd_keys(&value, JSON_DEPTH_MAX) {
                self.field(b"body", b"", body, Carried::Plain);
            }
            self.leaves(b"json", &value, JSON_DEPTH_MAX);
        } else if is_form(kind, body) {
            self.pairs(b"form", body, b'&', Carried::Form);
        } else {
            self.field(b"body", b"", body, Carried::Plain);
        }
    }

    fn leaves(&mut self, kind: &[u8], value: &Value, depth: usize) {
        let Some(below) = depth.checked_sub(1) else {
            return;
        };
        match value {
            Value::String(text) => self.field(kind, b"", text.as_bytes(), Carried::Plain),
            Value::Array(values) => values
                .iter()
                .for_each(|value| self.leaves(kind, value, below)),
            Value::Object(values) => {
                for (key, value) in values {
                    if is_odd(key) {
                        self.field(kind, b"(key)", key.as_bytes(), Carried::Plain);
                    }
                    match value {
                        Value::String(text) => {
                            self.field(kind, key.as_bytes(), text.as_bytes(), Carried::Plain)
                        }
                        Value::Array(_) | Value::Object(_) => self.leaves(kind, value, below),
                        Value::Null | Value::Bool(_) | Value::Number(_) => {}
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The path of a page of this very server, the whole address of any other.
fn own<'a>(page: &'a [u8], host: &[u8]) -> &'a [u8] {
    let rest = [&b"http://"[..], b"https://"]
        .iter()
        .find_map(|scheme| page.strip_prefix(*scheme)?.strip_prefix(host));
    match rest {
        Some(path) if !host.is_empty() && (path.is_empty() || path.starts_with(b"/")) => path,
        Some(_) | None => page,
    }
}

/// A key that is no plain name: `$gt`, `__proto__`.
fn is_odd(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    key.starts_with("__") || !key.bytes().all(plain)
}

/// Whether a key in it is odd: what such a key means is seen in the text around it.
fn odd_keys(value: &Value, depth: usize) -> bool {
    let Some(below) = depth.checked_sub(1) else {
        return false;
    };
    match value {
        Value::Array(values) => values.iter().any(|value| odd_keys(value, below)),
        Value::Object(values) => values
            .iter()
            .any(|(key, value)| is_odd(key) || odd_keys(value, below)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// JSON with something in it: an object or an array.
fn parsed(text: &[u8]) -> Option<Value> {
    let text = text.trim_ascii();
    matches!(text.first(), Some(b'{' | b'['))
        .then(|| serde_json::from_slice::<Value>(text).ok())
        .flatten()
}

/// Whether a body reads as `a=b&c=d`: it says so, or it says nothing and looks so.
fn is_form(kind: &[u8], body: &[u8]) -> bool {
    let says = memchr::memmem::find(&kind.to_ascii_lowercase(), b"urlencoded").is_some();
    let name = body
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.[]%".contains(byte))
        .count();
    says || (kind.is_empty() && name > 0 && body.get(name) == Some(&b'='))
}

/// What stands before the first such byte, and what after it.
fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(found) => {
            let (before, from) = text.split_at(found);
            (before, from.get(1..))
        }
        None => (text, None),
    }
}
