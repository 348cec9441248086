//! Messages: a request or a response.

use super::sdp::Sdp;
use crate::flow::Direction;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub(super) id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// Its first line in parts.
    pub start: Start,
    /// Its first line.
    pub line: Vec<u8>,
    /// Its headers as they were sent, with the empty line behind them.
    pub headers: Vec<u8>,
    /// The session that its body describes.
    pub sdp: Option<Sdp>,
}

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Of a request.
    Request {
        /// Method.
        method: Vec<u8>,
        /// Whom it is for.
        uri: Vec<u8>,
        /// `SIP/2.0`.
        version: Vec<u8>,
    },
    /// Of a response.
    Response {
        /// `SIP/2.0`.
        version: Vec<u8>,
        /// Code.
        code: Vec<u8>,
        /// What it means.
        reason: Vec<u8>,
    },
}

impl Start {
    /// Reads a first line.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let (first, second) = (parts.next()?, parts.next()?);
        let third = parts.next();
        if is_version(first) {
            return (!second.is_empty()).then(|| Self::Response {
                version: first.to_vec(),
                code: second.to_vec(),
                reason: third.unwrap_or_default().to_vec(),
            });
        }
        let version = third.filter(|version| is_version(version))?;
        let is_method = !first.is_empty() && first.iter().all(|byte| is_token(*byte));
        (is_method && !second.is_empty()).then(|| Self::Request {
            method: first.to_vec(),
            uri: second.to_vec(),
            version: version.to_vec(),
        })
    }
}

/// What characters a method has (RFC 3261 section 25.1).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

fn is_version(text: &[u8]) -> bool {
    text.strip_prefix(b"SIP/").is_some_and(|number| {
        matches!(number, [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
    })
}

/// The first line and what stands behind it. Both CR LF and LF end a line.
pub(super) fn split_line(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', data)?;
    let (line, rest) = data.split_at_checked(end)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some((line, rest.get(1..).unwrap_or_default()))
}

/// Length of the headers with the empty line that ends them.
pub(super) fn headers_len(data: &[u8]) -> Option<usize> {
    let mut rest = data;
    loop {
        let (line, behind) = split_line(rest)?;
        rest = behind;
        if line.is_empty() {
            return data.len().checked_sub(rest.len());
        }
    }
}

/// Value of a header by its name or its short form.
pub(super) fn header<'a>(headers: &'a [u8], name: &[u8], short: u8) -> Option<&'a [u8]> {
    let mut rest = headers;
    while let Some((line, behind)) = split_line(rest) {
        rest = behind;
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let key = parts.next().unwrap_or_default().trim_ascii();
        if key.eq_ignore_ascii_case(name) || key.eq_ignore_ascii_case(&[short]) {
            return parts.next().map(<[u8]>::trim_ascii);
        }
    }
    None
}

impl Message {
    /// The values of all headers of a name or its short form, in their order.
    pub fn header_values<'a>(
        &'a self,
        name: &'a [u8],
        short: Option<u8>,
    ) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.headers.as_slice();
        std::iter::from_fn(move || {
            while let Some((line, behind)) = split_line(rest) {
                rest = behind;
                let mut parts = line.splitn(2, |byte| *byte == b':');
                let key = parts.next().unwrap_or_default().trim_ascii();
                let is_short = short.is_some_and(|short| key.eq_ignore_ascii_case(&[short]));
                if key.eq_ignore_ascii_case(name) || is_short {
                    return Some(parts.next().unwrap_or_default().trim_ascii());
                }
            }
            None
        })
    }
}

/// What `Content-Length` says.
pub(super) fn content_length(headers: &[u8]) -> Option<u64> {
    let value = header(headers, b"content-length", b'l')?;
    std::str::from_utf8(value).ok()?.parse().ok()
}
