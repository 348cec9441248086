//! Only the server's replies are read: they alone say when the tunnel begins.

use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// The client's greeting has no magic number, but its length must fit exactly: it waits for the
/// answer.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    let greeting = match data {
        [5, count, methods @ ..] => *count > 0 && methods.len() == usize::from(*count),
        // version, connect or bind, port, address, user and, in 4a, host name
        [4, 1 | 2, _, _, _, _, _, _, .., 0] => data.len() <= REQUEST_4_MAX,
        _ => false,
    };
    // a server's two or eight bytes are too little to tell
    let answer = matches!(data, [5, _] | [0, 0x5a..=0x5d, _, _, _, _, _, _]);
    match direction {
        Direction::ToServer if proto == Proto::Tcp && greeting => Probe::Certain,
        Direction::ToClient if proto == Proto::Tcp && answer => Probe::Unsure,
        Direction::ToServer | Direction::ToClient => Probe::No,
    }
}

#[derive(Debug, Default)]
struct Parser {
    version: u8,
    /// What the server sent and is not a whole reply yet.
    kept: Vec<u8>,
    waits_for: Reply,
}

/// The server's next reply.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Reply {
    /// The method that it chose (version 5).
    #[default]
    Method,
    /// Whether the password is right.
    Password,
    /// Whether the tunnel is open.
    Tunnel,
}

impl AppLayer for Parser {
    fn data(&mut self, _: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        if direction == Direction::ToServer {
            if let (0, Some(version)) = (self.version, data.first()) {
                self.version = *version;
            }
            return Next::More;
        }
        let mut used = 0_usize;
        for byte in data {
            self.kept.push(*byte);
            used = used.saturating_add(1);
            match self.reply() {
                Progress::Waiting => {}
                Progress::Open => return Next::Redetect(used),
                Progress::Refused => return Next::Done,
            }
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::Done
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        self.kept.len()
    }
}

/// How far the conversation is.
enum Progress {
    Waiting,
    Open,
    Refused,
}

impl Parser {
    /// Looks at the reply that ends with the last byte taken.
    fn reply(&mut self) -> Progress {
        let kept = std::mem::take(&mut self.kept);
        let next = match (self.version, self.waits_for, kept.as_slice()) {
            (4, _, [0, 90, _, _, _, _, _, _]) => return Progress::Open,
            (4, _, [0, _, _, _, _, _, _, _]) => return Progress::Refused,
            (5, Reply::Method, [5, 0]) => Some(Reply::Tunnel),
            (5, Reply::Method, [5, 2]) => Some(Reply::Password),
            (5, Reply::Password, [1, 0]) => Some(Reply::Tunnel),
            (5, Reply::Tunnel, [5, 0, _, kind, first, ..]) => {
                if reply_5_len(*kind, *first) == Some(kept.len()) {
                    return Progress::Open;
                }
                None
            }
            (5, Reply::Tunnel, [5, status, ..]) if *status != 0 => return Progress::Refused,
            (5, Reply::Method | Reply::Password, [_, _, ..]) => return Progress::Refused,
            _ => None,
        };
        match next {
            Some(reply) => self.waits_for = reply,
            None if kept.len() >= REPLY_MAX => return Progress::Refused,
            None => self.kept = kept,
        }
        Progress::Waiting
    }
}

/// Length of the reply with an address of the kind whose first byte is `first` (RFC 1928 section
/// 6).
fn reply_5_len(kind: u8, first: u8) -> Option<usize> {
    match kind {
        1 => Some(10),
        3 => Some(usize::from(first).saturating_add(7)),
        4 => Some(22),
        _ => None,
    }
}

/// Longest request of version 4a: user and host name of 255 bytes each.
const REQUEST_4_MAX: usize = 8 + 256 + 256;
/// Longest reply: version 5 with a host name of 255 bytes.
const REPLY_MAX: usize = 262;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings() {
        let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
        assert_eq!(probe(&[5, 2, 0, 2]), Probe::Certain);
        assert_eq!(probe(&[5, 2, 0]), Probe::No);
        assert_eq!(probe(&[4, 1, 0, 80, 192, 0, 2, 1, 0]), Probe::Certain);
        assert_eq!(probe(&[4, 9, 0, 80, 192, 0, 2, 1, 0]), Probe::No);
    }

    #[test]
    fn tunnels_open_or_not() {
        for (version, sent, open) in [
            (5, &[5, 0, 5, 0, 0, 1, 1, 2, 3, 4, 0, 80][..], true),
            (5, &[5, 2, 1, 0, 5, 0, 0, 3, 1, b'x', 0, 80], true),
            (5, &[5, 255], false),
            (5, &[5, 2, 1, 1], false),
            (5, &[5, 0, 5, 1, 0, 1], false),
            (4, &[0, 90, 0, 80, 1, 2, 3, 4], true),
            (4, &[0, 91, 0, 80, 1, 2, 3, 4], false),
        ] {
            let mut parser = Parser {
                version,
                ..Parser::default()
            };
            let mut last = Progress::Waiting;
            for byte in sent {
                parser.kept.push(*byte);
                last = parser.reply();
                if !matches!(last, Progress::Waiting) {
                    break;
                }
            }
            assert_eq!(matches!(last, Progress::Open), open, "{sent:?}");
            assert!(!matches!(last, Progress::Waiting), "{sent:?}");
        }
    }
}
