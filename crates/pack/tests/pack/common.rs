//! A small pack, its makers and those who trust them.

use std::collections::BTreeMap;

use pack::archive::{self, Files};
use pack::key::SigningKey;
use pack::{Limits, Moment, PackError, PackId, Trust, VerifiedPack};
use semver::Version;
use serde_json::{Value, json};
use stix::Timestamp;

/// A time at which the pack is in force.
pub(crate) const NOW: &str = "2026-11-26T12:00:00.000Z";

/// The draft that an author writes.
pub(crate) fn draft() -> Value {
    json!({
        "name": "web-attack", "version": "1.2.0", "sequence": 7,
        "description": "Attacks in requests to web applications",
        "created": "2026-11-01T00:00:00.000Z", "expires": "2027-05-01T00:00:00.000Z",
        "publisher": "Example CERT", "licence": "Apache-2.0",
        "capabilities": ["tag", "alert", "rate-limit"], "scope": ["web-attack"],
        "limits": {"memory_bytes_max": 4_000_000, "p99_us_max": 50, "features_max": 90},
        "min_engine": "0.1.0", "responsibility": "Example CERT, soc@cert.example",
        "models": [{
            "task": "web-attack", "file": "models/web.onnx", "extractor": "http-field@1",
            "inputs": [{"name": "x", "groups": ["counts", "flags"]}], "output": "score",
            "aggregate": "max",
            "thresholds": [
                {"fpr": 0.0001, "threshold": 0.97, "set": "own benign, October 2026"},
                {"fpr": 0.001, "threshold": 0.81, "set": "own benign, October 2026"},
            ],
            "training": {
                "date": "2026-10-20T00:00:00.000Z",
                "sources": [{"name": "HttpParams", "licence": "MIT", "rows": 31067}],
                "results": [{"set": "held out", "rows": 5000, "metric": "recall at fpr 0.001", "value": 0.91, "low": 0.9, "high": 0.925}],
            },
        }],
    })
}

/// What an author has in a folder.
pub(crate) fn folder() -> BTreeMap<String, Vec<u8>> {
    let draft = serde_json::to_string_pretty(&draft()).unwrap();
    let files: [(&str, &[u8]); 4] = [
        ("pack.json", draft.as_bytes()),
        ("models/web.onnx", b"\x08\x07not looked at here"),
        ("model_conformance/web.json", b"[]"),
        ("rules/web.rules", b"# none yet\n"),
    ];
    let entries = files.into_iter();
    entries
        .map(|(path, content)| (path.to_owned(), content.to_vec()))
        .collect()
}

pub(crate) fn as_files(folder: &BTreeMap<String, Vec<u8>>) -> Files<'_> {
    let entries = folder.iter();
    entries
        .map(|(path, content)| (path.parse().unwrap(), content.as_slice()))
        .collect()
}

pub(crate) fn built() -> Vec<u8> {
    pack::build(&as_files(&folder()), &Limits::default()).unwrap()
}

/// The key of number `n`, always the same.
pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32]).unwrap()
}

/// The publisher.
pub(crate) fn publisher() -> SigningKey {
    key(1)
}

/// Somebody who looked at it.
pub(crate) fn reviewer() -> SigningKey {
    key(2)
}

pub(crate) fn signed() -> Vec<u8> {
    let once = pack::sign(&built(), &publisher(), &Limits::default()).unwrap();
    pack::sign(&once, &reviewer(), &Limits::default()).unwrap()
}

/// Trusts these keys, with this threshold.
pub(crate) fn trust(threshold: usize, keys: &[(&str, &SigningKey)]) -> Trust {
    let mut text = format!("threshold = {threshold}\n");
    for (holder, key) in keys {
        let public = key.public().to_text();
        text.push_str(&format!(
            "[[key]]\nholder = \"{holder}\"\npublic = \"{public}\"\n"
        ));
    }
    Trust::read(&text).unwrap()
}

/// Publisher and reviewer, both asked for.
pub(crate) fn both() -> Trust {
    trust(
        2,
        &[("Example CERT", &publisher()), ("Reviewers", &reviewer())],
    )
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(crate) fn verify_at(bytes: &[u8], trust: &Trust, now: &str) -> Result<VerifiedPack, PackError> {
    verify_seen(bytes, trust, now, &BTreeMap::new())
}

pub(crate) fn verify_seen(
    bytes: &[u8],
    trust: &Trust,
    now: &str,
    seen: &BTreeMap<PackId, u64>,
) -> Result<VerifiedPack, PackError> {
    let engine = Version::new(0, 1, 0);
    let at = Moment {
        now: time(now),
        engine: &engine,
        seen,
    };
    VerifiedPack::verify(bytes, trust, &at, &Limits::default())
}

pub(crate) fn verify(bytes: &[u8], trust: &Trust) -> Result<VerifiedPack, PackError> {
    verify_at(bytes, trust, NOW)
}

/// The name of the refusal.
pub(crate) fn refusal(bytes: &[u8], trust: &Trust) -> &'static str {
    verify(bytes, trust).unwrap_err().name()
}

/// The pack with other files, packed as it should be.
pub(crate) fn with(bytes: &[u8], change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Vec<u8> {
    let files = archive::read(bytes, &Limits::default()).unwrap();
    let mut folder = files
        .iter()
        .map(|(path, content)| (path.to_string(), content.to_vec()))
        .collect();
    change(&mut folder);
    archive::write(&as_files(&folder), &Limits::default()).unwrap()
}

/// The pack whose manifest was changed by its publisher, signed anew by both.
pub(crate) fn reissued(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut folder = folder();
    let mut manifest = draft();
    change(&mut manifest);
    folder.insert("pack.json".into(), manifest.to_string().into_bytes());
    let built = pack::build(&as_files(&folder), &Limits::default()).unwrap();
    let once = pack::sign(&built, &publisher(), &Limits::default()).unwrap();
    pack::sign(&once, &reviewer(), &Limits::default()).unwrap()
}
