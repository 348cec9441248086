//! Both stores against one conformance suite, a model, and their own promises.
//!
//! The suite is compiled once, over [`exchange::EitherStore`].
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod conformance;
mod model;
mod postgres;
mod searching;
mod sqlite;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod support;
