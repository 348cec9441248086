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
fn versioned(kind: &str, own: Value) -> Value {
    let mut object = json!({
        "type": kind, "spec_version": "2.1", "id": format!("{kind}--{ID}"),
        "created": AT, "modified": AT,
    });
    merge(&mut object, own);
    object
}

fn observable(kind: &str, own: Value) -> Value {
    let mut object = json!({"type": kind, "id": format!("{kind}--{ID}")});
    merge(&mut object, own);
    object
}

fn merge(object: &mut Value, own: Value) {
    for (key, value) in own.as_object().unwrap() {
        object[key] = value.clone();
    }
}

fn id(kind: &str) -> String {
    format!("{kind}--{ID}")
}

/// One legal object of each type, with no more than is required.
fn least() -> Vec<Value> {
    let seen = json!({"first_observed": AT, "last_observed": AT, "number_observed": 1, "object_refs": [id("file")]});
    vec![
        versioned("attack-pattern", json!({"name": "a"})),
        versioned("campaign", json!({"name": "a"})),
        versioned("course-of-action", json!({"name": "a"})),
        versioned(
            "grouping",
            json!({"context": "unspecified", "object_refs": [id("malware")]}),
        ),
        versioned("identity", json!({"name": "a"})),
        versioned("incident", json!({"name": "a"})),
        versioned(
            "indicator",
            json!({"pattern": "[file:name = 'a']", "pattern_type": "stix", "valid_from": AT}),
        ),
        versioned("infrastructure", json!({"name": "a"})),
        versioned("intrusion-set", json!({"name": "a"})),
        versioned("location", json!({"country": "SE"})),
        versioned("malware", json!({"is_family": false})),
        versioned(
            "malware-analysis",
            json!({"product": "a", "result": "benign"}),
        ),
        versioned(
            "note",
            json!({"content": "a", "object_refs": [id("malware")]}),
        ),
        versioned("observed-data", seen),
        versioned(
            "opinion",
            json!({"opinion": "agree", "object_refs": [id("malware")]}),
        ),
        versioned(
            "report",
            json!({"name": "a", "published": AT, "object_refs": [id("malware")]}),
        ),
        versioned("threat-actor", json!({"name": "a"})),
        versioned("tool", json!({"name": "a"})),
        versioned("vulnerability", json!({"name": "a"})),
        versioned(
            "relationship",
            json!({"relationship_type": "uses", "source_ref": id("malware"), "target_ref": id("tool")}),
        ),
        versioned("sighting", json!({"sighting_of_ref": id("indicator")})),
        versioned(
            "language-content",
            json!({"object_ref": id("malware"), "contents": {"de": {"name": "a"}}}),
        ),
        versioned(
            "extension-definition",
            json!({"name": "a", "schema": "a", "version": "1.0.0", "created_by_ref": id("identity"), "extension_types": ["new-sdo"]}),
        ),
        json!({"type": "marking-definition", "spec_version": "2.1", "id": id("marking-definition"), "created": AT,
            "definition_type": "statement", "definition": {"statement": "a"}}),
        observable("artifact", json!({"payload_bin": "AAAA"})),
        observable("autonomous-system", json!({"number": 1})),
        observable("directory", json!({"path": "/"})),
        observable("domain-name", json!({"value": "a.example"})),
        observable("email-addr", json!({"value": "a@a.example"})),
        observable("email-message", json!({"is_multipart": false})),
        observable("file", json!({"name": "a"})),
        observable("ipv4-addr", json!({"value": "192.0.2.1"})),
        observable("ipv6-addr", json!({"value": "2001:db8::1"})),
        observable("mac-addr", json!({"value": "00:00:5e:00:53:01"})),
        observable("mutex", json!({"name": "a"})),
        observable(
            "network-traffic",
            json!({"protocols": ["tcp"], "src_ref": id("ipv4-addr")}),
        ),
        observable("process", json!({"pid": 1})),
        observable("software", json!({"name": "a"})),
        observable("url", json!({"value": "http://a.example/"})),
        observable("user-account", json!({"user_id": "a"})),
        observable(
            "windows-registry-key",
            json!({"key": "HKEY_LOCAL_MACHINE\\a"}),
        ),
        observable("x509-certificate", json!({"serial_number": "1"})),
    ]
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

/// Type | properties that make it wrong or odd | path of the finding | rule.
fn hold(cases: &[(&str, Value, &str, &str)], must: bool) {
    for (kind, own, path, rule) in cases {
        let mut object = least()
            .into_iter()
            .find(|object| object["type"] == *kind)
            .unwrap();
        merge(&mut object, own.clone());
        let nulls: Vec<String> = own
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, v)| v.is_null())
            .map(|(k, _)| k.clone())
            .collect();
        for name in nulls {
            object.as_object_mut().unwrap().remove(&name);
        }
        let report = report(&object);
        let list = if must {
            &report.errors
        } else {
            &report.warnings
        };
        let found = list.iter().any(|finding| {
            &*finding.path == *path && finding.rule == format!("STIX 2.1 section {rule}")
        });
        assert!(found, "{kind} {own}: {report:#?}");
        assert_eq!(report.is_valid(), !must, "{kind} {own}: {report:#?}");
    }
}

