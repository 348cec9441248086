//! Packs on the command line: made, signed, verified, looked at.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{output, run};

/// An author's folder.
pub(crate) fn folder(at: &Path, expires: &str) {
    let draft = json!({
        "name": "web-attack", "version": "1.2.0", "sequence": 7,
        "created": "2026-01-01T00:00:00.000Z", "expires": expires,
        "publisher": "Example CERT", "licence": "Apache-2.0",
        "capabilities": ["tag", "alert"], "scope": ["web-attack"],
        "limits": {"memory_bytes_max": 4_000_000, "p99_us_max": 50, "features_max": 90},
        "min_engine": "0.1.0", "responsibility": "Example CERT, soc@cert.example",
        "models": [{
            "task": "web-attack", "file": "models/web.onnx", "extractor": "http-field@1",
            "inputs": [{"name": "x", "groups": ["counts"]}], "output": "score", "aggregate": "max",
            "thresholds": [{"fpr": 0.001, "threshold": 0.81, "set": "own benign"}],
            "training": {
                "date": "2026-01-01T00:00:00.000Z",
                "sources": [{"name": "HttpParams", "licence": "MIT", "rows": 31067}],
                "results": [{"set": "held out", "rows": 5000, "metric": "recall", "value": 0.91, "low": 0.9, "high": 0.92}],
            },
        }],
    });
    std::fs::create_dir_all(at.join("models")).unwrap();
    std::fs::write(at.join("pack.json"), draft.to_string()).unwrap();
    std::fs::write(at.join("models/web.onnx"), b"not looked at here").unwrap();
}

fn status(args: &[&str]) -> (Option<i32>, String, String) {
    let output = output(args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

pub(crate) fn trust(at: &Path, holders: &[(&str, &str)]) {
    let mut text = format!("threshold = {}\n", holders.len());
    for (holder, public) in holders {
        text.push_str(&format!(
            "[[key]]\nholder = {holder:?}\npublic = {public:?}\n"
        ));
    }
    std::fs::write(at, text).unwrap();
}

#[test]
fn a_pack_is_built_signed_by_two_and_verified_until_a_byte_is_another() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    folder(&temp.path().join("in"), "9000-01-01T00:00:00.000Z");
    let (pack, trusted) = (at("a.swpack"), at("trust.toml"));
    let key = |name: &str| -> Value {
        serde_json::from_str(&run(&["pack", "keygen", "--out", &at(name), "--json"])).unwrap()
    };
    let (own, other) = (key("own.pem"), key("other.pem"));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(at("own.pem")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        status(&["pack", "keygen", "--out", &at("own.pem")]).0,
        Some(2)
    );
    run(&["pack", "build", &at("in"), "--out", &pack]);
    let twice = at("b.swpack");
    run(&["pack", "build", &at("in"), "--out", &twice]);
    assert_eq!(
        std::fs::read(&pack).unwrap(),
        std::fs::read(&twice).unwrap()
    );
    let holders = [
        ("Example CERT", own["key"].as_str().unwrap()),
        ("Reviewers", other["key"].as_str().unwrap()),
    ];
    trust(trusted.as_ref(), &holders);
    let verify = || {
        let (code, out, _) = status(&["pack", "verify", &pack, "--trust", &trusted, "--json"]);
        let said: Value = serde_json::from_str(&out).unwrap();
        (code, said)
    };
    assert_eq!(verify().1["refused"], "unsigned");
    run(&["pack", "sign", &pack, "--key", &at("own.pem")]);
    let (code, said) = verify();
    assert_eq!(
        (code, &said["refused"]),
        (Some(1), &json!("too-few-signers"))
    );
    run(&["pack", "sign", &pack, "--key", &at("other.pem")]);
    let (code, said) = verify();
    assert_eq!(
        (code, &said["signers"]),
        (Some(0), &json!(["Example CERT", "Reviewers"]))
    );
    let seen = ["pack", "verify", &pack, "--trust", &trusted, "--seen", "8"];
    let (code, out, _) = status(&seen);
    assert!(
        code == Some(1) && out.contains("refused: rollback:"),
        "{out}"
    );
    // Signing twice with one key is a fault of who signs.
    assert_eq!(
        status(&["pack", "sign", &pack, "--key", &at("own.pem")]).0,
        Some(2)
    );
    shows_what_a_person_decides_by(&pack, &trusted);
    is_made_again_from_what_tar_unpacks(&pack, &twice, temp.path());
    let mut bytes = std::fs::read(&pack).unwrap();
    let place = bytes
        .windows(10)
        .position(|part| part == b"not looked")
        .unwrap();
    bytes[place] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let (code, said) = verify();
    assert_eq!((code, &said["refused"]), (Some(1), &json!("not-as-signed")));
    assert_eq!(status(&["pack", "inspect", &pack]).0, Some(2));
}

fn shows_what_a_person_decides_by(pack: &str, trusted: &str) {
    let shown = run(&["pack", "inspect", pack, "--trust", trusted]);
    for part in [
        "web-attack 1.2.0 (sequence 7) of Example CERT",
        "verified; signed by Example CERT, Reviewers",
        "asks for   tag, alert",
        "reads      x <- counts of http-field@1",
        "threshold  0.81 at 0.001 false alarms, on own benign",
        "on         HttpParams (MIT), 31067 rows",
        "reached    recall = 0.91 (0.9 to 0.92) on held out, 5000 rows",
        "soc@cert.example",
        "models/web.onnx  model, 18 bytes, ",
    ] {
        assert!(shown.contains(part), "{part}\nis not in\n{shown}");
    }
    assert!(run(&["pack", "inspect", pack]).contains("not asked for"));
    let told: Value = serde_json::from_str(&run(&["pack", "inspect", pack, "--json"])).unwrap();
    assert_eq!(told["manifest"]["models"][0]["extractor"], "http-field@1");
    assert_eq!(told["signatures"].as_array().unwrap().len(), 2);
}

fn is_made_again_from_what_tar_unpacks(pack: &str, unsigned: &str, temp: &Path) {
    // Any tar reads it, and what it unpacks makes the same pack again.
    let at = |name: &str| temp.join(name).to_str().unwrap().to_owned();
    let out = at("out");
    std::fs::create_dir(&out).unwrap();
    let tar = Command::new("tar")
        .args(["-xf", pack, "-C", &out])
        .status()
        .unwrap();
    assert!(tar.success());
    let again = at("again.swpack");
    run(&["pack", "build", &out, "--out", &again]);
    assert_eq!(
        std::fs::read(again).unwrap(),
        std::fs::read(unsigned).unwrap()
    );
}

#[test]
fn what_is_over_or_wrong_is_said_with_its_place() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (input, pack) = (at("in"), at("a.swpack"));
    folder(input.as_ref(), "2026-01-02T00:00:00.000Z");
    let key: Value =
        serde_json::from_str(&run(&["pack", "keygen", "--out", &at("own.pem"), "--json"])).unwrap();
    run(&["pack", "build", &input, "--out", &pack]);
    run(&["pack", "sign", &pack, "--key", &at("own.pem")]);
    trust(
        at("trust.toml").as_ref(),
        &[("Example CERT", key["key"].as_str().unwrap())],
    );
    let (code, out, _) = status(&["pack", "verify", &pack, "--trust", &at("trust.toml")]);
    assert!(
        code == Some(1) && out.contains("refused: expired: expired at 2026-01-02"),
        "{out}"
    );
    assert!(run(&["pack", "inspect", &pack]).contains("(it is over)"));

    let build = || {
        let (code, _, error) = status(&["pack", "build", &input, "--out", &at("b.swpack")]);
        assert_eq!(code, Some(2), "{error}");
        error
    };
    std::os::unix::fs::symlink("/etc/passwd", at("in/models/link")).unwrap();
    assert!(build().contains("in/models/link: neither a file nor a folder"));
    std::fs::remove_file(at("in/models/link")).unwrap();
    std::fs::write(at("in/.hidden"), "").unwrap();
    assert!(build().contains("in/.hidden: each part of a path begins with"));
    std::fs::remove_file(at("in/.hidden")).unwrap();
    std::fs::write(at("in/notes.txt"), "").unwrap();
    assert!(build().contains("notes.txt: no place of a pack"));
    std::fs::remove_file(at("in/notes.txt")).unwrap();
    let draft = std::fs::read_to_string(at("in/pack.json")).unwrap();
    std::fs::write(at("in/pack.json"), draft.replace("\"alert\"", "\"drop\"")).unwrap();
    assert!(build().contains("pack.json: $.capabilities[1]: unknown variant `drop`"));

    let (code, _, error) = status(&["pack", "verify", &pack, "--trust", &at("own.pem")]);
    assert!(code == Some(2) && error.contains("own.pem: "), "{error}");
    let (code, _, error) = status(&["pack", "sign", &pack, "--key", &at("own.pem.pub")]);
    assert!(
        code == Some(2) && error.contains("not an Ed25519 private key"),
        "{error}"
    );
}

