#![expect(clippy::arithmetic_side_effects, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use serde_json::{Value, json};
use stix::Object;
use stix::lease::{self, Action as Wanted, Proto, Selector};

use super::*;

mod properties;

fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T12:00:00Z").unwrap()
}

fn policy() -> Policy {
    Policy {
        settings: Settings {
            enforce: true,
            confidence_min: 50,
            lease_max: Duration::from_secs(3_600),
            benign_sessions_max: 8,
            rate: Rate {
                packets_per_s: 10,
                burst: 20,
            },
            private_from_exchange: false,
            behaviour: Behaviour::default(),
        },
        protected: Protected::new(["10.2.0.0/24", "198.51.100.53/32"].map(net)),
        home: vec![net("10.2.0.0/24")],
    }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn request(source: &str) -> LeaseRequest {
    LeaseRequest {
        selector: Selector::Source(net(source)),
        service: None,
        action: Wanted::Drop,
        ttl_s: 60,
        evidence: EvidenceClass::PathProven,
        detector: "scan-trw@1".into(),
        audience: Vec::new(),
    }
}

fn standing(recent: u32) -> Standing {
    Standing {
        recent,
        open: Vec::new(),
    }
}

/// An indicator whose pattern names `source` and which asks for nothing.
fn head(source: &str, change: impl FnOnce(&mut Value)) -> Head {
    let kind = if source.contains(':') {
        "ipv6-addr"
    } else {
        "ipv4-addr"
    };
    let mut value = json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": "indicator--00000000-0000-4000-8000-000000000001",
        "created": "2026-01-01T11:59:59.000Z",
        "modified": "2026-01-01T11:59:59.000Z",
        "pattern": format!("[{kind}:value = '{source}']"),
        "pattern_type": "stix",
        "valid_from": "2026-01-01T11:59:59Z",
        "valid_until": "2026-01-01T12:00:50Z",
        "confidence": 80,
    });
    change(&mut value);
    let raw = serde_json::to_vec(&value).unwrap();
    Object::parse(&raw, &stix::Limits::default())
        .unwrap()
        .head()
        .clone()
}

/// What a partner's lease on `source` comes to, after changes to any part.
#[derive(Clone)]
struct Foreign {
    policy: Policy,
    head: Head,
    request: Option<LeaseRequest>,
    standing: Standing,
}

impl Foreign {
    fn asks(source: &str) -> Self {
        let head = head(source, |_| {});
        Self {
            policy: policy(),
            head,
            request: Some(request(source)),
            standing: standing(0),
        }
    }

    /// The lease that is asked for.
    fn ask(&mut self) -> &mut LeaseRequest {
        self.request.as_mut().unwrap()
    }

    fn decide(&self) -> Decision {
        let raw = &self.head.pattern.as_ref().unwrap().pattern;
        let pattern = stix::pattern::parse(raw).ok();
        let ask = Ask {
            word: Word::Partner("bravo"),
            head: Some(&self.head),
            request: self.request.as_ref(),
            pattern: pattern.as_ref(),
            confidence: self.head.confidence,
            strikes: 0,
        };
        decide(&self.policy, &ask, &self.standing, now())
    }
}

fn own(
    source: &str,
    change: impl FnOnce(&mut LeaseRequest),
    word: Word<'_>,
    strikes: u32,
) -> Decision {
    let mut request = request(source);
    change(&mut request);
    let ask = Ask {
        word,
        head: None,
        request: Some(&request),
        pattern: None,
        confidence: Some(90),
        strikes,
    };
    decide(&policy(), &ask, &standing(0), now())
}

fn installed(decision: Decision) -> (Key, Action, u64, Vec<Why>) {
    match &decision {
        Decision::Install {
            key,
            action,
            until,
            why,
        } => (*key, *action, until.since(now()).as_secs(), why.clone()),
        Decision::Index { .. } | Decision::Refuse { .. } => panic!("not installed: {decision:?}"),
    }
}

