//! Packs that are as they should be, and each way in which one can be otherwise.

use std::collections::BTreeMap;

use pack::dsse::Envelope;
use pack::statement::Statement;
use pack::{Limits, PackError, Trust, Unverified};
use proptest::prelude::*;

use crate::common::*;

const ENVELOPE: &str = pack::ENVELOPE;

/// The pack with another envelope.
fn enveloped(bytes: &[u8], change: impl FnOnce(&mut Envelope)) -> Vec<u8> {
    with(bytes, |folder| {
        let raw = &folder[ENVELOPE];
        let mut envelope = Envelope::read(raw, 1 << 20, 16).unwrap();
        change(&mut envelope);
        folder.insert(ENVELOPE.into(), envelope.write().unwrap().into_bytes());
    })
}

/// Another statement in the envelope, signed by both.
fn stated(bytes: &[u8], change: impl FnOnce(&mut Statement)) -> Vec<u8> {
    enveloped(bytes, |envelope| {
        let mut statement = Statement::read(&envelope.payload, 1 << 20).unwrap();
        change(&mut statement);
        envelope.payload = statement.write().unwrap().into_bytes();
        signed_anew(envelope);
    })
}

fn signed_anew(envelope: &mut Envelope) {
    let message = envelope.signed();
    for signature in &mut envelope.signatures {
        let key = [publisher(), reviewer()];
        let key = key
            .iter()
            .find(|key| Some(key.public().id().to_string()) == signature.keyid);
        signature.sig = key.unwrap().sign(&message);
    }
}

#[test]
fn a_pack_that_both_signed_is_verified_and_read() {
    let bytes = signed();
    let pack = verify(&bytes, &both()).unwrap();
    assert_eq!(pack.manifest().name.as_ref(), "web-attack");
    let signers: Vec<&str> = pack.signers().iter().map(AsRef::as_ref).collect();
    assert_eq!(signers, ["Example CERT", "Reviewers"]);
    let model = &pack.manifest().models[0];
    assert_eq!(pack.file(&model.file).unwrap(), folder()["models/web.onnx"]);
    assert_eq!(
        (model.extractor.name(), model.extractor.version()),
        ("http-field", 1)
    );
    let digest = Unverified::read(&bytes, &Limits::default()).unwrap().digest;
    assert_eq!(pack.digest(), digest);
    // Who signs changes the file and not which pack it is.
    assert_eq!(
        Unverified::read(&built(), &Limits::default())
            .unwrap()
            .digest,
        digest
    );
}

#[test]
fn the_same_files_are_the_same_bytes_in_any_form_and_any_order_of_signing() {
    let limits = Limits::default();
    let mut spaced = folder();
    spaced.insert("pack.json".into(), format!("\n {}", draft()).into_bytes());
    assert_eq!(pack::build(&as_files(&spaced), &limits).unwrap(), built());
    // The files of a pack make the pack again.
    let bytes = signed();
    let files = pack::archive::read(&bytes, &limits).unwrap();
    assert_eq!(pack::build(&files, &limits).unwrap(), built());
    let other_way = pack::sign(&built(), &reviewer(), &limits).unwrap();
    assert_eq!(
        pack::sign(&other_way, &publisher(), &limits).unwrap(),
        bytes
    );
    let again = pack::sign(&bytes, &publisher(), &limits).unwrap_err();
    assert_eq!(again.name(), "duplicate-key");
}

#[test]
fn every_byte_that_is_another_is_refused() {
    let bytes = signed();
    let trust = both();
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        assert!(
            verify(&other, &trust).is_err(),
            "byte {at} of {}",
            bytes.len()
        );
    }
}

#[test]
fn it_takes_as_many_holders_as_the_operator_asks_for() {
    let (publisher, reviewer) = (publisher(), reviewer());
    let once = pack::sign(&built(), &publisher, &Limits::default()).unwrap();
    assert_eq!(refusal(&built(), &both()), "unsigned");
    let error = verify(&once, &both()).unwrap_err();
    let text = "signed by 1 of those whom you trust (Example CERT); it takes 2";
    assert_eq!(
        (error.name(), error.to_string().as_str()),
        ("too-few-signers", text)
    );
    let alone = trust(1, &[("Example CERT", &publisher)]);
    assert!(verify(&once, &alone).is_ok());
    // A signature of a stranger counts for nothing, and harms nothing.
    assert_eq!(verify(&signed(), &alone).unwrap().signers().len(), 1);
    let strangers = trust(1, &[("Somebody", &key(9))]);
    assert_eq!(refusal(&signed(), &strangers), "too-few-signers");
    // Two keys of one organisation are one organisation.
    let one = trust(
        2,
        &[
            ("Example CERT", &publisher),
            ("Example CERT", &reviewer),
            ("Third", &key(3)),
        ],
    );
    assert_eq!(refusal(&signed(), &one), "too-few-signers");
    // Others who are trusted do not speak for the publisher.
    let others = trust(1, &[("Rivals", &publisher), ("Reviewers", &reviewer)]);
    assert_eq!(refusal(&signed(), &others), "publisher-did-not-sign");
}

