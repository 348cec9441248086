//! A pattern and observed data, both from the input: the text of a pattern, a newline, JSON.
#![no_main]

#[path = "../patterns.rs"]
mod patterns;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    patterns::matching(&String::from_utf8_lossy(data));
});