#[test]
fn a_partners_short_proven_lease_is_installed_as_asked() {
    let (key, action, seconds, why) = installed(Foreign::asks("192.0.2.9/32").decide());
    assert_eq!(
        key,
        Key {
            source: net("192.0.2.9/32"),
            service: None
        }
    );
    assert_eq!(
        (action, seconds, why),
        (Action::Drop, 50, vec![]),
        "until its object's end"
    );
}

type Change = fn(&mut Foreign);

/// What becomes of a good ask after each change.
fn check(cases: &[(&str, Change, Decision)]) {
    for (name, change, expected) in cases {
        let mut foreign = Foreign::asks("192.0.2.9/32");
        change(&mut foreign);
        assert_eq!(foreign.decide(), *expected, "{name}");
    }
}

#[test]
fn what_is_refused() {
    let refuse = |why| Decision::Refuse { why };
    let tomorrow: Change = |f| f.head.valid_from = Some(now().plus(Duration::from_secs(86_400)));
    let unsure = Why::Confidence {
        stated: Some(49),
        min: 50,
    };
    check(&[
        (
            "over",
            |f| f.head.valid_until = Some(now()),
            refuse(Why::Expired),
        ),
        ("withdrawn", |f| f.head.revoked = true, refuse(Why::Revoked)),
        (
            "of tomorrow",
            tomorrow,
            Decision::Index {
                why: Some(Why::NotYet),
            },
        ),
        ("unsure", |f| f.head.confidence = Some(49), refuse(unsure)),
    ]);
}

#[test]
fn what_is_only_detected_with() {
    let index = |why| Decision::Index { why: Some(why) };
    let silent = Why::Confidence {
        stated: None,
        min: 50,
    };
    check(&[
        (
            "long",
            |f| f.ask().ttl_s = 61,
            index(Why::SlowLane(fastlane::Why::TooLong)),
        ),
        (
            "no end",
            |f| f.head.valid_until = None,
            index(Why::SlowLane(fastlane::Why::NoEnd)),
        ),
        (
            "unproven",
            |f| f.ask().evidence = EvidenceClass::Unproven,
            index(Why::Unproven),
        ),
        ("silent", |f| f.head.confidence = None, index(silent)),
        (
            "beyond",
            |f| f.request = Some(request("192.0.2.10/32")),
            index(Why::BeyondPattern),
        ),
        (
            "elsewhere",
            |f| f.ask().service = Some(service("203.0.113.5")),
            index(Why::ServiceElsewhere),
        ),
        ("plain", |f| f.request = None, Decision::Index { why: None }),
    ]);
}

#[test]
fn selectors_that_are_no_source_address_are_only_detected_with() {
    let index = || Decision::Index {
        why: Some(Why::NotAnAddress),
    };
    let domain: Change = |f| f.ask().selector = Selector::Domain("evil.example".into());
    let towards: Change = |f| f.ask().selector = Selector::Destination(net("192.0.2.9/32"));
    check(&[
        ("a domain", domain, index()),
        ("a destination", towards, index()),
    ]);
}

fn service(address: &str) -> lease::Service {
    lease::Service {
        address: Some(address.parse().unwrap()),
        protocol: Proto::Tcp,
        port: Some(80),
    }
}

#[test]
fn addresses_that_nobody_may_name() {
    let cases = [
        ("10.2.0.7/32", Why::Protected(net("10.2.0.0/24"))),
        ("198.51.100.53/32", Why::Protected(net("198.51.100.53/32"))),
        ("198.51.100.0/24", Why::Protected(net("198.51.100.53/32"))),
        ("10.9.9.9/32", Why::Private(net("10.0.0.0/8"))),
        ("fd00::1/128", Why::Private(net("fc00::/7"))),
        ("0.0.0.0/0", Why::TooWide(net("0.0.0.0/0"))),
        ("2000::/3", Why::TooWide(net("2000::/3"))),
        ("127.0.0.1/32", Why::Reserved(net("127.0.0.0/8"))),
        ("224.0.0.5/32", Why::Reserved(net("224.0.0.0/3"))),
        ("fe80::1/128", Why::Reserved(net("fe80::/10"))),
    ];
    for (source, why) in cases {
        assert_eq!(
            Foreign::asks(source).decide(),
            Decision::Refuse { why },
            "{source}"
        );
    }
}

