//! `scan`: captures in, EVE records and a summary out.

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io::{self, BufWriter, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use datapath::clock::mono_ns;
use detect::{Index, IndexBuilder, IndicatorConfig, SourceKey};
use packet::pcap::Reader;
use packet::settings::Settings;
use serde_json::json;
use shield::{
    eve::{ALERTS, Log, Records, WhenFull},
    pipeline::{Config, Pipeline},
    sessions::Sessions,
};
use stix::{Limits, bundle, pattern::Term};

use crate::{
    cli::{Checksums, Scan},
    outcome::{Failure, Outcome},
    text::complain,
};

/// Most sources whose sessions are remembered while scanning.
const SESSIONS_MAX: usize = 4096;
/// Packet time after which detectors and idle flows are looked at.
const TICK_NS: u64 = 250_000_000;

pub(super) fn run(args: &Scan, json: bool) -> Result<Outcome, Failure> {
    for capture in &args.captures {
        readable(capture)?;
    }
    let index = Arc::new(indicators(args)?);
    let mut total = Summary::default();
    let settings = settings(args)?;
    let mut log = log(args, settings.as_ref())?;
    let mut scanned = Ok(());
    for capture in &args.captures {
        let config = config(args, settings.as_ref(), total.count("flow.total"));
        let mut pipeline = Pipeline::new(
            config,
            Arc::clone(&index),
            Arc::new(Sessions::new(SESSIONS_MAX)),
        );
        if let Some(log) = log.take() {
            pipeline = pipeline.with_log(log);
        }
        scanned = scan(capture, &mut pipeline);
        total.add(&pipeline.counters());
        log = pipeline.into_log();
        if scanned.is_err() {
            break;
        }
    }
    if let Some(log) = log {
        close(log)?;
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
    for set in &args.set {
        let settings = settings.get_or_insert_default();
        settings.set(set).map_err(|e| Failure::input("--set", e))?;
    }
    Ok(settings)
}

/// The pipeline of one capture: every match is told, and no two flows of a log share a number.
fn config(args: &Scan, settings: Option<&Settings>, flows_before: u64) -> Config {
    let indicator = IndicatorConfig {
        quiet_ns: 0,
        ..IndicatorConfig::default()
    };
    Config {
        sensor: packet::Config {
            flow_ids_after: flows_before,
            inline: args.inline,
            verify_checksums: args.checksums == Checksums::On,
            ..settings.map_or_else(packet::Config::default, packet::Config::from_settings)
        },
        detect: detect::Config {
            indicator,
            ..detect::Config::default()
        },
    }
}

/// Runs a whole capture through a pipeline. What stands before a damaged place counts, flows that
/// were open there included.
fn scan(capture: &Path, pipeline: &mut Pipeline) -> Result<(), Failure> {
    let bad = |error| Failure::input(capture.display(), error);
    let file = File::open(capture).map_err(|error| bad(anyhow::Error::new(error)))?;
    let mut reader = Reader::new(file).map_err(|error| bad(error.into()))?;
    let (mut last_ns, mut ticked_ns) = (0, 0);
    let read = loop {
        let frame = match reader.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        last_ns = frame.ts_ns;
        pipeline.packet(&frame, mono_ns(), &mut |_| {});
        if last_ns.saturating_sub(ticked_ns) >= TICK_NS {
            ticked_ns = last_ns;
            pipeline.tick(last_ns, mono_ns(), &mut |_| {});
        }
    };
    pipeline.finish(last_ns, mono_ns(), &mut |_| {});
    pipeline.log_stats(last_ns);
    read.map_err(|error| bad(error.into()))?;
    // a capture that is still written, or whose writer was killed, ends so: no fault of the operator
    if reader.is_truncated() {
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

/// The log of the records, if any are asked for: with a configuration its `eve-log` outputs in the
/// folder given, else everything in one file.
fn log(args: &Scan, settings: Option<&Settings>) -> Result<Option<Log>, Failure> {
    let (records, folder) = match (&args.eve, &args.eve_dir) {
        (Some(path), _) => (vec![one_output(args, path)], None),
        (None, Some(folder)) => {
            std::fs::create_dir_all(folder).map_err(|e| Failure::input(folder.display(), e))?;
            let configured = settings.map(Records::from_settings);
            let everything = || vec![one_output(args, Path::new("eve.json"))];
            (configured.unwrap_or_else(everything), Some(folder))
        }
        (None, None) => return Ok(None),
    };
    let mut refused = None;
    let log = Log::new(records, WhenFull::Wait, |name| {
        let path = folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
        open(args, &path).map_err(|failure| {
            refused = Some(failure);
            io::Error::other(name)
        })
    });
    match (log, refused) {
        (_, Some(failure)) => Err(failure),
        (Err(error), None) => Err(Failure::system("start the log", error)),
        (Ok(log), None) => Ok(Some(log)),
    }
}

fn one_output(args: &Scan, path: &Path) -> Records {
    let name = path.to_string_lossy();
    match args.alerts_only {
        true => Records::of(&name, ALERTS),
        false => Records::all(&name),
    }
}

/// Opens a file of records; `-` is standard output.
fn open(args: &Scan, path: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdout()));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::input(folder.display(), e))?;
    }
    create(args, path)
}

