//! The whole loop in network namespaces: real attacks, real kernels, bystanders.

use std::path::Path;

use crate::common::{output, run};

/// Whether namespaces can be made here; says so when not.
fn possible(name: &str) -> bool {
    if let Err(why) = testkit::netns::available() {
        testkit::skip(name, &why);
        return false;
    }
    let missing = ["nmap", "hping3", "curl", "nft"]
        .into_iter()
        .find(|t| !testkit::has_program(t));
    if let Some(tool) = missing {
        testkit::skip(name, &format!("{tool} is not installed"));
    }
    missing.is_none()
}

#[test]
fn an_attacker_of_alpha_is_dropped_at_bravo_and_no_bystander_is_harmed() {
    let _turn = crate::common::alone();
    if !possible("an_attacker_of_alpha_is_dropped_at_bravo_and_no_bystander_is_harmed") {
        return;
    }
    let lab = Lab::new();
    let rounds = if testkit::long() { "200" } else { "6" };
    let told = run(&["lab", "measure", "--rounds", rounds, "--dir", lab.dir()]);
    let last = told.lines().last().unwrap();
    println!("{last}");
    assert!(last.starts_with("time_to_shield_ms p50 "), "{told}");
    assert!(
        last.ends_with(&format!("rounds {rounds} bystanders_lost 0")),
        "{told}"
    );
}

#[test]
fn what_could_be_forged_blocks_nobody_at_bravo() {
    let _turn = crate::common::alone();
    if !possible("what_could_be_forged_blocks_nobody_at_bravo") {
        return;
    }
    let lab = Lab::new();
    run(&["lab", "up", "--dir", lab.dir()]);
    for kind in ["syn", "spoofed"] {
        let told = run(&["lab", "attack", "--kind", kind, "--dir", lab.dir()]);
        assert!(told.contains("evidence unproven"), "{kind}: {told}");
        assert!(!told.contains("path-proven"), "{kind}: {told}");
        assert!(told.contains(" 0 lost during the attack"), "{kind}: {told}");
    }
    let journal = Path::new(lab.dir()).join("bravo/shield/journal.jsonl");
    let journal = std::fs::read_to_string(journal).unwrap();
    assert!(
        journal.contains("sighting--"),
        "the hub passed the sightings on"
    );
    assert!(!journal.contains("\"event\":\"lease\""), "{journal}");
}

/// A lab's folder; everything in it goes down with this.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn dir(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(output(&["lab", "down", "--dir", self.dir()]));
    }
}