const LATER: &str = "2026-11-23T00:00:00.000Z";

#[test]
fn musts_of_all_objects() {
    let clear = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9";
    hold(
        &[
            ("tool", json!({"created": LATER}), "$.modified", "3.2"),
            (
                "tool",
                json!({"created": "2026-11-22T00:00:00Z"}),
                "$.created",
                "3.2",
            ),
            (
                "tool",
                json!({"modified": "2026-11-31T00:00:00.000Z"}),
                "$.modified",
                "2.16",
            ),
            (
                "tool",
                json!({"spec_version": "2.0"}),
                "$.spec_version",
                "3.2",
            ),
            ("tool", json!({"confidence": 101}), "$.confidence", "3.2"),
            ("tool", json!({"confidence": 1.5}), "$.confidence", "3.2"),
            ("tool", json!({"lang": "foo"}), "$.lang", "3.2"),
            ("tool", json!({"labels": []}), "$.labels", "2.12"),
            ("tool", json!({"id": id("malware")}), "$.id", "2.9"),
            ("tool", json!({"id": "tool--1"}), "$.id", "2.9"),
            (
                "tool",
                json!({"created_by_ref": "me"}),
                "$.created_by_ref",
                "2.9",
            ),
            (
                "tool",
                json!({"object_marking_refs": [id("tool")]}),
                "$.object_marking_refs[0]",
                "3.2",
            ),
            ("tool", json!({"x-odd": 1}), "$['x-odd']", "3.1"),
            ("tool", json!({"severity": 1}), "$.severity", "3.8"),
            ("tool", json!({"x_a_list": []}), "$.x_a_list", "2.12"),
            ("tool", json!({"x_a_hex": "0"}), "$.x_a_hex", "2.8"),
            ("tool", json!({"x_a_bin": "0"}), "$.x_a_bin", "2.1"),
            ("tool", json!({"extensions": {}}), "$.extensions", "2.3"),
            (
                "tool",
                json!({"extensions": {"spam": {"a": 1}}}),
                "$.extensions.spam",
                "7.3",
            ),
            (
                "tool",
                json!({"extensions": {id("extension-definition"): {"a_b": 1}}}),
                "$.extensions['extension-definition--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f'].extension_type",
                "7.3",
            ),
            (
                "tool",
                json!({"external_references": [{"source_name": "a"}]}),
                "$.external_references[0]",
                "2.5",
            ),
            (
                "tool",
                json!({"external_references": [{"description": "a"}]}),
                "$.external_references[0].source_name",
                "2.5",
            ),
            (
                "tool",
                json!({"external_references": [{"source_name": "a", "url": "a b"}]}),
                "$.external_references[0].url",
                "6.15.1",
            ),
            (
                "tool",
                json!({"external_references": [{"source_name": "cve", "external_id": "1"}]}),
                "$.external_references[0].external_id",
                "4.19.1",
            ),
            (
                "tool",
                json!({"kill_chain_phases": [{"kill_chain_name": "a"}]}),
                "$.kill_chain_phases[0].phase_name",
                "2.11",
            ),
            (
                "tool",
                json!({"granular_markings": [{"selectors": ["name"]}]}),
                "$.granular_markings[0]",
                "7.2.3.1",
            ),
            (
                "tool",
                json!({"granular_markings": [{"selectors": ["name"], "lang": "en", "marking_ref": clear}]}),
                "$.granular_markings[0]",
                "7.2.3.1",
            ),
            (
                "tool",
                json!({"granular_markings": [{"selectors": ["[0]"], "lang": "en"}]}),
                "$.granular_markings[0].selectors[0]",
                "7.2.3.2",
            ),
            (
                "tool",
                json!({"labels": ["a"], "granular_markings": [{"selectors": ["labels.[0]", "labels.[1]"], "lang": "en"}]}),
                "$.granular_markings[0].selectors[1]",
                "7.2.3.2",
            ),
        ],
        true,
    );
}

