//! Every model says what ONNX Runtime says of it, in batches of any size.
#![expect(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{Case, FIXTURES, SCRIPT, cases, differences};

/// What a score may differ by.
const APART_MAX: f32 = 1e-5;

fn check(case: &Case) -> (f32, usize) {
    let model = case.model();
    let ours = case.run(&model, 64);
    let (apart, labels) = differences(&case.name, &ours, &case.expected);
    let samples = case.samples(&model);
    // A score that two runtimes round to either side of a threshold has another label.
    assert!(apart <= APART_MAX, "{}: {apart} apart", case.name);
    assert!(
        labels * 10_000 <= samples,
        "{}: {labels} of {samples} labels differ",
        case.name
    );
    (apart, labels)
}

#[test]
fn committed_models_say_what_onnx_runtime_says() {
    let cases = cases(Path::new(FIXTURES));
    assert!(cases.len() >= 20);
    for case in cases {
        assert_eq!(check(&case).1, 0, "{}: labels", case.name);
    }
}

#[test]
fn samples_are_the_same_bits_in_every_batch() {
    for case in cases(Path::new(FIXTURES)) {
        let model = case.model();
        let alone = format!("{:?}", case.run(&model, 1));
        for batch in [2, 3, 7, 8, 9, 64] {
            let ours = format!("{:?}", case.run(&model, batch));
            assert!(ours == alone, "{}: in batches of {batch}", case.name);
        }
    }
}

#[test]
fn trainers_models_say_what_onnx_runtime_says() {
    let name = "trainers_models_say_what_onnx_runtime_says";
    let Some(python) = testkit::python() else {
        return testkit::skip(name, "no Python environment (cargo xtask test makes one)");
    };
    let folder = testkit::workspace_root().join("target/model-cases");
    let rows = if testkit::long() { "100000" } else { "500" };
    let made = Command::new(python)
        .arg(SCRIPT)
        .arg(&folder)
        .arg(rows)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&made.stderr).into_owned();
    if told.contains("ModuleNotFoundError") {
        return testkit::skip(
            name,
            "Python lacks the exporters (cargo xtask test installs them)",
        );
    }
    assert!(made.status.success(), "{told}");
    let mut worst = BTreeMap::new();
    for case in cases(&folder) {
        let (apart, labels) = check(&case);
        worst.insert(
            case.name.clone(),
            format!("{apart:.1e} apart, {labels} labels"),
        );
    }
    assert!(worst.len() >= 50, "{}", worst.len());
    for (name, told) in worst {
        println!("{name}: {told}");
    }
}
