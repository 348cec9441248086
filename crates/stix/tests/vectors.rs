//! Data that others wrote: what must hold of every pattern and object in it.
//!
//! The data stand outside this repository, in the folder that `SHIELDWALL_SHARED` names or in
//! `../shared` beside the workspace; without them these tests are skipped aloud.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;

use common::{files, read, vectors};
use serde_json::Value;
use stix::pattern::matching::{MatchLimits, Observations};
use stix::pattern::{self, Expression, PatternErrorKind};
use stix::{Limits, Object, bundle};

#[test]
fn patterns_are_legal_where_others_say_so() {
    let Some(folder) = vectors("pattern syntax") else {
        return;
    };
    let vectors = read(&folder.join("stix21-pattern-syntax.json"));
    let cases = vectors["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let text = case["pattern"].as_str().unwrap();
        let valid = case["valid"].as_bool().unwrap();
        let verdict = Expression::parse(text).and_then(|pattern| pattern.check());
        if verdict.is_ok() != valid {
            wrong.push(format!("{text}: valid {valid}, {verdict:?}"));
        }
        // What a shield makes of it agrees on the grammar.
        let enforced = pattern::parse(text).map_err(|error| error.kind);
        if valid && enforced == Err(PatternErrorKind::Syntax) {
            wrong.push(format!("{text}: {enforced:?}"));
        }
    }
    println!(
        "syntax: {} of {} agree",
        cases.len() - wrong.len(),
        cases.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn observations_match_where_others_say_so() {
    let Some(folder) = vectors("pattern match") else {
        return;
    };
    let vectors = read(&folder.join("stix21-pattern-match.json"));
    let cases = vectors["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let text = case["pattern"].as_str().unwrap();
        let want = case["expect"].as_str().unwrap().split(':').next().unwrap();
        let documents = &vectors["observation_sets"][case["observations"].as_str().unwrap()];
        let documents = documents.as_array().unwrap();
        let verdict = verdict(text, documents);
        let got = match &verdict {
            Ok(true) => "match",
            Ok(false) => "no-match",
            Err(_) => "error",
        };
        if got != want {
            wrong.push(format!("{text}: {want}, {verdict:?}"));
        }
        // Told in its one wording, it says the same.
        if let Ok(pattern) = Expression::parse(text) {
            let normal = pattern.normal();
            let again = self::verdict(&normal, documents).map_err(|_| ());
            if again != verdict.clone().map_err(|_| ()) {
                wrong.push(format!("{text}: {verdict:?}, but {normal}: {again:?}"));
            }
        }
    }
    println!("match: {} cases, {} wrong", cases.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn verdict(text: &str, documents: &[Value]) -> Result<bool, String> {
    let pattern = Expression::parse(text).map_err(|error| error.to_string())?;
    let matcher = pattern.matcher().map_err(|error| error.to_string())?;
    let observations = Observations::read(documents).map_err(|error| error.to_string())?;
    let matched = matcher.matches(&observations, &MatchLimits::default());
    matched
        .map(|it| it.matched)
        .map_err(|error| error.to_string())
}

#[test]
fn objects_that_others_call_valid_are_taken() {
    let Some(folder) = vectors("validator") else {
        return;
    };
    let vectors = read(&folder.join("stix21-validator.json"));
    let limits = Limits::default();
    let (mut taken, mut refused, mut passed_on) = (0, 0, 0);
    let mut wrong = Vec::new();
    let cases = vectors["cases"].as_array().unwrap().iter();
    for case in cases.filter(|case| case["instance"].is_object()) {
        let raw = case["instance"].to_string();
        let verdict = bundle::parse(raw.as_bytes(), &limits);
        let good = verdict
            .as_ref()
            .is_ok_and(|objects| objects.iter().all(Result::is_ok));
        match (case["valid"].as_bool().unwrap(), good) {
            (true, true) => taken += 1,
            (false, false) => refused += 1,
            (false, true) => passed_on += 1,
            (true, false) => wrong.push(format!("{}: {verdict:?}", case["upstream_test"])),
        }
    }
    println!(
        "validator: {taken} valid taken, {refused} invalid refused, {passed_on} invalid taken"
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Words in the name of a file that say that something in it is wrong.
const WRONG_BY_NAME: [&str; 7] = [
    "invalid",
    "bad",
    "mismatch",
    "missing",
    "-before-",
    "out-of-range",
    "no-name",
];

/// Files with objects that break a MUST although their names do not say so, and how many.
const WRONG_ALL_THE_SAME: [(&str, usize); 3] = [
    // `modified` earlier than `created`.
    ("atlas-stix.json", 2),
    // Identifiers that have no UUID.
    ("ex-3.1.4.2-leverage-externally-defined-frameworks.json", 2),
    ("tc-3.12.3.1-create-malware-object.json", 1),
];

const SETS: [&str; 9] = [
    "bulk",
    "misp-stix21-collections",
    "stix21-interop/examples",
    "stix21-interop/testcases",
    "stix21-oasis-doc-examples",
    "stix21-oasis-examples",
    "stix21-rstix-fixtures/spec/meta",
    "stix21-rstix-fixtures/spec/sdo",
    "stix21-rstix-fixtures/spec/sro",
];

/// Takes every object of a file, checks that its bytes are those of the file, and gives back how
/// many there were and the refusals.
fn take(path: &Path, limits: &Limits) -> (usize, Vec<String>) {
    let text = fs::read_to_string(path).unwrap();
    let mut rest = text.as_str();
    let mut refused = Vec::new();
    let mut kept = 0_usize;
    for object in bundle::parse(text.as_bytes(), limits).unwrap() {
        let object = match object {
            Ok(object) => object,
            Err(error) => {
                refused.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let raw = std::str::from_utf8(object.raw()).unwrap();
        let (_, after) = rest.split_once(raw).unwrap();
        rest = after;
        kept = kept.saturating_add(1);
        assert_eq!(
            Object::parse(object.raw(), limits).unwrap().digest(),
            object.digest()
        );
    }
    (kept, refused)
}

#[test]
fn objects_of_other_projects_survive_byte_for_byte() {
    let Some(folder) = vectors("files") else {
        return;
    };
    let limits = Limits::default();
    let (mut kept, mut refused) = (0_usize, 0_usize);
    let mut wrong = Vec::new();
    for path in SETS.iter().flat_map(|set| files(&folder.join(set))) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let by_name = WRONG_BY_NAME.iter().any(|word| name.contains(word));
        let known = WRONG_ALL_THE_SAME.iter().find(|(file, _)| *file == name);
        let (good, errors) = take(&path, &limits);
        kept = kept.saturating_add(good);
        refused = refused.saturating_add(errors.len());
        if !by_name && errors.len() != known.map_or(0, |(_, count)| *count) {
            wrong.extend(errors);
        }
    }
    println!("files: {kept} objects kept, {refused} refused that break a MUST");
    assert!(kept > 2000 && wrong.is_empty(), "{wrong:#?}");
}
