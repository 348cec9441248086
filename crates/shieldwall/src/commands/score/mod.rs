//! `score`: how malicious requests, URLs or names look to a pack's model.

mod behaviour;
mod flow;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use ::features::Row;
use ::pack::{Limits, Moment, Trust, VerifiedPack, manifest};
use anyhow::Context as _;
use detect::{
    behaviour::dga::NameModel,
    models::{Explanation, Scorer, Work},
};
use serde_json::json;

use super::lines::{self, Answer};
use crate::{
    cli::{Score, Task},
    outcome::{Failure, Outcome},
};

/// The packs that come with Shieldwall, and the keys that signed them: `models/README.md`.
const WEB_ATTACK: (&[u8], &str) = (
    include_bytes!("../../../../../models/packs/web-attack.swpack"),
    include_str!("../../../../../models/packs/web-attack.pub"),
);
const PHISHING_URL: (&[u8], &str) = (
    include_bytes!("../../../../../models/packs/phishing-url.swpack"),
    include_str!("../../../../../models/packs/phishing-url.pub"),
);
const DGA_DOMAIN: (&[u8], &str) = (
    include_bytes!("../../../../../models/packs/dga-domain.swpack"),
    include_str!("../../../../../models/packs/dga-domain.pub"),
);

pub(super) fn run(args: &Score) -> Result<Outcome, Failure> {
    let (task, (bytes, key)) = match args.task {
        Task::DgaClient => {
            let names = match &args.pack {
                Some(path) => NameModel::load(&trusted(path, args.trust.as_deref())?)
                    .map_err(|error| Failure::input(path.display(), error))?,
                None => names()?,
            };
            return behaviour::clients(&args.files, names);
        }
        Task::DnsTunnel => return behaviour::sequences(&args.files, behaviour::TUNNEL),
        Task::Beacon => return behaviour::sequences(&args.files, behaviour::BEACON),
        Task::Flow => return flow::connections(&args.files),
        Task::WebAttack => (manifest::Task::WebAttack, WEB_ATTACK),
        Task::PhishingUrl => (manifest::Task::PhishingUrl, PHISHING_URL),
        Task::DgaDomain => (manifest::Task::DgaDomain, DGA_DOMAIN),
    };
    let scorer = match &args.pack {
        Some(path) => given(path, args.trust.as_deref(), task)?,
        None => verified(bytes, &of_key(key)?)
            .and_then(|pack| scorer(&pack, task))
            .map_err(|error| Failure::system("the pack that comes with Shieldwall", error))?,
    };
    let mut work = scorer.work();
    lines::each(&args.files, |line| {
        match line.and_then(|line| judge(line, &scorer, &mut work, args.explain)) {
            Ok(line) => Answer { line, yes: true },
            Err(error) => Answer {
                line: json!({"score": null, "error": error}),
                yes: false,
            },
        }
    })
}

fn judge(
    line: &[u8],
    scorer: &Scorer,
    work: &mut Work,
    explain: bool,
) -> Result<serde_json::Value, String> {
    let row = Row::read(line).map_err(|error| error.to_string())?;
    row.with(|subject| {
        if explain {
            scorer.explain(subject, work).map(|why| explained(&why))
        } else {
            scorer
                .score(subject, work)
                .map(|score| json!({"score": score.value}))
        }
    })
    .map_err(|error| error.to_string())
}

fn explained(why: &Explanation) -> serde_json::Value {
    let parts = why.parts.iter();
    let parts =
        parts.map(|part| json!({"feature": part.name, "value": part.value, "weight": part.weight}));
    json!({
        "score": why.score.value,
        "field": why.field,
        "text": why.text,
        "features": parts.collect::<Vec<_>>(),
    })
}

/// The model of the pack that comes with Shieldwall, for names of clients.
pub(super) fn names() -> Result<Option<Arc<NameModel>>, Failure> {
    let (bytes, key) = DGA_DOMAIN;
    let model = verified(bytes, &of_key(key)?).and_then(|pack| Ok(NameModel::load(&pack)?));
    model.map_err(|error| Failure::system("the pack that comes with Shieldwall", error))
}

/// The model of a pack in a file, for this task.
fn given(path: &Path, trust: Option<&Path>, task: manifest::Task) -> Result<Scorer, Failure> {
    let pack = trusted(path, trust)?;
    scorer(&pack, task).map_err(|error| Failure::input(path.display(), error))
}

/// The pack in a file, where those signed it whom a trust file names; without one, the key in the file
/// of the same name that ends in `.pub`.
pub(super) fn trusted(path: &Path, trust: Option<&Path>) -> Result<VerifiedPack, Failure> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| Failure::input(path.display(), error))
    };
    let trust = match trust {
        Some(path) => {
            Trust::read(&read(path)?).map_err(|error| Failure::input(path.display(), error))?
        }
        None => of_key(&read(&path.with_extension("pub"))?)?,
    };
    let bytes = super::pack::bounded(path, Limits::default().pack_bytes_max)?;
    verified(&bytes, &trust).map_err(|error| Failure::input(path.display(), error))
}

fn verified(bytes: &[u8], trust: &Trust) -> anyhow::Result<VerifiedPack> {
    let engine = env!("CARGO_PKG_VERSION").parse()?;
    let at = Moment {
        now: super::now(),
        engine: &engine,
        seen: &BTreeMap::new(),
    };
    Ok(VerifiedPack::verify(bytes, trust, &at, &Limits::default())?)
}

pub(super) fn scorer(pack: &VerifiedPack, task: manifest::Task) -> anyhow::Result<Scorer> {
    let entry = pack
        .manifest()
        .models
        .iter()
        .find(|entry| entry.task == task);
    let entry = entry.with_context(|| format!("the pack has no model for {task}"))?;
    Ok(Scorer::load(pack, entry)?)
}

/// Trust in one key of ours.
fn of_key(key: &str) -> Result<Trust, Failure> {
    let key = key.trim();
    let text = format!(
        "threshold = 1\n[[key]]\nholder = \"Shieldwall\"\npublic = \"\"\"\n{key}\n\"\"\"\n"
    );
    Trust::read(&text).map_err(|error| Failure::system("the key of a pack", error))
}