#[test]
fn keys_are_those_of_openssl() {
    if !testkit::has_program("openssl") {
        return testkit::skip("keys_are_those_of_openssl", "openssl is not installed");
    }
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl").args(args).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let (theirs, ours) = (at("theirs.pem"), at("ours.pem"));
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &theirs]);
    folder(at("in").as_ref(), "9000-01-01T00:00:00.000Z");
    run(&["pack", "build", &at("in"), "--out", &at("a.swpack")]);
    run(&["pack", "sign", &at("a.swpack"), "--key", &theirs]);
    let told: Value =
        serde_json::from_str(&run(&["pack", "inspect", &at("a.swpack"), "--json"])).unwrap();
    std::fs::write(
        at("spki"),
        openssl(&["pkey", "-in", &theirs, "-pubout", "-outform", "DER"]),
    )
    .unwrap();
    let digest = String::from_utf8(openssl(&["dgst", "-sha256", "-r", &at("spki")])).unwrap();
    assert_eq!(told["signatures"][0], digest.split(' ').next().unwrap());
    std::fs::write(at("pub.pem"), openssl(&["pkey", "-in", &theirs, "-pubout"])).unwrap();
    let pem = std::fs::read_to_string(at("pub.pem")).unwrap();
    let text =
        format!("threshold = 1\n[[key]]\nholder = \"Example CERT\"\npublic = '''\n{pem}'''\n");
    std::fs::write(at("trust.toml"), text).unwrap();
    run(&[
        "pack",
        "verify",
        &at("a.swpack"),
        "--trust",
        &at("trust.toml"),
    ]);
    run(&["pack", "keygen", "--out", &ours]);
    let public = openssl(&["pkey", "-in", &ours, "-pubout"]);
    assert_eq!(public, std::fs::read(at("ours.pem.pub")).unwrap());
}
