//! The bill of materials, against the official schemas of CycloneDX and documents of its project.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use pack::{BuildError, Limits, MLBOM, mlbom};

use crate::common::*;

/// The bill of materials of the small pack.
fn bom() -> Vec<u8> {
    let bytes = built();
    let files = pack::archive::read(&bytes, &Limits::default()).unwrap();
    files[&MLBOM.parse().unwrap()].to_vec()
}

#[test]
fn it_says_what_the_manifest_says() {
    let bom = mlbom::read(&bom()).unwrap();
    let models: Vec<_> = bom.models().collect();
    let [model] = models.as_slice() else {
        panic!("one model");
    };
    assert_eq!(model.name, "web-attack/web-attack");
    assert_eq!(
        model.hashes[0].content,
        pack::Digest::of(&folder()["models/web.onnx"]).to_string()
    );
    let card = model.model_card.as_ref().unwrap();
    let made = card.model_parameters.as_ref().unwrap();
    assert_eq!(made.datasets[0].name.as_deref(), Some("HttpParams"));
    let metric = &card
        .quantitative_analysis
        .as_ref()
        .unwrap()
        .performance_metrics[0];
    assert_eq!(metric.value.as_deref(), Some("0.91"));
    let interval = metric.confidence_interval.as_ref().unwrap();
    assert_eq!(interval.upper_bound.as_deref(), Some("0.925"));
    let properties = model.properties.iter();
    let thresholds = properties.filter(|property| property.name == "shieldwall:threshold");
    assert_eq!(thresholds.count(), 2);
}

#[test]
fn one_that_says_something_else_is_refused() {
    let mut folder = folder();
    folder.insert(MLBOM.into(), bom());
    assert_eq!(
        pack::build(&as_files(&folder), &Limits::default()).unwrap(),
        built()
    );
    folder.insert(MLBOM.into(), b"{}".to_vec());
    let error = pack::build(&as_files(&folder), &Limits::default()).unwrap_err();
    assert_eq!(error, BuildError::Mlbom);
}

/// The documents and schemas of the specification; `None`, and said, where they are not.
fn vectors(test: &str) -> Option<PathBuf> {
    let folder =
        testkit::shared_dir().map(|shared| shared.join("vectors/assurance/cyclonedx-spec"));
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        testkit::skip(
            test,
            "no folder vectors/assurance under SHIELDWALL_SHARED or ../shared",
        );
    }
    folder
}

#[test]
fn documents_of_the_specification_are_read() {
    let Some(folder) = vectors("documents_of_the_specification_are_read") else {
        return;
    };
    let (mut read, mut models, mut refused) = (0, 0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let found = mlbom::read(&fs::read(&path).unwrap());
        if name.starts_with("valid-") {
            let bom = found.unwrap_or_else(|error| panic!("{name}: {error}"));
            models += bom.models().count();
            read += 1;
        } else if name.starts_with("invalid-bomformat") {
            assert_eq!(&*found.unwrap_err().path, "$.bomFormat", "{name}");
            refused += 1;
        }
    }
    assert!(
        read > 40 && models >= 3 && refused == 2,
        "{read} {models} {refused}"
    );
}

/// Holds documents against the schema of their version; prints `NAME valid` or `NAME invalid`.
const PROGRAM: &str = r#"
import json, pathlib, sys
import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
folder = pathlib.Path(sys.argv[1]) / "schema"
schemas = {p.name: json.loads(p.read_text()) for p in folder.glob("*.json")}
registry = Registry()
for name, schema in schemas.items():
    resource = Resource.from_contents(schema, default_specification=DRAFT7)
    registry = registry.with_resource("http://cyclonedx.org/schema/" + name, resource)
# Where a word may be one of a list or a URI, it must not be both.
formats = jsonschema.FormatChecker(())
formats.checks("uri")(lambda text: not isinstance(text, str) or ":" in text)
for path in map(pathlib.Path, sys.argv[2:]):
    document = json.loads(path.read_text())
    version = path.stem.rsplit("-", 1)[1]
    schema = schemas[f"bom-{version}.schema.json"]
    validator = jsonschema.Draft7Validator(schema, registry=registry, format_checker=formats)
    error = next(iter(validator.iter_errors(document)), None)
    print(path.name, "valid" if error is None else "invalid: " + str(error.message)[:200])
"#;

#[test]
fn it_is_legal_by_the_official_schema_as_are_the_documents_that_say_so() {
    let test = "it_is_legal_by_the_official_schema_as_are_the_documents_that_say_so";
    let Some(folder) = vectors(test) else {
        return;
    };
    let Some(python) = testkit::python() else {
        return testkit::skip(test, "no Python environment (cargo xtask test makes one)");
    };
    let has = Command::new(&python)
        .args(["-c", "import jsonschema, referencing"])
        .output();
    if !has.is_ok_and(|output| output.status.success()) {
        return testkit::skip(test, "the Python environment has no jsonschema");
    }
    let ours = env::temp_dir().join(format!("valid-shieldwall-{}-1.7.json", std::process::id()));
    let wrong = env::temp_dir().join(format!(
        "invalid-shieldwall-{}-1.7.json",
        std::process::id()
    ));
    fs::write(&ours, bom()).unwrap();
    let text = String::from_utf8(bom()).unwrap();
    fs::write(&wrong, text.replace("SHA-256", "SHA-0")).unwrap();
    let entries = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut documents: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    documents.extend([ours.clone(), wrong.clone()]);
    let output = Command::new(python)
        .args(["-c", PROGRAM])
        .arg(&folder)
        .args(&documents)
        .output()
        .unwrap();
    fs::remove_file(ours).unwrap();
    fs::remove_file(wrong).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut count = 0;
    for line in text.lines() {
        let (name, verdict) = line.split_once(' ').unwrap();
        let legal = verdict == "valid";
        assert_eq!(legal, name.starts_with("valid-"), "{line}");
        count += 1;
    }
    assert_eq!(count, documents.len(), "{text}");
}
