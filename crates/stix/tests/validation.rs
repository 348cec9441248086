//! Whole validation: seeds of its fuzzer, what we write ourselves, and what others call valid.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod common;
#[path = "../fuzz/validation.rs"]
mod validation;

use std::fs;
use std::path::Path;

use common::{files, read, vectors};
use proptest::prelude::*;
use serde_json::Value;
use stix::build::{self, Common, Indicator, Sighting};
use stix::lease::{self, Action, EvidenceClass, LeaseRequest, Proto, Selector, Service};
use stix::pattern::Pattern;
use stix::validate::{self, Report};
use stix::{Limits, Object, StixId, Timestamp, Tlp};

fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/validate");
    let mut seeds: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn seeds_of_the_fuzzer_are_valid() {
    let seeds = seeds();
    assert!(seeds.len() >= 8);
    for (name, seed) in seeds {
        let report = validation::run(&seed);
        assert!(report.is_valid(), "{name}: {report:#?}");
    }
}

proptest! {
    #[test]
    fn damaged_seeds_stop_nothing(at: prop::sample::Index, cut: prop::sample::Index, byte: u8, which in 0_usize..8) {
        let seeds = seeds();
        let mut bytes = seeds[which].1.clone();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        validation::run(&bytes);
        bytes.drain(place.min(cut.index(bytes.len()))..place);
        validation::run(&bytes);
    }

    #[test]
    fn what_we_write_breaks_no_must(name in ".{1,40}", confidence in prop::option::of(0_u8..=100), seconds in 0_u32..1_000_000, tlp in 0_usize..5, count: u64) {
        let at = Timestamp::from_micros(1_700_000_000_000_000 + i64::from(seconds) * 1_000_001);
        let author = StixId::v5("identity", &name);
        let common = |kind: &str| Common {
            id: StixId::v5(kind, &name),
            author: Some(&author),
            created: at,
            modified: at,
            revoked: seconds % 2 == 0,
            confidence,
            tlp: Some(Tlp::ALL[tlp]),
        };
        let lease = LeaseRequest {
            selector: Selector::Source("192.0.2.1/32".parse().unwrap()),
            service: Some(Service { address: None, protocol: Proto::Tcp, port: Some(443) }),
            action: Action::Drop,
            ttl_s: 60,
            evidence: EvidenceClass::Exploit,
            detector: "scan-trw@1".into(),
            audience: vec![],
        };
        let indicator = build::indicator(&Indicator {
            common: common("indicator"),
            name: &name,
            indicator_types: &["malicious-activity"],
            pattern: &Pattern { terms: vec![lease.selector.term()] },
            valid_from: at,
            valid_until: None,
            lease: Some(&lease),
        }).unwrap();
        let sighting = build::sighting(&Sighting {
            common: common("sighting"),
            sighting_of: &indicator.head().id,
            where_sighted: Some(&author),
            first_seen: at,
            last_seen: at,
            count,
            lease: Some(&lease),
        }).unwrap();
        let identity = build::identity(&common("identity"), &name, "organization").unwrap();
        let attack = build::attack_pattern(&common("attack-pattern"), &name).unwrap();
        for object in [indicator, sighting, identity, attack] {
            expect_ours(&object);
        }
    }
}

/// What of ours breaks no MUST, and of SHOULDs these two alone: our identifiers are derived, so that
/// a shield that starts anew says the same thing under the same name; and our indicators say what
/// they are in their name.
fn expect_ours(object: &Object) {
    let report = validate::document(object.raw(), &Limits::default());
    assert!(report.is_valid(), "{report:#?}");
    for warning in &report.warnings {
        let known = [
            ("$.id", "STIX 2.1 section 2.9"),
            ("$.description", "STIX 2.1 section 4.7.1"),
        ];
        assert!(
            known.contains(&(&*warning.path, &*warning.rule)),
            "{warning}"
        );
    }
}

#[test]
fn the_definition_of_the_lease_extension_breaks_no_must() {
    for value in [lease::definition_object(), lease::definition_author()] {
        let raw = value.to_string();
        expect_ours(&Object::parse_valid(raw.as_bytes(), &Limits::default()).unwrap());
    }
}

#[test]
fn an_object_that_breaks_a_must_is_refused_where_it_enters() {
    let raw = br#"{"type":"location","spec_version":"2.1","id":"location--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created":"2026-11-22T00:00:00.000Z","modified":"2026-11-22T00:00:00.000Z","latitude":91}"#;
    assert!(Object::parse(raw, &Limits::default()).is_ok());
    let error = Object::parse_valid(raw, &Limits::default()).unwrap_err();
    assert_eq!(&*error.path, "$.latitude");
    assert_eq!(error.rule(), "STIX 2.1 section 4.10.1");
    assert!(error.to_string().contains("and 1 more faults"), "{error}");
}

fn report(value: &Value) -> Report {
    validate::document(value.to_string().as_bytes(), &Limits::default())
}

/// Cases in which the reference is not followed, with the reason in docs/spec/stix-validation.md.
const OTHERWISE: [&str; 3] = [
    "test_pattern_custom_object_noprefix",
    "test_custom_property_name_invalid_character",
    "test_software_language",
];

/// Cases that the reference's schemas refuse where the specification says no MUST.
const SHOULDS: [&str; 2] = ["test_invalid_ipv4", "test_invalid_ipv6"];

