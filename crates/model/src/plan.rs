//! From a graph to steps over buffers of known sizes.

mod graph;
mod slots;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::cost::Cost;
use crate::error::{Fault, ModelError, RunError};
use crate::limits::Limits;
use crate::onnx;
use crate::ops::{Io, Kernel};
use crate::tensor::{Element, Shape, Values, View};

/// Scratch that a run should not pass, so that it stays in the processor's cache.
const CHUNK_BYTES: usize = 128 * 1024;
/// Most samples that are computed at once.
const CHUNK_MAX: usize = 64;

/// What a run does, step by step.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
    pub(crate) steps: Vec<Step>,
    pub(crate) constants: Vec<Arc<Values>>,
    pub(crate) slots: Vec<Slot>,
    /// How many samples are computed at once.
    pub(crate) chunk: usize,
    pub(crate) cost: Cost,
}

/// An input or an output of the model.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) name: Box<str>,
    pub(crate) element: Element,
    pub(crate) shape: Shape,
    pub(crate) source: Source,
}

/// Where elements stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In an input of the model.
    Input(usize),
    /// In a constant.
    Constant(usize),
    /// In an output of a step.
    Step {
        /// Which step.
        step: usize,
        /// Which of its outputs.
        output: usize,
    },
}

/// One node.
#[derive(Debug)]
pub(crate) struct Step {
    /// By index, operator and name, for errors.
    pub(crate) name: Box<str>,
    pub(crate) kernel: Box<dyn Kernel>,
    /// `None` for an optional input that is left out, or that the kernel does not read.
    pub(crate) inputs: Vec<Option<(Source, Shape)>>,
    pub(crate) outputs: Vec<Place>,
}

/// Where an output of a step goes.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) element: Element,
    pub(crate) shape: Shape,
    pub(crate) slot: usize,
}

/// A buffer that outputs of steps share, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) element: Element,
    /// Elements for one sample.
    pub(crate) sample: usize,
    /// Elements that do not grow with the samples.
    pub(crate) fixed: usize,
}

impl Slot {
    pub(crate) fn len(&self, samples: usize) -> usize {
        self.sample.saturating_mul(samples).max(self.fixed)
    }
}

impl Plan {
    /// Plans a graph, or says what is wrong with it.
    pub(crate) fn new(model: onnx::Model<'_>, limits: &Limits) -> Result<Self, ModelError> {
        let (mut plan, sizes) = graph::plan(model, limits)?;
        plan.slots = slots::assign(&mut plan);
        let bytes = |samples| {
            let sizes = plan.slots.iter().map(|slot| {
                let len = slot.len(samples);
                len.saturating_mul(slot.element.bytes())
            });
            sizes.fold(0_usize, usize::saturating_add)
        };
        let elements = plan.slots.iter().map(|slot| slot.len(1));
        let elements = elements.fold(sizes, usize::saturating_add);
        if elements > limits.elements_max {
            let (what, max) = ("values of one sample", limits.elements_max);
            let refusal = crate::error::Refusal::bound(what, "elements_max", max);
            return Err(refusal.at("the graph"));
        }
        let fit = CHUNK_BYTES.checked_div(bytes(1)).unwrap_or(CHUNK_MAX);
        plan.chunk = fit.clamp(1, CHUNK_MAX);
        plan.cost.scratch_bytes = bytes(plan.chunk);
        plan.cost.output_bytes = plan.outputs.iter().fold(0, |sum: usize, output| {
            let len = output.shape.sample_len();
            sum.saturating_add(len.saturating_mul(output.element.bytes()))
        });
        let kept = plan.constants.iter().fold(0, |sum: usize, values| {
            sum.saturating_add(values.len().saturating_mul(values.element().bytes()))
        });
        plan.cost.constant_bytes = plan.cost.constant_bytes.saturating_add(kept);
        Ok(plan)
    }

    /// Buffers for so many samples as are computed at once.
    pub(crate) fn buffers(&self) -> Vec<Values> {
        let slots = self.slots.iter();
        slots
            .map(|slot| Values::zeros(slot.element, slot.len(self.chunk)))
            .collect()
    }

    /// Runs the first `steps` steps over some samples, at most a chunk of them.
    pub(crate) fn run(
        &self,
        inputs: &[View<'_>],
        buffers: &mut [Values],
        samples: usize,
        steps: usize,
    ) -> Result<(), RunError> {
        for step in self.steps.iter().take(steps) {
            self.step(step, inputs, buffers, samples)
                .map_err(|fault| match fault {
                    Fault::Index { index, size } => RunError::Index {
                        node: step.name.clone(),
                        index,
                        size,
                    },
                    Fault::Buffer => RunError::Scratch,
                })?;
        }
        Ok(())
    }

    fn step(
        &self,
        step: &Step,
        inputs: &[View<'_>],
        buffers: &mut [Values],
        samples: usize,
    ) -> Result<(), Fault> {
        // The outputs are taken out of the buffers, so that inputs can be looked at beside them.
        let mut outputs: SmallVec<[Values; 4]> = SmallVec::new();
        let mut lens: SmallVec<[usize; 4]> = SmallVec::new();
        for place in &step.outputs {
            let buffer = buffers.get_mut(place.slot).ok_or(Fault::Buffer)?;
            outputs.push(std::mem::replace(buffer, Values::F32(Vec::new())));
            lens.push(place.shape.len(samples));
        }
        let views: Result<SmallVec<[View<'_>; 8]>, Fault> = step
            .inputs
            .iter()
            .map(|input| match input {
                Some((source, shape)) => self.view(*source, shape, inputs, buffers, samples),
                None => Ok(View::F32(&[])),
            })
            .collect();
        let done = views.and_then(|views| {
            step.kernel.run(&mut Io {
                inputs: &views,
                outputs: &mut outputs,
                lens: &lens,
            })
        });
        for (place, values) in step.outputs.iter().zip(outputs) {
            if let Some(buffer) = buffers.get_mut(place.slot) {
                *buffer = values;
            }
        }
        done
    }

    /// The elements of a source for some samples.
    pub(crate) fn view<'a>(
        &'a self,
        source: Source,
        shape: &Shape,
        inputs: &[View<'a>],
        buffers: &'a [Values],
        samples: usize,
    ) -> Result<View<'a>, Fault> {
        let len = shape.len(samples);
        match source {
            Source::Input(at) => inputs.get(at).copied(),
            Source::Constant(at) => self.constants.get(at).and_then(|values| values.view(len)),
            Source::Step { step, output } => {
                let step = self.steps.get(step).ok_or(Fault::Buffer)?;
                let place = step.outputs.get(output).ok_or(Fault::Buffer)?;
                buffers.get(place.slot).and_then(|values| values.view(len))
            }
        }
        .ok_or(Fault::Buffer)
    }
}
