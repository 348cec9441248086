//! Banners and packets from bytes.

use super::transaction::Session;
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be32;
use crate::flow::{Direction, Proto};
use crate::sensor::{Config, Part};

/// Longest banner, its line end included (RFC 4253 section 4.2).
const BANNER_BYTES_MAX: usize = 255;
/// Most lines that a server may send before its banner.
const LINES_MAX: usize = 64;
/// Longest packet that makes sense: beyond what RFC 4253 section 6.1 asks for.
const PACKET_BYTES_MAX: usize = 256 << 10;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    let mut parser = Parser::default();
    parser.session.options = config.apps.ssh;
    Box::new(parser)
}

pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    const MAGIC: &[u8] = b"SSH-";
    match (proto, data.starts_with(MAGIC)) {
        (Proto::Tcp, true) => Probe::Certain,
        (Proto::Tcp, false) if MAGIC.starts_with(data) => Probe::Unsure,
        _ => Probe::No,
    }
}

#[derive(Debug, Default)]
struct Parser {
    session: Session,
    begun: bool,
    reported: bool,
    to_server: Side,
    to_client: Side,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    state: State,
    /// What is there of the line or packet at hand.
    kept: Vec<u8>,
    /// Bytes left of a packet that is not looked at.
    skip: usize,
    lines: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Banner,
    /// Passing by what is left of a banner that is too long.
    LongBanner,
    Packets,
    /// Encrypted, or not to be understood.
    Over,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        if !self.begun {
            self.begun = true;
            self.session.first_ts_ns = cx.ts_ns;
            self.session.tx_id = cx.transaction_id();
        }
        let mut rest = data;
        while !rest.is_empty() {
            rest = match self.side(direction).state {
                State::Banner | State::LongBanner => self.line(cx, direction, rest),
                State::Packets => self.packet(cx, direction, rest),
                State::Over => &[],
            };
        }
        let states = [self.to_server.state, self.to_client.state];
        if states == [State::Over; 2] {
            self.end(cx);
            return Next::Done;
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        self.side(direction).over();
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        let known = [&self.session.client, &self.session.server];
        let known = known.iter().any(|peer| !peer.protocol.is_empty());
        if known && !std::mem::replace(&mut self.reported, true) {
            cx.transaction(&self.session);
        }
    }

    fn buffered(&self) -> usize {
        let proposals = [&self.session.client, &self.session.server].into_iter();
        let proposals = proposals.filter_map(|peer| peer.hassh.as_ref());
        let kept = [&self.to_server, &self.to_client].into_iter();
        let kept = kept.map(|side| side.kept.len());
        kept.chain(proposals.map(String::len))
            .fold(0, usize::saturating_add)
    }
}

