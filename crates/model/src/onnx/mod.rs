//! ONNX files, read into borrowed messages.
//!
//! Of each message of onnx.proto (IR versions 3 to 12) a reader takes the fields that evaluation
//! needs, skips those that say nothing to it (`doc_string`, `metadata_props`, the producer), and
//! refuses the rest by name. The messages that are taken nest five deep and none holds itself, so
//! that there is no recursion to bound: what could hold a graph in a graph is refused.

mod graph;
mod node;
mod tensor;
mod wire;

pub(crate) use graph::{Declared, Model};
pub(crate) use node::{Node, Value};
pub(crate) use tensor::{TensorMessage, element_of};
pub(crate) use wire::Message;
