//! Time and memory of the models of a folder: `cargo xtask bench models` runs it.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a measurement"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};

/// How often each is measured; the best counts, which other work on the machine disturbs least.
const ROUNDS: usize = 9;

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    for case in common::cases(Path::new(&folder)) {
        let name = case.name.trim_start_matches("bench_");
        let begun = seconds();
        let model = case.model();
        println!("{name}_read_us {:.1}", (seconds() - begun) * 1e6);
        let mut scratch = model.scratch();
        let samples = case.samples(&model);
        for batch in [1, 256] {
            let mut best = f64::INFINITY;
            let calls = if batch == 1 { 4 * samples } else { 16 };
            for _ in 0..ROUNDS {
                let begun = seconds();
                for call in 0..calls {
                    let from = call * batch % samples;
                    let inputs = case.inputs(&model, from, batch);
                    black_box(model.run(&inputs, &mut scratch).unwrap());
                }
                best = best.min((seconds() - begun) / (calls * batch) as f64);
            }
            println!("{name}_us_per_sample_batch_{batch} {:.3}", best * 1e6);
        }
        let cost = model.cost();
        println!("{name}_model_bytes {}", cost.constant_bytes);
        println!("{name}_scratch_bytes {}", cost.scratch_bytes);
        println!("{name}_multiply_adds {}", cost.multiply_adds);
        println!("{name}_tree_steps {}", cost.tree_steps);
    }
}

/// The processor time of this thread: other work on the machine has no part in it.
fn seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
