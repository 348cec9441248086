//! Partners, by the commands that a person types: share, watch, revoke.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use serde_json::Value;

use crate::common::{BINARY, HubFolder, output, run, wait_for};

#[test]
fn what_is_addressed_to_one_partner_is_never_seen_by_another() {
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::new(folder.path());
    let _hub = hub.start();
    let [alpha, bravo, charlie] = ["alpha", "bravo", "charlie"].map(|name| hub.enrol(name));
    let (mut at_bravo, mut at_charlie) = (Watch::start(&bravo), Watch::start(&charlie));
    share(
        &alpha,
        &[
            "--ip",
            "192.0.2.1",
            "--tlp",
            "TLP:AMBER+STRICT",
            "--audience",
            "bravo",
        ],
    );
    share(
        &alpha,
        &[
            "--ip",
            "192.0.2.2",
            "--tlp",
            "TLP:RED",
            "--audience",
            "bravo",
        ],
    );
    share(&alpha, &["--ip", "192.0.2.3", "--tlp", "TLP:AMBER"]);
    share(&alpha, &["--domain", "evil.example", "--tlp", "TLP:GREEN"]);
    at_bravo.wait("evil.example");
    at_charlie.wait("evil.example");
    assert_eq!(
        at_bravo.seen("192.0.2."),
        ["[ipv4-addr:value = '192.0.2.1']"]
    );
    assert_eq!(at_charlie.seen("192.0.2."), [] as [&str; 0]);
}

#[test]
fn a_revoked_object_and_a_revoked_partner_are_out() {
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::new(folder.path());
    let _hub = hub.start();
    let (alpha, bravo) = (hub.enrol("alpha"), hub.enrol("bravo"));
    let mut watch = Watch::start(&bravo);
    let shared = share(
        &alpha,
        &["--url", "http://evil.example/a", "--tlp", "TLP:CLEAR"],
    );
    let id = shared.split_whitespace().nth(1).unwrap();
    share(&alpha, &["--revoke", id]);
    wait_for("the revocation", Duration::from_secs(10), || {
        watch.collect();
        watch
            .lines
            .iter()
            .any(|line| line["event"] == "revoke")
            .then_some(())
    });
    let other = output(&[
        "share",
        "--revoke",
        id,
        "--identity",
        bravo.to_str().unwrap(),
    ]);
    assert_eq!(
        other.status.code(),
        Some(2),
        "only who shared it may take it back"
    );

    let data = folder.path().join("hub");
    run(&[
        "partner",
        "revoke",
        "alpha",
        "--data",
        data.to_str().unwrap(),
    ]);
    let identity = alpha.to_str().unwrap();
    let refused = output(&["share", "--ip", "192.0.2.9", "--identity", identity]);
    assert_eq!(
        refused.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&refused.stderr)
    );
    let list = run(&[
        "partner",
        "list",
        "--data",
        data.to_str().unwrap(),
        "--json",
    ]);
    let alpha = list
        .lines()
        .find(|line| line.contains("\"alpha\""))
        .unwrap();
    assert!(alpha.contains("\"revoked\":true"), "{list}");
}

fn share(identity: &Path, what: &[&str]) -> String {
    run(&[
        &["share"],
        what,
        &["--identity", identity.to_str().unwrap()],
    ]
    .concat())
}

/// A running `watch --json`.
struct Watch {
    child: Child,
    told: Receiver<Value>,
    lines: Vec<Value>,
}

impl Watch {
    fn start(identity: &Path) -> Self {
        let mut child = Command::new(BINARY)
            .args(["watch", "--json", "--identity", identity.to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, told) = channel::<Value>();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                lines.send(serde_json::from_str(&line).unwrap()).ok();
            }
        });
        let hello = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(hello["event"], "hello", "{hello}");
        Self {
            child,
            told,
            lines: Vec::new(),
        }
    }

    fn collect(&mut self) {
        self.lines.extend(self.told.try_iter());
    }

    fn wait(&mut self, text: &str) {
        wait_for(text, Duration::from_secs(10), || {
            self.collect();
            self.lines
                .iter()
                .any(|line| line.to_string().contains(text))
                .then_some(())
        });
    }

    /// The patterns that contain `text`.
    fn seen(&self, text: &str) -> Vec<&str> {
        let patterns = self
            .lines
            .iter()
            .filter_map(|line| line["object"]["pattern"].as_str());
        patterns.filter(|pattern| pattern.contains(text)).collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
