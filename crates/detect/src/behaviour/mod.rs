//! Behaviour: what no packet and no transaction shows alone, and many of one host do.
//!
//! | detector | key | test |
//! |---|---|---|
//! | [`dga`] | client | likelihood ratio over new names and their answers |
//! | [`tunnel`] | client, base domain | bytes that names carry in a window |
//! | [`beacon`] | client, server, service | regularity of contacts |
//! | [`login`] | source | likelihood ratio over logins |
//! | [`path_guessing`] | source | likelihood ratio over paths that are not there |
//! | [`slow_scan`] | source | likelihood ratio over services, for days |
//!
//! Each has a folder, and a row in the table of detectors (`detector.rs`). What it knows lies in tables of bounded size; the least recently used goes, and is counted.
//!
//! **Whom a verdict names.** Who asks for generated names, tunnels or sends beacons is one of our
//! own hosts, and a victim: such a verdict has no offender, and its first reason names the base domain
//! or the service. Where the far end of a tunnel or a beacon is sure, it names that
//! ([`Verdict::far_end`]). Only who tries logins, paths and services from outside is an
//! offender, in the evidence class that the traffic proves.
//!
//! **Explanation.** The reasons behind the first are what was measured: the buffer is the name of
//! the feature, the matched text its value, and `what` its meaning with the threshold.

pub mod beacon;
pub mod dga;
mod few;
pub mod login;
pub mod path_guessing;
pub mod slow_scan;
pub mod tunnel;

use std::net::IpAddr;

use packet::applayer::dns::Message;
use packet::{FiveTuple, Flow, Proto};
use stix::lease::EvidenceClass;

use crate::detector::Context;
use crate::verdict::{Reason, Verdict};

/// What the operator sets.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Generated names.
    pub dga: dga::Config,
    /// Tunnels in DNS.
    pub tunnel: tunnel::Config,
    /// Beacons.
    pub beacon: beacon::Config,
    /// Guessed passwords.
    pub login: login::Config,
    /// Guessed paths.
    pub path_guessing: path_guessing::Config,
    /// Scans that take days.
    pub slow_scan: slow_scan::Config,
}

pub(crate) const SECOND_NS: u64 = 1_000_000_000;
pub(crate) const HOUR_NS: u64 = 3_600 * SECOND_NS;
pub(crate) const DAY_NS: u64 = 24 * HOUR_NS;

/// Top-level names of local networks (RFC 6761, 6762, 8375 and habit), and of reverse look-ups:
/// what is asked below them says nothing of the Internet.
const LOCAL: [&str; 13] = [
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "workgroup",
];

/// A name that a client asked a resolver for.
pub(crate) struct Asked {
    /// As sent, lower case.
    bytes: Vec<u8>,
    /// The registrable name.
    base: String,
}

impl Asked {
    /// The first name that a message asks for. None where nobody's resolver is asked: multicast, a
    /// resolver at its own work (it does not desire recursion), a name of the local network.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let recursion_desired = message.flags & 0x0100 != 0;
        match recursion_desired {
            true => Self::about(message),
            false => None,
        }
    }

    /// The first name that a question or an answer is about, whoever asks for it.
    pub(crate) fn about(message: &Message) -> Option<Self> {
        if message.multicast || message.opcode() != 0 {
            return None;
        }
        let bytes = message.questions.first()?.name.bytes().to_ascii_lowercase();
        // tunnels put any bytes into names: each is a character, so that nothing is lost
        let name: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let top = name.rsplit('.').next().unwrap_or_default();
        if LOCAL.contains(&top) {
            return None;
        }
        let (_, base) = features::registrable(&name)?;
        let base = base.to_owned();
        Some(Self { bytes, base })
    }

    /// The registrable name.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// What stands left of it.
    pub(crate) fn below(&self) -> &[u8] {
        let end = self.bytes.len().saturating_sub(self.base.chars().count());
        self.bytes.get(..end.saturating_sub(1)).unwrap_or_default()
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// How sure it is that a client is at its address: over UDP anybody can ask in its name.
pub(crate) fn proof(flow: &Flow) -> EvidenceClass {
    match flow.tuple.proto == Proto::Tcp && flow.client_proven {
        true => EvidenceClass::PathProven,
        false => EvidenceClass::Unproven,
    }
}

/// Whether a client is to be judged as one of ours: it is, or nothing is said of home.
pub(crate) fn is_ours(context: &Context<'_>, client: IpAddr) -> bool {
    context.is_home(client) != Some(false)
}

/// A feature in a verdict's reasons: its name, its value, and what it means.
pub(crate) fn measure(name: &'static str, value: f64, what: String) -> Reason {
    Reason::of(name, format!("{value:.3}").as_bytes(), what)
}

/// Whether a flow goes from our home to somewhere else, as far as it is known what home is.
pub(crate) fn leaves_home(context: &Context<'_>, flow: &Flow) -> bool {
    context.is_home(flow.tuple.src) == Some(true) && context.is_home(flow.tuple.dst) == Some(false)
}

/// What was told of a channel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    at_ns: Option<u64>,
    /// Whether its far end was named.
    is_sure: bool,
}

impl Said {
    /// Whether it is to be told: a far end that becomes sure at once, anything else when `quiet_ns`
    /// (without a far end, with one) are over.
    pub(crate) fn is_due(&self, is_sure: bool, quiet_ns: (u64, u64), now_ns: u64) -> bool {
        let quiet_ns = if is_sure { quiet_ns.1 } else { quiet_ns.0 };
        let is_recent = |at_ns| now_ns.abs_diff(at_ns) < quiet_ns;
        (is_sure && !self.is_sure) || !self.at_ns.is_some_and(is_recent)
    }

    pub(crate) fn say(&mut self, is_sure: bool, now_ns: u64) {
        self.at_ns = Some(now_ns);
        self.is_sure |= is_sure;
    }
}

/// A verdict about a victim of ours: nobody is accused.
pub(crate) fn alert(
    detector: &'static str,
    (tuple, flow): (FiveTuple, &Flow),
    evidence: EvidenceClass,
    first_packet_ns: u64,
    now_ns: u64,
) -> Verdict {
    Verdict {
        at_ns: now_ns,
        first_packet_ns,
        evidence,
        confidence: 50,
        offender: None,
        far_end: None,
        victim: None,
        tuple: Some(tuple),
        flow: Some(flow.id),
        detector,
        reasons: Vec::new(),
        count: 1,
    }
}
