//! The rules, each a small named function, and the one table that orders them.

use std::time::Duration;

use datapath::enforce::{Action, Service};
use ipnet::IpNet;
use sharing::fastlane::{self, Lane};
use stix::Timestamp;
use stix::lease::{self, LeaseRequest, Selector};
use stix::pattern::Term;

use super::{Ask, FOREIGN_TTL_S_MAX, Leave, Policy, Standing, Why, Word, canonical, networks};

/// A rule: looks at the case, may refuse it, send it to the index, or set or weaken the draft.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, for people.
    pub name: &'static str,
    pub(super) apply: fn(&Case<'_>, &mut Draft) -> Step,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing against it.
    Next,
    /// No lease; detect with it, if there is a pattern.
    Index(Option<Why>),
    /// Neither lease nor index.
    Refuse(Why),
}

/// What a rule may look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) ask: &'a Ask<'a>,
    pub(super) standing: &'a Standing,
    pub(super) now: Timestamp,
}

/// The lease as the rules leave it so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) source: Option<IpNet>,
    pub(super) service: Option<Service>,
    pub(super) action: Option<Action>,
    pub(super) until: Option<Timestamp>,
    pub(super) weakened: Vec<Why>,
}

/// All rules, in the order in which they are asked. Refusals come first, so that a case that is
/// refused for its address is refused whatever else it claims; weakenings come last.
pub const RULES: &[Rule] = &[
    Rule {
        name: "in-force",
        apply: in_force,
    },
    Rule {
        name: "width",
        apply: width,
    },
    Rule {
        name: "reserved",
        apply: reserved,
    },
    Rule {
        name: "stated-confidence",
        apply: stated_confidence,
    },
    Rule {
        name: "address",
        apply: address,
    },
    Rule {
        name: "protected",
        apply: protected,
    },
    Rule {
        name: "private",
        apply: private,
    },
    Rule {
        name: "within-pattern",
        apply: within_pattern,
    },
    Rule {
        name: "proven",
        apply: proven,
    },
    Rule {
        name: "word-alone",
        apply: word_alone,
    },
    Rule {
        name: "confidence",
        apply: confidence,
    },
    Rule {
        name: "fast-lane",
        apply: fast_lane,
    },
    Rule {
        name: "service",
        apply: service,
    },
    Rule {
        name: "length",
        apply: length,
    },
    Rule {
        name: "action",
        apply: action,
    },
    Rule {
        name: "behaviour",
        apply: behaviour,
    },
    Rule {
        name: "model",
        apply: model,
    },
    Rule {
        name: "shared-source",
        apply: shared_source,
    },
    Rule {
        name: "dry-run",
        apply: dry_run,
    },
];

/// Only what its source still holds true is looked at.
///
/// # Failure bias
/// Open: a clock that runs ahead loses leases, it never keeps dead ones.
fn in_force(case: &Case<'_>, _: &mut Draft) -> Step {
    let Some(head) = case.ask.head else {
        return Step::Next;
    };
    let slack = i64::try_from(CLOCK_SKEW_MAX.as_micros()).unwrap_or(i64::MAX);
    let latest = Timestamp::from_micros(case.now.as_micros().saturating_add(slack));
    if head.revoked {
        Step::Refuse(Why::Revoked)
    } else if head.valid_until.is_some_and(|until| until <= case.now) {
        Step::Refuse(Why::Expired)
    } else if head.valid_from.is_some_and(|from| from > latest) {
        // No lease yet; to detect with it early is no harm, and to forget it would be.
        Step::Index(Some(Why::NotYet))
    } else {
        Step::Next
    }
}

/// A prefix that holds a large part of the internet is no indicator of anything, not even to
/// detect with: it would match everybody.
///
/// # Failure bias
/// Open: a real attack from a whole /7 is left to narrower objects.
fn width(case: &Case<'_>, _: &mut Draft) -> Step {
    let too_wide = |net: &IpNet| match net {
        IpNet::V4(net) => net.prefix_len() < PREFIX_V4_MIN,
        IpNet::V6(net) => net.prefix_len() < PREFIX_V6_MIN,
    };
    let wide = named_networks(case.ask).map(canonical).find(too_wide);
    wide.map_or(Step::Next, |net| Step::Refuse(Why::TooWide(net)))
}

