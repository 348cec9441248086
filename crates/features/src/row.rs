//! Subjects as JSON lines: what `shieldwall features` and `shieldwall score` read.

use std::{
    hash::{BuildHasherDefault, DefaultHasher},
    time::Duration,
};

use serde_json::Value;

use crate::{Contacts, DnsWindow, Request, Subject, registrable};

/// A subject that was read from a line.
///
/// | keys | subject |
/// |---|---|
/// | `method`, `uri`, `headers` (an object, or one written as a string), `body` | a request |
/// | `payload` | a request with this value as its parameter `q` |
/// | `url` | a URL |
/// | `domain` | a domain name |
/// | `queries`: a list of names, or of `{"t": seconds, "name": ...}`, below one base | a window of DNS queries |
/// | `contacts`: a list of `{"t": seconds, "bytes": sent by the client}` | contacts |
#[derive(Clone, Debug, PartialEq)]
pub struct Row(Kept);

#[derive(Clone, Debug, PartialEq)]
enum Kept {
    Request {
        method: String,
        target: String,
        headers: Vec<(String, String)>,
        body: String,
    },
    Url(String),
    Domain(String),
    Window(DnsWindow),
    Contacts(Contacts),
}

/// Most queries and contacts read of a line.
const LIST_MAX: usize = 65_536;

/// The line is no subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Not JSON.
    #[error("the line is no JSON: {0}")]
    Json(String),
    /// None of the keys that say what it is.
    #[error("the line has none of the keys uri, payload, url, domain, queries and contacts")]
    Keys,
    /// A value of another type.
    #[error("\"{0}\" is no string")]
    Text(&'static str),
    /// Headers that cannot be read.
    #[error("\"headers\" is neither an object nor one written as a string")]
    Headers,
    /// A list that cannot be read.
    #[error("\"{0}\" is no list of objects with \"t\" (seconds, from 0) and {1}")]
    List(&'static str, &'static str),
}

impl Row {
    /// Reads a line.
    ///
    /// # Errors
    /// [`RowError`] says what is wrong with it.
    pub fn read(line: &[u8]) -> Result<Self, RowError> {
        let value: Value =
            serde_json::from_slice(line).map_err(|error| RowError::Json(error.to_string()))?;
        let kept = if value.get("uri").is_some() {
            Kept::Request {
                method: text(&value, "method")?.unwrap_or("GET").to_owned(),
                target: text(&value, "uri")?.unwrap_or("/").to_owned(),
                headers: headers(value.get("headers"))?,
                body: text(&value, "body")?.unwrap_or_default().to_owned(),
            }
        } else if let Some(payload) = text(&value, "payload")? {
            Kept::Request {
                method: "GET".to_owned(),
                target: format!("/?q={}", encoded(payload)),
                headers: Vec::new(),
                body: String::new(),
            }
        } else if let Some(url) = text(&value, "url")? {
            Kept::Url(url.to_owned())
        } else if let Some(domain) = text(&value, "domain")? {
            Kept::Domain(domain.to_owned())
        } else if let Some(queries) = value.get("queries") {
            Kept::Window(window(queries)?)
        } else if let Some(list) = value.get("contacts") {
            Kept::Contacts(contacts(list)?)
        } else {
            return Err(RowError::Keys);
        };
        Ok(Self(kept))
    }

    /// Shows the subject.
    pub fn with<T>(&self, see: impl FnOnce(&Subject<'_>) -> T) -> T {
        match &self.0 {
            Kept::Request {
                method,
                target,
                headers,
                body,
            } => {
                let headers: Vec<(&[u8], &[u8])> = headers
                    .iter()
                    .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
                    .collect();
                see(&Subject::Request(Request {
                    method: method.as_bytes(),
                    target: target.as_bytes(),
                    headers: &headers,
                    body: body.as_bytes(),
                }))
            }
            Kept::Url(url) => see(&Subject::Url(url)),
            Kept::Domain(domain) => see(&Subject::Domain(domain)),
            Kept::Window(window) => see(&Subject::DnsWindow(window)),
            Kept::Contacts(contacts) => see(&Subject::Contacts(contacts)),
        }
    }
}

/// A string, or nothing; `null` is nothing.
fn text<'a>(value: &'a Value, key: &'static str) -> Result<Option<&'a str>, RowError> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(RowError::Text(key)),
    }
}

