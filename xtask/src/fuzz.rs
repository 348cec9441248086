//! `cargo xtask fuzz NAME`: the fuzzers of `crates/packet/fuzz`, on a corpus of one protocol.

use std::process::ExitCode;

use anyhow::bail;

use crate::{cargo, sh};

const SECONDS: &str = "60";

/// Fuzzes the parser of a protocol, or `frames`, and keeps what is new under `target/`: what is
/// worth keeping goes into the committed corpus by hand.
pub(crate) fn run(name: &str, rest: &[&str]) -> anyhow::Result<ExitCode> {
    let seconds = match rest {
        [] => SECONDS,
        ["--seconds", seconds] => seconds,
        _ => bail!("fuzz takes NAME and --seconds N"),
    };
    let root = testkit::workspace_root();
    let seeds = root.join("crates/packet/fuzz/corpus").join(name);
    if !seeds.is_dir() {
        bail!("{} is no folder of seeds", seeds.display());
    }
    if !testkit::has_program("cargo-fuzz") {
        println!("installing cargo-fuzz");
        sh(cargo().args(["install", "--locked", "cargo-fuzz"]))?;
    }
    let grown = root.join("target/fuzz-corpus").join(name);
    std::fs::create_dir_all(&grown)?;
    let target = if name == "frames" {
        name
    } else {
        "conversation"
    };
    let mut command = cargo();
    // the parsers are safe Rust: no sanitizer, which would need a nightly compiler
    command.args([
        "fuzz",
        "run",
        "--fuzz-dir",
        "crates/packet/fuzz",
        "--sanitizer",
        "none",
        target,
    ]);
    command.arg(&grown).arg(&seeds).arg("--");
    command.args([
        &format!("-max_total_time={seconds}"),
        "-timeout=5",
        "-rss_limit_mb=1024",
    ]);
    sh(&mut command)?;
    Ok(ExitCode::SUCCESS)
}
