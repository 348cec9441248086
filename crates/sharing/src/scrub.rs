//! What leaves a shield: from what it found to the objects that it may send, with nothing in them
//! but what is on the list below.
//!
//! | leaves | why it is needed |
//! |---|---|
//! | selector (one address, or what else a lease matches) | without it nobody else is shielded |
//! | service: protocol and port, **not** the attacked address | which services are under attack; the address tells about the partner's network and nothing about the attacker |
//! | detector, evidence class, count, first and last time | what a receiver judges the word by |
//! | action, time to live | what is asked for |
//! | marking and audience of `[share]` | who may see it |
//! | the author's identifier | whose word it is |
//!
//! Payload, matched bytes, reasons, the tuple, names of hosts and users have no place in
//! [`Signal`], so they cannot leave. A URL with a user name or a query is withheld: both carry
//! personal data as a rule (CISA 2015 section 104(d)(2): what is known to identify a person
//! and is not directly related to the threat is removed before sharing).

use std::time::Duration;

use stix::build::{self, Common, Indicator, Sighting};
use stix::lease::{Action, EvidenceClass, LeaseRequest, Selector, Service};
use stix::pattern::Pattern;
use stix::{Object, ObjectError, StixId, Timestamp, Tlp};

/// What a partner chose to share, and with whom: `[share]` of its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The marking of what leaves.
    pub tlp: Tlp,
    /// The partners that it is addressed to; empty: the marking alone decides.
    pub audience: Vec<Box<str>>,
}

/// What a shield found, as far as it may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What to match. A source or destination is one address: /32, /128 for IPv6.
    pub selector: Selector,
    /// The indicator of somebody else that was sighted, if there is one.
    pub indicator: Option<StixId>,
    /// The most restrictive marking of what others shared and this rests on, `indicator` among
    /// it; `None` when it rests on nothing received.
    pub derived_from: Option<Tlp>,
    /// What found it, `name@version`.
    pub detector: Box<str>,
    /// How sure the origin is.
    pub evidence: EvidenceClass,
    /// How often it was seen.
    pub count: u64,
    /// When it was seen first; the same in every later signal about the same thing.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// The service that was attacked.
    pub service: Option<Service>,
    /// What is asked for.
    pub action: Action,
    /// For how long, in seconds.
    pub ttl_s: u32,
}

/// The objects that carry a signal of the partner `author`.
///
/// Unproven evidence leaves as a sighting alone; any other as an indicator that asks for the
/// lease, and a sighting. The sighting carries the extension too, for the evidence and the
/// audience, and asks for no more than to monitor. What it is a sighting of is somebody else's
/// indicator, or our own, or else the attack pattern of the detector ([`attack_pattern`]).
///
/// # Errors
/// [`Withheld`], when nothing may leave.
pub fn signal_objects(
    signal: &Signal,
    share: &Share,
    author: &str,
    now: Timestamp,
) -> Result<Vec<Object>, Withheld> {
    let tlp = marking(signal, share)?;
    check_selector(&signal.selector)?;
    let lease = lease_request(signal, share);
    lease.check()?;
    let draft = Draft {
        signal,
        author,
        author_id: author_id(author),
        tlp,
        lease,
        now,
    };
    let objects = match signal.evidence {
        EvidenceClass::Unproven => draft.unproven(),
        EvidenceClass::PathProven | EvidenceClass::Exploit | EvidenceClass::Token => draft.proven(),
    };
    Ok(objects?)
}

/// The identity of a partner as an author.
#[must_use]
pub fn author_id(author: &str) -> StixId {
    StixId::v5("identity", author)
}

/// The indicator of a partner for a selector and a service: the same attacker again is a new
/// version of the same object.
#[must_use]
pub fn indicator_id(author: &str, selector: &Selector, service: Option<&Service>) -> StixId {
    StixId::v5(
        "indicator",
        &format!("{author}|{selector}|{}", service_name(service)),
    )
}

/// The attack pattern that a detector looks for, as this project publishes it: TLP:CLEAR, and the
/// same bytes from everyone. It goes with no signal; a hub offers it to those who resolve it.
///
/// # Errors
/// [`ObjectError`], never for a detector of ours.
pub fn attack_pattern(detector: &str) -> Result<Object, ObjectError> {
    let author = author_id("shieldwall");
    let common = Common {
        id: attack_pattern_id(detector),
        author: Some(&author),
        created: Timestamp::EPOCH,
        modified: Timestamp::EPOCH,
        revoked: false,
        confidence: None,
        tlp: Some(Tlp::Clear),
    };
    build::attack_pattern(&common, detector)
}

/// How sure a receiver may be of the indicator on this evidence, 0 to 100 (STIX 2.1 appendix A).
#[must_use]
pub const fn confidence(evidence: EvidenceClass) -> u8 {
    match evidence {
        EvidenceClass::Unproven => 15,
        EvidenceClass::PathProven => 70,
        EvidenceClass::Exploit => 85,
        EvidenceClass::Token => 95,
    }
}

