//! What a partner may ask for and not get: nothing is enforced at B, and B says why.

use std::{path::Path, time::Duration};

use crate::common::{HubFolder, ShieldFolder, run, wait_for};
use crate::traffic::Traffic;
use serde_json::{Value, json};

/// Protected by configuration; the resolver is one of the protected too.
const OWN_NETWORK: &str = "203.0.113.0/24";
const RESOLVER: &str = "192.0.2.53";

/// What is asked for, and a word of the reason that B must give.
const REFUSED: &[(&str, &str)] = &[
    ("203.0.113.7/32", "protected"),
    ("192.0.2.53/32", "protected"),
    ("0.0.0.0/0", ""),
    ("203.0.112.0/22", ""),
    ("127.0.0.1/32", ""),
    ("224.0.0.5/32", ""),
    ("198.51.0.0/16", ""),
    ("2001:db8::/32", ""),
];

#[test]
fn nothing_protected_or_wide_is_enforced_on_a_partners_word() {
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::new(folder.path());
    let _hub = hub.start();
    let alpha = hub.enrol("alpha");
    let more = format!("[protect]\nnetworks = [\"{OWN_NETWORK}\", \"{RESOLVER}\"]\n");
    let bravo = hub.shield("bravo", &hub.enrol("bravo"), &more);
    let _bravo = bravo.start();

    for (number, (source, _)) in (1..).zip(REFUSED) {
        ask(folder.path(), &alpha, number, source, "path-proven", 60);
    }
    ask(
        folder.path(),
        &alpha,
        90,
        "198.51.100.90/32",
        "unproven",
        60,
    );
    ask(
        folder.path(),
        &alpha,
        91,
        "198.51.100.91/32",
        "path-proven",
        86_400,
    );
    // Last, one that is as it should be: when its lease is there, all others have been judged.
    ask(
        folder.path(),
        &alpha,
        99,
        "198.51.100.99/32",
        "path-proven",
        60,
    );
    let leases = wait_for("the good lease", Duration::from_secs(10), || {
        let leases = bravo.events("lease");
        leases
            .iter()
            .any(|lease| lease["object"] == id(99))
            .then_some(leases)
    });
    assert_eq!(leases.len(), 1, "{leases:?}");
    for (number, (source, word)) in (1..).zip(REFUSED) {
        check_refused(&bravo, number, source, word);
    }
    check_refused(&bravo, 90, "198.51.100.90/32", "");
    check_refused(&bravo, 91, "198.51.100.91/32", "");
}

/// Whom B has many sessions with, whom a few, and who scans it.
const CROWD: &str = "198.51.100.77";
const GUEST: &str = "198.51.100.78";
const SCANNER: &str = "198.51.100.79";

#[test]
fn a_partners_word_does_not_block_whom_b_has_many_benign_sessions_with() {
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::with_console(folder.path(), "bravo");
    let _hub = hub.start();
    let alpha = hub.enrol("alpha");
    let bravo = hub.shield("bravo", &hub.enrol("bravo"), &watching(folder.path()));
    let _bravo = bravo.start();
    // The scan is the last of the traffic: once it is judged, all sessions have been seen.
    let own = wait_for("B's own verdict", Duration::from_secs(20), || {
        let leases = bravo.events("lease").into_iter();
        leases.into_iter().find(|lease| lease["origin"] == "local")
    });
    assert_eq!(
        (&own["action"], own["why"].as_str()),
        (&json!("drop"), None)
    );

    for (number, source) in (1..).zip([CROWD, GUEST, "198.51.100.99"]) {
        let source = format!("{source}/32");
        ask(folder.path(), &alpha, number, &source, "exploit", 60);
    }
    let [crowd, guest, stranger] = [1, 2, 3].map(|number| {
        wait_for("a lease of a partner's", Duration::from_secs(10), || {
            let leases = bravo.events("lease").into_iter();
            leases
                .into_iter()
                .find(|lease| lease["object"] == id(number))
        })
    });
    let said = "12 recent benign sessions: monitor";
    assert_eq!(
        (&crowd["action"], &crowd["why"]),
        (&json!("monitor"), &json!(said))
    );
    let limited = "3 recent benign sessions: rate limit";
    assert_eq!(
        (&guest["action"], &guest["why"]),
        (&json!("rate-limit"), &json!(limited))
    );
    assert_eq!(
        stranger["action"], "drop",
        "who has no session with B is blocked"
    );
    let session = hub.open_console();
    wait_for("the reason on the console", Duration::from_secs(20), || {
        hub.console(&session).contains(said).then_some(())
    });
}

/// More configuration of B: it inspects a capture, and tells its partner's console of itself.
fn watching(folder: &Path) -> String {
    let mut traffic = Traffic::default();
    traffic.benign_sessions(CROWD, 12);
    traffic.benign_sessions(GUEST, 3);
    traffic.connect_scan(SCANNER);
    let pcap = folder.join("traffic.pcap");
    std::fs::write(&pcap, traffic.pcap()).unwrap();
    format!(
        "[capture]\npcap = {pcap:?}\n[home]\nnetworks = [\"{OWN_NETWORK}\"]\n\
         [share]\ntlp = \"TLP:GREEN\"\n"
    )
}

fn check_refused(bravo: &ShieldFolder, number: u32, source: &str, word: &str) {
    let refused = bravo.events("refused");
    let why = refused
        .iter()
        .find(|line| line["object"] == id(number))
        .map(|line| &line["why"]);
    let why = why.and_then(Value::as_str);
    let why = why.unwrap_or_else(|| panic!("{source} was not refused: {refused:?}"));
    assert!(!why.is_empty() && why.contains(word), "{source}: {why}");
}

fn id(number: u32) -> String {
    format!("indicator--00000000-0000-4000-8000-{number:012}")
}

/// Alpha asks everyone to block `source`.
fn ask(folder: &Path, alpha: &Path, number: u32, source: &str, evidence: &str, ttl_s: u32) {
    let kind = if source.contains(':') {
        "ipv6-addr"
    } else {
        "ipv4-addr"
    };
    let object = json!({
        "type": "indicator", "spec_version": "2.1", "id": id(number),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "confidence": 95, "pattern_type": "stix", "pattern": format!("[{kind}:value = '{source}']"),
        "valid_from": "2026-01-01T00:00:00Z", "valid_until": in_seconds(ttl_s),
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
        "extensions": { stix::lease::EXTENSION_ID: {
            "extension_type": "property-extension", "selector": { "source": source },
            "action": "drop", "ttl_s": ttl_s, "evidence": evidence, "detector": "test@1",
        }},
    });
    let file = folder.join("ask.json");
    std::fs::write(&file, serde_json::to_vec(&object).unwrap()).unwrap();
    run(&[
        "share",
        file.to_str().unwrap(),
        "--identity",
        alpha.to_str().unwrap(),
    ]);
}

fn in_seconds(ttl_s: u32) -> String {
    let end = jiff::Timestamp::now().as_microsecond();
    stix::Timestamp::from_micros(end)
        .plus(Duration::from_secs(ttl_s.into()))
        .to_string()
}
