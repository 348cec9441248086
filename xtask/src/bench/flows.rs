//! Bytes of memory for each idle TCP flow.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::report;
use crate::cargo;

/// Runs the example `flows` of `packet`, which prints one JSON object.
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
    let figures: Value = serde_json::from_slice(&output.stdout).context("its output is no JSON")?;
    report(&figures, json_file)?;
    Ok(ExitCode::SUCCESS)
}
