//! Rules in Suricata's language.

pub mod literal;
