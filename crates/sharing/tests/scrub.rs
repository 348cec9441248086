//! What leaves: nothing but what is on the list.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use serde_json::Value;
use sharing::fastlane::{Lane, Why, lane};
use sharing::scrub::{Share, Signal, Withheld, attack_pattern, indicator_id, signal_objects};
use stix::lease::{Action, EvidenceClass, Proto, Selector, Service};
use stix::{Object, StixId, Timestamp, Tlp};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn now() -> Timestamp {
    at("2026-11-22T00:10:00.5Z")
}

fn signal() -> Signal {
    Signal {
        selector: Selector::Source("192.0.2.9/32".parse().unwrap()),
        indicator: None,
        derived_from: None,
        detector: "scan-trw@1".into(),
        evidence: EvidenceClass::PathProven,
        count: 12,
        first_seen: at("2026-11-22T00:09:00Z"),
        last_seen: at("2026-11-22T00:10:00Z"),
        service: Some(Service {
            address: Some("10.66.66.66".parse().unwrap()),
            protocol: Proto::Tcp,
            port: Some(8080),
        }),
        action: Action::Drop,
        ttl_s: 60,
    }
}

fn share() -> Share {
    Share {
        tlp: Tlp::Green,
        audience: vec![],
    }
}

fn objects(signal: &Signal, share: &Share) -> Vec<Object> {
    signal_objects(signal, share, "shield-a", now()).unwrap()
}

fn kinds(objects: &[Object]) -> Vec<&str> {
    objects.iter().map(|object| &*object.head().kind).collect()
}

/// Every path to a value in what leaves, with list indices left out.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            map.iter()
                .for_each(|(key, value)| paths(value, &format!("{at}.{key}"), found));
        }
        Value::Array(list) => list.iter().for_each(|value| paths(value, at, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.insert(at.to_owned());
        }
    }
}

/// The list: no other property may be there, whatever goes in. `LEASE` is the extension.
const ALLOWED: [&str; 33] = [
    ".type",
    ".spec_version",
    ".id",
    ".created_by_ref",
    ".created",
    ".modified",
    ".confidence",
    ".object_marking_refs",
    ".name",
    ".indicator_types",
    ".pattern",
    ".pattern_type",
    ".valid_from",
    ".valid_until",
    ".first_seen",
    ".last_seen",
    ".count",
    ".sighting_of_ref",
    ".where_sighted_refs",
    "LEASE.extension_type",
    "LEASE.selector.source",
    "LEASE.selector.destination",
    "LEASE.selector.domain",
    "LEASE.selector.url",
    "LEASE.selector.sha256",
    "LEASE.selector.ja3",
    "LEASE.selector.ja4",
    "LEASE.service.protocol",
    "LEASE.service.port",
    "LEASE.action",
    "LEASE.ttl_s",
    "LEASE.evidence",
    "LEASE.detector",
];

fn not_allowed(objects: &[Object]) -> Vec<String> {
    let lease = format!(".extensions.{}", stix::lease::EXTENSION_ID);
    let mut found = BTreeSet::new();
    for object in objects {
        paths(
            &serde_json::from_slice(object.raw()).unwrap(),
            "",
            &mut found,
        );
    }
    let found = found.into_iter().map(|path| path.replace(&lease, "LEASE"));
    found
        .filter(|path| !ALLOWED.contains(&path.as_str()) && path != "LEASE.audience")
        .collect()
}

#[test]
fn proven_evidence_leaves_as_an_indicator_that_asks_and_a_sighting_that_reports() {
    let objects = objects(&signal(), &share());
    assert_eq!(kinds(&objects), ["indicator", "sighting"]);
    let (indicator, sighting) = (objects[0].head(), objects[1].head());
    let lease = indicator.lease.as_ref().unwrap();
    assert_eq!((lease.action, lease.ttl_s), (Action::Drop, 60));
    assert_eq!(lease.service.unwrap().address, None);
    assert_eq!(indicator.valid_until, Some(at("2026-11-22T00:11:00.5Z")));
    assert_eq!(indicator.tlp(), Some(Tlp::Green));
    assert_eq!(sighting.sighting_of.as_ref(), Some(&indicator.id));
    assert_eq!(sighting.lease.as_ref().unwrap().action, Action::Monitor);
    assert_eq!(sighting.count, Some(12));
    assert_eq!(lane(indicator, lease, now()), Lane::Fast);
    let why = lane(sighting, sighting.lease.as_ref().unwrap(), now());
    assert_eq!(why, Lane::Slow(Why::NotAnIndicator));
}

