//! What is odd about heads, by the names of Suricata's events.

use super::transaction::Transaction;
use crate::applayer::Context;
use crate::applayer::http1::content_range;
use crate::flow::Direction;

/// Reports what is odd about the head that a side has sent so far.
pub(super) fn head(cx: &mut Context<'_, '_>, from: Direction, transaction: &Transaction) {
    let message = transaction.message(from);
    let tx_id = transaction.tx_id;
    let authority = message.last_header(b":authority");
    let host = message.last_header(b"host");
    if let (Some(authority), Some(host)) = (authority, host)
        && !authority.eq_ignore_ascii_case(host)
    {
        cx.anomaly_in(tx_id, "authority_host_mismatch");
    }
    if authority.is_some_and(|authority| memchr::memchr(b'@', authority).is_some()) {
        cx.anomaly_in(tx_id, "userinfo_in_uri");
    }
    let range = message.last_header(b"content-range");
    if from == Direction::ToClient && range.is_some_and(|range| content_range(range).is_none()) {
        cx.anomaly_in(tx_id, "invalid_range");
    }
}
