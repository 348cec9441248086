//! Is it PostgreSQL?

use super::message::{CANCEL_CODE, GSS_CODE, SSL_CODE};
use crate::applayer::Probe;
use crate::bytes::be32;
use crate::flow::{Direction, Proto};

/// A client begins with a code or version that stands nowhere else; where the beginning was missed,
/// messages must fit to their last byte.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return Probe::No;
    }
    match (direction, data.first()) {
        (_, None) => Probe::Unsure,
        (Direction::ToServer, Some(0)) => probe_startup(data),
        (Direction::ToServer, Some(b'Q')) => fits(data, 1, &|kind, body| {
            kind == b'Q' && body.len() > 4 && body.last() == Some(&0) && is_text(body)
        }),
        (Direction::ToServer, Some(_)) => Probe::No,
        (Direction::ToClient, Some(b'R')) => fits(data, 1, &|kind, body| {
            kind == b'R' && be32(body, 0).is_some_and(|code| code <= AUTH_MAX)
        }),
        // a result ends with the state of the session
        (Direction::ToClient, Some(b'T' | b'C' | b'E')) => {
            fits(data, MESSAGES_MAX, &|kind, body| {
                kind == b'Z' && matches!(body, [b'I' | b'T' | b'E'])
            })
        }
        (Direction::ToClient, Some(_)) => Probe::No,
    }
}

fn probe_startup(data: &[u8]) -> Probe {
    let (Some(len), Some(code)) = (be32(data, 0), be32(data, 4)) else {
        let sound = data
            .get(1..4)
            .is_none_or(|len| len < [0, 0x27, 0x11].as_slice());
        return if sound { Probe::Unsure } else { Probe::No };
    };
    let is_it = match code {
        SSL_CODE | GSS_CODE => len == 8,
        CANCEL_CODE => len == 16,
        _ => {
            let first = data.get(8).copied();
            let named = first.is_none_or(|c| c.is_ascii_lowercase() || c == b'_');
            code >> 16 == 3 && code & 0xffff < 100 && (9..=STARTUP_MAX).contains(&len) && named
        }
    };
    if is_it { Probe::Certain } else { Probe::No }
}

/// Walks over whole messages; certain where they end with the data and `tells` says yes to one.
fn fits(data: &[u8], messages: usize, tells: &dyn Fn(u8, &[u8]) -> bool) -> Probe {
    let (mut rest, mut certain) = (data, false);
    for _ in 0..messages {
        let (Some(kind), Some(len)) = (rest.first(), be32(rest, 1)) else {
            return Probe::Unsure;
        };
        let body_len = usize::try_from(len).ok().and_then(|len| len.checked_sub(4));
        let Some(body_len) = body_len.filter(|len| *len <= PROBE_MESSAGE_MAX) else {
            return Probe::No;
        };
        let behind = rest.get(5..).unwrap_or_default();
        let Some((body, behind)) = behind.split_at_checked(body_len) else {
            return if certain {
                Probe::Certain
            } else {
                Probe::Unsure
            };
        };
        certain |= tells(*kind, body);
        if certain || behind.is_empty() {
            break;
        }
        rest = behind;
    }
    if certain { Probe::Certain } else { Probe::No }
}

fn is_text(body: &[u8]) -> bool {
    let text = body.split_last().map_or(body, |(_, text)| text);
    std::str::from_utf8(text).is_ok_and(|text| {
        !text
            .chars()
            .any(|c| c.is_control() && !c.is_ascii_whitespace())
    })
}

/// Highest code of authentication.
const AUTH_MAX: u32 = 12;
/// Most messages looked at.
const MESSAGES_MAX: usize = 32;
/// Longest message looked at, bytes.
const PROBE_MESSAGE_MAX: usize = 1 << 20;
/// Longest startup message, bytes, as servers take it.
const STARTUP_MAX: u32 = 10_000;
