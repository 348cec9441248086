//! What became of packs here, for the partners that contributed them: counts, never traffic.

use std::collections::BTreeMap;
use std::path::Path;

use pack::{Limits, PackId, Unverified};
use taxii::packs::{self, ModelState, PackState};

use super::load::Gauged;
use super::{Entry, Folder, Measured, Stage, State};
use crate::repository::INCOMING;

/// The partners whose packs a hub's repositories delivered, by pack. Who else's pack runs here is
/// nobody's business.
pub(super) fn sources(data: &Path) -> BTreeMap<PackId, String> {
    let files = std::fs::read_dir(data.join(INCOMING)).into_iter().flatten();
    let files = files.flatten().take(packs::PACKS_MAX);
    let source = |file: std::fs::DirEntry| {
        let name = file.file_name();
        let (partner, _) = name.to_str()?.strip_suffix(".swpack")?.rsplit_once('.')?;
        let limits = Limits::default();
        let most = u64::try_from(limits.pack_bytes_max).unwrap_or(u64::MAX);
        // nothing that is longer than a pack was delivered
        file.metadata().ok().filter(|file| file.len() <= most)?;
        let bytes = std::fs::read(file.path()).ok()?;
        let pack = Unverified::read(&bytes, &limits).ok()?;
        Some((pack.manifest.id(), partner.to_owned()))
    };
    files.filter_map(source).collect()
}

/// The states of those packs that came from partners.
pub(super) fn states(
    folder: &Folder,
    state: &State,
    gauged: &[Gauged],
    sources: &BTreeMap<PackId, String>,
) -> Vec<PackState> {
    let told = state.packs.iter().filter_map(|entry| {
        let stage = told_as(entry.stage)?;
        let source = sources.get(&entry.id())?;
        let live = gauged.iter().find(|one| one.entry.digest == entry.digest);
        // what had a pack taken back stays to be told
        let measured = match live {
            Some(live) => live.measured(),
            None => folder.measured(&entry.digest).unwrap_or_default(),
        };
        Some(told(source, entry, stage, &measured))
    });
    told.collect()
}

fn told(source: &str, entry: &Entry, stage: packs::Stage, measured: &Measured) -> PackState {
    let models = measured.models.iter().map(|model| ModelState {
        model: model.file.clone(),
        scored: model.scored,
        over: BTreeMap::from([(stage, model.over)]),
        benign: model.trials.trials,
        false_alarms: model.trials.hits,
    });
    PackState {
        source: source.to_owned(),
        pack: entry.name.to_string(),
        version: entry.version.to_string(),
        digest: entry.digest.to_string(),
        stage,
        since: entry.since,
        models: models.collect(),
    }
}

/// The stage, as contributors are told; one that another version replaced is over.
const fn told_as(stage: Stage) -> Option<packs::Stage> {
    match stage {
        Stage::Shadow => Some(packs::Stage::Shadow),
        Stage::Canary => Some(packs::Stage::Canary),
        Stage::Enforce => Some(packs::Stage::Enforce),
        Stage::RolledBack => Some(packs::Stage::RolledBack),
        Stage::Retired => None,
    }
}