#[test]
fn envelopes_that_are_otherwise_are_refused_by_name() {
    let (bytes, trust) = (signed(), both());
    let cases: [(&str, Vec<u8>); 9] = [
        (
            "payload-type",
            enveloped(&bytes, |envelope| {
                envelope.payload_type = "application/json".into();
                signed_anew(envelope);
            }),
        ),
        (
            "duplicate-key",
            enveloped(&bytes, |envelope| {
                let first = envelope.signatures[0].clone();
                envelope.signatures.insert(0, first);
            }),
        ),
        (
            "duplicate-key",
            enveloped(&bytes, |envelope| envelope.signatures.reverse()),
        ),
        (
            "key-id",
            enveloped(&bytes, |envelope| envelope.signatures[0].keyid = None),
        ),
        (
            "key-id",
            enveloped(&bytes, |envelope| {
                envelope.signatures[0].keyid = Some("mine".into())
            }),
        ),
        (
            "bad-signature",
            enveloped(&bytes, |envelope| {
                let second = envelope.signatures[1].sig.clone();
                envelope.signatures[0].sig = second;
            }),
        ),
        (
            "bad-signature",
            enveloped(&bytes, |envelope| envelope.signatures[0].sig.clear()),
        ),
        (
            "envelope",
            with(&bytes, |folder| {
                folder.get_mut(ENVELOPE).unwrap().push(b'\n')
            }),
        ),
        (
            "unsigned",
            with(&bytes, |folder| drop(folder.remove(ENVELOPE))),
        ),
    ];
    for (index, (name, bytes)) in cases.iter().enumerate() {
        assert_eq!(refusal(bytes, &trust), *name, "case {index}");
    }
    let many = Limits {
        signatures_max: 1,
        ..Limits::default()
    };
    let error = Unverified::read(&bytes, &many).unwrap_err();
    assert_eq!(error.name(), "envelope");
}

#[test]
fn what_is_no_archive_of_ours_is_refused_by_name() {
    let (bytes, trust) = (signed(), both());
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0";
    let longer = [bytes.as_slice(), &[0; 512]].concat();
    let mut link = bytes.clone();
    link[156] = b'2';
    for (name, bytes) in [
        ("cut-off", b"PK\x03\x04".as_slice()),
        ("cut-off", &bytes[..bytes.len() - 1]),
        ("compressed", gzip),
        ("form", &longer),
        ("not-a-file", &link),
    ] {
        assert_eq!(refusal(bytes, &trust), name);
    }
}

#[test]
fn what_was_signed_is_what_is_there() {
    let (bytes, trust) = (signed(), both());
    let model = "models/web.onnx";
    let cases: [(&str, Vec<u8>); 10] = [
        (
            "not-as-signed",
            with(&bytes, |folder| folder.get_mut(model).unwrap().push(0)),
        ),
        (
            "not-as-signed",
            with(&bytes, |folder| drop(folder.remove(model))),
        ),
        (
            "not-as-signed",
            with(&bytes, |folder| drop(folder.remove("pack.json"))),
        ),
        (
            "not-signed",
            with(&bytes, |folder| {
                drop(folder.insert("models/more.onnx".into(), vec![]))
            }),
        ),
        (
            "statement",
            stated(&bytes, |statement| statement.kind.push('x')),
        ),
        (
            "statement",
            stated(&bytes, |statement| {
                statement.predicate_type = "https://slsa.dev/provenance/v1".into()
            }),
        ),
        (
            "other-pack",
            stated(&bytes, |statement| statement.predicate.sequence = 8),
        ),
        (
            "other-pack",
            stated(&bytes, |statement| {
                let first = statement.subject[0].clone();
                statement.subject.push(first);
            }),
        ),
        (
            "not-signed",
            stated(&bytes, |statement| drop(statement.subject.pop())),
        ),
        (
            "statement",
            enveloped(&bytes, |envelope| {
                envelope.payload.insert(0, b' ');
                signed_anew(envelope);
            }),
        ),
    ];
    for (index, (name, bytes)) in cases.iter().enumerate() {
        assert_eq!(refusal(bytes, &trust), *name, "case {index}");
    }
}

