//! What running a model costs, known before it runs.

use crate::error::Refusal;
use crate::limits::Limits;

/// What a model costs: a bound for every input, told when it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-adds, or comparable work on one element, for one sample.
    pub multiply_adds: u64,
    /// Steps down decision trees for one sample, if each path were the longest.
    pub tree_steps: u64,
    /// Bytes that a [`Scratch`](crate::Scratch) holds, its outputs apart.
    pub scratch_bytes: usize,
    /// Bytes of outputs for each sample of a run.
    pub output_bytes: usize,
    /// Bytes of weights, thresholds and tables.
    pub constant_bytes: usize,
}

impl Cost {
    /// Bytes of weights and buffers together.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.constant_bytes.saturating_add(self.scratch_bytes)
    }

    pub(crate) fn work(elements: usize) -> Self {
        Self {
            multiply_adds: u64::try_from(elements).unwrap_or(u64::MAX),
            ..Self::default()
        }
    }

    /// Adds the work of a node, and refuses what is too much.
    pub(crate) fn add(&mut self, more: &Self, limits: &Limits) -> Result<(), Refusal> {
        self.multiply_adds = self.multiply_adds.saturating_add(more.multiply_adds);
        self.tree_steps = self.tree_steps.saturating_add(more.tree_steps);
        self.constant_bytes = self.constant_bytes.saturating_add(more.constant_bytes);
        if self.multiply_adds > limits.multiply_adds_max {
            let (what, max) = ("work for one sample", limits.multiply_adds_max);
            return Err(Refusal::bound(what, "multiply_adds_max", max));
        }
        if self.tree_steps > limits.tree_steps_max {
            let (what, max) = ("steps down trees for one sample", limits.tree_steps_max);
            return Err(Refusal::bound(what, "tree_steps_max", max));
        }
        Ok(())
    }
}
