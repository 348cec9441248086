//! `redteam verify`.

use std::path::Path;

use ::pack::{VerifiedPack, manifest::Role};
use ::redteam::{Report, report};
use anyhow::anyhow;
use serde_json::json;

use super::{Given, bounded, trusted};
use crate::{
    cli::RedteamVerify,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) fn run(args: &RedteamVerify, json: bool) -> Result<Outcome, Failure> {
    let pack = trusted(&args.of)?;
    let suite = args.suite.as_deref();
    let suite = suite
        .map(|path| Given::read(path, args.samples.as_deref()))
        .transpose()?;
    let suite = suite.map(|given| given.digest);
    let mut reports: Vec<(String, Report)> = Vec::new();
    for path in &args.reports {
        let raw = bounded(path, report::REPORT_BYTES_MAX)?;
        let read =
            serde_json::from_slice(&raw).map_err(|error| Failure::input(path.display(), error))?;
        reports.push((path.display().to_string(), read));
    }
    if args.reports.is_empty() {
        reports = inside(&pack, &args.of.pack)?;
    }
    let mut all = true;
    for (name, report) in reports {
        let judged = report.verify(pack.manifest(), suite);
        all &= judged.is_ok();
        match (judged, json) {
            (Ok(()), true) => say(
                json!({"report": name, "verified": true, "suite": report.suite.name, "suite_compared": suite.is_some()}),
            ),
            (Err(error), true) => {
                say(json!({"report": name, "verified": false, "error": error.to_string()}))
            }
            (Ok(()), false) => {
                let of = if suite.is_some() {
                    "and of this suite"
                } else {
                    "; its suite was not compared"
                };
                say(format_args!("{name}: on this pack's model {of}"));
            }
            (Err(error), false) => say(format_args!("{name}: refused: {error}")),
        }
    }
    Ok(if all { Outcome::Done } else { Outcome::No })
}

/// The reports in a pack, which its signature covers.
fn inside(pack: &VerifiedPack, place: &Path) -> Result<Vec<(String, Report)>, Failure> {
    let files = pack.manifest().files.iter();
    let named = files.filter(|file| {
        let name = file.path.as_str();
        file.role == Role::Evidence
            && name.starts_with("evidence/redteam-")
            && name.ends_with(".json")
    });
    let mut reports = Vec::new();
    for file in named {
        let raw = pack.file(&file.path).unwrap_or_default();
        let read = serde_json::from_slice(raw).map_err(|error| {
            Failure::input(format_args!("{}: {}", place.display(), file.path), error)
        })?;
        reports.push((file.path.to_string(), read));
    }
    match reports.is_empty() {
        true => Err(Failure::input(
            place.display(),
            anyhow!("has no report in evidence/: name one"),
        )),
        false => Ok(reports),
    }
}
