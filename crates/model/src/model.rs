//! A model, and how it is run.

use smallvec::SmallVec;

use crate::cost::Cost;
use crate::error::{Fault, ModelError, RunError};
use crate::limits::Limits;
use crate::onnx;
use crate::plan::{Plan, Value};
use crate::tensor::{Element, Shape, Values, View};

/// A model that was read whole and costs no more than its limits.
#[derive(Debug)]
pub struct Model {
    pub(crate) plan: Plan,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    batch_max: usize,
}

/// An input or an output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: Box<str>,
    /// [`Element::F32`] or [`Element::I64`].
    pub element: Element,
    /// Its dimensions.
    pub shape: Shape,
}

/// An input of a run: the elements of all samples, one sample behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The elements.
    pub values: Numbers<'a>,
    /// How many samples they are.
    pub batch: usize,
}

/// Elements of an input or an output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Numbers<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// 64-bit integers.
    I64(&'a [i64]),
}

impl<'a> Input<'a> {
    /// Floats of so many samples.
    #[must_use]
    pub fn f32(values: &'a [f32], batch: usize) -> Self {
        let values = Numbers::F32(values);
        Self { values, batch }
    }

    /// Integers of so many samples.
    #[must_use]
    pub fn i64(values: &'a [i64], batch: usize) -> Self {
        let values = Numbers::I64(values);
        Self { values, batch }
    }
}

/// Buffers of runs of one model, used again and again. Nothing of a run stays in the next.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) buffers: Vec<Values>,
    outputs: Vec<Values>,
}

/// What a run found: one list for each output, in the order of [`Model::outputs`].
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    values: &'a [Values],
    batch: usize,
}

impl<'a> Outputs<'a> {
    /// How many samples were run.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// An output, all samples one behind the other.
    #[must_use]
    pub fn get(&self, output: usize) -> Option<Numbers<'a>> {
        match self.values.get(output)? {
            Values::F32(list) => Some(Numbers::F32(list)),
            Values::I64(list) => Some(Numbers::I64(list)),
            Values::F64(_) | Values::I32(_) | Values::Bool(_) => None,
        }
    }

    /// An output of floats.
    #[must_use]
    pub fn f32(&self, output: usize) -> Option<&'a [f32]> {
        match self.get(output)? {
            Numbers::F32(list) => Some(list),
            Numbers::I64(_) => None,
        }
    }

    /// An output of integers.
    #[must_use]
    pub fn i64(&self, output: usize) -> Option<&'a [i64]> {
        match self.get(output)? {
            Numbers::I64(list) => Some(list),
            Numbers::F32(_) => None,
        }
    }
}

