//! What patterns cost: read, checked, brought into one wording, matched.
//!
//! `cargo run --release -p stix --example patterns [-- ROUNDS]`. Each line is a kind of pattern and
//! what is done with it so many times in a second of the processor, on one core; the mean of the
//! rounds. The patterns are made here: a simple one compares one address, name or hash, a complex
//! one has four comparisons, `FOLLOWEDBY` and `WITHIN`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    reason = "a measuring tool around a crate that does no I/O"
)]

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use serde_json::{Value, json};
use stix::pattern::matching::{MatchLimits, Observations};
use stix::pattern::{self, Expression};

/// Patterns of each kind.
const PATTERNS: usize = 10_000;
/// Observations that patterns are matched against.
const OBSERVATIONS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1);
    let rounds = rounds.map_or(Ok(20), |rounds| rounds.parse())?;
    for name in ["simple", "complex"] {
        let make = if name == "simple" { simple } else { complex };
        let texts: Vec<String> = (0..PATTERNS).map(make).collect();
        measure(name, "read", rounds, &texts, |text| {
            Expression::parse(text).is_ok()
        });
        measure(name, "read and checked", rounds, &texts, |text| {
            Expression::parse(text).is_ok_and(|pattern| pattern.check().is_ok())
        });
        measure(name, "fingerprints", rounds, &texts, |text| {
            let pattern = Expression::parse(text);
            pattern.is_ok_and(|pattern| pattern.fingerprint() != [0; 32])
        });
        if name == "simple" {
            measure(name, "made terms", rounds, &texts, |text| {
                pattern::parse(text).is_ok()
            });
        }
        let documents: Vec<Value> = (0..OBSERVATIONS).map(observed).collect();
        let observations = Observations::read(&documents)?;
        measure(name, "matched (of 100)", 1, &texts, |text| {
            let matcher = Expression::parse(text).and_then(|pattern| pattern.matcher());
            let limits = MatchLimits::default();
            matcher.is_ok_and(|matcher| matcher.matches(&observations, &limits).is_ok())
        });
    }
    Ok(())
}

/// Prints a line.
fn measure(kind: &str, what: &str, rounds: u32, texts: &[String], done: impl Fn(&str) -> bool) {
    let begin = processor_time();
    let mut count = 0_u32;
    for _ in 0..rounds {
        for text in texts {
            if black_box(done(black_box(text))) {
                count = count.saturating_add(1);
            }
        }
    }
    let took = processor_time().saturating_sub(begin).as_secs_f64();
    let each = f64::from(count) / took;
    println!("{kind:8} {what:18} {each:12.0} per CPU-second ({count} in {took:.2} s)");
}

fn simple(number: usize) -> String {
    let byte = number % 256;
    match number % 4 {
        0 => format!("[ipv4-addr:value = '192.0.2.{byte}']"),
        1 => format!("[domain-name:value = 'host-{number}.example']"),
        2 => format!("[url:value = 'http://host-{number}.example/path']"),
        _ => format!("[file:hashes.'SHA-256' = '{number:064x}']"),
    }
}

fn complex(number: usize) -> String {
    let byte = number % 256;
    format!(
        "([network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = \
         '198.51.100.{byte}' AND network-traffic:dst_port IN (80, 443)] FOLLOWEDBY [file:name LIKE \
         '%{number}.exe']) WITHIN {} SECONDS",
        number % 600 + 1
    )
}

fn observed(number: usize) -> Value {
    let time = format!("2026-01-01T00:{:02}:00Z", number % 60);
    let id = format!("ipv4-addr--00000000-0000-4000-8000-{number:012}");
    json!({"type": "bundle", "objects": [
        {"type": "observed-data", "number_observed": 1, "first_observed": time,
         "last_observed": time, "object_refs": [id]},
        {"type": "ipv4-addr", "id": id, "value": format!("192.0.2.{number}")},
    ]})
}

/// The processor time of this thread: what a busy machine does beside it is not in it.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().map(str::parse);
    Duration::from_nanos(nanoseconds.and_then(Result::ok).unwrap_or(0))
}
