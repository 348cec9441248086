//! Version 2: what is offered and taken (RFC 7296 section 3.3), and how weak it is.

use super::transaction::{Header, payloads};
use crate::bytes::{Cursor, be16};

/// Most transforms read of a message.
const TRANSFORMS_MAX: usize = 1024;

/// What a message says, and what is known of the exchange by then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange2 {
    /// Types of its payloads in their order, with what the last one names as its successor.
    pub payloads: Vec<u8>,
    /// Types of its notifications.
    pub notifications: Vec<u16>,
    /// The sender began the exchange.
    pub initiator: bool,
    /// What the responder took.
    pub chosen: Chosen,
}

/// The transforms taken, by their numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the types of transforms by their names")]
pub struct Chosen {
    pub encryption: Option<u16>,
    pub prf: u16,
    pub integrity: u16,
    pub group: u16,
    pub sequence: u16,
}

/// What a flow knows between messages.
#[derive(Debug, Default)]
pub(super) struct State {
    chosen: Chosen,
}

impl State {
    /// Takes a message; `report` gets the names of anomalies.
    pub(super) fn message(
        &mut self,
        header: &Header,
        body: &[u8],
        report: &mut dyn FnMut(&'static str),
    ) -> Exchange2 {
        let mut exchange = Exchange2 {
            initiator: header.flags & INITIATOR != 0,
            payloads: vec![header.next],
            ..Exchange2::default()
        };
        for payload in payloads(header.next, body) {
            let read = payload.and_then(|(kind, content, next)| {
                exchange.payloads.push(next);
                self.payload(&mut exchange, kind, content, report)?;
                Some(kind)
            });
            match read {
                // what is in it cannot be read, and its successor is in it
                Some(ENCRYPTED) => break,
                Some(_) => {}
                None => {
                    exchange.payloads.clear();
                    report("malformed_data");
                    break;
                }
            }
        }
        exchange.chosen = self.chosen;
        exchange
    }

    fn payload(
        &mut self,
        exchange: &mut Exchange2,
        kind: u8,
        content: &[u8],
        report: &mut dyn FnMut(&'static str),
    ) -> Option<()> {
        match kind {
            ASSOCIATION => {
                for proposal in proposals(content)? {
                    judge(&proposal, report);
                    if !exchange.initiator {
                        self.take(&proposal);
                    }
                }
            }
            NOTIFY => exchange.notifications.push(be16(content, 2)?),
            _ => {}
        }
        Some(())
    }

    /// Of several transforms of a type the first counts.
    fn take(&mut self, proposal: &[(u8, u16)]) {
        for (kind, number) in proposal.iter().rev() {
            let chosen = &mut self.chosen;
            match kind {
                1 => chosen.encryption = Some(*number),
                2 => chosen.prf = *number,
                3 => chosen.integrity = *number,
                4 => chosen.group = *number,
                5 => chosen.sequence = *number,
                _ => {}
            }
        }
    }
}

/// The transforms of each proposal, by type and number.
fn proposals(content: &[u8]) -> Option<Vec<Vec<(u8, u16)>>> {
    let mut cursor = Cursor::new(content);
    let mut proposals: Vec<Vec<(u8, u16)>> = Vec::new();
    let mut left = TRANSFORMS_MAX;
    while !cursor.is_empty() {
        cursor.u16()?;
        let len = usize::from(cursor.u16()?).checked_sub(4)?;
        let mut proposal = Cursor::new(cursor.take(len)?);
        proposal.u16()?;
        let spi = proposal.u8()?;
        proposal.u8()?;
        proposal.take(usize::from(spi))?;
        let mut transforms = Vec::new();
        while !proposal.is_empty() {
            left = left.checked_sub(1)?;
            proposal.u16()?;
            let len = usize::from(proposal.u16()?).checked_sub(4)?;
            let mut transform = Cursor::new(proposal.take(len)?);
            let kind = transform.u8()?;
            transform.u8()?;
            transforms.push((kind, transform.u16()?));
        }
        proposals.push(transforms);
    }
    Some(proposals)
}

/// What is weak in a proposal (RFC 8247).
fn judge(proposal: &[(u8, u16)], report: &mut dyn FnMut(&'static str)) {
    for transform in proposal {
        match transform {
            (1, 1..=9 | 11) => report("weak_crypto_enc"),
            (2, 0) => report("invalid_proposal"),
            (2, 1 | 2) => report("weak_crypto_prf"),
            (3, 0) => report("weak_crypto_no_auth"),
            (3, 1..=7) => report("weak_crypto_auth"),
            (4, 0) => report("invalid_proposal"),
            (4, 1 | 2 | 5 | 22) => report("weak_crypto_dh"),
            _ => {}
        }
    }
    let has = |wanted: u8| proposal.iter().any(|(kind, _)| *kind == wanted);
    // these authenticate by themselves
    let is_aead = |number: &u16| matches!(number, 14..=16 | 18..=20 | 25..=28);
    let mut ciphers = proposal.iter().filter(|(kind, _)| *kind == 1);
    let aead = ciphers.any(|(_, number)| is_aead(number));
    if !has(4) {
        report("weak_crypto_no_dh");
    }
    if !has(3) && !aead {
        report("weak_crypto_no_auth");
    }
}

const INITIATOR: u8 = 0x08;
const ASSOCIATION: u8 = 33;
const NOTIFY: u8 = 41;
const ENCRYPTED: u8 = 46;
