//! A capture's EVE records, as `shieldwall scan` writes them, without all else that it does: for
//! working on decoders and parsers.
//!
//! `cargo run -p packet --example eve -- CAPTURE [--config YAML] [--set KEY=VALUE]... [--eve-dir DIR]`
//! (without a folder: to standard output). Other options of `scan` are taken and have no effect.
#![expect(
    clippy::disallowed_methods,
    reason = "the I/O around a crate that does none"
)]

use std::{
    error::Error,
    fs::{File, create_dir_all},
    io::{BufWriter, Write, stderr, stdout},
    path::Path,
};

use packet::{
    Config, Sensor,
    eve::{Now, Output, Recorder},
    pcap::Reader,
    settings::Settings,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let capture = arguments.next().ok_or("name a capture")?;
    let (mut settings, mut sets, mut folder) = (None, Vec::new(), None);
    let mut verify_checksums = true;
    let mut inline = false;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or("a value is missing");
        match argument.as_str() {
            "--config" => settings = Some(Settings::parse(&std::fs::read_to_string(value()?)?)?),
            "--set" => sets.push(value()?),
            "--eve-dir" => folder = Some(value()?),
            "--checksums" => verify_checksums = value()? != "off",
            "--inline" => inline = true,
            _ => _ = value()?,
        }
    }
    let is_configured = settings.is_some();
    let mut settings = settings.unwrap_or_default();
    sets.iter().try_for_each(|set| settings.set(set))?;
    let outputs = match folder {
        Some(_) if is_configured => Output::from_settings(&settings),
        Some(_) => vec![Output::all("eve.json")],
        None => vec![Output::all("-")],
    };
    let mut files = outputs
        .iter()
        .map(|output| open(folder.as_deref(), &output.filename))
        .collect::<Result<Vec<_>, _>>()?;
    let mut recorder = Recorder::new(outputs);
    let config = Config {
        verify_checksums,
        inline,
        ..Config::from_settings(&settings)
    };
    let mut sensor = Sensor::new(config);
    let mut reader = Reader::new(File::open(capture)?)?;
    let mut now = Now::default();
    let mut emit = |number: usize, line: &str| {
        if let Some(file) = files.get_mut(number) {
            writeln!(file, "{line}").ok();
        }
    };
    loop {
        let frame = match reader.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            // what came before the damage is worth as much as ever
            Err(error) => {
                writeln!(stderr(), "{error}").ok();
                break;
            }
        };
        now = Now {
            ts_ns: frame.ts_ns,
            packet: now.packet.saturating_add(1),
        };
        sensor.packet(&frame, &mut |event| recorder.event(&event, now, &mut emit));
    }
    sensor.finish(&mut |event| recorder.event(&event, now, &mut emit));
    recorder.stats(&sensor.counters().named(), now, &mut emit);
    Ok(())
}

fn open(folder: Option<&str>, filename: &str) -> std::io::Result<Box<dyn Write>> {
    let Some(folder) = folder else {
        return Ok(Box::new(stdout()));
    };
    let path = Path::new(folder).join(filename);
    create_dir_all(path.parent().unwrap_or(Path::new(folder)))?;
    Ok(Box::new(BufWriter::new(File::create(path)?)))
}
