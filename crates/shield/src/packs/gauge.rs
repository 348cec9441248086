//! What is seen of a model on this shield: the scores of benign sessions, and how many it would hit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use detect::models::Tally as Scored;
use detect::models::betting::Trials;
use detect::models::sketch::Sketch;
use serde::{Deserialize, Serialize};
use stix::Timestamp;

/// Counts for one model; written by the packet thread, read by others.
#[derive(Debug, Default)]
pub struct Gauge {
    benign: Mutex<Tally>,
    /// Of all that it scored.
    all: Arc<Scored>,
}

#[derive(Debug, Default)]
struct Tally {
    sketch: Sketch,
    trials: Trials,
}

/// What was seen of a pack, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Since when trials are counted: the latest step of the pack. Scores are kept over steps.
    pub since: Timestamp,
    /// Its models.
    pub models: Vec<ModelMeasured>,
}

/// What was seen of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelMeasured {
    /// Its file in the pack.
    pub file: String,
    /// Scores of benign sessions, by the buckets of a [`Sketch`].
    pub scores: BTreeMap<u16, u64>,
    /// Benign sessions, and how many of them reached the threshold.
    pub trials: Trials,
    /// How often it scored.
    #[serde(default)]
    pub scored: u64,
    /// How often that reached the threshold.
    #[serde(default)]
    pub over: u64,
}

impl Default for Measured {
    fn default() -> Self {
        Self {
            since: Timestamp::EPOCH,
            models: Vec::new(),
        }
    }
}

impl Gauge {
    /// One that goes on from what was kept.
    pub(super) fn of(kept: &ModelMeasured) -> Self {
        Self {
            benign: Mutex::new(Tally {
                sketch: kept.sketch(),
                trials: kept.trials,
            }),
            all: Arc::new(Scored::of(kept.scored, kept.over)),
        }
    }

    /// What the model itself counts.
    pub(super) fn all(&self) -> Arc<Scored> {
        Arc::clone(&self.all)
    }

    /// Takes a benign session: its highest score, and whether it reached the threshold.
    pub(crate) fn add(&self, score: f32, hit: bool) {
        let mut tally = self.benign.lock().unwrap_or_else(PoisonError::into_inner);
        tally.sketch.add(score);
        tally.trials.add(hit);
    }

    /// What was seen until now.
    #[must_use]
    pub fn read(&self, file: &str) -> ModelMeasured {
        let tally = self.benign.lock().unwrap_or_else(PoisonError::into_inner);
        ModelMeasured {
            file: file.to_owned(),
            scores: tally.sketch.kept(),
            trials: tally.trials,
            scored: self.all.scored(),
            over: self.all.over(),
        }
    }
}

impl Measured {
    /// What was seen of a model; nothing where it was not there.
    #[must_use]
    pub fn of(&self, file: &str) -> ModelMeasured {
        let found = self.models.iter().find(|model| model.file == file);
        found.cloned().unwrap_or_default()
    }

    /// The same for a pack that took a step at `since`: its threshold may be another, so counts begin
    /// anew.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        if self.since != since {
            self.since = since;
            for model in &mut self.models {
                model.trials = Trials::default();
                (model.scored, model.over) = (0, 0);
            }
        }
        self
    }
}

impl ModelMeasured {
    /// The scores.
    #[must_use]
    pub fn sketch(&self) -> Sketch {
        Sketch::of_kept(&self.scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_outlive_a_step_and_trials_begin_anew() {
        let gauge = Gauge::default();
        gauge.add(0.2, false);
        gauge.add(0.999, true);
        let at = Timestamp::from_micros(7);
        let kept = Measured {
            since: at,
            models: vec![gauge.read("models/a.onnx")],
        };
        let text = serde_json::to_string(&kept).unwrap();
        let kept: Measured = serde_json::from_str(&text).unwrap();
        let same = Gauge::of(&kept.clone().since(at).of("models/a.onnx"));
        assert_eq!(same.read("models/a.onnx"), gauge.read("models/a.onnx"));
        let later = kept.since(Timestamp::from_micros(8)).of("models/a.onnx");
        assert_eq!(
            (later.sketch().total(), later.trials),
            (2, Trials::default())
        );
        assert_eq!(Measured::default().of("models/b.onnx").trials.hits, 0);
    }
}
