//! Selectors: what a lease matches.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::LeaseError;
use crate::canonical;
use crate::pattern::{HashKind, Pattern, Term};

/// What a lease matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    try_from = "SelectorText",
    into = "SelectorText"
)]
pub enum Selector {
    /// Traffic from these addresses.
    Source(IpNet),
    /// Traffic to these addresses.
    Destination(IpNet),
    /// Traffic that names this domain: DNS, HTTP host, TLS SNI.
    Domain(Box<str>),
    /// Requests for this URL.
    Url(Box<str>),
    /// Files with this SHA-256, in lower-case hexadecimal.
    Sha256(Box<str>),
    /// TLS clients with this JA3 fingerprint.
    Ja3(Box<str>),
    /// TLS clients with this JA4 fingerprint.
    Ja4(Box<str>),
}

impl Selector {
    /// The pattern term that says the same. An address in a pattern says no direction.
    #[must_use]
    pub fn term(&self) -> Term {
        match self {
            Self::Source(net) | Self::Destination(net) => Term::Address(*net),
            Self::Domain(name) => Term::Domain(name.clone()),
            Self::Url(url) => Term::Url(url.clone()),
            Self::Sha256(value) => Term::FileHash {
                algorithm: HashKind::Sha256,
                value: value.clone(),
            },
            Self::Ja3(value) => Term::Ja3(value.clone()),
            Self::Ja4(value) => Term::Ja4(value.clone()),
        }
    }

    /// Whether `pattern` speaks of all that this selector matches. A selector that its own
    /// indicator's pattern does not cover asks for more than the indicator claims.
    #[must_use]
    pub fn covered_by(&self, pattern: &Pattern) -> bool {
        pattern.terms.iter().any(|term| self.covered_by_term(term))
    }

    /// Checks that the value is one of its kind, in canonical form.
    pub(super) fn check(&self) -> Result<(), LeaseError> {
        Self::try_from(SelectorText::from(self.clone())).map(|_| ())
    }

    fn covered_by_term(&self, term: &Term) -> bool {
        match (self, term) {
            (Self::Source(net), Term::Address(wide))
            | (Self::Destination(net), Term::Address(wide)) => wide.contains(net),
            (Self::Source(net), Term::Traffic { src, .. }) => covers(*src, net),
            (Self::Destination(net), Term::Traffic { dst, .. }) => covers(*dst, net),
            _ => self.term() == *term,
        }
    }
}

fn covers(wide: Option<IpNet>, net: &IpNet) -> bool {
    wide.is_some_and(|wide| wide.contains(net))
}

impl fmt::Display for Selector {
    /// `kind:value`, for example `source:192.0.2.1/32`: the canonical text of a selector.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(net) => write!(f, "source:{net}"),
            Self::Destination(net) => write!(f, "destination:{net}"),
            Self::Domain(name) => write!(f, "domain:{name}"),
            Self::Url(url) => write!(f, "url:{url}"),
            Self::Sha256(value) => write!(f, "sha256:{value}"),
            Self::Ja3(value) => write!(f, "ja3:{value}"),
            Self::Ja4(value) => write!(f, "ja4:{value}"),
        }
    }
}

/// As [`Selector`], before its check: the values as written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SelectorText {
    Source(Box<str>),
    Destination(Box<str>),
    Domain(Box<str>),
    Url(Box<str>),
    Sha256(Box<str>),
    Ja3(Box<str>),
    Ja4(Box<str>),
}

impl TryFrom<SelectorText> for Selector {
    type Error = LeaseError;

    fn try_from(text: SelectorText) -> Result<Self, LeaseError> {
        let sha256 = |text: &str| canonical::hash(HashKind::Sha256, text);
        match text {
            SelectorText::Source(text) => network_as_written(&text).map(Self::Source),
            SelectorText::Destination(text) => network_as_written(&text).map(Self::Destination),
            SelectorText::Domain(text) => as_written(text, canonical::domain).map(Self::Domain),
            SelectorText::Url(text) => as_written(text, canonical::url).map(Self::Url),
            SelectorText::Sha256(text) => as_written(text, sha256).map(Self::Sha256),
            SelectorText::Ja3(text) => as_written(text, canonical::ja3).map(Self::Ja3),
            SelectorText::Ja4(text) => as_written(text, canonical::ja4).map(Self::Ja4),
        }
    }
}

impl From<Selector> for SelectorText {
    fn from(selector: Selector) -> Self {
        match selector {
            Selector::Source(net) => Self::Source(net.to_string().into()),
            Selector::Destination(net) => Self::Destination(net.to_string().into()),
            Selector::Domain(text) => Self::Domain(text),
            Selector::Url(text) => Self::Url(text),
            Selector::Sha256(text) => Self::Sha256(text),
            Selector::Ja3(text) => Self::Ja3(text),
            Selector::Ja4(text) => Self::Ja4(text),
        }
    }
}

fn network_as_written(text: &str) -> Result<IpNet, LeaseError> {
    let canonical = |text: &str| canonical::network(text).map(|net| net.to_string().into());
    let text = as_written(text.into(), canonical)?;
    text.parse().map_err(|_| LeaseError::SelectorValue(text))
}

/// The text itself, if it is its own canonical form.
fn as_written(
    got: Box<str>,
    canonical: impl Fn(&str) -> Option<Box<str>>,
) -> Result<Box<str>, LeaseError> {
    match canonical(&got) {
        None => Err(LeaseError::SelectorValue(got)),
        Some(want) if want == got => Ok(got),
        Some(want) => Err(LeaseError::SelectorForm { got, want }),
    }
}
