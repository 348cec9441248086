//! DNS over HTTP (RFC 8484): a question in the target or the body of a request, an answer in the
//! body of a response.

use super::transaction::Transaction;
use crate::applayer::{AppProto, Context, dns};
use crate::bytes::base64url;
use crate::flow::Direction;

/// Longest DNS message (RFC 1035 section 4.2.2), bytes.
pub(super) const MESSAGE_BYTES_MAX: u64 = 0xffff;

/// Looks for a question in the target of a request whose head is there.
pub(super) fn look_at_target(cx: &mut Context<'_, '_>, tx: &mut Transaction) {
    if tx.request.dns.is_some() || !cx.config.apps.http2.doh {
        return;
    }
    let question = tx.target().and_then(question_of).and_then(base64url);
    if let Some(message) = question.and_then(|bytes| dns::carried(&bytes, tx.first_ts_ns)) {
        tx.request.dns = Some(Box::new(message));
        note(cx);
    }
}

/// Looks at a body that is over.
pub(super) fn look_at_body(cx: &mut Context<'_, '_>, direction: Direction, tx: &mut Transaction) {
    let message = tx.message(direction);
    let is_short = message.body_len <= MESSAGE_BYTES_MAX;
    if message.dns.is_some() || !is_short || !is_announced(cx, direction, tx) {
        return;
    }
    if let Some(found) = dns::carried(&message.body, tx.first_ts_ns) {
        tx.message_mut(direction).dns = Some(Box::new(found));
        note(cx);
    }
}

/// Whether the body of a direction is a DNS message by its type.
pub(super) fn is_announced(cx: &Context<'_, '_>, direction: Direction, tx: &Transaction) -> bool {
    let kind = tx.message(direction).last_header(b"content-type");
    let kind = kind.and_then(|kind| kind.split(|byte| *byte == b';').next());
    let is_dns = |kind: &[u8]| {
        kind.trim_ascii()
            .eq_ignore_ascii_case(b"application/dns-message")
    };
    cx.config.apps.http2.doh && kind.is_some_and(is_dns)
}

/// The `dns` parameter of a target.
fn question_of(target: &[u8]) -> Option<&[u8]> {
    let query = memchr::memchr(b'?', target)?;
    let query = target.get(query.checked_add(1)?..)?;
    let mut parameters = query.split(|byte| *byte == b'&');
    parameters.find_map(|parameter| parameter.strip_prefix(b"dns="))
}

/// The connection carries DNS.
fn note(cx: &mut Context<'_, '_>) {
    if cx.flow.app == AppProto::Http2 {
        cx.flow.app_before = AppProto::Http2;
        cx.flow.app = AppProto::Doh2;
        for found in &mut cx.flow.app_found {
            if *found == AppProto::Http2 {
                *found = AppProto::Doh2;
            }
        }
        cx.counters.apps.flow(cx.flow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_stand_in_targets() {
        for (target, question) in [
            (&b"/dns-query?dns=AAAB"[..], Some(&b"AAAB"[..])),
            (b"/x?a=b&dns=AAAB&c=d", Some(b"AAAB")),
            (b"/dns=AAAB", None),
            (b"/x?xdns=AAAB", None),
        ] {
            assert_eq!(question_of(target), question);
        }
    }
}
