//! Chores of the people who work on the project: `cargo xtask test | bench | fuzz | record | traffic`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a program for people: standard output is its interface"
)]

mod bench;
mod fuzz;
mod install;
mod record;
mod test;
mod traffic;

use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};

const USAGE: &str = "cargo xtask COMMAND
  test [--long]                                       install what tests need, run them all
  fuzz (NAME|all) [--seconds N]                       fuzz a protocol's parser, or a target
  record                                              record the bundled demo capture (root)
  traffic (bulk|tls|flows) FILE                       record transfers to measure with (root)";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => test::run(false),
        ["test", "--long"] => test::run(true),
        ["bench", rest @ ..] => bench::run(rest),
        ["fuzz", name, rest @ ..] => fuzz::run(name, rest),
        ["record"] => record::run(),
        ["traffic", kind, file] => traffic::run(kind, file),
        _ => bail!("{USAGE}\n{}", bench::USAGE),
    }
}

/// The cargo that runs us, in the workspace's root.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(testkit::workspace_root());
    command
}

/// Runs a command whose output people see, and fails when it does.
fn sh(command: &mut Command) -> anyhow::Result<()> {
    let what = format!("{command:?}");
    let status = command
        .status()
        .with_context(|| format!("starting {what}"))?;
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(())
}
