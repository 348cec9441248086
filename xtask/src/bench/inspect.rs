//! What inspecting a capture takes on one thread, with rules or without, beside Suricata on the same
//! capture in the same minutes.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::{process, release_binary, report};

const ROUNDS: usize = 5;

#[derive(Clone, Copy)]
struct Options<'a> {
    pcap: &'a str,
    rules: Option<&'a str>,
    /// All records are written; otherwise none, and alerts alone where there are rules.
    log: bool,
    rounds: usize,
    /// Where Suricata is installed.
    suricata: Option<&'a str>,
    json_file: Option<&'a str>,
}

pub(super) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let options = parse(arguments)?;
    let ours = release_binary()?;
    let folder = testkit::workspace_root().join("target/bench-inspect");
    std::fs::create_dir_all(folder.join("own"))?;
    let packet_bytes = packet_bytes(&ours, options.pcap)?;
    // what rules take to load is taken off, by runs over one packet
    let one = folder.join("one.pcap");
    let mut capture = testkit::capture::pcap_head();
    testkit::capture::pcap_record(&mut capture, 0, &[0; 60]);
    std::fs::write(&one, capture)?;
    let starts = Options {
        pcap: one.to_str().context("the folder's path is not UTF-8")?,
        ..options
    };
    let (mut own, mut peer) = (Rounds::default(), Rounds::default());
    for _ in 0..options.rounds {
        own.measure(&options, &starts, |options| {
            our_scan(&ours, options, &folder)
        })?;
        if let Some(prefix) = options.suricata {
            peer.measure(&options, &starts, |options| {
                suricata(prefix, options, &folder)
            })?;
        }
    }
    let mut figures = Map::new();
    figures.insert("packet_bytes".to_owned(), json!(packet_bytes));
    figures.insert("logged".to_owned(), json!(options.log));
    let own_cpu_s = own.add(&mut figures, "", packet_bytes);
    if options.suricata.is_some() {
        let peer_cpu_s = peer.add(&mut figures, "suricata_", packet_bytes);
        figures.insert("ratio".to_owned(), json!(own_cpu_s / peer_cpu_s));
    }
    if options.log {
        println!("records: {}", counts(&folder.join("own/eve.json"))?);
        if options.suricata.is_some() {
            println!(
                "of Suricata: {}",
                counts(&folder.join("suricata/eve.json"))?
            );
        }
    }
    report(&Value::Object(figures), options.json_file)?;
    Ok(ExitCode::SUCCESS)
}

fn parse<'a>(arguments: &[&'a str]) -> anyhow::Result<Options<'a>> {
    let mut options = Options {
        pcap: "",
        rules: None,
        log: true,
        rounds: ROUNDS,
        suricata: None,
        json_file: None,
    };
    let mut arguments = arguments.iter().copied();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument {
            "--pcap" => options.pcap = value()?,
            "--rules" => options.rules = Some(value()?),
            "--log" => options.log = true,
            "--no-log" => options.log = false,
            "--rounds" => options.rounds = value()?.parse().context("--rounds is a number")?,
            "--suricata" => options.suricata = Some(value()?),
            "--json" => options.json_file = Some(value()?),
            _ => bail!("bench inspect does not know {argument}"),
        }
    }
    if options.pcap.is_empty() || options.rounds == 0 {
        bail!("bench inspect needs --pcap F and at least one round");
    }
    Ok(options)
}

/// What one sensor took.
#[derive(Default)]
struct Rounds {
    runs: Vec<process::Taken>,
    /// CPU-seconds of starting alone, where there are rules.
    starts: Vec<f64>,
}