/// Creates the file of the records, which must not be one that is read.
fn create(args: &Scan, path: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    let is_same = |input: &&PathBuf| {
        let both = std::fs::metadata(input).and_then(|a| Ok((a, std::fs::metadata(path)?)));
        both.is_ok_and(|(a, b)| b.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()))
    };
    if args
        .captures
        .iter()
        .chain(&args.indicators)
        .any(|input| is_same(&input))
    {
        return Err(Failure::input(
            path.display(),
            anyhow::anyhow!("this file is read: name another one for the records"),
        ));
    }
    let file = File::create(path).map_err(|e| Failure::input(path.display(), e))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// A reader that has enough (`| head`) is no failure.
fn close(log: Log) -> Result<(), Failure> {
    match log.close() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        closed => closed.map_err(|e| Failure::system("write the records", e)),
    }
}

/// The index of all bundles. What cannot be looked for is named, never skipped in silence.
fn indicators(args: &Scan) -> Result<Index, Failure> {
    let mut builder = IndexBuilder::new();
    for path in &args.indicators {
        let bytes = std::fs::read(path).map_err(|e| Failure::input(path.display(), e))?;
        let objects =
            bundle::parse(&bytes, &limits()).map_err(|e| Failure::input(path.display(), e))?;
        let source: Arc<str> = path.display().to_string().into();
        for object in objects {
            match object {
                Ok(object) => add(&mut builder, &source, &object),
                Err(error) => complain(format_args!("{source}: refused: {error}")),
            }
        }
    }
    Ok(builder.build())
}

/// A file that the operator names may be large.
fn limits() -> Limits {
    Limits {
        bytes_max: 1 << 30,
        objects_max: 10_000_000,
        ..Limits::default()
    }
}

fn add(builder: &mut IndexBuilder, source: &Arc<str>, object: &stix::Object) {
    let head = object.head();
    let Some(raw) = head.pattern.as_ref().filter(|_| !head.revoked) else {
        return;
    };
    if &*raw.pattern_type != "stix" {
        complain(format_args!(
            "{source}: {}: refused: patterns of type {} are not looked for; write it as a stix pattern",
            head.id, raw.pattern_type
        ));
        return;
    }
    match stix::pattern::parse(&raw.pattern) {
        Ok(pattern) => {
            if pattern
                .terms
                .iter()
                .any(|term| matches!(term, Term::FileHash { .. }))
            {
                complain(format_args!(
                    "{source}: {}: not looked for: files are not taken out of captures, so a file's \
                     hash is never found; name its URL or address too",
                    head.id
                ));
            }
            let key = SourceKey {
                source: Arc::clone(source),
                id: head.id.clone(),
            };
            for refusal in builder.add(
                key,
                head.confidence.unwrap_or(CONFIDENCE_UNSTATED),
                &pattern,
            ) {
                complain(format_args!("{source}: {}: refused: {refusal}", head.id));
            }
        }
        Err(error) => complain(format_args!("{source}: {}: refused: {error}", head.id)),
    }
}

/// STIX 2.1 section 3.2: no confidence means that it is unspecified; taken as even.
const CONFIDENCE_UNSTATED: u8 = 50;

/// What was seen, over all captures.
#[derive(Default)]
struct Summary {
    counters: BTreeMap<&'static str, u64>,
}

impl Summary {
    fn add(&mut self, counters: &[(&'static str, u64)]) {
        for (name, count) in counters {
            let sum = self.counters.entry(name).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    fn count(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or_default()
    }

    fn print(&self, json: bool) {
        let (packets, bytes) = (self.count("pipeline.frames"), self.count("pipeline.bytes"));
        let flows = self.count("flow.total");
        let transactions = self.count("app_layer.transactions");
        let alerts = self.count("pipeline.verdicts");
        let cpu_s = datapath::clock::process_cpu_s();
        if json {
            complain(json!({
                "packets": packets, "bytes": bytes, "flows": flows, "transactions": transactions,
                "alerts": alerts, "cpu_s": cpu_s,
            }));
        } else {
            complain(format_args!(
                "{packets} packets, {bytes} bytes, {flows} flows, {transactions} transactions, \
                 {alerts} alerts, {cpu_s:.3} CPU-seconds"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
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
        let Err(Failure::Input(error)) = run(&args, false) else {
            panic!("a damaged capture is bad input")
        };
        let text = format!("{error:#}");
        assert!(
            text.contains("cut.pcap") && text.contains("damaged at byte"),
            "{text}"
        );
        assert_eq!(flows(), 3);
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
            eve: Some(folder.join("out.jsonl")),
            eve_dir: None,
            alerts_only: false,
            config: None,
            set: Vec::new(),
            inline: false,
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
