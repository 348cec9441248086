//! What a manifest says of a model: how it is fed and read, and what is known of it.

use serde::{Deserialize, Serialize};
use stix::Timestamp;

use super::{Task, named};
use crate::path::PackPath;
use crate::value::{Extractor, Text};

/// A model. Fields are added as optional ones that are not written when they are not there, so
/// that what is written today stays canonical.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What it looks for.
    pub task: Task,
    /// The ONNX file.
    pub file: PackPath,
    /// What turns traffic into its columns.
    pub extractor: Extractor,
    /// Which columns feed which of its inputs, one entry for each input.
    pub inputs: Vec<Input>,
    /// The output that is the score, 0 (harmless) to 1.
    pub output: Text,
    /// How the scores of the parts of one transaction become one.
    pub aggregate: Aggregate,
    /// What a score must reach to be said, for rates of false alarms; rates rise, scores fall.
    pub thresholds: Vec<Threshold>,
    /// What it was trained on, and what it reached.
    pub training: Training,
}

/// What feeds one input of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The input's name in the ONNX file.
    pub name: Text,
    /// Groups of the extractor's columns, whose values follow each other in this order.
    pub groups: Vec<Text>,
}

/// How several scores become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// The highest.
    Max,
    /// Their mean.
    Mean,
    /// The chance that one of them is right, were they independent: 1 - (1 - a)(1 - b)...
    NoisyOr,
}

named!(Aggregate {
    Max => "max",
    Mean => "mean",
    NoisyOr => "noisy-or",
});

/// A score, and how often harmless traffic reaches it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The share of harmless samples whose score is at least [`Self::threshold`].
    pub fpr: f64,
    /// The score, 0 to 1.
    pub threshold: f64,
    /// The set of samples that this was measured on.
    pub set: Text,
}

/// What a model was trained on, and what it reached on data that it had not seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// When.
    pub date: Timestamp,
    /// The data, by source.
    pub sources: Vec<Source>,
    /// What was measured on data that was held out.
    pub results: Vec<Measured>,
}

/// Data that a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it is called.
    pub name: Text,
    /// Under which licence it was used.
    pub licence: Text,
    /// How many samples of it were used.
    pub rows: u64,
}

/// One result on data that was held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The set of samples.
    pub set: Text,
    /// How many samples it has.
    pub rows: u64,
    /// What was measured, for example `recall at fpr 0.001`.
    pub metric: Text,
    /// What came out.
    pub value: f64,
    /// Lower bound of its confidence interval (95 %).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper bound of its confidence interval (95 %).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}
