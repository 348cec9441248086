//! The rule language of Suricata 8.

pub mod dataset;
pub mod state;
