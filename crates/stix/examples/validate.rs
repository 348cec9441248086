//! How many objects a core validates in a second: `cargo run --release -p stix --example validate
//! FOLDER`, where FOLDER holds bundles of STIX 2.1 (`*.json`).
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement"
)]

use std::error::Error;
use std::path::PathBuf;

use serde_json::value::RawValue;
use stix::{Limits, validate};

/// How long is measured, in seconds of the processor.
const SECONDS: f64 = 3.0;

#[derive(serde::Deserialize)]
struct Bundle {
    objects: Vec<Box<RawValue>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("name a folder of bundles")?;
    let limits = Limits::default();
    let mut objects = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let bundle: Bundle = serde_json::from_slice(&std::fs::read(&path)?)?;
            objects.extend(bundle.objects);
        }
    }
    let bytes: usize = objects.iter().map(|raw| raw.get().len()).sum();
    let (mut errors, mut warnings) = (0_usize, 0_usize);
    for raw in &objects {
        let report = validate::document(raw.get().as_bytes(), &limits);
        errors = errors.saturating_add(usize::from(!report.is_valid()));
        warnings = warnings.saturating_add(usize::from(!report.warnings.is_empty()));
    }
    println!(
        "{} objects, {bytes} bytes; {errors} with errors, {warnings} with warnings",
        objects.len()
    );
    let (begin, mut validated) = (cpu_seconds()?, 0_u32);
    let spent = loop {
        for raw in &objects {
            std::hint::black_box(validate::document(raw.get().as_bytes(), &limits));
            validated = validated.saturating_add(1);
        }
        let spent = cpu_seconds()? - begin;
        if spent >= SECONDS {
            break spent;
        }
    };
    println!("{:.0} objects per CPU-second", f64::from(validated) / spent);
    Ok(())
}

/// Time of the processor that this thread has had, in seconds (proc_pid_schedstat(5)).
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default();
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}
