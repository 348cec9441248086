use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::lease;

const ID: &str = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";

fn indicator() -> Value {
    json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": format!("indicator--{ID}"),
        "created": "2026-11-22T00:00:00.000Z",
        "modified": "2026-11-22T00:00:01.000Z",
        "created_by_ref": format!("identity--{ID}"),
        "pattern": "[ipv4-addr:value = '192.0.2.1']",
        "pattern_type": "stix",
        "valid_from": "2026-11-22T00:00:00Z",
        "valid_until": "2026-11-22T00:01:00Z",
        "revoked": false,
        "confidence": 70,
        "object_marking_refs": [Tlp::Green.marking_id(), Tlp::Amber.marking_id()],
        "extensions": {lease::EXTENSION_ID: {
            "extension_type": "property-extension",
            "selector": {"source": "192.0.2.1/32"},
            "action": "drop",
            "ttl_s": 60,
            "evidence": "path-proven",
            "detector": "scan-trw@1",
        }},
        "x_custom": {"kept": [null, 1.5]},
    })
}

fn parse(value: &Value) -> Result<Object, ObjectError> {
    Object::parse(value.to_string().as_bytes(), &Limits::default())
}

#[test]
fn the_head_says_what_the_object_says() {
    let object = parse(&indicator()).unwrap();
    let head = object.head();
    assert_eq!(head.id.as_str(), format!("indicator--{ID}"));
    assert_eq!(&*head.kind, "indicator");
    assert_eq!(head.tlp(), Some(Tlp::Amber));
    assert!(!head.unknown_markings() && !head.granular_markings && !head.revoked);
    assert_eq!(head.confidence, Some(70));
    assert_eq!(
        head.pattern.as_ref().map(|raw| &*raw.pattern_type),
        Some("stix")
    );
    assert_eq!(head.lease.as_ref().map(|lease| lease.ttl_s), Some(60));
    assert_eq!(object.version().to_string(), "2026-11-22T00:00:01.000Z");
    assert_eq!(object.raw(), indicator().to_string().as_bytes());
}

/// Where | what stands there instead | the path of the error. `LEASE` stands for the key of the
/// lease extension, `ID` for a UUID.
const WRONG: &str = r#"
/type | "identity" | $.type
/type | 1 | $.type
/id | "indicator--1" | $.id
/id | "malware--ID" | $.type
/spec_version | "2.0" | $.spec_version
/spec_version | 2.1 | $.spec_version
/created | "2026-11-22" | $.created
/created | 0 | $.created
/created | null | $.created
/modified | "2026-11-21T00:00:00Z" | $.modified
/created_by_ref | "me" | $.created_by_ref
/revoked | "false" | $.revoked
/confidence | 101 | $.confidence
/confidence | -1 | $.confidence
/confidence | 50.5 | $.confidence
/valid_until | "2026-11-22T00:00:00Z" | $.valid_until
/object_marking_refs | [] | $.object_marking_refs
/object_marking_refs | "TLP:RED" | $.object_marking_refs
/object_marking_refs/1 | "TLP:RED" | $.object_marking_refs[1]
/object_marking_refs/1 | "malware--ID" | $.object_marking_refs[1]
/pattern | "[ipv4-addr:value = 192.0.2.1]" | $.pattern
/pattern | 7 | $.pattern
/pattern | "[ipv4-addr:value = '192.0.2.2']" | $.extensions['LEASE']
/pattern | "[file:name = 'x']" | $.extensions['LEASE']
/pattern_type | "suricata" | $.extensions['LEASE']
/extensions | [] | $.extensions
/extensions/LEASE/ttl_s | 0 | $.extensions['LEASE']
/extensions/LEASE/selector | {"source": "192.0.2.0/24"} | $.extensions['LEASE']
"#;

#[test]
fn what_would_become_a_wrong_block_is_refused_with_its_path() {
    let table = WRONG
        .replace("LEASE", lease::EXTENSION_ID)
        .replace("--ID", &format!("--{ID}"));
    for row in table.lines().filter(|row| !row.is_empty()) {
        let [at, wrong, path] = row.splitn(3, " | ").collect::<Vec<_>>().try_into().unwrap();
        let mut value = indicator();
        *value.pointer_mut(at).unwrap() = serde_json::from_str(wrong).unwrap();
        let error = parse(&value).unwrap_err();
        assert_eq!(&*error.path, path, "{row}: {error}");
        assert!(!error.rule().is_empty() && !error.mend().is_empty());
    }
}

#[test]
fn required_properties_are_missed_by_name() {
    let required = [
        "type",
        "id",
        "spec_version",
        "created",
        "modified",
        "pattern",
        "pattern_type",
        "valid_from",
    ];
    for key in required {
        let mut value = indicator();
        value.as_object_mut().unwrap().remove(key);
        let error = parse(&value).unwrap_err();
        assert_eq!(
            (&*error.path, error.fault),
            (format!("$.{key}").as_str(), Fault::Missing)
        );
    }
}

