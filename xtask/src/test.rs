//! `cargo xtask test`: every test of the workspace in one profile, counted.

use std::{
    io::{BufRead as _, BufReader, Write as _, stdout},
    process::{ExitCode, Stdio},
};

use anyhow::Context as _;

use crate::{cargo, install, sh};

pub(crate) fn run(long: bool) -> anyhow::Result<ExitCode> {
    install::for_tests();
    // Some tests drive the binary as a process, and cargo builds it for its own crate's tests only.
    // All targets at once: with another selection of crates, features would differ and the
    // dependencies be built twice.
    sh(cargo().args(["build", "--workspace", "--all-targets", "--locked"]))?;
    let mut command = cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast", "--"]);
    // Tests that skip say so on standard output, which libtest shows for passing tests only so.
    command.arg("--show-output");
    if long {
        command.env("SHIELDWALL_LONG", "1");
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo test")?;
    let output = child.stdout.take().context("the output of cargo test")?;
    let mut count = Count::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        count.line(&line);
        writeln!(stdout(), "{line}")?;
    }
    let status = child.wait()?;
    if !status.success() && count.failed == 0 {
        println!("cargo test failed before any test did ({status})");
        count.failed = 1;
    }
    let ignored = count.ignored;
    println!("({ignored} more are parts of other tests or measurements, and marked ignored)");
    println!("{}", count.last_line());
    Ok(if count.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What libtest's lines add up to.
#[derive(Debug, Default)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
    skipped: u64,
}

impl Count {
    fn line(&mut self, line: &str) {
        if let Some(result) = line.trim_start().strip_prefix("test result: ") {
            self.passed = self.passed.saturating_add(number_before(result, " passed"));
            self.failed = self.failed.saturating_add(number_before(result, " failed"));
            self.ignored = self
                .ignored
                .saturating_add(number_before(result, " ignored"));
        } else if is_skip(line) {
            self.skipped = self.skipped.saturating_add(1);
        }
    }

    /// A test that skips returns, so libtest counts it as passed; here it is not. What is marked
    /// ignored is no test of its own: processes that other tests start, and measurements.
    fn last_line(&self) -> String {
        let passed = self.passed.saturating_sub(self.skipped);
        let (failed, skipped) = (self.failed, self.skipped);
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// `SKIPPED name: why`, on a line of its own or behind the name that libtest prints first.
fn is_skip(line: &str) -> bool {
    let after_name = line.split_once(" ... ").map(|(_, rest)| rest);
    let is = |text: &str| text.trim_start().starts_with("SKIPPED ") && text.contains(": ");
    is(line) || after_name.is_some_and(is)
}

fn number_before(text: &str, unit: &str) -> u64 {
    let before = text.split(unit).next().unwrap_or_default();
    let digits = before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_and_skipped_tests_are_not_passed_ones() {
        let mut count = Count::default();
        for line in [
            "test a ... ok",
            "SKIPPED drops_packets: needs root",
            "test b ... SKIPPED b: needs nft",
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "a line about SKIPPED things: none",
        ] {
            count.line(line);
        }
        assert_eq!(count.last_line(), "15 passed, 2 failed, 2 skipped");
    }
}