/// The files of a pack, changed, under a statement that is right for them and signed by both: what
/// a publisher can do who does not use our tools.
fn malicious(change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Vec<u8> {
    let changed = with(&signed(), change);
    let files = pack::archive::read(&changed, &Limits::default()).unwrap();
    let digests: Vec<_> = files
        .iter()
        .filter(|(path, _)| path.as_str() != ENVELOPE)
        .map(|(path, content)| (path.to_string(), pack::Digest::of(content)))
        .collect();
    stated(&changed, |statement| {
        statement.subject = digests
            .into_iter()
            .map(|(name, sha256)| pack::statement::Subject {
                name,
                digest: pack::statement::Sha256 { sha256 },
            })
            .collect();
    })
}

#[test]
fn a_publisher_cannot_sign_what_the_manifest_does_not_say() {
    let trust = both();
    let cases: [(&str, Vec<u8>); 6] = [
        (
            "unlisted-file",
            malicious(|folder| drop(folder.insert("models/more.onnx".into(), vec![]))),
        ),
        (
            "changed-file",
            malicious(|folder| drop(folder.insert("models/web.onnx".into(), b"x".to_vec()))),
        ),
        (
            "missing-file",
            malicious(|folder| drop(folder.remove("models/web.onnx"))),
        ),
        (
            "no-manifest",
            malicious(|folder| drop(folder.remove("pack.json"))),
        ),
        (
            "manifest",
            malicious(|folder| folder.get_mut("pack.json").unwrap().push(b' ')),
        ),
        (
            "manifest",
            malicious(|folder| drop(folder.insert("pack.json".into(), b"{}".to_vec()))),
        ),
    ];
    for (index, (name, bytes)) in cases.iter().enumerate() {
        assert_eq!(refusal(bytes, &trust), *name, "case {index}");
    }
}

#[test]
fn a_pack_has_its_time() {
    let (bytes, trust) = (signed(), both());
    let name = |now: &str| verify_at(&bytes, &trust, now).map_err(|error| error.name());
    assert_eq!(name("2026-10-31T23:54:59.000Z").unwrap_err(), "not-yet");
    assert!(name("2026-10-31T23:55:00.000Z").is_ok());
    assert!(name("2027-04-30T23:59:59.999Z").is_ok());
    assert_eq!(name("2027-05-01T00:00:00.000Z").unwrap_err(), "expired");
}

#[test]
fn an_older_one_than_was_seen_is_refused_by_publisher_and_name() {
    let (bytes, trust) = (signed(), both());
    let id = Unverified::read(&bytes, &Limits::default())
        .unwrap()
        .manifest
        .id();
    let mut seen = BTreeMap::new();
    for (sequence, want) in [
        (6, Ok(())),
        (7, Ok(())),
        (
            8,
            Err(PackError::Rollback {
                sequence: 7,
                seen: 8,
            }),
        ),
    ] {
        seen.insert(id.clone(), sequence);
        assert_eq!(verify_seen(&bytes, &trust, NOW, &seen).map(drop), want);
    }
    let mut other = id;
    other.publisher = "Somebody else".parse().unwrap();
    assert!(verify_seen(&bytes, &trust, NOW, &BTreeMap::from([(other, 100)])).is_ok());
}

#[test]
fn a_newer_engine_is_asked_for() {
    let bytes = reissued(|manifest| manifest["min_engine"] = "0.1.1".into());
    assert_eq!(refusal(&bytes, &both()), "engine-too-old");
    // A pre-release is before its release.
    let bytes = reissued(|manifest| manifest["min_engine"] = "0.1.0-rc.1".into());
    assert!(verify(&bytes, &both()).is_ok());
}

#[test]
fn what_was_taken_back_is_refused_whoever_signed() {
    let bytes = signed();
    let read = Unverified::read(&bytes, &Limits::default()).unwrap();
    let model = read
        .manifest
        .file(&"models/web.onnx".parse().unwrap())
        .unwrap()
        .sha256;
    for digest in [read.digest, model] {
        let mut trust = both();
        trust.revoked.insert(digest);
        assert_eq!(refusal(&bytes, &trust), "revoked");
    }
    let mut trust = both();
    trust.revoked_keys.insert(reviewer().public().id());
    assert_eq!(refusal(&bytes, &trust), "revoked-key");
    // Also where its holder need not have signed, and the key is not known otherwise.
    let mut trust = trust_of_publisher();
    trust.revoked_keys.insert(reviewer().public().id());
    assert_eq!(refusal(&bytes, &trust), "revoked-key");
}

fn trust_of_publisher() -> Trust {
    trust(1, &[("Example CERT", &publisher())])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_panic_and_none_pass(bytes: Vec<u8>, at: usize, part: Vec<u8>) {
        let trust = both();
        prop_assert!(verify(&bytes, &trust).is_err());
        let good = signed();
        let at = at % good.len();
        let mut other = good.clone();
        other.splice(at..(at + part.len()).min(good.len()), part);
        if other != good {
            prop_assert!(verify(&other, &trust).is_err());
        }
    }
}
