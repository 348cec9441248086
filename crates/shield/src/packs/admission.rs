//! What an operator lets packs be and do: a file of its own, and the judgement by it.
//!
//! The judgement names every clause that a pack fails, and for each what would mend it. It rests on
//! what the manifest says, on the models themselves (each is made ready), and on nothing that a
//! stranger asserts of itself alone: a signature was verified before.

use std::collections::BTreeSet;
use std::fmt;

use detect::models::{MODELS_MAX, Scorer, Threshold, is_seen};
use pack::manifest::{Capability, Manifest, Model, Role, Task};
use pack::{Text, VerifiedPack};
use serde::Deserialize;
use stix::Timestamp;

/// An admission file is no longer than this, bytes.
pub const ADMISSION_BYTES_MAX: usize = 64 * 1024;

/// What packs may be and do here.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admission {
    /// Publishers whose packs are taken; none: all that the trust file names.
    pub publishers: Option<BTreeSet<Text>>,
    /// What models may look for; none: all that packets are shown to.
    pub tasks: Option<BTreeSet<Task>>,
    /// What packs may ask for.
    pub capabilities: BTreeSet<Capability>,
    /// Licences of packs; none: any.
    pub licences: Option<BTreeSet<Text>>,
    /// Highest share of harmless traffic that a model's threshold may be measured to reach, and the
    /// share of this shield's own benign sessions that its threshold is set to.
    pub fpr_max: f64,
    /// Oldest training, days.
    pub trained_days_max: u32,
    /// Most memory that a pack may say to need, bytes.
    pub memory_bytes_max: u64,
    /// Longest evaluation that a pack may say to need, microseconds.
    pub p99_us_max: u64,
    /// Whether a pack must hold evidence: results of red teams or of evasion.
    pub evidence: bool,
    /// How packs advance.
    pub promotion: Promotion,
    /// What harm to benign traffic is borne.
    pub budget: Budget,
}

/// How packs advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Promotion {
    /// Shortest time in a stage before the next, seconds.
    pub dwell_s: u64,
    /// Share of flows of a canary, 1 to 100 in a hundred.
    pub canary_percent: u8,
    /// Benign sessions scored in shadow before a canary.
    pub canary_sessions_min: u64,
}

/// What harm to benign traffic is borne.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Highest share of benign sessions that a model may hit. Above it a pack is taken back; it
    /// enforces only when it is known to be below.
    pub share_max: f64,
    /// Chance of taking a pack back that is within its budget.
    pub alpha: f64,
    /// Recent benign sessions of a source from which on another one of it counts as benign.
    pub history_min: u32,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            publishers: None,
            tasks: None,
            capabilities: BTreeSet::from([Capability::Tag, Capability::Alert]),
            licences: None,
            fpr_max: 0.001,
            trained_days_max: 400,
            memory_bytes_max: 64 << 20,
            p99_us_max: 2_000,
            evidence: false,
            promotion: Promotion::default(),
            budget: Budget::default(),
        }
    }
}

impl Default for Promotion {
    fn default() -> Self {
        Self {
            dwell_s: 86_400,
            canary_percent: 5,
            canary_sessions_min: 300,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            share_max: 0.002,
            alpha: 0.01,
            history_min: 3,
        }
    }
}

/// Why an admission file is refused. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// It is longer than anyone writes.
    #[error("longer than {ADMISSION_BYTES_MAX} bytes")]
    TooLong,
    /// It is not TOML, or not in the form.
    #[error("{0}")]
    Form(Box<str>),
    /// A number that cannot be meant.
    #[error("{key} = {value}: a number {range}")]
    Number {
        /// Which.
        key: &'static str,
        /// What it says.
        value: Box<str>,
        /// What it may be.
        range: &'static str,
    },
}

/// A clause that a pack fails.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Failed {
    /// The clause, as the admission file names it.
    pub clause: &'static str,
    /// What is wrong.
    pub what: String,
    /// What mends it.
    pub mend: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.clause, self.what, self.mend)
    }
}

impl Failed {
    pub(super) fn new(
        clause: &'static str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            clause,
            what: what.into(),
            mend: mend.into(),
        }
    }
}

impl Admission {
    /// Reads an admission file (TOML).
    ///
    /// # Errors
    /// [`AdmissionError`] that says what is wrong.
    pub fn read(text: &str) -> Result<Self, AdmissionError> {
        if text.len() > ADMISSION_BYTES_MAX {
            return Err(AdmissionError::TooLong);
        }
        let form =
            |error: toml::de::Error| AdmissionError::Form(error.to_string().trim_end().into());
        let read: Self = toml::from_str(text).map_err(form)?;
        let rates = [
            ("fpr_max", read.fpr_max),
            ("budget.share_max", read.budget.share_max),
            ("budget.alpha", read.budget.alpha),
        ];
        for (key, value) in rates {
            if !(value > 0.0 && value < 1.0) {
                return Err(AdmissionError::Number {
                    key,
                    value: value.to_string().into(),
                    range: "between 0 and 1",
                });
            }
        }
        if !(1..=100).contains(&read.promotion.canary_percent) {
            return Err(AdmissionError::Number {
                key: "promotion.canary_percent",
                value: read.promotion.canary_percent.to_string().into(),
                range: "from 1 to 100",
            });
        }
        Ok(read)
    }

