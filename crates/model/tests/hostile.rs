//! Files that were made to be taken wrongly: each is refused, with where and why.
#![expect(clippy::panic, reason = "tests")]

#[path = "common/onnx.rs"]
mod onnx;

use model::{ErrorKind, Input, Limits, Model, RunError};
use onnx::{
    Message, file, floats, graph, int, integers, ints, message, ml_node, node, small, tensor,
    texts, value, with,
};

#[track_caller]
fn refused(bytes: &[u8], kind: ErrorKind, told: &str) {
    match Model::read(bytes, &Limits::default()) {
        Ok(_) => panic!("taken: {told}"),
        Err(error) => {
            assert!(error.to_string().contains(told), "{error}, not {told}");
            assert_eq!(error.kind, kind, "{error}");
        }
    }
}

fn relu() -> Message {
    node("Relu", &["x"], &["y"])
}

/// The weights of `x` [N, 4] to `y` [N, 1].
fn product() -> Message {
    node("MatMul", &["x", "w"], &["y"])
}

#[test]
fn a_small_file_is_taken() {
    let bytes = small(&[product()], &[tensor("w", &[4, 1], &[1.0, 2.0, 3.0, 4.0])]);
    let model = Model::read(&bytes, &Limits::default()).unwrap();
    let input = [Input::f32(&[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 2.0], 2)];
    let mut scratch = model.scratch();
    let outputs = model.run(&input, &mut scratch).unwrap();
    assert_eq!(outputs.f32(0), Some(&[10.0, 8.0][..]));
    assert_eq!(model.outputs()[0].shape.to_string(), "[N, 1]");
}

#[test]
fn two_sets_of_weights_are_one_too_many() {
    let raw: Vec<u8> = [9.0_f32; 4]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let weights = [1.0, 2.0, 3.0, 4.0];
    for double in [
        tensor("w", &[4, 1], &weights).bytes(9, &raw),
        tensor("w", &[4, 1], &weights).bytes(9, &[]),
        tensor("w", &[4, 1], &weights).int(7, 1),
        message()
            .int(1, 4)
            .int(2, 1)
            .bytes(9, &raw)
            .bytes(9, &raw)
            .text(8, "w"),
    ] {
        refused(
            &small(&[product()], &[double]),
            ErrorKind::Ambiguous,
            "more than one field",
        );
    }
    let twice = tensor("w", &[4, 1], &weights).text(8, "w");
    refused(
        &small(&[product()], &[twice]),
        ErrorKind::Ambiguous,
        "name twice",
    );
    let both = [
        tensor("w", &[4, 1], &weights),
        tensor("w", &[4, 1], &[9.0; 4]),
    ];
    refused(
        &small(&[product()], &both),
        ErrorKind::Ambiguous,
        "`w` twice",
    );
    // In a Constant it is the same tensor.
    let held = message()
        .text(1, "value")
        .message(5, &tensor("", &[4, 1], &weights).bytes(9, &raw));
    let constant = with(node("Constant", &[], &["w"]), &held.int(20, 4));
    refused(
        &small(&[constant, product()], &[]),
        ErrorKind::Ambiguous,
        "more than one field",
    );
    let two = with(relu(), &int("a", 1).float(2, 1.0));
    refused(&small(&[two], &[]), ErrorKind::Ambiguous, "several fields");
    let again = with(with(relu(), &int("a", 1)), &int("a", 2));
    refused(
        &small(&[again], &[]),
        ErrorKind::Ambiguous,
        "the attribute `a` twice",
    );
}