#[test]
fn musts_of_domain_and_relationship_objects() {
    let (early, late) = ("2026-11-22T00:00:00Z", "2026-11-22T00:00:00.000001Z");
    let cve = json!([{"source_name": "CVE", "external_id": "CVE-2026-0001"}]);
    let capec = json!([{"source_name": "CAPEC", "external_id": "CAPEC-1"}]);
    hold(
        &[
            (
                "attack-pattern",
                json!({"external_references": capec}),
                "$.external_references",
                "4.1.1",
            ),
            (
                "campaign",
                json!({"first_seen": late, "last_seen": early}),
                "$.last_seen",
                "4.2.1",
            ),
            (
                "indicator",
                json!({"valid_until": AT}),
                "$.valid_until",
                "4.7.1",
            ),
            (
                "indicator",
                json!({"pattern": "[file:name"}),
                "$.pattern",
                "9",
            ),
            (
                "location",
                json!({"country": null, "city": "a"}),
                "$",
                "4.10.1",
            ),
            ("location", json!({"latitude": 1}), "$.longitude", "4.10.1"),
            (
                "location",
                json!({"latitude": 91, "longitude": 0}),
                "$.latitude",
                "4.10.1",
            ),
            ("location", json!({"precision": 1}), "$.latitude", "4.10.1"),
            ("malware", json!({"is_family": true}), "$.name", "4.11.1"),
            (
                "malware",
                json!({"sample_refs": [id("url")]}),
                "$.sample_refs[0]",
                "4.11.1",
            ),
            (
                "malware",
                json!({"operating_system_refs": [id("file")]}),
                "$.operating_system_refs[0]",
                "4.11.1",
            ),
            ("malware-analysis", json!({"result": null}), "$", "4.12.1"),
            (
                "malware-analysis",
                json!({"sample_ref": id("url")}),
                "$.sample_ref",
                "4.12.1",
            ),
            (
                "observed-data",
                json!({"number_observed": 0}),
                "$.number_observed",
                "4.14.1",
            ),
            (
                "observed-data",
                json!({"object_refs": [id("tool")]}),
                "$.object_refs[0]",
                "4.14.1",
            ),
            (
                "observed-data",
                json!({"object_refs": [id("relationship")]}),
                "$.object_refs",
                "4.14.1",
            ),
            (
                "observed-data",
                json!({"objects": {"0": {"type": "file", "name": "a", "id": id("file")}}}),
                "$",
                "4.14.1",
            ),
            (
                "observed-data",
                json!({"object_refs": null, "objects": {"0": {"type": "file", "id": id("file")}}}),
                "$.objects.0",
                "6.7.1",
            ),
            ("opinion", json!({"opinion": "maybe"}), "$.opinion", "10.18"),
            (
                "vulnerability",
                json!({"external_references": cve}),
                "$.external_references",
                "4.19.1",
            ),
            (
                "relationship",
                json!({"relationship_type": "Uses"}),
                "$.relationship_type",
                "5.1.1",
            ),
            (
                "relationship",
                json!({"target_ref": id("sighting")}),
                "$.target_ref",
                "5.1.1",
            ),
            (
                "relationship",
                json!({"start_time": AT, "stop_time": AT}),
                "$.stop_time",
                "5.1.1",
            ),
            (
                "sighting",
                json!({"sighting_of_ref": id("file")}),
                "$.sighting_of_ref",
                "5.2.1",
            ),
            (
                "sighting",
                json!({"observed_data_refs": [id("file")]}),
                "$.observed_data_refs[0]",
                "5.2.1",
            ),
            (
                "sighting",
                json!({"where_sighted_refs": [id("file")]}),
                "$.where_sighted_refs[0]",
                "5.2.1",
            ),
            (
                "sighting",
                json!({"count": 1_000_000_000}),
                "$.count",
                "5.2.1",
            ),
            (
                "sighting",
                json!({"first_seen": late, "last_seen": early}),
                "$.last_seen",
                "5.2.1",
            ),
        ],
        true,
    );
}

