use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::pattern::Pattern;
use crate::{StixId, canonical};

fn example() -> Value {
    json!({
        "extension_type": "property-extension",
        "selector": {"source": "192.0.2.1/32"},
        "service": {"address": "198.51.100.7", "protocol": "tcp", "port": 443},
        "action": "rate-limit",
        "ttl_s": 60,
        "evidence": "path-proven",
        "detector": "scan-trw@1",
        "audience": ["shield-b"],
    })
}

fn refusal(change: impl Fn(&mut Value)) -> String {
    let mut value = example();
    change(&mut value);
    LeaseRequest::from_extension(&value).unwrap_err()
}

#[test]
fn the_identifier_is_the_derived_one() {
    assert_eq!(
        EXTENSION_ID,
        StixId::v5("extension-definition", NAME).as_str()
    );
    assert_eq!(definition_object()["id"], EXTENSION_ID);
    assert_eq!(
        definition_object()["created_by_ref"],
        definition_author()["id"]
    );
}

#[test]
fn our_published_objects_are_legal() {
    for value in [definition_object(), definition_author()] {
        let raw = value.to_string();
        crate::Object::parse(raw.as_bytes(), &crate::Limits::default()).unwrap();
    }
}

#[test]
fn what_is_read_is_written_again() {
    let lease = LeaseRequest::from_extension(&example()).unwrap();
    assert_eq!(
        lease.selector,
        Selector::Source("192.0.2.1/32".parse().unwrap())
    );
    assert_eq!(lease.to_extension(), example());
}

#[test]
fn unknown_properties_are_ignored() {
    let mut value = example();
    value["later"] = json!({"version": 2});
    assert!(LeaseRequest::from_extension(&value).is_ok());
}

#[test]
fn every_misreadable_property_is_refused_by_name() {
    let cases: [(&str, Value, &str); 23] = [
        (
            "/extension_type",
            json!("toplevel-property-extension"),
            "extension_type",
        ),
        (
            "/selector",
            json!({"source": "192.0.2.1"}),
            "canonical form",
        ),
        (
            "/selector",
            json!({"source": "192.0.2.1/24"}),
            "\"192.0.2.0/24\"",
        ),
        (
            "/selector",
            json!({"source": "::ffff:192.0.2.1/128"}),
            "\"192.0.2.1/32\"",
        ),
        ("/selector", json!({"source": "everything"}), "not a value"),
        (
            "/selector",
            json!({"domain": "Example.com."}),
            "\"example.com\"",
        ),
        (
            "/selector",
            json!({"url": "http://EXAMPLE.com"}),
            "\"http://example.com/\"",
        ),
        ("/selector", json!({"sha256": "f00"}), "not a value"),
        ("/selector", json!({"ja5": "f00"}), "unknown variant `ja5`"),
        (
            "/selector",
            json!({"domain": "a.example", "url": "http://a.example/"}),
            "map with a single key",
        ),
        ("/selector", json!("source"), "newtype variant"),
        (
            "/service",
            json!({"protocol": "icmp", "port": 1}),
            "service",
        ),
        ("/service", json!(["192.0.2.1", "tcp", 80]), "service"),
        ("/service", json!({"port": 1}), "protocol"),
        (
            "/service",
            json!({"protocol": "tcp", "port": 65536}),
            "65536",
        ),
        ("/action", json!("shoot"), "shoot"),
        ("/ttl_s", json!(0), "ttl_s"),
        ("/ttl_s", json!(TTL_S_MAX + 1), "ttl_s"),
        ("/ttl_s", json!(1.5), "1.5"),
        ("/evidence", json!("certain"), "certain"),
        ("/detector", json!("scan trw"), "detector"),
        ("/audience", json!(["Shield B"]), "audience"),
        ("/audience", json!(vec!["a"; AUDIENCE_MAX + 1]), "audience"),
    ];
    for (at, wrong, named) in cases {
        let why = refusal(|value| *value.pointer_mut(at).unwrap() = wrong.clone());
        assert!(why.contains(named), "{at} {wrong}: {why}");
    }
}

