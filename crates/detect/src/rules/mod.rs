//! Rules in Suricata's language.

pub mod literal;
//! Detection rules as Suricata writes them.

pub mod pcre;
pub mod transform;
