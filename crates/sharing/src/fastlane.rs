//! What one partner's word is enough for: a short lease against one address whose origin is
//! proven. Everything else takes the slow lane, where independent partners must agree.

use std::time::Duration;

use stix::lease::{EvidenceClass, LeaseRequest, Selector};
use stix::{Head, Timestamp};

/// Longest lease that one partner's word is enough for, in seconds.
pub const TTL_S_MAX: u32 = 60;
/// How far the clocks of two partners may be apart, in seconds, before a lease that is meant to be
/// short looks long.
pub const CLOCK_SKEW_S_MAX: u64 = 5;

/// Which way a lease takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// One partner's word is enough; each shield still checks for itself.
    Fast,
    /// Not enough.
    Slow(Why),
}

/// Why one partner's word is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Why {
    /// Only an indicator asks for a lease; a sighting reports.
    #[error("the object is not an indicator")]
    NotAnIndicator,
    /// It is withdrawn, not in force yet, or over.
    #[error("the indicator is not in force")]
    NotInForce,
    /// The source address may be forged, and the lease would hit whose address it is.
    #[error("the evidence does not prove the origin")]
    Unproven,
    /// What is proven is who sent; nothing is proven of destinations, domains, URLs, files or
    /// fingerprints, which many share.
    #[error("the selector is not a source address")]
    NotASource,
    /// What is proven is one address, and the lease would hit its neighbours too.
    #[error("the selector is wider than one address")]
    TooWide,
    /// Longer than [`TTL_S_MAX`].
    #[error("the lease is longer than {TTL_S_MAX} s")]
    TooLong,
    /// The indicator does not end with the lease: without the hub it would live on.
    #[error("the indicator has no valid_until within the lease's time to live")]
    NoEnd,
}

/// Decides which way a lease takes that stands in an object with this head.
///
/// Failure bias: slow.
#[must_use]
pub fn lane(head: &Head, lease: &LeaseRequest, now: Timestamp) -> Lane {
    RULES
        .iter()
        .find(|(holds, _)| !holds(head, lease, now))
        .map_or(Lane::Fast, |(_, why)| Lane::Slow(*why))
}

type Rule = fn(&Head, &LeaseRequest, Timestamp) -> bool;

/// Each must hold; the first that does not is the reason.
const RULES: [(Rule, Why); 7] = [
    (|head, _, _| &*head.kind == "indicator", Why::NotAnIndicator),
    (|head, _, now| in_force(head, now), Why::NotInForce),
    (
        |_, lease, _| lease.evidence >= EvidenceClass::PathProven,
        Why::Unproven,
    ),
    (
        |_, lease, _| matches!(lease.selector, Selector::Source(_)),
        Why::NotASource,
    ),
    (|_, lease, _| is_one_address(&lease.selector), Why::TooWide),
    (|_, lease, _| lease.ttl_s <= TTL_S_MAX, Why::TooLong),
    (ends_in_time, Why::NoEnd),
];

fn in_force(head: &Head, now: Timestamp) -> bool {
    let begun = head.valid_from.is_none_or(|from| from <= now.plus(skew()));
    let over = head.valid_until.is_some_and(|until| until <= now);
    !head.revoked && begun && !over
}

fn is_one_address(selector: &Selector) -> bool {
    match selector {
        Selector::Source(net) => net.prefix_len() == net.max_prefix_len(),
        Selector::Destination(_)
        | Selector::Domain(_)
        | Selector::Url(_)
        | Selector::Sha256(_)
        | Selector::Ja3(_)
        | Selector::Ja4(_) => false,
    }
}

fn ends_in_time(head: &Head, lease: &LeaseRequest, now: Timestamp) -> bool {
    let latest = now
        .plus(Duration::from_secs(lease.ttl_s.into()))
        .plus(skew());
    head.valid_until.is_some_and(|until| until <= latest)
}

