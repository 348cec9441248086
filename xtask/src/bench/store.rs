//! What a store of the exchange takes: durable ingest as it grows, pages at any depth, searches.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::{example_figures, exchange, report};

/// Which figures are wanted; either needs a store that was filled.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Ingest,
    Page,
    Search,
}

/// Objects that a store grows to unless said otherwise.
const OBJECTS: &str = "1000000";

/// Objects that a hub and its peers are given over HTTP: what the slowest of them takes.
const PEER_OBJECTS: &str = "1000";

/// Runs the example `store` of `exchange` for each store that is asked for; with `--http` and `--peers` a hub
/// as a process.
pub(super) fn run(part: Part, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let mut stores = vec!["sqlite", "postgres"];
    let (mut objects, mut json_file) = (None, None);
    let http = arguments.contains(&"--http");
    let peers = arguments.contains(&"--peers");
    let valued: Vec<&str> = arguments
        .iter()
        .copied()
        .filter(|argument| !matches!(*argument, "--http" | "--peers"))
        .collect();
    let mut rest = valued.as_slice();
    while let [option, value, after @ ..] = rest {
        match *option {
            "--store" => stores = vec![value],
            "--objects" => objects = Some(*value),
            "--json" => json_file = Some(*value),
            other => bail!("no option {other}: --store, --objects, --http, --peers, --json"),
        }
        rest = after;
    }
    if !rest.is_empty() {
        bail!("{} needs a value", rest.join(" "));
    }
    let (page, search) = ("page_", "search_");
    let wanted = |name: &str| match part {
        _ if peers => true,
        Part::Ingest => !name.starts_with(page) && !name.starts_with(search),
        Part::Page => name.starts_with(page),
        Part::Search => name.starts_with(search),
    };
    let mut figures = Map::new();
    for (server, taken) in measured(&stores, objects, http, peers)? {
        let taken: Map<String, Value> = taken
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .inspect(|(name, value)| println!("{server:>12} {name:42} {value}"))
            .collect();
        figures.insert(server, Value::Object(taken));
    }
    // How busy the machine is with other work: times suffer from it, CPU-seconds little.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = load
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    figures.insert("load_average".to_owned(), json!(load));
    report(&Value::Object(figures), json_file)?;
    Ok(ExitCode::SUCCESS)
}

/// Figures in the order in which they were taken, by what they are of.
type Measured = Vec<(String, Vec<(String, Value)>)>;

fn measured(
    stores: &[&str],
    objects: Option<&str>,
    http: bool,
    peers: bool,
) -> anyhow::Result<Measured> {
    if peers {
        let all = exchange::peers(stores, objects.unwrap_or(PEER_OBJECTS))?;
        let listed = all
            .into_iter()
            .map(|(name, taken)| (name, taken.into_iter().collect()));
        return Ok(listed.collect());
    }
    let objects = objects.unwrap_or(OBJECTS);
    let mut all = Vec::new();
    for &store in stores {
        let taken = if http {
            exchange::hub(store, objects)?.into_iter().collect()
        } else {
            example_figures("store", &[store, objects])?
        };
        all.push((store.to_owned(), taken));
    }
    Ok(all)
}
