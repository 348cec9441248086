//! The whole loop with the real binary: an attack on A shields B, a forged one harms nobody.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use lab::{AttackKind, Options, Plan};

/// Rounds of the measurement: each attacker with each trigger once.
const ROUNDS: u32 = 6;

#[test]
fn one_partner_is_attacked_and_the_other_is_shielded() {
    let name = "one_partner_is_attacked_and_the_other_is_shielded";
    if let Err(why) = testkit::netns::available() {
        return testkit::skip(name, &why);
    }
    let Some(binary) = binary() else {
        return testkit::skip(name, "needs the binary: cargo build --package shieldwall");
    };
    for tool in ["nft", "nmap", "curl", "hping3"] {
        if !testkit::has_program(tool) {
            return testkit::skip(name, &format!("needs {tool}"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab(Options::new(binary, folder.path()));
    lab::up(&lab.0, &mut std::io::stdout()).unwrap();
    forged_names_stay_free(&lab.0);
    rounds_finish_and_harm_nobody(&lab.0);
}

/// SYNs in the names of a bystander, the resolver and a customer of B.
fn forged_names_stay_free(lab: &Options) {
    let mut out = Vec::new();
    lab::attack(lab, AttackKind::Spoofed, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let blocking = ["action drop", "action rate-limit", "action reject"];
    assert!(
        !blocking.iter().any(|action| text.contains(action)),
        "somebody was blocked:\n{text}"
    );
    assert!(text.contains(" 0 lost during the attack"), "{text}");
}

fn rounds_finish_and_harm_nobody(lab: &Options) {
    let plan = Plan {
        rounds: ROUNDS,
        rtt_ms: 0.0,
        loss_pct: 0.0,
        seed: 1,
        json: None,
    };
    let mut out = Vec::new();
    let measurement = lab::measure(lab, &plan, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(measurement.passed(), "{text}");
    assert_eq!(measurement.bystanders.lost, 0, "{text}");
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("time_to_shield_ms p50 "), "{text}");
    assert!(last.ends_with("rounds 6 bystanders_lost 0"), "{text}");
}

/// A lab that is down when its scope ends.
struct Lab(Options);

impl Drop for Lab {
    fn drop(&mut self) {
        lab::down(&self.0, &mut std::io::stdout()).unwrap();
    }
}

/// `SHIELDWALL_BINARY`, else the binary that was built in this test's profile.
fn binary() -> Option<PathBuf> {
    let given = std::env::var_os("SHIELDWALL_BINARY").map(PathBuf::from);
    let test = std::env::current_exe().unwrap();
    let built = || {
        test.ancestors()
            .nth(2)
            .map(|folder: &Path| folder.join("shieldwall"))
    };
    given.or_else(built).filter(|path| path.is_file())
}
