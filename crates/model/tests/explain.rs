//! What explanations tell adds up to the score, and names the elements that made it.
#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

#[path = "common/onnx.rs"]
mod onnx;

use std::path::Path;

use common::{Case, FIXTURES, List, cases};
use model::{Input, Limits, Method, Model, Target};
use onnx::{node, small, tensor};

fn case(name: &str) -> Case {
    let found = cases(Path::new(FIXTURES))
        .into_iter()
        .find(|case| case.name == name);
    found.unwrap()
}

/// For each sample, whether base and parts make the margin that the score stands for.
fn adds_up(name: &str, output: usize, element: usize, method: Method, margin: fn(f32) -> f32) {
    let case = case(name);
    let model = case.model();
    let mut scratch = model.scratch();
    let each = model.outputs()[output].shape.sample_len();
    for sample in 0..case.samples(&model) {
        let inputs = case.inputs(&model, sample, 1);
        let target = Target { output, element };
        let told = model
            .contributions(&inputs, target, &mut scratch)
            .unwrap()
            .unwrap();
        assert_eq!(told.method, method);
        let List::F32(scores) = &case.expected[output] else {
            panic!("scores are floats")
        };
        let score = margin(scores[sample * each + element]);
        assert!(
            (told.sum() - score).abs() < 2e-4 * score.abs().max(1.0),
            "{name}: {} {score}",
            told.sum()
        );
    }
}

fn same(score: f32) -> f32 {
    score
}

fn logit(score: f32) -> f32 {
    (score / (1.0 - score)).ln()
}

#[test]
fn contributions_add_up_to_the_margin() {
    adds_up("trees_sum_1", 0, 0, Method::Paths, same);
    adds_up("trees_sum_3", 0, 2, Method::Paths, same);
    adds_up("trees_average_1", 0, 0, Method::Paths, same);
    adds_up("trees_branch_eq", 0, 0, Method::Paths, same);
    adds_up("forest_2", 1, 1, Method::Paths, same);
    adds_up("lightgbm_2", 1, 1, Method::Paths, logit);
    adds_up("lightgbm_2", 1, 0, Method::Paths, logit);
    adds_up("xgboost_2", 1, 1, Method::Paths, logit);
    adds_up("classes_binary_base", 1, 1, Method::Paths, logit);
    adds_up("logistic_2", 1, 1, Method::Weights, logit);
    adds_up("scaled", 1, 1, Method::Weights, logit);
    // Its bias of 0.25 is added behind the sum.
    adds_up("gather_sum", 0, 0, Method::Terms, |score| {
        logit(score) - 0.25
    });
}

#[test]
fn parts_name_the_elements() {
    let case = case("gather_sum");
    let model = case.model();
    let mut scratch = model.scratch();
    let target = Target {
        output: 0,
        element: 0,
    };
    let ids = [5, 5, 0, 1, 2, 3, 4, 6];
    let told = model
        .contributions(&[Input::i64(&ids, 1)], target, &mut scratch)
        .unwrap()
        .unwrap();
    assert_eq!(told.parts.len(), 8);
    assert_eq!(told.parts[0].weight, told.parts[1].weight);
    assert_eq!((told.parts[7].input, told.parts[7].element), (0, 7));
}

#[test]
fn a_network_is_explained_by_occlusion() {
    let case = case("dense");
    let model = case.model();
    let mut scratch = model.scratch();
    let target = Target {
        output: 0,
        element: 0,
    };
    let (own, rest) = ([0.5, -1.0, 2.0, 0.0], [0.0; 4]);
    let inputs = [Input::f32(&own, 1)];
    assert_eq!(model.contributions(&inputs, target, &mut scratch), Ok(None));
    let told = model
        .occlusion(&inputs, &[Input::f32(&rest, 1)], target, &mut scratch)
        .unwrap();
    assert_eq!(told.method, Method::Occlusion);
    // The last element is that of the baseline.
    let elements: Vec<_> = told.parts.iter().map(|part| part.element).collect();
    assert_eq!(elements, [0, 1, 2]);
    let wrong = Target {
        output: 0,
        element: 1,
    };
    assert!(model.contributions(&inputs, wrong, &mut scratch).is_err());
}

#[test]
fn elements_behind_a_mixture_are_not_told() {
    let nodes = [
        node("Softmax", &["x"], &["s"]),
        node("MatMul", &["s", "w"], &["y"]),
    ];
    let bytes = small(&nodes, &[tensor("w", &[4, 1], &[1.0, 2.0, 3.0, 4.0])]);
    let model = Model::read(&bytes, &Limits::default()).unwrap();
    let target = Target {
        output: 0,
        element: 0,
    };
    let mut scratch = model.scratch();
    let told = model.contributions(&[Input::f32(&[1.0; 4], 1)], target, &mut scratch);
    assert_eq!(
        told,
        Ok(None),
        "a softmax takes of each element for the others"
    );
}
