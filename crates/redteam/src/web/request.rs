//! A request with one value in it that is attacked: taken apart, written, and read back.

use serde_json::Value;

/// Fields that may be the attacked one, and levels of JSON that are searched for it.
const FIELDS_MAX: usize = 64;
const DEPTH_MAX: usize = 8;
/// Between the parts of a body of several.
const BOUNDARY: &str = "----part-7d1f4a";
/// Stands for the attacked value while JSON is written.
const SLOT: &str = "@@slot@@";

/// A name and a value, as they stand on the wire.
pub type Pair = (Vec<u8>, Vec<u8>);

/// A request without the attacked value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// `GET`.
    pub method: Vec<u8>,
    /// As sent, without the query.
    pub path: Vec<u8>,
    /// Parameters of the query, as sent.
    pub query: Vec<Pair>,
    /// In order.
    pub headers: Vec<Pair>,
    /// What else is in the body.
    pub body: Body,
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// Nothing.
    #[default]
    None,
    /// Parameters of a form, as sent.
    Form(Vec<Pair>),
    /// JSON.
    Json(Value),
    /// Anything else.
    Other(Vec<u8>),
}

/// Where the attacked value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A parameter of the query.
    Query,
    /// A parameter of a form.
    Form,
    /// A text of JSON; the name is its JSON pointer.
    Json,
    /// A part of a body of several (RFC 7578).
    Multipart,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// The path itself.
    Path,
    /// The whole body.
    Body,
}

/// How the value is written where it stands, beneath all that was wrapped around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// What must be escaped is.
    Plain,
    /// Spaces are `+`.
    Plus,
    /// Every byte is escaped: `%61`, in JSON `\u0061`.
    Full,
    /// `%u0027`, as IIS reads it.
    Unicode,
}

/// A request as it goes over the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wire {
    /// `GET`.
    pub method: Vec<u8>,
    /// `/path?query`.
    pub target: Vec<u8>,
    /// Names and values.
    pub headers: Vec<Pair>,
    /// The body.
    pub body: Vec<u8>,
}

/// A value and where it stood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The rest of the request.
    pub(super) frame: Frame,
    /// Where it stood.
    pub(super) place: Place,
    /// Its name there.
    pub(super) name: Vec<u8>,
    /// The value, as an application gets it.
    pub(super) value: Vec<u8>,
}

/// The values of a request that may be the attacked one.
pub(super) fn found(request: &features::Request<'_>) -> Vec<Found> {
    let frame = frame(request);
    let mut all = Vec::new();
    let mut add = |frame: Frame, place, name: &[u8], value: Vec<u8>| {
        if !value.is_empty() && all.len() < FIELDS_MAX {
            let name = name.to_vec();
            all.push(Found {
                frame,
                place,
                name,
                value,
            });
        }
    };
    if frame.path != b"/" {
        let mut rest = frame.clone();
        rest.path = b"/".to_vec();
        add(rest, Place::Path, b"", unescaped(&frame.path, false));
    }
    for (at, (name, value)) in frame.query.iter().enumerate() {
        let mut rest = frame.clone();
        rest.query.remove(at);
        add(rest, Place::Query, name, unescaped(value, true));
    }
    for (at, (name, value)) in frame.headers.iter().enumerate() {
        let mut rest = frame.clone();
        rest.headers.remove(at);
        if name.eq_ignore_ascii_case(b"cookie") {
            add(rest, Place::Cookie, b"", unescaped(value, false));
        } else if !name.eq_ignore_ascii_case(b"content-type") {
            add(rest, Place::Header, name, value.clone());
        }
    }
    match &frame.body {
        Body::None => {}
        Body::Form(pairs) => {
            for (at, (name, value)) in pairs.iter().enumerate() {
                let mut kept = pairs.clone();
                kept.remove(at);
                let rest = Frame {
                    body: Body::Form(kept),
                    ..frame.clone()
                };
                add(rest, Place::Form, name, unescaped(value, true));
            }
        }
        Body::Json(value) => {
            let mut texts = Vec::new();
            leaves(value, "", DEPTH_MAX, &mut texts);
            for (pointer, text) in texts {
                add(frame.clone(), Place::Json, pointer.as_bytes(), text);
            }
        }
        Body::Other(body) => {
            let rest = Frame {
                body: Body::None,
                ..frame.clone()
            };
            add(rest, Place::Body, b"", body.clone());
        }
    }
    all
}