/// Addresses that no host on a network holds are nobody's to block or to detect.
///
/// # Failure bias
/// Open: traffic with such sources is the kernel's and the operator's filters' affair.
fn reserved(case: &Case<'_>, _: &mut Draft) -> Step {
    let found = named_networks(case.ask)
        .map(canonical)
        .find_map(|net| networks::reserved(&net));
    found.map_or(Step::Next, |net| Step::Refuse(Why::Reserved(net)))
}

/// What states a confidence below the minimum is not even detected with.
///
/// # Failure bias
/// Open: alerts nobody trusts hide those that matter.
fn stated_confidence(case: &Case<'_>, _: &mut Draft) -> Step {
    let min = case.policy.settings.confidence_min;
    match case.ask.confidence {
        Some(stated) if stated < min => Step::Refuse(Why::Confidence {
            stated: Some(stated),
            min,
        }),
        _ => Step::Next,
    }
}

/// Only source addresses can be leased; everything else is detected with.
///
/// # Failure bias
/// Open: a domain, URL or hash is never translated into addresses, which others share.
fn address(case: &Case<'_>, draft: &mut Draft) -> Step {
    let Some(request) = case.ask.request else {
        return Step::Index(None);
    };
    match &request.selector {
        Selector::Source(net) => {
            draft.source = Some(canonical(net.trunc()));
            Step::Next
        }
        Selector::Destination(_)
        | Selector::Domain(_)
        | Selector::Url(_)
        | Selector::Sha256(_)
        | Selector::Ja3(_)
        | Selector::Ja4(_) => Step::Index(Some(Why::NotAnAddress)),
    }
}

/// Protected networks are never blocked: not on anyone else's word, and not on a verdict of our
/// own either, since a forged or mistaken one would cut off the operator's own services.
///
/// # Failure bias
/// Open: an attacker inside a protected network is alerted on, never dropped.
fn protected(case: &Case<'_>, draft: &mut Draft) -> Step {
    let touched = draft
        .source
        .and_then(|net| case.policy.protected.touched_by(&net));
    touched.map_or(Step::Next, |net| Step::Refuse(Why::Protected(net)))
}

/// A private address on a partner's word names a host in the partner's network.
///
/// # Failure bias
/// Open: partners that do share private ranges say so in `private_from_exchange`.
fn private(case: &Case<'_>, draft: &mut Draft) -> Step {
    if case.policy.settings.private_from_exchange || !matches!(case.ask.word, Word::Partner(_)) {
        return Step::Next;
    }
    let touched = draft.source.and_then(|net| networks::private(&net));
    touched.map_or(Step::Next, |net| Step::Refuse(Why::Private(net)))
}

/// A partner's lease matches no more than its own indicator's pattern claims.
///
/// # Failure bias
/// Open: an object whose parts disagree is detected with, not enforced.
fn within_pattern(case: &Case<'_>, _: &mut Draft) -> Step {
    match (case.ask.word, case.ask.request, case.ask.pattern) {
        (Word::Partner(_), Some(request), Some(pattern))
            if !request.selector.covered_by(pattern) =>
        {
            Step::Index(Some(Why::BeyondPattern))
        }
        _ => Step::Next,
    }
}

/// Traffic whose origin anyone could forge blocks nobody.
///
/// # Failure bias
/// Open: a scan from forged addresses is alerted on only.
fn proven(case: &Case<'_>, _: &mut Draft) -> Step {
    let unproven = case
        .ask
        .request
        .is_none_or(|request| !super::is_proven(request.evidence));
    if unproven {
        Step::Index(Some(Why::Unproven))
    } else {
        Step::Next
    }
}

/// Traffic that reached us and bears nothing but an address on one partner's list blocks nobody:
/// otherwise every plain indicator would be a lease without a lease's bounds.
///
/// # Failure bias
/// Open: two independent partners, an attack transaction or a lease proper are needed.
fn word_alone(case: &Case<'_>, _: &mut Draft) -> Step {
    let Some(request) = case.ask.request else {
        return Step::Next;
    };
    let bare = request.evidence == lease::EvidenceClass::PathProven;
    match case.ask.word {
        Word::OwnSight { partners } if bare && partners < INDEPENDENT_PARTNERS_MIN => {
            Step::Index(Some(Why::WordAlone))
        }
        Word::Own | Word::OwnSight { .. } | Word::Model { .. } | Word::Partner(_) => Step::Next,
    }
}

