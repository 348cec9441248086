//! Messages from bytes.

use super::connect::Connect;
use super::transaction::{Item, Message};
use crate::applayer::tls::der::{self, Der};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::{Cursor, be16};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// Most certificates whose serial numbers are told.
const SERIALS_MAX: usize = 32;

pub(super) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::default())
}

/// A TPKT with an X.224 connection request, or confirm of the server. Others speak X.224 too: those
/// (S7comm) have parameters where RDP has a cookie or a negotiation.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    let code = match direction {
        Direction::ToServer => REQUEST,
        Direction::ToClient => CONFIRM,
    };
    let fits = |at: usize, fits: &dyn Fn(u8) -> bool| data.get(at).copied().is_none_or(fits);
    let len = be16(data, 2).map_or(0, usize::from);
    let possible = proto == Proto::Tcp
        && fits(0, &|version| version == 3)
        && fits(1, &|reserved| reserved == 0)
        && fits(4, &|indicator| len == usize::from(indicator).saturating_add(5))
        && fits(5, &|kind| kind & 0xf0 == code)
        && fits(10, &|class| class & 0xf0 == 0)
        // parameters of ISO transport: TPDU size and selectors
        && fits(11, &|first| !(0xc0..=0xcf).contains(&first));
    match (possible, data.len() >= 12 || data.len() >= len.max(11)) {
        (true, true) => Probe::Certain,
        (true, false) => Probe::Unsure,
        (false, _) => Probe::No,
    }
}

#[derive(Debug, Default)]
struct Parser {
    to_server: Side,
    to_client: Side,
    /// The server's answer has been seen.
    agreed: bool,
    /// The client has told of itself.
    told: bool,
    /// The server has answered that.
    answered: bool,
}

#[derive(Debug, Default)]
struct Side {
    kept: Vec<u8>,
    /// TLS has begun.
    tls: bool,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let side = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        // the client's part of a TLS handshake is of no interest here
        if side.tls && direction == Direction::ToServer {
            return Next::More;
        }
        side.kept.extend_from_slice(data);
        if side.kept.len() > cx.config.head_bytes_max {
            cx.too_large("message_too_large");
            return Next::Done;
        }
        let mut kept = std::mem::take(&mut side.kept);
        let mut rest = kept.as_slice();
        // each round takes a packet, so this ends
        let next = loop {
            let taken = match rest.first() {
                None => break Next::More,
                Some(3) => self.tpkt(cx, direction, rest),
                Some(_) if self.agreed => self.tls(cx, direction, rest),
                Some(_) => Taken::Over,
            };
            match taken {
                Taken::Some(used) => rest = rest.get(used..).unwrap_or_default(),
                Taken::Waiting => break Next::More,
                Taken::Over => break Next::Done,
            }
        };
        let side = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        let used = kept.len().saturating_sub(rest.len());
        kept.drain(..used);
        side.kept = kept;
        next
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::Done
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        let to_server = self.to_server.kept.len();
        to_server.saturating_add(self.to_client.kept.len())
    }
}

/// What was done with the front of what is there.
enum Taken {
    /// So many bytes, at least one, are done with.
    Some(usize),
    /// It is not whole.
    Waiting,
    /// Nothing more will be understood.
    Over,
}

impl Parser {
    /// Takes a packet of RFC 1006 section 6.
    fn tpkt(&mut self, cx: &mut Context<'_, '_>, direction: Direction, kept: &[u8]) -> Taken {
        let Some(len) = be16(kept, 2).map(usize::from) else {
            return Taken::Waiting;
        };
        let Some(packet) = kept.get(..len.max(TPKT_HEADER)) else {
            return Taken::Waiting;
        };
        let body = packet.get(TPKT_HEADER..).unwrap_or_default();
        let (Some(indicator), Some(code)) = (body.first(), body.get(1)) else {
            return Taken::Over;
        };
        let head = usize::from(*indicator).saturating_add(1);
        let item = match (code & 0xf0, direction) {
            (REQUEST, Direction::ToServer) => Some(request(body)),
            (CONFIRM, Direction::ToClient) => {
                self.agreed = true;
                Some(confirm(body))
            }
            (DATA, _) => mcs(direction, body.get(head..).unwrap_or_default()),
            _ => None,
        };
        let Some(item) = item else {
            return Taken::Over;
        };
        self.told |= matches!(item, Item::ConnectRequest(_));
        self.answered |= item == Item::ConnectResponse;
        emit(cx, direction, item);
        if self.told && self.answered {
            Taken::Over
        } else {
            Taken::Some(packet.len())
        }
    }

    /// Takes a record of TLS: the server's certificates tell with whom the client speaks.
    fn tls(&mut self, cx: &mut Context<'_, '_>, direction: Direction, kept: &[u8]) -> Taken {
        let side = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        side.tls = true;
        if kept.first() != Some(&HANDSHAKE) || kept.get(1).is_some_and(|major| *major != 3) {
            return Taken::Over;
        }
        if direction == Direction::ToServer {
            return Taken::Some(kept.len());
        }
        let messages = handshake_bytes(kept);
        match certificate_serials(&messages) {
            Progress::Waiting => Taken::Waiting,
            Progress::None => Taken::Over,
            Progress::Found(serials) => {
                emit(cx, direction, Item::TlsHandshake(serials));
                Taken::Over
            }
        }
    }
}

