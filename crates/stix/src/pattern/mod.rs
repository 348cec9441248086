//! Indicator patterns (STIX 2.1 section 9): read, checked, matched against observed data, brought
//! into one form, and, the part that can be, enforced.
//!
//! [`Expression`] is a pattern as written, of the whole language. [`Matcher`] decides whether
//! observations match it. [`parse`] takes what a shield can enforce and refuses the rest by name,
//! with line and column. `docs/spec/stix-patterning.md` has each rule and the test that holds it.
//!
//! Enforced, each with `=` (or `==`) and `IN`, addresses also with `ISSUBSET`, joined by `OR`:
//!
//! | property | term |
//! |---|---|
//! | `ipv4-addr:value`, `ipv6-addr:value` | [`Term::Address`] |
//! | `domain-name:value` | [`Term::Domain`] |
//! | `url:value` | [`Term::Url`] |
//! | `file:hashes.MD5`, `.'SHA-1'`, `.'SHA-256'`, with or without hyphen, in any case | [`Term::FileHash`] |
//! | `network-traffic:src_ref.value`, `dst_ref.value`, `dst_port`, `protocols[*]`; `AND` joins them | [`Term::Traffic`] |
//! | `network-traffic:src_ref.type`, `dst_ref.type` beside the address that they speak of | (checked) |
//! | `network-traffic:extensions.'tls-ext'.ja3`, also `ja3_hash` | [`Term::Ja3`] |
//! | `network-traffic:extensions.'tls-ext'.ja4`, also `ja4_hash` | [`Term::Ja4`] |
//!
//! STIX 2.1 defines no TLS extension of network-traffic; `tls-ext` with these properties is what
//! tools in the field write.
//!
//! `=` with a network in CIDR notation means the network, as tools in the field mean it.

mod check;
mod compared;
mod display;
mod enforceable;
mod error;
mod expression;
mod lexer;
mod literal;
pub mod matching;
mod normal;
mod print;
mod property;
mod syntax;
mod targets;
mod tree;

use ipnet::IpNet;

use crate::lease::Proto;
pub use compared::Compared;
pub use error::{PatternError, PatternErrorKind};
pub use expression::Expression;
pub use matching::Matcher;
pub use targets::{Fit, Grade, Target};

/// Longest pattern that is read, in bytes.
pub const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Most terms that one pattern may come to.
pub const TERMS_MAX: usize = 4096;

/// Reads a pattern.
///
/// # Errors
/// [`PatternError`], for the first thing that is illegal or cannot be enforced. Whether the
/// pattern is legal is decided first, for the whole of it.
pub fn parse(text: &str) -> Result<Pattern, PatternError> {
    let terms = expression::read(text).and_then(|tree| enforceable::terms(&tree));
    terms
        .map(|terms| Pattern { terms })
        .map_err(|refusal| refusal.in_text(text))
}

/// What a pattern asks to match, as far as a shield can enforce it: any one of the terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The terms, OR-ed; never empty when it comes from [`parse`].
    pub terms: Vec<Term>,
}

/// One thing to match, in canonical form ([`crate::canonical`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// An address in this network, as source or destination.
    Address(IpNet),
    /// A domain name.
    Domain(Box<str>),
    /// A URL.
    Url(Box<str>),
    /// A file with this hash, in lower-case hexadecimal.
    FileHash {
        /// The hash function.
        algorithm: HashKind,
        /// The digest.
        value: Box<str>,
    },
    /// Traffic with all of these traits at once; at least one is there.
    Traffic {
        /// Where it comes from.
        src: Option<IpNet>,
        /// Where it goes.
        dst: Option<IpNet>,
        /// To which port.
        dst_port: Option<u16>,
        /// By which transport protocol.
        protocol: Option<Proto>,
    },
    /// A TLS client with this JA3 fingerprint.
    Ja3(Box<str>),
    /// A TLS client with this JA4 fingerprint.
    Ja4(Box<str>),
}

/// A hash function that files are named by (STIX 2.1 section 10.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashKind {
    /// MD5, 32 digits.
    Md5,
    /// SHA-1, 40 digits.
    Sha1,
    /// SHA-256, 64 digits.
    Sha256,
}

impl HashKind {
    /// The name in STIX's hash algorithm vocabulary, as it stands in a pattern after `hashes.`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The length of a digest, in hexadecimal digits.
    #[must_use]
    pub const fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }
}

#[cfg(test)]
mod tests;