#[test]
fn musts_of_observables() {
    hold(
        &[
            (
                "artifact",
                json!({"url": "http://a.example/"}),
                "$",
                "6.1.1",
            ),
            (
                "artifact",
                json!({"payload_bin": null, "url": "http://a.example/"}),
                "$.hashes",
                "6.1.1",
            ),
            (
                "artifact",
                json!({"decryption_key": "a"}),
                "$.encryption_algorithm",
                "6.1.1",
            ),
            (
                "artifact",
                json!({"encryption_algorithm": "rot13"}),
                "$.encryption_algorithm",
                "10.4",
            ),
            (
                "artifact",
                json!({"payload_bin": "a"}),
                "$.payload_bin",
                "2.1",
            ),
            (
                "artifact",
                json!({"hashes": {"MD5": "0"}}),
                "$.hashes.MD5",
                "2.7",
            ),
            (
                "directory",
                json!({"path_enc": "spam"}),
                "$.path_enc",
                "6.7.1",
            ),
            (
                "directory",
                json!({"contains_refs": [id("url")]}),
                "$.contains_refs[0]",
                "6.3.1",
            ),
            ("domain-name", json!({"value": "a..b"}), "$.value", "6.4.1"),
            (
                "email-addr",
                json!({"value": "A <a@a.example>"}),
                "$.value",
                "6.5.1",
            ),
            (
                "email-message",
                json!({"body_multipart": [{"body": "a"}]}),
                "$.body_multipart",
                "6.6.1",
            ),
            (
                "email-message",
                json!({"is_multipart": true, "body": "a"}),
                "$.body",
                "6.6.1",
            ),
            (
                "email-message",
                json!({"is_multipart": true, "body_multipart": [{"content_type": "a"}]}),
                "$.body_multipart[0]",
                "6.6.2",
            ),
            ("file", json!({"name": null}), "$", "6.7.1"),
            (
                "file",
                json!({"extensions": {"ntfs-ext": {"alternate_data_streams": [{"size": 1}]}}}),
                "$.extensions['ntfs-ext'].alternate_data_streams[0].name",
                "6.7.3.1",
            ),
            (
                "file",
                json!({"extensions": {"windows-pebinary-ext": {"pe_type": "exe"}}}),
                "$.extensions['windows-pebinary-ext']",
                "6.7.6",
            ),
            (
                "file",
                json!({"extensions": {"windows-pebinary-ext": {"pe_type": "exe", "time_date_stamp": AT}}}),
                "$.extensions['windows-pebinary-ext'].time_date_stamp",
                "6.7.6",
            ),
            (
                "ipv4-addr",
                json!({"value": "192.0.2.1/33"}),
                "$.value",
                "6.8.1",
            ),
            (
                "ipv4-addr",
                json!({"value": "192.0.2.1/01"}),
                "$.value",
                "6.8.1",
            ),
            ("ipv6-addr", json!({"value": "::1/129"}), "$.value", "6.9.1"),
            (
                "mac-addr",
                json!({"value": "00:00:5E:00:53:01"}),
                "$.value",
                "6.10.1",
            ),
            ("network-traffic", json!({"src_ref": null}), "$", "6.12.1"),
            (
                "network-traffic",
                json!({"src_ref": id("file")}),
                "$.src_ref",
                "6.12.1",
            ),
            (
                "network-traffic",
                json!({"src_port": 65536, "dst_port": 1}),
                "$.src_port",
                "6.12.1",
            ),
            (
                "network-traffic",
                json!({"is_active": true, "end": AT}),
                "$.end",
                "6.12.1",
            ),
            (
                "network-traffic",
                json!({"start": LATER, "end": AT}),
                "$.end",
                "6.12.1",
            ),
            (
                "network-traffic",
                json!({"extensions": {"icmp-ext": {"icmp_type_hex": "08"}}}),
                "$.extensions['icmp-ext'].icmp_code_hex",
                "6.12.3",
            ),
            (
                "network-traffic",
                json!({"extensions": {"socket-ext": {"address_family": "AF_INET", "options": {"spam": 1}}}}),
                "$.extensions['socket-ext'].options",
                "6.12.4",
            ),
            ("process", json!({"pid": null}), "$", "6.13.1"),
            (
                "process",
                json!({"extensions": {"windows-service-ext": {"start_type": "a"}}}),
                "$.extensions['windows-service-ext'].start_type",
                "10.30",
            ),
            (
                "process",
                json!({"extensions": {"windows-process-ext": {"startup_info": {"cbx": 1}}}}),
                "$.extensions['windows-process-ext'].startup_info",
                "6.13.2",
            ),
            ("software", json!({"cpe": "cpe:/a:b"}), "$.cpe", "6.14.1"),
            (
                "software",
                json!({"languages": ["foo"]}),
                "$.languages[0]",
                "3.2",
            ),
            (
                "url",
                json!({"value": "www.a.example"}),
                "$.value",
                "6.15.1",
            ),
            (
                "user-account",
                json!({"extensions": {"unix-account-ext": {"gid": "0"}}}),
                "$.extensions['unix-account-ext'].gid",
                "6.16.2",
            ),
            (
                "windows-registry-key",
                json!({"key": "hklm\\a"}),
                "$.key",
                "6.17.1",
            ),
            (
                "windows-registry-key",
                json!({"values": [{}]}),
                "$.values[0]",
                "6.17.2",
            ),
            (
                "x509-certificate",
                json!({"x509_v3_extensions": {}}),
                "$.x509_v3_extensions",
                "6.18.2",
            ),
            (
                "process",
                json!({"id": "process--8e2e2d2b-17d4-5cbf-938f-98ee46b3cd3f"}),
                "$.id",
                "2.9",
            ),
        ],
        true,
    );
}

