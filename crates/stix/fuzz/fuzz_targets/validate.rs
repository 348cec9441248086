//! Whole validation of a document.
#![no_main]

#[path = "../validation.rs"]
mod validation;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    validation::run(data);
});
