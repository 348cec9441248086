//! Who asks for what, and until when.

use std::sync::Arc;

use datapath::enforce::{Action, Hits, Key};
use stix::StixId;

use crate::clock::Now;

/// Which assertion asks: an object's identifier is only unique within its source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asker {
    /// The partner; this shield's own partner for own verdicts.
    pub source: Arc<str>,
    /// The object.
    pub object: StixId,
}

/// Where a claim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// An own verdict.
    Local,
    /// A partner, through the hub.
    Exchange,
}

/// One object's claim on one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Where it comes from.
    pub origin: Origin,
    /// Whom it is about.
    pub key: Key,
    /// What is to be done.
    pub action: Action,
    /// When it was made, on both clocks: the times below are told to people relative to it, so
    /// that they are the same each time they are told.
    pub made: Now,
    /// When it ends, `CLOCK_MONOTONIC` nanoseconds.
    pub ends_ns: u64,
    /// When its cause was read off the wire, `CLOCK_MONOTONIC` nanoseconds.
    pub frame_ns: u64,
    /// When the kernel had it, `CLOCK_MONOTONIC` nanoseconds; set by [`crate::leases::Book::claim`].
    pub installed_ns: u64,
    /// What weakened it, for people.
    pub why: Box<str>,
}

impl Claim {
    /// Whether it makes the same asker's `newer` claim unnecessary: the same key and action, until
    /// the same time but for the jitter of reading two clocks. An own claim need only last as long:
    /// another verdict about the same offender never shortens what an earlier one began, while a
    /// partner's newer version says what is so now.
    #[must_use]
    pub fn makes_unnecessary(&self, newer: &Self) -> bool {
        let same = self.key.canonical() == newer.key.canonical() && self.action == newer.action;
        let own = self.origin == Origin::Local && newer.origin == Origin::Local;
        let agrees = self.ends_ns.abs_diff(newer.ends_ns) <= JITTER_NS;
        same && (agrees || (own && self.ends_ns >= newer.ends_ns))
    }
}

/// A claim that is over, with what its key had met.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Who had asked.
    pub asker: Asker,
    /// What.
    pub claim: Claim,
    /// What the key met until then, for all who asked for it.
    pub hits: Hits,
}

/// Two ends that differ by no more than this are the same.
const JITTER_NS: u64 = 1_000_000;
