//! What a hub takes over HTTP, beside other TAXII servers in the same run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};
use testkit::postgres::Server;

use super::{figure, release_binary, target};
use crate::install;

/// The client of all servers.
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bench/exchange.py");
/// Servers that are measured beside the hub.
const PEERS: [&str; 2] = ["medallion", "opentaxii"];
/// Figures that are compared: processor time is what a busy machine spoils least.
const COMPARED: [&str; 3] = [
    "post_objects_per_cpu_s",
    "page_first_per_cpu_s",
    "page_last_per_cpu_s",
];

/// Measures a hub on a store.
pub(super) fn hub(store: &str, objects: &str) -> anyhow::Result<Map<String, Value>> {
    let python = testkit::python().unwrap_or_else(|| PathBuf::from("python3"));
    let binary = release_binary()?;
    let binary = binary.to_string_lossy();
    let folder = folder()?;
    match store {
        "sqlite" => client(&python, &folder, &["hub", &binary, objects]),
        "postgres" => {
            let server = Server::start(&folder, &[])?;
            let process = server.pid().context("no PostgreSQL server")?.to_string();
            let url = server.url("public");
            client(&python, &folder, &["hub", &binary, objects, &url, &process])
        }
        other => bail!("no store {other:?}: sqlite, postgres"),
    }
}

/// Measures a hub on SQLite and its peers, and how much more the hub does in the same time of a processor.
/// A peer that cannot be installed is skipped, and said.
pub(super) fn peers(objects: &str) -> anyhow::Result<Map<String, Value>> {
    let mut all = hub("sqlite", objects)?;
    let ours = all.clone();
    let python = match install::for_peers() {
        Ok(python) => python,
        Err(error) => {
            println!("SKIPPED {}: {error:#}", PEERS.join(", "));
            return Ok(all);
        }
    };
    let folder = folder()?;
    for peer in PEERS {
        let taken = match client(&python, &folder, &[peer, objects]) {
            Ok(taken) => taken,
            Err(error) => {
                println!("SKIPPED {peer}: {error:#}");
                continue;
            }
        };
        for name in COMPARED {
            let number = |figures: &Map<String, Value>| figures.get(name).and_then(Value::as_f64);
            if let (Some(ours), Some(theirs)) = (number(&ours), number(&taken)) {
                all.insert(format!("{name}_to_{peer}"), (ours / theirs).into());
            }
        }
        let named = taken.into_iter();
        all.extend(named.map(|(name, value)| (format!("{peer}_{name}"), value)));
    }
    Ok(all)
}

/// Where servers keep what they are given: on the disk that the build is on.
fn folder() -> anyhow::Result<PathBuf> {
    let folder = target().join("bench-exchange");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    // PostgreSQL runs as another user.
    Ok(fs::canonicalize(folder)?)
}

fn client(python: &Path, folder: &Path, arguments: &[&str]) -> anyhow::Result<Map<String, Value>> {
    let output = Command::new(python)
        .arg(CLIENT)
        .args(arguments)
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .context("running the client")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(figure).collect())
}
