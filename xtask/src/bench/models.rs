//! What running models takes, beside ONNX Runtime in the same run.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::{example_figures, figure, report, target};
use crate::sh;

/// Times ONNX Runtime over the same files.
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bench/models.py");
/// Makes the files, as tests do.
const MAKER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/model/tests/models.py"
);
/// Samples of each model.
const ROWS: &str = "256";

/// Trains and exports the models, and times them by the example `models` of `model` and by ONNX
/// Runtime.
pub(super) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let json_file = match arguments {
        [] => None,
        ["--json", path] => Some(*path),
        _ => bail!("bench models takes --json FILE"),
    };
    let python = testkit::python()
        .context("no Python environment: `cargo xtask test` makes one, with the exporters")?;
    let folder = target().join("bench-models");
    sh(Command::new(&python)
        .arg(MAKER)
        .arg(&folder)
        .args([ROWS, "large"]))?;
    let folder = folder.to_string_lossy();
    let mut figures = Map::new();
    let ours = example_figures("models", &[&folder])?;
    for (name, value) in ours {
        println!("shieldwall  {name:42} {value}");
        figures.insert(name, value);
    }
    let peer = Command::new(&python)
        .args([PEER, &folder])
        .output()
        .context("running ONNX Runtime")?;
    if !peer.status.success() {
        bail!("{}", String::from_utf8_lossy(&peer.stderr));
    }
    for (name, value) in String::from_utf8_lossy(&peer.stdout)
        .lines()
        .filter_map(figure)
    {
        println!("onnxruntime {name:42} {value}");
        figures.insert(format!("onnxruntime_{name}"), value);
    }
    // How busy the machine is with other work: it takes caches away.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = load
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    figures.insert("load_average".to_owned(), json!(load));
    report(&Value::Object(figures), json_file)?;
    Ok(ExitCode::SUCCESS)
}
