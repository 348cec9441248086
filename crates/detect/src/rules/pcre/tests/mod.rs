//! Cases by hand, and properties against PCRE2 itself.

mod cases;
mod generate;
mod oracle;