#[test]
fn musts_of_meta_objects() {
    hold(
        &[
            (
                "language-content",
                json!({"contents": {"foo": {"name": "a"}}}),
                "$.contents",
                "7.1.1",
            ),
            (
                "language-content",
                json!({"contents": {"de": {"n": "a"}}}),
                "$.contents",
                "7.1.1",
            ),
            (
                "language-content",
                json!({"object_ref": id("language-content")}),
                "$.object_ref",
                "7.1.1",
            ),
            (
                "extension-definition",
                json!({"extension_types": ["spam"]}),
                "$.extension_types[0]",
                "10.5",
            ),
            (
                "extension-definition",
                json!({"extension_properties": ["a_b"]}),
                "$.extension_properties",
                "7.3.1",
            ),
            (
                "marking-definition",
                json!({"definition": {"tlp": "red"}}),
                "$.definition",
                "7.2.1.3",
            ),
            (
                "marking-definition",
                json!({"definition_type": "tlp", "definition": {"tlp": "red"}}),
                "$",
                "7.2.1.4",
            ),
            (
                "marking-definition",
                json!({"object_marking_refs": [id("marking-definition")]}),
                "$.object_marking_refs[0]",
                "7.2.1",
            ),
            (
                "marking-definition",
                json!({"granular_markings": [{"selectors": ["name"], "marking_ref": id("marking-definition")}], "name": "a"}),
                "$.granular_markings[0].marking_ref",
                "7.2.1",
            ),
        ],
        true,
    );
}

