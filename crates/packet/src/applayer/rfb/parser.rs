//! The handshake, message by message: which side speaks next follows from what was said.

use super::transaction::{Framebuffer, Session};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::Cursor;
use crate::flow::{Direction, Proto};
use crate::sensor::{Config, Part};

/// Longest text read: the desktop's name, a reason.
const TEXT_BYTES_MAX: usize = 4096;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// Both sides begin with `RFB 003.008` and a line end.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    let pattern = b"RFB ddd.ddd\n";
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        _ => byte == wanted,
    };
    let possible = proto == Proto::Tcp && data.iter().zip(pattern).all(fits);
    match (possible, data.len() >= pattern.len()) {
        (true, true) => Probe::Certain,
        (true, false) => Probe::Unsure,
        (false, _) => Probe::No,
    }
}

#[derive(Debug, Default)]
struct Parser {
    session: Session,
    begun: bool,
    reported: bool,
    state: State,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
}

/// What comes next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    ServerVersion,
    ClientVersion,
    /// Version 3.3: the server chooses.
    Type,
    Types,
    Choice,
    Challenge,
    Response,
    Result,
    Reason,
    ClientInit,
    ServerInit,
    Over,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        if !self.begun {
            self.begun = true;
            self.session.first_ts_ns = cx.ts_ns;
            self.session.tx_id = cx.transaction_id();
        }
        let kept = self.side(direction);
        kept.extend_from_slice(data);
        if kept.len() > cx.config.head_bytes_max {
            cx.too_large("malformed_message");
            self.state = State::Over;
        }
        let before = self.state;
        // a step takes bytes or ends it, so this ends
        while self.state != State::Over {
            let speaker = self.speaker();
            let mut kept = std::mem::take(self.side(speaker));
            cx.data_begins(speaker, kept.len());
            let used = self.step(cx, &kept);
            if let Some(used) = used {
                cx.frame("pdu", 0, used);
            }
            kept.drain(..used.unwrap_or(0).min(kept.len()));
            *self.side(speaker) = kept;
            if used.is_none() {
                break;
            }
        }
        if self.state != before {
            cx.progress(&self.session, Part::RequestHead);
            cx.progress(&self.session, Part::ResponseHead);
        }
        if self.state == State::Over {
            self.session.direction = cx.told_by(direction);
            self.end(cx);
            return Next::Done;
        }
        Next::More
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        self.end(cx);
        Next::Done
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        if self.begun && !std::mem::replace(&mut self.reported, true) {
            cx.transaction(&self.session);
        }
    }

    fn buffered(&self) -> usize {
        self.to_server.len().saturating_add(self.to_client.len())
    }
}

impl Parser {
    fn side(&mut self, direction: Direction) -> &mut Vec<u8> {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    /// Who says what comes next.
    fn speaker(&self) -> Direction {
        match self.state {
            State::ClientVersion | State::Choice | State::Response | State::ClientInit => {
                Direction::ToServer
            }
            State::ServerVersion
            | State::Type
            | State::Types
            | State::Challenge
            | State::Result
            | State::Reason
            | State::ServerInit
            | State::Over => Direction::ToClient,
        }
    }

    /// Takes the next message from the front of what its sender said; gives its length, or `None`
    /// when it is not whole.
    fn step(&mut self, cx: &mut Context<'_, '_>, kept: &[u8]) -> Option<usize> {
        let mut cursor = Cursor::new(kept);
        match self.state {
            State::ServerVersion => {
                self.session.server_version = Some(self.version(cx, cursor.take(12)?)?);
                self.state = State::ClientVersion;
            }
            State::ClientVersion => {
                let version = self.version(cx, cursor.take(12)?)?;
                let is_old = version.concat() < b"003007".to_vec();
                self.state = if is_old { State::Type } else { State::Types };
                self.session.client_version = Some(version);
            }
            State::Type => {
                let security_type = cursor.u32()?;
                self.choose(cx, security_type);
            }
            State::Types => {
                let count = cursor.u8()?;
                cursor.take(usize::from(count))?;
                self.state = if count == 0 {
                    State::Reason
                } else {
                    State::Choice
                };
            }
            State::Choice => {
                let security_type = u32::from(cursor.u8()?);
                self.choose(cx, security_type);
            }
            State::Challenge => {
                self.session.challenge = Some(cursor.take(16)?.to_vec());
                self.state = State::Response;
            }
            State::Response => {
                self.session.response = Some(cursor.take(16)?.to_vec());
                self.state = State::Result;
            }
            State::Result => {
                let result = cursor.u32()?;
                self.result(cx, result);
            }
            State::Reason => {
                self.session.failure_reason = Some(text(&mut cursor)?);
                self.state = State::Over;
            }
            State::ClientInit => {
                self.session.shared = Some(cursor.u8()? != 0);
                self.state = State::ServerInit;
            }
            State::ServerInit => {
                self.session.framebuffer = Some(Framebuffer {
                    width: cursor.u16()?,
                    height: cursor.u16()?,
                    pixel_format: cursor.take(16)?.try_into().ok()?,
                    name: text(&mut cursor)?,
                });
                self.state = State::Over;
            }
            State::Over => return None,
        }
        Some(cursor.position())
    }

    fn version(&mut self, cx: &mut Context<'_, '_>, line: &[u8]) -> Option<[Vec<u8>; 2]> {
        let major = line.get(4..7).unwrap_or_default().to_vec();
        let minor = line.get(8..11).unwrap_or_default().to_vec();
        if !line.starts_with(b"RFB ") {
            cx.anomaly_in(self.session.tx_id, "malformed_message");
            self.state = State::Over;
            return None;
        }
        Some([major, minor])
    }

    fn choose(&mut self, cx: &mut Context<'_, '_>, security_type: u32) {
        self.session.security_type = Some(security_type);
        self.state = match security_type {
            0 => State::Reason,
            // without authentication, its result is told from version 3.8 on
            1 if self.minor() < 8 => State::ClientInit,
            1 => State::Result,
            2 => State::Challenge,
            _ => {
                cx.anomaly_in(self.session.tx_id, "unimplemented_security_type");
                State::Over
            }
        };
    }

    fn result(&mut self, cx: &mut Context<'_, '_>, result: u32) {
        self.session.security_result = Some(result);
        self.state = match result {
            0 => State::ClientInit,
            1 if self.minor() >= 8 => State::Reason,
            1 => State::Over,
            _ => {
                cx.anomaly_in(self.session.tx_id, "unknown_security_result");
                State::Over
            }
        };
    }

    /// The minor version that the client chose.
    fn minor(&self) -> u16 {
        let version = self.session.client_version.as_ref();
        let minor = version.and_then(|[_, minor]| std::str::from_utf8(minor).ok());
        minor.and_then(|minor| minor.parse().ok()).unwrap_or(3)
    }
}

/// A text behind its length; longer than [`TEXT_BYTES_MAX`] it counts as empty.
fn text(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let len = usize::try_from(cursor.u32()?).ok()?;
    if len > TEXT_BYTES_MAX {
        return Some(Vec::new());
    }
    Some(cursor.take(len)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_choose_the_way() {
        assert!(b"004001".to_vec() > b"003007".to_vec());
    }

    #[test]
    fn first_bytes() {
        let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToClient, data);
        assert_eq!(probe(b"RFB 003.008\n"), Probe::Certain);
        assert_eq!(probe(b"RFB 003"), Probe::Unsure);
        assert_eq!(probe(b"RFB x"), Probe::No);
    }
}
