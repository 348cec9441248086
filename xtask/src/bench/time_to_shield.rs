//! Time to shield: the lab's measurement, with units in the keys.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{release_binary, report};

pub(super) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let (forwarded, json_file) = split(arguments)?;
    let figures = testkit::workspace_root().join("target/bench-loop.json");
    let mut lab = std::process::Command::new(release_binary()?);
    lab.args(["lab", "measure"])
        .args(forwarded)
        .arg("--out")
        .arg(&figures);
    let status = lab.status().context("starting the lab")?;
    let measured = fs::read(&figures).with_context(|| format!("reading {}", figures.display()))?;
    let line = flat(&serde_json::from_slice(&measured)?);
    report(&line, json_file)?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What goes to the lab, and the file for our JSON.
fn split<'a>(arguments: &[&'a str]) -> anyhow::Result<(Vec<&'a str>, Option<&'a str>)> {
    let (mut forwarded, mut json_file) = (Vec::new(), None);
    for pair in arguments.chunks(2) {
        match pair {
            ["--json", path] => json_file = Some(*path),
            [key @ ("--rounds" | "--rtt" | "--loss"), value] => forwarded.extend([*key, *value]),
            _ => bail!("bench loop takes --rounds N, --rtt MS, --loss PCT and --json FILE"),
        }
    }
    Ok((forwarded, json_file))
}

/// One object of numbers.
fn flat(measurement: &Value) -> Value {
    let keys = FIGURES.iter().map(|(key, pointer)| {
        (
            (*key).to_owned(),
            measurement.pointer(pointer).cloned().unwrap_or_default(),
        )
    });
    Value::Object(keys.collect())
}

/// Our key, with its unit, and where the lab's measurement has it.
const FIGURES: [(&str, &str); 14] = [
    ("time_to_shield_p50_ms", "/summary/time_to_shield_ms/p50"),
    ("time_to_shield_p99_ms", "/summary/time_to_shield_ms/p99"),
    ("time_to_shield_max_ms", "/summary/time_to_shield_ms/max"),
    ("t_share_p50_ms", "/summary/t_share_ms/p50"),
    ("t_enforce_p50_ms", "/summary/t_enforce_ms/p50"),
    ("t_hit_p50_ms", "/summary/t_hit_ms/p50"),
    ("t_detect_p50_ms", "/summary/t_detect_ms/p50"),
    ("t_lift_p50_ms", "/summary/t_lift_ms/p50"),
    ("probe_min_packets_per_s", "/summary/probe_per_s_min"),
    ("rtt_ms", "/rtt_ms"),
    ("loss_percent", "/loss_pct"),
    ("finished_rounds", "/summary/finished"),
    ("failed_rounds", "/summary/failed"),
    ("bystanders_lost_sessions", "/bystanders/lost"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_of_the_lab_are_passed_on_and_others_refused() {
        let (forwarded, json) = split(&["--rounds", "9", "--json", "x"]).unwrap();
        assert_eq!((forwarded, json), (vec!["--rounds", "9"], Some("x")));
        assert!(split(&["--dir", "/"]).is_err());
        assert!(split(&["--rounds"]).is_err());
    }

    #[test]
    fn figures_become_one_flat_object() {
        let measurement = json!({"summary": {"t_share_ms": {"p50": 1.5}, "failed": 0}});
        let flat = flat(&measurement);
        assert_eq!(flat["t_share_p50_ms"], 1.5);
        assert!(
            flat.as_object()
                .unwrap()
                .values()
                .all(|value| !value.is_object())
        );
    }
}
