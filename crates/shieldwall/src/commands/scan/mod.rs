//! `scan`: captures in, EVE records and a summary out.

mod engine;
mod indicators;
mod packs;
mod records;
mod rules;
mod summary;
mod threads;

use std::{
    fs::{File, Metadata},
    path::{Path, PathBuf},
    sync::Arc,
};

use detect::{BehaviourConfig, IndicatorConfig, behaviour::dga::NameModel};
use engine::{EngineLog, Level};
use packet::Exceptions;
use packet::pcap::{PcapError, Reader};
use packet::settings::{Setting, Settings};
use shield::{
    filestore::FileStore,
    pipeline::{Config, Pipeline},
    sessions::Sessions,
};
use summary::Summary;
use threads::Parts;

use crate::{
    cli::{Checksums, Scan},
    outcome::{Failure, Outcome},
    text::complain,
};

/// Most sources whose sessions are remembered while scanning.
const SESSIONS_MAX: usize = 4096;
// The clock of a capture is that of its packets: nothing here is compared with any other.

/// Packet time after which detectors and idle flows are looked at.
const TICK_NS: u64 = 250_000_000;

pub(super) fn run(args: &Scan, json: bool) -> Result<Outcome, Failure> {
    for capture in &args.captures {
        readable(capture)?;
    }
    let index = Arc::new(indicators::index(args)?);
    let names = super::score::names()?;
    let mut total = Summary::default();
    let settings = settings(args)?;
    let mut log = records::log(args, settings.as_ref())?;
    let folder = args.eve_dir.as_deref();
    let store = settings.as_ref().zip(folder);
    let store = store.and_then(|(settings, folder)| FileStore::from_settings(settings, folder));
    let mut engine = match settings.as_ref().zip(folder) {
        Some((settings, folder)) => EngineLog::open(settings, folder)?,
        None => EngineLog::default(),
    };
    let policy = settings
        .as_ref()
        .map(|settings| settings.at("exception-policy"));
    if let Some(policy) = policy.and_then(Setting::text) {
        let message = format!("master exception-policy set to: {policy}");
        engine.say(Level::Info, "exception-policy", &message);
    }
    let rules = rules::Rules::read(args, settings.as_ref(), &mut engine)?;
    let store = store.map(|store| store.on_demand(rules.stores()));
    let packs = packs::Packs::read(args)?;
    let mut scanned = Ok(());
    for capture in &args.captures {
        let mut config = config(
            args,
            settings.as_ref(),
            total.count("flow.total"),
            names.clone(),
        );
        config.sensor.digests = config.sensor.digests.or(rules.digests());
        if args.threads > 1 {
            let parts = Parts {
                store: store.clone(),
                rules: &rules,
                packs: &packs,
                config,
                index: &index,
                log: log.as_mut(),
                threads: args.threads,
            };
            scanned = threads::scan(capture, parts, &mut total);
        } else {
            let sessions = Arc::new(Sessions::new(SESSIONS_MAX));
            let mut pipeline = Pipeline::new(config, Arc::clone(&index), sessions);
            pipeline = pipeline
                .with_store(store.clone())
                .with_rules(rules.inspector());
            pipeline = packs.judge(pipeline);
            if let Some(log) = log.take() {
                pipeline = pipeline.with_log(log);
            }
            scanned = scan(capture, &mut pipeline);
            total.add(&pipeline.counters());
            log = pipeline.into_log();
        }
        if scanned.is_err() {
            break;
        }
    }
    if let Some(log) = log {
        records::close(log)?;
    }
    total.print(json);
    scanned.map(|()| Outcome::Done)
}

/// The configuration, with what is set over it.
fn settings(args: &Scan) -> Result<Option<Settings>, Failure> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|e| Failure::input(path.display(), e))?;
        Settings::parse(&text).map_err(|e| Failure::input(path.display(), e))
    };
    let mut settings = args.config.as_ref().map(read).transpose()?;
    if let Some(without_effect) = settings.as_ref().map(without_effect)
        && !without_effect.is_empty()
    {
        let names = without_effect.join(", ");
        complain(format_args!(
            "note: settings without an effect here: {names}"
        ));
    }
    for set in &args.set {
        let settings = settings.get_or_insert_with(unconfigured);
        settings.set(set).map_err(|e| Failure::input("--set", e))?;
    }
    Ok(settings)
}

/// Sections of a suricata.yaml that are read.
const SECTIONS: [&str; 20] = [
    "action-order",
    "app-layer",
    "classification-file",
    "decoder",
    "default-reputation-path",
    "defrag",
    "exception-policy",
    "flow",
    "flow-timeouts",
    "host-os-policy",
    "logging",
    "outputs",
    "packet-alert-max",
    "reference-config-file",
    "reputation-categories-file",
    "reputation-files",
    "stream",
    "threshold-file",
    "vars",
    "vlan",
];
/// Outputs that are written.
const OUTPUTS: [&str; 2] = ["eve-log", "file-store"];

