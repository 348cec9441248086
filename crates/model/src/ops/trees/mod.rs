//! Ensembles of decision trees.

mod paths;
mod read;
pub(crate) mod scores;
mod walk;

pub(crate) use walk::Ensemble;

use self::read::Names;
use self::scores::Transform;
use super::linear::{count, features};
use super::{Build, Built, Io, Kernel, Making, Structure};
use crate::cost::Cost;
use crate::error::{Fault, Refusal};
use crate::tensor::{Dim, Element, Shape};

pub(crate) fn regressor(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let (features, rows) = features(build)?;
    let targets = count(build.int("n_targets")?.unwrap_or(1))?;
    let transform = Transform::read(build)?;
    transform.of_several(targets)?;
    let aggregate = match build.text("aggregate_function")?.unwrap_or("SUM") {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => return Err(Refusal::wrong(format!("`aggregate_function` is `{other}`"))),
    };
    let base = build.floats("base_values")?.unwrap_or_default().to_vec();
    if !base.is_empty() && base.len() != targets {
        let why = format!("{} base values for {targets} targets", base.len());
        return Err(Refusal::wrong(why));
    }
    let shape = build.shape(vec![rows, Dim::Fixed(targets)])?;
    let ensemble = read::ensemble(build, &Names::TARGETS, features, targets)?;
    let outputs = vec![(Element::F32, shape)];
    let kernel = Regressor {
        ensemble,
        aggregate,
        base,
        transform,
    };
    Ok(built(outputs, &kernel.ensemble.cost(), kernel))
}

pub(crate) fn classifier(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    build.refuse("classlabels_strings", "train with integer labels")?;
    let (features, rows) = features(build)?;
    let labels = build
        .ints("classlabels_int64s")?
        .unwrap_or_default()
        .to_vec();
    if labels.len() < 2 {
        return Err(Refusal::unsupported("fewer than two classes"));
    }
    let transform = Transform::read(build)?;
    let base = build.floats("base_values")?.unwrap_or_default().to_vec();
    let ensemble = read::ensemble(build, &Names::CLASSES, features, labels.len())?;
    let scoring = Scoring::new(&ensemble, labels.len(), &base, transform)?;
    let scores = build.shape(vec![rows, Dim::Fixed(labels.len())])?;
    let label = build.shape(vec![rows])?;
    let outputs = vec![
        (Element::I64, label),
        (Element::F32, scores.clone()),
        // Whether a class has a score at all.
        (Element::Bool, scores),
    ];
    let kernel = Classifier {
        ensemble,
        labels,
        base,
        transform,
        scoring,
    };
    Ok(built(outputs, &kernel.ensemble.cost(), kernel))
}