/// Why nothing leaves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// What others marked TLP:RED, or what the partner itself would mark so, is for nobody else.
    #[error("TLP:RED goes to nobody")]
    Red,
    /// The evidence is about one address.
    #[error("the selector is wider than the one address that was seen")]
    TooWide,
    /// A URL with a user name, a password or a query.
    #[error("the URL has a user name or a query, which may hold personal data")]
    PersonalData,
    /// A value that no lease may have.
    #[error(transparent)]
    Lease(#[from] stix::lease::LeaseError),
    /// The parts of the signal contradict each other.
    #[error("the signal cannot be written: {0}")]
    Object(#[from] ObjectError),
}

/// What is derived is marked no milder than what it is derived from (TLP 2.0 section 1).
fn marking(signal: &Signal, share: &Share) -> Result<Tlp, Withheld> {
    let tlp = signal
        .derived_from
        .map_or(share.tlp, |from| from.max(share.tlp));
    match tlp == Tlp::Red {
        true => Err(Withheld::Red),
        false => Ok(tlp),
    }
}

fn check_selector(selector: &Selector) -> Result<(), Withheld> {
    match selector {
        Selector::Source(net) | Selector::Destination(net) => {
            match net.prefix_len() == net.max_prefix_len() {
                true => Ok(()),
                false => Err(Withheld::TooWide),
            }
        }
        Selector::Url(url) if url.contains(['?', '@']) => Err(Withheld::PersonalData),
        Selector::Url(_)
        | Selector::Domain(_)
        | Selector::Sha256(_)
        | Selector::Ja3(_)
        | Selector::Ja4(_) => Ok(()),
    }
}

fn lease_request(signal: &Signal, share: &Share) -> LeaseRequest {
    LeaseRequest {
        selector: signal.selector.clone(),
        service: signal.service.map(|service| Service {
            address: None,
            ..service
        }),
        action: signal.action,
        ttl_s: signal.ttl_s,
        evidence: signal.evidence,
        detector: signal.detector.clone(),
        audience: share.audience.clone(),
    }
}

/// Protocol and port, `tcp/80`; the address is left out, as it is from what leaves.
fn service_name(service: Option<&Service>) -> String {
    let Some(service) = service else {
        return "any".to_owned();
    };
    let port = service
        .port
        .map_or_else(|| "any".to_owned(), |port| port.to_string());
    format!("{}/{port}", service.protocol.name())
}

fn attack_pattern_id(detector: &str) -> StixId {
    StixId::v5("attack-pattern", detector)
}

/// A signal on its way to being written.
struct Draft<'a> {
    signal: &'a Signal,
    author: &'a str,
    author_id: StixId,
    tlp: Tlp,
    lease: LeaseRequest,
    now: Timestamp,
}

impl Draft<'_> {
    fn unproven(&self) -> Result<Vec<Object>, ObjectError> {
        let attack = attack_pattern_id(&self.signal.detector);
        let sighted = self.signal.indicator.as_ref().unwrap_or(&attack);
        Ok(vec![self.sighting(sighted)?])
    }

    fn proven(&self) -> Result<Vec<Object>, ObjectError> {
        let indicator = self.indicator()?;
        let sighted = self
            .signal
            .indicator
            .as_ref()
            .unwrap_or(&indicator.head().id);
        let sighting = self.sighting(sighted)?;
        Ok(vec![indicator, sighting])
    }

    fn indicator(&self) -> Result<Object, ObjectError> {
        let Signal {
            selector,
            detector,
            ttl_s,
            ..
        } = self.signal;
        let id = indicator_id(self.author, selector, self.lease.service.as_ref());
        build::indicator(&Indicator {
            common: self.common(id),
            name: &format!("{detector} {selector}"),
            indicator_types: &["malicious-activity"],
            pattern: &Pattern {
                terms: vec![selector.term()],
            },
            valid_from: self.first_seen(),
            valid_until: Some(self.now.plus(Duration::from_secs((*ttl_s).into()))),
            lease: Some(&self.lease),
        })
    }

    fn sighting(&self, of: &StixId) -> Result<Object, ObjectError> {
        let Signal {
            selector, detector, ..
        } = self.signal;
        let service = service_name(self.lease.service.as_ref());
        let first_seen = self.first_seen();
        let name = format!(
            "{}|{of}|{selector}|{service}|{detector}|{first_seen}",
            self.author
        );
        build::sighting(&Sighting {
            common: self.common(StixId::v5("sighting", &name)),
            sighting_of: of,
            where_sighted: Some(&self.author_id),
            first_seen,
            last_seen: self.signal.last_seen.max(first_seen),
            count: self.signal.count,
            lease: Some(&LeaseRequest {
                action: Action::Monitor,
                ..self.lease.clone()
            }),
        })
    }

    fn common(&self, id: StixId) -> Common<'_> {
        Common {
            id,
            author: Some(&self.author_id),
            created: self.first_seen(),
            modified: self.now,
            revoked: false,
            confidence: Some(confidence(self.signal.evidence)),
            tlp: Some(self.tlp),
        }
    }

    /// Not later than now, whatever the clocks say: an object is not modified before it is created.
    fn first_seen(&self) -> Timestamp {
        self.signal.first_seen.min(self.now)
    }
}
