//! The packs whose models judge.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use detect::models::{self, Active, InForce, MODELS_MAX, Threshold, is_seen};
use shield::packs::Loaded;
use shield::pipeline::Pipeline;

use crate::{cli::Scan, commands::score, outcome::Failure, text::complain};

/// The share of harmless traffic that a model's threshold may reach, as its publisher measured it.
const FPR_MAX: f64 = 0.001;
/// Findings in a second of packet time that are explained feature by feature.
const EXPLAINED_PER_S_MAX: u32 = 100;
/// Most packs of a folder.
const PACKS_MAX: usize = MODELS_MAX;

/// Verified models, if any are asked for.
pub(super) struct Packs(Option<Arc<Loaded>>);

impl Packs {
    /// Reads the packs that were named, and those of folders. What cannot be used is refused, by file.
    pub(super) fn read(args: &Scan) -> Result<Self, Failure> {
        let mut in_force = InForce::default();
        for path in &files(&args.pack)? {
            let pack = score::trusted(path, args.trust.as_deref())?;
            let wrong = |error: anyhow::Error| Failure::input(path.display(), error);
            for model in &pack.manifest().models {
                if !is_seen(model.task) {
                    complain(format_args!(
                        "{}: {}: not looked for: {} is seen over time, not in a transaction",
                        path.display(),
                        model.file,
                        model.task
                    ));
                    continue;
                }
                let threshold = Threshold::published(model, FPR_MAX)
                    .ok_or_else(|| wrong(anyhow!("{}: no threshold", model.file)))?;
                let active = Active::scanning(&pack, model, threshold);
                in_force
                    .models
                    .push(Arc::new(active.map_err(|error| wrong(error.into()))?));
            }
        }
        if in_force.models.len() > MODELS_MAX {
            let error = anyhow!("more than {MODELS_MAX} models: name fewer packs");
            return Err(Failure::input("--pack", error));
        }
        let loaded = Loaded {
            in_force: Arc::new(in_force),
            ..Loaded::default()
        };
        Ok(Self((!args.pack.is_empty()).then(|| Arc::new(loaded))))
    }

    /// Has a pipeline judge by them.
    pub(super) fn judge(&self, pipeline: Pipeline) -> Pipeline {
        let Some(loaded) = &self.0 else {
            return pipeline;
        };
        let config = models::Config {
            explained_per_s_max: EXPLAINED_PER_S_MAX,
            quiet_ns: 0,
            ..models::Config::default()
        };
        pipeline.with_models(config, Arc::clone(loaded), None, 0)
    }
}

/// The files that were named, and those that end in `.swpack` of folders, in order of their names.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        match path.is_dir() {
            true => files.append(&mut of_folder(path)?),
            false => files.push(path.clone()),
        }
    }
    Ok(files)
}

fn of_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |error: std::io::Error| Failure::input(folder.display(), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "swpack")
        {
            files.push(path);
        }
        if files.len() > PACKS_MAX {
            let error = anyhow!("more than {PACKS_MAX} packs: name those that are meant");
            return Err(Failure::input(folder.display(), error));
        }
    }
    if files.is_empty() {
        let error = anyhow!("no file in it ends in .swpack: name a pack");
        return Err(Failure::input(folder.display(), error));
    }
    files.sort();
    Ok(files)
}
