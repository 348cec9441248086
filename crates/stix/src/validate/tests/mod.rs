mod rules;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::marking::Tlp;

const ID: &str = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
const AT: &str = "2026-11-22T00:00:00.000Z";

fn report(value: &Value) -> Report {
    document(value.to_string().as_bytes(), &Limits::default())
}

/// A versioned object with what all of them must have, and these properties.
fn versioned(kind: &str, own: &Value) -> Value {
    let mut object = json!({
        "type": kind, "spec_version": "2.1", "id": format!("{kind}--{ID}"),
        "created": AT, "modified": AT,
    });
    merge(&mut object, own);
    object
}

fn observable(kind: &str, own: &Value) -> Value {
    let mut object = json!({"type": kind, "id": format!("{kind}--{ID}")});
    merge(&mut object, own);
    object
}

fn merge(object: &mut Value, own: &Value) {
    for (key, value) in own.as_object().unwrap() {
        object[key] = value.clone();
    }
}

fn id(kind: &str) -> String {
    format!("{kind}--{ID}")
}

/// Type | the properties that one of its class needs beside those of all.
const LEAST: &str = r#"
attack-pattern | {"name": "a"}
campaign | {"name": "a"}
course-of-action | {"name": "a"}
grouping | {"context": "unspecified", "object_refs": ["malware--ID"]}
identity | {"name": "a"}
incident | {"name": "a"}
indicator | {"pattern": "[file:name = 'a']", "pattern_type": "stix", "valid_from": "2026-11-22T00:00:00.000Z"}
infrastructure | {"name": "a"}
intrusion-set | {"name": "a"}
location | {"country": "SE"}
malware | {"is_family": false}
malware-analysis | {"product": "a", "result": "benign"}
note | {"content": "a", "object_refs": ["malware--ID"]}
observed-data | {"first_observed": "2026-11-22T00:00:00.000Z", "last_observed": "2026-11-22T00:00:00.000Z", "number_observed": 1, "object_refs": ["file--ID"]}
opinion | {"opinion": "agree", "object_refs": ["malware--ID"]}
report | {"name": "a", "published": "2026-11-22T00:00:00.000Z", "object_refs": ["malware--ID"]}
threat-actor | {"name": "a"}
tool | {"name": "a"}
vulnerability | {"name": "a"}
relationship | {"relationship_type": "uses", "source_ref": "malware--ID", "target_ref": "tool--ID"}
sighting | {"sighting_of_ref": "indicator--ID"}
language-content | {"object_ref": "malware--ID", "contents": {"de": {"name": "a"}}}
extension-definition | {"name": "a", "schema": "a", "version": "1.0.0", "created_by_ref": "identity--ID", "extension_types": ["new-sdo"]}
marking-definition | {"definition_type": "statement", "definition": {"statement": "a"}}
artifact | {"payload_bin": "AAAA"}
autonomous-system | {"number": 1}
directory | {"path": "/"}
domain-name | {"value": "a.example"}
email-addr | {"value": "a@a.example"}
email-message | {"is_multipart": false}
file | {"name": "a"}
ipv4-addr | {"value": "192.0.2.1"}
ipv6-addr | {"value": "2001:db8::1"}
mac-addr | {"value": "00:00:5e:00:53:01"}
mutex | {"name": "a"}
network-traffic | {"protocols": ["tcp"], "src_ref": "ipv4-addr--ID"}
process | {"pid": 1}
software | {"name": "a"}
url | {"value": "http://a.example/"}
user-account | {"user_id": "a"}
windows-registry-key | {"key": "HKEY_LOCAL_MACHINE\\a"}
x509-certificate | {"serial_number": "1"}
"#;

/// One legal object of each type, with no more than is required.
fn least() -> Vec<Value> {
    let rows = LEAST.lines().filter_map(|line| line.split_once(" | "));
    rows.map(|(kind, own)| {
        let own: Value = serde_json::from_str(&own.replace("ID", ID)).unwrap();
        match table::class(kind).unwrap() {
            table::Class::Observable => observable(kind, &own),
            table::Class::Marking => {
                let mut object = versioned(kind, &own);
                object.as_object_mut().unwrap().remove("modified");
                object
            }
            table::Class::Domain | table::Class::Relationship | table::Class::Meta => {
                versioned(kind, &own)
            }
        }
    })
    .collect()
}

#[test]
fn the_least_of_each_type_is_valid_and_nothing_of_it_can_be_left_out() {
    let mut kinds = 0;
    for object in least() {
        assert_eq!(report(&object).errors, [], "{object}");
        kinds += 1;
        for name in object.as_object().unwrap().keys() {
            if name == "spec_version" && object.get("created").is_none() {
                continue;
            }
            let mut less = object.clone();
            less.as_object_mut().unwrap().remove(name);
            assert!(!report(&less).is_valid(), "{object} without {name}");
        }
    }
    assert_eq!(
        kinds, 42,
        "19 domain, 2 relationship, 3 meta, 18 observable"
    );
}