/// What of a configuration changes nothing: whole sections, and outputs that are enabled.
fn without_effect(settings: &Settings) -> Vec<String> {
    let sections = settings.root().entries().map(|(name, _)| name);
    let sections = sections.filter(|name| !SECTIONS.contains(name));
    let outputs = settings.at("outputs");
    let outputs = outputs.items().flat_map(Setting::entries);
    let outputs = outputs.filter(|(name, output)| {
        !OUTPUTS.contains(name) && output.at("enabled").flag().unwrap_or(false)
    });
    let outputs = outputs.map(|(name, _)| format!("outputs.{name}"));
    sections.map(str::to_owned).chain(outputs).collect()
}

/// What settings stand on without a configuration: flows met midstream are followed, as a shield
/// does and a suricata.yaml without a word on them does not.
fn unconfigured() -> Settings {
    Settings::parse("stream: {midstream: yes}").unwrap_or_default()
}

/// The pipeline of one capture: every match is told, and no two flows of a log share a number.
fn config(
    args: &Scan,
    settings: Option<&Settings>,
    flows_before: u64,
    names: Option<Arc<NameModel>>,
) -> Config {
    let indicator = IndicatorConfig {
        quiet_ns: 0,
        ..IndicatorConfig::default()
    };
    let behaviour = BehaviourConfig {
        dga: detect::behaviour::dga::Config {
            model: names,
            ..Default::default()
        },
        ..Default::default()
    };
    let mut sensor = settings.map_or_else(packet::Config::default, packet::Config::from_settings);
    let stream_inline = settings.map(|settings| settings.at("stream.inline"));
    if stream_inline
        .is_some_and(|inline| inline.text() != Some("auto") && inline.flag() == Some(true))
    {
        // data counts with its own packet, not with the one that acknowledges it
        sensor.stream.on_ack = false;
    }
    let exceptions = settings.map(|settings| Exceptions::from_settings(settings, args.inline));
    Config {
        sensor: packet::Config {
            exceptions: exceptions.unwrap_or_default(),
            flow_ids_after: flows_before,
            inline: args.inline,
            verify_checksums: args.checksums == Checksums::On,
            inspect: !args.rules.is_empty(),
            ..sensor
        },
        detect: detect::Config {
            indicator,
            behaviour,
            ..detect::Config::default()
        },
    }
}

/// Opens a capture.
fn open(capture: &Path) -> Result<Reader<File>, Failure> {
    let file = File::open(capture).map_err(|error| Failure::input(capture.display(), error))?;
    Reader::new(file).map_err(|error| Failure::input(capture.display(), error))
}

/// Runs a whole capture through a pipeline. What stands before a damaged place counts, flows that
/// were open there included.
fn scan(capture: &Path, pipeline: &mut Pipeline) -> Result<(), Failure> {
    let mut reader = open(capture)?;
    let (mut last_ns, mut ticked_ns, mut packets) = (0, 0, 0_u64);
    let read = loop {
        let frame = match reader.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        last_ns = frame.ts_ns;
        packets = packets.saturating_add(1);
        pipeline.packet(&frame, last_ns, &mut |_| {});
        if last_ns.saturating_sub(ticked_ns) >= TICK_NS {
            ticked_ns = last_ns;
            pipeline.tick(last_ns, last_ns, &mut |_| {});
        }
    };
    pipeline.finish(last_ns, last_ns, &mut |_| {});
    pipeline.log_stats(last_ns);
    read_to_end(capture, &reader, read, packets)
}

/// What to say of how reading ended.
fn read_to_end(
    capture: &Path,
    reader: &Reader<File>,
    read: Result<(), PcapError>,
    packets: u64,
) -> Result<(), Failure> {
    // nothing but damage is no capture
    if let Err(error) = read {
        if packets == 0 {
            return Err(Failure::input(capture.display(), error));
        }
        complain(format_args!(
            "warning: {}: {error}; all before it was scanned; copy or capture it anew for the rest",
            capture.display()
        ));
    } else if reader.is_truncated() {
        // it is still written, or its writer was killed: no fault of the operator
        complain(format_args!(
            "warning: {}: the capture ends within a packet; all before it was scanned; copy or \
             capture it anew if there should be more",
            capture.display()
        ));
    }
    Ok(())
}

