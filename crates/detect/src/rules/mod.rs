//! Detection rules as Suricata writes them.

pub mod pcre;
pub mod transform;