#[test]
fn each_property_is_refused_in_another_type() {
    for object in least() {
        for name in object.as_object().unwrap().keys() {
            for wrong in [json!(null), json!({"a": []}), json!([[]]), json!([])] {
                let mut other = object.clone();
                other[name] = wrong.clone();
                let report = report(&other);
                assert!(!report.is_valid(), "{name}: {wrong} in {object}");
                let path = format!("$.{name}");
                let there = |finding: &Finding| finding.path.starts_with(&*path);
                assert!(
                    report.errors.iter().any(there),
                    "{name}: {:?}",
                    report.errors
                );
            }
        }
    }
}

const LATER: &str = "2026-11-23T00:00:00.000Z";

#[test]
fn what_an_extension_defines_is_its_own() {
    let extension = |kind: &str| json!({id("extension-definition"): {"extension_type": kind, "a_b": [{"C": null}]}});
    let mut tool = versioned(
        "tool",
        &json!({"name": "a", "rank": 5, "extensions": extension("toplevel-property-extension")}),
    );
    let quiet = |object: &Value| {
        let report = report(object);
        report.is_valid()
            && report
                .warnings
                .iter()
                .all(|finding| &*finding.rule != "STIX 2.1 section 11.1")
    };
    assert!(quiet(&tool));
    tool["extensions"] = extension("property-extension");
    assert!(!quiet(&tool));
    let new = |kind: &str, class: &str, own: &Value| {
        let mut object = json!({"type": kind, "id": id(kind), "extensions": extension(class)});
        merge(&mut object, own);
        report(&object)
    };
    let versions = json!({"spec_version": "2.1", "created": AT, "modified": AT, "rank": [1]});
    assert_eq!(new("thing", "new-sdo", &versions), Report::default());
    assert_eq!(
        new("thing", "new-sco", &json!({"rank": 1})),
        Report::default()
    );
    assert_eq!(new("thing", "new-sro", &json!({"rank": 1})).errors.len(), 3);
    assert_eq!(new("x-thing", "new-sdo", &versions).warnings.len(), 1);
    assert!(!new("action", "new-sco", &json!({})).is_valid());
    assert!(!new("Thing", "new-sco", &json!({})).is_valid());
}