#[test]
fn nothing_stands_outside_of_the_file() {
    let weights = [1.0, 2.0, 3.0, 4.0];
    let outside = message().text(1, "location").text(2, "/etc/passwd");
    let external = tensor("w", &[4, 1], &weights).message(13, &outside);
    refused(
        &small(&[product()], &[external]),
        ErrorKind::Unsupported,
        "external_data",
    );
    let location = tensor("w", &[4, 1], &weights).int(14, 1);
    refused(
        &small(&[product()], &[location]),
        ErrorKind::Unsupported,
        "data_location",
    );
    let whole = || {
        file(&graph([
            &[relu()],
            &[],
            &[value("x", 1, &[0, 4])],
            &[message().text(1, "y")],
        ]))
    };
    for (field, told) in [
        (20, "training_info"),
        (25, "functions"),
        (26, "configuration"),
    ] {
        let more = whole().message(field, &message());
        refused(&more.0, ErrorKind::Unsupported, told);
    }
    let domain = whole().message(8, &message().text(1, "com.example").int(2, 1));
    refused(&domain.0, ErrorKind::Unsupported, "com.example");
    let version = whole().message(8, &message().text(1, "").int(2, 16));
    refused(&version.0, ErrorKind::Ambiguous, "two versions");
    let far = whole().message(8, &message().text(1, "").int(2, 999));
    refused(&far.0, ErrorKind::Unsupported, "999");
    refused(
        &whole().int(1, 8).0,
        ErrorKind::Ambiguous,
        "ir_version twice",
    );
    refused(&whole().int(77, 8).0, ErrorKind::Wire, "field 77");
    let again = whole().message(7, &message());
    refused(&again.0, ErrorKind::Ambiguous, "graph twice");
}

#[test]
fn what_is_not_evaluated_is_named() {
    let unknown = with(node("Loop", &["x"], &["y"]), &int("a", 1));
    refused(
        &small(&[unknown], &[]),
        ErrorKind::Unsupported,
        "`Loop` is not evaluated",
    );
    let body = message().text(1, "body").message(6, &message()).int(20, 5);
    refused(
        &small(&[with(relu(), &body)], &[]),
        ErrorKind::Unsupported,
        "a graph in an attribute",
    );
    let foreign = relu().text(7, "com.example");
    refused(
        &small(&[foreign], &[]),
        ErrorKind::Unsupported,
        "com.example",
    );
    let more = with(relu(), &int("secret", 1));
    refused(&small(&[more], &[]), ErrorKind::Unsupported, "`secret`");
    let sparse = graph([
        &[relu()],
        &[],
        &[value("x", 1, &[0, 4])],
        &[message().text(1, "y")],
    ]);
    refused(
        &file(&sparse.message(15, &message())).0,
        ErrorKind::Unsupported,
        "sparse_initializer",
    );
    let text = value("x", 8, &[0, 4]);
    let bytes = file(&graph([&[relu()], &[], &[text], &[message().text(1, "y")]])).0;
    refused(&bytes, ErrorKind::Unsupported, "strings");
    let varying = value("x", 1, &[0, 0]);
    let bytes = file(&graph([
        &[relu()],
        &[],
        &[varying],
        &[message().text(1, "y")],
    ]))
    .0;
    refused(&bytes, ErrorKind::Unsupported, "axis 1 has no fixed size");
}

#[test]
fn graphs_are_lists_of_steps() {
    let circle = [
        node("Add", &["x", "b"], &["a"]),
        node("Relu", &["a"], &["b"]),
        relu(),
    ];
    refused(
        &small(&circle, &[]),
        ErrorKind::Wrong,
        "`b` is not there yet",
    );
    let own = [node("Add", &["x", "y"], &["y"])];
    refused(&small(&own, &[]), ErrorKind::Wrong, "`y` is not there yet");
    let twice = [relu(), relu()];
    refused(&small(&twice, &[]), ErrorKind::Ambiguous, "`y` twice");
    let nowhere = [node("Relu", &["x"], &["z"])];
    refused(&small(&nowhere, &[]), ErrorKind::Wrong, "no node makes it");
    refused(
        &small(&[node("Relu", &[], &["y"])], &[]),
        ErrorKind::Wrong,
        "no input 0",
    );
    let many = node("Relu", &["x"], &["y", "z"]);
    refused(
        &small(&[many], &[]),
        ErrorKind::Unsupported,
        "2 outputs, 1 are evaluated",
    );
}

