//! `cargo xtask bench`: measurements of the release binary, as tables and as JSON.

mod exchange;
mod flows;
mod indicators;
mod inspect;
mod models;
mod process;
mod rules;
mod store;
mod time_to_shield;

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{cargo, sh};

/// What can be measured, and how it is asked for.
pub(crate) const USAGE: &str = "  bench loop [--rounds N] [--rtt MS] [--loss PCT]     time to shield, in the lab (root)
  bench inspect --pcap F [--rules F] [--log|--no-log] [--rounds N] [--suricata PREFIX]
                                                      CPU-seconds and memory of inspecting a capture, beside Suricata's;
                                                      with rules, what they take to load is told apart
  bench flows                                         bytes per idle TCP flow
  bench rules [--rules F] [--pcap F] [--rounds N]     load, memory, swap and inspection of a set of rules
  bench indicators                                    memory and times of an index of 1 and 10 million indicators
  bench models                                        time and memory of models, beside ONNX Runtime's
  bench ingest|page|search [--store sqlite|postgres] [--objects N] [--http|--peers]
                                                      durable objects/s as a store grows; pages of 100 at its start and end;
                                                      searches for a value, a network, a type at any depth; with --http the
                                                      first two of a hub over TLS, with --peers beside medallion and OpenTAXII
  (each takes --json FILE)";

/// Runs the measurement that is named first.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    match arguments {
        ["loop", rest @ ..] => time_to_shield::run(rest),
        ["inspect", rest @ ..] => inspect::run(rest),
        ["flows", rest @ ..] => flows::run(rest),
        ["rules", rest @ ..] => rules::run(rest),
        ["indicators", rest @ ..] => indicators::run(rest),
        ["models", rest @ ..] => models::run(rest),
        ["ingest", rest @ ..] => store::run(store::Part::Ingest, rest),
        ["search", rest @ ..] => store::run(store::Part::Search, rest),
        ["page", rest @ ..] => store::run(store::Part::Page, rest),
        _ => bail!("bench measures:\n{USAGE}"),
    }
}

/// Builds the release binary and returns its path. As the README has it built, of the whole workspace: another
/// choice of packages has other features, and would build everything again.
fn release_binary() -> anyhow::Result<PathBuf> {
    release("--bin", "shieldwall")?;
    Ok(target().join("release/shieldwall"))
}

fn release(kind: &str, name: &str) -> anyhow::Result<()> {
    let build = ["build", "--release", "--locked", "--workspace"];
    sh(cargo().args(build).args([kind, name]))
}

fn target() -> PathBuf {
    let root = testkit::workspace_root();
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

/// Prints the object, and writes it to the file asked for.
fn report(figures: &Value, json_file: Option<&str>) -> anyhow::Result<()> {
    println!("{figures}");
    if let Some(path) = json_file {
        fs::write(path, format!("{figures}\n")).with_context(|| format!("writing {path}"))?;
    }
    Ok(())
}

/// Runs an example in the root of the workspace and returns the figures that it prints, in their order.
fn example_figures(example: &str, arguments: &[&str]) -> anyhow::Result<Vec<(String, Value)>> {
    release("--example", example)?;
    let output = Command::new(target().join("release/examples").join(example))
        .current_dir(testkit::workspace_root())
        .args(arguments)
        .output()
        .with_context(|| format!("running the example {example}"))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<_> = text.lines().filter_map(figure).collect();
    if figures.is_empty() {
        bail!("the example {example} printed no figures: {text}");
    }
    Ok(figures)
}

/// A line of an example: a name and a number.
fn figure(line: &str) -> Option<(String, Value)> {
    let (name, number) = line.split_once(' ')?;
    let number: f64 = number.parse().ok()?;
    Some((name.to_owned(), number.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_names_and_numbers() {
        assert_eq!(
            figure("load_us 0.01"),
            Some(("load_us".to_owned(), Value::from(0.01)))
        );
        assert_eq!(figure("warning: unused"), None);
    }
}
