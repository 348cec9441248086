//! Rules in Suricata's language.

pub mod literal;
//! Detection rules as Suricata writes them.

pub mod pcre;
pub mod transform;
//! The rule language of Suricata 8.

pub mod dataset;
pub mod state;