#[test]
fn every_required_property_is_missed_by_name() {
    for key in [
        "selector",
        "action",
        "ttl_s",
        "evidence",
        "detector",
        "extension_type",
    ] {
        let why = refusal(|value| {
            value.as_object_mut().unwrap().remove(key);
        });
        assert!(why.contains(key), "{key}: {why}");
    }
}

#[test]
fn a_selector_is_covered_by_a_pattern_that_speaks_of_all_of_it() {
    let cases = [
        ("192.0.2.1/32", "[ipv4-addr:value = '192.0.2.1']", true),
        (
            "192.0.2.1/32",
            "[ipv4-addr:value ISSUBSET '192.0.2.0/24']",
            true,
        ),
        ("192.0.2.0/24", "[ipv4-addr:value = '192.0.2.1']", false),
        (
            "192.0.2.1/32",
            "[url:value = 'http://a.example/' OR ipv4-addr:value = '192.0.2.1']",
            true,
        ),
        (
            "192.0.2.1/32",
            "[network-traffic:src_ref.value = '192.0.2.1']",
            true,
        ),
        (
            "192.0.2.1/32",
            "[network-traffic:dst_ref.value = '192.0.2.1']",
            false,
        ),
        ("192.0.2.1/32", "[ipv6-addr:value ISSUBSET '::/0']", false),
        ("192.0.2.1/32", "[domain-name:value = 'a.example']", false),
    ];
    for (source, text, covered) in cases {
        let selector = Selector::Source(source.parse().unwrap());
        let pattern = crate::pattern::parse(text).unwrap();
        assert_eq!(selector.covered_by(&pattern), covered, "{source} {text}");
        assert!(selector.covered_by(&Pattern {
            terms: vec![selector.term()]
        }));
    }
}

#[test]
fn names_and_numbers_of_protocols_agree() {
    for proto in [Proto::Tcp, Proto::Udp, Proto::Icmp, Proto::Icmp6] {
        assert_eq!(Proto::from_number(proto.number()), Some(proto));
        assert_eq!(Proto::from_name(proto.name()), Some(proto));
        assert_eq!(serde_json::to_value(proto).unwrap(), proto.name());
    }
}

fn selectors() -> impl Strategy<Value = Selector> {
    let net = |bytes: [u8; 4], prefix: u8| {
        let net = ipnet::Ipv4Net::new(bytes.into(), prefix).unwrap();
        canonical::network_of(net.into())
    };
    let hex = |len| proptest::string::string_regex(&format!("[0-9a-f]{{{len}}}")).unwrap();
    prop_oneof![
        (any::<[u8; 4]>(), 0_u8..=32).prop_map(move |(b, p)| Selector::Source(net(b, p))),
        (any::<[u8; 4]>(), 0_u8..=32).prop_map(move |(b, p)| Selector::Destination(net(b, p))),
        any::<[u8; 16]>()
            .prop_map(|b| { Selector::Source(canonical::network_of(IpAddr::from(b).into())) }),
        "[a-z]{1,9}\\.example".prop_map(|name| Selector::Domain(name.into())),
        hex(64).prop_map(|hash| Selector::Sha256(hash.into())),
        hex(32).prop_map(|hash| Selector::Ja3(hash.into())),
    ]
}

proptest! {
    #[test]
    fn reading_what_was_written_gives_the_same(
        selector in selectors(),
        ttl_s in 1..=TTL_S_MAX,
        audience in proptest::collection::vec("[a-z][a-z0-9-]{0,9}", 0..4),
    ) {
        let lease = LeaseRequest {
            selector,
            service: None,
            action: Action::Drop,
            ttl_s,
            evidence: EvidenceClass::Exploit,
            detector: "a@1".into(),
            audience: audience.into_iter().map(Into::into).collect(),
        };
        prop_assert_eq!(LeaseRequest::from_extension(&lease.to_extension()), Ok(lease));
    }
}
