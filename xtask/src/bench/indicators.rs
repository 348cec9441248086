//! What an index of a million and of ten million indicators takes.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::report;
use crate::cargo;

/// How many indicators are measured.
const COUNTS: [&str; 2] = ["1000000", "10000000"];

/// Runs the example `indicators` of `detect` for each number of indicators.
pub(super) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let json_file = match arguments {
        [] => None,
        ["--json", path] => Some(*path),
        _ => bail!("bench indicators takes --json FILE"),
    };
    let mut figures = Map::new();
    for count in COUNTS {
        let output = cargo()
            .args(["run", "--release", "--quiet", "--package", "detect"])
            .args(["--example", "indicators", "--", count])
            .output()
            .context("running the example indicators")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let taken: Map<String, Value> = text.lines().filter_map(figure).collect();
        if taken.is_empty() {
            bail!("the example indicators printed no figures: {text}");
        }
        for (name, value) in &taken {
            println!("{count:>9} {name:26} {value}");
        }
        figures.insert(format!("at_{count}"), Value::Object(taken));
    }
    // How busy the machine is with other work: figures of memory accesses suffer from it.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load
        .split_whitespace()
        .next()
        .and_then(|text| text.parse::<f64>().ok());
    figures.insert("load_average".to_owned(), json!(load));
    report(&Value::Object(figures), json_file)?;
    Ok(ExitCode::SUCCESS)
}

/// A line of the example: a name and a number.
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
            Some(("load_us".to_owned(), json!(0.01)))
        );
        assert_eq!(figure("warning: unused"), None);
    }
}
