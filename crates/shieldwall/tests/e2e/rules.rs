//! Rules in a running shield.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::common::{HubFolder, Process, alone, run, wait_for};
use crate::traffic::Traffic;

#[test]
fn a_hang_up_has_rules_read_anew() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/attack.pcap");
    let config = format!(
        "name = \"s\"\ndata = {:?}\n[capture]\npcap = {capture:?}\nrepeat = true\n[rules]\nfiles = [{:?}]\n\
         watch = false\n[eve]\nfile = {:?}\nalerts_only = true\n",
        at("data"),
        at("a.rules"),
        at("eve.json"),
    );
    std::fs::write(at("shield.toml"), config).unwrap();
    let write = |sid: u32| {
        let rule =
            format!("alert http any any -> any any (http.method; content:\"GET\"; sid:{sid};)\n");
        std::fs::write(at("a.rules"), rule).unwrap();
    };
    let alerts = |sid: u64| {
        let text = std::fs::read_to_string(at("eve.json")).unwrap_or_default();
        let lines = text.lines();
        let records = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of = records.filter(|record| record["alert"]["signature_id"] == sid);
        of.count()
    };
    write(1);
    let shield = Process::start(&[
        "shield",
        "run",
        "--config",
        at("shield.toml").to_str().unwrap(),
    ]);
    let wait = |sid| {
        let what = format!("an alert of rule {sid}");
        wait_for(&what, Duration::from_secs(30), || {
            (alerts(sid) > 0).then_some(())
        });
    };
    wait(1);
    write(2);
    shield.hang_up();
    wait(2);
}

#[test]
fn a_rule_that_one_partner_shares_alerts_at_another_and_blocks_as_far_as_policy_lets_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut traffic = Traffic::default();
    traffic.benign_sessions("198.51.100.7", 2);
    std::fs::write(at("in.pcap"), traffic.pcap()).unwrap();
    let hub = HubFolder::new(folder.path());
    let _hub = hub.start();
    let alpha = hub.enrol("alpha");
    let more = format!(
        "[capture]\npcap = {:?}\nrepeat = true\n[home]\nnetworks = [\"203.0.113.0/24\"]\n[eve]\nfile = {:?}\n\
         alerts_only = true\n",
        at("in.pcap"),
        at("eve.json")
    );
    let bravo = hub.shield("bravo", &hub.enrol("bravo"), &more);
    let _bravo = bravo.start();
    let id = "indicator--00000000-0000-4000-8000-000000000077";
    let rule = "drop http any any -> any any (http.uri; content:\"/index.html\"; sid:5;)";
    let indicator = json!({
        "type": "indicator", "spec_version": "2.1", "id": id,
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "pattern": rule, "pattern_type": "suricata", "valid_from": "2026-01-01T00:00:00Z",
        "confidence": 80, "indicator_types": ["malicious-activity"],
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
    });
    std::fs::write(at("rule.json"), indicator.to_string()).unwrap();
    let url = format!("https://127.0.0.1:{}", hub.port);
    let file = at("rule.json");
    run(&[
        "share",
        file.to_str().unwrap(),
        "--hub",
        &url,
        "--identity",
        alpha.to_str().unwrap(),
    ]);
    let alert = wait_for("an alert", Duration::from_secs(30), || {
        let text = std::fs::read_to_string(at("eve.json")).unwrap_or_default();
        let first = text.lines().next()?;
        serde_json::from_str::<Value>(first).ok()
    });
    assert_eq!(alert["shieldwall"]["source"], "alpha", "{alert}");
    assert_eq!(alert["shieldwall"]["object"], id);
    assert_eq!(alert["alert"]["signature_id"], 5);
    let lease = wait_for("a lease", Duration::from_secs(30), || {
        bravo.events("lease").into_iter().next()
    });
    assert_eq!(lease["key"]["source"], "198.51.100.7/32", "{lease}");
    let verdict = &bravo.events("verdict")[0];
    assert_eq!(verdict["offender"], "198.51.100.7", "{verdict}");
}