#[test]
fn mapped_addresses_do_not_slip_past() {
    assert_eq!(canonical(net("::ffff:10.2.0.7/128")), net("10.2.0.7/32"));
    assert_eq!(canonical(net("::ffff:0:0/96")), net("0.0.0.0/0"));
    assert_eq!(canonical(net("2001:db8::1/128")), net("2001:db8::1/128"));
    let mapped = own("::ffff:10.2.0.7/128", |_| {}, Word::Own, 0);
    assert_eq!(
        mapped,
        Decision::Refuse {
            why: Why::Protected(net("10.2.0.0/24"))
        }
    );
}

#[test]
fn an_indicator_of_everybody_is_not_even_detected_with() {
    let mut foreign = Foreign::asks("192.0.0.0/7");
    foreign.request = None;
    assert!(matches!(
        foreign.decide(),
        Decision::Refuse {
            why: Why::TooWide(_)
        }
    ));
}

#[test]
fn shared_sources_are_limited_and_crowds_only_watched() {
    let mut foreign = Foreign::asks("192.0.2.9/32");
    let limit = Action::RateLimit {
        packets_per_s: 10,
        burst: 20,
    };
    for (sessions, expected) in [
        (0, Action::Drop),
        (1, limit),
        (8, limit),
        (9, Action::Monitor),
    ] {
        foreign.standing = standing(sessions);
        assert_eq!(installed(foreign.decide()).1, expected, "{sessions}");
    }
    foreign.standing = Standing {
        recent: 0,
        open: vec![session()],
    };
    assert_eq!(
        installed(foreign.decide()).3,
        [Why::Shared(1)],
        "open sessions count"
    );
    let ask = |word| {
        let request = request("192.0.2.9/32");
        let ask = Ask {
            word,
            head: None,
            request: Some(&request),
            pattern: None,
            confidence: Some(90),
            strikes: 0,
        };
        decide(&policy(), &ask, &standing(9), now())
    };
    assert_eq!(
        installed(ask(Word::Own)).1,
        Action::Monitor,
        "our own word is no exception"
    );
}

fn session() -> FiveTuple {
    FiveTuple {
        src: IpAddr::from([192, 0, 2, 9]),
        src_port: 4_000,
        dst: IpAddr::from([10, 2, 0, 7]),
        dst_port: 80,
        proto: packet::Proto::Tcp,
    }
}

#[test]
fn a_model_slows_down_for_a_moment_and_blocks_only_with_leave() {
    let ask = |blocks| installed(own("192.0.2.9/32", |_| {}, Word::Model { blocks }, 9));
    let (_, action, seconds, why) = ask(false);
    assert!(matches!(action, Action::RateLimit { .. }), "{action:?}");
    assert_eq!((seconds, why), (60, vec![Why::Model]));
    assert_eq!(ask(true).1, Action::Drop);
    let alone = own(
        "192.0.2.9/32",
        |request| request.evidence = EvidenceClass::Unproven,
        Word::Model { blocks: true },
        0,
    );
    assert_eq!(alone, Decision::Refuse { why: Why::Unproven });
}

#[test]
fn own_verdicts_block_attackers_longer_each_time_and_never_the_protected() {
    assert_eq!(installed(own("192.0.2.9/32", |_| {}, Word::Own, 0)).2, 60);
    assert_eq!(installed(own("192.0.2.9/32", |_| {}, Word::Own, 3)).2, 480);
    let (_, _, seconds, why) = installed(own("192.0.2.9/32", |_| {}, Word::Own, 30));
    assert_eq!((seconds, why), (3_600, vec![Why::Shortened]));
    assert_eq!(
        installed(own("10.9.9.9/32", |_| {}, Word::Own, 0)).1,
        Action::Drop,
        "private is fine"
    );
    let protected = own(
        "10.2.0.7/32",
        |r| r.evidence = EvidenceClass::Token,
        Word::Own,
        0,
    );
    assert_eq!(
        protected,
        Decision::Refuse {
            why: Why::Protected(net("10.2.0.0/24"))
        }
    );
    let forged = own(
        "192.0.2.9/32",
        |r| r.evidence = EvidenceClass::Unproven,
        Word::Own,
        0,
    );
    assert_eq!(forged, Decision::Refuse { why: Why::Unproven });
}