#[test]
fn unproven_evidence_leaves_as_a_sighting_alone_and_asks_for_nothing() {
    let unproven = Signal {
        evidence: EvidenceClass::Unproven,
        ..signal()
    };
    let sent = objects(&unproven, &share());
    assert_eq!(kinds(&sent), ["sighting"]);
    let head = sent[0].head();
    assert_eq!(head.lease.as_ref().unwrap().action, Action::Monitor);
    assert_eq!(
        head.sighting_of.as_ref(),
        Some(&attack_pattern("scan-trw@1").unwrap().head().id)
    );
    let theirs = StixId::v5("indicator", "theirs");
    let of_theirs = Signal {
        indicator: Some(theirs.clone()),
        ..unproven
    };
    assert_eq!(
        objects(&of_theirs, &share())[0].head().sighting_of,
        Some(theirs)
    );
}

#[test]
fn the_same_attacker_again_is_a_new_version() {
    let again = Signal {
        count: 40,
        last_seen: now(),
        ..signal()
    };
    let first = objects(&signal(), &share());
    let later = now().plus(std::time::Duration::from_secs(30));
    let second = signal_objects(&again, &share(), "shield-a", later).unwrap();
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(first.head().id, second.head().id);
        assert_eq!(first.head().created, second.head().created);
        assert!(second.version() > first.version());
    }
    let own = signal();
    let id = indicator_id("shield-a", &own.selector, own.service.as_ref());
    assert_eq!(first[0].head().id, id);
    let other = signal_objects(&signal(), &share(), "shield-b", now()).unwrap();
    assert_ne!(other[0].head().id, id);
    assert_eq!(first.len(), 2);
}

#[test]
fn a_first_time_after_now_is_mended_and_the_signal_still_leaves() {
    let ahead = Signal {
        first_seen: Timestamp::MAX,
        ..signal()
    };
    for object in objects(&ahead, &share()) {
        assert_eq!(
            (object.head().created, object.version()),
            (Some(now()), now())
        );
    }
}

#[test]
fn what_rests_on_others_is_marked_no_milder() {
    for (own, from, marked) in [
        (Tlp::Clear, Tlp::Amber, Some(Tlp::Amber)),
        (Tlp::AmberStrict, Tlp::Green, Some(Tlp::AmberStrict)),
        (Tlp::Clear, Tlp::Red, None),
        (Tlp::Red, Tlp::Clear, None),
    ] {
        let derived = Signal {
            derived_from: Some(from),
            ..signal()
        };
        let sent = signal_objects(
            &derived,
            &Share {
                tlp: own,
                ..share()
            },
            "a",
            now(),
        );
        match marked {
            Some(tlp) => assert!(sent.unwrap().iter().all(|o| o.head().tlp() == Some(tlp))),
            None => assert_eq!(sent.unwrap_err(), Withheld::Red),
        }
    }
}

