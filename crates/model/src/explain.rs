//! Why a score is what it is: how much each element of a sample had a part in it.

use crate::error::{Fault, RunError};
use crate::model::{Input, Model, Numbers, Scratch};
use crate::ops::Structure;
use crate::plan::Source;
use crate::tensor::{Element, View, narrow};

/// The score to explain: an element of a sample in an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which output.
    pub output: usize,
    /// Which element of a sample in it.
    pub element: usize,
}

/// How contributions were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Along the paths down decision trees: how each branch moved the mean of the leaves below.
    Paths,
    /// Weights times values of a linear model.
    Weights,
    /// The weight that each index looks up in a table that is summed.
    Terms,
    /// How the score falls when one element is put back to a baseline.
    Occlusion,
}

/// What one element of a sample has a part in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Which input of the model.
    pub input: usize,
    /// Which element of the sample in it.
    pub element: usize,
    /// How much it adds. But for [`Method::Occlusion`], in units of the sum before the last
    /// transform: the margin of a classifier, before its sigmoid or softmax.
    pub weight: f32,
}

/// Why a score is what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributions {
    /// How it was found.
    pub method: Method,
    /// The sum before any element has a part: a bias, the mean of the leaves, the score of the
    /// baseline.
    pub base: f32,
    /// The elements with a part, in their order. But for occlusion, they and the base make the sum.
    pub parts: Vec<Contribution>,
}

impl Contributions {
    /// The base and all parts: what the model's structure sums up.
    #[must_use]
    pub fn sum(&self) -> f32 {
        let parts = self.parts.iter().map(|part| f64::from(part.weight));
        narrow(f64::from(self.base) + parts.sum::<f64>())
    }
}

/// Where the sum behind a score is made.
struct Found<'a> {
    structure: Structure<'a>,
    step: usize,
    /// The input of the model whose elements it sums.
    input: usize,
}

