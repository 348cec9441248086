//! Whether first bytes are FTP.

use crate::applayer::Probe;
use crate::flow::{Direction, Proto};

/// A server's greeting that names the protocol, or a command that only FTP has; USER belongs to
/// others too, which know their servers by their greetings, and IRC, where more stands behind it.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return Probe::No;
    }
    match direction {
        Direction::ToServer => {
            let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
                let is_text = data
                    .iter()
                    .all(|byte| !byte.is_ascii_control() && byte.is_ascii());
                let is_verb = data.iter().take(3).all(u8::is_ascii_alphabetic);
                return if is_text && is_verb && is_possible(data) {
                    Probe::Unsure
                } else {
                    Probe::No
                };
            };
            let line = data.get(..end).unwrap_or_default().trim_ascii_end();
            if is_telling(line) {
                Probe::Certain
            } else {
                Probe::No
            }
        }
        Direction::ToClient => {
            let begins = data.iter().zip(b"220").all(|(a, b)| a == b);
            let names_it = data
                .windows(3)
                .any(|window| window.eq_ignore_ascii_case(b"FTP"));
            // SMTP names its host here (RFC 5321 section 4.2)
            let names_it = names_it || data.starts_with(b"220 (");
            match (begins, names_it) {
                (true, true) => Probe::Certain,
                (true, false) => Probe::Unsure,
                (false, _) => Probe::No,
            }
        }
    }
}

/// The verbs that tell, and how many words may stand behind them.
const TELLING: &[(&str, std::ops::RangeInclusive<usize>)] = &[
    ("USER", 1..=1),
    ("FEAT", 0..=0),
    ("AUTH", 1..=1),
    ("PORT", 1..=1),
    ("EPRT", 1..=1),
    ("PASV", 0..=0),
    ("EPSV", 0..=1),
    ("SYST", 0..=0),
    ("TYPE", 1..=2),
    ("CWD", 1..=usize::MAX),
    ("RETR", 1..=usize::MAX),
    ("STOR", 1..=usize::MAX),
    ("SIZE", 1..=usize::MAX),
    ("MDTM", 1..=usize::MAX),
    ("MLSD", 0..=usize::MAX),
];

fn is_telling(line: &[u8]) -> bool {
    let mut words = line
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let Some(verb) = words.next() else {
        return false;
    };
    let known = TELLING
        .iter()
        .find(|(known, _)| verb.eq_ignore_ascii_case(known.as_bytes()));
    match known {
        // others authenticate with other mechanisms
        Some(("AUTH", _)) => words.next().is_some_and(|mechanism| {
            [&b"TLS"[..], b"TLS-C", b"SSL"]
                .iter()
                .any(|known| mechanism.eq_ignore_ascii_case(known))
        }),
        Some((_, count)) => count.contains(&words.count()),
        None => false,
    }
}

fn is_possible(data: &[u8]) -> bool {
    TELLING.iter().any(|(verb, _)| {
        let both = data.iter().zip(verb.as_bytes());
        both.fold(true, |same, (a, b)| same && a.eq_ignore_ascii_case(b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_and_commands() {
        for (direction, data, expected) in [
            (Direction::ToServer, &b"USER a\r\n"[..], Probe::Certain),
            (Direction::ToServer, b"user a", Probe::Unsure),
            (Direction::ToServer, b"USER a b c :d\r\n", Probe::No),
            (Direction::ToServer, b"AUTH TLS\r\n", Probe::Certain),
            (Direction::ToServer, b"AUTH LOGIN\r\n", Probe::No),
            (Direction::ToServer, b"GET / HTTP/1.0\r\n", Probe::No),
            (Direction::ToClient, b"220 (vsFTPd)\r\n", Probe::Certain),
            (Direction::ToClient, b"220 (hello)\r\n", Probe::Certain),
            (Direction::ToClient, b"220 hello\r\n", Probe::Unsure),
            (Direction::ToClient, b"+OK FTP\r\n", Probe::No),
        ] {
            assert_eq!(probe(Proto::Tcp, direction, data), expected, "{data:?}");
            assert_eq!(probe(Proto::Udp, direction, data), Probe::No);
        }
    }
}
