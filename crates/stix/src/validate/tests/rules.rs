//! One line for each rule: type | what makes its least object break the rule | where | section.
//! `ID` stands for a UUID, null for a property that is left out.

use super::*;

fn hold(table: &str, must: bool) {
    for line in table.lines().filter(|line| !line.is_empty()) {
        let line = line.replace("ID", ID);
        let cells: Vec<&str> = line.split(" | ").collect();
        let [kind, own, path, section] = cells[..] else {
            panic!("{line}");
        };
        let own: Value = serde_json::from_str(own).unwrap();
        let mut object = least()
            .into_iter()
            .find(|object| object["type"] == kind)
            .unwrap();
        merge(&mut object, &own);
        object
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let report = report(&object);
        let list = if must {
            &report.errors
        } else {
            &report.warnings
        };
        let rule = format!("STIX 2.1 section {section}");
        let found = |finding: &Finding| &*finding.path == path && finding.rule == rule;
        assert!(list.iter().any(found), "{line}: {report:#?}");
        assert_eq!(report.is_valid(), !must, "{line}: {report:#?}");
    }
}

#[test]
fn musts_of_all_objects() {
    hold(ALL, true);
}

#[test]
fn musts_of_domain_and_relationship_objects() {
    hold(DOMAIN, true);
}

#[test]
fn musts_of_observables() {
    hold(OBSERVABLES, true);
}

#[test]
fn musts_of_meta_objects() {
    hold(META, true);
}

#[test]
fn shoulds_warn_and_do_not_refuse() {
    hold(SHOULDS, false);
}