#[test]
fn shapes_fit_or_are_refused() {
    let w = |dims: &[i64], count: usize| tensor("w", dims, &vec![1.0; count]);
    refused(
        &small(&[product()], &[w(&[3, 1], 3)]),
        ErrorKind::Wrong,
        "do not fit",
    );
    refused(
        &small(&[product()], &[w(&[4, 1], 3)]),
        ErrorKind::Wrong,
        "3 values for a shape of 4",
    );
    refused(
        &small(&[product()], &[w(&[-4, 1], 4)]),
        ErrorKind::Wrong,
        "a dimension of -4",
    );
    let huge = w(&[i64::MAX, 1], 4);
    refused(&small(&[product()], &[huge]), ErrorKind::Bound, "dim_max");
    let wide = w(&[1 << 20, 1 << 20, 1 << 20, 1 << 20], 0);
    refused(
        &small(&[product()], &[wide]),
        ErrorKind::Bound,
        "constants_max",
    );
    let deep = w(&[1; 30], 1);
    refused(&small(&[product()], &[deep]), ErrorKind::Bound, "rank_max");
}

#[test]
fn samples_do_not_see_each_other() {
    let reshape = |to: &[i64]| {
        let shape = integers("s", &[i64::try_from(to.len()).unwrap()], to);
        small(&[node("Reshape", &["x", "s"], &["y"])], &[shape])
    };
    refused(&reshape(&[0, 5]), ErrorKind::Wrong, "cannot be taken as");
    refused(&reshape(&[-1, -1]), ErrorKind::Wrong, "a dimension of -1");
    refused(&reshape(&[i64::MAX, 2]), ErrorKind::Bound, "elements_max");
    // Elements of several samples in one row.
    refused(&reshape(&[2, -1]), ErrorKind::Wrong, "cannot be taken as");
    let sum = small(
        &[with(node("ReduceMax", &["x"], &["y"]), &ints("axes", &[0]))],
        &[],
    );
    refused(&sum, ErrorKind::Unsupported, "the batch");
    let turned = small(&[node("Transpose", &["x"], &["y"])], &[]);
    refused(
        &turned,
        ErrorKind::Unsupported,
        "the batch must be the first",
    );
    let axis = small(
        &[with(node("ReduceMax", &["x"], &["y"]), &ints("axes", &[7]))],
        &[],
    );
    refused(&axis, ErrorKind::Wrong, "no axis 7");
    let declared = graph([
        &[relu()],
        &[],
        &[value("x", 1, &[0, 4])],
        &[value("y", 1, &[0, 5])],
    ]);
    refused(
        &file(&declared).0,
        ErrorKind::Wrong,
        "declared with another shape",
    );
    let declared = graph([
        &[relu()],
        &[],
        &[value("x", 1, &[0, 4])],
        &[value("y", 7, &[0, 4])],
    ]);
    refused(
        &file(&declared).0,
        ErrorKind::Wrong,
        "declared as another type",
    );
}

#[test]
fn numbers_are_finite() {
    for wrong in [f32::NAN, f32::INFINITY, -f32::INFINITY] {
        let weights = tensor("w", &[4, 1], &[1.0, wrong, 3.0, 4.0]);
        refused(
            &small(&[product()], &[weights]),
            ErrorKind::NotFinite,
            "not finite",
        );
    }
    let nodes = [
        node("Log", &["c"], &["d"]),
        node("Add", &["x", "d"], &["y"]),
    ];
    let bytes = small(&nodes, &[tensor("c", &[1], &[0.0])]);
    refused(&bytes, ErrorKind::NotFinite, "computed of constants");
}

#[test]
fn what_it_costs_is_bounded() {
    let expanded: Vec<_> = (0..2000)
        .map(|at| {
            let from = if at == 0 {
                "x".to_owned()
            } else {
                format!("v{at}")
            };
            node("Relu", &[&from], &[&format!("v{}", at + 1)])
        })
        .collect();
    refused(&small(&expanded, &[]), ErrorKind::Bound, "nodes_max");
    // A small file that asks for a large product.
    let bytes = file(&graph([
        &[node("Mul", &["x", "a"], &["y"])],
        &[tensor("a", &[1, 1000, 1], &vec![1.0; 1000])],
        &[value("x", 1, &[0, 1, 1000])],
        &[message().text(1, "y")],
    ]))
    .0;
    refused(&bytes, ErrorKind::Bound, "elements_max");
    let limits = Limits {
        output_elements_max: 10,
        ..Limits::default()
    };
    assert_eq!(
        Model::read(&small(&[relu()], &[]), &limits)
            .unwrap()
            .batch_max(),
        2
    );
    let limits = Limits {
        bytes_max: 10,
        ..Limits::default()
    };
    let error = Model::read(&bytes, &limits).unwrap_err();
    assert!(error.why.contains("bytes_max"), "{error}");
    let limits = Limits {
        multiply_adds_max: 3,
        ..Limits::default()
    };
    let bytes = small(&[product()], &[tensor("w", &[4, 1], &[1.0; 4])]);
    let error = Model::read(&bytes, &limits).unwrap_err();
    assert!(error.why.contains("multiply_adds_max"), "{error}");
}

