//! The hub as its partners and its operator meet it: over TLS, TAXII, push and the console.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod backup;
mod bounds;
mod browser;
mod collections;
mod console;
mod deletion;
mod follow;
mod identity;
mod interop;
mod openapi;
mod pains;
mod postgres;
mod quotas;
mod search;
mod support;
mod taxii;
mod taxii_client;
