//! ONNX models: read strictly, evaluated within bounds, explained.
//!
//! A model comes from another party and ends up on the packet path. So [`Model::read`] is a reader of
//! our own, which refuses what it does not evaluate, by name, and what readers could take in two
//! ways; a closed set of operators (`ops`) computes in safe Rust. What a model costs is known before
//! its first run ([`Model::cost`]) and held against [`Limits`]; a run allocates nothing but its
//! outputs (and a list for a node of more than eight inputs), and no loop is longer than it said.
//!
//! The same bytes in give the same bits out, on every processor and in every batch: each sample is
//! computed as if it were alone, in one order, without the C library's mathematics.
//!
//! # Failure bias
//! A model that is refused judges nothing, and a run that is refused has no outputs: who asks decides
//! what follows. That scanning a model finds no backdoor that was trained into it is no fault of a
//! reader: what a model does must be watched before it may act.
//!
//! This crate is sans-IO: it takes bytes and numbers.
#![forbid(unsafe_code)]

mod cost;
mod error;
mod explain;
mod limits;
mod math;
mod model;
mod onnx;
mod ops;
mod plan;
mod tensor;

pub use cost::Cost;
pub use error::{ErrorKind, ModelError, RunError};
pub use explain::{Contribution, Contributions, Method, Target};
pub use limits::Limits;
pub use model::{Input, Model, Numbers, Outputs, Port, Scratch};
pub use tensor::{Dim, Element, Shape};

/// The operators that are evaluated: domain, name, and what of them.
pub fn operators() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    ops::OPERATORS.iter().map(|operator| {
        let domain = if operator.ml { "ai.onnx.ml" } else { "" };
        (domain, operator.name, operator.what)
    })
}
