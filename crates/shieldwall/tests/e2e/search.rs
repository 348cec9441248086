//! Search from outside: each partner finds what it may see, and nothing tells of the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{HubFolder, output, run};

const GREEN: &str = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb";
const RED: &str = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1";

fn id(kind: &str, number: u32) -> String {
    format!("{kind}--00000000-0000-4000-8000-{number:012}")
}

fn object(kind: &str, number: u32, marking: &str, more: Value) -> Value {
    let mut object = json!({
        "type": kind, "spec_version": "2.1", "id": id(kind, number),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "object_marking_refs": [marking],
    });
    let more = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(more);
    object
}

fn indicator(number: u32, marking: &str, pattern: &str) -> Value {
    let more = json!({
        "pattern": pattern, "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
        "labels": ["scan"],
        "external_references": [{"source_name": "mitre-attack", "external_id": "T1059.001"}],
    });
    object("indicator", number, marking, more)
}

fn share(folder: &Path, identity: &Path, objects: &[Value]) {
    let file = folder.join("share.json");
    std::fs::write(&file, json!({ "objects": objects }).to_string()).unwrap();
    let (file, identity) = (file.to_str().unwrap(), identity.to_str().unwrap());
    run(&["share", file, "--identity", identity]);
}

/// The identifiers that a search finds.
fn found(identity: &Path, what: &[&str]) -> Vec<String> {
    let identity = identity.to_str().unwrap();
    let arguments = [&["search", "--json", "--identity", identity], what].concat();
    let output = output(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected = if lines.is_empty() { 1 } else { 0 };
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(expected), "{what:?}: {error}");
    lines
        .iter()
        .map(|line| line["object"]["id"].as_str().unwrap().to_owned())
        .collect()
}