/// A tree of nodes (mode, feature, yes, no); the weights of node 1 and 2.
fn tree(nodes: &[(&str, i64, i64, i64)], threshold: f32, leaves: &[i64]) -> Vec<u8> {
    let count = nodes.len();
    let numbers: Vec<i64> = (0..).take(count).collect();
    let modes: Vec<_> = nodes.iter().map(|node| node.0).collect();
    let pick = |part: fn(&(&str, i64, i64, i64)) -> i64| nodes.iter().map(part).collect::<Vec<_>>();
    let zeros = vec![0; leaves.len()];
    let attributes = [
        ints("nodes_treeids", &vec![0; count]),
        ints("nodes_nodeids", &numbers),
        texts("nodes_modes", &modes),
        ints("nodes_featureids", &pick(|node| node.1)),
        floats("nodes_values", &vec![threshold; count]),
        ints("nodes_truenodeids", &pick(|node| node.2)),
        ints("nodes_falsenodeids", &pick(|node| node.3)),
        ints("target_treeids", &zeros),
        ints("target_nodeids", leaves),
        ints("target_ids", &zeros),
        floats("target_weights", &vec![1.0; leaves.len()]),
        int("n_targets", 1),
    ];
    let node = ml_node("TreeEnsembleRegressor", &["x"], &["y"]);
    small(&[attributes.iter().fold(node, with)], &[])
}

#[test]
fn walks_down_trees_end() {
    let branch = ("BRANCH_LEQ", 0, 1, 2);
    let leaf = ("LEAF", 0, 0, 0);
    Model::read(
        &tree(&[branch, leaf, leaf], 0.5, &[1, 2]),
        &Limits::default(),
    )
    .unwrap();
    let wrong = ErrorKind::Wrong;
    refused(
        &tree(&[("BRANCH_LEQ", 0, 0, 1), leaf], 0.5, &[1]),
        wrong,
        "it is no tree",
    );
    let back = ("BRANCH_LEQ", 0, 0, 2);
    refused(
        &tree(&[branch, back, leaf], 0.5, &[2]),
        wrong,
        "it is no tree",
    );
    refused(
        &tree(&[("BRANCH_LEQ", 0, 1, 1), leaf], 0.5, &[1]),
        wrong,
        "it is no tree",
    );
    refused(
        &tree(&[branch, leaf, leaf, leaf], 0.5, &[1, 2, 3]),
        wrong,
        "no path",
    );
    refused(
        &tree(&[("BRANCH_LEQ", 0, 1, 9), leaf], 0.5, &[1]),
        wrong,
        "node 9, which is not there",
    );
    refused(
        &tree(&[("BRANCH_LEQ", 4, 1, 2), leaf, leaf], 0.5, &[1, 2]),
        wrong,
        "feature 4 of 4",
    );
    refused(
        &tree(&[("BRANCH_LEQ", -1, 1, 2), leaf, leaf], 0.5, &[1, 2]),
        wrong,
        "feature -1",
    );
}

#[test]
fn weights_are_of_leaves() {
    let (branch, leaf) = (("BRANCH_LEQ", 0, 1, 2), ("LEAF", 0, 0, 0));
    let wrong = ErrorKind::Wrong;
    refused(
        &tree(&[branch, leaf, leaf], 0.5, &[1]),
        wrong,
        "a leaf with 0 weights",
    );
    refused(
        &tree(&[branch, leaf, leaf], 0.5, &[1, 2, 2]),
        wrong,
        "a leaf with 2 weights",
    );
    refused(
        &tree(&[branch, leaf, leaf], 0.5, &[0, 1, 2]),
        wrong,
        "no leaf",
    );
    refused(
        &tree(&[branch, leaf, leaf], 0.5, &[1, 2, 7]),
        wrong,
        "which is not there",
    );
    refused(
        &tree(&[branch, leaf, leaf], f32::NAN, &[1, 2]),
        ErrorKind::NotFinite,
        "nodes_values",
    );
    let member = ("BRANCH_MEMBER", 0, 1, 2);
    refused(
        &tree(&[member, leaf, leaf], 0.5, &[1, 2]),
        ErrorKind::Unsupported,
        "BRANCH_MEMBER",
    );
    refused(&tree(&[], 0.5, &[]), wrong, "empty");
}

