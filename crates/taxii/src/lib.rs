//! What hub and partners say to each other: TAXII 2.1 messages, push frames and their digests,
//! opaque cursors, enrolment, state reports and packs.
//!
//! This crate is sans-IO: bytes and values come in, bytes and values go out; time and keys are
//! arguments. Hub and shield both build on it and never on each other.
#![forbid(unsafe_code)]

pub mod active;
pub mod cursor;
pub mod enrol;
pub mod media;
pub mod message;
pub mod packs;
pub mod property;
pub mod push;
pub mod query;
pub mod state;

pub use active::ActiveSet;
pub use cursor::Position;
