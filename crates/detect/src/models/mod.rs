//! Models of packs: a subject, its rows, their scores, one score.
//!
//! A [`Scorer`] is made of a [`VerifiedPack`] alone. What feeds the model is an extractor of
//! `features`, the very one that made the rows it was trained on; what evaluates it is `model`.
//!
//! ```text
//! Event::Transaction -> subject -> Inspector -> Scorer -> Found { field, features, threshold, pack }
//!                                      \--> scores of a flow, at its end -> sketch, betting (the caller's)
//! ```

mod active;
pub mod betting;
mod bind;
mod explain;
mod found;
mod inspect;
pub mod sketch;
mod subject;
mod suspects;

use features::{Extractor, Samples, Subject, Unfit};
use model::{Input, Limits, Model, ModelError, Numbers, RunError, Scratch};
use pack::{
    VerifiedPack,
    manifest::{Aggregate, Model as Entry, Task},
};

pub use active::{About, Active, BUCKETS, InForce, Stage, Tally, Threshold, is_seen};
use bind::Feed;
pub use explain::{Explanation, Part};
pub use found::Found;
pub use inspect::{
    Config, Inspector, MODELS_MAX, SESSIONS_PER_SOURCE_MAX, SOURCE_WINDOW_NS, Trial,
};

/// Judges subjects by one model.
#[derive(Debug)]
pub struct Scorer {
    task: Task,
    extractor: Named,
    model: Model,
    feeds: Vec<Feed>,
    output: usize,
    aggregate: Aggregate,
}

/// An extractor; its name stands for it in debug output.
struct Named(&'static dyn Extractor);

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Memory of judgements, used again and again.
#[derive(Debug)]
pub struct Work {
    samples: Samples,
    scratch: Scratch,
    scores: Vec<f32>,
}

/// How malicious a subject looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// 0 (harmless) to 1.
    pub value: f32,
    /// The row that looks most malicious, among those of the subject.
    pub row: usize,
}

/// A model of a pack cannot be used. The contributor's fault.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No such extractor here.
    #[error(
        "extractor {0} is not known to this version: update it, or ask the contributor for one of {1}"
    )]
    Extractor(String, String),
    /// The model file.
    #[error("{0}: {1}")]
    Model(String, ModelError),
    /// An input that the manifest feeds wrongly.
    #[error("input {input} of {file}: {problem}")]
    Input {
        /// The model file.
        file: String,
        /// The input.
        input: String,
        /// What does not fit.
        problem: String,
    },
    /// An output that is no score.
    #[error(
        "output {output} of {file} is not there, or is not one float for each row of a batch: the contributor names the score's output in pack.json"
    )]
    Output {
        /// The model file.
        file: String,
        /// As the manifest names it.
        output: String,
    },
    /// More than the manifest asked for.
    #[error(
        "{file} needs {needs} bytes of memory, and its manifest asks for {asks}: the contributor raises limits.memory_bytes_max, or makes it smaller"
    )]
    Memory {
        /// The model file.
        file: String,
        /// Bytes of its weights and buffers.
        needs: usize,
        /// `limits.memory_bytes_max`.
        asks: u64,
    },
}

/// A subject cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// The model looks at other things.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The model failed on it. A fault of the model.
    #[error("the model failed: {0}")]
    Run(#[from] RunError),
}

impl Scorer {
    /// Makes a model of a pack ready.
    ///
    /// # Errors
    /// [`LoadError`] says what of the pack does not fit.
    pub fn load(pack: &VerifiedPack, entry: &Entry) -> Result<Self, LoadError> {
        let file = entry.file.to_string();
        let extractor = features::find(entry.extractor.as_ref()).ok_or_else(|| {
            let known: Vec<&str> = features::EXTRACTORS.iter().map(|one| one.name()).collect();
            LoadError::Extractor(entry.extractor.to_string(), known.join(", "))
        })?;
        // A verified pack holds every file that its manifest lists.
        let bytes = pack.file(&entry.file).unwrap_or_default();
        let model = Model::read(bytes, &Limits::default())
            .map_err(|error| LoadError::Model(file.clone(), error))?;
        let asks = pack.manifest().limits.memory_bytes_max;
        let needs = model.cost().bytes();
        if u64::try_from(needs).is_ok_and(|needs| needs > asks) {
            return Err(LoadError::Memory { file, needs, asks });
        }
        let feeds = bind::feeds(&model, entry, extractor)?;
        let output = bind::output(&model, entry)?;
        let (task, aggregate) = (entry.task, entry.aggregate);
        Ok(Self {
            task,
            extractor: Named(extractor),
            model,
            feeds,
            output,
            aggregate,
        })
    }