    /// Every clause that a pack fails; none: it is admitted.
    ///
    /// # Failure bias
    /// Closed: a pack that fails a clause is not loaded; what is in force stays.
    #[must_use]
    pub fn judge(&self, pack: &VerifiedPack, now: Timestamp) -> Vec<Failed> {
        let mut failed = self.of_manifest(pack.manifest());
        for model in &pack.manifest().models {
            failed.extend(self.of_model(model, now));
            if let Err(error) = Scorer::load(pack, model) {
                let ask = format!("ask {} for a pack that loads", pack.manifest().publisher);
                failed.push(Failed::new("model", error.to_string(), ask));
            }
        }
        failed
    }

    fn of_manifest(&self, manifest: &Manifest) -> Vec<Failed> {
        let mut failed = Vec::new();
        if let Some(publishers) = &self.publishers
            && !publishers.contains(&manifest.publisher)
        {
            let what = format!("{} is not among them", manifest.publisher);
            let mend = format!("add \"{}\" to publishers", manifest.publisher);
            failed.push(Failed::new("publishers", what, mend));
        }
        if let Some(licences) = &self.licences
            && !licences.contains(&manifest.licence)
        {
            let what = format!("{} is not among them", manifest.licence);
            let mend = format!("add \"{}\" to licences", manifest.licence);
            failed.push(Failed::new("licences", what, mend));
        }
        for asked in manifest.capabilities.difference(&self.capabilities) {
            let mend = format!(
                "add \"{asked}\" to capabilities, or ask {} for a pack that asks less",
                manifest.publisher
            );
            let what = format!("it asks to be allowed to {asked}");
            failed.push(Failed::new("capabilities", what, mend));
        }
        let bounds = [
            (
                "memory_bytes_max",
                manifest.limits.memory_bytes_max,
                self.memory_bytes_max,
            ),
            ("p99_us_max", manifest.limits.p99_us_max, self.p99_us_max),
        ];
        for (clause, needs, max) in bounds.into_iter().filter(|(_, needs, max)| needs > max) {
            let mend = format!("set {clause} = {needs} if this machine has it to spare");
            failed.push(Failed::new(
                clause,
                format!("it needs {needs}, not {max}"),
                mend,
            ));
        }
        let holds_evidence = manifest
            .files
            .iter()
            .any(|file| file.role == Role::Evidence);
        if self.evidence && !holds_evidence {
            let mend = format!(
                "ask {} for evidence, or set evidence = false",
                manifest.publisher
            );
            failed.push(Failed::new("evidence", "it holds none", mend));
        }
        let models = manifest.models.len();
        if models == 0 || models > MODELS_MAX {
            let what = format!("it holds {models} models");
            let mend = format!("a shield loads packs of 1 to {MODELS_MAX} models");
            failed.push(Failed::new("models", what, mend));
        }
        failed
    }

    fn of_model(&self, model: &Model, now: Timestamp) -> Vec<Failed> {
        let mut failed = Vec::new();
        let file = &model.file;
        let allowed = self
            .tasks
            .as_ref()
            .is_none_or(|tasks| tasks.contains(&model.task));
        if !allowed {
            let what = format!("{file} looks for {}", model.task);
            let mend = format!("add \"{}\" to tasks", model.task);
            failed.push(Failed::new("tasks", what, mend));
        }
        if !is_seen(model.task) {
            let what = format!(
                "{file} looks for {}, which no packet is shown to yet",
                model.task
            );
            failed.push(Failed::new(
                "tasks",
                what,
                "score what it is for with `shieldwall score`",
            ));
        }
        let told = Threshold::published(model, self.fpr_max);
        if told.is_none_or(|told| told.fpr > self.fpr_max) {
            let least = model.thresholds.first().map(|one| one.fpr);
            let what = format!(
                "{file} has no threshold for {} or less{}",
                self.fpr_max,
                least.map_or_else(String::new, |least| format!(
                    ", the strictest is for {least}"
                ))
            );
            let mend = "raise fpr_max, or ask its publisher to measure a stricter one";
            failed.push(Failed::new("fpr_max", what, mend));
        }
        let age_us = now
            .as_micros()
            .saturating_sub(model.training.date.as_micros());
        let days = age_us / (86_400 * 1_000_000);
        if days > i64::from(self.trained_days_max) {
            let what = format!("{file} was trained {days} days ago");
            let mend = "ask its publisher for a newer version, or raise trained_days_max";
            failed.push(Failed::new("trained_days_max", what, mend));
        }
        failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_strict_and_what_is_misspelt_refused() {
        let strict = Admission::read("").unwrap();
        assert_eq!(strict, Admission::default());
        assert!(!strict.capabilities.contains(&Capability::Block));
        let text = "tasks = [\"web-attack\"]\nfpr_max = 0.01\n[promotion]\ndwell_s = 0\n[budget]\nshare_max = 0.02\n";
        let read = Admission::read(text).unwrap();
        assert_eq!((read.fpr_max, read.promotion.dwell_s), (0.01, 0));
        assert_eq!(read.promotion.canary_percent, 5);
        for (text, want) in [
            ("publisher = []", "publisher"),
            ("tasks = [\"web\"]", "web"),
            ("fpr_max = 0.0", "fpr_max = 0: a number between 0 and 1"),
            ("[budget]\nalpha = 1.0", "budget.alpha = 1: a number"),
            (
                "[promotion]\ncanary_percent = 0",
                "canary_percent = 0: a number from 1 to 100",
            ),
        ] {
            let error = Admission::read(text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
