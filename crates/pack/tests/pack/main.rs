//! Packs from outside: as they should be, and otherwise.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;
mod manifest;
mod mlbom;
mod oms;
mod readers;
mod tuf;
mod verify;