/// Takes a request apart.
fn frame(request: &features::Request<'_>) -> Frame {
    let cut = request.target.iter().position(|byte| *byte == b'?');
    let (path, query) = match cut {
        Some(at) => (
            request.target.get(..at).unwrap_or_default(),
            request
                .target
                .get(at.saturating_add(1)..)
                .unwrap_or_default(),
        ),
        None => (request.target, &b""[..]),
    };
    let headers = request.headers.iter();
    let kind = headers
        .clone()
        .find(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    let kind = kind.map_or(&b""[..], |(_, value)| value);
    let body = if request.body.is_empty() {
        Body::None
    } else if let Ok(value @ (Value::Object(_) | Value::Array(_))) =
        serde_json::from_slice(request.body)
    {
        Body::Json(value)
    } else if kind.starts_with(b"application/x-www-form-urlencoded") {
        Body::Form(pairs(request.body))
    } else {
        Body::Other(request.body.to_vec())
    };
    Frame {
        method: request.method.to_vec(),
        path: path.to_vec(),
        query: pairs(query),
        headers: headers
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect(),
        body,
    }
}

/// `a=1&b=2`; what has no `=` is a value without a name.
fn pairs(text: &[u8]) -> Vec<Pair> {
    let parts = text.split(|byte| *byte == b'&');
    parts
        .filter(|part| !part.is_empty())
        .map(|part| match part.iter().position(|byte| *byte == b'=') {
            Some(at) => (
                part.get(..at).unwrap_or_default().to_vec(),
                part.get(at.saturating_add(1)..)
                    .unwrap_or_default()
                    .to_vec(),
            ),
            None => (Vec::new(), part.to_vec()),
        })
        .collect()
}

fn leaves(value: &Value, at: &str, depth: usize, out: &mut Vec<(String, Vec<u8>)>) {
    let Some(below) = depth.checked_sub(1) else {
        return;
    };
    let token = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::String(text) => out.push((at.to_owned(), text.as_bytes().to_vec())),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                leaves(value, &format!("{at}/{index}"), below, out);
            }
        }
        Value::Object(values) => {
            for (name, value) in values {
                leaves(value, &format!("{at}/{}", token(name)), below, out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Writes the request with the value in it; `None` where it cannot stand there.
pub(super) fn write(
    frame: &Frame,
    place: Place,
    name: &[u8],
    value: &[u8],
    spelling: Spelling,
) -> Option<Wire> {
    if spelling == Spelling::Plus && !matches!(place, Place::Query | Place::Form) {
        return None;
    }
    let mut frame = frame.clone();
    let mut wire = Wire::default();
    let pair = |value| (name.to_vec(), value);
    match place {
        Place::Query => frame.query.push(pair(escaped(value, spelling, b"")?)),
        Place::Form => {
            let value = pair(escaped(value, spelling, b"")?);
            match &mut frame.body {
                Body::Form(pairs) => pairs.push(value),
                Body::None | Body::Json(_) | Body::Other(_) => frame.body = Body::Form(vec![value]),
            }
        }
        Place::Path => {
            // the slash that begins it is the path's own
            let rest = value.strip_prefix(b"/").unwrap_or(value);
            frame.path = escaped(rest, spelling, b"/")?;
            frame.path.insert(0, b'/');
        }
        Place::Cookie => {
            let mut text = name.to_vec();
            if !name.is_empty() {
                text.push(b'=');
            }
            // a cookie without a name is the whole header, whose separators stay
            let kept: &[u8] = if name.is_empty() { b"=; " } else { b"" };
            text.extend(escaped(value, spelling, kept)?);
            frame.headers.push((b"Cookie".to_vec(), text));
        }
        Place::Header => {
            let legal = value.iter().all(|byte| !matches!(byte, b'\r' | b'\n' | 0));
            if !legal || spelling != Spelling::Plain || value.trim_ascii() != value {
                return None;
            }
            frame.headers.push(pair(value.to_vec()));
        }
        Place::Multipart => {
            if spelling != Spelling::Plain || contains(value, BOUNDARY.as_bytes()) {
                return None;
            }
            wire.body = multipart(name, value);
        }
        Place::Json => wire.body = json(&frame.body, name, value, spelling)?,
        Place::Body => {
            if spelling != Spelling::Plain {
                return None;
            }
            wire.body = value.to_vec();
        }
    }
    finish(frame, place, wire)
}

/// Writes what is not the value.
fn finish(mut frame: Frame, place: Place, mut wire: Wire) -> Option<Wire> {
    let kind = match place {
        Place::Form => Some("application/x-www-form-urlencoded".to_owned()),
        Place::Json => Some("application/json".to_owned()),
        Place::Multipart => Some(format!("multipart/form-data; boundary={BOUNDARY}")),
        Place::Query | Place::Header | Place::Cookie | Place::Path | Place::Body => None,
    };
    if let Some(kind) = kind {
        let other = |(name, _): &Pair| !name.eq_ignore_ascii_case(b"content-type");
        frame.headers.retain(other);
        frame
            .headers
            .push((b"Content-Type".to_vec(), kind.into_bytes()));
        if frame.method == b"GET" {
            frame.method = b"POST".to_vec();
        }
    }
    if wire.body.is_empty() {
        wire.body = match frame.body {
            Body::None => Vec::new(),
            Body::Form(pairs) => joined(&pairs),
            Body::Json(value) => serde_json::to_vec(&value).ok()?,
            Body::Other(body) => body,
        };
    }
    wire.target = frame.path;
    if !frame.query.is_empty() {
        wire.target.push(b'?');
        wire.target.extend(joined(&frame.query));
    }
    wire.method = frame.method;
    wire.headers = frame.headers;
    Some(wire)
}

fn joined(pairs: &[Pair]) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(b'&');
        }
        if !name.is_empty() {
            text.extend_from_slice(name);
            text.push(b'=');
        }
        text.extend_from_slice(value);
    }
    text
}

