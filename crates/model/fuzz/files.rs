//! What must hold of any file. Fuzzers and a test look at it.
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

use model::{Element, Input, Limits, Model};

/// So small that a fuzzer goes on.
const LIMITS: Limits = Limits {
    bytes_max: 1 << 20,
    nodes_max: 64,
    ports_max: 16,
    rank_max: 6,
    dim_max: 1 << 12,
    constants_max: 1 << 16,
    attributes_max: 32,
    attribute_list_max: 1 << 12,
    text_max: 64,
    tree_nodes_max: 1 << 12,
    elements_max: 1 << 14,
    multiply_adds_max: 1 << 20,
    tree_steps_max: 1 << 14,
    batch_max: 16,
    output_elements_max: 1 << 18,
};

/// Reads a file and, if it is a model, runs it over numbers of all kinds; whether it is one. A sample
/// is the same bits alone and among others, and what was told of the cost holds.
pub(crate) fn run(bytes: &[u8]) -> bool {
    let model = match Model::read(bytes, &LIMITS) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.place.is_empty() && !error.why.is_empty());
            return false;
        }
    };
    let cost = model.cost();
    assert!(cost.multiply_adds <= LIMITS.multiply_adds_max);
    assert!(cost.tree_steps <= LIMITS.tree_steps_max);
    let batched = model.inputs().iter().any(|port| port.shape.is_batched());
    let batch = if batched { 9 } else { 1 };
    let mut scratch = model.scratch();
    let (floats, integers) = numbers(&model, batch);
    let whole = told(&model, &mut scratch, &floats, &integers, 0, batch);
    let mut alone = Vec::new();
    for sample in 0..batch {
        alone.push(told(&model, &mut scratch, &floats, &integers, sample, 1));
    }
    // An index outside its table ends a run, whichever sample has it.
    let Some(whole) = whole else {
        assert!(alone.iter().any(Option::is_none));
        return true;
    };
    for (at, port) in model.outputs().iter().enumerate() {
        let len = port.shape.sample_len();
        for (sample, alone) in alone.iter().enumerate() {
            let alone = alone.as_ref().map(|outputs| outputs[at].as_slice());
            let from = if port.shape.is_batched() {
                sample * len
            } else {
                0
            };
            assert_eq!(
                alone,
                Some(&whole[at][from..from + len]),
                "the same bits in any batch"
            );
        }
    }
    true
}

/// Inputs for so many samples: what is usual, and what is at the edge.
fn numbers(model: &Model, batch: usize) -> (Vec<Vec<f32>>, Vec<Vec<i64>>) {
    let floats = [
        0.0,
        -0.0,
        1.5,
        -2.5,
        f32::NAN,
        f32::INFINITY,
        -f32::INFINITY,
        1e-40,
        f32::MAX,
        0.3,
    ];
    let integers = [0, 1, 2, -1, 3, 0, 1];
    let len = |shape: &model::Shape| {
        let samples = if shape.is_batched() { batch } else { 1 };
        shape.sample_len() * samples
    };
    let ports = model.inputs();
    (
        ports
            .iter()
            .map(|port| {
                floats
                    .iter()
                    .copied()
                    .cycle()
                    .take(len(&port.shape))
                    .collect()
            })
            .collect(),
        ports
            .iter()
            .map(|port| {
                integers
                    .iter()
                    .copied()
                    .cycle()
                    .take(len(&port.shape))
                    .collect()
            })
            .collect(),
    )
}

/// The outputs' bits for some samples.
fn told(
    model: &Model,
    scratch: &mut model::Scratch,
    floats: &[Vec<f32>],
    integers: &[Vec<i64>],
    from: usize,
    batch: usize,
) -> Option<Vec<Vec<u64>>> {
    let ports = model.inputs().iter().enumerate();
    let inputs: Vec<_> = ports
        .map(|(at, port)| {
            let len = port.shape.sample_len();
            let range = if port.shape.is_batched() {
                from * len..(from + batch) * len
            } else {
                0..len
            };
            match port.element {
                Element::I64 => Input::i64(&integers[at][range], batch),
                _ => Input::f32(&floats[at][range], batch),
            }
        })
        .collect();
    let outputs = model.run(&inputs, scratch).ok()?;
    let lists = (0..model.outputs().len()).map(|at| match outputs.f32(at) {
        // Which NaN it is, nobody asks.
        Some(list) => list
            .iter()
            .map(|value| {
                if value.is_nan() {
                    1
                } else {
                    u64::from(value.to_bits())
                }
            })
            .collect(),
        None => outputs
            .i64(at)
            .unwrap()
            .iter()
            .map(|value| value.cast_unsigned())
            .collect(),
    });
    Some(lists.collect())
}