#[test]
fn shoulds_warn_and_do_not_refuse() {
    let url = json!([{"source_name": "a", "url": "http://a.example/"}]);
    hold(
        &[
            (
                "tool",
                json!({"created_by_ref": id("tool")}),
                "$.created_by_ref",
                "3.2",
            ),
            (
                "tool",
                json!({"id": "tool--8e2e2d2b-17d4-5cbf-938f-98ee46b3cd3f"}),
                "$.id",
                "2.9",
            ),
            (
                "tool",
                json!({"id": "tool--00000000-0000-0000-0000-000000000001"}),
                "$.id",
                "2.9",
            ),
            (
                "tool",
                json!({"tool_types": ["a"]}),
                "$.tool_types[0]",
                "10.26",
            ),
            ("tool", json!({"x_a_b": 1}), "$.x_a_b", "11.1"),
            ("tool", json!({"other": 1}), "$.other", "11.1"),
            (
                "tool",
                json!({"x_a_b": {"A": {"b": []}}}),
                "$.x_a_b.A.b",
                "2.12",
            ),
            ("tool", json!({"x_a_b": {"A": 1}}), "$.x_a_b.A", "2.3"),
            (
                "tool",
                json!({"extensions": {"x-a-ext": {"a_b": 1}}}),
                "$.extensions['x-a-ext']",
                "11.3",
            ),
            (
                "tool",
                json!({"external_references": url}),
                "$.external_references[0].hashes",
                "2.5",
            ),
            (
                "tool",
                json!({"kill_chain_phases": [{"kill_chain_name": "A", "phase_name": "a"}]}),
                "$.kill_chain_phases[0].kill_chain_name",
                "2.11",
            ),
            ("indicator", json!({}), "$.name", "4.7.1"),
            (
                "indicator",
                json!({"pattern_type": "spam"}),
                "$.pattern_type",
                "10.19",
            ),
            ("location", json!({"country": "ZZ"}), "$.country", "4.10.1"),
            ("location", json!({"region": "a"}), "$.region", "10.21"),
            (
                "malware-analysis",
                json!({"product": "Some Scanner"}),
                "$.product",
                "4.12.1",
            ),
            (
                "observed-data",
                json!({"object_refs": null, "objects": {"0": {"type": "file", "name": "a", "id": id("file")}}}),
                "$.objects",
                "4.14.1",
            ),
            (
                "relationship",
                json!({"relationship_type": "mitigates"}),
                "$.relationship_type",
                "5.1.1",
            ),
            ("extension-definition", json!({}), "$.description", "7.3.1"),
            (
                "marking-definition",
                json!({"definition_type": "a"}),
                "$.definition_type",
                "7.2.1.1",
            ),
            ("file", json!({}), "$.id", "2.9"),
            ("file", json!({"mime_type": "spam"}), "$.mime_type", "6.7.1"),
            (
                "file",
                json!({"hashes": {"CRC-32": "0"}}),
                "$.hashes['CRC-32']",
                "10.7",
            ),
            (
                "file",
                json!({"extensions": {"pdf-ext": {"document_info_dict": {"foo": "a"}}}}),
                "$.extensions['pdf-ext'].document_info_dict",
                "6.7.4",
            ),
            (
                "file",
                json!({"extensions": {"windows-pebinary-ext": {"pe_type": "elf", "imphash": "a"}}}),
                "$.extensions['windows-pebinary-ext'].pe_type",
                "10.28",
            ),
            (
                "network-traffic",
                json!({"src_port": 1}),
                "$.dst_port",
                "6.12.1",
            ),
            (
                "network-traffic",
                json!({"protocols": ["foo_bar"]}),
                "$.protocols[0]",
                "6.12.1",
            ),
            (
                "network-traffic",
                json!({"ipfix": {"Foo": 1}}),
                "$.ipfix",
                "6.12.1",
            ),
            (
                "network-traffic",
                json!({"src_ref": "ipv4-addr--1"}),
                "$.src_ref",
                "2.9",
            ),
            (
                "network-traffic",
                json!({"extensions": {"http-request-ext": {"request_method": "get", "request_value": "/", "request_header": {"Spam": ["a"]}}}}),
                "$.extensions['http-request-ext'].request_header",
                "6.12.2",
            ),
            (
                "process",
                json!({"extensions": {"windows-process-ext": {"priority": "HIGH"}}}),
                "$.extensions['windows-process-ext'].priority",
                "6.13.2",
            ),
            (
                "user-account",
                json!({"account_type": "a"}),
                "$.account_type",
                "10.1",
            ),
        ],
        false,
    );
}

