//! What an index of a million and of ten million indicators takes.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::{example_figures, report};

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
        let taken = example_figures("indicators", &[count])?;
        for (name, value) in &taken {
            println!("{count:>9} {name:26} {value}");
        }
        let taken = taken.into_iter().collect();
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
