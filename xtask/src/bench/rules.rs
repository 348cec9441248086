//! What a set of rules takes: to load, to hold, to replace while packets come, and to inspect by.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

use super::{example_figures, report};

/// Runs the example `rules` of `detect`.
pub(super) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let (taken, json_file) = split(arguments)?;
    let figures = example_figures("rules", &taken).context("measuring rules")?;
    for (name, value) in &figures {
        println!("{name:24} {value}");
    }
    let figures: Map<String, Value> = figures.into_iter().collect();
    report(&Value::Object(figures), json_file)?;
    Ok(ExitCode::SUCCESS)
}

/// The arguments of the example, and the file that figures are written to.
fn split<'a>(arguments: &[&'a str]) -> anyhow::Result<(Vec<&'a str>, Option<&'a str>)> {
    let (mut taken, mut json_file) = (Vec::new(), None);
    for pair in arguments.chunks(2) {
        match pair {
            ["--json", path] => json_file = Some(*path),
            ["--rules" | "--pcap" | "--rounds", _] => taken.extend(pair),
            _ => bail!("bench rules takes --rules FILE, --pcap FILE, --rounds N and --json FILE"),
        }
    }
    Ok((taken, json_file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_the_example_goes_there() {
        let (taken, json_file) = split(&["--rules", "a", "--json", "b", "--pcap", "c"]).unwrap();
        assert_eq!(taken, ["--rules", "a", "--pcap", "c"]);
        assert_eq!(json_file, Some("b"));
        assert!(split(&["--rules"]).is_err() && split(&["--x", "y"]).is_err());
    }
}
