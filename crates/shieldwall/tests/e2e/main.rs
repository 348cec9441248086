//! The binary from outside: hubs, shields and partners as processes on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod backup;
mod common;
mod export;
mod feeds;
mod hub_killed;
mod import;
mod lab;
mod many;
mod models;
mod pack_life;
mod packs;
mod partners;
mod redteam;
mod refusals;
mod repository;
mod rules;
mod search;
mod taxii;
mod tools;
mod traffic;
mod up;
