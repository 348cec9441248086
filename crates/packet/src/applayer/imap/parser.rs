//! Waits for the server's consent to STARTTLS (RFC 9051 section 6.2.1); what flows then is detected
//! anew.

use crate::applayer::lines::{Lines, Rest};
use crate::applayer::{AppLayer, AppProto, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// The server's greeting (RFC 9051 section 7.1). A client's command, a word behind a tag, proves
/// little: the server will tell.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return Probe::No;
    }
    if direction == Direction::ToServer {
        let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let command = words(line.trim_ascii_end()).nth(1).unwrap_or_default();
        let is_known = BEGINNING
            .iter()
            .any(|known| command.eq_ignore_ascii_case(known));
        return if is_known { Probe::Unsure } else { Probe::No };
    }
    let greetings = [&b"* OK "[..], b"* PREAUTH "];
    let is_begun = |greeting: &&[u8]| {
        let mut both = data.iter().zip(*greeting);
        both.all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    match greetings
        .iter()
        .copied()
        .find(|greeting| is_begun(greeting))
    {
        Some(greeting) if data.len() >= greeting.len() => Probe::Certain,
        Some(_) => Probe::Unsure,
        None => Probe::No,
    }
}

#[derive(Debug, Default)]
struct Parser {
    client: Lines,
    server: Lines,
    /// The tag of the STARTTLS that was sent.
    tag: Option<Vec<u8>>,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let mut rest = data;
        match direction {
            Direction::ToServer => {
                while let Some(line) = self.client.next(&mut rest, LINE_BYTES_MAX, Rest::Dropped) {
                    let mut words = words(line.text());
                    let (tag, command) = (words.next(), words.next().unwrap_or_default());
                    if command.eq_ignore_ascii_case(b"STARTTLS") {
                        self.tag = tag.map(<[u8]>::to_vec);
                    }
                    // once somebody is logged in, STARTTLS is not allowed any more
                    if ENTERING
                        .iter()
                        .any(|known| command.eq_ignore_ascii_case(known))
                    {
                        return Next::Done;
                    }
                }
            }
            Direction::ToClient => {
                while let Some(line) = self.server.next(&mut rest, LINE_BYTES_MAX, Rest::Dropped) {
                    let mut words = words(line.text());
                    let (tag, status) = (words.next(), words.next().unwrap_or_default());
                    if tag.is_some() && tag == self.tag.as_deref() {
                        self.tag = None;
                        if status.eq_ignore_ascii_case(b"OK") {
                            cx.expect_change_to(AppProto::Tls);
                            return Next::Redetect(data.len().saturating_sub(rest.len()));
                        }
                    }
                }
            }
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        match direction {
            Direction::ToServer => self.client.gap(),
            Direction::ToClient => self.server.gap(),
        }
        Next::More
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        self.client
            .buffered()
            .saturating_add(self.server.buffered())
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = line.split(|byte| *byte == b' ');
    words.filter(|word| !word.is_empty())
}

/// Commands of somebody who is not logged in.
const BEGINNING: [&[u8]; 8] = [
    b"AUTHENTICATE",
    b"CAPABILITY",
    b"ENABLE",
    b"ID",
    b"LOGIN",
    b"LOGOUT",
    b"NOOP",
    b"STARTTLS",
];
/// Commands of somebody who is logged in, or about to be.
const ENTERING: [&[u8]; 4] = [b"SELECT", b"EXAMINE", b"LIST", b"LSUB"];
/// Longest line that is looked at, its end included, bytes.
const LINE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings() {
        let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToClient, data);
        assert_eq!(probe(b"* OK ready\r\n"), Probe::Certain);
        assert_eq!(probe(b"* preauth x"), Probe::Certain);
        assert_eq!(probe(b"* O"), Probe::Unsure);
        assert_eq!(probe(b"* BYE x"), Probe::No);
        assert_eq!(probe(b"+OK"), Probe::No);
    }
}
