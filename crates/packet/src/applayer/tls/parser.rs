//! From records to the handshake. Messages may be spread over records and TCP segments in any way.

use super::handshake::{Handshake, State};
use super::hello::{Carrier, Hello};
use super::message::{
    CERTIFICATE, CERTIFICATE_REQUEST, CLIENT_HELLO, HEADER, SERVER_HELLO, SERVER_HELLO_DONE, Stop,
    alert, certificates, chain, heartbeat, is_message, message_len,
};
use super::record::{self, Part, Side};
use super::server_hello::ServerHello;
use super::{ssl2, version};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::be16;
use crate::flow::{Direction, Proto};
use crate::sensor::{Config, Part as Told};

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    let mut parser = Parser::default();
    parser.handshake.fingerprints = config.apps.tls;
    Box::new(parser)
}

/// A handshake record of SSL 3.0 or TLS that begins with a hello of either side, or a client's SSL
/// 2.0 hello. A server may begin with an alert: it does not know the name that is asked for (RFC
/// 6066 section 3).
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp {
        return Probe::No;
    }
    let hello = match direction {
        Direction::ToServer => CLIENT_HELLO,
        Direction::ToClient => SERVER_HELLO,
    };
    let fits = |at: usize, fits: &dyn Fn(u8) -> bool| data.get(at).copied().is_none_or(fits);
    let is_alert = direction == Direction::ToClient && data.first() == Some(&record::ALERT);
    if is_alert {
        return alert_probe(data);
    }
    let possible = fits(0, &|kind| kind == record::HANDSHAKE)
        && fits(1, &|major| major == 3)
        && fits(2, &|minor| minor <= 4)
        && be16(data, 3).is_none_or(|len| (1..=record::BODY_BYTES_MAX).contains(&len))
        && fits(5, &|kind| kind == hello);
    match (possible, data.len() > record::HEADER) {
        (true, true) => Probe::Certain,
        (true, false) => Probe::Unsure,
        (false, _) if direction == Direction::ToServer => ssl2::probe(data),
        // a server that only refuses
        (false, _) if matches!(data, [record::ALERT, 3, 0..=4, 0, 2, ..]) => Probe::Unsure,
        (false, _) => Probe::No,
    }
}

/// An alert of two bytes: warning or fatal, and what for (RFC 8446 section 6).
fn alert_probe(data: &[u8]) -> Probe {
    match data {
        [_, 3, 0..=4, 0, 2, 1 | 2, ..] => Probe::Certain,
        [_] | [_, 3] | [_, 3, 0..=4] | [_, 3, 0..=4, 0] | [_, 3, 0..=4, 0, 2] => Probe::Unsure,
        _ => Probe::No,
    }
}

/// A connection up to its encryption.
#[derive(Debug, Default)]
struct Parser {
    to_server: Side,
    to_client: Side,
    /// What is known so far.
    handshake: Handshake,
    /// Parts of it that the record at hand made complete, and which are told with its end.
    news: Vec<Told>,
    /// The client's hello, or the first message without one, has got the transaction's number.
    begun: bool,
    /// The server asked for another hello, which stands behind the client's first cipher change.
    retrying: bool,
    /// The server wants to see the client's certificate.
    asks_client: bool,
    /// The server has said all that it says in plain text.
    server_done: bool,
    /// The handshake has been yielded; what follows in plain text is watched for damage only.
    reported: bool,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        if !self.begun {
            self.begun = true;
            self.handshake.first_ts_ns = cx.ts_ns;
            self.handshake.from = cx.flow().app_before;
            self.handshake.tx_id = cx.transaction_id();
        }
        match self.take(cx, direction, data) {
            Ok(()) => {
                if self.is_told() {
                    self.report(cx);
                }
                let is_hidden = self.to_server.encrypted && self.to_client.encrypted;
                // of what follows, only the frames can be of interest
                return match self.reported && is_hidden && !cx.wants_frames() {
                    true => Next::Done,
                    false => Next::More,
                };
            }
            Err(Stop::Over) => {}
            Err(Stop::Damage(name)) => cx.anomaly_in(self.handshake.tx_id, name),
        }
        self.report(cx);
        Next::Done
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        let side = self.side(direction);
        (side.encrypted, side.lost) = (true, true);
        if self.to_server.encrypted && self.to_client.encrypted {
            self.report(cx);
            return Next::Done;
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.report(cx);
    }

