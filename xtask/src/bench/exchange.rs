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

/// What was measured of a server: names and numbers.
pub(super) type Figures = Map<String, Value>;

/// Measures a hub on a store.
pub(super) fn hub(store: &str, objects: &str) -> anyhow::Result<Figures> {
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

/// Measures a hub on each of the stores and its peers, one after the other, and says of each peer how much more
/// a hub does in the same time of a processor. A peer that cannot be installed is skipped, and said.
pub(super) fn peers(stores: &[&str], objects: &str) -> anyhow::Result<Vec<(String, Figures)>> {
    let mut all = Vec::new();
    for store in stores {
        all.push((format!("hub_{store}"), hub(store, objects)?));
    }
    let hubs = all.clone();
    let python = match install::for_peers() {
        Ok(python) => python,
        Err(error) => {
            println!("SKIPPED {}: {error:#}", PEERS.join(", "));
            return Ok(all);
        }
    };
    let folder = folder()?;
    for peer in PEERS {
        match client(&python, &folder, &[peer, objects]) {
            Ok(mut figures) => {
                let ratios: Vec<_> = hubs
                    .iter()
                    .flat_map(|(name, hub)| ratios(name, hub, &figures))
                    .collect();
                figures.extend(ratios);
                all.push((peer.to_owned(), figures));
            }
            Err(error) => println!("SKIPPED {peer}: {error:#}"),
        }
    }
    Ok(all)
}

/// How many times as much a hub does as its peer.
fn ratios(name: &str, hub: &Figures, peer: &Figures) -> Vec<(String, Value)> {
    let number = |figures: &Figures, of: &str| figures.get(of).and_then(Value::as_f64);
    let ratio = |of: &&str| {
        let ratio = number(hub, of)? / number(peer, of)?;
        Some((format!("{name}_{of}_ratio"), ratio.into()))
    };
    COMPARED.iter().filter_map(ratio).collect()
}

/// Where servers keep what they are given: on the disk that the build is on.
fn folder() -> anyhow::Result<PathBuf> {
    let folder = target().join("bench-exchange");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    // PostgreSQL runs as another user.
    Ok(fs::canonicalize(folder)?)
}

fn client(python: &Path, folder: &Path, arguments: &[&str]) -> anyhow::Result<Figures> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_what_both_have() {
        let hub = Figures::from_iter([
            ("page_first_per_cpu_s".to_owned(), 300.0.into()),
            ("page_last_per_cpu_s".to_owned(), 5.0.into()),
        ]);
        let peer = Figures::from_iter([("page_first_per_cpu_s".to_owned(), 20.0.into())]);
        let wanted = (
            "hub_sqlite_page_first_per_cpu_s_ratio".to_owned(),
            15.0.into(),
        );
        assert_eq!(ratios("hub_sqlite", &hub, &peer), [wanted]);
    }
}