#[test]
fn an_address_on_one_partners_list_needs_a_second_partner_or_an_exploit() {
    let sight = |partners| Word::OwnSight { partners };
    let bare = |word| own("192.0.2.9/32", |_| {}, word, 5);
    assert_eq!(
        bare(sight(1)),
        Decision::Refuse {
            why: Why::WordAlone
        }
    );
    assert_eq!(
        installed(bare(sight(2))).2,
        60,
        "and never longer, however often"
    );
    let exploit = own(
        "192.0.2.9/32",
        |r| r.evidence = EvidenceClass::Exploit,
        sight(1),
        5,
    );
    assert_eq!(installed(exploit).2, 60);
}

#[test]
fn a_lease_keeps_to_the_service_that_was_attacked() {
    let mut foreign = Foreign::asks("192.0.2.9/32");
    foreign.request.as_mut().unwrap().service = Some(service("10.2.0.7"));
    let kernel = Service { proto: 6, port: 80 };
    assert_eq!(installed(foreign.decide()).0.service, Some(kernel));
    let ping = lease::Service {
        address: None,
        protocol: Proto::Icmp,
        port: None,
    };
    foreign.request.as_mut().unwrap().service = Some(ping);
    let kernel = Service { proto: 1, port: 0 };
    assert_eq!(installed(foreign.decide()).0.service, Some(kernel));
}

#[test]
fn actions_become_what_the_kernel_has() {
    let limit = Action::RateLimit {
        packets_per_s: 10,
        burst: 20,
    };
    let cases = [
        (Wanted::RateLimit, limit),
        (Wanted::Reject, Action::Drop),
        (Wanted::Drop, Action::Drop),
    ];
    for (wanted, expected) in cases {
        let mut foreign = Foreign::asks("192.0.2.9/32");
        foreign.request.as_mut().unwrap().action = wanted;
        assert_eq!(installed(foreign.decide()).1, expected);
        foreign.policy.settings.enforce = false;
        assert_eq!(
            installed(foreign.decide()).1,
            Action::Monitor,
            "a dry run drops nothing"
        );
    }
}

#[test]
fn a_partners_wish_to_watch_is_no_lease_that_could_shadow_a_drop() {
    for wanted in [Wanted::Monitor, Wanted::Tag] {
        let mut foreign = Foreign::asks("192.0.2.9/32");
        foreign.request.as_mut().unwrap().action = wanted;
        let why = Some(Why::Mild);
        assert_eq!(foreign.decide(), Decision::Index { why });
    }
}

#[test]
fn the_operators_bounds_hold() {
    let mut foreign = Foreign::asks("192.0.2.9/32");
    foreign.policy.settings.lease_max = Duration::from_secs(20);
    assert_eq!(installed(foreign.decide()).2, 20);
    let mut foreign = Foreign::asks("10.9.9.9/32");
    foreign.policy.settings.private_from_exchange = true;
    assert_eq!(installed(foreign.decide()).1, Action::Drop);
}

#[test]
fn rules_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn nobody_is_asked_to_block_whom_we_protect_and_hosts_of_ours_are_not_named() {
    let policy = Policy {
        settings: policy().settings,
        protected: Protected::new(["198.51.100.53/32".parse().unwrap()]),
        home: vec!["203.0.113.0/24".parse().unwrap()],
    };
    for (source, expected) in [
        ("192.0.2.9/32", Naming::Free),
        ("198.51.100.53/32", Naming::Sighting),
        ("203.0.113.7/32", Naming::Withheld),
        ("10.1.2.3/32", Naming::Withheld),
        ("fe80::1/128", Naming::Withheld),
        ("::ffff:203.0.113.7/128", Naming::Withheld),
    ] {
        assert_eq!(
            naming(&policy, &source.parse().unwrap()),
            expected,
            "{source}"
        );
    }
}
