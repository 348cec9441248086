//! Which of the two protocols, and the first bytes that tell.

use super::pdu::{BIND, BIND_ACK, BIND_NAK, FAULT, Head, REQUEST, RESPONSE};
use super::{tcp, udp};
use crate::applayer::{AppLayer, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;
use crate::settings::Settings;

/// Most calls of one flow that wait for their answers.
const TRANSACTIONS_MAX: usize = 1024;

/// Settings: `app-layer.protocols.dcerpc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most calls of one flow that wait for their answers; the oldest is yielded without.
    pub transactions_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transactions_max: TRANSACTIONS_MAX,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let max = settings.at("app-layer.protocols.dcerpc.max-tx").number();
        let max = max.and_then(|max| usize::try_from(max).ok());
        Self {
            transactions_max: max.unwrap_or(TRANSACTIONS_MAX).max(1),
        }
    }
}

pub(super) fn start(proto: Proto, config: &Config) -> Box<dyn AppLayer> {
    match proto {
        Proto::Udp => Box::new(udp::Parser::new(config.apps.dcerpc)),
        Proto::Tcp | Proto::Icmp | Proto::Icmp6 | Proto::Other(_) => {
            Box::new(tcp::parser(config.apps.dcerpc))
        }
    }
}

/// Over TCP a head of what its side can send first: clients bind before all else, or ask where the
/// connection was picked up later. Over UDP a whole head of version 4.
pub(super) fn probe(proto: Proto, direction: Direction, data: &[u8]) -> Probe {
    match proto {
        Proto::Udp if udp::looks_like_call(data) => Probe::Certain,
        Proto::Tcp => match (Head::of(data), data) {
            (Some(head), _) if fits(head.kind, direction) => Probe::Certain,
            (Some(_), _) => Probe::No,
            (None, []) => Probe::Unsure,
            (None, [5]) => Probe::Unsure,
            (None, [5, 0 | 1, kind, ..])
                if fits(*kind, direction) && data.len() < super::pdu::HEAD =>
            {
                Probe::Unsure
            }
            (None, [5, 0 | 1]) => Probe::Unsure,
            (None, _) => Probe::No,
        },
        Proto::Udp | Proto::Icmp | Proto::Icmp6 | Proto::Other(_) => Probe::No,
    }
}

/// Whether a kind can be the first that a side sends.
fn fits(kind: u8, direction: Direction) -> bool {
    match direction {
        Direction::ToServer => matches!(kind, BIND | REQUEST),
        Direction::ToClient => matches!(kind, BIND_ACK | RESPONSE | FAULT | BIND_NAK),
    }
}
