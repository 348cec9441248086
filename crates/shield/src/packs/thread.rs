//! The thread that keeps packs up to date: it looks for changes of the state, of the trust file and of the
//! files that the configuration names, loads, and hands the models over by one pointer. It keeps what is
//! seen of them, and takes a pack back by itself when that is over its budget.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pack::{PackId, Trust};
use stix::Timestamp;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::folder::{Folder, FolderError, Stamp, stamp};
use super::gauge::Measured;
use super::load::{self, Gauged};
use super::state::{Cause, Entry, State};
use super::{Link, Loaded, receipts};
use crate::clock::Now;
use crate::config;
use crate::journal::{Event, Journal};
use crate::repository::Receipts;
use crate::rules::{FilesError, expand};

/// Pause between looks at what changed.
const PAUSE: Duration = Duration::from_millis(200);
/// Pause between looks at the files that the configuration names, and between writings of what is seen.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Who does what nobody typed.
const SHIELD: &str = "shield";

/// Why packs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PacksError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The trust or the admission file cannot be used.
    #[error("{}: {what}; correct [packs] in the shield's configuration", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Loads packs and watches over them.
pub(crate) struct Packer {
    config: config::Packs,
    folder: Folder,
    link: Link,
    trust: Trust,
    admission: Admission,
    /// State, trust and admission file as they were when they were read.
    read_at: [Stamp; 3],
    /// The files that the configuration names, when they were judged.
    judged: Vec<(PathBuf, Stamp)>,
    gauged: Vec<Gauged>,
    told: Vec<(Entry, String)>,
    /// The partners from whom packs came.
    sources: BTreeMap<PackId, String>,
    /// The state as it was read.
    state: State,
    data: PathBuf,
    receipts: Arc<Receipts>,
    /// Steps that are in force, in the order of the log.
    steps: Vec<(pack::Digest, Timestamp)>,
}

impl Packer {
    /// Reads what the configuration names and loads what is live.
    pub(crate) fn start(
        config: config::Packs,
        data: &Path,
        journal: &Journal,
        receipts: Arc<Receipts>,
    ) -> Result<Self, PacksError> {
        let folder = Folder::open(data)?;
        let (trust, admission) = settings(&config)?;
        let link = Link {
            loaded: Arc::new(ArcSwap::from_pointee(Loaded::default())),
            history_min: admission.budget.history_min,
        };
        let mut packer = Self {
            config,
            folder,
            link,
            trust,
            admission,
            read_at: [None; 3],
            judged: Vec::new(),
            gauged: Vec::new(),
            told: Vec::new(),
            sources: BTreeMap::new(),
            state: State::default(),
            data: data.to_owned(),
            receipts,
            steps: Vec::new(),
        };
        packer.admit_named(journal)?;
        packer.reload(journal)?;
        Ok(packer)
    }

    /// What packet threads need.
    pub(crate) fn link(&self) -> Link {
        self.link.clone()
    }

    /// Judges the files that the configuration names, where they are new or changed: those that are
    /// admitted go into shadow, and the clauses that the others fail are told.
    fn admit_named(&mut self, journal: &Journal) -> Result<(), PacksError> {
        let files = expand(&self.config.files).map_err(|error| match error {
            FilesError::Folder { folder, source } => PacksError::File {
                path: folder,
                what: source.to_string(),
            },
            FilesError::TooMany { path } => PacksError::File {
                path,
                what: "it names too many files".to_owned(),
            },
        })?;
        let now: Vec<(PathBuf, Stamp)> = files
            .into_iter()
            .map(|path| (path.clone(), stamp(&path)))
            .collect();
        for (path, stamp) in &now {
            if !self.judged.contains(&(path.clone(), *stamp))
                && let Err(why) = self.admit(path)
            {
                let what = format!("pack {} is not admitted: {why}", path.display());
                tracing::warn!("{what}");
                journal.write(Now::read(), Event::State { what });
            }
        }
        self.judged = now;
        Ok(())
    }

