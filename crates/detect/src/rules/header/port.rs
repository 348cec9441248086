//! Ports of a rule's header: `any`, ports, ranges as `1024:` and `:80`, groups, negations, variables.

use super::ranges::Ranges;
use super::vars::{List, Term, Vars};
use crate::rules::diagnostic::Problem;
use crate::rules::syntax::Piece;

/// A set of ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ports(Ranges<u16>);

impl Ports {
    /// Reads a header field or the value of a variable.
    pub(crate) fn parse(text: Piece<'_>, vars: &Vars) -> Result<Self, Problem> {
        vars.ports(text)
    }

    pub(crate) fn is_any(&self) -> bool {
        self.0.is_all()
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().flat_map(|(from, to)| from..=to)
    }

    pub(crate) fn contains(&self, port: u16) -> bool {
        self.0.contains(port)
    }
}

impl List for Ports {
    const WHAT: &'static str = "ports";

    fn any() -> Self {
        Self(Ranges::all())
    }

    fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    fn union(all: Vec<Self>) -> Self {
        Self(Ranges::union(all.into_iter().map(|one| one.0)))
    }

    fn without(&self, other: &Self) -> Self {
        Self(self.0.without(&other.0))
    }

    fn term(text: Piece<'_>) -> Term<Self> {
        let wrong = || {
            text.wrong(format!("{:?} is no port", text.text))
                .mend("write a port, a range as 1024:65535, a variable as $HTTP_PORTS, or any")
        };
        let number = |text: &str, open: u16| match text.trim() {
            "" => Some(open),
            text => text.parse().ok(),
        };
        let (from, to) = match text.text.split_once(':') {
            Some((from, to)) => number(from, 0).zip(number(to, u16::MAX)),
            None => text.text.parse().ok().map(|port: u16| (port, port)),
        }
        .filter(|(from, to)| from <= to)
        .ok_or_else(wrong)?;
        Ok(Self(Ranges::of(vec![(from, to)])))
    }
}
