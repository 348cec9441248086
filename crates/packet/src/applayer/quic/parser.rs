//! From datagrams to hellos.

use super::crypto::{Crypto, Trouble};
use super::google::Chlo;
use super::header::{self, Kind, Packet};
use super::keys::Keys;
use super::transaction::Datagram;
use crate::applayer::tls::hello::{Carrier, Hello};
use crate::applayer::tls::{self, ServerHello};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// Most packets read of one datagram.
const PACKETS_MAX: usize = 16;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        fingerprints: config.apps.quic,
        keys: None,
        retried: false,
        to_server: Side::default(),
        to_client: Side::default(),
    })
}

/// A long header of a version that is in use, whose packet fits into the datagram.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    let known = header::version(data).is_some_and(header::is_version);
    let fits = || match header::read(data) {
        Some((packet, _)) => packet.kind != Kind::Negotiation,
        None => data.first().is_some_and(|flags| flags & 0x80 == 0),
    };
    if proto == Proto::Udp && known && fits() {
        Probe::Certain
    } else {
        Probe::No
    }
}

#[derive(Debug)]
struct Parser {
    fingerprints: tls::Options,
    /// From the client's first Initial packet, and again after a Retry.
    keys: Option<Keys>,
    retried: bool,
    to_server: Side,
    to_client: Side,
}

#[derive(Debug, Default)]
struct Side {
    crypto: Crypto,
    /// Its hello has been seen: what follows is of no interest.
    done: bool,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let Some(version) = header::version(data) else {
            return Next::More;
        };
        if self.side(direction).done {
            return Next::More;
        }
        let mut datagram = Datagram {
            first_ts_ns: cx.ts_ns,
            tx_id: cx.transaction_id(),
            direction,
            version,
            client: None,
            server: None,
            google: None,
            fingerprints: self.fingerprints,
        };
        if header::is_google(version) {
            datagram.google = Chlo::find(data);
        } else {
            self.packets(cx, data, &mut datagram);
        }
        cx.transaction(&datagram);
        if self.to_client.done && self.to_server.done {
            return Next::Done;
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::More
    }

    fn end(&mut self, _: &mut Context<'_, '_>) {}

    fn buffered(&self) -> usize {
        let to_server = self.to_server.crypto.buffered();
        to_server.saturating_add(self.to_client.crypto.buffered())
    }
}

impl Parser {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    fn packets(&mut self, cx: &mut Context<'_, '_>, data: &[u8], datagram: &mut Datagram) {
        let mut rest = data;
        for _ in 0..PACKETS_MAX {
            // a short header, or padding, ends the datagram
            if rest.first().is_none_or(|flags| flags & 0x80 == 0) {
                return;
            }
            let Some((packet, behind)) = header::read(rest) else {
                return cx.anomaly_in(datagram.tx_id, "error_on_data");
            };
            match packet.kind {
                Kind::Initial => self.initial(cx, &packet, datagram),
                // the client begins anew, with the identifier that the server gave it; it takes one
                // Retry only (RFC 9000 section 17.2.5.2)
                Kind::Retry if datagram.direction == Direction::ToClient && !self.retried => {
                    self.retried = true;
                    self.keys = None;
                    self.to_server = Side::default();
                }
                Kind::Retry | Kind::ZeroRtt | Kind::Handshake | Kind::Negotiation | Kind::Other => {
                }
            }
            rest = behind;
        }
    }

    fn initial(&mut self, cx: &mut Context<'_, '_>, packet: &Packet<'_>, datagram: &mut Datagram) {
        let direction = datagram.direction;
        if direction == Direction::ToServer && self.keys.is_none() {
            self.keys = Keys::new(packet.version, packet.destination);
        }
        let Some(keys) = &self.keys else { return };
        let Some(frames) = keys.open(direction, packet) else {
            return cx.anomaly_in(datagram.tx_id, "failed_decrypt");
        };
        let bytes_max = cx.config.head_bytes_max;
        let side = self.side(direction);
        match side.crypto.take(&frames, bytes_max) {
            Ok(()) => {}
            Err(Trouble::Damaged) => cx.anomaly_in(datagram.tx_id, "error_on_data"),
            Err(Trouble::TooLong) => {
                side.done = true;
                side.crypto = Crypto::default();
                return cx.too_large("crypto_frag_too_long");
            }
        }
        let Some(message) = side.crypto.message() else {
            return;
        };
        let body = message.get(4..).unwrap_or_default();
        match (message.first(), direction) {
            (Some(1), Direction::ToServer) => {
                datagram.client = Hello::parse(message, cx.ts_ns, Carrier::Quic);
            }
            (Some(2), Direction::ToClient) => datagram.server = ServerHello::parse(body),
            _ => {}
        }
        if datagram.client.is_none() && datagram.server.is_none() {
            cx.anomaly_in(datagram.tx_id, "error_on_data");
        }
        side.done = true;
        side.crypto = Crypto::default();
    }
}

#[cfg(test)]
mod tests;
