//! `pack admit`, `promote`, `rollback` and `status`: the life of a pack at a shield.

use std::path::Path;

use anyhow::anyhow;
use pack::{Limits, Trust};
use serde_json::{Value, json};
use shield::config::Packs;
use shield::packs::state::{Cause, State};
use shield::packs::{Admission, Entry, Folder, FolderError, Measured, Stage, Step, verified};

use super::{folder, text_of, trust};
use crate::{
    cli::PackStep,
    commands::now,
    outcome::{Failure, Outcome},
    text::say,
};

/// Longest name or reason in the log, characters.
const SAID_CHARS_MAX: usize = 500;

/// A shield's packs.
struct Place {
    folder: Folder,
    trust: Trust,
    admission: Admission,
}

impl Place {
    fn of(config: &Path) -> Result<Self, Failure> {
        let read = shield::config::load(config).map_err(Failure::bad)?;
        let Some(Packs {
            trust: trusted,
            admission,
            ..
        }) = &read.packs
        else {
            let error =
                anyhow!("there is no [packs]: add it with a trust file, trust = \"trust.toml\"");
            return Err(Failure::input(config.display(), error));
        };
        let admission = match admission {
            Some(path) => {
                let text = text_of(path, shield::packs::admission::ADMISSION_BYTES_MAX)?;
                Admission::read(&text).map_err(|error| Failure::input(path.display(), error))?
            }
            None => Admission::default(),
        };
        let folder =
            Folder::open(&read.data).map_err(|error| Failure::input(read.data.display(), error))?;
        Ok(Self {
            folder,
            trust: trust(trusted)?,
            admission,
        })
    }

    fn state(&self) -> Result<State, Failure> {
        self.folder.state().map_err(Failure::bad)
    }
}

pub(super) fn admit(file: &Path, step: &PackStep, as_json: bool) -> Result<Outcome, Failure> {
    let place = Place::of(&step.config)?;
    let bytes = folder::bounded(file, Limits::default().pack_bytes_max)?;
    let state = place.state()?;
    let pack = match verified(&bytes, &place.trust, &state.seen(), now()) {
        Ok(pack) => pack,
        Err(error) => {
            let failed = json!({"clause": error.name(), "what": error.to_string()});
            match as_json {
                true => say(json!({"done": false, "failed": [failed]})),
                false => say(format_args!("refused: {}: {error}", error.name())),
            }
            return Ok(Outcome::No);
        }
    };
    let (by, why) = said(step)?;
    let cause = Cause {
        now: now(),
        by: &by,
        why: &why,
    };
    let admitted = place
        .folder
        .admit((&pack, &bytes), &place.admission, &cause, true);
    told(admitted, as_json)
}

pub(super) fn promote(
    named: &str,
    percent: Option<u8>,
    step: &PackStep,
    as_json: bool,
) -> Result<Outcome, Failure> {
    let place = Place::of(&step.config)?;
    let (by, why) = said(step)?;
    let cause = Cause {
        now: now(),
        by: &by,
        why: &why,
    };
    let measured = |entry: &Entry| measured(&place.folder, entry);
    let changed = place
        .folder
        .change(|state| state.promote(named, measured, &place.admission, &cause, percent));
    told(changed, as_json)
}

pub(super) fn roll_back(named: &str, step: &PackStep, as_json: bool) -> Result<Outcome, Failure> {
    let place = Place::of(&step.config)?;
    let (by, why) = said(step)?;
    let cause = Cause {
        now: now(),
        by: &by,
        why: &why,
    };
    told(
        place.folder.change(|state| state.roll_back(named, &cause)),
        as_json,
    )
}