fn headers(value: Option<&Value>) -> Result<Vec<(String, String)>, RowError> {
    let written;
    let object = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(Vec::new()),
        Some(Value::String(text)) => {
            written = serde_json::from_str::<Value>(text).map_err(|_| RowError::Headers)?;
            written.as_object()
        }
        Some(value) => value.as_object(),
    };
    let pairs = object.ok_or(RowError::Headers)?.iter();
    Ok(pairs
        .map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), value)
        })
        .collect())
}

/// The first window of these queries.
fn window(list: &Value) -> Result<DnsWindow, RowError> {
    let wrong = || RowError::List("queries", "\"name\"");
    let (mut window, hasher) = (
        DnsWindow::default(),
        BuildHasherDefault::<DefaultHasher>::new(),
    );
    for query in list.as_array().ok_or_else(wrong)?.iter().take(LIST_MAX) {
        let name = query
            .as_str()
            .or_else(|| query.get("name")?.as_str())
            .ok_or_else(wrong)?;
        let at = query
            .get("t")
            .map_or(Some(0), nanoseconds)
            .ok_or_else(wrong)?;
        let name = name.to_ascii_lowercase();
        let below = registrable(&name).map_or("", |(below, _)| below);
        if !window.add(at, below.as_bytes(), &hasher) {
            break;
        }
    }
    Ok(window)
}

fn contacts(list: &Value) -> Result<Contacts, RowError> {
    let wrong = || RowError::List("contacts", "\"bytes\"");
    let mut contacts = Contacts::default();
    for contact in list.as_array().ok_or_else(wrong)?.iter().take(LIST_MAX) {
        let at = contact.get("t").and_then(nanoseconds).ok_or_else(wrong)?;
        let bytes = contact
            .get("bytes")
            .map_or(Some(0), Value::as_u64)
            .ok_or_else(wrong)?;
        contacts.add(at, bytes);
    }
    Ok(contacts)
}

/// Seconds of a line as nanoseconds; none where they are no time.
fn nanoseconds(seconds: &Value) -> Option<u64> {
    let seconds = seconds
        .as_f64()
        .filter(|seconds| (0.0..1e10).contains(seconds))?;
    u64::try_from(Duration::from_secs_f64(seconds).as_nanos()).ok()
}

/// As the value of a parameter.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&format!("{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_a_line_is() {
        let kind =
            |line: &str| Row::read(line.as_bytes()).map(|row| row.with(|subject| subject.kind()));
        assert_eq!(
            kind(r#"{"uri": "/", "headers": "{\"a\": \"b\"}", "body": null}"#),
            Ok("a request")
        );
        assert_eq!(kind(r#"{"payload": "x"}"#), Ok("a request"));
        assert_eq!(kind(r#"{"url": "x"}"#), Ok("a URL"));
        assert_eq!(kind(r#"{"domain": "x"}"#), Ok("a domain name"));
        assert_eq!(
            kind(r#"{"queries": ["a.b.example"]}"#),
            Ok("a window of DNS queries")
        );
        assert_eq!(
            kind(r#"{"contacts": [{"t": 0.5, "bytes": 9}]}"#),
            Ok("contacts of a host with a service")
        );
        for wrong in [
            r#"{"contacts": [{"t": -1}]}"#,
            r#"{"queries": [1]}"#,
            r#"{"queries": 1}"#,
        ] {
            assert!(matches!(kind(wrong), Err(RowError::List(..))), "{wrong}");
        }
        assert_eq!(kind("{}"), Err(RowError::Keys));
        assert_eq!(kind(r#"{"url": 1}"#), Err(RowError::Text("url")));
        assert_eq!(
            kind(r#"{"uri": "/", "headers": "x"}"#),
            Err(RowError::Headers)
        );
    }

    #[test]
    fn a_payload_is_the_value_of_a_parameter() {
        let row = Row::read(br#"{"payload": "a+b %41&c"}"#).unwrap();
        row.with(|subject| match subject {
            Subject::Request(request) => assert_eq!(request.target, b"/?q=a%2Bb%20%2541%26c"),
            Subject::Url(_) | Subject::Domain(_) | Subject::DnsWindow(_) | Subject::Contacts(_) => {
                panic!("{subject:?}")
            }
        });
    }
}
