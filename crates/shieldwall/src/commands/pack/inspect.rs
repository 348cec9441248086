//! `pack inspect`: what a person needs to know to decide.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use pack::manifest::{Manifest, Model, Role};
use pack::oms::{self, Found};
use pack::{Limits, OMS, PackError, Unverified, VerifiedPack};
use serde_json::{Value, json};

use super::{folder, keys, trust, verify};
use crate::{
    outcome::{Failure, Outcome},
    text::say,
};

type Judged = Result<VerifiedPack, PackError>;

pub(super) fn run(file: &Path, trusted: Option<&Path>, json: bool) -> Result<Outcome, Failure> {
    let limits = Limits::default();
    let trust = trusted.map(trust).transpose()?;
    let bytes = folder::bounded(file, limits.pack_bytes_max)?;
    let pack =
        Unverified::read(&bytes, &limits).map_err(|error| Failure::input(file.display(), error))?;
    let judged = trust
        .map(|trust| verify::judge(&bytes, &trust, None))
        .transpose()?;
    let signed = for_other_tools(&pack);
    match json {
        true => {
            let verdict = judged.as_ref();
            let verdict = verdict.map(|judged| verify::answer(&file.display().to_string(), judged));
            say(json!({
                "file": file.display().to_string(),
                "bytes": bytes.len(),
                "digest": pack.digest,
                "signatures": keys(&pack),
                "verdict": verdict,
                "oms": signed,
                "manifest": pack.manifest,
            }));
        }
        false => show(&pack, judged.as_ref(), signed.as_ref()),
    }
    Ok(Outcome::Done)
}

fn show(pack: &Unverified<'_>, judged: Option<&Judged>, oms: Option<&Value>) {
    let manifest = &pack.manifest;
    let (name, version) = (&manifest.name, &manifest.version);
    say(format_args!(
        "{name} {version} (sequence {}) of {}",
        manifest.sequence, manifest.publisher
    ));
    if let Some(description) = &manifest.description {
        say(format_args!("  {description}"));
    }
    line("verdict", verdict(judged));
    match keys(pack).as_slice() {
        [] => line("signed by", "nobody"),
        keys => keys
            .iter()
            .for_each(|key| line("signed by", format_args!("key {key}"))),
    }
    line("digest", pack.digest);
    line(
        "in force",
        format_args!(
            "{} to {}{}",
            manifest.created,
            manifest.expires,
            over(manifest)
        ),
    );
    line("licence", &manifest.licence);
    line("asks for", listed(&manifest.capabilities));
    if !manifest.scope.is_empty() {
        line("looks for", listed(&manifest.scope));
    }
    let needs = manifest.limits;
    line(
        "needs",
        format_args!(
            "{} bytes of memory, {} us (p99), {} columns; Shieldwall {}",
            needs.memory_bytes_max, needs.p99_us_max, needs.features_max, manifest.min_engine
        ),
    );
    line("answers", &manifest.responsibility);
    if let Some(before) = &manifest.supersedes {
        line("replaces", before);
    }
    manifest.models.iter().for_each(show_model);
    say("files");
    for file in &manifest.files {
        let (path, role, size) = (&file.path, file.role, file.size);
        say(format_args!(
            "  {path}  {role}, {size} bytes, {}",
            file.sha256
        ));
    }
    if let Some(oms) = oms {
        line("OMS", oms);
    }
}

fn show_model(model: &Model) {
    say(format_args!("model {}: {}", model.file, model.task));
    for input in &model.inputs {
        let groups = listed(&input.groups);
        line(
            "reads",
            format_args!("{} <- {groups} of {}", input.name, model.extractor),
        );
    }
    line(
        "gives",
        format_args!("{}, {} of the parts", model.output, model.aggregate),
    );
    for row in &model.thresholds {
        line(
            "threshold",
            format_args!(
                "{} at {} false alarms, on {}",
                row.threshold, row.fpr, row.set
            ),
        );
    }
    line("trained", model.training.date);
    for source in &model.training.sources {
        line(
            "on",
            format_args!("{} ({}), {} rows", source.name, source.licence, source.rows),
        );
    }
    for result in &model.training.results {
        let bounds = match (result.low, result.high) {
            (Some(low), Some(high)) => format!(" ({low} to {high})"),
            (Some(low), None) => format!(" (at least {low})"),
            (None, Some(high)) => format!(" (at most {high})"),
            (None, None) => String::new(),
        };
        line(
            "reached",
            format_args!(
                "{} = {}{bounds} on {}, {} rows",
                result.metric, result.value, result.set, result.rows
            ),
        );
    }
}

fn line(what: &str, text: impl Display) {
    say(format_args!("  {what:<10} {text}"));
}

fn listed<T: Display>(things: impl IntoIterator<Item = T>) -> String {
    let things: Vec<String> = things.into_iter().map(|thing| thing.to_string()).collect();
    things.join(", ")
}

fn verdict(judged: Option<&Judged>) -> String {
    match judged {
        None => {
            "not asked for: all below is what the pack says of itself (--trust FILE)".to_owned()
        }
        Some(Ok(pack)) => format!("verified; signed by {}", verify::signers(pack)),
        Some(Err(error)) => format!("refused: {}: {error}", error.name()),
    }
}

fn over(manifest: &Manifest) -> &'static str {
    match manifest.expires <= crate::commands::now() {
        true => " (it is over)",
        false => "",
    }
}

/// What the signature for other tools comes to, where there is one. Its files are those of the
/// folder models/.
fn for_other_tools(pack: &Unverified<'_>) -> Option<Value> {
    let raw = pack.files.get(&OMS.parse().ok()?)?;
    let signed = match oms::verify(raw, &[]) {
        Ok(signed) => signed,
        Err(error) => return Some(json!({"signature": "refused", "error": error.to_string()})),
    };
    let is_model = |path| {
        pack.manifest
            .file(path)
            .is_some_and(|file| file.role == Role::Model)
    };
    let models = pack.files.iter().filter(|(path, _)| is_model(path));
    let models: BTreeMap<String, Vec<u8>> = models
        .filter_map(|(path, content)| {
            let name = path.as_str().strip_prefix("models/")?;
            Some((name.to_owned(), content.to_vec()))
        })
        .collect();
    let found = signed.compare(&models).into_iter();
    let found: BTreeMap<&str, &str> = found.map(|(name, found)| (name, said(found))).collect();
    Some(json!({
        "signature": "right; by a key that nobody here vouches for",
        "key": signed.signer.key,
        "files": found,
    }))
}

const fn said(found: Found) -> &'static str {
    match found {
        Found::Same => "same",
        Found::Changed => "changed",
        Found::Missing => "missing",
        Found::NotSigned => "not signed",
    }
}
