//! Chores of the people who work on the project: `cargo xtask test | bench | record`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a program for people: standard output is its interface"
)]

mod bench;
mod install;
mod record;
mod test;

use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};

const USAGE: &str = "cargo xtask COMMAND
  test [--long]                                       install what tests need, run them all
  bench loop [--rounds N] [--rtt MS] [--loss PCT] [--json FILE]
                                                      time to shield, in the lab (root)
  record                                              record the bundled demo capture (root)";

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
        ["bench", "loop", rest @ ..] => bench::time_to_shield(rest),
        ["record"] => record::run(),
        _ => bail!("{USAGE}"),
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
