//! Whole validation of a document.
#![no_main]

#[path = "../judged.rs"]
mod judged;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    judged::run(data);
});
