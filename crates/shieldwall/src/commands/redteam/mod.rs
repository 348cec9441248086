//! `redteam`: suites and packs in, reports out; what is tried stands in the crate `redteam`.

mod mutate;
mod table;
mod verify;

use std::path::{Path, PathBuf};

use ::pack::{Digest, Extractor, VerifiedPack, manifest};
use ::redteam::{
    Model, Other, Report, Run, Samples, Suite, mutation,
    report::{self, Attacked, Used},
    suite,
};
use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::{pack::bounded, score, state};
use crate::{
    cli::{Changed, OfPack, Redteam, RedteamRun},
    outcome::{Failure, Outcome},
    text::say,
};

/// Bytes of a file of samples that are read.
const SAMPLES_BYTES_MAX: usize = 256 << 20;

pub(super) fn run(args: &Redteam, json: bool) -> Result<Outcome, Failure> {
    match args {
        Redteam::Run(args) => attack(args, json),
        Redteam::Verify(args) => verify::run(args, json),
        Redteam::Mutations { task } => Ok(listed(task_of(*task), json)),
        Redteam::Mutate(args) => mutate::run(args),
    }
}

fn attack(args: &RedteamRun, json: bool) -> Result<Outcome, Failure> {
    let given = Given::read(&args.suite, args.samples.as_deref())?;
    let suite = &given.suite;
    let pack = trusted(&args.of)?;
    let mut target = Target::of(&pack, suite.task, &args.of.pack)?;
    let threshold = match args.threshold {
        Some(threshold) => threshold,
        None => target.threshold(suite.fpr, &args.of.pack)?,
    };
    let limits = (suite.malicious_max, suite.benign_max);
    let samples = Samples::read(&given.lines, limits, suite.seed, &mut target.judge)
        .map_err(|error| Failure::input(given.place.display(), error))?;
    let mut others = Vec::new();
    for path in &args.other {
        let pack = score::trusted(path, None)?;
        let target = Target::of(&pack, suite.task, path)?;
        let threshold = target.threshold(suite.fpr, path)?;
        others.push((target, threshold));
    }
    let mut others: Vec<Other<'_>> = others
        .iter_mut()
        .map(|(target, threshold)| Other {
            pack: target.subject.pack.clone(),
            model: target.subject.model,
            threshold: *threshold,
            judge: &mut target.judge,
        })
        .collect();
    let run = Run {
        suite,
        samples: &samples,
        threshold,
        payloads: args.payloads,
    };
    let results = run.run(&mut target.judge, &mut others, &mut |what| {
        tracing::info!("{what}");
    });
    let report = Report {
        schema: report::SCHEMA.to_owned(),
        tool: format!("shieldwall {}", env!("CARGO_PKG_VERSION")),
        subject: target.subject,
        suite: Used {
            name: suite.name.clone(),
            digest: given.digest,
            task: suite.task,
            seed: suite.seed,
            malicious: samples.malicious.len(),
            benign: samples.benign.len(),
        },
        threshold,
        results,
    };
    match json {
        true => {
            say(serde_json::to_value(&report)
                .map_err(|error| Failure::system("the report", error))?)
        }
        false => table::print(&report),
    }
    if let Some(folder) = &args.out {
        let place = write(folder, &report)?;
        if !json {
            say(format_args!("written: {}", place.display()));
        }
    }
    Ok(Outcome::Done)
}

/// A suite with its samples.
struct Given {
    suite: Suite,
    lines: Vec<u8>,
    place: PathBuf,
    digest: Digest,
}

impl Given {
    /// Reads a suite, and its own samples or others.
    fn read(path: &Path, samples: Option<&Path>) -> Result<Self, Failure> {
        let text = bounded(path, suite::SUITE_BYTES_MAX)?;
        let read = std::str::from_utf8(&text).context("is not text in UTF-8");
        let suite = read
            .and_then(|text| Ok(Suite::read(text)?))
            .map_err(|error| Failure::input(path.display(), error))?;
        let place = match samples {
            Some(path) => path.to_owned(),
            None => path.with_file_name(&suite.samples),
        };
        let lines = bounded(&place, SAMPLES_BYTES_MAX)?;
        let digest = suite::digest(&text, &lines);
        Ok(Self {
            suite,
            lines,
            place,
            digest,
        })
    }
}

/// The model of a pack that is attacked.
struct Target {
    judge: Model,
    subject: Attacked,
    entry: manifest::Model,
}

impl Target {
    fn of(pack: &VerifiedPack, task: manifest::Task, path: &Path) -> Result<Self, Failure> {
        let failed = |error: anyhow::Error| Failure::input(path.display(), error);
        let scorer = score::scorer(pack, task).map_err(failed)?;
        let mut models = pack.manifest().models.iter();
        let entry = models.find(|entry| entry.task == task);
        let entry = entry.with_context(|| format!("the pack has no model for {task}"));
        let entry = entry.map_err(failed)?.clone();
        let extractor = known(&entry.extractor).map_err(failed)?;
        let subject =
            Attacked::of(pack.manifest(), &entry).map_err(|error| failed(error.into()))?;
        Ok(Self {
            judge: Model::new(scorer, extractor),
            subject,
            entry,
        })
    }

    /// The threshold that the pack gives for a rate of false alarms.
    fn threshold(&self, fpr: f64, path: &Path) -> Result<f64, Failure> {
        let mut rows = self.entry.thresholds.iter();
        let found = rows.find(|row| (row.fpr - fpr).abs() < f64::EPSILON);
        found.map(|row| row.threshold).ok_or_else(|| {
            let rates: Vec<String> = self.entry.thresholds.iter().map(|row| row.fpr.to_string()).collect();
            let error = anyhow!("no threshold for {fpr}, there are {}: let fpr of the suite be one, or give --threshold", rates.join(", "));
            Failure::input(path.display(), error)
        })
    }
}

fn known(name: &Extractor) -> anyhow::Result<&'static dyn ::features::Extractor> {
    ::features::find(name.as_ref()).with_context(|| format!("extractor {name} is not known"))
}

fn trusted(of: &OfPack) -> Result<VerifiedPack, Failure> {
    score::trusted(&of.pack, of.trust.as_deref())
}

/// Writes a report to its place in the folder of a pack.
fn write(folder: &Path, report: &Report) -> Result<PathBuf, Failure> {
    let evidence = folder.join("evidence");
    let place = evidence.join(format!("redteam-{}.json", report.suite.name));
    let text = serde_json::to_string_pretty(report)
        .map_err(|error| Failure::system("the report", error))?;
    std::fs::create_dir_all(&evidence)
        .and_then(|()| state::replace(&place, &mut |out| writeln!(out, "{text}")))
        .map_err(|error| Failure::input(place.display(), error))?;
    Ok(place)
}

const fn task_of(task: Changed) -> manifest::Task {
    match task {
        Changed::WebAttack => manifest::Task::WebAttack,
        Changed::PhishingUrl => manifest::Task::PhishingUrl,
        Changed::DgaDomain => manifest::Task::DgaDomain,
    }
}

fn listed(task: manifest::Task, json: bool) -> Outcome {
    for one in mutation::table(task) {
        match json {
            true => say(
                json!({"mutation": one.name(), "holds_in": one.holds_in(), "harmless_too": one.keeps_harmless()}),
            ),
            false => say(format_args!("{:<22} {}", one.name(), one.holds_in())),
        }
    }
    Outcome::Done
}
