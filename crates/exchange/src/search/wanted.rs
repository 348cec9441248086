//! The conditions of a search.

use ipnet::IpNet;
use stix::{Object, StixId, Timestamp, canonical};

use crate::search::within;
use crate::terms::{self, DayOf, Facts, Kind, PatternTerms, Span, Term};

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(Condition);

/// Why a text is no condition; the fault is the asker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// Nothing to look for.
    #[error("it is empty")]
    Empty,
    /// Not an address or a network.
    #[error("it is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32")]
    NotNet,
    /// Not a domain name.
    #[error("it is not a domain name such as example.com")]
    NotDomain,
    /// Not an identifier.
    #[error("it is not an identifier such as indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f")]
    NotId,
    /// Not a pattern.
    #[error("it is not a STIX pattern: {0}")]
    NotPattern(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// One of these terms, each of which the same text may mean.
    Any(Vec<Term>),
    /// A value that begins so.
    Prefix(Box<str>),
    /// This domain name or one under it.
    Under(Box<str>),
    /// An address or a network in this one.
    Within(IpNet),
    /// A network that this one is in.
    Covers(IpNet),
    /// A pattern with this fingerprint, found by this term.
    Pattern { fingerprint: [u8; 32], by: Term },
    /// Dated after and before.
    Dated {
        of: DayOf,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
    },
}

impl Wanted {
    /// Of this type.
    #[must_use]
    pub fn kind(name: &str) -> Self {
        Self::text(Kind::Type, name)
    }

    /// Shared by this partner.
    #[must_use]
    pub fn source(partner: &str) -> Self {
        Self::text(Kind::Source, partner)
    }

    /// With this label.
    #[must_use]
    pub fn label(label: &str) -> Self {
        Self::text(Kind::Label, label)
    }

    /// With this marking: a TLP label, or the identifier of a marking definition.
    #[must_use]
    pub fn marking(text: &str) -> Self {
        let term = match (text.parse::<stix::Tlp>(), StixId::parse(text)) {
            (Ok(tlp), _) => terms::marking(&tlp.marking_id()),
            (Err(_), Ok(id)) => terms::marking(&id),
            (Err(_), Err(_)) => Term::Text(Kind::Marking, text.into()),
        };
        Self(Condition::Any(vec![term]))
    }

    /// Of this technique of ATT&CK or ATLAS (`T1059`, with its parts; `T1059.001`; `AML.T0043`), or
    /// this phase of a kill chain (`mitre-attack/execution`).
    #[must_use]
    pub fn technique(id: &str) -> Self {
        Self(Condition::Any(vec![terms::technique(id)]))
    }

    /// With this value, whatever it is: an address, a network, a domain name, a URL, a digest, an
    /// electronic mail address, a name.
    ///
    /// # Errors
    /// `Empty`.
    pub fn value(text: &str) -> Result<Self, WantedError> {
        Ok(Self(Condition::Any(terms::readings(filled(text)?))))
    }

    /// With a URL, a digest, an electronic mail address or a name that begins so.
    ///
    /// # Errors
    /// `Empty`.
    pub fn prefix(text: &str) -> Result<Self, WantedError> {
        Ok(Self(Condition::Prefix(filled(text)?.into())))
    }

    /// With this domain name or one under it.
    ///
    /// # Errors
    /// `NotDomain`.
    pub fn under(domain: &str) -> Result<Self, WantedError> {
        let name = canonical::domain(domain).ok_or(WantedError::NotDomain)?;
        Ok(Self(Condition::Under(name)))
    }

    /// With an address or a network in this network.
    ///
    /// # Errors
    /// `NotNet`.
    pub fn inside(network: &str) -> Result<Self, WantedError> {
        net(network).map(|net| Self(Condition::Within(net)))
    }

    /// With a network that this address or network is in.
    ///
    /// # Errors
    /// `NotNet`.
    pub fn covering(network: &str) -> Result<Self, WantedError> {
        net(network).map(|net| Self(Condition::Covers(net)))
    }

    /// With a STIX pattern that says the same as this one.
    ///
    /// # Errors
    /// `NotPattern`.
    pub fn pattern(text: &str) -> Result<Self, WantedError> {
        let read = stix::pattern::Expression::parse(text);
        read.map_err(|error| WantedError::NotPattern(error.to_string()))?;
        Ok(Self::same_as("stix", text))
    }

    /// With a pattern that says the same as this one in its language.
    #[must_use]
    pub fn same_as(language: &str, text: &str) -> Self {
        let terms = PatternTerms::of(language, text);
        Self(Condition::Pattern {
            fingerprint: terms.fingerprint(),
            by: terms.common(),
        })
    }

    /// That refers to this object.
    #[must_use]
    pub fn referring_to(id: &StixId) -> Self {
        Self(Condition::Any(vec![Term::Refers(id.clone())]))
    }