const fn skew() -> Duration {
    Duration::from_secs(CLOCK_SKEW_S_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stix::lease::Action;
    use stix::{Limits, Object};

    const NOW: &str = "2026-11-22T00:00:10Z";

    fn lease() -> LeaseRequest {
        LeaseRequest {
            selector: Selector::Source("192.0.2.1/32".parse().unwrap()),
            service: None,
            action: Action::Drop,
            ttl_s: 60,
            evidence: EvidenceClass::PathProven,
            detector: "d@1".into(),
            audience: vec![],
        }
    }

    fn head() -> Head {
        let raw = br#"{"type":"indicator","spec_version":"2.1",
            "id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
            "created":"2026-11-22T00:00:00Z","modified":"2026-11-22T00:00:00Z",
            "pattern":"[ipv4-addr:value = '192.0.2.1']","pattern_type":"stix",
            "valid_from":"2026-11-22T00:00:00Z","valid_until":"2026-11-22T00:01:00Z"}"#;
        Object::parse(raw, &Limits::default())
            .unwrap()
            .head()
            .clone()
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_short_lease_against_one_proven_address_is_fast() {
        assert_eq!(lane(&head(), &lease(), time(NOW)), Lane::Fast);
        let six = Selector::Source("2001:db8::1/128".parse().unwrap());
        let lease = LeaseRequest {
            selector: six,
            evidence: EvidenceClass::Token,
            ..lease()
        };
        assert_eq!(lane(&head(), &lease, time(NOW)), Lane::Fast);
    }

    #[test]
    fn each_lease_that_asks_for_more_is_slow_with_its_reason() {
        let select = |selector| LeaseRequest {
            selector,
            ..lease()
        };
        let net = |text: &str| text.parse().unwrap();
        let cases = [
            (
                LeaseRequest {
                    evidence: EvidenceClass::Unproven,
                    ..lease()
                },
                Why::Unproven,
            ),
            (
                LeaseRequest {
                    ttl_s: 61,
                    ..lease()
                },
                Why::TooLong,
            ),
            (
                LeaseRequest {
                    ttl_s: 40,
                    ..lease()
                },
                Why::NoEnd,
            ),
            (select(Selector::Source(net("192.0.2.0/31"))), Why::TooWide),
            (select(Selector::Source(net("2001:db8::/64"))), Why::TooWide),
            (
                select(Selector::Destination(net("192.0.2.1/32"))),
                Why::NotASource,
            ),
            (
                select(Selector::Domain("a.example".into())),
                Why::NotASource,
            ),
            (select(Selector::Ja4("x".into())), Why::NotASource),
        ];
        for (lease, why) in cases {
            assert_eq!(
                lane(&head(), &lease, time(NOW)),
                Lane::Slow(why),
                "{lease:?}"
            );
        }
    }

    #[test]
    fn each_indicator_that_is_not_in_force_or_does_not_end_is_slow() {
        let later = Some(time("2026-11-22T00:01:16Z"));
        let cases = [
            (
                Head {
                    revoked: true,
                    ..head()
                },
                Why::NotInForce,
            ),
            (
                Head {
                    valid_from: Some(time("2026-11-22T00:00:16Z")),
                    ..head()
                },
                Why::NotInForce,
            ),
            (
                Head {
                    valid_until: Some(time(NOW)),
                    ..head()
                },
                Why::NotInForce,
            ),
            (
                Head {
                    valid_until: None,
                    ..head()
                },
                Why::NoEnd,
            ),
            (
                Head {
                    valid_until: later,
                    ..head()
                },
                Why::NoEnd,
            ),
            (
                Head {
                    kind: "sighting".into(),
                    ..head()
                },
                Why::NotAnIndicator,
            ),
        ];
        for (head, why) in cases {
            assert_eq!(
                lane(&head, &lease(), time(NOW)),
                Lane::Slow(why),
                "{head:?}"
            );
        }
    }

    #[test]
    fn clocks_may_be_apart_by_a_little() {
        let early = Head {
            valid_from: Some(time("2026-11-22T00:00:15Z")),
            ..head()
        };
        assert_eq!(lane(&early, &lease(), time(NOW)), Lane::Fast);
        let late = Head {
            valid_until: Some(time("2026-11-22T00:01:15Z")),
            ..head()
        };
        assert_eq!(lane(&late, &lease(), time(NOW)), Lane::Fast);
    }
}