impl Model {
    /// Reads an ONNX file.
    ///
    /// # Errors
    /// [`ModelError`] names what is wrong with it or not evaluated, and where.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, ModelError> {
        let plan = Plan::new(onnx::Model::read(bytes, limits)?, limits)?;
        let ports = |values: &[Value]| {
            let ports = values.iter().map(|value| Port {
                name: value.name.clone(),
                element: value.element,
                shape: value.shape.clone(),
            });
            ports.collect::<Vec<_>>()
        };
        let inputs = ports(&plan.inputs);
        let outputs = ports(&plan.outputs);
        let is_batched = inputs.iter().any(|port| port.shape.is_batched());
        let lens = outputs.iter().map(|port| port.shape.sample_len());
        let len = lens.fold(0_usize, usize::saturating_add);
        let fit = limits.output_elements_max.checked_div(len);
        let fit = fit.unwrap_or(limits.batch_max).min(limits.batch_max);
        Ok(Self {
            outputs,
            inputs,
            batch_max: if is_batched { fit.max(1) } else { 1 },
            plan,
        })
    }

    /// How many samples a run takes at most: 1 for a model without a batch dimension.
    #[must_use]
    pub fn batch_max(&self) -> usize {
        self.batch_max
    }

    /// The inputs, in the order in which runs take them.
    #[must_use]
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs.
    #[must_use]
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// What a run costs at most, whatever its data are.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.plan.cost
    }

    /// Buffers for runs of this model: as many bytes as [`Model::cost`] says, and room for the
    /// outputs of one sample.
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        let outputs = self
            .outputs
            .iter()
            .map(|port| Values::zeros(port.element, 0));
        Scratch {
            buffers: self.plan.buffers(),
            outputs: outputs.collect(),
        }
    }

    /// Runs the model over a batch of samples. Each sample's outputs are the same bits in any batch.
    ///
    /// # Errors
    /// [`RunError`] when the inputs do not fit the model, or an index among them points at nothing.
    pub fn run<'s>(
        &self,
        inputs: &[Input<'_>],
        scratch: &'s mut Scratch,
    ) -> Result<Outputs<'s>, RunError> {
        let batch = self.check(inputs)?;
        for values in &mut scratch.outputs {
            values.clear();
        }
        let mut start = 0;
        while start < batch {
            let samples = batch.saturating_sub(start).min(self.plan.chunk);
            let views = self.views(inputs, start, samples)?;
            let steps = self.plan.steps.len();
            self.plan
                .run(&views, &mut scratch.buffers, samples, steps)?;
            for (at, output) in self.plan.outputs.iter().enumerate() {
                let own = scratch.outputs.get_mut(at).ok_or(RunError::Scratch)?;
                // What does not depend on the batch is told once.
                if start > 0 && !output.shape.is_batched() {
                    continue;
                }
                let (source, shape) = (output.source, &output.shape);
                let view = self
                    .plan
                    .view(source, shape, &views, &scratch.buffers, samples);
                view.and_then(|view| own.append(view))
                    .map_err(|_fault: Fault| RunError::Scratch)?;
            }
            start = start.saturating_add(samples);
        }
        Ok(Outputs {
            values: &scratch.outputs,
            batch,
        })
    }

    /// Holds inputs against the model's; how many samples they are.
    pub(crate) fn check(&self, inputs: &[Input<'_>]) -> Result<usize, RunError> {
        if inputs.len() != self.inputs.len() {
            return Err(RunError::Inputs {
                expected: self.inputs.len(),
                given: inputs.len(),
            });
        }
        let batch = inputs.first().map_or(0, |input| input.batch);
        for (input, port) in inputs.iter().zip(&self.inputs) {
            if input.batch != batch || batch == 0 || batch > self.batch_max {
                return Err(RunError::Batch {
                    given: input.batch,
                    max: self.batch_max,
                });
            }
            let (element, given) = match input.values {
                Numbers::F32(list) => (Element::F32, list.len()),
                Numbers::I64(list) => (Element::I64, list.len()),
            };
            if element != port.element {
                let input = port.name.clone();
                return Err(RunError::Element { input });
            }
            let expected = port.shape.len(batch);
            if given != expected {
                return Err(RunError::Length {
                    input: port.name.clone(),
                    expected,
                    given,
                });
            }
        }
        Ok(batch)
    }

    /// The inputs of some samples.
    pub(crate) fn views<'a>(
        &self,
        inputs: &[Input<'a>],
        start: usize,
        samples: usize,
    ) -> Result<SmallVec<[View<'a>; 4]>, RunError> {
        let views = inputs.iter().zip(&self.inputs).map(|(input, port)| {
            let from = if port.shape.is_batched() {
                port.shape.len(start)
            } else {
                0
            };
            let to = from.saturating_add(port.shape.len(samples));
            match input.values {
                Numbers::F32(list) => list.get(from..to).map(View::F32),
                Numbers::I64(list) => list.get(from..to).map(View::I64),
            }
            .ok_or(RunError::Scratch)
        });
        views.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_a_model() {
        fn shared<T: Send + Sync>() {}
        shared::<Model>();
        shared::<Scratch>();
    }
}
