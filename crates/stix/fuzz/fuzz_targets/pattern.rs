//! The text of a pattern.
#![no_main]

#[path = "../patterns.rs"]
mod patterns;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    patterns::pattern(&String::from_utf8_lossy(data));
});
