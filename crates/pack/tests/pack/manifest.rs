//! The manifest: what is refused, and with which words.

use pack::{BuildError, Limits, Manifest};
use serde_json::{Value, json};

use crate::common::*;

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut folder = folder();
    let mut manifest = draft();
    change(&mut manifest);
    folder.insert("pack.json".into(), manifest.to_string().into_bytes());
    match pack::build(&as_files(&folder), &Limits::default()) {
        Ok(_) => "built".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A change to the draft, and what is said to it.
type Case = (fn(&mut Value), &'static str);

/// What a draft must not say.
const CASES: [Case; 24] = [
    (
        |m| m["schema"] = "https://shieldwall.dev/pack/v2".into(),
        "pack.json: $.schema: is \"https://shieldwall.dev/pack/v2\", not \"https://shieldwall.dev/pack/v1\"; write that, or use a program that reads the other",
    ),
    (
        |m| m["name"] = "Web Attack".into(),
        "pack.json: $.name: a name is 1 to 64 of a-z, 0-9 and '-', and begins and ends with none of '-'; write it as docs/packs.md says",
    ),
    (
        |m| m["version"] = "1.2".into(),
        "$.version: unexpected end of input while parsing minor version number",
    ),
    (
        |m| m["sequence"] = 0.into(),
        "$.sequence: is not within 1 and 9007199254740991; choose a number in that range",
    ),
    (
        |m| m["sequence"] = json!(1u64 << 53),
        "$.sequence: is not within 1 and",
    ),
    (
        |m| m["created"] = "2026-11-01".into(),
        "$.created: a timestamp ends in 'Z'",
    ),
    (
        |m| m["expires"] = m["created"].clone(),
        "$.expires: is not later than $.created; let the pack end after it begins",
    ),
    (
        |m| m["publisher"] = "\u{1b}]0;owned\u{7}".into(),
        "$.publisher: a text is 1 to 2000 bytes, without control characters",
    ),
    (
        |m| m["capabilities"] = json!(["drop"]),
        "$.capabilities[0]: unknown variant `drop`, expected one of `tag`, `alert`, `rate-limit`, `block`",
    ),
    (
        |m| m["capabilities"] = json!([]),
        "$.capabilities: is empty; say at least one",
    ),
    (
        |m| m["scope"] = json!(["beacon"]),
        "$.models[0].task: is not in $.scope; add the task to $.scope",
    ),
    (
        |m| m["scope"] = json!(["everything"]),
        "$.scope[0]: unknown variant `everything`",
    ),
    (
        |m| m["capabilites"] = json!([]),
        "unknown field `capabilites`",
    ),
    (
        |m| drop(m.as_object_mut().unwrap().remove("licence")),
        "pack.json: $: missing field `licence`",
    ),
    (
        |m| m["limits"]["p99_us_max"] = json!(-1),
        "$.limits.p99_us_max: invalid value",
    ),
    (
        |m| m["models"][0]["file"] = "models/other.onnx".into(),
        "$.models[0].file: models/other.onnx is not a listed file with the role \"model\"; name a file of the folder models/",
    ),
    (
        |m| m["models"][0]["file"] = "rules/web.rules".into(),
        "$.models[0].file: rules/web.rules is not a listed file",
    ),
    (
        |m| m["models"][0]["file"] = "../web.onnx".into(),
        "$.models[0].file: each part of a path begins with a letter, a digit or '_'",
    ),
    (
        |m| m["models"][0]["extractor"] = "http-field".into(),
        "$.models[0].extractor: an extractor is NAME@VERSION",
    ),
    (
        |m| m["models"][0]["inputs"] = json!([]),
        "$.models[0].inputs: is empty",
    ),
    (
        |m| {
            m["models"][0]["inputs"] =
                json!([{"name": "x", "groups": ["a"]}, {"name": "x", "groups": ["b"]}])
        },
        "$.models[0].inputs: is not in strictly one entry for each name order",
    ),
    (
        |m| m["models"][0]["thresholds"][0]["fpr"] = json!(1.5),
        "$.models[0].thresholds[0].fpr: is not within 0 and 1",
    ),
    (
        |m| {
            m["models"][0]["thresholds"]
                .as_array_mut()
                .unwrap()
                .reverse()
        },
        "$.models[0].thresholds: is not in strictly ascending (fpr) and descending (threshold) order",
    ),
    (
        |m| m["models"][0]["training"]["results"][0]["low"] = json!(0.95),
        "$.models[0].training.results[0].value: is not within 0.95 and 0.925",
    ),
];

#[test]
fn a_draft_that_is_wrong_is_refused_with_path_and_mend() {
    for (change, want) in CASES {
        let said = refused(change);
        assert!(said.contains(want), "{said}\nnot: {want}");
    }
    assert_eq!(refused(|_| {}), "built");
}

#[test]
fn files_have_a_place() {
    let mut folder = folder();
    folder.insert("models.onnx".into(), vec![]);
    let error = pack::build(&as_files(&folder), &Limits::default()).unwrap_err();
    assert_eq!(error, BuildError::NoPlace("models.onnx".parse().unwrap()));
    folder.remove("models.onnx");
    folder.remove("pack.json");
    let error = pack::build(&as_files(&folder), &Limits::default()).unwrap_err();
    assert_eq!(error, BuildError::NoManifest);
}

#[test]
fn a_key_that_stands_twice_in_a_draft_is_refused() {
    let mut folder = folder();
    let twice = draft().to_string().replacen('{', "{\"name\":\"other\",", 1);
    folder.insert("pack.json".into(), twice.into_bytes());
    let error = pack::build(&as_files(&folder), &Limits::default()).unwrap_err();
    assert!(
        error.to_string().starts_with("pack.json: $.name: "),
        "{error}"
    );
}

#[test]
fn a_manifest_is_read_in_the_form_in_which_it_is_written() {
    let limits = Limits::default();
    let bytes = built();
    let files = pack::archive::read(&bytes, &limits).unwrap();
    let raw = files[&"pack.json".parse().unwrap()];
    let manifest = Manifest::read(raw, &limits).unwrap();
    assert_eq!(manifest.write(&limits).unwrap().as_bytes(), raw);
    let text = std::str::from_utf8(raw).unwrap();
    for (from, to) in [
        // The same time, number and set, written in other ways.
        ("2026-11-01T00:00:00.000Z", "2026-11-01T00:00:00Z"),
        ("0.0001", "1e-4"),
        ("[\"tag\",\"alert\",", "[\"alert\",\"tag\","),
        ("[\"tag\",", "[\"tag\",\"tag\","),
        ("\"name\":", " \"name\":"),
        ("own benign", "own\\u0020benign"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "{from}");
        let error = Manifest::read(other.as_bytes(), &limits).unwrap_err();
        assert!(
            error.to_string().contains("not in canonical form"),
            "{from}: {error}"
        );
    }
    let small = Limits {
        manifest_bytes_max: 100,
        ..limits
    };
    let error = Manifest::read(raw, &small).unwrap_err().to_string();
    assert!(error.contains("more than 100"), "{error}");
}

#[test]
fn a_pack_of_rules_alone_needs_no_model_and_no_bill_of_materials() {
    let mut folder = folder();
    let mut manifest = draft();
    manifest["models"] = json!([]);
    manifest["scope"] = json!([]);
    folder.insert("pack.json".into(), manifest.to_string().into_bytes());
    folder.retain(|path, _| path == "pack.json" || path.starts_with("rules/"));
    let bytes = pack::build(&as_files(&folder), &Limits::default()).unwrap();
    let files = pack::archive::read(&bytes, &Limits::default()).unwrap();
    let paths: Vec<&str> = files.keys().map(|path| path.as_str()).collect();
    assert_eq!(paths, ["pack.json", "rules/web.rules"]);
}
