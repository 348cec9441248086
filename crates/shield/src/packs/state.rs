//! How far each pack has come on this shield, and the steps between stages. Pure: no file, no clock.
//!
//! A pack may have two live versions: one that enforces, and one that is tried beside it. A canary
//! takes its share of the flows from the one that enforces.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pack::manifest::{Capability, Role};
use pack::{Digest, Name, PackId, Text, VerifiedPack};
use semver::Version;
use serde::{Deserialize, Serialize};
use stix::Timestamp;

use super::admission::{Admission, Failed};
use super::gauge::Measured;
use detect::models::Threshold;
use detect::models::sketch::Sketch;

/// Most versions of packs that are remembered; the oldest that is out of force is forgotten.
pub const ENTRIES_MAX: usize = 256;
/// Chance of taking a pack for one within its budget that is not.
const ALPHA_PROMOTE: f64 = 0.05;

/// Where in its life a pack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It judges, and what it finds is recorded and nothing else.
    Shadow,
    /// What it finds counts in a share of the flows.
    Canary,
    /// What it finds counts.
    Enforce,
    /// Another version took its place.
    Retired,
    /// It was taken back; only a person admits it again.
    RolledBack,
}

impl Stage {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Enforce => "enforce",
            Self::Retired => "retired",
            Self::RolledBack => "rolled-back",
        }
    }

    /// Whether its models judge.
    #[must_use]
    pub const fn is_live(self) -> bool {
        match self {
            Self::Shadow | Self::Canary | Self::Enforce => true,
            Self::Retired | Self::RolledBack => false,
        }
    }
}

/// A version of a pack on this shield.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Who publishes it.
    pub publisher: Text,
    /// The pack.
    pub name: Name,
    /// Its version, for people.
    pub version: Version,
    /// Its version, for programs.
    pub sequence: u64,
    /// Its digest.
    pub digest: Digest,
    /// What it may do here.
    pub capabilities: BTreeSet<Capability>,
    /// Whether it holds evidence.
    pub evidence: bool,
    /// The thresholds of its models, in their order; frozen until the next step.
    pub thresholds: Vec<Chosen>,
    /// How far it is.
    pub stage: Stage,
    /// Share of flows of a canary, in a hundred.
    pub percent: u8,
    /// Since when.
    pub since: Timestamp,
    /// Who had it so.
    pub by: String,
    /// Why.
    pub why: String,
    /// The version whose place it took: it comes back when this one is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
}

/// The threshold of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The model's file.
    pub file: String,
    /// The score, 0 to 1.
    pub score: f32,
    /// The share of harmless traffic that reaches it.
    pub fpr: f64,
    /// What that was measured on.
    pub set: String,
}

/// All packs of a shield.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Keys the hash by which flows fall into shares.
    pub key: [u64; 2],
    /// The highest sequence of each pack that was ever admitted.
    pub seen: Vec<Seen>,
    /// The packs, in the order in which they came.
    pub packs: Vec<Entry>,
}

/// The highest sequence of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Who publishes it.
    pub publisher: Text,
    /// The pack.
    pub name: Name,
    /// The sequence.
    pub sequence: u64,
}

/// Who does something, when and why.
#[derive(Clone, Debug)]
pub struct Cause<'a> {
    /// When.
    pub now: Timestamp,
    /// Who.
    pub by: &'a str,
    /// Why.
    pub why: &'a str,
}

/// What was done: a line of the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// Which pack.
    pub publisher: Text,
    /// Which pack.
    pub name: Name,
    /// Which version.
    pub version: Version,
    /// Its digest.
    pub digest: Digest,
    /// The stage before; none: it is new here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Stage>,
    /// The stage from here on.
    pub to: Stage,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// Why a step is not taken: every clause that stands against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<Failed>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clauses: Vec<String> = self.0.iter().map(Failed::to_string).collect();
        f.write_str(&clauses.join("\n"))
    }
}

impl std::error::Error for Refused {}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        Self(vec![failed])
    }
}

impl State {
    /// The highest sequences, as verification asks for them.
    #[must_use]
    pub fn seen(&self) -> BTreeMap<PackId, u64> {
        let seen = self.seen.iter();
        seen.map(|one| {
            let id = PackId {
                publisher: one.publisher.clone(),
                name: one.name.clone(),
            };
            (id, one.sequence)
        })
        .collect()
    }