impl Parser {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    /// Takes bytes of a line; gives what is behind it.
    fn line<'a>(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &'a [u8],
    ) -> &'a [u8] {
        let side = self.side(direction);
        let end = memchr::memchr(b'\n', data);
        let len = end.map_or(data.len(), |end| end.saturating_add(1));
        let (part, rest) = data.split_at_checked(len).unwrap_or((data, &[]));
        let room = BANNER_BYTES_MAX.saturating_sub(side.kept.len());
        side.kept.extend(part.iter().take(room));
        if part.len() > room && side.state == State::Banner {
            side.state = State::LongBanner;
            cx.anomaly_in(self.session.tx_id, "long_banner");
        }
        if end.is_some() {
            self.whole_line(cx, direction);
        }
        rest
    }

    fn whole_line(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        let side = self.side(direction);
        let line = std::mem::take(&mut side.kept);
        side.state = State::Banner;
        side.lines = side.lines.saturating_add(1);
        let (first, lines) = (line.starts_with(b"SSH-"), side.lines);
        let text = line.trim_ascii_end();
        let peer = match direction {
            Direction::ToServer => &mut self.session.client,
            Direction::ToClient => &mut self.session.server,
        };
        let read = peer.read_banner(text).is_some();
        let is_old = peer.protocol.starts_with(b"1.") && peer.protocol != b"1.99";
        let side = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        match (read, first) {
            (true, _) if is_old => {
                cx.progress(&self.session, head(direction));
                self.to_server.over();
                self.to_client.over();
            }
            (true, _) => {
                side.state = State::Packets;
                cx.progress(&self.session, head(direction));
                let peers = [&self.session.client, &self.session.server];
                let is_greeted = peers.iter().all(|peer| !peer.protocol.is_empty());
                // without their fingerprints the banners are all that is logged
                if is_greeted && !self.session.options.hassh {
                    self.end(cx);
                }
            }
            // servers may greet before (RFC 4253 section 4.2)
            (false, false) if lines < LINES_MAX && direction == Direction::ToClient => {}
            (false, _) => {
                side.over();
                cx.anomaly_in(self.session.tx_id, "invalid_banner");
            }
        }
    }

    /// Takes bytes of a packet (RFC 4253 section 6); gives what is behind it.
    fn packet<'a>(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &'a [u8],
    ) -> &'a [u8] {
        if self.is_undecided(direction) {
            self.side(direction).over();
            return &[];
        }
        let side = self.side(direction);
        if side.skip > 0 {
            let (skipped, rest) = data.split_at_checked(side.skip).unwrap_or((data, &[]));
            side.skip = side.skip.saturating_sub(skipped.len());
            return rest;
        }
        let len = packet_len(&side.kept).unwrap_or(HEADER);
        let wanted = if side.kept.len() < HEADER {
            HEADER
        } else {
            len
        };
        let missing = wanted.saturating_sub(side.kept.len());
        let (taken, rest) = data.split_at_checked(missing).unwrap_or((data, &[]));
        side.kept.extend_from_slice(taken);
        if missing > 0 && side.kept.len() == HEADER {
            let len = packet_len(&side.kept).unwrap_or(0);
            let tx_id = self.session.tx_id;
            cx.record_begins(rest.len().saturating_add(HEADER));
            cx.frame_in(tx_id, "record.hdr", 0, HEADER);
            cx.frame_in(tx_id, "record.data", HEADER, len.saturating_sub(HEADER));
            cx.frame_in(tx_id, "record.pdu", 0, len);
        }
        let side = self.side(direction);
        let (Some(len), Some(kind)) = (packet_len(&side.kept), side.kept.get(5).copied()) else {
            return rest;
        };
        if !(HEADER..=PACKET_BYTES_MAX).contains(&len) {
            side.over();
            cx.anomaly_in(self.session.tx_id, "invalid_record");
            return &[];
        }
        match kind {
            NEWKEYS => side.over(),
            KEXINIT if len > cx.config.head_bytes_max => {
                side.over();
                cx.too_large("invalid_record");
            }
            KEXINIT if side.kept.len() < len => {}
            KEXINIT => {
                let packet = std::mem::take(&mut side.kept);
                self.proposal(cx, direction, &packet);
            }
            _ => {
                side.skip = len.saturating_sub(side.kept.len());
                side.kept.clear();
            }
        }
        rest
    }

    /// A server that speaks both versions, to a client that is not seen: its packets may be of either.
    fn is_undecided(&self, direction: Direction) -> bool {
        let both = self.session.server.protocol == b"1.99";
        direction == Direction::ToClient && both && self.session.client.protocol.is_empty()
    }

    fn proposal(&mut self, cx: &mut Context<'_, '_>, direction: Direction, packet: &[u8]) {
        let peer = match direction {
            Direction::ToServer => &mut self.session.client,
            Direction::ToClient => &mut self.session.server,
        };
        let payload = packet.get(HEADER..).unwrap_or_default();
        if peer.read_proposal(direction, payload).is_none() {
            cx.anomaly_in(self.session.tx_id, "invalid_record");
        }
        let part = match direction {
            Direction::ToServer => Part::Request,
            Direction::ToClient => Part::Response,
        };
        cx.progress(&self.session, part);
        if self.session.client.hassh.is_some() && self.session.server.hassh.is_some() {
            self.end(cx);
        }
    }
}

/// A banner is the head of what its side says.
fn head(direction: Direction) -> Part {
    match direction {
        Direction::ToServer => Part::RequestHead,
        Direction::ToClient => Part::ResponseHead,
    }
}

impl Side {
    fn over(&mut self) {
        self.state = State::Over;
        self.kept = Vec::new();
    }
}

/// Length of a packet with its length field.
fn packet_len(kept: &[u8]) -> Option<usize> {
    usize::try_from(be32(kept, 0)?).ok()?.checked_add(4)
}

const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
/// Length of the packet, length of its padding, type of its message.
const HEADER: usize = 6;

#[cfg(test)]
mod tests;