fn related(identity: &Path, id: &str) -> String {
    let identity = identity.to_str().unwrap();
    let output = output(&["search", "--json", "--identity", identity, "--related", id]);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn partners_find_what_they_may_see_by_what_it_says() {
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::new(folder.path());
    let _hub = hub.start();
    let [alpha, bravo] = ["alpha", "bravo"].map(|name| hub.enrol(name));
    let malware = json!({"name": "Evil", "is_family": true});
    let relationship = json!({
        "relationship_type": "indicates",
        "source_ref": id("indicator", 1), "target_ref": id("malware", 1),
    });
    share(
        folder.path(),
        &alpha,
        &[
            indicator(1, GREEN, "[ipv4-addr:value = '198.51.100.7']"),
            indicator(2, GREEN, "[domain-name:value = 'c2.evil.example']"),
            indicator(3, GREEN, "[ipv4-addr:value = '198.51.100.0/24']"),
            indicator(4, RED, "[ipv4-addr:value = '198.51.100.8']"),
            object("malware", 1, GREEN, malware),
            object("relationship", 1, GREEN, relationship.clone()),
            object("relationship", 2, RED, relationship),
        ],
    );
    let same = indicator(5, GREEN, "[ipv4-addr:value IN ('198.51.100.7')]");
    share(folder.path(), &bravo, &[same]);

    let ids = |numbers: &[u32]| -> Vec<String> {
        numbers
            .iter()
            .map(|number| id("indicator", *number))
            .collect()
    };
    let cases: [(&[&str], &[u32]); 8] = [
        (&["--value", "198.51.100.7"], &[1, 5]),
        (&["--covers", "198.51.100.7"], &[3, 1, 5]),
        (&["--in", "198.51.100.0/25"], &[1, 5]),
        (&["--under", "Evil.example"], &[2]),
        (
            &["--technique", "t1059", "--type", "indicator"],
            &[1, 2, 3, 5],
        ),
        (&["--label", "scan", "--source", "bravo"], &[5]),
        (&["--pattern", "[ipv4-addr:value='198.51.100.7']"], &[1, 5]),
        (&["--value", "198.51.100.8"], &[]),
    ];
    for (what, numbers) in cases {
        assert_eq!(found(&bravo, what), ids(numbers), "{what:?}");
    }
    assert_eq!(found(&alpha, &["--value", "198.51.100.8"]), ids(&[4]));
    assert_eq!(found(&bravo, &["--value", "evil"]), [id("malware", 1)]);
    // One page after another, as many as are wanted.
    let labelled = found(&bravo, &["--label", "scan", "--limit", "3"]);
    assert_eq!(labelled, ids(&[1, 2, 3]));

    let told = ["--value", "198.51.100.7", "--sources"];
    let text = run(&[
        &["search", "--identity", bravo.to_str().unwrap()],
        &told[..],
    ]
    .concat());
    assert_eq!(text.matches("told by 2 partners").count(), 2, "{text}");
    check_relations(&alpha, &bravo);
    check_refusals(&bravo);
}

fn check_relations(alpha: &Path, bravo: &Path) {
    let answer: Value = serde_json::from_str(&related(bravo, &id("indicator", 1))).unwrap();
    assert_eq!(answer["objects"][0]["object"]["id"], id("indicator", 1));
    let referring = answer["referred_to_by"].as_array().unwrap();
    assert_eq!(
        referring.len(),
        1,
        "one of the two relationships is alpha's alone"
    );
    assert_eq!(referring[0]["by"], json!(["source_ref"]));
    let end = &referring[0]["ends"][0];
    assert_eq!(end["objects"][0]["object"]["name"], "Evil");
    let answer: Value = serde_json::from_str(&related(alpha, &id("indicator", 1))).unwrap();
    assert_eq!(answer["referred_to_by"].as_array().unwrap().len(), 2);
    // An object that is hidden and one that never was look the same.
    let hidden = related(bravo, &id("indicator", 4));
    let none = related(bravo, &id("indicator", 9)).replace("000009", "000004");
    assert_eq!(hidden, none);
    let text = run(&[
        "search",
        "--identity",
        bravo.to_str().unwrap(),
        "--related",
        &id("malware", 1),
    ]);
    assert!(
        text.contains("<- target_ref:") && text.contains("-> source_ref:"),
        "{text}"
    );
}

fn check_refusals(bravo: &Path) {
    let identity = bravo.to_str().unwrap();
    for (what, said) in [
        (
            &["--in", "everything"][..],
            "in: it is not an address or a network",
        ),
        (&["--added-after", "soon"], "--added-after soon"),
        (&[], "required"),
    ] {
        let refused = output(&[&["search", "--identity", identity], what].concat());
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

/// ATT&CK for ICS and ATLAS as they are published: what is in the file is in the exchange.
#[test]
fn published_catalogues_are_shared_whole_and_found() {
    let name = "search::published_catalogues_are_shared_whole_and_found";
    let Some(shared) = testkit::shared_dir() else {
        return testkit::skip(name, "no shared folder (SHIELDWALL_SHARED)");
    };
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::new(folder.path());
    let _process = hub.start();
    let identity = hub.enrol("alpha");
    for (file, technique) in [("atlas-stix", "AML.T0043"), ("attack-ics-18.1", "T0806")] {
        let path = shared.join(format!("vectors/exchange/bulk/{file}.json"));
        let Ok(text) = std::fs::read_to_string(&path) else {
            testkit::skip(name, &format!("no {}", path.display()));
            continue;
        };
        let bundle: Value = serde_json::from_str(&text).unwrap();
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for object in bundle["objects"].as_array().unwrap() {
            let kind = object["type"].as_str().unwrap();
            let id = object["id"].as_str().unwrap();
            wanted.entry(kind).or_default().insert(id);
        }
        let (path, identity) = (path.to_str().unwrap(), identity.to_str().unwrap());
        // A file may tell one version in several ways: the first one counts.
        let said = output(&["share", path, "--identity", identity, "--tlp", "TLP:GREEN"]).stdout;
        let refused = refused(std::str::from_utf8(&said).unwrap());
        for (kind, ids) in wanted {
            let all = ["search", "--identity", identity, "--json", "--type", kind];
            // that nothing was found is an exit status, too
            let found = output(&[&all[..], &["--limit", "5000"]].concat()).stdout;
            let found: Vec<Value> = std::str::from_utf8(&found)
                .unwrap()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let found: BTreeSet<&str> = found
                .iter()
                .map(|item| item["object"]["id"].as_str().unwrap())
                .collect();
            let left_out: Vec<_> = ids.difference(&found).collect();
            let has_reason = |id: &&&str| refused.contains(*id);
            assert!(left_out.iter().all(has_reason), "{file}: {left_out:?}");
        }
        let found = run(&["search", "--identity", identity, "--technique", technique]);
        assert!(found.contains("attack-pattern--"), "{found}");
    }
}

/// What breaks a MUST (`modified` before `created`) is refused for that, and all else is taken.
fn refused(said: &str) -> BTreeSet<&str> {
    let refused = said
        .lines()
        .filter_map(|line| line.strip_prefix("refused "));
    let refused = refused.map(|line| {
        assert!(line.contains("(STIX 2.1 section "), "{line}");
        line.split(' ').next().unwrap()
    });
    let refused: BTreeSet<&str> = refused.collect();
    assert!(refused.len() < 8, "{refused:?}");
    refused
}
