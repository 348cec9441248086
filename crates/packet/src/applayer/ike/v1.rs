//! Version 1: what the initiator offers and the responder takes (RFC 2408 section 3, RFC 2409 appendix
//! A).

use super::transaction::{Header, payloads};
use crate::bytes::Cursor;

/// Most offers read of a message.
const OFFERS_MAX: usize = 64;
/// Most attributes read of an offer.
const ATTRIBUTES_MAX: usize = 64;

/// What a message says, and what is known of the exchange by then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange1 {
    /// Types of its payloads, each once.
    pub payloads: Vec<u8>,
    /// What is behind the header is encrypted.
    pub encrypted: bool,
    /// Domain of interpretation.
    pub doi: Option<u32>,
    /// What the client offers in this message.
    pub client_offers: Vec<Offer>,
    /// What the server takes in this message.
    pub server_offers: Vec<Offer>,
    /// What the server took.
    pub chosen: Offer,
    /// Key exchange and nonce of the client.
    pub client_key: Key,
    /// Key exchange and nonce of the server.
    pub server_key: Key,
    /// Vendor identifiers of this message.
    pub vendors: Vec<Vec<u8>>,
}

/// A transform offered: its attributes in their order.
pub type Offer = Vec<Attribute>;

/// An attribute of a transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// Its type.
    pub kind: u16,
    /// Its value; what is longer than 8 bytes counts as 0.
    pub value: u64,
}

/// Key exchange and nonce of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// Key exchange payload.
    pub exchange: Vec<u8>,
    /// Nonce payload.
    pub nonce: Vec<u8>,
}

/// What a flow knows between messages.
#[derive(Debug, Default)]
pub(super) struct State {
    doi: Option<u32>,
    chosen: Offer,
    client_key: Key,
    server_key: Key,
}

impl State {
    /// Bytes kept.
    pub(super) fn kept(&self) -> usize {
        let keys = [&self.client_key, &self.server_key].into_iter();
        let keys = keys.flat_map(|key| [key.exchange.len(), key.nonce.len()]);
        keys.fold(0, usize::saturating_add)
    }

    /// Takes a message; also says whether its payloads could be read.
    pub(super) fn message(
        &mut self,
        header: &Header,
        body: &[u8],
        to_server: bool,
    ) -> (Exchange1, bool) {
        let mut exchange = Exchange1 {
            encrypted: header.flags & ENCRYPTED != 0,
            ..Exchange1::default()
        };
        let mut sound = true;
        if exchange.encrypted {
            exchange.note(header.next);
        } else if header.next == 0 {
            exchange.note(0);
        } else {
            for payload in payloads(header.next, body) {
                let Some((kind, content, _)) = payload else {
                    sound = false;
                    break;
                };
                exchange.note(kind);
                let read = self.payload(&mut exchange, kind, content, to_server);
                sound &= read.is_some();
            }
        }
        exchange.doi = self.doi;
        exchange.chosen.clone_from(&self.chosen);
        exchange.client_key.clone_from(&self.client_key);
        exchange.server_key.clone_from(&self.server_key);
        (exchange, sound)
    }

    fn payload(
        &mut self,
        exchange: &mut Exchange1,
        kind: u8,
        content: &[u8],
        to_server: bool,
    ) -> Option<()> {
        let key = if to_server {
            &mut self.client_key
        } else {
            &mut self.server_key
        };
        match kind {
            ASSOCIATION => {
                let mut cursor = Cursor::new(content);
                let doi = cursor.u32()?;
                self.doi = Some(doi);
                if doi != IPSEC {
                    return Some(());
                }
                cursor.u32()?;
                let offers = offers(exchange, content.get(cursor.position()..)?)?;
                if to_server {
                    exchange.client_offers = offers;
                } else {
                    self.chosen = offers.first().cloned().unwrap_or_default();
                    exchange.server_offers = offers;
                }
            }
            KEY_EXCHANGE => key.exchange = content.to_vec(),
            NONCE => key.nonce = content.to_vec(),
            VENDOR => exchange.vendors.push(content.to_vec()),
            _ => {}
        }
        Some(())
    }
}

impl Exchange1 {
    fn note(&mut self, kind: u8) {
        if !self.payloads.contains(&kind) {
            self.payloads.push(kind);
        }
    }
}

/// The transforms of all proposals (RFC 2408 sections 3.5 and 3.6).
fn offers(exchange: &mut Exchange1, proposals: &[u8]) -> Option<Vec<Offer>> {
    let mut offers = Vec::new();
    for proposal in payloads(PROPOSAL, proposals) {
        let (kind, content, _) = proposal?;
        exchange.note(kind);
        let mut cursor = Cursor::new(content);
        cursor.u16()?;
        let spi = cursor.u8()?;
        cursor.u8()?;
        cursor.take(usize::from(spi))?;
        for transform in payloads(TRANSFORM, content.get(cursor.position()..)?) {
            let (kind, content, _) = transform?;
            exchange.note(kind);
            if offers.len() < OFFERS_MAX {
                offers.push(attributes(content.get(4..)?)?);
            }
        }
    }
    Some(offers)
}

/// RFC 2408 section 3.3.
fn attributes(content: &[u8]) -> Option<Offer> {
    let mut cursor = Cursor::new(content);
    let mut attributes = Vec::new();
    while !cursor.is_empty() && attributes.len() < ATTRIBUTES_MAX {
        let kind = cursor.u16()?;
        let value = if kind & 0x8000 != 0 {
            u64::from(cursor.u16()?)
        } else {
            let bytes = cursor.vec16()?;
            let number = bytes.iter().try_fold(0_u64, |number, byte| {
                number.checked_mul(256)?.checked_add(u64::from(*byte))
            });
            number.unwrap_or(0)
        };
        let kind = kind & 0x7fff;
        attributes.push(Attribute { kind, value });
    }
    Some(attributes)
}

const ENCRYPTED: u8 = 1;
const IPSEC: u32 = 1;
const ASSOCIATION: u8 = 1;
const PROPOSAL: u8 = 2;
const TRANSFORM: u8 = 3;
const KEY_EXCHANGE: u8 = 4;
const NONCE: u8 = 10;
const VENDOR: u8 = 13;
