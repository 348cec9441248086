//! Single messages: what they say, or why nothing more is read.

use super::handshake::{CHAIN_MAX, Chain};
use super::x509::Certificate;
use crate::applayer::Context;
use crate::bytes::{Cursor, be16};

/// Why nothing more is read.
pub(super) enum Stop {
    /// It is over.
    Over,
    /// Damage of this name.
    Damage(&'static str),
}

impl From<&'static str> for Stop {
    fn from(name: &'static str) -> Self {
        Self::Damage(name)
    }
}

pub(super) fn alert(head: &[u8], len: usize) -> Result<(), Stop> {
    match (head, len) {
        ([FATAL, _, ..], 2) => Err(Stop::Over),
        ([WARNING, _, ..], 2) => Ok(()),
        // an encrypted one, where its cipher change was not seen
        _ => Err(Stop::Damage("INVALID_ALERT_MESSAGE")),
    }
}

/// A heartbeat in plain text (RFC 6520 section 4): one that says to be longer than its record wants
/// the peer's memory back (CVE-2014-0160).
pub(super) fn heartbeat(cx: &mut Context<'_, '_>, tx_id: u32, head: &[u8], len: usize) {
    let payload = be16(head, 1).map(usize::from);
    match (head.first(), payload) {
        (Some(1 | 2), Some(payload)) if payload.saturating_add(3) > len => {
            cx.anomaly_in(tx_id, "OVERFLOW_HEARTBEAT_MESSAGE");
        }
        (Some(1 | 2), Some(payload)) if payload > 0 => {}
        _ => cx.anomaly_in(tx_id, "INVALID_HEARTBEAT_MESSAGE"),
    }
}

/// The certificates of a message (RFC 5246 section 7.4.2); those beyond [`CHAIN_MAX`] are left out.
pub(super) fn certificates(body: &[u8]) -> Option<Vec<Box<[u8]>>> {
    let mut outer = Cursor::new(body);
    let mut list = Cursor::new(vec24(&mut outer)?);
    let mut certificates = Vec::new();
    while !list.is_empty() && certificates.len() < CHAIN_MAX {
        certificates.push(vec24(&mut list)?.into());
    }
    Some(certificates)
}

fn vec24<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let high = usize::from(cursor.u8()?).checked_mul(1 << 16)?;
    let len = high.checked_add(usize::from(cursor.u16()?))?;
    cursor.take(len)
}

pub(super) fn chain(cx: &mut Context<'_, '_>, tx_id: u32, raw: &[Box<[u8]>]) -> Chain {
    let leaf = raw.first().map(|first| Certificate::parse(first));
    if let Some(Err(name)) = leaf {
        cx.anomaly_in(tx_id, name);
    }
    Chain {
        raw: raw.to_vec(),
        leaf: leaf.and_then(Result::ok),
    }
}

/// Length of a handshake message with its header.
pub(super) fn message_len(message: &[u8]) -> Option<usize> {
    let &[_, a, b, c] = message.first_chunk::<HEADER>()?;
    let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    len.checked_add(HEADER)
}

/// IANA's registry of handshake types.
pub(super) fn is_message(kind: u8) -> bool {
    matches!(kind, 0..=6 | 8 | 11..=16 | 20..=26 | 67 | 254)
}

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
pub(super) const SERVER_HELLO_DONE: u8 = 14;
pub(super) const WARNING: u8 = 1;
pub(super) const FATAL: u8 = 2;
pub(super) const HEADER: usize = 4;