    /// What it looks for.
    #[must_use]
    pub const fn task(&self) -> Task {
        self.task
    }

    /// Memory for judgements of this model.
    #[must_use]
    pub fn work(&self) -> Work {
        Work {
            samples: Samples::default(),
            scratch: self.model.scratch(),
            scores: Vec::new(),
        }
    }

    /// Judges a subject.
    ///
    /// # Errors
    /// [`ScoreError`] where the model does not look at such subjects.
    pub fn score(&self, subject: &Subject<'_>, work: &mut Work) -> Result<Score, ScoreError> {
        self.score_rows(subject, work, |_| usize::MAX)
            .map(|(score, _)| score)
    }

    /// Judges a subject by as many of its rows as `afforded` says, given how many there are; and how
    /// many were left out.
    ///
    /// # Errors
    /// [`ScoreError`] where the model does not look at such subjects.
    pub fn score_rows(
        &self,
        subject: &Subject<'_>,
        work: &mut Work,
        afforded: impl FnOnce(usize) -> usize,
    ) -> Result<(Score, usize), ScoreError> {
        work.samples.clear();
        self.extractor.0.extract(subject, &mut work.samples)?;
        let all = work.samples.rows();
        let rows = afforded(all).min(all);
        let inputs: Vec<Input<'_>> = self.inputs(&work.samples, 0..rows);
        let outputs = self.model.run(&inputs, &mut work.scratch)?;
        work.scores.clear();
        work.scores
            .extend_from_slice(outputs.f32(self.output).unwrap_or_default());
        Ok((self.together(&work.scores), all.saturating_sub(rows)))
    }

    /// What a row costs at most, in multiply-adds; a step down a tree counts as four of them.
    #[must_use]
    pub fn row_work(&self) -> u64 {
        let cost = self.model.cost();
        let steps = cost.tree_steps.saturating_mul(4);
        cost.multiply_adds.saturating_add(steps).max(1)
    }

    /// The inputs of some rows.
    fn inputs<'a>(&self, samples: &'a Samples, rows: std::ops::Range<usize>) -> Vec<Input<'a>> {
        let batch = rows.len();
        let of = |width: usize| {
            let start = rows.start.saturating_mul(width);
            start..rows.end.saturating_mul(width)
        };
        let numbers = of(self.extractor.0.columns().len());
        let ids = of(self.extractor.0.ids_max());
        let feed = |feed: &Feed| Input {
            values: match feed {
                Feed::Numbers => {
                    Numbers::F32(samples.numbers().get(numbers.clone()).unwrap_or_default())
                }
                Feed::Ids => Numbers::I64(samples.ids().get(ids.clone()).unwrap_or_default()),
            },
            batch,
        };
        self.feeds.iter().map(feed).collect()
    }

    /// One score of many; what is not a number counts as harmless.
    fn together(&self, scores: &[f32]) -> Score {
        let finite = |score: &f32| {
            if score.is_nan() {
                0.0
            } else {
                score.clamp(0.0, 1.0)
            }
        };
        let mut best = Score { value: 0.0, row: 0 };
        for (row, score) in scores.iter().map(finite).enumerate() {
            if score > best.value {
                best = Score { value: score, row };
            }
        }
        let value = match self.aggregate {
            Aggregate::Max => best.value,
            Aggregate::Mean => {
                let count = u16::try_from(scores.len().max(1)).unwrap_or(u16::MAX);
                scores.iter().map(finite).sum::<f32>() / f32::from(count)
            }
            Aggregate::NoisyOr => {
                1.0 - scores
                    .iter()
                    .map(|score| 1.0 - finite(score))
                    .product::<f32>()
            }
        };
        Score { value, ..best }
    }
}