#[test]
fn what_an_extension_defines_is_its_own() {
    let extension = |kind: &str| json!({id("extension-definition"): {"extension_type": kind, "a_b": [{"C": null}]}});
    let mut tool = versioned(
        "tool",
        json!({"name": "a", "rank": 5, "extensions": extension("toplevel-property-extension")}),
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
    let new = |kind: &str, class: &str, own: Value| {
        let mut object = json!({"type": kind, "id": id(kind), "extensions": extension(class)});
        merge(&mut object, own);
        report(&object)
    };
    let versions = json!({"spec_version": "2.1", "created": AT, "modified": AT, "rank": [1]});
    assert_eq!(new("thing", "new-sdo", versions.clone()), Report::default());
    assert_eq!(
        new("thing", "new-sco", json!({"rank": 1})),
        Report::default()
    );
    assert_eq!(new("thing", "new-sro", json!({"rank": 1})).errors.len(), 3);
    assert_eq!(new("x-thing", "new-sdo", versions).warnings.len(), 1);
    assert!(!new("action", "new-sco", json!({})).is_valid());
    assert!(!new("Thing", "new-sco", json!({})).is_valid());
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
fn versions_in_a_bundle_agree() {
    let bundle = |changes: Value| {
        let first = versioned(
            "tool",
            json!({"name": "a", "created_by_ref": id("identity")}),
        );
        let mut second = first.clone();
        second["modified"] = json!(LATER);
        merge(&mut second, changes.clone());
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
    // Computed by the package `stix2` 3.0 of PyPI.
    let cases = [
        (
            json!({"type": "ipv4-addr", "value": "198.51.100.3"}),
            "28bb3599-77cd-5a82-a950-b5bc3caf07c4",
        ),
        (
            json!({"type": "domain-name", "value": "example.com"}),
            "bedb4899-d24b-5401-bc86-8f6b4cc18ec7",
        ),
    ];
    for (object, want) in cases {
        let got = deterministic(object.to_string().as_bytes()).unwrap();
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
            versioned("tool", json!({"name": "a"}))
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