impl Model {
    /// Explains a score of one sample by the model's own structure: trees, a linear model, or a sum
    /// over weights that are looked up. `None` where the score is none of these, or not of the
    /// elements of an input directly; [`Model::occlusion`] then tells something all the same.
    ///
    /// # Errors
    /// [`RunError`] as for a run, of one sample.
    pub fn contributions(
        &self,
        inputs: &[Input<'_>],
        target: Target,
        scratch: &mut Scratch,
    ) -> Result<Option<Contributions>, RunError> {
        self.one(inputs, target)?;
        let Some(found) = self.find(target) else {
            return Ok(None);
        };
        let views = self.views(inputs, 0, 1)?;
        self.plan.run(&views, &mut scratch.buffers, 1, found.step)?;
        let Some(step) = self.plan.steps.get(found.step) else {
            return Ok(None);
        };
        let Some(Some((source, shape))) = step.inputs.first() else {
            return Ok(None);
        };
        let view = self.plan.view(*source, shape, &views, &scratch.buffers, 1);
        let view = view.map_err(|_fault: Fault| RunError::Scratch)?;
        let View::F32(row) = view else {
            return Ok(None);
        };
        Ok(found.tell(row, target.element))
    }

    /// Explains a score of one sample by putting back one element of the inputs after the other to a
    /// baseline, for example the median of benign traffic. It takes a run for each element.
    ///
    /// # Errors
    /// [`RunError`] as for a run, of one sample, and of the baseline.
    pub fn occlusion(
        &self,
        inputs: &[Input<'_>],
        baseline: &[Input<'_>],
        target: Target,
        scratch: &mut Scratch,
    ) -> Result<Contributions, RunError> {
        self.one(inputs, target)?;
        self.one(baseline, target)?;
        let whole = self.score(inputs, target, scratch)?;
        let base = self.score(baseline, target, scratch)?;
        let mut parts = Vec::new();
        for (input, (own, other)) in inputs.iter().zip(baseline).enumerate() {
            let mut told = |element, changed: Numbers<'_>| {
                let mut inputs = inputs.to_vec();
                if let Some(place) = inputs.get_mut(input) {
                    place.values = changed;
                }
                let without = self.score(&inputs, target, scratch)?;
                let weight = whole - without;
                if weight != 0.0 {
                    parts.push(Contribution {
                        input,
                        element,
                        weight,
                    });
                }
                Ok::<_, RunError>(())
            };
            match (own.values, other.values) {
                (Numbers::F32(own), Numbers::F32(other)) => {
                    changes(own, other, |at, list| told(at, Numbers::F32(list)))?;
                }
                (Numbers::I64(own), Numbers::I64(other)) => {
                    changes(own, other, |at, list| told(at, Numbers::I64(list)))?;
                }
                (Numbers::F32(_) | Numbers::I64(_), _) => {}
            }
        }
        Ok(Contributions {
            method: Method::Occlusion,
            base,
            parts,
        })
    }

    /// Refuses other than one sample, and a target that is not there.
    fn one(&self, inputs: &[Input<'_>], target: Target) -> Result<(), RunError> {
        let batch = self.check(inputs)?;
        if batch != 1 {
            return Err(RunError::Batch {
                given: batch,
                max: 1,
            });
        }
        let output = self.outputs().get(target.output);
        let output = output.filter(|port| port.element == Element::F32);
        match output {
            Some(port) if target.element < port.shape.sample_len() => Ok(()),
            Some(_) | None => Err(RunError::Target {
                output: target.output,
                element: target.element,
            }),
        }
    }

    fn score(
        &self,
        inputs: &[Input<'_>],
        target: Target,
        scratch: &mut Scratch,
    ) -> Result<f32, RunError> {
        let outputs = self.run(inputs, scratch)?;
        let list = outputs.f32(target.output).unwrap_or_default();
        list.get(target.element).copied().ok_or(RunError::Target {
            output: target.output,
            element: target.element,
        })
    }

    /// From an output back to the sum behind it, and from there to an input of the model.
    fn find(&self, target: Target) -> Option<Found<'_>> {
        let output = self.plan.outputs.get(target.output)?;
        let len = output.shape.sample_len();
        let mut source = output.source;
        loop {
            let Source::Step { step, output } = source else {
                return None;
            };
            let own = self.plan.steps.get(step)?;
            let structure = own.kernel.structure();
            let place = own.outputs.get(output)?;
            if place.shape.sample_len() != len {
                return None;
            }
            let first = own
                .inputs
                .first()
                .and_then(Option::as_ref)
                .map(|(source, _)| *source);
            match structure {
                Structure::Elementwise(at) => {
                    source = own.inputs.get(at)?.as_ref()?.0;
                }
                Structure::Weighed => source = first?,
                Structure::Opaque | Structure::Looked => return None,
                // One sum for each sample: of several rows nothing is told.
                Structure::Weighted(weights) if weights.columns() != len => return None,
                Structure::Weighted(_) | Structure::Trees { .. } => {
                    let input = self.elements_of(first?)?;
                    return Some(Found {
                        structure,
                        step,
                        input,
                    });
                }
                Structure::Summed => {
                    let input = self.indices_of(first?)?;
                    return Some(Found {
                        structure,
                        step,
                        input,
                    });
                }
            }
        }
    }

    /// The input of the model whose elements a source has, one by one.
    fn elements_of(&self, mut source: Source) -> Option<usize> {
        loop {
            match source {
                Source::Input(input) => return Some(input),
                Source::Constant(_) => return None,
                Source::Step { step, .. } => {
                    let own = self.plan.steps.get(step)?;
                    let Structure::Elementwise(at) = own.kernel.structure() else {
                        return None;
                    };
                    source = own.inputs.get(at)?.as_ref()?.0;
                }
            }
        }
    }

    /// The input of the model whose elements are looked up for a source, one by one.
    fn indices_of(&self, source: Source) -> Option<usize> {
        let Source::Step { step, .. } = source else {
            return self.elements_of(source);
        };
        let own = self.plan.steps.get(step)?;
        match own.kernel.structure() {
            Structure::Looked => self.elements_of(own.inputs.get(1)?.as_ref()?.0),
            Structure::Opaque
            | Structure::Elementwise(_)
            | Structure::Weighed
            | Structure::Weighted(_)
            | Structure::Trees { .. }
            | Structure::Summed => self.elements_of(source),
        }
    }
}

impl Found<'_> {
    /// What each element of a row adds to one of the sums.
    fn tell(&self, row: &[f32], element: usize) -> Option<Contributions> {
        let input = self.input;
        let part = |element, weight| Contribution {
            input,
            element,
            weight,
        };
        match self.structure {
            Structure::Trees {
                ensemble,
                scale,
                base,
                only,
            } => {
                let (class, sign) = match only {
                    Some(class) => (class, if element == 0 { -1.0 } else { 1.0 }),
                    None => (u32::try_from(element).unwrap_or(u32::MAX), 1.0),
                };
                let own = usize::try_from(class).ok().and_then(|at| base.get(at));
                let own = f64::from(own.copied().unwrap_or_default());
                let told = ensemble.explain(row, class);
                let parts = told.parts.iter().enumerate();
                let parts = parts.filter(|(_, weight)| **weight != 0.0);
                let scaled = |weight: f64| weight * f64::from(scale) * sign;
                Some(Contributions {
                    method: Method::Paths,
                    base: narrow(scaled(told.base) + own * sign),
                    parts: parts
                        .map(|(at, weight)| part(at, narrow(scaled(*weight))))
                        .collect(),
                })
            }
            Structure::Weighted(weights) => {
                let parts = row.iter().zip(weights.column(element)).enumerate();
                let parts = parts.map(|(at, (value, weight))| part(at, value * weight));
                Some(Contributions {
                    method: Method::Weights,
                    base: weights.bias(element).unwrap_or_default(),
                    parts: parts.filter(|part| part.weight != 0.0).collect(),
                })
            }
            Structure::Summed => {
                let parts = row.iter().enumerate();
                let parts = parts.map(|(at, weight)| part(at, *weight));
                Some(Contributions {
                    method: Method::Terms,
                    base: 0.0,
                    parts: parts.collect(),
                })
            }
            Structure::Opaque
            | Structure::Elementwise(_)
            | Structure::Weighed
            | Structure::Looked => None,
        }
    }
}

/// Tells a list with each element that differs put to the other's, one at a time.
fn changes<T: Copy + PartialEq>(
    own: &[T],
    other: &[T],
    mut tell: impl FnMut(usize, &[T]) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut list = own.to_vec();
    for (at, (mine, theirs)) in own.iter().zip(other).enumerate() {
        if mine == theirs {
            continue;
        }
        if let Some(place) = list.get_mut(at) {
            *place = *theirs;
        }
        tell(at, &list)?;
        if let Some(place) = list.get_mut(at) {
            *place = *mine;
        }
    }
    Ok(())
}
