//! What was measured, as evidence: who was attacked, with what, and how it held. No payloads, unless
//! they are asked for.

use pack::manifest::{Manifest, Model, Task};
use pack::{Digest, Extractor, Name, Text};
use serde::{Deserialize, Serialize};

use crate::bounds::Share;

/// What a report says it is.
pub const SCHEMA: &str = "https://shieldwall.dev/redteam/v1";
/// Bytes of a report that are read.
pub const REPORT_BYTES_MAX: usize = 16 << 20;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of Shieldwall that measured.
    pub tool: String,
    /// Who was attacked.
    pub subject: Attacked,
    /// With what.
    pub suite: Used,
    /// From this score on a sample counts as detected.
    pub threshold: f64,
    /// What was measured.
    pub results: Results,
}

/// Who was attacked. A report stands in the pack that it is on, so it names the model and what the
/// manifest says of it, and not the pack's own digest, which would change with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attacked {
    /// The pack's publisher, name and version, for people.
    pub publisher: Text,
    /// Its name.
    pub pack: Name,
    /// Its version.
    pub version: String,
    /// SHA-256 of the model file.
    pub model: Digest,
    /// SHA-256 of what the manifest says of the model.
    pub entry: Digest,
    /// What turned samples into columns.
    pub extractor: Extractor,
}

/// With what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// The suite's name.
    pub name: Name,
    /// Digest of the suite with its samples ([`crate::suite::digest`]).
    pub digest: Digest,
    /// What the samples are.
    pub task: Task,
    /// All that was drawn follows from it.
    pub seed: u64,
    /// Malicious samples.
    pub malicious: usize,
    /// Harmless samples.
    pub benign: usize,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Malicious samples that are detected as they are.
    pub clean: Option<Share>,
    /// Harmless samples that are taken for malicious as they are.
    pub clean_false_alarms: Option<Share>,
    /// Malicious samples that are detected as they are and under each mutation that applies, each
    /// tried once.
    pub robust: Option<Share>,
    /// Each mutation alone.
    pub mutations: Vec<Single>,
    /// Chains that were drawn.
    pub chains: Option<Chained>,
    /// Search by scores alone, for each budget.
    pub search: Vec<Searched>,
    /// Search by who has the model at hand.
    pub guided: Option<Searched>,
    /// How far bypasses carry to other packs.
    pub transfer: Vec<Transfer>,
    /// Chains that ended in a bypass, by the sample's number among the malicious ones.
    pub bypasses: Vec<Bypass>,
    /// Bypasses that are not listed.
    pub bypasses_left_out: usize,
    /// Samples whose meaning a mutation changed: a fault of that mutation. They count nowhere.
    pub invalid: usize,
}

/// A mutation alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Single {
    /// Its name.
    pub mutation: String,
    /// Whether it is left out of chains and searches.
    pub held_out: bool,
    /// Detected, of those to which it applies.
    pub detected: Share,
    /// The same samples as they are.
    pub clean: Share,
    /// Samples that were detected and no longer are, and the other way round.
    pub lost: usize,
    /// See `lost`.
    pub gained: usize,
    /// Harmless samples changed by it that are taken for malicious.
    pub false_alarms: Share,
    /// The same harmless samples as they are.
    pub false_alarms_clean: Share,
}

impl Single {
    /// Points of recall that it costs; negative where it gives some.
    #[must_use]
    pub fn loss_points(&self) -> f64 {
        (self.clean.rate - self.detected.rate) * 100.0
    }
}

/// Chains that were drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chained {
    /// Chains for each sample.
    pub each: usize,
    /// Least and most mutations drawn for one; those that do not apply are passed over.
    pub depth: [usize; 2],
    /// Detected, of all chains. They are of few samples, so these bounds say nothing of other
    /// samples.
    pub detected: Share,
    /// Malicious samples that are detected as they are and under all their chains.
    pub robust: Share,
    /// Harmless samples under chains that are taken for malicious.
    pub false_alarms: Share,
}

/// A search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searched {
    /// Scores that were asked for at most, for one sample; with the model at hand, the most that were.
    pub budget: usize,
    /// Samples that no chain was found for, of all that were tried; one that is not detected as it
    /// is counts as found.
    pub robust: Share,
    /// The middle of the scores that were asked for where a chain was found.
    pub queries_median: Option<usize>,
}

/// How far bypasses carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The other pack.
    pub pack: Name,
    /// SHA-256 of its model file.
    pub model: Digest,
    /// Its threshold.
    pub threshold: f64,
    /// Bypasses that pass it as well, of those whose sample it detects as it is.
    pub carried: Share,
}

/// A chain that ended below the threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bypass {
    /// The sample, from 0, among the malicious ones that were drawn.
    pub sample: usize,
    /// What found it: `search` or `guided`.
    pub by: String,
    /// Mutations with the seeds of their choices, in order.
    pub steps: Vec<String>,
    /// The sample as it passes, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<serde_json::Value>,
}

/// A report does not belong to a pack or a suite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// Not a report, or of another version.
    #[error("schema is {0:?}, not {SCHEMA:?}: give a report of `shieldwall redteam run`")]
    Schema(String),
    /// The pack has no model for the task.
    #[error("the pack has no model for {0}: the report is on another")]
    Task(Task),
    /// Another model file.
    #[error("the pack's model is {here}, the report is on {there}: run the suite on this pack")]
    Model {
        /// Digest of the pack's.
        here: Digest,
        /// Digest of the report's.
        there: Digest,
    },
    /// The same file, fed or read otherwise.
    #[error(
        "the manifest says other things of the model than when it was measured: run the suite again"
    )]
    Entry,
    /// Another suite, or other samples.
    #[error("the suite with its samples is {here}, the report is of {there}: give that suite")]
    Suite {
        /// Digest of the suite given.
        here: Digest,
        /// Digest of the report's.
        there: Digest,
    },
}

impl Attacked {
    /// What a report says of a pack's model.
    ///
    /// # Errors
    /// [`Foreign::Task`] where the manifest does not list the model's file.
    pub fn of(manifest: &Manifest, model: &Model) -> Result<Self, Foreign> {
        let file = manifest
            .file(&model.file)
            .ok_or(Foreign::Task(model.task))?;
        // Fields of a struct come in one order, so the same entry has the same bytes.
        let entry = serde_json::to_vec(model).map_err(|_| Foreign::Entry)?;
        Ok(Self {
            publisher: manifest.publisher.clone(),
            pack: manifest.name.clone(),
            version: manifest.version.to_string(),
            model: file.sha256,
            entry: Digest::of(&entry),
            extractor: model.extractor.clone(),
        })
    }
}

impl Report {
    /// Whether the report is on this pack's model and, where one is given, of this suite.
    ///
    /// # Errors
    /// [`Foreign`] says what is another.
    pub fn verify(&self, manifest: &Manifest, suite: Option<Digest>) -> Result<(), Foreign> {
        if self.schema != SCHEMA {
            return Err(Foreign::Schema(self.schema.clone()));
        }
        let model = manifest
            .models
            .iter()
            .find(|model| model.task == self.suite.task)
            .ok_or(Foreign::Task(self.suite.task))?;
        let here = Attacked::of(manifest, model)?;
        if here.model != self.subject.model {
            let (here, there) = (here.model, self.subject.model);
            return Err(Foreign::Model { here, there });
        }
        if here.entry != self.subject.entry {
            return Err(Foreign::Entry);
        }
        match suite {
            Some(here) if here != self.suite.digest => Err(Foreign::Suite {
                here,
                there: self.suite.digest,
            }),
            Some(_) | None => Ok(()),
        }
    }
}