/// A lease needs a stated confidence, at the minimum or above.
///
/// # Failure bias
/// Open: who does not say how sure they are does not block.
fn confidence(case: &Case<'_>, _: &mut Draft) -> Step {
    let min = case.policy.settings.confidence_min;
    match case.ask.confidence {
        Some(stated) if stated >= min => Step::Next,
        stated => Step::Index(Some(Why::Confidence { stated, min })),
    }
}

/// One partner's word is enough only in the fast lane.
///
/// # Failure bias
/// Open: the slow lane needs independent partners and receipts, and until it is built whatever
/// belongs there is detected with.
fn fast_lane(case: &Case<'_>, _: &mut Draft) -> Step {
    let (Word::Partner(_), Some(head), Some(request)) =
        (case.ask.word, case.ask.head, case.ask.request)
    else {
        return Step::Next;
    };
    match fastlane::lane(head, request, case.now) {
        Lane::Fast => Step::Next,
        Lane::Slow(why) => Step::Index(Some(Why::SlowLane(why))),
    }
}

/// Keeps the lease to the service that was attacked. The kernel's key knows protocol and port of
/// the destination but not its address: a partner's lease that names an address is only taken
/// when the address is ours.
///
/// # Failure bias
/// Open: a lease for somebody else's service is detected with, not widened to ours.
fn service(case: &Case<'_>, draft: &mut Draft) -> Step {
    let Some(request) = case.ask.request else {
        return Step::Next;
    };
    let elsewhere = request
        .service
        .and_then(|service| service.address)
        .is_some_and(|addr| !case.policy.home.iter().any(|net| net.contains(&addr)));
    if elsewhere && matches!(case.ask.word, Word::Partner(_)) {
        return Step::Index(Some(Why::ServiceElsewhere));
    }
    draft.service = super::kernel_service(request);
    Step::Next
}

/// No lease is longer than what was asked, its object's validity, the longest lease, and, on
/// anyone else's word, the fast lane's bound. Repeated offenders get twice as long each time.
///
/// # Failure bias
/// Open: leases end early rather than late.
fn length(case: &Case<'_>, draft: &mut Draft) -> Step {
    let Some(request) = case.ask.request else {
        return Step::Next;
    };
    let asked_us = asked(request, case.ask);
    let longest_us = micros(longest(case));
    if asked_us > longest_us {
        draft.weakened.push(Why::Shortened);
    }
    let end = case
        .now
        .as_micros()
        .saturating_add(asked_us.min(longest_us));
    let valid_until = case.ask.head.and_then(|head| head.valid_until);
    let until = valid_until.map_or(end, |until| end.min(until.as_micros()));
    draft.until = Some(Timestamp::from_micros(until));
    Step::Next
}

/// Translates the action into one that the kernel has. `tag` has nobody to read the tag yet and
/// becomes a monitor; `reject` becomes a drop, since an answer to a forged source is an attack. A
/// partner's wish to only watch is no lease here: the kernel obeys the narrowest lease, and it would
/// let an attacker through that a wider one stops.
///
/// # Failure bias
/// Open for what the kernel lacks and is milder, silent for what is harder.
fn action(case: &Case<'_>, draft: &mut Draft) -> Step {
    let Some(request) = case.ask.request else {
        return Step::Next;
    };
    let mild = matches!(request.action, lease::Action::Monitor | lease::Action::Tag);
    if mild && case.ask.word.is_foreign() {
        return Step::Index(Some(Why::Mild));
    }
    draft.action = Some(match request.action {
        lease::Action::Monitor | lease::Action::Tag => Action::Monitor,
        lease::Action::RateLimit => rate_limit(case.policy),
        lease::Action::Reject | lease::Action::Drop => Action::Drop,
    });
    Step::Next
}

/// How sure a detector of behaviour is differs, and so does what the operator has follow.
///
/// # Failure bias
/// Open: an attacker whom only an unsure detector sees goes on, slowly at first.
fn behaviour(case: &Case<'_>, draft: &mut Draft) -> Step {
    let (Word::Own, Some(request)) = (case.ask.word, case.ask.request) else {
        return Step::Next;
    };
    let why = match case.policy.settings.behaviour.of(&request.detector) {
        Leave::Alert => return Step::Refuse(Why::OnlyTold),
        Leave::RateLimit => Why::OnlyLimited,
        Leave::Escalate if case.ask.strikes == 0 => Why::FirstTime,
        Leave::Escalate | Leave::Drop => return Step::Next,
    };
    if draft.action == Some(Action::Drop) {
        draft.action = Some(rate_limit(case.policy));
        draft.weakened.push(why);
    }
    Step::Next
}