/// Refuses what is no file before anything is written.
fn readable(path: &Path) -> Result<Metadata, Failure> {
    let metadata = std::fs::metadata(path).map_err(|e| Failure::input(path.display(), e))?;
    if metadata.is_dir() {
        return Err(Failure::input(
            path.display(),
            anyhow::anyhow!("a folder: name the files in it"),
        ));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use testkit::capture::{Frames, Segment, flag};

    use super::*;

    #[test]
    fn every_match_is_told_and_no_two_flows_share_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle.json");
        let indicator = json!({
            "type": "indicator", "spec_version": "2.1",
            "id": "indicator--00000000-0000-4000-8000-000000000001",
            "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
            "pattern": "[ipv4-addr:value = '203.0.113.9']", "pattern_type": "stix",
            "valid_from": "2026-01-01T00:00:00Z",
        });
        std::fs::write(&bundle, indicator.to_string()).unwrap();
        let capture = folder.path().join("in.pcap");
        std::fs::write(&capture, syns(3)).unwrap();
        let mut args = args(folder.path(), &[&capture, &capture]);
        args.indicators.push(bundle);
        run(&args, false).unwrap();
        let records = records(&args);
        let of = |kind: &str| -> Vec<&Value> {
            let of = records.iter().filter(|record| record["event_type"] == kind);
            of.collect()
        };
        assert_eq!((of("alert").len(), of("stats").len()), (6, 2));
        let flows: Vec<_> = of("flow")
            .iter()
            .map(|flow| flow["flow_id"].as_u64())
            .collect();
        assert_eq!(flows, (1..=6).map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn a_client_of_generated_names_is_told_with_what_was_measured() {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("in.pcap");
        let mut frames = Frames::default();
        let (client, resolver) = (
            "10.2.0.77:4242".parse().unwrap(),
            "10.2.0.53:53".parse().unwrap(),
        );
        for (id, name) in (0..).zip([
            "qkzxvwpjtrbh",
            "wjxkqvztpbnm",
            "hzqwxkvjptrl",
            "vbxqzjwkhtrp",
        ]) {
            let at = 1_700_000_000_000_000_000_u64.saturating_add(u64::from(id));
            for (from, to, flags) in [(client, resolver, 0x0100), (resolver, client, 0x8183)] {
                frames.udp(at, from, to, &question(id, flags, name));
            }
        }
        std::fs::write(&capture, frames.pcap()).unwrap();
        let args = args(folder.path(), &[&capture]);
        run(&args, false).unwrap();
        let records = records(&args);
        let alerts: Vec<_> = records
            .iter()
            .filter(|record| record["event_type"] == "alert")
            .collect();
        assert_eq!(alerts.len(), 1);
        assert_eq!(alerts[0]["alert"]["signature_id"], 9_400_001);
        let verdict = &alerts[0]["shieldwall"];
        assert_eq!(
            (&verdict["evidence"], verdict.get("offender")),
            (&json!("unproven"), None)
        );
        let reasons = verdict["reasons"].as_array().unwrap();
        let of = |buffer: &str| {
            reasons
                .iter()
                .find(|reason| reason["buffer"] == buffer)
                .unwrap()
        };
        assert_eq!(of("names_odd")["matched"], of("names")["matched"]);
        assert!(
            of("log_odds")["what"]
                .as_str()
                .unwrap()
                .contains("told from 12 on")
        );
    }

    /// A DNS message about one name under `example`, of type A.
    fn question(id: u16, flags: u16, label: &str) -> Vec<u8> {
        let head = [id, flags, 1, 0, 0, 0].map(u16::to_be_bytes).concat();
        let label = [&[12], label.as_bytes()].concat();
        [&head[..], &label, b"\x07example\0\0\x01\0\x01"].concat()
    }

    #[test]
    fn several_threads_write_the_records_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("in.pcap");
        std::fs::write(&capture, syns(40)).unwrap();
        let mut args = args(folder.path(), &[&capture]);
        let flows = |args: &Scan| {
            run(args, false).unwrap();
            let mut ports: Vec<_> = records(args)
                .iter()
                .filter(|record| record["event_type"] == "flow")
                .map(|record| (record["src_port"].as_u64(), record["pcap_cnt"].is_u64()))
                .collect();
            ports.sort_unstable();
            ports
        };
        let one = flows(&args);
        args.threads = 3;
        assert_eq!(flows(&args), one);
        let stats = records(&args);
        let stats: Vec<_> = stats
            .iter()
            .filter(|record| record["event_type"] == "stats")
            .collect();
        assert_eq!(stats.len(), 1);
        assert_eq!(stats[0]["stats"]["decoder"]["pkts"], 40);
    }

    #[test]
    fn what_stands_before_a_cut_or_damaged_place_of_a_capture_counts() {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("cut.pcap");
        let whole = syns(3);
        let cut = &whole[..whole.len().saturating_sub(5)];
        let args = args(folder.path(), &[&capture]);
        let flows = || {
            let records = records(&args);
            let flows = records
                .iter()
                .filter(|record| record["event_type"] == "flow");
            flows.count()
        };
        std::fs::write(&capture, cut).unwrap();
        run(&args, false).unwrap();
        assert_eq!(flows(), 2);
        std::fs::write(&capture, [&whole[..], &[0xff; 16]].concat()).unwrap();
        assert!(run(&args, false).is_ok());
        assert_eq!(flows(), 3);
        std::fs::write(&capture, [&whole[..24], &[0xff; 16]].concat()).unwrap();
        let Err(Failure::Input(error)) = run(&args, false) else {
            panic!("nothing but damage is bad input")
        };
        let text = format!("{error:#}");
        assert!(
            text.contains("cut.pcap") && text.contains("damaged at byte"),
            "{text}"
        );
    }

    #[test]
    fn a_configuration_names_the_outputs_and_a_setting_alone_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("in.pcap");
        std::fs::write(&capture, syns(2)).unwrap();
        let mut args = args(folder.path(), &[&capture]);
        args.eve = None;
        args.eve_dir = Some(folder.path().join("out"));
        args.set.push("stream.midstream=true".to_owned());
        let types = |name: &str| {
            run(&args, false).unwrap();
            let text = std::fs::read_to_string(folder.path().join("out").join(name)).unwrap();
            text.matches("\"event_type\":\"flow\"").count()
        };
        assert_eq!(types("eve.json"), 2);
        let yaml = "outputs: [{eve-log: {enabled: yes, filename: flows.json, types: [flow]}}]";
        std::fs::write(folder.path().join("c.yaml"), yaml).unwrap();
        args.config = Some(folder.path().join("c.yaml"));
        let flows = |args: &Scan| {
            run(args, false).unwrap();
            std::fs::read_to_string(folder.path().join("out/flows.json")).unwrap()
        };
        assert_eq!(flows(&args).lines().count(), 2);
        args.set.push("outputs.0.eve-log.enabled=no".to_owned());
        std::fs::remove_dir_all(folder.path().join("out")).unwrap();
        run(&args, false).unwrap();
        assert!(!folder.path().join("out/flows.json").exists());
    }

    #[test]
    fn settings_without_an_effect_are_named() {
        let yaml = "stream: {midstream: yes}\ndpdk: {x: 1}\noutputs:\n  - fast: {enabled: yes}\n  - \
            eve-log: {enabled: yes}\n  - syslog: {enabled: no}\n";
        let named = without_effect(&Settings::parse(yaml).unwrap());
        assert_eq!(named, ["dpdk", "outputs.fast"]);
    }

    #[test]
    fn a_file_that_is_read_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("in.pcap");
        std::fs::write(&capture, syns(1)).unwrap();
        let mut args = args(folder.path(), &[&capture]);
        args.eve = Some(capture.clone());
        assert!(matches!(run(&args, false), Err(Failure::Input(_))));
        assert_eq!(std::fs::read(&capture).unwrap(), syns(1));
        args.eve = Some(folder.path().join("eve.json"));
        args.captures.push(folder.path().join("missing.pcap"));
        assert!(matches!(run(&args, false), Err(Failure::Input(_))));
        assert!(!folder.path().join("eve.json").exists());
    }

    fn args(folder: &Path, captures: &[&PathBuf]) -> Scan {
        Scan {
            captures: captures.iter().map(|path| (*path).clone()).collect(),
            indicators: Vec::new(),
            rules: Vec::new(),
            pack: Vec::new(),
            trust: None,
            eve: Some(folder.join("out.jsonl")),
            eve_dir: None,
            alerts_only: false,
            config: None,
            set: Vec::new(),
            inline: false,
            threads: 1,
            checksums: Checksums::Off,
        }
    }

    fn records(args: &Scan) -> Vec<Value> {
        let text = std::fs::read_to_string(args.eve.as_ref().unwrap()).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// A capture of as many SYNs, each of its own flow.
    fn syns(count: u16) -> Vec<u8> {
        let mut frames = Frames::default();
        for port in 4000..4000_u16.saturating_add(count) {
            let segment = Segment {
                seq: 1,
                ack: 0,
                flags: flag::SYN,
                timestamp: None,
                payload: b"",
            };
            let from = (std::net::Ipv4Addr::new(203, 0, 113, 9), port).into();
            let to = "10.2.0.10:80".parse().unwrap();
            frames.tcp(1_700_000_000_000_000_000, from, to, &segment);
        }
        frames.pcap()
    }
}
