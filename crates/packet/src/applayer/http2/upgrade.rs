//! The step from HTTP/1.1 (RFC 7540 section 3.2): the request that asked for it is stream 1.

use super::frame::settings;
use super::parser::Parser;
use super::transaction::{Entry, Transaction};
use crate::applayer::{AppLayer, Context, http1};
use crate::bytes::base64url;

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
    stream.request.has_headers = true;
    stream.request.over = true;
    parser.adopt(stream);
    if let Some(bytes) = request.header(SETTINGS).and_then(base64url) {
        parser.adopt_settings(settings(&bytes));
    }
    Box::new(parser)
}

const SETTINGS: &[u8] = b"http2-settings";

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
