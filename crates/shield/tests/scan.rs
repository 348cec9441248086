//! Golden cases over real captures: `tests/scan/CASE/` holds `input.pcap`, `indicators.txt` (one STIX
//! pattern a line) and `expected.jsonl`, the EVE records that must come out. `UPDATE=1` rewrites
//! what is expected; `tests/scan/capture.py` makes the captures.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use detect::{Config, Index, IndexBuilder, IndicatorConfig, SourceKey};
use serde_json::Value;
use shield::eve::{Log, Records, WhenFull};
use shield::pipeline::{self, Pipeline};
use shield::sessions::Sessions;
use stix::StixId;

#[test]
fn captures_give_the_records_expected() {
    let cases = testkit::workspace_root().join("tests/scan");
    let run = testkit::golden::run(cases, |case| {
        let patterns = case.text("indicators.txt")?;
        let records = scan(&case.bytes("input.pcap")?, &patterns);
        case.expect("expected.jsonl", &records)
    });
    if let Err(failures) = run {
        panic!("{failures}");
    }
}

#[test]
fn every_record_is_an_object_that_a_suricata_user_knows() {
    for case in testkit::golden::cases(&testkit::workspace_root().join("tests/scan")).unwrap() {
        let records = scan(
            &case.bytes("input.pcap").unwrap(),
            &case.text("indicators.txt").unwrap(),
        );
        for line in records.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let event_type = record["event_type"].as_str().unwrap();
            let timestamp = record["timestamp"].as_str().unwrap();
            assert!(
                timestamp.ends_with("+0000") && timestamp.len() == 31,
                "{timestamp}"
            );
            assert!(record[event_type].is_object(), "{line}");
            if event_type == "alert" {
                let alert = &record["alert"];
                assert!(alert["signature_id"].is_u64() && alert["gid"].is_u64());
                assert!(alert["signature"].is_string() && alert["category"].is_string());
                assert!((1..=3).contains(&alert["severity"].as_u64().unwrap()));
                for values in alert["metadata"].as_object().unwrap().values() {
                    assert!(values.as_array().unwrap().iter().all(Value::is_string));
                }
            }
        }
    }
}

#[test]
fn whatever_was_captured_becomes_valid_json() {
    let name = "whatever_was_captured_becomes_valid_json";
    let Some(shared) = testkit::shared_dir() else {
        return testkit::skip(name, "no folder of shared captures (SHIELDWALL_SHARED)");
    };
    let mut records = 0;
    for entry in std::fs::read_dir(shared.join("vectors/shield/pcaps")).unwrap() {
        let capture = std::fs::read(entry.unwrap().path()).unwrap();
        if capture.len() > CAPTURE_BYTES_MAX {
            continue;
        }
        for line in scan(&capture, "").lines() {
            serde_json::from_str::<Value>(line).unwrap();
            records += 1;
        }
    }
    assert!(records > 1_000, "{records} records");
}

/// Larger captures are left out: the test is to be fast in a build without optimisation.
const CAPTURE_BYTES_MAX: usize = 100_000;

fn scan(capture: &[u8], patterns: &str) -> String {
    let indicator = IndicatorConfig {
        quiet_ns: 0,
        ..IndicatorConfig::default()
    };
    let home = vec![
        "10.2.0.0/24".parse().unwrap(),
        "2001:db8:2::/64".parse().unwrap(),
    ];
    let detect = Config {
        home,
        indicator,
        ..Config::default()
    };
    let config = pipeline::Config {
        detect,
        ..pipeline::Config::default()
    };
    let sink = Lines::default();
    let open = |_: &str| Ok(Box::new(sink.clone()) as Box<dyn Write + Send>);
    let log = Log::new(vec![Records::all("-")], WhenFull::Wait, open).unwrap();
    let sessions = Arc::new(Sessions::new(1000));
    let mut pipeline = Pipeline::new(config, index(patterns), sessions).with_log(log);
    replay(capture, &mut pipeline);
    pipeline.close().unwrap();
    let bytes = std::mem::take(&mut *sink.0.lock().unwrap());
    String::from_utf8(bytes).unwrap()
}

/// Every frame, and time passing between them. A damaged capture counts as far as it can be read.
fn replay(capture: &[u8], pipeline: &mut Pipeline) {
    const TICK_NS: u64 = 100_000_000;
    let (mut last_ns, mut ticked_ns) = (0_u64, 0);
    if let Ok(mut reader) = packet::pcap::Reader::new(capture) {
        while let Ok(Some(frame)) = reader.next() {
            last_ns = frame.ts_ns;
            pipeline.packet(&frame, last_ns, &mut |_| {});
            if last_ns.saturating_sub(ticked_ns) >= TICK_NS {
                ticked_ns = last_ns;
                pipeline.tick(last_ns, last_ns, &mut |_| {});
            }
        }
    }
    pipeline.finish(last_ns, last_ns, &mut |_| {});
}

fn index(patterns: &str) -> Arc<Index> {
    let mut builder = IndexBuilder::new();
    for pattern in patterns.lines().filter(|line| !line.is_empty()) {
        let key = SourceKey {
            source: "alpha".into(),
            id: StixId::v5("indicator", pattern),
        };
        let refused = builder.add(key, 80, &stix::pattern::parse(pattern).unwrap());
        assert_eq!(refused, [], "{pattern}");
    }
    Arc::new(builder.build())
}

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