impl Rounds {
    /// Measures one more round of what `scan` makes.
    fn measure(
        &mut self,
        options: &Options<'_>,
        starts: &Options<'_>,
        scan: impl Fn(&Options<'_>) -> Command,
    ) -> anyhow::Result<()> {
        if options.rules.is_some() {
            self.starts.push(process::measure(&mut scan(starts))?.cpu_s);
        }
        self.runs.push(process::measure(&mut scan(options))?);
        Ok(())
    }

    /// Adds medians, under keys that begin with `prefix`; returns the CPU-seconds of inspecting.
    fn add(&self, figures: &mut Map<String, Value>, prefix: &str, packet_bytes: f64) -> f64 {
        let load_cpu_s = median(self.starts.clone());
        let load_cpu_s = if load_cpu_s.is_nan() { 0.0 } else { load_cpu_s };
        let cpu_s = median(self.runs.iter().map(|taken| taken.cpu_s).collect()) - load_cpu_s;
        let wall_s = median(self.runs.iter().map(|taken| taken.wall_s).collect());
        let peak = self.runs.iter().map(|taken| taken.peak_rss_bytes).max();
        for (key, value) in [
            ("load_cpu_s", json!(load_cpu_s)),
            ("cpu_s", json!(cpu_s)),
            ("cpu_s_per_gb", json!(cpu_s / packet_bytes * 1e9)),
            ("wall_s", json!(wall_s)),
            ("peak_rss_bytes", json!(peak)),
        ] {
            figures.insert(format!("{prefix}{key}"), value);
        }
        cpu_s
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn our_scan(binary: &Path, options: &Options<'_>, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["scan", options.pcap, "--checksums", "off"]);
    if let Some(rules) = options.rules {
        command.args(["--rules", rules]);
    }
    // beside a peer: its configuration, so that both follow and write the same
    if let Some(prefix) = options.suricata {
        command.arg("--config").arg(configuration(prefix));
    }
    match (options.log, options.suricata) {
        (true, Some(_)) => _ = command.arg("--eve-dir").arg(folder.join("own")),
        (true, None) => _ = command.arg("--eve").arg(folder.join("own/eve.json")),
        (false, _) => {}
    }
    command
}

fn configuration(prefix: impl AsRef<Path>) -> PathBuf {
    prefix.as_ref().join("etc/suricata/suricata.yaml")
}

/// Its stock configuration, one thread, no rules but those, no checksums.
fn suricata(prefix: &str, options: &Options<'_>, folder: &Path) -> Command {
    let prefix = PathBuf::from(prefix);
    let out = folder.join("suricata");
    // a folder that cannot be made shows when Suricata starts
    std::fs::create_dir_all(&out).ok();
    std::fs::remove_file(out.join("eve.json")).ok();
    let mut command = Command::new(prefix.join("bin/suricata"));
    let etc = prefix.join("etc/suricata");
    command.arg("-c").arg(configuration(&prefix));
    command.args(["-r", options.pcap, "--runmode", "single", "-k", "none"]);
    match options.rules {
        Some(rules) => command.args(["-S", rules]),
        None => command.arg("--disable-detection"),
    };
    command.arg("-l").arg(&out);
    for (key, file) in [
        ("classification-file", "classification.config"),
        ("reference-config-file", "reference.config"),
    ] {
        command
            .arg("--set")
            .arg(format!("{key}={}", etc.join(file).display()));
    }
    if !options.log {
        command.args(["--set", "outputs.1.eve-log.enabled=no"]);
        let alerts = if options.rules.is_some() { "yes" } else { "no" };
        command
            .arg("--set")
            .arg(format!("outputs.0.fast.enabled={alerts}"));
        command.args(["--set", "stats.enabled=no"]);
    }
    command
}

/// Bytes of the capture's packets, as we count them.
fn packet_bytes(binary: &Path, pcap: &str) -> anyhow::Result<f64> {
    let scan = Command::new(binary)
        .args(["--json", "scan", pcap])
        .output()?;
    let summary = String::from_utf8_lossy(&scan.stderr);
    let last = summary.lines().last().unwrap_or_default();
    let summary: Value = serde_json::from_str(last).with_context(|| format!("{pcap}: {last}"))?;
    summary
        .pointer("/bytes")
        .and_then(Value::as_f64)
        .context("scan did not count bytes")
}

/// Records by type.
fn counts(path: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for line in text.lines() {
        let kind = line
            .split_once("\"event_type\":\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        let count = counts
            .entry(kind.map_or("?", |(kind, _)| kind))
            .or_default();
        *count = count.saturating_add(1);
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    Ok(counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let options = parse(&["--pcap", "x", "--no-log", "--rounds", "3"]).unwrap();
        assert_eq!((options.pcap, options.log, options.rounds), ("x", false, 3));
        assert!(parse(&["--pcap", "x", "--fast"]).is_err());
        assert!(parse(&["--no-log"]).is_err());
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
