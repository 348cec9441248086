//! Rules against traffic, both from the input: the text of rules, a zero byte, a conversation.
#![no_main]

#[path = "../judged.rs"]
mod judged;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    judged::run(data);
});
