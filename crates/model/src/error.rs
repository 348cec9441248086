//! Why a model is refused, and why a run is.

use std::fmt;

/// A model that is refused. The fault is always its author's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    /// What kind of fault.
    pub kind: ErrorKind,
    /// Where: a byte of the file, or a node, a tensor, an input by its name.
    pub place: Box<str>,
    /// What is wrong there, and what mends it.
    pub why: Box<str>,
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl std::error::Error for ModelError {}

/// What kind of fault a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The bytes are no ONNX file: damaged, cut, or with a field that ONNX does not define.
    Wire,
    /// It says something twice, and readers differ in what they take.
    Ambiguous,
    /// It is larger, or would cost more, than a bound allows.
    Bound,
    /// ONNX that is not evaluated here: an operator, a type, a feature.
    Unsupported,
    /// It contradicts itself or the definition of an operator.
    Wrong,
    /// A weight, a threshold or another number is not finite.
    NotFinite,
}

/// A fault whose place is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: ErrorKind,
    pub(crate) why: Box<str>,
}

impl Refusal {
    pub(crate) fn new(kind: ErrorKind, why: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            why: why.into(),
        }
    }

    pub(crate) fn unsupported(why: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::Unsupported, why)
    }

    pub(crate) fn wrong(why: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::Wrong, why)
    }

    /// `what` is more than the bound called `name` allows.
    pub(crate) fn bound(what: &str, name: &str, max: impl fmt::Display) -> Self {
        let why = format!("{what}: more than {name} ({max}); a smaller model, or a higher bound");
        Self::new(ErrorKind::Bound, why)
    }

    pub(crate) fn at(self, place: impl Into<Box<str>>) -> ModelError {
        ModelError {
            kind: self.kind,
            place: place.into(),
            why: self.why,
        }
    }
}

/// Why a run is refused. The model is as good as before, and so is the scratch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Not as many inputs as the model has. The caller's fault.
    #[error("the model takes {expected} inputs, not {given}")]
    Inputs {
        /// How many the model has.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// An input of another type. The caller's fault.
    #[error("input `{input}` takes another type of element (see `Model::inputs`)")]
    Element {
        /// The input's name.
        input: Box<str>,
    },
    /// An input whose length does not fit its shape and the number of samples. The caller's fault.
    #[error("input `{input}` takes {expected} elements for this batch, not {given}")]
    Length {
        /// The input's name.
        input: Box<str>,
        /// Elements of that many samples.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// Inputs of several sizes of batch, none at all, more than the bound, or more than one for a
    /// model without a batch dimension. The caller's fault.
    #[error("a batch of {given}: it must be alike for all inputs, at least 1 and at most {max}")]
    Batch {
        /// How many samples were given.
        given: usize,
        /// How many the model takes at once.
        max: usize,
    },
    /// An index in the data is outside what it points into. The fault of the data or the model.
    #[error("node {node}: index {index} is outside a dimension of {size}")]
    Index {
        /// The node, by index and name.
        node: Box<str>,
        /// The index.
        index: i64,
        /// The dimension it points into.
        size: usize,
    },
    /// The target of an explanation does not exist. The caller's fault.
    #[error("the model has no such output to explain: output {output}, element {element}")]
    Target {
        /// The output.
        output: usize,
        /// The element of a sample in it.
        element: usize,
    },
    /// The scratch is another model's. The caller's fault.
    #[error("the scratch is of another model: take it from `Model::scratch` of this one")]
    Scratch,
}

/// What goes wrong in an operator over data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An index outside a dimension.
    Index { index: i64, size: usize },
    /// A buffer is not as planned: only another model's scratch can be so.
    Buffer,
}
