//! Indicators and detectors: what an inspection point saw goes in, verdicts come out.
//!
//! ```text
//! packet::Event --> Detector --> indicator  (one immutable Index, swapped by pointer)
//!                            --> scan       (two sequential tests per source: attempts, proven sessions)
//!                            --> behaviour  (generated names, tunnels, beacons, logins, slow scans)
//!                                  \--> Verdict { evidence, offender, reasons }
//! ```
//!
//! The crate is sans-IO: time is an argument, and nothing here opens, sleeps or draws a random
//! number that shows in its output. Every table that the network can fill is bounded, evicts the
//! least recently used, and counts what it evicted.
//!
//! **Forgery.** A verdict never claims more than the traffic proves. Whatever a sender without a
//! return path could have written (a SYN, a DNS question over UDP, a request in a flow whose
//! client never acknowledged our sequence number) is [`EvidenceClass::Unproven`], also when the
//! name on it has honest flows beside it. [`scan`] says how the two are told apart.
//!
//! **Failure bias: open.** A full table, an unknown protocol or a damaged transaction yields no
//! verdict; nothing is blocked because something could not be judged.
#![deny(unsafe_code)]

pub mod behaviour;
mod detector;
mod fields;
pub mod index;
mod indicator;
mod lru;
pub mod models;
pub mod rules;
pub mod scan;
mod verdict;

pub use behaviour::Config as BehaviourConfig;
pub use detector::{Config, Counter, Detector};
pub use index::{
    Index, IndexBuilder, Layer, Owner, Records, Refusal, Snapshot, SnapshotError, SourceKey, Stored,
};
pub use indicator::Config as IndicatorConfig;
pub use scan::Config as ScanConfig;
pub use stix::lease::EvidenceClass;
pub use verdict::{MATCHED_MAX, REASONS_MAX, Reason, Verdict};