    /// The version with this digest.
    #[must_use]
    pub fn entry(&self, digest: &Digest) -> Option<&Entry> {
        self.packs.iter().find(|entry| entry.digest == *digest)
    }

    /// Takes a pack into shadow. `by_person` is false for what a program does by itself, which never
    /// brings back what was taken back.
    ///
    /// # Errors
    /// [`Refused`] with every clause that it fails.
    pub fn admit(
        &mut self,
        pack: &VerifiedPack,
        admission: &Admission,
        cause: &Cause<'_>,
        by_person: bool,
    ) -> Result<Vec<Step>, Refused> {
        let known = self.entry(&pack.digest()).map(|entry| entry.stage);
        match known {
            Some(stage) if stage.is_live() => {
                let what = format!("it is in {} already", stage.name());
                let mend = "promote it with `shieldwall pack promote`";
                return Err(Failed::new("stage", what, mend).into());
            }
            Some(Stage::RolledBack | Stage::Retired) if !by_person => {
                let what = "it was taken out of force here";
                let mend = "admit it again with `shieldwall pack admit`, saying why";
                return Err(Failed::new("stage", what, mend).into());
            }
            Some(_) | None => {}
        }
        let failed = admission.judge(pack, cause.now);
        if !failed.is_empty() {
            return Err(Refused(failed));
        }
        let id = pack.manifest().id();
        let mut steps = Vec::new();
        for tried in self.packs.iter_mut().filter(|entry| entry.id() == id) {
            if matches!(tried.stage, Stage::Shadow | Stage::Canary) {
                let why = format!("{} is tried in its place", pack.manifest().version);
                let cause = Cause {
                    why: &why,
                    ..*cause
                };
                steps.push(tried.go(Stage::Retired, &cause));
            }
        }
        self.packs.retain(|entry| entry.digest != pack.digest());
        let entry = Entry::new(pack, admission, cause);
        steps.push(entry.step(known, cause));
        self.note(&entry);
        self.packs.push(entry);
        self.forget_oldest();
        Ok(steps)
    }

    /// Takes a pack one stage further: from shadow to a canary, from there to all flows. `measured`
    /// gives what is seen of it. The
    /// thresholds are set anew to what this shield's own benign sessions say, and never below what the
    /// publisher measured.
    ///
    /// # Errors
    /// [`Refused`] with every clause that stands against it, and how much is missing.
    pub fn promote(
        &mut self,
        named: &str,
        measured: impl Fn(&Entry) -> Measured,
        admission: &Admission,
        cause: &Cause<'_>,
        percent: Option<u8>,
    ) -> Result<Vec<Step>, Refused> {
        let at = self.named(named, |stage| {
            matches!(stage, Stage::Shadow | Stage::Canary)
        })?;
        let Some(entry) = self.packs.get(at) else {
            return Ok(Vec::new());
        };
        let measured = measured(entry);
        let failed = entry.against_promotion(&measured, admission, cause.now);
        if !failed.is_empty() {
            return Err(Refused(failed));
        }
        let (id, from) = (entry.id(), entry.stage);
        let mut steps = Vec::new();
        let mut before = None;
        if from == Stage::Canary {
            let others = self.packs.iter_mut();
            let mut others =
                others.filter(|other| other.id() == id && other.stage == Stage::Enforce);
            if let Some(other) = others.next() {
                before = Some(other.digest);
                steps.push(other.go(Stage::Retired, cause));
            }
        }
        if let Some(entry) = self.packs.get_mut(at) {
            entry.calibrate(&measured, admission);
            entry.percent = percent
                .unwrap_or(admission.promotion.canary_percent)
                .clamp(1, 100);
            entry.before = before.or(entry.before);
            let to = match from {
                Stage::Canary => Stage::Enforce,
                Stage::Shadow | Stage::Enforce | Stage::Retired | Stage::RolledBack => {
                    Stage::Canary
                }
            };
            steps.push(entry.go(to, cause));
        }
        Ok(steps)
    }

