//! The seeds of the fuzzer of rules: each compiles and alerts, and stops nothing however it is damaged.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

#[path = "../fuzz/judged.rs"]
mod judged;

use std::fs;
use std::path::Path;

/// Damaged copies of each seed.
const ROUNDS: u32 = 150;

#[test]
fn seeds_compile_and_alert() {
    for (name, seed) in seeds() {
        let judged = judged::run(&seed);
        assert!(
            judged.compiled > 0 && judged.refused == 0,
            "{name}: {judged:?}"
        );
        assert!(judged.alerts > 0, "{name}: {judged:?}");
        assert_eq!(judged::run(&seed), judged, "{name}: the same each time");
    }
}

#[test]
fn damaged_seeds_stop_nothing() {
    let seeds = seeds();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut compiled = 0;
    for round in 0..ROUNDS {
        for (_, seed) in &seeds {
            let mut bytes = seed.clone();
            for _ in 0..=round % 8 {
                dice.damage(&mut bytes, &seeds);
            }
            compiled += judged::run(&bytes).compiled;
        }
    }
    assert!(
        compiled > 100,
        "{compiled}: most damage is no rule any more"
    );
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/rules");
    let mut seeds: Vec<_> = fs::read_dir(folder)
        .expect("the folder of seeds")
        .map(|entry| {
            let path = entry.expect("a seed").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("a seed"))
        })
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 5);
    seeds
}

/// Numbers that are the same each time (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("64 bits") % bound.max(1)
    }

    /// Changes a byte, cuts, doubles or puts in a piece of another seed.
    fn damage(&mut self, bytes: &mut Vec<u8>, seeds: &[(String, Vec<u8>)]) {
        if bytes.is_empty() {
            return;
        }
        let at = self.below(bytes.len());
        let len = self.below(40).min(bytes.len() - at);
        match self.below(6) {
            0 => bytes[at] = u8::try_from(self.below(256)).expect("a byte"),
            1 => bytes[at] = b" ;:,|\"\\()[]!$/{}09"[self.below(18)],
            2 => drop(bytes.drain(at..at + len)),
            3 => {
                let piece = bytes[at..at + len].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let (_, other) = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                let piece = other[from..(from + len).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let number =
                    ["0", "-1", "65535", "4294967295", "18446744073709551615"][self.below(5)];
                bytes.splice(at..(at + len.min(3)), number.bytes());
            }
        }
    }
}