/// What every object must keep (sections 2, 3, 7.2.3 and 11).
const ALL: &str = r#"
tool | {"created": "2026-11-23T00:00:00.000Z"} | $.modified | 3.2
tool | {"created": "2026-11-22T00:00:00Z"} | $.created | 3.2
tool | {"modified": "2026-11-31T00:00:00.000Z"} | $.modified | 2.16
tool | {"spec_version": "2.0"} | $.spec_version | 3.2
tool | {"confidence": 101} | $.confidence | 3.2
tool | {"confidence": 1.5} | $.confidence | 3.2
tool | {"lang": "foo"} | $.lang | 3.2
tool | {"labels": []} | $.labels | 2.12
tool | {"id": "malware--ID"} | $.id | 2.9
tool | {"id": "tool--1"} | $.id | 2.9
tool | {"created_by_ref": "me"} | $.created_by_ref | 2.9
tool | {"object_marking_refs": ["tool--ID"]} | $.object_marking_refs[0] | 3.2
tool | {"x-odd": 1} | $['x-odd'] | 3.1
tool | {"severity": 1} | $.severity | 3.8
tool | {"x_a_list": []} | $.x_a_list | 2.12
tool | {"x_a_hex": "0"} | $.x_a_hex | 2.8
tool | {"x_a_bin": "0"} | $.x_a_bin | 2.1
tool | {"extensions": {}} | $.extensions | 2.3
tool | {"extensions": {"spam": {"a": 1}}} | $.extensions.spam | 7.3
tool | {"extensions": {"extension-definition--ID": {"a_b": 1}}} | $.extensions['extension-definition--ID'].extension_type | 7.3
tool | {"external_references": [{"source_name": "a"}]} | $.external_references[0] | 2.5
tool | {"external_references": [{"description": "a"}]} | $.external_references[0].source_name | 2.5
tool | {"external_references": [{"source_name": "a", "url": "a b"}]} | $.external_references[0].url | 6.15.1
tool | {"external_references": [{"source_name": "cve", "external_id": "1"}]} | $.external_references[0].external_id | 4.19.1
tool | {"kill_chain_phases": [{"kill_chain_name": "a"}]} | $.kill_chain_phases[0].phase_name | 2.11
tool | {"granular_markings": [{"selectors": ["name"]}]} | $.granular_markings[0] | 7.2.3.1
tool | {"granular_markings": [{"selectors": ["name"], "lang": "en", "marking_ref": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"}]} | $.granular_markings[0] | 7.2.3.1
tool | {"granular_markings": [{"selectors": ["[0]"], "lang": "en"}]} | $.granular_markings[0].selectors[0] | 7.2.3.2
tool | {"labels": ["a"], "granular_markings": [{"selectors": ["labels.[0]", "labels.[1]"], "lang": "en"}]} | $.granular_markings[0].selectors[1] | 7.2.3.2
"#;

/// Sections 4 and 5.
const DOMAIN: &str = r#"
attack-pattern | {"external_references": [{"source_name": "CAPEC", "external_id": "CAPEC-1"}]} | $.external_references | 4.1.1
campaign | {"first_seen": "2026-11-22T00:00:00.000001Z", "last_seen": "2026-11-22T00:00:00Z"} | $.last_seen | 4.2.1
indicator | {"valid_until": "2026-11-22T00:00:00.000Z"} | $.valid_until | 4.7.1
indicator | {"pattern": "[file:name"} | $.pattern | 9
location | {"country": null, "city": "a"} | $ | 4.10.1
location | {"latitude": 1} | $.longitude | 4.10.1
location | {"latitude": 91, "longitude": 0} | $.latitude | 4.10.1
location | {"precision": 1} | $.latitude | 4.10.1
malware | {"is_family": true} | $.name | 4.11.1
malware | {"sample_refs": ["url--ID"]} | $.sample_refs[0] | 4.11.1
malware | {"operating_system_refs": ["file--ID"]} | $.operating_system_refs[0] | 4.11.1
malware-analysis | {"result": null} | $ | 4.12.1
malware-analysis | {"sample_ref": "url--ID"} | $.sample_ref | 4.12.1
observed-data | {"number_observed": 0} | $.number_observed | 4.14.1
observed-data | {"object_refs": ["tool--ID"]} | $.object_refs[0] | 4.14.1
observed-data | {"object_refs": ["relationship--ID"]} | $.object_refs | 4.14.1
observed-data | {"objects": {"0": {"type": "file", "name": "a", "id": "file--ID"}}} | $ | 4.14.1
observed-data | {"object_refs": null, "objects": {"0": {"type": "file", "id": "file--ID"}}} | $.objects.0 | 6.7.1
opinion | {"opinion": "maybe"} | $.opinion | 10.18
vulnerability | {"external_references": [{"source_name": "CVE", "external_id": "CVE-2026-0001"}]} | $.external_references | 4.19.1
relationship | {"relationship_type": "Uses"} | $.relationship_type | 5.1.1
relationship | {"target_ref": "sighting--ID"} | $.target_ref | 5.1.1
relationship | {"start_time": "2026-11-22T00:00:00.000Z", "stop_time": "2026-11-22T00:00:00.000Z"} | $.stop_time | 5.1.1
sighting | {"sighting_of_ref": "file--ID"} | $.sighting_of_ref | 5.2.1
sighting | {"observed_data_refs": ["file--ID"]} | $.observed_data_refs[0] | 5.2.1
sighting | {"where_sighted_refs": ["file--ID"]} | $.where_sighted_refs[0] | 5.2.1
sighting | {"count": 1000000000} | $.count | 5.2.1
sighting | {"first_seen": "2026-11-22T00:00:00.000001Z", "last_seen": "2026-11-22T00:00:00Z"} | $.last_seen | 5.2.1
"#;

/// Section 6.
const OBSERVABLES: &str = r#"
artifact | {"url": "http://a.example/"} | $ | 6.1.1
artifact | {"payload_bin": null, "url": "http://a.example/"} | $.hashes | 6.1.1
artifact | {"decryption_key": "a"} | $.encryption_algorithm | 6.1.1
artifact | {"encryption_algorithm": "rot13"} | $.encryption_algorithm | 10.4
artifact | {"payload_bin": "a"} | $.payload_bin | 2.1
artifact | {"hashes": {"MD5": "0"}} | $.hashes.MD5 | 2.7
directory | {"path_enc": "spam"} | $.path_enc | 6.7.1
directory | {"contains_refs": ["url--ID"]} | $.contains_refs[0] | 6.3.1
domain-name | {"value": "a..b"} | $.value | 6.4.1
email-addr | {"value": "A <a@a.example>"} | $.value | 6.5.1
email-message | {"body_multipart": [{"body": "a"}]} | $.body_multipart | 6.6.1
email-message | {"is_multipart": true, "body": "a"} | $.body | 6.6.1
email-message | {"is_multipart": true, "body_multipart": [{"content_type": "a"}]} | $.body_multipart[0] | 6.6.2
file | {"name": null} | $ | 6.7.1
file | {"extensions": {"ntfs-ext": {"alternate_data_streams": [{"size": 1}]}}} | $.extensions['ntfs-ext'].alternate_data_streams[0].name | 6.7.3.1
file | {"extensions": {"windows-pebinary-ext": {"pe_type": "exe"}}} | $.extensions['windows-pebinary-ext'] | 6.7.6
file | {"extensions": {"windows-pebinary-ext": {"pe_type": "exe", "time_date_stamp": "2026-11-22T00:00:00.000Z"}}} | $.extensions['windows-pebinary-ext'].time_date_stamp | 6.7.6
mac-addr | {"value": "00:00:5E:00:53:01"} | $.value | 6.10.1
network-traffic | {"src_ref": null} | $ | 6.12.1
network-traffic | {"src_ref": "file--ID"} | $.src_ref | 6.12.1
network-traffic | {"src_port": 65536, "dst_port": 1} | $.src_port | 6.12.1
network-traffic | {"is_active": true, "end": "2026-11-22T00:00:00.000Z"} | $.end | 6.12.1
network-traffic | {"start": "2026-11-23T00:00:00.000Z", "end": "2026-11-22T00:00:00.000Z"} | $.end | 6.12.1
network-traffic | {"extensions": {"icmp-ext": {"icmp_type_hex": "08"}}} | $.extensions['icmp-ext'].icmp_code_hex | 6.12.3
network-traffic | {"extensions": {"socket-ext": {"address_family": "AF_INET", "options": {"spam": 1}}}} | $.extensions['socket-ext'].options | 6.12.4
process | {"pid": null} | $ | 6.13.1
process | {"extensions": {"windows-service-ext": {"start_type": "a"}}} | $.extensions['windows-service-ext'].start_type | 10.30
process | {"extensions": {"windows-process-ext": {"startup_info": {"cbx": 1}}}} | $.extensions['windows-process-ext'].startup_info | 6.13.2
software | {"cpe": "cpe:/a:b"} | $.cpe | 6.14.1
software | {"languages": ["foo"]} | $.languages[0] | 3.2
url | {"value": "www.a.example"} | $.value | 6.15.1
user-account | {"extensions": {"unix-account-ext": {"gid": "0"}}} | $.extensions['unix-account-ext'].gid | 6.16.2
windows-registry-key | {"key": "hklm\\a"} | $.key | 6.17.1
windows-registry-key | {"values": [{}]} | $.values[0] | 6.17.2
x509-certificate | {"x509_v3_extensions": {}} | $.x509_v3_extensions | 6.18.2
process | {"id": "process--8e2e2d2b-17d4-5cbf-938f-98ee46b3cd3f"} | $.id | 2.9
"#;

/// Section 7.
const META: &str = r#"
language-content | {"contents": {"foo": {"name": "a"}}} | $.contents | 7.1.1
language-content | {"contents": {"de": {"n": "a"}}} | $.contents | 7.1.1
language-content | {"object_ref": "language-content--ID"} | $.object_ref | 7.1.1
extension-definition | {"extension_types": ["spam"]} | $.extension_types[0] | 10.5
extension-definition | {"extension_properties": ["a_b"]} | $.extension_properties | 7.3.1
marking-definition | {"definition": {"tlp": "red"}} | $.definition | 7.2.1.3
marking-definition | {"definition_type": "tlp", "definition": {"tlp": "red"}} | $ | 7.2.1.4
marking-definition | {"object_marking_refs": ["marking-definition--ID"]} | $.object_marking_refs[0] | 7.2.1
marking-definition | {"granular_markings": [{"selectors": ["name"], "marking_ref": "marking-definition--ID"}], "name": "a"} | $.granular_markings[0].marking_ref | 7.2.1
"#;

/// What should be kept.
const SHOULDS: &str = r#"
tool | {"created_by_ref": "tool--ID"} | $.created_by_ref | 3.2
tool | {"id": "tool--8e2e2d2b-17d4-5cbf-938f-98ee46b3cd3f"} | $.id | 2.9
tool | {"id": "tool--00000000-0000-0000-0000-000000000001"} | $.id | 2.9
tool | {"tool_types": ["a"]} | $.tool_types[0] | 10.26
tool | {"x_a_b": 1} | $.x_a_b | 11.1
tool | {"other": 1} | $.other | 11.1
tool | {"x_a_b": {"A": {"b": []}}} | $.x_a_b.A.b | 2.12
tool | {"x_a_b": {"A": 1}} | $.x_a_b.A | 2.3
tool | {"extensions": {"x-a-ext": {"a_b": 1}}} | $.extensions['x-a-ext'] | 11.3
tool | {"external_references": [{"source_name": "a", "url": "http://a.example/"}]} | $.external_references[0].hashes | 2.5
tool | {"kill_chain_phases": [{"kill_chain_name": "A", "phase_name": "a"}]} | $.kill_chain_phases[0].kill_chain_name | 2.11
indicator | {} | $.name | 4.7.1
indicator | {"pattern_type": "spam"} | $.pattern_type | 10.19
location | {"country": "ZZ"} | $.country | 4.10.1
location | {"region": "a"} | $.region | 10.21
malware-analysis | {"product": "Some Scanner"} | $.product | 4.12.1
observed-data | {"object_refs": null, "objects": {"0": {"type": "file", "name": "a", "id": "file--ID"}}} | $.objects | 4.14.1
relationship | {"relationship_type": "mitigates"} | $.relationship_type | 5.1.1
extension-definition | {} | $.description | 7.3.1
marking-definition | {"definition_type": "a"} | $.definition_type | 7.2.1.1
file | {} | $.id | 2.9
file | {"mime_type": "spam"} | $.mime_type | 6.7.1
file | {"hashes": {"CRC-32": "0"}} | $.hashes['CRC-32'] | 10.7
file | {"extensions": {"pdf-ext": {"document_info_dict": {"foo": "a"}}}} | $.extensions['pdf-ext'].document_info_dict | 6.7.4
file | {"extensions": {"windows-pebinary-ext": {"pe_type": "elf", "imphash": "a"}}} | $.extensions['windows-pebinary-ext'].pe_type | 10.28
network-traffic | {"src_port": 1} | $.dst_port | 6.12.1
ipv4-addr | {"value": "192.0.2.1/33"} | $.value | 6.8.1
ipv4-addr | {"value": "192.0.2.1/01"} | $.value | 6.8.1
ipv6-addr | {"value": "::1/129"} | $.value | 6.9.1
network-traffic | {"protocols": ["foo_bar"]} | $.protocols[0] | 6.12.1
network-traffic | {"ipfix": {"Foo": 1}} | $.ipfix | 6.12.1
network-traffic | {"src_ref": "ipv4-addr--1"} | $.src_ref | 2.9
network-traffic | {"extensions": {"http-request-ext": {"request_method": "get", "request_value": "/", "request_header": {"Spam": ["a"]}}}} | $.extensions['http-request-ext'].request_header | 6.12.2
process | {"extensions": {"windows-process-ext": {"priority": "HIGH"}}} | $.extensions['windows-process-ext'].priority | 6.13.2
user-account | {"account_type": "a"} | $.account_type | 10.1
"#;