fn built(outputs: Vec<(Element, Shape)>, cost: &Cost, kernel: impl Kernel + 'static) -> Built {
    Built {
        outputs,
        making: Making::Kernel(Box::new(kernel)),
        cost: *cost,
        reads: 1,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

#[derive(Debug)]
struct Regressor {
    ensemble: Ensemble,
    aggregate: Aggregate,
    base: Vec<f32>,
    transform: Transform,
}

impl Kernel for Regressor {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let output = io.output::<f32>(0)?;
        match self.aggregate {
            Aggregate::Sum | Aggregate::Average => {
                output.fill(0.0);
                self.ensemble.add(input, output);
            }
            Aggregate::Min => {
                output.fill(f32::INFINITY);
                self.ensemble.put(input, output, f32::min);
            }
            Aggregate::Max => {
                output.fill(f32::NEG_INFINITY);
                self.ensemble.put(input, output, f32::max);
            }
        }
        let trees = self.ensemble.trees();
        for scores in output.chunks_exact_mut(self.ensemble.targets()) {
            for (at, score) in scores.iter_mut().enumerate() {
                let base = self.base.get(at).copied().unwrap_or_default();
                if self.aggregate == Aggregate::Average {
                    *score /= trees;
                }
                let extreme = matches!(self.aggregate, Aggregate::Min | Aggregate::Max);
                // No leaf that was reached has a weight for the target.
                let none = extreme && !score.is_finite();
                *score = if none { base } else { *score + base };
            }
            self.transform.apply(scores);
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        match self.aggregate {
            Aggregate::Sum | Aggregate::Average => Structure::Trees {
                ensemble: &self.ensemble,
                scale: if self.aggregate == Aggregate::Sum {
                    1.0
                } else {
                    self.ensemble.trees().recip()
                },
                base: &self.base,
                only: None,
            },
            Aggregate::Min | Aggregate::Max => Structure::Opaque,
        }
    }
}

/// How scores become two or more, and a label. The standard is silent on most of it; this is what
/// ONNX Runtime does, with which models are trained and tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scoring {
    /// More than two classes: the highest.
    Several,
    /// Two classes with weights of their own.
    Two,
    /// Two classes, and all weights are of the first: a score from 0 to 1, or one around 0.
    First { positive: bool },
    /// Two classes, and all weights are of the second.
    Second { positive: bool },
}

impl Scoring {
    fn new(
        ensemble: &Ensemble,
        classes: usize,
        base: &[f32],
        transform: Transform,
    ) -> Result<Self, Refusal> {
        let unclear = |what: &str| {
            let why = format!("{what}: runtimes differ in what they make of it");
            Err(Refusal::unsupported(why))
        };
        if classes > 2 {
            if !base.is_empty() && base.len() != classes {
                return unclear("base values for some classes alone");
            }
            return Ok(Self::Several);
        }
        let positive = ensemble.is_positive();
        match ensemble.only_target() {
            None if base.len() == 1 => unclear("one base value for two classes"),
            None if base.len() == 2 => unclear("base values for two classes with weights"),
            None => Ok(Self::Two),
            Some(0) if base.len() == 2 => unclear("two base values for weights of one class"),
            Some(0) if !matches!(transform, Transform::None | Transform::Logistic) => {
                unclear("SOFTMAX over weights of one class")
            }
            Some(0) => Ok(Self::First { positive }),
            Some(_) if !base.is_empty() => unclear("base values for weights of the second class"),
            Some(_) => Ok(Self::Second { positive }),
        }
    }
}

#[derive(Debug)]
struct Classifier {
    ensemble: Ensemble,
    labels: Vec<i64>,
    base: Vec<f32>,
    transform: Transform,
    scoring: Scoring,
}

impl Kernel for Classifier {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let (labels, scores, seen) = io.three_outputs::<i64, f32, bool>()?;
        scores.fill(0.0);
        if self.scoring == Scoring::Several {
            seen.fill(false);
            self.ensemble.add_seen(input, scores, seen);
        } else {
            self.ensemble.add(input, scores);
        }
        let classes = self.labels.len().max(1);
        let samples = scores
            .chunks_exact_mut(classes)
            .zip(seen.chunks_exact_mut(classes));
        for (label, (scores, seen)) in labels.iter_mut().zip(samples) {
            let best = self.finish(scores, seen);
            *label = self.labels.get(best).copied().unwrap_or_default();
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        let only = match self.scoring {
            Scoring::Several | Scoring::Two => None,
            Scoring::First { .. } => Some(0),
            Scoring::Second { .. } => Some(1),
        };
        Structure::Trees {
            ensemble: &self.ensemble,
            scale: 1.0,
            base: &self.base,
            only,
        }
    }
}

impl Classifier {
    /// Makes scores of sums; which class they speak for.
    fn finish(&self, scores: &mut [f32], seen: &mut [bool]) -> usize {
        let beyond = |score: f32, positive: bool| score > if positive { 0.5 } else { 0.0 };
        match (self.scoring, &mut *scores) {
            (Scoring::First { positive }, [no, yes]) => {
                let sum = *no + self.base.first().copied().unwrap_or_default();
                let is_second = beyond(sum, positive);
                (*no, *yes) = match (positive, self.transform) {
                    (_, Transform::Logistic) => (scores::logistic(-sum), scores::logistic(sum)),
                    (true, _) => (1.0 - sum, sum),
                    (false, _) => (-sum, sum),
                };
                usize::from(is_second)
            }
            (Scoring::Second { positive }, [_, sum]) => {
                let is_second = beyond(*sum, positive);
                self.transform.apply(scores);
                usize::from(is_second)
            }
            (Scoring::Two, [_, second]) => {
                let is_second = *second > 0.0;
                self.transform.apply(scores);
                usize::from(is_second)
            }
            (
                Scoring::Several | Scoring::Two | Scoring::First { .. } | Scoring::Second { .. },
                _,
            ) => {
                for ((score, seen), base) in scores.iter_mut().zip(&mut *seen).zip(&self.base) {
                    *score += base;
                    *seen = true;
                }
                let mut best = None;
                for (at, (score, seen)) in scores.iter().zip(&*seen).enumerate() {
                    if *seen && best.is_none_or(|(_, other)| *score > other) {
                        best = Some((at, *score));
                    }
                }
                self.transform.apply(scores);
                best.map_or(0, |(at, _)| at)
            }
        }
    }
}