#[test]
fn the_markings_of_tlp_are_fixed() {
    let old = |id: &str, name: &str, colour: &str| {
        report(
            &json!({"type": "marking-definition", "spec_version": "2.1", "created": "2017-01-20T00:00:00.000Z",
            "id": format!("marking-definition--{id}"), "name": name, "definition_type": "tlp", "definition": {"tlp": colour}}),
        )
    };
    let amber = "f88d31f6-486f-44da-b317-01333bde0b82";
    assert_eq!(old(amber, "TLP:AMBER", "amber"), Report::default());
    assert!(!old(amber, "TLP:AMBER", "red").is_valid());
    assert!(!old(amber, "TLP:RED", "amber").is_valid());
    assert!(!old("55d920b0-5e8b-4f79-9ee9-91f868d9b421", "TLP:AMBER", "amber").is_valid());
    for tlp in Tlp::ALL {
        let label = tlp
            .name()
            .strip_prefix("TLP:")
            .unwrap()
            .to_ascii_lowercase();
        let mut marking = json!({"type": "marking-definition", "spec_version": "2.1", "created": AT, "id": tlp.marking_id(),
            "name": tlp.name(), "extensions": {marking::TLP_2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": label}}});
        assert_eq!(report(&marking), Report::default(), "{tlp}");
        marking["id"] = json!(id("marking-definition"));
        assert!(!report(&marking).is_valid(), "{tlp}");
    }
}

#[test]
fn a_marking_that_is_not_known_is_carried_and_allows_nothing() {
    let acs = json!({"type": "marking-definition", "spec_version": "2.1", "created": AT, "id": id("marking-definition"),
        "extensions": {"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce": {
            "extension_type": "property-extension", "identifier": "isa:guide.19001.ACS3", "control_set": {"classification": "U"}}}});
    assert_eq!(report(&acs), Report::default());
    let tool = versioned(
        "tool",
        &json!({"name": "a", "object_marking_refs": [acs["id"]]}),
    );
    let object =
        crate::Object::parse_valid(tool.to_string().as_bytes(), &Limits::default()).unwrap();
    assert!(object.head().unknown_markings());
}

#[test]
fn versions_in_a_bundle_agree() {
    let bundle = |changes: Value| {
        let first = versioned(
            "tool",
            &json!({"name": "a", "created_by_ref": id("identity")}),
        );
        let mut second = first.clone();
        second["modified"] = json!(LATER);
        merge(&mut second, &changes);
        let mut objects = vec![first, second];
        if changes["modified"] == json!("before") {
            objects[1]["modified"] = json!(LATER);
            objects[0]["revoked"] = json!(true);
        }
        report(&json!({"type": "bundle", "id": id("bundle"), "objects": objects}))
    };
    assert_eq!(bundle(json!({"revoked": true})), Report::default());
    assert_eq!(
        &*bundle(json!({"created": "2026-11-21T00:00:00.000Z"})).errors[0].path,
        "$.objects[1].created"
    );
    assert_eq!(
        &*bundle(json!({"modified": "before"})).errors[0].path,
        "$.objects[1].modified"
    );
    assert_eq!(
        &*bundle(json!({"modified": AT})).warnings[0].path,
        "$.objects[1].modified"
    );
    assert_eq!(
        &*bundle(json!({"created_by_ref": id("identity").replace('8', "9")})).warnings[0].path,
        "$.objects[1].created_by_ref"
    );
    for wrong in [
        json!([]),
        json!({}),
        json!([{"type": "bundle", "id": id("bundle")}]),
        json!([1]),
    ] {
        assert!(
            !report(&json!({"type": "bundle", "id": id("bundle"), "objects": wrong})).is_valid()
        );
    }
    assert!(!report(&json!({"type": "bundle"})).is_valid());
    assert_eq!(
        report(&json!({"type": "bundle", "id": id("bundle")})),
        Report::default()
    );
}

#[test]
fn deterministic_identifiers_are_those_of_other_programs() {
    // Computed by the package `stix2` 3.0.2 of PyPI.
    let cases = [
        (
            r#"{"type":"ipv4-addr","value":"198.51.100.3"}"#,
            "28bb3599-77cd-5a82-a950-b5bc3caf07c4",
        ),
        (
            r#"{"type":"domain-name","value":"example.com"}"#,
            "bedb4899-d24b-5401-bc86-8f6b4cc18ec7",
        ),
        (
            r#"{"type":"file","hashes":{"SHA-256":"00","MD5":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"},"name":"é\n.txt"}"#,
            "9a223b1a-8ca1-57c1-9f0f-92f0fda7b23a",
        ),
        (
            r#"{"type":"network-traffic","src_ref":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","src_port":1,"dst_port":80,"protocols":["tcp","http"]}"#,
            "85c0c0de-7078-577f-abc3-54a16e540d0e",
        ),
        (
            r#"{"type":"user-account","user_id":"1001","account_type":"unix"}"#,
            "63e381d7-a9f9-5e46-b5c6-b89957a0212e",
        ),
        (
            r#"{"type":"windows-registry-key","key":"hkey_local_machine\\a","values":[{"name":"Foo","data":"q","data_type":"REG_SZ"}]}"#,
            "bccae1de-a0ed-5f33-a34d-bf4824e0dbd0",
        ),
        (
            r#"{"type":"file","name":"a","extensions":{"windows-pebinary-ext":{"pe_type":"exe","sections":[{"name":"C","size":10,"entropy":0.061089}]}}}"#,
            "07cdc080-cc39-51ad-9969-7f984f30868b",
        ),
        (
            r#"{"type":"autonomous-system","number":15139}"#,
            "3aa27478-50b5-5ab8-9da9-cdc12b657fff",
        ),
    ];
    for (object, want) in cases {
        let got = deterministic(object.as_bytes()).unwrap();
        assert_eq!(got.to_string(), want, "{object}");
    }
    assert_eq!(deterministic(br#"{"type":"process","pid":1}"#), None);
    assert_eq!(deterministic(b"spam"), None);
}

#[test]
fn reports_are_bounded() {
    let many: serde_json::Map<String, Value> =
        (0..1000).map(|n| (format!("-{n}"), json!([]))).collect();
    let report = report(&Value::Object(
        [
            many.into_iter().collect(),
            versioned("tool", &json!({"name": "a"}))
                .as_object()
                .unwrap()
                .clone(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    ));
    assert_eq!(report.errors.len(), FINDINGS_MAX);
    assert_eq!(report.warnings.len(), FINDINGS_MAX);
    assert_eq!(report.left_out, 3000 - 2 * FINDINGS_MAX);
    let one = |raw: &[u8]| document(raw, &Limits::default()).errors.len();
    for raw in [
        "",
        "7",
        "{}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":1e999}",
        "{\"type\":1}",
    ] {
        assert_eq!(one(raw.as_bytes()), 1, "{raw}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(one(deep.as_bytes()), 1);
    let short = Limits {
        bytes_max: 3,
        ..Limits::default()
    };
    assert_eq!(document(b"{  }", &short).errors.len(), 1);
}

proptest! {
    /// What is said of an object does not depend on what stands in it: nothing panics, and every
    /// finding names a place.
    #[test]
    fn no_object_panics(kind in 0_usize..42, name in "[a-z_]{2,20}", text in ".{0,20}", number: f64) {
        let mut object = least().swap_remove(kind);
        let keys: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
        for key in keys.iter().chain([&name]) {
            for value in [json!(text), json!(number), json!([text]), json!({&*text: number})] {
                let before = object[key].take();
                object[key] = value;
                let report = report(&object);
                for finding in report.errors.iter().chain(&report.warnings) {
                    prop_assert!(finding.path.starts_with('$'));
                }
                object[key] = before;
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let report = document(&bytes, &Limits::default());
        prop_assert!(!report.is_valid() || bytes.trim_ascii().starts_with(b"["));
    }
}
