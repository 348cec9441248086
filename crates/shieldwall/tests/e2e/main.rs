//! The binary from outside: hubs, shields and partners as processes on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod common;
mod hub_killed;
mod lab;
mod partners;
mod refusals;
mod rules;
mod search;
mod traffic;
mod up;
