//! Models with inputs and what ONNX Runtime says of them, as `models.py` writes them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "tests; each takes what it needs"
)]

use std::fs;
use std::path::{Path, PathBuf};

use model::{Element, Input, Limits, Model, Numbers};

/// The committed models.
pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models");
/// What makes them.
pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models.py");

/// A list of numbers in a file.
#[derive(Clone, Debug)]
pub(crate) enum List {
    F32(Vec<f32>),
    I64(Vec<i64>),
}

impl List {
    fn read(stem: &Path, part: &str) -> Option<Self> {
        let file = |kind: &str| fs::read(format!("{}.{part}.{kind}", stem.display())).ok();
        if let Some(bytes) = file("f32") {
            let (numbers, _) = bytes.as_chunks::<4>();
            return Some(Self::F32(
                numbers.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            ));
        }
        let bytes = file("i64")?;
        let (numbers, _) = bytes.as_chunks::<8>();
        Some(Self::I64(
            numbers.iter().map(|b| i64::from_le_bytes(*b)).collect(),
        ))
    }

    fn all(stem: &Path, side: &str) -> Vec<Self> {
        (0..)
            .map_while(|at| Self::read(stem, &format!("{side}{at}")))
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(list) => list.len(),
            Self::I64(list) => list.len(),
        }
    }

    /// The elements of some samples, as an input.
    pub(crate) fn input(&self, from: usize, count: usize, each: usize) -> Input<'_> {
        let range = from * each..(from + count) * each;
        match self {
            Self::F32(list) => Input::f32(&list[range], count),
            Self::I64(list) => Input::i64(&list[range], count),
        }
    }
}

/// A model with its inputs and the expected outputs.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) inputs: Vec<List>,
    pub(crate) expected: Vec<List>,
}

/// The cases of a folder, in the order of their names.
pub(crate) fn cases(folder: &Path) -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "onnx"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let stem = path.with_extension("");
            Case {
                name: stem.file_name().unwrap().to_string_lossy().into_owned(),
                bytes: fs::read(path).unwrap(),
                inputs: List::all(&stem, "in"),
                expected: List::all(&stem, "out"),
            }
        })
        .collect()
}

impl Case {
    pub(crate) fn model(&self) -> Model {
        let read = Model::read(&self.bytes, &Limits::default());
        read.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// How many samples there are.
    pub(crate) fn samples(&self, model: &Model) -> usize {
        let each = model.inputs()[0].shape.sample_len();
        self.inputs[0].len() / each
    }

    pub(crate) fn inputs(&self, model: &Model, from: usize, count: usize) -> Vec<Input<'_>> {
        let ports = model.inputs().iter();
        let inputs = ports.zip(&self.inputs);
        inputs
            .map(|(port, list)| list.input(from, count, port.shape.sample_len()))
            .collect()
    }

    /// Runs all samples in batches of `batch` and returns all outputs.
    pub(crate) fn run(&self, model: &Model, batch: usize) -> Vec<List> {
        let samples = self.samples(model);
        let mut scratch = model.scratch();
        let mut told: Vec<List> = model
            .outputs()
            .iter()
            .map(|port| match port.element {
                Element::F32 => List::F32(Vec::new()),
                Element::I64 => List::I64(Vec::new()),
                other => panic!("an output of {other}"),
            })
            .collect();
        for from in (0..samples).step_by(batch) {
            let count = batch.min(samples - from);
            let inputs = self.inputs(model, from, count);
            let outputs = model.run(&inputs, &mut scratch).unwrap();
            for (at, list) in told.iter_mut().enumerate() {
                match (list, outputs.get(at).unwrap()) {
                    (List::F32(list), Numbers::F32(more)) => list.extend(more),
                    (List::I64(list), Numbers::I64(more)) => list.extend(more),
                    _ => panic!("{}: another type than its port", self.name),
                }
            }
        }
        told
    }
}

/// The largest difference, and how many integers differ.
pub(crate) fn differences(name: &str, ours: &[List], theirs: &[List]) -> (f32, usize) {
    assert_eq!(ours.len(), theirs.len(), "{name}: outputs");
    let (mut most, mut other) = (0.0_f32, 0);
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.len(), theirs.len(), "{name}: elements");
        match (ours, theirs) {
            (List::F32(ours), List::F32(theirs)) => {
                for (a, b) in ours.iter().zip(theirs) {
                    // Of large numbers, 1e-5 of them.
                    let scale = b.abs().max(1.0);
                    let apart = if a.is_nan() && b.is_nan() || a == b {
                        0.0
                    } else {
                        (a - b).abs() / scale
                    };
                    most = most.max(if apart.is_nan() { f32::INFINITY } else { apart });
                }
            }
            (List::I64(ours), List::I64(theirs)) => {
                other += ours.iter().zip(theirs).filter(|(a, b)| a != b).count();
            }
            _ => panic!("{name}: other types"),
        }
    }
    (most, other)
}
