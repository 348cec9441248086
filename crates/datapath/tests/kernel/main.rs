//! Capture and enforcement against a real kernel, in network namespaces of their own.
//!
//! Needs root; without it each test says that it is skipped.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::let_underscore_must_use,
    reason = "tests"
)]

mod capture;
mod lab;
mod lifecycle;
mod object;
mod xdp;
