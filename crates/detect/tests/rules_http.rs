//! Rules over HTTP and files, against what Suricata 8.0.6 did with the same conversations.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use detect::rules::dataset::Datasets;
use detect::rules::state::Names;
use detect::rules::{Classes, Compiler, Inspector, Options, RuleSet, Vars};
use packet::{Config, Sensor};
use testkit::capture::Frames;
use testkit::conversation::{Conversation, Plan};

const BUFFERS: &str = include_str!("../../../tests/rules/http/buffers.txt");
const FILES: &str = include_str!("../../../tests/rules/files/rules.txt");

/// A conversation, and the lines behind it.
struct Case {
    name: &'static str,
    frames: Frames,
    lines: Vec<&'static str>,
}

fn cases(text: &'static str) -> Vec<Case> {
    let text = text.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<&str> = text.collect();
    let cases = lines.split(|line| line.is_empty());
    let cases = cases.filter(|lines| !lines.is_empty()).map(|lines| {
        let said = |line: &str| line.starts_with("> ") || line.starts_with("< ");
        let chunks = lines.iter().filter(|line| said(line));
        let bytes: Vec<u8> = chunks
            .flat_map(|line| {
                let data = unescaped(&line[2..]);
                let len = u16::try_from(data.len()).unwrap().to_be_bytes();
                [&[u8::from(line.starts_with('<'))], &len[..], &data].concat()
            })
            .collect();
        let behind = lines[1..].iter().filter(|line| !said(line));
        Case {
            name: lines[0],
            frames: Conversation::read(&bytes).tcp(80, Plan::WHOLE),
            lines: behind.copied().collect(),
        }
    });
    cases.collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b'x' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    bytes
}

/// MD5 of `first alpha`.
const KNOWN: &[u8] = b"a0fde9fdae043ffcd84a49af431a44b3\n";

fn compile(rules: &str) -> RuleSet {
    let mut names = Names::default();
    let read = |name: &str| (name == "known.md5").then(|| KNOWN.to_vec());
    let mut compiler = Compiler::new(
        Vars::usual(),
        Classes::default(),
        &mut names,
        Datasets::default(),
        &read,
    );
    compiler.file("test", rules);
    let refused = compiler.diagnostics();
    assert!(refused.is_empty(), "{}", refused[0]);
    compiler.finish()
}

/// How often each rule alerts, by number.
fn alerts(frames: &Frames, rules: &str) -> BTreeMap<u32, usize> {
    let rules = compile(rules);
    let config = Config {
        inspect: true,
        digests: rules.digests(),
        ..Config::default()
    };
    let options = Options {
        alerts_max: 1000,
        ..Options::default()
    };
    let mut sensor = Sensor::new(config);
    let mut inspector = Inspector::new(options, Arc::new(rules));
    let mut counts = BTreeMap::new();
    let mut last_ns = 0;
    let mut count = |inspector: &mut Inspector| {
        for alert in inspector.alerts() {
            *counts.entry(alert.rule().unwrap().id.sid).or_default() += 1;
        }
    };
    let capture = frames.pcap();
    let mut reader = packet::pcap::Reader::new(&capture[..]).unwrap();
    while let Ok(Some(frame)) = reader.next() {
        last_ns = frame.ts_ns;
        sensor.packet(&frame, &mut |event| {
            inspector.event(&event, last_ns);
            count(&mut inspector);
        });
    }
    sensor.finish(&mut |event| {
        inspector.event(&event, last_ns);
        count(&mut inspector);
    });
    counts
}

/// Buffers that the cases are about: side, name.
fn buffers() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = cases(BUFFERS)
        .iter()
        .flat_map(|case| case.lines.clone())
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            (words.next().unwrap(), words.next().unwrap())
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn buffers_hold_what_suricatas_do() {
    let known = buffers();
    let mut wrong = Vec::new();
    for case in cases(BUFFERS) {
        let mut rules = String::new();
        let mut expected = Vec::new();
        for (at, line) in case.lines.iter().enumerate() {
            let mut words = line.splitn(3, ' ');
            let (side, buffer) = (words.next().unwrap(), words.next().unwrap());
            let value = unescaped(words.next().unwrap_or_default());
            expected.push((side, buffer));
            let hex: Vec<String> = value.iter().map(|byte| format!("{byte:02x}")).collect();
            let step = match hex.is_empty() {
                true => "bsize:0".to_owned(),
                false => format!("content:\"|{}|\"; startswith; endswith", hex.join(" ")),
            };
            let sid = at + 1;
            writeln!(
                rules,
                "alert http any any -> any any (flow:{side}; {buffer}; {step}; sid:{sid};)"
            )
            .unwrap();
        }
        let side_of_case = if case.name.starts_with("request") {
            "to_server"
        } else {
            "to_client"
        };
        let absent: Vec<_> = known
            .iter()
            .filter(|(side, _)| *side == side_of_case)
            .filter(|known| !expected.contains(known))
            .collect();
        for (at, (side, buffer)) in absent.iter().enumerate() {
            let sid = at + 1000;
            writeln!(
                rules,
                "alert http any any -> any any (flow:{side}; {buffer}; pcre:\"/^/\"; sid:{sid};)"
            )
            .unwrap();
        }
        let alerts = alerts(&case.frames, &rules);
        for (at, line) in case.lines.iter().enumerate() {
            if !alerts.contains_key(&u32::try_from(at + 1).unwrap()) {
                wrong.push(format!("{}: {line}", case.name));
            }
        }
        for (at, (side, buffer)) in absent.iter().enumerate() {
            if alerts.contains_key(&u32::try_from(at + 1000).unwrap()) {
                wrong.push(format!("{}: {side} {buffer} is there", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_over_files_alert_as_suricatas_do() {
    let mut wrong = Vec::new();
    for case in cases(FILES) {
        let mut rules = String::new();
        for (at, line) in case.lines.iter().enumerate() {
            let (_, body) = line.split_once(' ').unwrap();
            writeln!(
                rules,
                "alert http any any -> any any ({body}; sid:{};)",
                at + 1
            )
            .unwrap();
        }
        let alerts = alerts(&case.frames, &rules);
        for (at, line) in case.lines.iter().enumerate() {
            let sid = u32::try_from(at + 1).unwrap();
            let found = alerts.get(&sid).copied().unwrap_or(0);
            if !line.starts_with(&format!("{found} ")) {
                wrong.push(format!("{}: {found}, not {line}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