pub(super) fn status(config: &Path, as_json: bool) -> Result<Outcome, Failure> {
    let place = Place::of(config)?;
    let state = place.state()?;
    for entry in &state.packs {
        let measured = measured(&place.folder, entry);
        let against = match entry.stage {
            Stage::Shadow | Stage::Canary => {
                entry.against_promotion(&measured, &place.admission, now())
            }
            Stage::Enforce | Stage::Retired | Stage::RolledBack => Vec::new(),
        };
        if as_json {
            say(json!({
                "publisher": entry.publisher, "name": entry.name, "version": entry.version,
                "digest": entry.digest, "stage": entry.stage, "percent": entry.percent,
                "since": entry.since, "by": entry.by, "why": entry.why,
                "most": entry.most(), "models": models(entry, &measured), "against": against,
            }));
            continue;
        }
        let (name, version, publisher) = (&entry.name, &entry.version, &entry.publisher);
        say(format_args!(
            "{name} {version} of {publisher}: {} since {}, by {}: {}",
            entry.stage.name(),
            entry.since,
            entry.by,
            entry.why
        ));
        for model in &entry.thresholds {
            let of = measured.of(&model.file);
            say(format_args!(
                "  {}: from {:.6} on ({} of {}); {} benign sessions, {} of {} hit since the latest step",
                model.file,
                model.score,
                model.fpr,
                model.set,
                of.sketch().total(),
                of.trials.hits,
                of.trials.trials
            ));
        }
        for failed in against {
            say(format_args!("  before the next step: {failed}"));
        }
    }
    if state.packs.is_empty() && !as_json {
        say("no pack is here");
    }
    Ok(match state.packs.is_empty() {
        true => Outcome::No,
        false => Outcome::Done,
    })
}

fn models(entry: &Entry, measured: &Measured) -> Vec<Value> {
    let models = entry.thresholds.iter().map(|model| {
        let of = measured.of(&model.file);
        json!({
            "file": model.file, "threshold": model.score, "fpr": model.fpr, "set": model.set,
            "sessions": of.sketch().total(), "share_at_threshold": of.sketch().share_at(model.score),
            "trials": of.trials.trials, "hits": of.trials.hits,
            "share_low": of.trials.lower(0.05), "share_high": of.trials.upper(0.05),
        })
    });
    models.collect()
}

/// What is seen of a pack; a file that cannot be read says nothing for it.
fn measured(folder: &Folder, entry: &Entry) -> Measured {
    let measured = folder.measured(&entry.digest).unwrap_or_default();
    measured.since(entry.since)
}

/// Who and why, as the log has it.
fn said(step: &PackStep) -> Result<(String, String), Failure> {
    let user = || {
        std::env::var("USER")
            .or_else(|_| std::env::var("LOGNAME"))
            .ok()
    };
    let by = step.by.clone().or_else(user);
    let by = by.unwrap_or_else(|| "unknown".to_owned());
    for (what, text) in [("--by", &by), ("--why", &step.why)] {
        let is_legal = (1..=SAID_CHARS_MAX).contains(&text.chars().count())
            && !text.chars().any(char::is_control);
        if !is_legal {
            let error = anyhow!("1 to {SAID_CHARS_MAX} characters on one line");
            return Err(Failure::input(what, error));
        }
    }
    Ok((by, step.why.clone()))
}

fn told(changed: Result<Vec<Step>, FolderError>, as_json: bool) -> Result<Outcome, Failure> {
    match (changed, as_json) {
        (Ok(steps), true) => {
            say(json!({"done": true, "steps": steps}));
            Ok(Outcome::Done)
        }
        (Ok(steps), false) => {
            for step in &steps {
                let from = step.from.map_or("new", Stage::name);
                let (name, version, to) = (&step.name, &step.version, step.to.name());
                say(format_args!("{name} {version}: {from} -> {to}"));
            }
            Ok(Outcome::Done)
        }
        (Err(FolderError::Refused(refused)), true) => {
            say(json!({"done": false, "failed": refused.0}));
            Ok(Outcome::No)
        }
        (Err(FolderError::Refused(refused)), false) => {
            for failed in &refused.0 {
                say(format_args!("refused: {failed}"));
            }
            Ok(Outcome::No)
        }
        (Err(error @ (FolderError::File { .. } | FolderError::Form { .. })), _) => {
            Err(Failure::bad(error))
        }
    }
}
