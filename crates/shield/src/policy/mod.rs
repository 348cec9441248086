//! What this shield lets others, and itself, do: pure functions of an ask, its source's standing
//! and the time.
//!
//! ```text
//! object of a partner ─┐                                       ┌─> Install { key, action, until, why }
//! own verdict ─────────┴─> Ask ─> RULES, in their order ───────┼─> Index { why }   detect with it
//!                                  ^ Standing  ^ Protected     └─> Refuse { why }
//! ```
//!
//! Nothing here does I/O or reads a clock. The rules stand in one ordered table, [`RULES`]; each
//! says in a section "Failure bias" which error it prefers. Rules only ever refuse or weaken; the
//! one place that turns an ask into a lease is the end of [`decide`].

mod behaviour;
mod networks;
mod rules;

use std::fmt;
use std::time::Duration;

use datapath::enforce::{Action, Key, Service};
use ipnet::IpNet;
use packet::FiveTuple;
use sharing::fastlane;
use stix::lease::{EvidenceClass, LeaseRequest};
use stix::pattern::Pattern;
use stix::{Head, Timestamp};

pub use behaviour::{Behaviour, Leave};
pub use networks::{Protected, canonical, overlaps};
pub use rules::{RULES, Rule, Step};

/// Longest lease that any partner's word alone gets, in seconds (the fast lane's bound).
pub const FOREIGN_TTL_S_MAX: u32 = 60;

/// What the operator decided; built by [`crate::config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// False: dry run, every lease becomes a monitor.
    pub enforce: bool,
    /// Least confidence, 0 to 100, that a lease or an indicator needs.
    pub confidence_min: u8,
    /// Longest lease, whoever asks.
    pub lease_max: Duration,
    /// More recent benign sessions than this from one source: monitor only.
    pub benign_sessions_max: u32,
    /// What passes of a rate-limited source.
    pub rate: Rate,
    /// Whether a partner's word counts for private addresses (RFC 1918, 6598, 4193), which name
    /// a host in that partner's network and usually another one in ours.
    pub private_from_exchange: bool,
    /// What may follow from what our own detectors of behaviour say.
    pub behaviour: Behaviour,
}

/// A token bucket's two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Packets per second in the long run.
    pub packets_per_s: u32,
    /// Packets at once.
    pub burst: u32,
}

/// Everything that decisions rest on besides the ask: settings and networks.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What the operator decided.
    pub settings: Settings,
    /// Whom nobody's word blocks.
    pub protected: Protected,
    /// Where our services are.
    pub home: Vec<IpNet>,
}

/// What one source was seen doing of late, blameless as far as anyone knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Recent benign sessions, open or closed.
    pub recent: u32,
    /// Those of them that are open, up to a bound.
    pub open: Vec<FiveTuple>,
}

/// Something wants an address blocked, or traffic detected.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// On whose word.
    pub word: Word<'a>,
    /// The head of the object; none for an own verdict.
    pub head: Option<&'a Head>,
    /// The lease that is asked for; none for a plain indicator.
    pub request: Option<&'a LeaseRequest>,
    /// The indicator's pattern, if it is one that can be detected with.
    pub pattern: Option<&'a Pattern>,
    /// How sure the asker is, 0 to 100, if it says.
    pub confidence: Option<u8>,
    /// How often this shield caught the same source before, of late.
    pub strikes: u32,
}

/// On whose word an ask rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// This shield saw and judged for itself.
    Own,
    /// This shield saw traffic that only the indicators of these partners call malicious.
    OwnSight {
        /// How many different partners say so, at least one.
        partners: usize,
    },
    /// A model says so of what this shield saw.
    Model {
        /// Whether its pack and the operator let it block, rather than slow down.
        blocks: bool,
    },
    /// A partner says so.
    Partner(&'a str),
}

impl Word<'_> {
    /// Whether anyone but this shield has to be believed.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        !matches!(self, Self::Own)
    }
}

/// What becomes of an ask.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Enforce.
    Install {
        /// Whom, and towards which service.
        key: Key,
        /// What is done with the traffic.
        action: Action,
        /// Until when; the kernel checks it.
        until: Timestamp,
        /// What weakened the ask, in the order of the rules; empty: as asked.
        why: Vec<Why>,
    },
    /// Only detect with it.
    Index {
        /// Why the lease that was asked for is not installed; none: no lease was asked for.
        why: Option<Why>,
    },
    /// Neither.
    Refuse {
        /// Why.
        why: Why,
    },
}

/// Decides what becomes of `ask`.
///
/// # Failure bias
/// Open: whatever is unknown, malformed or in doubt is not blocked. The worst a lie can do is one
/// unprotected address without benign sessions dropped for [`FOREIGN_TTL_S_MAX`] seconds.
#[must_use]
pub fn decide(policy: &Policy, ask: &Ask<'_>, standing: &Standing, now: Timestamp) -> Decision {
    let case = rules::Case {
        policy,
        ask,
        standing,
        now,
    };
    let mut draft = rules::Draft::default();
    for rule in RULES {
        match (rule.apply)(&case, &mut draft) {
            Step::Next => {}
            Step::Index(why) => return index(ask, why),
            Step::Refuse(why) => return Decision::Refuse { why },
        }
    }
    finish(draft)
}

/// What may be said to others of an address that this shield's own detection names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// It may be told, and others be asked to act.
    Free,
    /// It may be told; nobody is asked to block whom we ourselves protect.
    Sighting,
    /// It is nobody else's business: a host of ours, or an address that means another host there.
    Withheld,
}