#[test]
fn what_may_not_leave_is_withheld_with_the_reason() {
    let with = |selector| Signal {
        selector,
        ..signal()
    };
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    let url = |text: &str| Selector::Url(text.into());
    let cases = [
        (with(Selector::Source(net("192.0.2.0/24"))), "wider"),
        (with(Selector::Source(net("2001:db8::/64"))), "wider"),
        (with(Selector::Destination(net("0.0.0.0/0"))), "wider"),
        (with(url("http://a.example/?session=jane")), "personal data"),
        (with(url("http://jane:secret@a.example/")), "personal data"),
        (with(Selector::Domain("Not canonical".into())), "selector"),
        (
            Signal {
                detector: "free text about jane".into(),
                ..signal()
            },
            "detector",
        ),
        (
            Signal {
                ttl_s: 0,
                ..signal()
            },
            "ttl_s",
        ),
    ];
    for (signal, why) in cases {
        let error = signal_objects(&signal, &share(), "shield-a", now()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let audience = Share {
        audience: vec!["Jane Doe".into()],
        ..share()
    };
    assert!(signal_objects(&signal(), &audience, "shield-a", now()).is_err());
}

fn selectors() -> impl Strategy<Value = Selector> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|b| Selector::Source(IpAddr::from(b).into())),
        any::<[u8; 16]>()
            .prop_map(|b| Selector::Source(stix::canonical::network_of(IpAddr::from(b).into()))),
        any::<[u8; 4]>().prop_map(|b| Selector::Destination(IpAddr::from(b).into())),
        ("[a-z]{1,9}|marker", "[a-z]{2,5}")
            .prop_map(|(a, b)| Selector::Domain(format!("{a}.{b}").into())),
        "http://[a-z]{1,9}\\.example/[a-z?@&=]{0,9}(marker)?"
            .prop_map(|url| Selector::Url(url.into())),
        "[0-9a-f]{64}".prop_map(|hash| Selector::Sha256(hash.into())),
        "[0-9a-f]{32}".prop_map(|hash| Selector::Ja3(hash.into())),
    ]
}

fn signals() -> impl Strategy<Value = Signal> {
    let evidence = proptest::sample::select(vec![
        EvidenceClass::Unproven,
        EvidenceClass::PathProven,
        EvidenceClass::Exploit,
        EvidenceClass::Token,
    ]);
    let services =
        (any::<Option<[u8; 4]>>(), any::<Option<u16>>()).prop_map(|(address, port)| Service {
            address: address.map(IpAddr::from),
            protocol: Proto::Udp,
            port,
        });
    let detector = prop_oneof!["[a-z]{1,9}@[0-9]", "\\PC{0,12}marker\\PC{0,12}"];
    let times = (any::<i64>(), any::<i64>(), any::<u64>(), any::<u32>());
    (
        selectors(),
        evidence,
        proptest::option::of(services),
        detector,
        times,
    )
        .prop_map(
            |(selector, evidence, service, detector, (first, last, count, ttl_s))| Signal {
                selector,
                evidence,
                service,
                detector: detector.into(),
                first_seen: Timestamp::from_micros(first),
                last_seen: Timestamp::from_micros(last),
                count,
                ttl_s: ttl_s % 100,
                ..signal()
            },
        )
}

proptest! {
    /// Whatever goes in: only listed properties come out, free text never does, and the attacked
    /// address is nowhere in the bytes.
    #[test]
    fn nothing_beyond_the_list_leaves(
        signal in signals(),
        audience in proptest::collection::vec("[a-z]{1,5}|marker .{0,5}", 0..3),
        tlp in proptest::sample::select(Tlp::ALL.to_vec()),
    ) {
        let audience: Vec<Box<str>> = audience.into_iter().map(Into::into).collect();
        let share = Share { tlp, audience };
        if let Ok(objects) = signal_objects(&signal, &share, "shield-a", now()) {
            prop_assert_eq!(not_allowed(&objects), Vec::<String>::new());
            for object in &objects {
                let text = String::from_utf8(object.raw().to_vec()).unwrap();
                let named = signal.selector.to_string();
                prop_assert!(!text.replace(&named, "").contains("marker ") );
                let lease = object.head().lease.as_ref().unwrap();
                prop_assert_eq!(lease.service.and_then(|service| service.address), None);
                prop_assert_eq!(lease.audience.as_slice(), share.audience.as_slice());
                prop_assert_eq!(object.head().tlp(), Some(tlp));
                prop_assert_ne!(tlp, Tlp::Red);
            }
            let asks = objects.iter().any(|object| &*object.head().kind == "indicator");
            prop_assert_eq!(asks, signal.evidence >= EvidenceClass::PathProven);
        }
    }
}
