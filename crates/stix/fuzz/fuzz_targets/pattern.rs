//! The text of a pattern.
#![no_main]

#[path = "../judged.rs"]
mod judged;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    judged::pattern(&String::from_utf8_lossy(data));
});
