//! Is it HTTP/2? The client's preface tells, or a settings frame of the server.

use super::frame::{HEAD_BYTES, Head, PREFACE, SETTINGS};
use crate::applayer::Probe;
use crate::flow::{Direction, Proto};

pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return Probe::No;
    }
    match direction {
        Direction::ToServer => prefix(PREFACE, data),
        Direction::ToClient => probe_server(data),
    }
}

/// A server's first frame: settings of known identifiers.
fn probe_server(data: &[u8]) -> Probe {
    let Some(head) = Head::parse(data) else {
        return if data.iter().take(2).all(|byte| *byte == 0) && data.len() < HEAD_BYTES {
            Probe::Unsure
        } else {
            Probe::No
        };
    };
    let known = head.kind == SETTINGS && head.flags == 0 && head.is_plausible();
    if !known || head.len > 60 {
        return Probe::No;
    }
    let payload = data.get(HEAD_BYTES..).unwrap_or_default();
    let mut settings = payload.chunks_exact(6).take(head.len / 6);
    if !settings.all(|setting| matches!(setting, [0, 1..=9, ..])) {
        return Probe::No;
    }
    behind(payload.get(head.len..).unwrap_or_default())
}

/// What stands behind a server's settings: as long as it answers nothing, the client's preface will
/// tell better.
fn behind(mut data: &[u8]) -> Probe {
    while let Some(head) = Head::parse(data) {
        if !head.is_plausible() {
            return Probe::No;
        }
        if !head.opens() {
            return Probe::Certain;
        }
        let end = HEAD_BYTES.saturating_add(head.len);
        data = data.get(end..).unwrap_or_default();
    }
    Probe::Unsure
}

fn prefix(whole: &[u8], data: &[u8]) -> Probe {
    if data.starts_with(whole) {
        Probe::Certain
    } else if whole.starts_with(data) {
        Probe::Unsure
    } else {
        Probe::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_side_is_known_by_what_it_sends_first() {
        let server = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
        let answered = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\0\0\x04\x01\0\0\0\0";
        for (direction, data, expected) in [
            (Direction::ToServer, PREFACE, Probe::Certain),
            (Direction::ToServer, b"PRI * HT", Probe::Unsure),
            (Direction::ToServer, b"PRI /", Probe::No),
            (Direction::ToClient, server, Probe::Unsure),
            (Direction::ToClient, answered, Probe::Certain),
            (Direction::ToClient, &server[..12], Probe::Unsure),
            (Direction::ToClient, b"\0\0\x06\x04\x01\0\0\0\0", Probe::No),
            (Direction::ToClient, b"HTTP/1.1", Probe::No),
        ] {
            assert_eq!(probe(Proto::Tcp, direction, data), expected, "{data:?}");
        }
    }
}
