//! The rule language of Suricata 8.

pub mod state;