    /// Takes a pack back: the version that is tried, or else the one that enforces, in whose place the
    /// one before it comes back.
    ///
    /// # Errors
    /// [`Refused`] where no such pack is in force.
    pub fn roll_back(&mut self, named: &str, cause: &Cause<'_>) -> Result<Vec<Step>, Refused> {
        let tried = self.named(named, |stage| {
            matches!(stage, Stage::Shadow | Stage::Canary)
        });
        let at = tried.or_else(|_| self.named(named, Stage::is_live))?;
        let Some(entry) = self.packs.get_mut(at) else {
            return Ok(Vec::new());
        };
        let (from, before) = (entry.stage, entry.before);
        let mut steps = vec![entry.go(Stage::RolledBack, cause)];
        if from == Stage::Enforce {
            let earlier = self.packs.iter_mut();
            let mut earlier = earlier
                .filter(|entry| Some(entry.digest) == before && entry.stage == Stage::Retired);
            if let Some(earlier) = earlier.next() {
                steps.push(earlier.go(Stage::Enforce, cause));
            }
        }
        Ok(steps)
    }

    /// The one pack of that name, or with a digest that begins so, in such a stage.
    fn named(&self, named: &str, is_meant: impl Fn(Stage) -> bool) -> Result<usize, Failed> {
        let is_named = |entry: &Entry| {
            entry.name.as_ref() == named
                || (named.len() >= 8 && entry.digest.to_string().starts_with(named))
        };
        let all = self.packs.iter().enumerate();
        let mut found = all.filter(|(_, entry)| is_named(entry) && is_meant(entry.stage));
        match (found.next(), found.next()) {
            (Some((at, _)), None) => Ok(at),
            (None, _) => Err(Failed::new(
                "pack",
                format!("no pack \"{named}\" is in such a stage"),
                "`shieldwall pack status` lists them",
            )),
            (Some(_), Some(_)) => Err(Failed::new(
                "pack",
                format!("\"{named}\" names several"),
                "name it by the first digits of its digest",
            )),
        }
    }

    fn note(&mut self, entry: &Entry) {
        let known = self.seen.iter_mut();
        let mut known =
            known.filter(|seen| seen.publisher == entry.publisher && seen.name == entry.name);
        match known.next() {
            Some(seen) => seen.sequence = seen.sequence.max(entry.sequence),
            None => self.seen.push(Seen {
                publisher: entry.publisher.clone(),
                name: entry.name.clone(),
                sequence: entry.sequence,
            }),
        }
    }

    fn forget_oldest(&mut self) {
        while self.packs.len() > ENTRIES_MAX {
            let Some(at) = self.packs.iter().position(|entry| !entry.stage.is_live()) else {
                return;
            };
            self.packs.remove(at);
        }
    }
}

