//! Rules in a running shield: taken at the start, taken anew when their files change, and kept when
//! the new ones are none.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use shield::Handle;
use testkit::capture::{Frames, Segment, flag};
use tokio_util::sync::CancellationToken;

/// How long anything that should happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Shield {
    folder: tempfile::TempDir,
    handle: Handle,
}

impl Shield {
    /// A shield that sees one request again and again.
    fn start(rules: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in.pcap"), request()).unwrap();
        std::fs::write(folder.path().join("a.rules"), rules).unwrap();
        let handle = shield::run(config(folder.path(), more), CancellationToken::new()).unwrap();
        Self { folder, handle }
    }

    fn write(&self, rules: &str) {
        std::fs::write(self.folder.path().join("a.rules"), rules).unwrap();
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        let lines = text.lines();
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn journal(&self, event: &str) -> Vec<Value> {
        let mut lines = self.lines("data/journal.jsonl");
        lines.retain(|line| line["event"] == event);
        lines
    }

    /// How many alerts of a rule there are.
    fn alerts(&self, sid: u64) -> usize {
        let lines = self.lines("eve.json");
        let of = |line: &&Value| line["alert"]["signature_id"] == sid;
        lines.iter().filter(of).count()
    }
}

fn config(folder: &Path, more: &str) -> shield::Config {
    let folder = folder.display();
    let text = format!(
        "name = \"s\"\ndata = \"{folder}/data\"\n[capture]\npcap = \"{folder}/in.pcap\"\nrepeat = true\n\
         pace = \"recorded\"\n[home]\nnetworks = [\"10.2.0.0/24\"]\n[protect]\nautomatic = false\n[eve]\n\
         file = \"{folder}/eve.json\"\nalerts_only = true\n[rules]\nfiles = [\"{folder}/*.rules\"]\n{more}"
    );
    shield::config::parse(&text, Path::new("shield.toml")).unwrap()
}

/// One session from outside with a request for `/attack`.
fn request() -> Vec<u8> {
    let mut frames = Frames::default();
    let (client, server) = ("203.0.113.9:4000", "10.2.0.10:80");
    let get = b"GET /attack HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let (sent, answered) = (101 + 33, 901 + 27);
    let segments: [(&str, u32, u32, u8, &[u8]); 8] = [
        (client, 100, 0, flag::SYN, b""),
        (server, 900, 101, flag::SYN | flag::ACK, b""),
        (client, 101, 901, flag::ACK, b""),
        (client, 101, 901, flag::ACK | flag::PSH, get),
        (server, 901, sent, flag::ACK | flag::PSH, answer),
        (client, sent, answered, flag::ACK | flag::FIN, b""),
        (server, answered, sent + 1, flag::ACK | flag::FIN, b""),
        (client, sent + 1, answered + 1, flag::ACK, b""),
    ];
    for (number, (from, seq, ack, flags, payload)) in (0_u64..).zip(segments) {
        let to = if from == client { server } else { client };
        let segment = Segment {
            seq,
            ack,
            flags,
            timestamp: None,
            payload,
        };
        let at_ns = 1_700_000_000_000_000_000 + number * 5_000_000;
        frames.tcp(at_ns, from.parse().unwrap(), to.parse().unwrap(), &segment);
    }
    frames.pcap()
}

fn rule(action: &str, sid: u64) -> String {
    format!(
        "{action} http any any -> any any (msg:\"m\"; http.uri; content:\"/attack\"; sid:{sid};)\n"
    )
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn rules_that_change_are_taken_and_rules_that_are_none_are_not() {
    let shield = Shield::start(&(rule("alert", 1) + "nonsense\n"), "");
    until("an alert of the first rule", || shield.alerts(1) > 0);
    let first = &shield.journal("rules")[0];
    assert_eq!(
        (&first["taken"], &first["rules"], &first["refused"]),
        (&true.into(), &1.into(), &1.into())
    );
    assert!(
        first["refused_first"][0]
            .as_str()
            .unwrap()
            .contains("a.rules:2:1")
    );

    shield.write(&rule("alert", 2));
    until("an alert of the second rule", || shield.alerts(2) > 0);
    let before = shield.alerts(1);
    let seen = shield.alerts(2);
    until("more alerts of the second rule", || shield.alerts(2) > seen);
    assert_eq!(shield.alerts(1), before, "the first rule is gone");

    shield.write("nonsense that is no rule at all\n");
    until("word of rules that are none", || {
        shield
            .journal("rules")
            .iter()
            .any(|line| line["taken"] == false)
    });
    let seen = shield.alerts(2);
    until("alerts of the rule of before", || shield.alerts(2) > seen);
    let counters = shield.handle.state().counters;
    assert_eq!((counters["rule.own"], counters["rule.replaced"]), (1, 2));
    println!("{} counters", counters.len());
    assert!(counters.contains_key("sync.frames"), "nothing is left out");
    shield.handle.stop();
}

#[test]
fn files_are_read_anew_when_it_is_asked_for() {
    let shield = Shield::start(&rule("alert", 1), "watch = false\n");
    until("an alert of the first rule", || shield.alerts(1) > 0);
    shield.write(&rule("alert", 2));
    shield.handle.reload_rules();
    until("an alert of the second rule", || shield.alerts(2) > 0);
    shield.handle.stop();
}

#[test]
fn a_drop_rule_asks_for_a_lease_and_policy_grants_it() {
    let shield = Shield::start(&rule("drop", 1), "");
    until("a lease", || !shield.journal("lease").is_empty());
    let lease = &shield.journal("lease")[0];
    assert_eq!(lease["key"]["source"], "203.0.113.9/32", "{lease}");
    until("a verdict", || !shield.journal("verdict").is_empty());
    let verdict = &shield.journal("verdict")[0];
    assert_eq!(verdict["detector"], "rule@1");
    assert_eq!(verdict["evidence"], "exploit");
    until("an alert", || shield.alerts(1) > 0);
    shield.handle.stop();
    let shield = Shield::start(&rule("drop", 1), "drop = false\n");
    until("a verdict", || !shield.journal("verdict").is_empty());
    assert_eq!(shield.journal("verdict")[0]["offender"], Value::Null);
    assert!(shield.journal("lease").is_empty());
    shield.handle.stop();
}

#[test]
fn a_shield_does_not_start_with_rules_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.pcap"), request()).unwrap();
    std::fs::write(folder.path().join("a.rules"), "nonsense\n").unwrap();
    let start = |more: &str| {
        let started = shield::run(config(folder.path(), more), CancellationToken::new());
        started.map(|_| ()).unwrap_err().to_string()
    };
    let why = start("");
    assert!(why.contains("a.rules:1:1"), "{why}");
    std::fs::write(folder.path().join("a.rules"), rule("alert", 1)).unwrap();
    let why = start("config = \"/nonexistent/suricata.yaml\"\n");
    assert!(why.starts_with("/nonexistent/suricata.yaml: "), "{why}");
}