/// What a model says is an opinion: without evidence of its pack and the operator's leave it slows a
/// source down, and blocks nobody.
///
/// # Failure bias
/// Open: an attacker whom only a model sees goes on slowly.
fn model(case: &Case<'_>, draft: &mut Draft) -> Step {
    let weak = case.ask.word == Word::Model { blocks: false };
    if weak && draft.action == Some(Action::Drop) {
        draft.action = Some(rate_limit(case.policy));
        draft.weakened.push(Why::Model);
    }
    Step::Next
}

/// A source with recent benign sessions is shared (a NAT, a proxy, a university): it is rate
/// limited with its open sessions exempt, or, with many of them, only monitored.
///
/// # Failure bias
/// Open: an attacker who holds honest sessions slows the block down and is still counted.
fn shared_source(case: &Case<'_>, draft: &mut Draft) -> Step {
    let sessions = case.standing.recent.max(count(case.standing.open.len()));
    if sessions == 0 || draft.action == Some(Action::Monitor) {
        return Step::Next;
    }
    let (action, why) = if sessions > case.policy.settings.benign_sessions_max {
        (Action::Monitor, Why::Crowded(sessions))
    } else {
        (rate_limit(case.policy), Why::Shared(sessions))
    };
    draft.action = Some(action);
    draft.weakened.push(why);
    Step::Next
}

/// A shield that the operator set to monitor blocks nothing.
///
/// # Failure bias
/// Open: by the operator's decision.
fn dry_run(case: &Case<'_>, draft: &mut Draft) -> Step {
    if !case.policy.settings.enforce && draft.action != Some(Action::Monitor) {
        draft.action = Some(Action::Monitor);
        draft.weakened.push(Why::DryRun);
    }
    Step::Next
}

/// Every network that the ask names, as selector or in its pattern.
fn named_networks<'a>(ask: &Ask<'a>) -> impl Iterator<Item = IpNet> + use<'a> {
    let selected = ask.request.and_then(|request| match &request.selector {
        Selector::Source(net) | Selector::Destination(net) => Some(*net),
        Selector::Domain(_)
        | Selector::Url(_)
        | Selector::Sha256(_)
        | Selector::Ja3(_)
        | Selector::Ja4(_) => None,
    });
    let terms = ask.pattern.map_or(&[][..], |pattern| &pattern.terms);
    selected
        .into_iter()
        .chain(terms.iter().flat_map(term_networks))
}

fn term_networks(term: &Term) -> impl Iterator<Item = IpNet> + use<> {
    let (one, two) = match term {
        Term::Address(net) => (Some(*net), None),
        Term::Traffic { src, dst, .. } => (*src, *dst),
        Term::Domain(_) | Term::Url(_) | Term::FileHash { .. } | Term::Ja3(_) | Term::Ja4(_) => {
            (None, None)
        }
    };
    one.into_iter().chain(two)
}

/// What was asked, in microseconds; own verdicts double with each strike.
fn asked(request: &LeaseRequest, ask: &Ask<'_>) -> i64 {
    let doublings = match ask.word {
        Word::Own => ask.strikes.min(STRIKES_MAX),
        Word::OwnSight { .. } | Word::Model { .. } | Word::Partner(_) => 0,
    };
    let ttl = Duration::from_secs(u64::from(request.ttl_s));
    micros(ttl.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)))
}

fn longest(case: &Case<'_>) -> Duration {
    let local = case.policy.settings.lease_max;
    if case.ask.word.is_foreign() {
        local.min(Duration::from_secs(u64::from(FOREIGN_TTL_S_MAX)))
    } else {
        local
    }
}

fn rate_limit(policy: &Policy) -> Action {
    let rate = policy.settings.rate;
    Action::RateLimit {
        packets_per_s: rate.packets_per_s,
        burst: rate.burst,
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Shortest IPv4 prefix that anything may name.
const PREFIX_V4_MIN: u8 = 8;
/// Shortest IPv6 prefix that anything may name (a whole allocation to a provider).
const PREFIX_V6_MIN: u8 = 20;
/// Partners whose indicators must agree before an address alone is enough.
const INDEPENDENT_PARTNERS_MIN: usize = 2;
/// Most doublings of an own lease.
const STRIKES_MAX: u32 = 12;
/// How far another's clock may run ahead of ours.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(60);
