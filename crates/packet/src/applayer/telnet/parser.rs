//! Commands and text, where frames are wanted.

use crate::applayer::records::{Found, Framed, RECORD_BYTES_MAX, Record, Records, Size};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser))
}

/// Both sides begin by agreeing on options.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    match data {
        _ if proto != Proto::Tcp => Probe::No,
        [IAC, WILL..=DONT, option, ..] if *option <= OPTION_MAX => Probe::Certain,
        [] | [IAC] | [IAC, WILL..=DONT] => Probe::Unsure,
        _ => Probe::No,
    }
}

#[derive(Debug)]
struct Parser;

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        let size = |len: Option<usize>| len.map_or(Size::Unsure, Size::Bytes);
        match data {
            [] | [IAC] => Size::Unsure,
            [IAC, WILL..=DONT, ..] => Size::Bytes(3),
            // the parameters of an option go up to the command that ends them
            [IAC, SB, parameters @ ..] => {
                size(memchr::memchr(IAC, parameters).map(|at| at.saturating_add(2)))
            }
            [IAC, ..] => Size::Bytes(2),
            text => size(memchr::memchr2(IAC, b'\n', text).map(|at| {
                let is_line = text.get(at) == Some(&b'\n');
                at.saturating_add(usize::from(is_line))
            })),
        }
        .or_all_of(data)
    }

    /// Where text and commands begin matters to nobody behind a gap.
    fn find(&self, _: Direction, _: &[u8]) -> Found {
        Found::At(0)
    }

    fn record(&mut self, cx: &mut Context<'_, '_>, _: Direction, record: Record<'_>) -> Next {
        if !cx.wants_frames() {
            return Next::Done;
        }
        let kind = match record.bytes.first() {
            Some(&IAC) => "ctl",
            _ => "data",
        };
        cx.frame("pdu", 0, record.len);
        cx.frame(kind, 0, record.len);
        Next::More
    }
}

impl Size {
    /// What has no end within the bound ends there.
    fn or_all_of(self, data: &[u8]) -> Self {
        if self == Self::Unsure && data.len() >= RECORD_BYTES_MAX {
            Self::Bytes(data.len())
        } else {
            self
        }
    }
}

/// Interpret as command.
const IAC: u8 = 255;
/// Parameters of an option follow.
const SB: u8 = 250;
/// WILL, WON'T, DO, DON'T.
const WILL: u8 = 251;
const DONT: u8 = 254;
/// Highest number of an option that is in use (RFC 1572 and those before it).
const OPTION_MAX: u8 = 39;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applayer::testing::{corpus, records};

    #[test]
    fn first_bytes() {
        let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToClient, data);
        assert_eq!(probe(&[255, 253, 24]), Probe::Certain);
        assert_eq!(probe(&[255]), Probe::Unsure);
        assert_eq!(probe(&[255, 216, 255]), Probe::No, "a picture");
    }

    #[test]
    fn commands_and_lines_are_frames() {
        let settings = "outputs: [{eve-log: {enabled: yes, types: [{frame: {enabled: yes}}]}}]";
        let found = records(Proto::Tcp, settings, &corpus("telnet/login.bin"));
        let of = |direction: &str| -> Vec<(String, u64)> {
            let of = found.iter().filter(|frame| frame["direction"] == direction);
            of.map(|frame| {
                let kind = frame["type"].as_str().unwrap().to_owned();
                (kind, frame["length"].as_u64().unwrap())
            })
            .filter(|(kind, _)| !["pdu", "stream"].contains(&kind.as_str()))
            .collect()
        };
        let [ctl, data] = ["ctl", "data"].map(str::to_owned);
        assert_eq!(of("toclient"), [(ctl.clone(), 3), (data.clone(), 9)]);
        assert_eq!(
            of("toserver"),
            [(ctl.clone(), 3), (ctl.clone(), 7), (ctl, 2), (data, 6)]
        );
    }
}
