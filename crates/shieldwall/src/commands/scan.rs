//! `scan`: captures in, EVE records and a summary out.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use detect::{Index, IndexBuilder, SourceKey};
use serde_json::json;
use shield::{
    eve::{Log, Types, WhenFull},
    pipeline::{Config, Pipeline, scan_file},
    sessions::Sessions,
};
use stix::{Limits, bundle};

use crate::{
    cli::Scan,
    outcome::{Failure, Outcome},
    text::complain,
};

/// Most sources whose sessions are remembered while scanning.
const SESSIONS_MAX: usize = 4096;

pub(super) fn run(args: &Scan, json: bool) -> Result<Outcome, Failure> {
    let index = Arc::new(indicators(args)?);
    let types = if args.alerts_only {
        Types::ALERTS
    } else {
        Types::ALL
    };
    let mut total = Summary::default();
    let mut log = sink(args)?
        .map(|sink| Log::new(sink, types, WhenFull::Wait))
        .transpose()
        .map_err(|e| Failure::system("start the log", e))?;
    for capture in &args.captures {
        let file = File::open(capture).map_err(|e| Failure::input(capture.display(), e))?;
        let sessions = Arc::new(Sessions::new(SESSIONS_MAX));
        let mut pipeline = Pipeline::new(Config::default(), Arc::clone(&index), sessions);
        if let Some(log) = log.take() {
            pipeline = pipeline.with_log(log);
        }
        let mut alerts = 0_u64;
        let scanned = scan_file(BufReader::new(file), &mut pipeline, &mut |_| {
            alerts = alerts.saturating_add(1);
        });
        total.add(&pipeline.counters(), alerts);
        log = pipeline.into_log();
        scanned.map_err(|e| Failure::input(capture.display(), e))?;
    }
    if let Some(log) = log {
        log.close()
            .map_err(|e| Failure::system("write the records", e))?;
    }
    total.print(json);
    Ok(Outcome::Done)
}

/// Where the records go, if anywhere.
fn sink(args: &Scan) -> Result<Option<Box<dyn Write + Send>>, Failure> {
    let create = |path: &Path| -> Result<Option<Box<dyn Write + Send>>, Failure> {
        let file = File::create(path).map_err(|e| Failure::input(path.display(), e))?;
        Ok(Some(Box::new(BufWriter::new(file))))
    };
    match (&args.eve, &args.eve_dir) {
        (Some(path), _) if path.as_os_str() == "-" => Ok(Some(Box::new(io::stdout()))),
        (Some(path), _) => create(path),
        (None, Some(folder)) => {
            std::fs::create_dir_all(folder).map_err(|e| Failure::input(folder.display(), e))?;
            create(&folder.join("eve.json"))
        }
        (None, None) => Ok(None),
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
            "{source}: {}: refused: pattern type {}",
            head.id, raw.pattern_type
        ));
        return;
    }
    match stix::pattern::parse(&raw.pattern) {
        Ok(pattern) => {
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
    alerts: u64,
}

impl Summary {
    fn add(&mut self, counters: &[(&'static str, u64)], alerts: u64) {
        for (name, count) in counters {
            let sum = self.counters.entry(name).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.alerts = self.alerts.saturating_add(alerts);
    }

    fn print(&self, json: bool) {
        let count = |name: &str| self.counters.get(name).copied().unwrap_or_default();
        let (packets, bytes) = (count("pipeline.frames"), count("pipeline.bytes"));
        let (flows, transactions) = (count("flow.total"), count("app_layer.transactions"));
        let (alerts, cpu_s) = (self.alerts, datapath::clock::process_cpu_s());
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
