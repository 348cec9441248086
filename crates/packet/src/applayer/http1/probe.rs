//! Is it HTTP? The first line tells.

use super::head::starts_with_http;
use crate::applayer::Probe;
use crate::flow::{Direction, Proto};

pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    match (proto, direction) {
        (Proto::Tcp, Direction::ToServer) => probe_request(data),
        (Proto::Tcp, Direction::ToClient) => probe_response(data),
        (Proto::Udp | Proto::Icmp | Proto::Icmp6 | Proto::Other(_), _) => Probe::No,
    }
}

pub(super) fn probe_response(data: &[u8]) -> Probe {
    if starts_with_http(data) {
        return Probe::Certain;
    }
    if b"HTTP/".starts_with(data) {
        Probe::Unsure
    } else {
        Probe::No
    }
}

/// A method that everyone knows and a target, or any method and `HTTP/` at the end of the line.
pub(super) fn probe_request(data: &[u8]) -> Probe {
    let token = data
        .iter()
        .position(|byte| !is_method_byte(*byte))
        .unwrap_or(data.len());
    if token > METHOD_BYTES_MAX || data.starts_with(b"PRI * HTTP/2") {
        return Probe::No;
    }
    let (method, rest) = data.split_at_checked(token).unwrap_or((data, &[]));
    if rest.is_empty() {
        return Probe::Unsure;
    }
    if method.is_empty() || !matches!(rest.first(), Some(b' ' | b'\t')) {
        return Probe::No;
    }
    let known = METHODS.contains(&method);
    let Some(len) = memchr::memchr(b'\n', rest) else {
        return unfinished_request_line(known, rest.trim_ascii_start());
    };
    let line = rest.get(..len).unwrap_or_default().trim_ascii();
    let version = line
        .rsplit(|byte| matches!(byte, b' ' | b'\t'))
        .next()
        .unwrap_or_default();
    let foreign = [&b"SIP/"[..], b"RTSP/"]
        .iter()
        .any(|name| version.starts_with(name));
    if starts_with_http(version) || known && !foreign {
        Probe::Certain
    } else {
        Probe::No
    }
}

fn unfinished_request_line(known: bool, target: &[u8]) -> Probe {
    let usual = target.starts_with(b"/") || target.starts_with(b"http://");
    if known && usual {
        Probe::Certain
    } else {
        Probe::Unsure
    }
}

/// Whether everyone knows the method.
pub(super) fn is_known_method(method: &[u8]) -> bool {
    METHODS.contains(&method)
}

fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_')
}

const METHOD_BYTES_MAX: usize = 24;
/// Methods of RFC 9110, RFC 5789 and RFC 4918: with one of these in front a request needs no
/// version to be known.
const METHODS: [&[u8]; 15] = [
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_their_first_line() {
        for (data, expected) in [
            (&b"GET / HTTP/1.1\r\n"[..], Probe::Certain),
            (b"GET /", Probe::Certain),
            (b"GET ", Probe::Unsure),
            (b"GE", Probe::Unsure),
            (b"POST http://h/ HT", Probe::Certain),
            (b"BREW /pot HTTP/1.1\r\n", Probe::Certain),
            (b"BREW /pot HT", Probe::Unsure),
            (b"BREW /pot\r\n", Probe::No),
            (b"GET /old\r\n", Probe::Certain),
            (b"OPTIONS sip:a@b SIP/2.0\r\n", Probe::No),
            (b"OPTIONS rtsp://h/ RTSP/1.0\r\n", Probe::No),
            (b"\x16\x03\x01", Probe::No),
            (b"EHLO example.com\r\n", Probe::No),
            (b"SSH-2.0-x\r\n", Probe::No),
            (b"averyveryverylongfirstword", Probe::No),
        ] {
            let text = String::from_utf8_lossy(data);
            assert_eq!(
                probe(Proto::Tcp, Direction::ToServer, data),
                expected,
                "{text}"
            );
            assert_eq!(
                probe(Proto::Udp, Direction::ToServer, data),
                Probe::No,
                "{text}"
            );
        }
    }

    #[test]
    fn responses_are_known_by_their_version() {
        for (data, expected) in [
            (&b"HTTP/1.1 200 OK\r\n"[..], Probe::Certain),
            (b"HTT", Probe::Unsure),
            (b"220 mail\r\n", Probe::No),
        ] {
            assert_eq!(probe(Proto::Tcp, Direction::ToClient, data), expected);
        }
    }
}