#[test]
fn observables_and_custom_objects_need_no_version() {
    for kind in ["ipv4-addr", "x-partner-note"] {
        let object = parse(&json!({"type": kind, "id": format!("{kind}--{ID}")})).unwrap();
        assert_eq!(object.version(), Timestamp::EPOCH);
    }
    let custom = json!({"type": "x-note", "id": format!("x-note--{ID}"), "created": "yesterday"});
    assert_eq!(&*parse(&custom).unwrap_err().path, "$.created");
}

#[test]
fn a_sighting_has_a_reference_and_a_count() {
    let sighting = json!({
        "type": "sighting", "spec_version": "2.1", "id": format!("sighting--{ID}"),
        "created": "2026-11-22T00:00:00Z", "modified": "2026-11-22T00:00:00Z",
        "sighting_of_ref": format!("indicator--{ID}"), "count": 7,
        "first_seen": "2026-11-22T00:00:00Z", "last_seen": "2026-11-22T00:00:00Z",
    });
    let head = parse(&sighting).unwrap().head().clone();
    assert_eq!(
        (head.sighting_of.unwrap().kind(), head.count),
        ("indicator", Some(7))
    );
    for (key, wrong) in [
        ("count", json!(1_000_000_000)),
        ("last_seen", json!("2026-11-21T00:00:00Z")),
        ("sighting_of_ref", json!("me")),
        ("sighting_of_ref", json!(null)),
    ] {
        let mut value = sighting.clone();
        value[key] = wrong;
        assert_eq!(&*parse(&value).unwrap_err().path, format!("$.{key}"));
    }
}

#[test]
fn other_markings_are_seen() {
    let mut value = indicator();
    value["object_marking_refs"] =
        json!([Tlp::Green.marking_id(), format!("marking-definition--{ID}")]);
    value["granular_markings"] =
        json!([{"selectors": ["name"], "marking_ref": Tlp::Red.marking_id()}]);
    let object = parse(&value).unwrap();
    assert_eq!(object.head().tlp(), Some(Tlp::Green));
    assert!(object.head().unknown_markings() && object.head().granular_markings);
}

#[test]
fn force_begins_and_ends() {
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let head = parse(&indicator()).unwrap().head().clone();
    assert!(!head.in_force(at("2026-11-21T23:59:59Z")));
    assert!(head.in_force(at("2026-11-22T00:00:00Z")));
    assert!(!head.in_force(at("2026-11-22T00:01:00Z")));
    assert!(
        !Head {
            revoked: true,
            ..head
        }
        .in_force(at("2026-11-22T00:00:00Z"))
    );
}

#[test]
fn the_digest_is_sha_256_of_the_bytes() {
    let object = parse(&json!({"type": "x-a", "id": format!("x-a--{ID}")})).unwrap();
    assert_eq!(
        object.digest().as_slice(),
        Sha256::digest(object.raw()).as_slice()
    );
}

proptest! {
    #[test]
    fn bytes_survive_whatever_else_is_in_them(
        key in "x_[a-z]{1,9}",
        text in "\\PC{0,20}",
        space in "[ \t\r\n]{0,3}",
        number in any::<f64>(),
    ) {
        let extra = json!({"s": text, "n": number}).to_string();
        let raw = format!("{{{space}\"type\":{space}\"x-thing\",\"{key}\":{extra}{space},\"id\":\"x-thing--{ID}\"}}");
        let object = Object::parse(raw.as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(object.raw(), raw.as_bytes());
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        if let Ok(object) = Object::parse(&bytes, &Limits::default()) {
            prop_assert_eq!(object.raw(), bytes.trim_ascii());
        }
    }

    /// One property of a good object replaced by any value: an answer, never a panic, and what is
    /// accepted has a head that is within its ranges.
    #[test]
    fn any_value_anywhere_gets_an_answer(
        at in any::<proptest::sample::Index>(),
        with in prop_oneof![
            Just(json!(null)), Just(json!([])), Just(json!({})), Just(json!([[]])),
            any::<i64>().prop_map(|n| json!(n)), any::<f64>().prop_map(|n| json!(n)),
            "\\PC{0,30}".prop_map(|s| json!(s)), any::<bool>().prop_map(|b| json!(b)),
        ],
    ) {
        let mut value = indicator();
        let keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        value[&keys[at.index(keys.len())]] = with;
        if let Ok(object) = parse(&value) {
            prop_assert!(object.head().confidence.is_none_or(|confidence| confidence <= 100));
            prop_assert_eq!(object.head().id.kind(), &*object.head().kind);
        }
    }
}
