//! Bytes of memory for each idle TCP flow.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Map, Value};

use super::{example_figures, report};

/// Runs the example `flows` of `packet`, which prints a line for each number of flows: how many are open,
/// and resident bytes for each.
pub(super) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let json_file = match arguments {
        [] => None,
        ["--json", path] => Some(*path),
        _ => bail!("bench flows takes --json FILE"),
    };
    let named = |(flows, bytes)| (format!("idle_tcp_flow_bytes_at_{flows}"), bytes);
    let figures: Map<String, Value> = example_figures("flows", &[])?
        .into_iter()
        .map(named)
        .collect();
    report(&Value::Object(figures), json_file)?;
    Ok(ExitCode::SUCCESS)
}