fn multipart(name: &[u8], value: &[u8]) -> Vec<u8> {
    let name = String::from_utf8_lossy(name);
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    let mut body = head.into_bytes();
    body.extend_from_slice(value);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn json(body: &Body, name: &[u8], value: &[u8], spelling: Spelling) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let written = match spelling {
        Spelling::Plain => serde_json::to_string(text).ok()?,
        Spelling::Full => {
            let units: String = text
                .encode_utf16()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect();
            format!("\"{units}\"")
        }
        Spelling::Plus | Spelling::Unicode => return None,
    };
    let mut whole = match body {
        Body::Json(value) => value.clone(),
        Body::None | Body::Form(_) | Body::Other(_) => Value::Object(serde_json::Map::new()),
    };
    let pointer = std::str::from_utf8(name).ok()?;
    if let Some(slot) = whole.pointer_mut(pointer).filter(|_| !pointer.is_empty()) {
        *slot = Value::String(SLOT.to_owned());
    } else {
        let key = pointer.trim_start_matches('/').to_owned();
        whole
            .as_object_mut()?
            .insert(key, Value::String(SLOT.to_owned()));
    }
    let shown = serde_json::to_string(&whole).ok()?;
    let slot = format!("\"{SLOT}\"");
    (shown.matches(&slot).count() == 1).then(|| shown.replacen(&slot, &written, 1).into_bytes())
}

