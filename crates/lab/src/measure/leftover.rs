//! Leases that earlier attacks left: taken back before the first round, so that no round begins
//! with an attacker who is blocked already.

use std::{collections::BTreeSet, fs, io::Write, time::Duration};

use serde_json::Value;

use super::round::revoke;
use crate::{process::until, state::Lab, topology::Partner};

/// How long leases may take to go: what revoking does not lift ends by itself.
const GONE_MAX: Duration = Duration::from_secs(70);

/// Has A revoke what it shared, and waits until neither shield holds a lease.
pub(crate) fn lift(lab: &Lab, out: &mut dyn Write) -> anyhow::Result<()> {
    let held = held(lab)?;
    if held.is_empty() {
        return Ok(());
    }
    writeln!(out, "taking back {} leases of earlier attacks", held.len())?;
    for object in &held {
        // The hub knows it no more, or somebody revoked it before: then it runs out.
        if let Err(error) = revoke(lab, object) {
            writeln!(out, "  {object} runs out by itself: {error:#}")?;
        }
    }
    until("the leases of earlier attacks to go", GONE_MAX, || {
        Ok(self::held(lab)?.is_empty().then_some(()))
    })
}

/// Objects with a lease that has not ended, at either shield.
fn held(lab: &Lab) -> anyhow::Result<BTreeSet<String>> {
    let mut held = BTreeSet::new();
    for partner in Partner::ALL {
        held.extend(in_force(&fs::read_to_string(lab.journal(partner))?));
    }
    Ok(held)
}

fn in_force(journal: &str) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for line in journal.lines() {
        // The last line may still be written.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let text = |field: &str| event.get(field).and_then(Value::as_str);
        match (text("event"), text("object")) {
            (Some("lease"), Some(object)) => {
                held.insert(object.to_owned());
            }
            (Some("revoked" | "expired"), Some(object)) => {
                held.remove(object);
            }
            _ => {}
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_held_until_it_is_revoked_or_expires() {
        let line =
            |event: &str, object: &str| format!("{{\"event\":{event:?},\"object\":{object:?}}}\n");
        let mut journal = line("lease", "a") + &line("lease", "b") + &line("lease", "c");
        journal += &line("revoked", "a");
        journal += &line("expired", "b");
        journal += "{\"event\":\"lea";
        assert_eq!(in_force(&journal), BTreeSet::from(["c".to_owned()]));
    }
}