fn emit(cx: &mut Context<'_, '_>, direction: Direction, item: Item) {
    let message = Message {
        first_ts_ns: cx.ts_ns,
        tx_id: cx.transaction_id(),
        direction: cx.told_by(direction),
        item,
    };
    cx.transaction(&message);
}

/// Reads a connection request behind its fixed part of 7 bytes.
fn request(body: &[u8]) -> Item {
    let rest = body.get(X224_HEADER..).unwrap_or_default();
    let mut cookie = None;
    let mut negotiation = rest;
    if let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let line = rest.get(..end).unwrap_or_default();
        cookie = line.strip_prefix(b"Cookie: mstshash=").map(<[u8]>::to_vec);
        negotiation = rest.get(end.saturating_add(2)..).unwrap_or_default();
    }
    let flags = match negotiation {
        // protocols that are not defined make the negotiation none
        [1, flags, 8, 0, protocols, 0, 0, 0, ..] if protocols & !0x0f == 0 => *flags,
        _ => 0,
    };
    Item::InitialRequest { cookie, flags }
}

fn confirm(body: &[u8]) -> Item {
    match body.get(X224_HEADER..) {
        Some([2, flags, 8, 0, protocol @ ..]) => {
            let protocol = protocol
                .first_chunk()
                .map(|bytes| u32::from_le_bytes(*bytes));
            let protocol = protocol.filter(|protocol| matches!(protocol, 0 | 1 | 2 | 4 | 8));
            Item::InitialResponse {
                chosen: protocol.map(|protocol| (*flags, protocol)),
            }
        }
        Some([3, _, 8, 0, code @ ..]) => {
            let code = code.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
            Item::InitialFailure(code.unwrap_or(0))
        }
        _ => Item::InitialResponse { chosen: None },
    }
}

/// T.125 Connect-Initial and Connect-Response.
fn mcs(direction: Direction, payload: &[u8]) -> Option<Item> {
    match (payload, direction) {
        ([0x7f, 0x65, ..], Direction::ToServer) => {
            let connect = Connect::find(payload).unwrap_or_default();
            Some(Item::ConnectRequest(Box::new(connect)))
        }
        ([0x7f, 0x66, ..], Direction::ToClient) => Some(Item::ConnectResponse),
        _ => None,
    }
}

/// The content of the handshake records, as far as it is there.
fn handshake_bytes(records: &[u8]) -> Vec<u8> {
    let mut cursor = Cursor::new(records);
    let mut bytes = Vec::new();
    while cursor.u8() == Some(HANDSHAKE) {
        cursor.u16();
        let Some(len) = cursor.u16() else { break };
        match cursor.take(usize::from(len)) {
            Some(content) => bytes.extend_from_slice(content),
            None => break,
        }
    }
    bytes
}

enum Progress {
    Waiting,
    None,
    Found(Vec<String>),
}

/// The serial numbers of the first Certificate message.
fn certificate_serials(messages: &[u8]) -> Progress {
    let mut cursor = Cursor::new(messages);
    loop {
        let Some(head) = cursor.u32() else {
            return Progress::Waiting;
        };
        let len = usize::try_from(head & 0x00ff_ffff).unwrap_or(usize::MAX);
        let Some(body) = cursor.take(len) else {
            return Progress::Waiting;
        };
        match head >> 24 {
            2 => {}
            11 => return Progress::Found(serials(body)),
            _ => return Progress::None,
        }
    }
}

fn serials(body: &[u8]) -> Vec<String> {
    let mut serials = Vec::new();
    let mut rest = body.get(3..).unwrap_or_default();
    while let Some(&[a, b, c]) = rest.first_chunk()
        && serials.len() < SERIALS_MAX
    {
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        let behind = rest.get(3..).unwrap_or_default();
        let Some((certificate, more)) = behind.split_at_checked(len) else {
            break;
        };
        serials.extend(serial(certificate));
        rest = more;
    }
    serials
}

/// Lower-case hexadecimal, without the sign's byte.
fn serial(certificate: &[u8]) -> Option<String> {
    let mut body = Der::new(certificate).sequence()?.sequence()?;
    body.optional(der::context(0))?;
    let number = body.expect(der::INTEGER)?;
    let number = number.strip_prefix(&[0]).unwrap_or(number);
    Some(crate::bytes::hex(number))
}

const TPKT_HEADER: usize = 4;
/// Length indicator, code, two references and class.
const X224_HEADER: usize = 7;
const REQUEST: u8 = 0xe0;
const CONFIRM: u8 = 0xd0;
const DATA: u8 = 0xf0;
const HANDSHAKE: u8 = 22;

#[cfg(test)]
mod tests;