/// Escapes a value for a URL, but bytes of `kept`.
fn escaped(value: &[u8], spelling: Spelling, kept: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(value.len());
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte);
    match spelling {
        Spelling::Unicode => {
            for unit in std::str::from_utf8(value).ok()?.encode_utf16() {
                match u8::try_from(unit) {
                    Ok(byte) if plain(byte) => text.push(byte),
                    _ => text.extend(format!("%u{unit:04X}").bytes()),
                }
            }
        }
        Spelling::Plain | Spelling::Plus | Spelling::Full => {
            for byte in value {
                if *byte == b' ' && spelling == Spelling::Plus {
                    text.push(b'+');
                } else if plain(*byte) && spelling != Spelling::Full {
                    text.push(*byte);
                } else {
                    text.extend(format!("%{byte:02X}").bytes());
                }
            }
        }
    }
    Some(text)
}

/// Undoes `%41`, `%u0041` and, where `plus`, `+`; what is neither stays.
pub(super) fn unescaped(text: &[u8], plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let number = |digits: Option<&[u8]>| {
        let digits = std::str::from_utf8(digits?).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        u16::from_str_radix(digits, 16).ok()
    };
    let mut units: Vec<u16> = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        let wide = (*first == b'%' && after.first() == Some(&b'u'))
            .then(|| number(after.get(1..5)))
            .flatten();
        if let Some(unit) = wide {
            units.push(unit);
            rest = after.get(5..).unwrap_or_default();
            continue;
        }
        flush(&mut units, &mut out);
        let narrow = (*first == b'%').then(|| number(after.get(..2))).flatten();
        match narrow.and_then(|code| u8::try_from(code).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(if *first == b'+' && plus { b' ' } else { *first });
                rest = after;
            }
        }
    }
    flush(&mut units, &mut out);
    out
}

/// Writes units of UTF-16 as UTF-8.
fn flush(units: &mut Vec<u16>, out: &mut Vec<u8>) {
    if !units.is_empty() {
        out.extend(String::from_utf16_lossy(units).bytes());
        units.clear();
    }
}

/// What an application gets from a request: the last value of that name.
pub(super) fn read(wire: &Wire, place: Place, name: &[u8]) -> Option<Vec<u8>> {
    let cut = wire.target.iter().position(|byte| *byte == b'?');
    let query = cut.and_then(|at| wire.target.get(at.saturating_add(1)..));
    let last = |text: &[u8]| {
        let pairs = pairs(text);
        let (_, value) = pairs.into_iter().rfind(|(other, _)| other == name)?;
        Some(unescaped(&value, true))
    };
    let header = |wanted: &[u8]| {
        let mut named = wire.headers.iter().rev();
        named
            .find(|(other, _)| other.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.as_slice())
    };
    match place {
        Place::Query => last(query.unwrap_or_default()),
        Place::Form => last(&wire.body),
        Place::Path => Some(unescaped(
            wire.target.get(..cut.unwrap_or(wire.target.len()))?,
            false,
        )),
        Place::Cookie => {
            let text = header(b"cookie")?;
            let text = match name.is_empty() {
                true => text,
                false => text.strip_prefix(name)?.strip_prefix(b"=")?,
            };
            Some(unescaped(text, false))
        }
        Place::Header => header(name).map(<[u8]>::to_vec),
        Place::Multipart => {
            let text = wire
                .body
                .strip_suffix(format!("\r\n--{BOUNDARY}--\r\n").as_bytes())?;
            let at = text.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
            text.get(at.saturating_add(4)..).map(<[u8]>::to_vec)
        }
        Place::Json => {
            let value: Value = serde_json::from_slice(&wire.body).ok()?;
            let pointer = std::str::from_utf8(name).ok()?;
            let found = value
                .pointer(pointer)
                .filter(|_| pointer.starts_with('/'))
                .or_else(|| value.get(pointer))?;
            found.as_str().map(|text| text.as_bytes().to_vec())
        }
        Place::Body => Some(wire.body.clone()),
    }
}

/// Whether some bytes stand in others.
pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}