    /// Created after the one and before the other moment.
    #[must_use]
    pub fn created(after: Option<Timestamp>, before: Option<Timestamp>) -> Self {
        let of = DayOf::Created;
        Self(Condition::Dated { of, after, before })
    }

    /// Modified after the one and before the other moment.
    #[must_use]
    pub fn modified(after: Option<Timestamp>, before: Option<Timestamp>) -> Self {
        let of = DayOf::Modified;
        Self(Condition::Dated { of, after, before })
    }

    fn text(kind: Kind, text: &str) -> Self {
        Self(Condition::Any(vec![Term::Text(kind, text.into())]))
    }

    /// The keys that may lead to an object of which it is true.
    pub(crate) fn spans(&self) -> Vec<Span> {
        match &self.0 {
            Condition::Any(terms) => terms.iter().map(|one| Span::of_key(one.key())).collect(),
            Condition::Prefix(start) => {
                let spans = readings_of_prefix(start);
                spans.map(|(kind, start)| kind.prefixed(&start)).collect()
            }
            Condition::Under(name) => {
                let own = Term::Text(Kind::Domain, name.clone()).key();
                vec![Span::of_key(own), Kind::Domain.prefixed(name)]
            }
            Condition::Within(net) => vec![terms::within(*net)],
            Condition::Covers(net) => terms::covering(*net),
            Condition::Pattern { by, .. } => vec![Span::of_key(by.key())],
            Condition::Dated { of, after, before } => {
                let day = |at: Option<Timestamp>| at.map(terms::day_of);
                let first = day(*after).unwrap_or(i32::MIN);
                vec![terms::days(*of, first, day(*before).unwrap_or(i32::MAX))]
            }
        }
    }

    /// How many objects it leaves, by its kind: the fewer the lower.
    pub(crate) fn rank(&self) -> u8 {
        match &self.0 {
            Condition::Any(terms) => terms.iter().map(rank).min().unwrap_or(0),
            Condition::Pattern { .. } => 0,
            Condition::Covers(_) => 1,
            Condition::Prefix(_) | Condition::Under(_) | Condition::Within(_) => 2,
            Condition::Dated { .. } => 7,
        }
    }

    /// Whether it is true of an object.
    pub(crate) fn admits(&self, object: &Object, facts: &Facts) -> bool {
        let mut terms = facts.terms.iter();
        match &self.0 {
            Condition::Any(wanted) => terms.any(|term| wanted.contains(term)),
            Condition::Prefix(start) => readings_of_prefix(start).any(|(kind, start)| {
                let mut texts = facts.terms.iter().filter_map(Term::text);
                texts.any(|(of, text)| of == kind && text.starts_with(&*start))
            }),
            Condition::Under(name) => {
                let mut texts = terms.filter_map(Term::text);
                texts.any(|(of, text)| of == Kind::Domain && is_under(text, name))
            }
            Condition::Within(net) => terms.filter_map(Term::net).any(|own| net.contains(own)),
            Condition::Covers(net) => terms.filter_map(Term::net).any(|own| own.contains(net)),
            Condition::Pattern { fingerprint, .. } => {
                object.head().pattern.as_ref().is_some_and(|raw| {
                    let terms = PatternTerms::of(&raw.pattern_type, &raw.pattern);
                    terms.fingerprint() == *fingerprint
                })
            }
            Condition::Dated { of, after, before } => {
                let at = match of {
                    DayOf::Created => facts.created,
                    DayOf::Modified => facts.modified,
                };
                at.is_some_and(|at| within(at, *after, *before))
            }
        }
    }
}

fn is_under(name: &str, above: &str) -> bool {
    let before = name.strip_suffix(above);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn rank(term: &Term) -> u8 {
    match term {
        Term::Net(_) | Term::Pattern(_) | Term::Refers(_) => 0,
        Term::Text(kind, _) => match kind {
            Kind::Domain | Kind::Url | Kind::Hash | Kind::Email | Kind::Other => 0,
            Kind::Technique => 3,
            Kind::Label => 4,
            Kind::Source => 5,
            Kind::Type | Kind::Marking => 6,
        },
        Term::Day(..) => 7,
        Term::Any => 8,
    }
}

/// What a beginning of a text may be the beginning of.
fn readings_of_prefix(start: &str) -> impl Iterator<Item = (Kind, Box<str>)> {
    let lower: Box<str> = start.to_lowercase().into();
    let hexadecimal = lower.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digest = hexadecimal.then(|| (Kind::Hash, lower.clone()));
    let texts = [(Kind::Email, lower.clone()), (Kind::Other, lower)];
    let url = (Kind::Url, start.into());
    texts.into_iter().chain([url]).chain(digest)
}

fn filled(text: &str) -> Result<&str, WantedError> {
    let text = text.trim();
    (!text.is_empty()).then_some(text).ok_or(WantedError::Empty)
}

fn net(text: &str) -> Result<IpNet, WantedError> {
    canonical::network(text.trim()).ok_or(WantedError::NotNet)
}
