//! OpenSSF Model Signing, against the signatures of its reference implementation, and DSSE against
//! its own vector.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use pack::dsse::Envelope;
use pack::oms::{self, Curve, Found, KeySource, OmsError};
use serde_json::Value;

/// The vectors; `None`, and said, where they are not.
fn vectors(test: &str) -> Option<PathBuf> {
    let folder = testkit::shared_dir().map(|shared| shared.join("vectors/assurance"));
    let folder = folder.filter(|folder| folder.join("oms").is_dir());
    if folder.is_none() {
        testkit::skip(
            test,
            "no folder vectors/assurance under SHIELDWALL_SHARED or ../shared",
        );
    }
    folder
}

/// The files of a signed model, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    entries
        .map(|path| (name(&path), fs::read(path).unwrap()))
        .collect()
}

fn curve(name: &str) -> Curve {
    match name {
        "secp256r1" => Curve::P256,
        "secp384r1" => Curve::P384,
        "secp521r1" => Curve::P521,
        other => panic!("{other}"),
    }
}

fn sources(name: &str) -> &'static [KeySource] {
    match name {
        "leaf certificate" => &[KeySource::Chain],
        "fulcio certificate" => &[KeySource::Certificate],
        "embedded rawBytes" => &[KeySource::Embedded],
        other => panic!("{other}"),
    }
}

#[test]
fn reference_signatures_are_judged_as_by_an_independent_reader() {
    let Some(folder) = vectors("reference_signatures_are_judged_as_by_an_independent_reader")
    else {
        return;
    };
    let expected: Value =
        serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let expected = expected.as_object().unwrap().iter();
    let mut count = 0;
    for (name, want) in expected.filter(|(name, _)| name.starts_with("oms/")) {
        let files = files(&folder.join(name));
        let signed =
            oms::verify(&files["model.sig"], &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            want["signature"].as_str().unwrap().starts_with("ok"),
            "{name}"
        );
        assert_eq!(
            signed.signer.curve,
            curve(want["curve"].as_str().unwrap()),
            "{name}"
        );
        assert!(
            sources(want["key_source"].as_str().unwrap()).contains(&signed.signer.source),
            "{name}"
        );
        assert!(!signed.signer.pinned, "{name}: nobody gave a key");
        let found = signed.compare(&files);
        for resource in want["resources"].as_array().unwrap() {
            let state = match resource[1].as_bool() {
                Some(true) => Found::Same,
                Some(false) => Found::Changed,
                None => Found::Missing,
            };
            assert_eq!(found[resource[0].as_str().unwrap()], state, "{name}");
        }
        tampered(name, &files, &folder);
        count += 1;
    }
    assert_eq!(count, 9);
}

fn tampered(name: &str, files: &BTreeMap<String, Vec<u8>>, folder: &Path) {
    let signed = oms::verify(&files["model.sig"], &[]).unwrap();
    let mut changed = files.clone();
    changed.get_mut("signme-1").unwrap().push(b'!');
    changed.insert("added".into(), vec![]);
    let found = signed.compare(&changed);
    if signed.files.contains_key("signme-1") {
        assert_eq!(found["signme-1"], Found::Changed, "{name}");
    }
    let added = (!signed.ignored.is_empty()).then_some(&Found::NotSigned);
    assert_eq!(found.get("added"), added, "{name}");
    assert_eq!(found.get("ignore-me"), None, "{name}");
    let mut bundle: Value = serde_json::from_slice(&files["model.sig"]).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"]
        .as_str()
        .unwrap()
        .replacen("I", "J", 1);
    bundle["dsseEnvelope"]["payload"] = payload.into();
    let error = oms::verify(bundle.to_string().as_bytes(), &[]).unwrap_err();
    assert_eq!(error, OmsError::Signature, "{name}");
    // The certificate's key, given by another way, makes the signer known.
    let pem = fs::read_to_string(
        folder.join("oms/reference-signatures/keys/certificate/signing-key-pub.pem"),
    )
    .unwrap();
    let given = der(&pem);
    let signed = oms::verify(&files["model.sig"], std::slice::from_ref(&given)).unwrap();
    assert_eq!(
        signed.signer.pinned,
        signed.signer.key == pack::Digest::of(&given),
        "{name}"
    );
    assert_eq!(signed.signer.pinned, !name.ends_with("sigstore"), "{name}");
    // A hint is followed to keys that were given, and to no others.
    if signed.signer.pinned {
        let mut bundle: Value = serde_json::from_slice(&files["model.sig"]).unwrap();
        let hint = signed.signer.key.to_string();
        bundle["verificationMaterial"] = serde_json::json!({"publicKey": {"hint": hint}});
        let raw = bundle.to_string().into_bytes();
        let hinted = oms::verify(&raw, &[given]).unwrap().signer;
        assert_eq!(
            (hinted.source, hinted.pinned),
            (KeySource::Given, true),
            "{name}"
        );
        assert_eq!(
            oms::verify(&raw, &[]),
            Err(OmsError::Hint(hint.into())),
            "{name}"
        );
    }
}

fn der(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body = pem.split("-----").nth(2).unwrap();
    let body: String = body.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap()
}

#[test]
fn bundles_that_are_none_are_refused() {
    let Some(folder) = vectors("bundles_that_are_none_are_refused") else {
        return;
    };
    let folder = folder.join("oms/test-vectors/v1.0");
    let verify = |name: &str| oms::verify(&fs::read(folder.join(name)).unwrap(), &[]);
    for name in ["certificate", "sigstore"] {
        let signed = verify(&format!("valid/{name}.bundle.json"));
        assert!(signed.is_ok(), "{name}: {signed:?}");
    }
    for name in ["empty", "missing-envelope", "missing-verification-material"] {
        let error = verify(&format!("invalid/{name}.bundle.json")).unwrap_err();
        assert!(
            matches!(error, OmsError::Document { part: "bundle", .. }),
            "{name}: {error}"
        );
    }
    // A log that is not there says nothing less: we do not look at one.
    assert!(verify("invalid/missing-tlog-entries.bundle.json").is_ok());
}

/// What stands in the document of the protocol after a word.
fn after<'a>(document: &'a str, word: &str) -> &'a str {
    let rest = document.split_once(word).unwrap().1.trim_start();
    rest.split_whitespace().next().unwrap()
}

/// A number of up to 256 bits in decimal, as bytes.
fn bytes(decimal: &str) -> [u8; 32] {
    let mut out = [0_u8; 32];
    for digit in decimal.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in out.iter_mut().rev() {
            let value = u32::from(*byte) * 10 + carry;
            *byte = u8::try_from(value & 0xff).unwrap();
            carry = value >> 8;
        }
    }
    out
}

#[test]
fn the_vector_of_the_protocol_is_verified() {
    let Some(folder) = vectors("the_vector_of_the_protocol_is_verified") else {
        return;
    };
    let document = fs::read_to_string(folder.join("dsse/protocol.md")).unwrap();
    let json = document
        .split_once("```json")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    let envelope = Envelope::read(json.as_bytes(), 10_000, 1).unwrap();
    assert_eq!(envelope.payload, b"hello world");
    let signed = String::from_utf8(envelope.signed()).unwrap();
    assert!(document.contains(&signed), "{signed}");
    let point = [
        vec![4],
        bytes(after(&document, "\nX:")).to_vec(),
        bytes(after(&document, "\nY:")).to_vec(),
    ]
    .concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), &envelope.signatures[0].sig)
        .unwrap();
    assert!(
        key.verify(b"hello world", &envelope.signatures[0].sig)
            .is_err()
    );
}
