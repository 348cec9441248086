//! The step from HTTP/1.1 (RFC 7540 section 3.2): the request that asked for it is stream 1.

use super::frame::settings;
use super::parser::{Parser, connection};
use super::transaction::{Entry, Transaction};
use crate::applayer::{AppLayer, Context, http1};
use crate::flow::Direction;

/// A parser for what follows the server's assent to a request.
pub(in crate::applayer) fn upgraded(
    cx: &mut Context<'_, '_>,
    request: &http1::Transaction,
) -> Box<dyn AppLayer> {
    let mut parser = Parser::new(cx.config);
    let mut stream = Transaction::new(cx.transaction_id(), request.first_ts_ns, 1);
    let headers = &mut stream.request.headers;
    headers.push(Entry::field((&b":method"[..], request.method())));
    headers.push(Entry::field((&b":path"[..], request.target())));
    for (name, value) in request.headers() {
        if name.eq_ignore_ascii_case(b"host") {
            headers.push(Entry::field((&b":authority"[..], value)));
        } else if !name.eq_ignore_ascii_case(SETTINGS) {
            headers.push(Entry::field((name, value)));
        }
    }
    headers.truncate(super::FIELDS_MAX);
    stream.request.over = true;
    parser.adopt(stream);
    if let Some(bytes) = request.header(SETTINGS).and_then(base64url) {
        let settings = settings(&bytes);
        connection(cx, Direction::ToServer, |message| {
            message.settings = settings
        });
    }
    Box::new(parser)
}

const SETTINGS: &[u8] = b"http2-settings";

/// RFC 4648 section 5, without padding or with it.
fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut sum, mut bits) = (0_u32, 0_u32);
    for digit in text.iter().filter(|digit| **digit != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit.checked_sub(b'A')?,
            b'a'..=b'z' => digit.checked_sub(b'a')?.checked_add(26)?,
            b'0'..=b'9' => digit.checked_sub(b'0')?.checked_add(52)?,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        sum = sum << 6 & 0xffff | u32::from(value);
        bits = bits.saturating_add(6);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            bytes.push(u8::try_from(sum >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_in_a_header_field() {
        let bytes = base64url(b"AAMAAABkAARAAAAAAAIAAAAA").unwrap();
        assert_eq!(settings(&bytes), [(3, 100), (4, 1 << 30), (2, 0)]);
        assert_eq!(base64url(b"a b"), None);
    }
}