#[test]
fn deep_trees_take_no_stack() {
    let leaf = ("LEAF", 0, 0, 0);
    // Deep, not wide: no recursion follows it.
    let deep: Vec<_> = (0..50_000_i64)
        .map(|at| match at % 2 {
            0 if at < 49_998 => ("BRANCH_LEQ", 0, at + 1, at + 2),
            _ => leaf,
        })
        .collect();
    let leaves: Vec<_> = (0..50_000_i64)
        .filter(|at| deep[usize::try_from(*at).unwrap()].0 == "LEAF")
        .collect();
    let read = Model::read(
        &tree(&deep[..49_999], 0.5, &leaves[..leaves.len() - 1]),
        &Limits::default(),
    );
    assert_eq!(read.unwrap().cost().tree_steps, 24_999);
}

#[test]
fn an_index_outside_its_table_ends_the_run() {
    let ids = value("ids", 7, &[0, 2]);
    let gather = with(node("Gather", &["w", "ids"], &["y"]), &int("axis", 0));
    let weights = tensor("w", &[3], &[1.0, 2.0, 3.0]);
    let bytes = file(&graph([
        &[gather],
        &[weights],
        &[ids],
        &[message().text(1, "y")],
    ]))
    .0;
    let model = Model::read(&bytes, &Limits::default()).unwrap();
    let mut scratch = model.scratch();
    for wrong in [3, -4, i64::MAX, i64::MIN] {
        let told = model
            .run(&[Input::i64(&[0, wrong], 1)], &mut scratch)
            .unwrap_err();
        assert!(
            matches!(told, RunError::Index { index, size: 3, .. } if index == wrong),
            "{told}"
        );
    }
    let outputs = model.run(&[Input::i64(&[-1, 0], 1)], &mut scratch).unwrap();
    assert_eq!(outputs.f32(0), Some(&[3.0, 1.0][..]));
}

#[test]
fn inputs_are_held_against_the_model() {
    let bytes = small(&[relu()], &[]);
    let model = Model::read(&bytes, &Limits::default()).unwrap();
    let mut scratch = model.scratch();
    let mut told = |inputs: &[Input<'_>]| model.run(inputs, &mut scratch).map(drop).unwrap_err();
    assert!(matches!(
        told(&[]),
        RunError::Inputs {
            expected: 1,
            given: 0
        }
    ));
    assert!(matches!(
        told(&[Input::f32(&[], 0)]),
        RunError::Batch { .. }
    ));
    assert!(matches!(
        told(&[Input::f32(&[0.0; 3], 1)]),
        RunError::Length {
            expected: 4,
            given: 3,
            ..
        }
    ));
    assert!(matches!(
        told(&[Input::i64(&[0; 4], 1)]),
        RunError::Element { .. }
    ));
    let many = vec![0.0; 4 * 5000];
    assert!(matches!(
        told(&[Input::f32(&many, 5000)]),
        RunError::Batch { .. }
    ));
    assert!(matches!(
        told(&[Input::f32(&many, usize::MAX)]),
        RunError::Batch { .. }
    ));
    let other = Model::read(
        &small(&[product()], &[tensor("w", &[4, 1], &[1.0; 4])]),
        &Limits::default(),
    );
    let other = other.unwrap();
    let mut none = Model::read(
        &small(&[node("Identity", &["x"], &["y"])], &[]),
        &Limits::default(),
    )
    .unwrap()
    .scratch();
    let told = other.run(&[Input::f32(&[0.0; 4], 1)], &mut none).map(drop);
    assert_eq!(told, Err(RunError::Scratch));
}
