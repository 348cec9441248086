//! Damaged files: cut, with bits turned, with parts of others. None panics, runs long or takes memory.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

#[path = "../fuzz/files.rs"]
mod files;

use std::fs;
use std::path::Path;

use common::{Case, FIXTURES, cases};
use proptest::prelude::*;

#[test]
fn what_fuzzers_start_from_holds() {
    let mut seeds = 0;
    for folder in ["tests/models", "fuzz/corpus/onnx", "fuzz/found/onnx"] {
        let Ok(entries) = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|end| end == "f32" || end == "i64")
            {
                continue;
            }
            files::run(&fs::read(&path).unwrap());
            seeds += 1;
        }
    }
    assert!(seeds >= 30, "{seeds}");
}

#[test]
fn files_cut_anywhere_are_refused_or_run() {
    for case in cases(Path::new(FIXTURES)) {
        let step = if testkit::long() {
            1
        } else {
            1 + case.bytes.len() / 400
        };
        for end in (0..case.bytes.len()).step_by(step) {
            files::run(&case.bytes[..end]);
        }
    }
}

#[test]
fn files_with_a_bit_turned_are_refused_or_run() {
    let step = if testkit::long() { 5 } else { 41 };
    for case in cases(Path::new(FIXTURES)) {
        let mut bytes = case.bytes.clone();
        for bit in (0..bytes.len() * 8).step_by(step) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            files::run(&bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

fn fixtures() -> Vec<Case> {
    cases(Path::new(FIXTURES))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if testkit::long() { 20_000 } else { 500 }))]

    #[test]
    fn mended_and_mixed_files_are_refused_or_run(
        first in 0_usize..1000,
        second in 0_usize..1000,
        cut in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        len in 0_usize..200,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        thread_local! {
            static CASES: Vec<Case> = fixtures();
        }
        CASES.with(|cases| {
            let (a, b) = (&cases[first % cases.len()].bytes, &cases[second % cases.len()].bytes);
            let (at, from) = (cut.index(a.len()), from.index(b.len()));
            let mut bytes = a[..at].to_vec();
            bytes.extend(&b[from..b.len().min(from + len)]);
            bytes.extend(&a[at..]);
            for (place, byte) in &changes {
                let at = place.index(bytes.len());
                bytes[at] = *byte;
            }
            files::run(&bytes);
        });
    }
}
