//! Red teams on the command line: a suite run, its report put into the pack, and verified there.

use serde_json::{Value, json};

use crate::common::{output, run};

const SUITE: &str = r#"
schema = "https://shieldwall.dev/redteam-suite/v1"
name = "small"
task = "dga-domain"
seed = 3
samples = "small.jsonl"
fpr = 0.01
held_out = ["charbot"]
chains = { each = 2, depth = [2, 3] }
search = { samples_max = 2, budgets = [10, 40], children = 2 }
"#;

#[test]
fn a_report_stands_in_the_pack_that_it_is_on() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let packs = testkit::workspace_root().join("models/packs");
    for name in ["dga-domain.swpack", "dga-domain.pub"] {
        std::fs::copy(packs.join(name), at(name)).unwrap();
    }
    let (pack, suite) = (at("dga-domain.swpack"), at("small.toml"));
    let names = [
        "xkqzjvwpqhtr.biz",
        "qpwjzkxvbnmtr.info",
        "riverbank.org",
        "greenfield.com",
    ];
    let lines: String = (names.iter().enumerate())
        .map(|(index, name)| {
            format!(
                "{}\n",
                json!({"domain": name, "label": u8::from(index < 2)})
            )
        })
        .collect();
    std::fs::write(&suite, SUITE).unwrap();
    std::fs::write(at("small.jsonl"), &lines).unwrap();

    // The folder of the pack, as any tar unpacks it.
    std::fs::create_dir(at("folder")).unwrap();
    let unpacked = std::process::Command::new("tar")
        .args(["-xf", &pack, "-C", &at("folder")])
        .status();
    assert!(unpacked.unwrap().success());
    let go = |options: &[&str]| -> Value {
        let told = run(&[
            &[
                "redteam", "run", "--json", "--pack", &pack, "--suite", &suite,
            ],
            options,
        ]
        .concat());
        serde_json::from_str(&told).unwrap()
    };
    let report = go(&["--out", &at("folder"), "--other", &pack]);
    assert_eq!(
        report,
        go(&["--other", &pack]),
        "the same seed gives the same report"
    );
    let results = &report["results"];
    assert_eq!(results["invalid"], 0);
    assert_eq!(results["clean"]["of"], 2);
    assert_eq!(results["mutations"].as_array().unwrap().len(), 6);
    assert_eq!(results["mutations"][5]["held_out"], true);
    // What passes a pack passes the same pack.
    assert_eq!(
        results["transfer"][0]["carried"]["hits"],
        results["transfer"][0]["carried"]["of"]
    );
    assert!(
        !report.to_string().contains("xkqzjvwpqhtr"),
        "no payloads unless asked for"
    );
    assert!(go(&["--payloads"]).to_string().contains("\"domain\":"));
    let shown = run(&["redteam", "run", "--pack", &pack, "--suite", &suite]);
    assert!(
        shown.contains("under every mutation that applies"),
        "{shown}"
    );

    let written = at("folder/evidence/redteam-small.json");
    assert_eq!(verify(&pack, &["--suite", &suite, &written]).0, Some(0));
    assert_eq!(verify(&pack, &[]).0, Some(2), "no report inside");
    stands_in_the_pack(temp.path(), &suite);
    is_of_its_suite_and_model(temp.path(), &suite, &lines, &written);
}

/// `redteam verify`: its exit status, and what it says.
fn verify(pack: &str, more: &[&str]) -> (Option<i32>, String) {
    let done = output(&[&["redteam", "verify", "--pack", pack], more].concat());
    (done.status.code(), String::from_utf8(done.stdout).unwrap())
}

fn stands_in_the_pack(temp: &std::path::Path, suite: &str) {
    let at = |name: &str| temp.join(name).to_str().unwrap().to_owned();
    // Signed with the rest of the pack, the report is read out of it.
    run(&["pack", "build", &at("folder"), "--out", &at("own.swpack")]);
    let key: Value =
        serde_json::from_str(&run(&["pack", "keygen", "--json", "--out", &at("own.pem")])).unwrap();
    run(&["pack", "sign", &at("own.swpack"), "--key", &at("own.pem")]);
    let trust = format!(
        "threshold = 1\n[[key]]\nholder = \"Shieldwall\"\npublic = {}\n",
        key["key"]
    );
    std::fs::write(at("trust.toml"), trust).unwrap();
    let (code, told) = verify(
        &at("own.swpack"),
        &["--trust", &at("trust.toml"), "--suite", suite],
    );
    assert!(
        code == Some(0)
            && told.contains("redteam-small.json: on this pack's model and of this suite"),
        "{told}"
    );
}

fn is_of_its_suite_and_model(temp: &std::path::Path, suite: &str, lines: &str, written: &str) {
    let at = |name: &str| temp.join(name).to_str().unwrap().to_owned();
    // Another suite, and another model.
    std::fs::write(at("small.jsonl"), lines.replace("riverbank", "riverbed")).unwrap();
    let (code, told) = verify(&at("dga-domain.swpack"), &["--suite", suite, written]);
    assert!(
        code == Some(1) && told.contains("the suite with its samples is"),
        "{told}"
    );
    let other = testkit::workspace_root()
        .join("models/packs")
        .join("phishing-url.swpack");
    let (code, told) = verify(other.to_str().unwrap(), &[written]);
    assert!(
        code == Some(1) && told.contains("the pack has no model for dga-domain"),
        "{told}"
    );
}

#[test]
fn samples_are_changed_for_training_and_mutations_are_listed() {
    let temp = tempfile::tempdir().unwrap();
    let rows = temp.path().join("rows.jsonl");
    let line =
        json!({"payload": "1' union select name from users -- -", "label": 1, "source": "own"});
    std::fs::write(&rows, format!("{line}\n").repeat(20)).unwrap();
    let made = run(&[
        "redteam",
        "mutate",
        "web-attack",
        rows.to_str().unwrap(),
        "--without",
        "base64",
    ]);
    let made: Vec<Value> = made
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(made.len() > 10, "{made:?}");
    for line in &made {
        assert!(line["uri"].is_string() && line["label"] == 1 && line["source"] == "own");
        let steps = line["steps"].as_array().unwrap();
        assert!(!steps.is_empty() && !line["steps"].to_string().contains("\"base64:"));
    }
    let listed = run(&["redteam", "mutations", "web-attack"]);
    assert!(listed.lines().count() > 50 && listed.contains("fullwidth"));
}
