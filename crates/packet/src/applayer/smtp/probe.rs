//! Whether first bytes are SMTP.

use crate::applayer::Probe;
use crate::flow::{Direction, Proto};

/// A client's greeting, or a server's that names the protocol; other servers greet alike (FTP),
/// then the client's first command tells.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return Probe::No;
    }
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_whole = line.len() < data.len();
    let begins = |word: &[u8]| {
        let both = line.iter().zip(word);
        both.clone().all(|(a, b)| a.eq_ignore_ascii_case(b)) && both.count() > 0
    };
    match direction {
        Direction::ToServer => {
            let greets = [&b"HELO"[..], b"EHLO", b"LHLO"].into_iter().any(begins);
            match (greets, line.get(4)) {
                (true, Some(b' ' | b'\r' | b'\t')) => Probe::Certain,
                (true, None) if is_whole && line.len() == 4 => Probe::Certain,
                (true, None) if !is_whole => Probe::Unsure,
                (true, _) => Probe::No,
                // others have these too: the server will tell
                (false, _) if VERBS.iter().any(|verb| begins(verb.as_bytes())) => Probe::Unsure,
                (false, _) => Probe::No,
            }
        }
        Direction::ToClient => {
            let names_it = line
                .windows(4)
                .any(|window| window.eq_ignore_ascii_case(b"SMTP"));
            match (begins(b"220"), names_it) {
                (true, true) if line.len() > 4 => Probe::Certain,
                (true, _) => Probe::Unsure,
                (false, _) => Probe::No,
            }
        }
    }
}

/// Commands that a client may begin with, if it does not greet.
const VERBS: [&str; 9] = [
    "AUTH", "DATA", "HELP", "MAIL", "NOOP", "QUIT", "RSET", "STARTTLS", "VRFY",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_of_either_side() {
        for (direction, data, expected) in [
            (Direction::ToServer, &b"EHLO a\r\n"[..], Probe::Certain),
            (Direction::ToServer, b"helo\n", Probe::Certain),
            (Direction::ToServer, b"EH", Probe::Unsure),
            (Direction::ToServer, b"HELOX\r\n", Probe::No),
            (Direction::ToServer, b"quit\r\n", Probe::Unsure),
            (Direction::ToServer, b"GET / HTTP/1.0\r\n", Probe::No),
            (Direction::ToClient, b"220 a ESMTP\r\n", Probe::Certain),
            (Direction::ToClient, b"220 a\r\n", Probe::Unsure),
            (Direction::ToClient, b"22", Probe::Unsure),
            (Direction::ToClient, b"SSH-2.0-a\r\n", Probe::No),
        ] {
            assert_eq!(probe(Proto::Tcp, direction, data), expected, "{data:?}");
            assert_eq!(probe(Proto::Udp, direction, data), Probe::No);
        }
    }
}