    fn buffered(&self) -> usize {
        let sides = self.to_server.buffered();
        let sides = sides.saturating_add(self.to_client.buffered());
        let chains = [&self.handshake.server_chain, &self.handshake.client_chain];
        let raw = chains.iter().flat_map(|chain| &chain.raw);
        sides.saturating_add(raw.map(|der| der.len()).sum())
    }
}

impl Parser {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    fn take(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
    ) -> Result<(), Stop> {
        let mut rest = data;
        if !self.side(direction).begun {
            rest = match self.ssl2(cx, direction, data)? {
                Some(rest) => rest,
                None => return Ok(()),
            };
        }
        while !rest.is_empty() {
            let side = self.side(direction);
            let was_encrypted = side.encrypted;
            if was_encrypted && !cx.wants_frames() {
                skip_encrypted(side, rest);
                return Ok(());
            }
            if side.lost {
                return Ok(());
            }
            let in_header = side.is_in_header();
            let taken = side.take(rest);
            if was_encrypted && taken.is_err() {
                side.lost = true;
                return Ok(());
            }
            let has_begun = in_header && !side.is_in_header();
            let version = side.version();
            if direction == Direction::ToClient && version != 0 {
                self.handshake.record_version = version;
            }
            let (part, behind) = taken?;
            rest = behind;
            if has_begun {
                self.side(direction).frame(cx, rest.len());
            }
            match part {
                Some(part) if was_encrypted => {
                    self.side(direction).finished |= part.kind == record::APPLICATION_DATA;
                }
                Some(part) => self.part(cx, direction, part)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Takes a first record of SSL 2.0; gives what is behind it, or all of `data` if there is none.
    fn ssl2<'a>(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &'a [u8],
    ) -> Result<Option<&'a [u8]>, Stop> {
        let first_ts_ns = self.handshake.first_ts_ns;
        let side = self.side(direction);
        let kept = side.message.len();
        let first = side.message.first().or(data.first()).copied();
        if first.is_none_or(|first| first & 0x80 == 0) {
            return Ok(Some(data));
        }
        let head = data.get(..2_usize.saturating_sub(kept)).unwrap_or(data);
        side.message.extend_from_slice(head);
        let Some(len) = ssl2::record_len(&side.message) else {
            return Ok(None);
        };
        if len > cx.config.head_bytes_max {
            return Err(Stop::Damage("INVALID_SSLV2_HEADER"));
        }
        let body = data.get(head.len()..).unwrap_or_default();
        let missing = len.saturating_sub(side.message.len());
        let (taken, rest) = body.split_at_checked(missing).unwrap_or((body, &[]));
        side.message.extend_from_slice(taken);
        if side.message.len() < len {
            return Ok(None);
        }
        let record = std::mem::take(&mut side.message);
        side.begun = true;
        cx.record_begins(rest.len().saturating_add(len));
        cx.frame("ssl2.hdr", 0, SSL2_HEADER);
        cx.frame("ssl2.pdu", 0, len);
        if direction == Direction::ToServer {
            let hello = ssl2::client_hello(&record, first_ts_ns);
            self.client_hello(cx, hello.ok_or("INVALID_SSLV2_HEADER")?);
            self.tell(cx);
            return Ok(Some(rest));
        }
        let (version, certificate) = ssl2::server_hello(&record).ok_or("INVALID_SSLV2_HEADER")?;
        self.handshake.record_version = version;
        self.handshake.server_chain = chain(cx, self.handshake.tx_id, &[certificate.into()]);
        Err(Stop::Over)
    }

    fn part(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        part: Part<'_>,
    ) -> Result<(), Stop> {
        let side = self.side(direction);
        match part.kind {
            record::HANDSHAKE => {
                self.handshake_part(cx, direction, part.data)?;
                if part.last {
                    self.tell(cx);
                }
            }
            record::ALERT => {
                if let Some(head) = side.head(part) {
                    alert(&head, side.record_len())?;
                }
            }
            record::HEARTBEAT => {
                if let Some(head) = side.head(part) {
                    let len = side.record_len();
                    heartbeat(cx, self.handshake.tx_id, &head, len);
                }
            }
            record::CHANGE_CIPHER_SPEC => {
                if direction == Direction::ToClient && !self.retrying {
                    self.note_resumption();
                }
                let known = self.handshake.server.as_ref();
                let is_tls13 = known.is_some_and(|hello| version::is_tls13(hello.version));
                let is_begun = !self.retrying;
                let side = self.side(direction);
                side.encrypted = is_begun;
                // of TLS 1.3 the client's stands right before its last message (RFC 8446 appendix D.4)
                side.finished |= is_begun && is_tls13 && direction == Direction::ToServer;
            }
            record::APPLICATION_DATA => {
                let side = self.side(direction);
                (side.encrypted, side.finished) = (true, true);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether all has been seen that the record tells: the certificates, or a handshake that goes
    /// without them.
    fn is_told(&self) -> bool {
        let handshake = &self.handshake;
        let is_known = self.server_done && !handshake.server_chain.raw.is_empty();
        let is_answered = !self.asks_client || !handshake.client_chain.raw.is_empty();
        is_known && is_answered || self.to_server.finished && self.to_client.finished
    }

    /// A server that goes on without a certificate knows the client's ticket (RFC 5077 section
    /// 3.1); where TLS 1.3 hides the certificate, nobody can tell.
    fn note_resumption(&mut self) {
        let handshake = &mut self.handshake;
        let known = handshake.server.as_ref();
        let known = known.is_some_and(|hello| !version::is_tls13(hello.version));
        let has_ticket = handshake.client.as_ref().is_some_and(Hello::takes_tickets);
        handshake.resumed = known && has_ticket && handshake.server_chain.raw.is_empty();
    }

    fn handshake_part(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
    ) -> Result<(), Stop> {
        let mut rest = data;
        let reported = self.reported;
        while !rest.is_empty() {
            let side = self.side(direction);
            if side.skip > 0 {
                let (skipped, behind) = rest.split_at_checked(side.skip).unwrap_or((rest, &[]));
                side.skip = side.skip.saturating_sub(skipped.len());
                rest = behind;
                continue;
            }
            let len = message_len(&side.message).unwrap_or(HEADER);
            let missing = len.saturating_sub(side.message.len());
            let (taken, behind) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            side.message.extend_from_slice(taken);
            rest = behind;
            let (Some(kind), Some(len)) = (side.message.first(), message_len(&side.message)) else {
                continue;
            };
            if !is_message(*kind) {
                return Err(Stop::Damage("INVALID_HANDSHAKE_MESSAGE"));
            }
            let kind = *kind;
            if reported || !matches!(kind, CLIENT_HELLO | SERVER_HELLO | CERTIFICATE) {
                side.skip = len.saturating_sub(HEADER);
                side.message.clear();
                self.asks_client |= kind == CERTIFICATE_REQUEST;
                self.server_done |= kind == SERVER_HELLO_DONE;
                self.note_key_exchange(kind);
            } else if len > cx.config.head_bytes_max {
                cx.too_large("HANDSHAKE_INVALID_LENGTH");
                return Err(Stop::Over);
            } else if side.message.len() >= len {
                let message = std::mem::take(&mut side.message);
                self.message(cx, direction, &message)?;
            }
        }
        Ok(())
    }

    /// Takes a whole message with its header of four bytes.
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        message: &[u8],
    ) -> Result<(), Stop> {
        let invalid = "INVALID_HANDSHAKE_MESSAGE";
        let body = message.get(HEADER..).unwrap_or_default();
        match (message.first(), direction) {
            (Some(&CLIENT_HELLO), Direction::ToServer) => {
                let ts_ns = self.handshake.first_ts_ns;
                let hello = Hello::parse(message, ts_ns, Carrier::Tcp);
                self.client_hello(cx, hello.ok_or(invalid)?);
                self.retrying = false;
            }
            (Some(&SERVER_HELLO), Direction::ToClient) => {
                let hello = ServerHello::parse(body).ok_or(invalid)?;
                self.retrying = hello.is_retry();
                if self.handshake.server.is_none() {
                    self.handshake.server = Some(hello);
                    self.handshake.state = Some(State::ServerHello);
                    self.news.push(Told::ResponseHead);
                }
            }
            (Some(&CERTIFICATE), _) => {
                let raw = certificates(body).ok_or("CERTIFICATE_INVALID_LENGTH")?;
                let chain = chain(cx, self.handshake.tx_id, &raw);
                match direction {
                    Direction::ToServer => self.handshake.client_chain = chain,
                    Direction::ToClient => self.handshake.server_chain = chain,
                }
                self.note_certificates(direction);
            }
            _ => return Err(Stop::Damage(invalid)),
        }
        Ok(())
    }

    /// Yields the first hello at once.
    fn client_hello(&mut self, cx: &mut Context<'_, '_>, mut hello: Hello) {
        if self.handshake.client.is_some() {
            return;
        }
        hello.tx_id = self.handshake.tx_id;
        for name in &hello.oddities {
            cx.anomaly_in(hello.tx_id, name);
        }
        cx.transaction(&hello);
        self.handshake.client = Some(hello);
        self.handshake.state = Some(State::ClientHello);
        self.news.push(Told::RequestHead);
    }

    /// The keys are being agreed on: the message itself is not looked at.
    fn note_key_exchange(&mut self, kind: u8) {
        let Some(state) = State::of(kind).filter(|_| !self.reported) else {
            return;
        };
        self.handshake.state = Some(state);
        self.news.push(match state.direction() {
            Direction::ToServer => Told::RequestHead,
            Direction::ToClient => Told::ResponseHead,
        });
    }

    /// A side has shown its certificates, which is all that rules can ask of it.
    fn note_certificates(&mut self, direction: Direction) {
        let untold = &mut self.handshake.untold;
        let (untold, part) = match direction {
            Direction::ToServer => (&mut untold.client, Told::Request),
            Direction::ToClient => (&mut untold.server, Told::Response),
        };
        if std::mem::replace(untold, false) {
            self.news.push(part);
        }
    }

    /// A record is over: its messages are told.
    fn tell(&mut self, cx: &mut Context<'_, '_>) {
        for part in self.news.drain(..) {
            cx.progress(&self.handshake, part);
        }
    }

    /// Yields the handshake, once.
    fn report(&mut self, cx: &mut Context<'_, '_>) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        self.tell(cx);
        let mut handshake = std::mem::take(&mut self.handshake);
        self.handshake.tx_id = handshake.tx_id;
        handshake.resumed |= handshake.is_taken_up_by_id();
        if handshake.is_something() {
            cx.transaction(&handshake);
        }
    }
}

/// Goes through encrypted records as far as the first of the user's.
fn skip_encrypted(side: &mut Side, data: &[u8]) {
    let mut rest = data;
    while !rest.is_empty() && !side.lost && !side.finished {
        match side.take(rest) {
            Ok((part, behind)) => {
                side.finished |= part.is_some_and(|part| part.kind == record::APPLICATION_DATA);
                rest = behind;
            }
            Err(_) => side.lost = true,
        }
    }
}

/// Length of the header of an SSL 2.0 record, bytes.
const SSL2_HEADER: usize = 2;

#[cfg(test)]
mod tests;
