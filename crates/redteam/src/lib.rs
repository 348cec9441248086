//! Evasion: how far a pack's model holds against attackers who write the same attack otherwise.
//!
//! ```text
//! Suite + Samples --> Run --> Mutation (web, phishing, dga): the sample changed, its meaning the same
//!                      |  \-> Judge: the model of a pack
//!                      \----> Results --> Report: evidence in the pack that it is on
//! ```
//!
//! A [`Mutation`] says in what the sample still means the same, and [`Mutation::same`] looks, by other
//! code than changed it, whether that is so; what is not counts nowhere and is counted as invalid.
//! All that is drawn follows from the suite's seed: the same suite on the same pack gives the same
//! report, whatever the machine.
//!
//! The crate is sans-IO, and every bound is named.
#![forbid(unsafe_code)]

pub mod bounds;
pub mod chance;
mod dga;
mod judge;
pub mod mutation;
mod phishing;
pub mod report;
mod run;
mod sample;
mod samples;
pub mod suite;
#[cfg(test)]
mod tests;
pub mod web;
mod words;

pub use chance::Chance;
pub use judge::{Judge, Model};
pub use mutation::Mutation;
pub use report::Report;
pub use run::{Other, Run};
pub use sample::Sample;
pub use samples::{LineError, Samples};
pub use suite::Suite;