    fn admit(&self, path: &Path) -> Result<(), String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let now = Now::read().wall;
        let state = self.folder.state().map_err(|error| error.to_string())?;
        let pack = load::verified(&bytes, &self.trust, &state.seen(), now);
        let pack = pack.map_err(|error| format!("{}: {error}", error.name()))?;
        if state.entry(&pack.digest()).is_some() {
            return Ok(());
        }
        let why = format!("[packs] files names {}", path.display());
        let cause = Cause {
            now,
            by: SHIELD,
            why: &why,
        };
        let admitted = self
            .folder
            .admit((&pack, &bytes), &self.admission, &cause, false);
        admitted.map(drop).map_err(|error| error.to_string())
    }

    /// Loads what is live and puts it in force; tells each step, and what cannot be loaded, once.
    fn reload(&mut self, journal: &Journal) -> Result<(), PacksError> {
        // before they are read: what changes meanwhile is seen at the next look
        let read_at = self.stamps();
        let (trust, admission) = settings(&self.config)?;
        let state = self.folder.state()?;
        self.keep_measured();
        (self.trust, self.admission, self.read_at) = (trust, admission, read_at);
        let outcome = load::load(&self.folder, &state, &self.trust, Now::read().wall);
        for entry in &state.packs {
            let step = (entry.digest, entry.since);
            if !self.steps.contains(&step) {
                self.steps.push(step);
                tell(journal, entry);
            }
        }
        let known = |step: &(pack::Digest, Timestamp)| {
            state
                .packs
                .iter()
                .any(|entry| (entry.digest, entry.since) == *step)
        };
        self.steps.retain(known);
        for (entry, why) in &outcome.left_out {
            if !self.told.contains(&(entry.clone(), why.clone())) {
                let what = format!(
                    "pack {} {} is not in force: {why}",
                    entry.name, entry.version
                );
                tracing::error!("{what}");
                journal.write(Now::read(), Event::State { what });
            }
        }
        self.told = outcome.left_out;
        self.gauged = outcome.gauged;
        self.link.loaded.store(Arc::new(outcome.loaded));
        self.sources = receipts::sources(&self.data);
        self.state = state;
        self.tell_contributors();
        Ok(())
    }

    fn stamps(&self) -> [Stamp; 3] {
        let admission = self.config.admission.as_deref();
        [
            self.folder.stamp(),
            stamp(&self.config.trust),
            admission.and_then(stamp),
        ]
    }

    /// Whether one of the packs in force is so no longer.
    fn has_expired(&self) -> bool {
        let now = Now::read().wall;
        self.gauged.iter().any(|gauged| gauged.expires <= now)
    }

    /// Takes back what is over its budget.
    fn watch(&self) {
        for gauged in self.gauged.iter().filter(|gauged| gauged.counts()) {
            let Some(why) = gauged
                .entry
                .over_budget(&gauged.measured(), &self.admission)
            else {
                continue;
            };
            let cause = Cause {
                now: Now::read().wall,
                by: SHIELD,
                why: &why,
            };
            let digest = gauged.entry.digest.to_string();
            let changed = self.folder.change(|state| state.roll_back(&digest, &cause));
            if let Err(error) = changed {
                tracing::error!(%error, pack = %gauged.entry.name, "over its budget, and not taken back");
            }
        }
    }

    /// Puts what became of packs where the state report finds it.
    fn tell_contributors(&self) {
        let states = receipts::states(&self.folder, &self.state, &self.gauged, &self.sources);
        self.receipts.put(states);
    }

    fn keep_measured(&self) {
        for gauged in &self.gauged {
            let kept = self
                .folder
                .keep_measured(&gauged.entry.digest, &gauged.measured());
            if let Err(error) = kept {
                tracing::error!(%error, "what is seen of a pack is not kept");
            }
        }
    }
}

impl Gauged {
    /// Whether what it finds is acted on.
    const fn counts(&self) -> bool {
        matches!(
            self.entry.stage,
            super::Stage::Canary | super::Stage::Enforce
        )
    }

    pub(super) fn measured(&self) -> Measured {
        let models = self.gauges.iter().map(|(file, gauge)| gauge.read(file));
        Measured {
            since: self.entry.since,
            models: models.collect(),
        }
    }
}

/// Starts the thread; it runs until `stop`.
pub(crate) fn spawn(
    mut packer: Packer,
    journal: Journal,
    stop: CancellationToken,
) -> std::io::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("packs".to_owned());
    thread.spawn(move || {
        let mut looked = Instant::now();
        let mut failed: Option<String> = None;
        while !stop.is_cancelled() {
            std::thread::sleep(PAUSE);
            packer.watch();
            let mut outcome = Ok(());
            if looked.elapsed() >= LOOK_PAUSE {
                looked = Instant::now();
                packer.keep_measured();
                packer.tell_contributors();
                outcome = packer.admit_named(&journal);
            }
            if packer.has_expired() || packer.stamps() != packer.read_at {
                outcome = outcome.and_then(|()| packer.reload(&journal));
            }
            let error = outcome.err().map(|error| error.to_string());
            if let Some(error) = error.as_ref().filter(|_| error != failed) {
                tracing::error!("packs stay as they are: {error}");
                let what = format!("packs stay as they are: {error}");
                journal.write(Now::read(), Event::State { what });
            }
            failed = error;
        }
        packer.keep_measured();
    })
}

fn settings(config: &config::Packs) -> Result<(Trust, Admission), PacksError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| PacksError::File {
            path: path.to_owned(),
            what: error.to_string(),
        })
    };
    let wrong = |path: &Path, what: String| PacksError::File {
        path: path.to_owned(),
        what,
    };
    let trust = Trust::read(&read(&config.trust)?)
        .map_err(|error| wrong(&config.trust, error.to_string()))?;
    let admission = match &config.admission {
        Some(path) => {
            Admission::read(&read(path)?).map_err(|error| wrong(path, error.to_string()))?
        }
        None => Admission::default(),
    };
    Ok((trust, admission))
}

/// Tells a step when it takes effect.
fn tell(journal: &Journal, entry: &Entry) {
    tracing::info!(pack = %entry.name, stage = entry.stage.name(), by = entry.by, "pack");
    let event = Event::Pack {
        publisher: entry.publisher.to_string(),
        name: entry.name.to_string(),
        version: entry.version.to_string(),
        digest: entry.digest,
        stage: entry.stage.name(),
        by: entry.by.clone(),
        why: entry.why.clone(),
    };
    journal.write(Now::read(), event);
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