/// What may be said of `source` to others.
///
/// # Failure bias
/// Closed: what is in doubt does not leave.
#[must_use]
pub fn naming(policy: &Policy, source: &IpNet) -> Naming {
    let source = canonical(*source);
    let home = policy.home.iter().any(|net| overlaps(net, &source));
    if home || networks::private(&source).is_some() || networks::reserved(&source).is_some() {
        return Naming::Withheld;
    }
    match policy.protected.touched_by(&source) {
        Some(_) => Naming::Sighting,
        None => Naming::Free,
    }
}

/// The draft as a decision. A draft that lacks a part refuses: no rule set it, so nobody checked.
fn finish(draft: rules::Draft) -> Decision {
    let (Some(source), Some(action), Some(until)) = (draft.source, draft.action, draft.until)
    else {
        return Decision::Refuse {
            why: Why::Incomplete,
        };
    };
    let key = Key {
        source,
        service: draft.service,
    };
    Decision::Install {
        key,
        action,
        until,
        why: draft.weakened,
    }
}

fn index(ask: &Ask<'_>, why: Option<Why>) -> Decision {
    match (ask.pattern, why) {
        (Some(_), why) => Decision::Index { why },
        (None, Some(why)) => Decision::Refuse { why },
        (None, None) => Decision::Refuse { why: Why::Nothing },
    }
}

/// Why an ask was refused or weakened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The source withdrew it.
    Revoked,
    /// Its validity is over.
    Expired,
    /// It becomes valid later.
    NotYet,
    /// Neither a lease nor a pattern that can be detected with.
    Nothing,
    /// The selector is no source address; the kernel's path matches nothing else yet.
    NotAnAddress,
    /// The selector goes beyond what the indicator's own pattern claims.
    BeyondPattern,
    /// The prefix holds a large part of the internet.
    TooWide(IpNet),
    /// Not an address of a host on a network: unspecified, loopback, link-local, multicast…
    Reserved(IpNet),
    /// It touches a protected network.
    Protected(IpNet),
    /// A private address, on a partner's word.
    Private(IpNet),
    /// Anyone could have forged the traffic.
    Unproven,
    /// The indicator of one partner is all that speaks against the address.
    WordAlone,
    /// Less sure than this shield's minimum.
    Confidence {
        /// What was stated, if anything.
        stated: Option<u8>,
        /// What is needed.
        min: u8,
    },
    /// A partner asks only to watch: that is detection's work.
    Mild,
    /// One partner's word is not enough for what is asked.
    SlowLane(fastlane::Why),
    /// It names a service of somebody else.
    ServiceElsewhere,
    /// Shortened to the longest lease.
    Shortened,
    /// Benign sessions come from the same source: rate limit, open sessions exempt.
    Shared(u32),
    /// Too many benign sessions come from the same source: monitor.
    Crowded(u32),
    /// Only a model says so, and it may not block.
    Model,
    /// The operator has no more follow from this detector than an alert.
    OnlyTold,
    /// The operator has no more follow from this detector than a rate limit.
    OnlyLimited,
    /// The first time, this detector only slows down.
    FirstTime,
    /// The operator set this shield to monitor.
    DryRun,
    /// A rule left something undecided (a fault of ours).
    Incomplete,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked => write!(f, "revoked by its source"),
            Self::Expired => write!(f, "no longer valid"),
            Self::NotYet => write!(f, "not valid yet"),
            Self::Mild => write!(f, "a partner asks only to watch: detected with, no lease"),
            Self::Nothing => write!(f, "neither a lease nor a pattern to detect with"),
            Self::NotAnAddress => write!(f, "selector is no source address"),
            Self::BeyondPattern => write!(f, "selector goes beyond the indicator's pattern"),
            Self::TooWide(net) => write!(f, "{net} is too wide"),
            Self::Reserved(net) => write!(f, "touches {net}, which is reserved"),
            Self::Protected(net) => write!(f, "touches {net}, which is protected"),
            Self::Private(net) => write!(f, "{net} is private: it means another host here"),
            Self::Unproven => write!(f, "evidence is unproven: anyone could have forged it"),
            Self::WordAlone => write!(f, "only one partner's indicator speaks against it"),
            Self::Confidence {
                stated: Some(stated),
                min,
            } => {
                write!(f, "confidence {stated} is below {min}")
            }
            Self::Confidence { stated: None, min } => {
                write!(f, "no confidence stated, {min} needed")
            }
            Self::SlowLane(why) => write!(f, "one partner's word is not enough: {why}"),
            Self::ServiceElsewhere => write!(f, "the service it names is not ours"),
            Self::Shortened => write!(f, "shortened to the longest lease"),
            Self::Shared(sessions) => write!(f, "{sessions} recent benign sessions: rate limit"),
            Self::Crowded(sessions) => write!(f, "{sessions} recent benign sessions: monitor"),
            Self::OnlyTold => write!(f, "this detector only tells here"),
            Self::OnlyLimited => write!(f, "this detector only slows down here: rate limit"),
            Self::FirstTime => write!(f, "first time: rate limit; a drop if it goes on"),
            Self::Model => write!(f, "a model's word alone slows down: rate limit"),
            Self::DryRun => write!(f, "this shield only monitors"),
            Self::Incomplete => write!(f, "left undecided by the rules"),
        }
    }
}

/// The service part of a kernel key: the kernel knows protocol and port (0: any) of the destination.
fn kernel_service(request: &LeaseRequest) -> Option<Service> {
    let service = request.service?;
    Some(Service {
        proto: service.protocol.number(),
        port: service.port.unwrap_or(0),
    })
}

/// Whether evidence of this class says that the peer really held the address.
fn is_proven(evidence: EvidenceClass) -> bool {
    evidence >= EvidenceClass::PathProven
}

#[cfg(test)]
mod tests;
