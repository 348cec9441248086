//! Who may see an object: the one function that decides it, and the one that applies it.
//!
//! | marking | reach | source |
//! |---|---|---|
//! | TLP:CLEAR | community | TLP 2.0 section 2: no limit on disclosure. Partners only, all the same: the exchange has no public way out |
//! | TLP:GREEN | community | TLP 2.0 section 2: within their community; the community is everyone enrolled |
//! | TLP:AMBER | source and addressed | TLP 2.0 section 2: the organisation and its clients, on a need-to-know basis; who is addressed, the source says. No client edge exists yet, so clients get nothing through another partner |
//! | TLP:AMBER+STRICT | source and addressed | TLP 2.0 section 2: the organisation only |
//! | TLP:RED | source | TLP 2.0 section 2: for the eyes and ears of individual recipients; a machine feed has none |
//! | several labels | the most restrictive of them | TLP 2.0 section 1: no wider than the source permits |
//! | none | as the community's default | a missing marking is not permission; the default is configured, TLP:AMBER unless it is |
//! | any other marking | source | what it permits is unknown here |
//! | granular markings | source | STIX 2.1 section 7.2.3: parts are marked apart, and objects are not cut into parts yet |
//! | CLEAR or GREEN, with an audience | source and addressed | TLP 2.0 section 1: the source may add restrictions |

use std::sync::Arc;

use stix::{Head, Tlp};

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// One partner.
    Partner(Arc<str>),
    /// Someone who acts for several partners, such as an operator at a console: sees what any one
    /// of them sees.
    Partners(Vec<Arc<str>>),
}

impl Audience {
    /// The partners that it stands for.
    #[must_use]
    pub fn names(&self) -> &[Arc<str>] {
        match self {
            Self::Partner(name) => std::slice::from_ref(name),
            Self::Partners(names) => names,
        }
    }
}

/// Who may see an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every enrolled partner.
    Community,
    /// These partners: sorted, each once, the source among them.
    Addressed(Vec<Arc<str>>),
}

/// Decides who may see an object that `source` submitted. `enrolled` tells whether a name is that
/// of a partner here: addressed names that are not reach nobody. `default` stands for a marking
/// where there is none.
///
/// Failure bias: closed. What is unknown reaches the source alone.
#[must_use]
pub fn reach(source: &str, head: &Head, enrolled: &dyn Fn(&str) -> bool, default: Tlp) -> Reach {
    if head.unknown_markings() || head.granular_markings {
        return addressed(source, &[], enrolled);
    }
    let named: &[Box<str>] = head.lease.as_ref().map_or(&[], |lease| &lease.audience);
    match head.tlp().unwrap_or(default) {
        Tlp::Clear | Tlp::Green if named.is_empty() => Reach::Community,
        Tlp::Clear | Tlp::Green | Tlp::Amber | Tlp::AmberStrict => {
            addressed(source, named, enrolled)
        }
        Tlp::Red => addressed(source, &[], enrolled),
    }
}

/// Whether `audience` may see what has this reach.
///
/// Failure bias: closed. An audience that stands for no partner sees nothing.
#[must_use]
pub fn may_see(audience: &Audience, reach: &Reach) -> bool {
    let names = audience.names();
    match reach {
        Reach::Community => !names.is_empty(),
        Reach::Addressed(addressed) => names.iter().any(|name| addressed.contains(name)),
    }
}

fn addressed(source: &str, named: &[Box<str>], enrolled: &dyn Fn(&str) -> bool) -> Reach {
    let known = named
        .iter()
        .map(AsRef::as_ref)
        .filter(|name| enrolled(name));
    let mut names: Vec<Arc<str>> = known.chain([source]).map(Arc::from).collect();
    names.sort_unstable();
    names.dedup();
    Reach::Addressed(names)
}