impl Entry {
    fn new(pack: &VerifiedPack, admission: &Admission, cause: &Cause<'_>) -> Self {
        let manifest = pack.manifest();
        let thresholds = manifest.models.iter().filter_map(|model| {
            let told = Threshold::published(model, admission.fpr_max)?;
            Some(Chosen {
                file: model.file.to_string(),
                score: told.score,
                fpr: told.fpr,
                set: told.set.into(),
            })
        });
        Self {
            publisher: manifest.publisher.clone(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            sequence: manifest.sequence,
            digest: pack.digest(),
            capabilities: manifest
                .capabilities
                .intersection(&admission.capabilities)
                .copied()
                .collect(),
            evidence: manifest
                .files
                .iter()
                .any(|file| file.role == Role::Evidence),
            thresholds: thresholds.collect(),
            stage: Stage::Shadow,
            percent: 0,
            since: cause.now,
            by: cause.by.to_owned(),
            why: cause.why.to_owned(),
            before: None,
        }
    }

    /// Which pack it is a version of.
    #[must_use]
    pub fn id(&self) -> PackId {
        PackId {
            publisher: self.publisher.clone(),
            name: self.name.clone(),
        }
    }

    /// The most that may follow from what it finds: blocking also takes evidence of the pack.
    #[must_use]
    pub fn most(&self) -> Capability {
        let most = self.capabilities.last().copied().unwrap_or(Capability::Tag);
        match self.evidence {
            true => most,
            false => most.min(Capability::RateLimit),
        }
    }

    /// What stands against taking it one stage further.
    #[must_use]
    pub fn against_promotion(
        &self,
        measured: &Measured,
        admission: &Admission,
        now: Timestamp,
    ) -> Vec<Failed> {
        let mut failed = Vec::new();
        let age_us = now
            .as_micros()
            .saturating_sub(self.since.as_micros())
            .max(0);
        let age_s = u64::try_from(age_us / 1_000_000).unwrap_or(0);
        let dwell_s = admission.promotion.dwell_s;
        if age_s < dwell_s {
            let what = format!(
                "it has been in {} for {age_s} s of {dwell_s}",
                self.stage.name()
            );
            let mend = "wait, or lower promotion.dwell_s in the admission file";
            failed.push(Failed::new("promotion.dwell_s", what, mend));
        }
        for model in &self.thresholds {
            let of = measured.of(&model.file);
            let sessions = of.sketch().total();
            let needed = match self.stage {
                Stage::Canary => Sketch::needed(admission.fpr_max),
                Stage::Shadow | Stage::Enforce | Stage::Retired | Stage::RolledBack => {
                    admission.promotion.canary_sessions_min
                }
            };
            if sessions < needed {
                let what = format!(
                    "{}: {sessions} benign sessions of {needed} scored",
                    model.file
                );
                let mend = format!("wait for {} more", needed.saturating_sub(sessions));
                failed.push(Failed::new("sessions", what, mend));
            }
            failed.extend(self.against_budget(&model.file, &of.trials, admission));
        }
        failed
    }

    fn against_budget(
        &self,
        file: &str,
        trials: &detect::models::betting::Trials,
        admission: &Admission,
    ) -> Option<Failed> {
        let budget = &admission.budget;
        let (hits, seen) = (trials.hits, trials.trials);
        if trials.is_above(budget.share_max, budget.alpha) {
            let what = format!("{file} hits {hits} of {seen} benign sessions");
            let mend = "ask its publisher for a better one, or admit it anew with a lower fpr_max";
            return Some(Failed::new("budget.share_max", what, mend));
        }
        if self.stage == Stage::Canary && !trials.is_below(budget.share_max, ALPHA_PROMOTE) {
            let more = trials.more_needed(budget.share_max, ALPHA_PROMOTE);
            let what = format!(
                "{file} hits {hits} of {seen} benign sessions: not known to be below {}",
                budget.share_max
            );
            let mend = format!("wait for {more} more without a hit");
            return Some(Failed::new("budget.share_max", what, mend));
        }
        None
    }

    /// Why it is to be taken back at once; none: it is within its budget as far as anybody can say.
    #[must_use]
    pub fn over_budget(&self, measured: &Measured, admission: &Admission) -> Option<String> {
        let budget = &admission.budget;
        let over = self.thresholds.iter().find_map(|model| {
            let trials = measured.of(&model.file).trials;
            trials
                .is_above(budget.share_max, budget.alpha)
                .then_some((model, trials))
        });
        over.map(|(model, trials)| {
            format!(
                "{} hit {} of {} benign sessions: more than {} of them, at least {:.5}",
                model.file,
                trials.hits,
                trials.trials,
                budget.share_max,
                trials.lower(budget.alpha),
            )
        })
    }

    fn calibrate(&mut self, measured: &Measured, admission: &Admission) {
        for model in &mut self.thresholds {
            let sketch = measured.of(&model.file).sketch();
            let Some(local) = sketch.threshold(admission.fpr_max) else {
                continue;
            };
            if local > model.score {
                // where nothing may be hit, a score that nothing reaches; JSON has no infinity
                model.score = local.min(2.0);
                model.fpr = admission.fpr_max;
                model.set = format!("{} benign sessions of this shield", sketch.total());
            }
        }
    }

    fn go(&mut self, to: Stage, cause: &Cause<'_>) -> Step {
        let from = self.stage;
        self.stage = to;
        self.since = cause.now;
        self.by = cause.by.to_owned();
        self.why = cause.why.to_owned();
        self.step(Some(from), cause)
    }

    fn step(&self, from: Option<Stage>, cause: &Cause<'_>) -> Step {
        Step {
            at: cause.now,
            publisher: self.publisher.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            digest: self.digest,
            from,
            to: self.stage,
            by: cause.by.to_owned(),
            why: cause.why.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
