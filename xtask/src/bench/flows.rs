//! Bytes of memory for each idle TCP flow.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

use super::report;
use crate::cargo;

/// Runs the example `flows` of `packet`, which prints a line for each number of flows.
pub(super) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let json_file = match arguments {
        [] => None,
        ["--json", path] => Some(*path),
        _ => bail!("bench flows takes --json FILE"),
    };
    let output = cargo()
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "packet",
            "--example",
            "flows",
        ])
        .output()
        .context("running the example flows")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Map<String, Value> = text.lines().filter_map(figure).collect();
    if figures.is_empty() {
        bail!("the example flows printed no figures: {text}");
    }
    let figures = Value::Object(figures);
    report(&figures, json_file)?;
    Ok(ExitCode::SUCCESS)
}

/// A line of the example: open flows, and resident bytes for each.
fn figure(line: &str) -> Option<(String, Value)> {
    let (flows, bytes) = line.split_once(' ')?;
    let bytes: u64 = bytes.parse().ok()?;
    Some((format!("idle_tcp_flow_bytes_at_{flows}"), bytes.into()))
}