/// What the reference writes before a broken SHOULD: `{` three digits `} `.
fn is_should(error: &Value) -> bool {
    let text = error.as_str().unwrap();
    let mut parts = text.split('{').skip(1);
    parts.any(|part| {
        part.get(3..5) == Some("} ") && part.bytes().take(3).all(|b| b.is_ascii_digit())
    })
}

#[test]
fn the_reference_and_we_agree_on_musts_and_on_shoulds() {
    let Some(folder) = vectors("validation") else {
        return;
    };
    let (mut musts, mut shoulds, mut valid, mut wrong) = (0, 0, 0, Vec::new());
    let known = ["strict", "disabled"];
    for case in read(&folder.join("stix21-validator.json"))["cases"]
        .as_array()
        .unwrap()
    {
        let options = case["options"].as_object().unwrap();
        if options.keys().any(|name| !known.contains(&name.as_str())) {
            continue;
        }
        let report = report(&case["instance"]);
        let reference = case["reference_errors"].as_array().unwrap();
        let test = case["upstream_test"].as_str().unwrap();
        let names = |names: &[&str]| names.iter().any(|name| test.ends_with(name));
        let (count, good) = match case["valid"].as_bool().unwrap() {
            true => (&mut valid, report.is_valid()),
            false if reference.iter().all(is_should) || names(&SHOULDS) => {
                let warned = report.is_valid() && !report.warnings.is_empty();
                (&mut shoulds, warned)
            }
            false => (&mut musts, !report.is_valid()),
        };
        *count += 1;
        if !good && !names(&OTHERWISE) {
            wrong.push(format!("{test}: {reference:?}: {report:?}"));
        }
    }
    println!("validation: {valid} valid, {musts} broken MUSTs, {shoulds} broken SHOULDs");
    assert!(
        valid > 100 && musts > 100 && shoulds > 50 && wrong.is_empty(),
        "{wrong:#?}"
    );
}

/// Words in the name of a file that say that a MUST is broken in it.
const WRONG_BY_NAME: [&str; 14] = [
    "invalid",
    "empty",
    "missing",
    "-before-",
    "out-of-range",
    "no-name",
    "wrong-type",
    "without-",
    "neither",
    "no-properties",
    "payload-and-url",
    "bad-cve",
    "bad-capec",
    "with-sro",
];

/// Files whose names do not say so, and the rule that is broken in them.
const WRONG_ALL_THE_SAME: [(&str, &str); 9] = [
    ("atlas-stix.json", "3.2"),
    (
        "ex-3.1.4.2-leverage-externally-defined-frameworks.json",
        "2.9",
    ),
    (
        "ex-3.3.4.1-confidence-indicator-internal-validation.json",
        "4.11.1",
    ),
    ("tc-3.12.3.1-create-malware-object.json", "2.9"),
    ("tc-3.16.3.1-create-report-object.json", "2.16"),
    ("malware-minimal.json", "4.11.1"),
    ("observed-data-deprecated-objects-sro.json", "4.14.1"),
    ("bundle-tlp1-marking-ref.json", "7.2.1.1"),
    ("custom-object-red.json", "2.9"),
];

/// Files that their authors call wrong, in which no MUST is broken: a relationship that is not
/// suggested, a word that is not of an open vocabulary.
const RIGHT_ALL_THE_SAME: [&str; 2] = [
    "bundle-relationship-matrix-invalid.json",
    "grouping-invalid-context.json",
];

const SETS: [&str; 11] = [
    "bulk",
    "misp-stix21-collections",
    "stix21-interop/examples",
    "stix21-interop/testcases",
    "stix21-oasis-doc-examples",
    "stix21-oasis-examples",
    "stix21-rstix-fixtures/spec/meta",
    "stix21-rstix-fixtures/spec/sdo",
    "stix21-rstix-fixtures/spec/sro",
    "stix21-rstix-fixtures/spec/sco",
    "stix21-rstix-fixtures/validation",
];

#[test]
fn what_others_publish_is_valid_unless_it_breaks_a_must() {
    let Some(folder) = vectors("publications") else {
        return;
    };
    let (mut valid, mut refused, mut wrong) = (0, 0, Vec::new());
    for path in SETS.iter().flat_map(|set| files(&folder.join(set))) {
        let value = read(&path);
        if value.get("type").is_none() {
            continue; // a part of an object
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let by_name = WRONG_BY_NAME.iter().any(|word| name.contains(word));
        let known = WRONG_ALL_THE_SAME.iter().find(|(file, _)| *file == name);
        let must = (by_name || known.is_some()) && !RIGHT_ALL_THE_SAME.contains(&&*name);
        let report = report(&value);
        match (must, report.is_valid()) {
            (false, true) => valid += 1,
            (true, false) => {
                refused += 1;
                let rule = known.map(|(_, section)| format!("STIX 2.1 section {section}"));
                let named = |rule: &String| report.errors.iter().any(|error| error.rule == *rule);
                if !rule.as_ref().is_none_or(named) {
                    wrong.push(format!("{name}: not for {rule:?}: {:?}", report.errors));
                }
            }
            (true, true) => wrong.push(format!("{name} is called valid")),
            (false, false) => wrong.push(format!("{name}: {:?}", report.errors)),
        }
    }
    println!("publications: {valid} files valid, {refused} refused");
    assert!(
        valid > 100 && refused > 30 && wrong.is_empty(),
        "{wrong:#?}"
    );
}
