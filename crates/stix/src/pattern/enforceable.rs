//! From the syntax tree to terms: what a shield can enforce is taken, in canonical form; all else
//! is refused by its name.

use ipnet::IpNet;

use super::error::Refusal;
use super::property::Property;
use super::tree::{Comparison, Observation, Operator, Relation, Test};
use super::{TERMS_MAX, Term};
use crate::lease::Proto;

/// The terms of a pattern.
pub(super) fn terms(observation: &Observation<'_>) -> Result<Vec<Term>, Refusal> {
    match observation {
        Observation::Test(comparison) => alternatives(comparison)?
            .into_iter()
            .map(Draft::finish)
            .collect(),
        Observation::Joined {
            operator: Operator::Or,
            parts,
            ..
        } => any(parts, terms),
        Observation::Joined { operator, at, .. } => {
            let what = format!(
                "{} between observations is not supported",
                operator.keyword()
            );
            Err(Refusal::unsupported(*at, what, ONE_OBSERVATION))
        }
        Observation::Qualified { qualifier, at, .. } => {
            let what = format!("the qualifier {} is not supported", qualifier.keyword());
            Err(Refusal::unsupported(*at, what, ONE_OBSERVATION))
        }
    }
}

/// Whether every part of a comparison comes to terms.
pub(super) fn alternatives_of(comparison: &Comparison<'_>) -> Result<(), Refusal> {
    let drafts = alternatives(comparison)?.into_iter();
    drafts
        .map(Draft::finish)
        .try_for_each(|term| term.map(|_| ()))
}

const ONE_OBSERVATION: &str = "what a shield enforces is decided on one observation; share it as \
                               an indicator for hunting";
const OPERATORS: &str = "supported are =, IN and, for addresses, ISSUBSET";
const ONE_TERM: &str = "AND joins addresses, port and protocol of one network-traffic only; share \
                        the parts as patterns of their own, joined by OR";

/// The parts of a comparison, one of which must hold.
fn alternatives(comparison: &Comparison<'_>) -> Result<Vec<Draft>, Refusal> {
    match comparison {
        Comparison::Test(test) => drafts(test),
        Comparison::Or(parts) => any(parts, alternatives),
        Comparison::And { at, parts } => all(*at, parts),
    }
}

fn any<P, T>(parts: &[P], of: impl Fn(&P) -> Result<Vec<T>, Refusal>) -> Result<Vec<T>, Refusal> {
    let mut list = Vec::new();
    for part in parts {
        list.extend(of(part)?);
        check_count(0, list.len())?;
    }
    Ok(list)
}

/// `(a OR b) AND c` is `(a AND c) OR (b AND c)`.
fn all(at: usize, parts: &[Comparison<'_>]) -> Result<Vec<Draft>, Refusal> {
    let factors: Vec<Vec<Draft>> = parts.iter().map(alternatives).collect::<Result<_, _>>()?;
    let start = vec![Draft::Traffic(Traffic::NONE)];
    factors
        .iter()
        .try_fold(start, |product, factor| times(at, &product, factor))
}

fn times(at: usize, left: &[Draft], right: &[Draft]) -> Result<Vec<Draft>, Refusal> {
    check_count(at, left.len().saturating_mul(right.len()))?;
    let pairs = left
        .iter()
        .flat_map(|left| right.iter().map(move |right| left.and(right, at)));
    pairs.collect()
}

fn check_count(at: usize, count: usize) -> Result<(), Refusal> {
    match count > TERMS_MAX {
        true => {
            let what = format!("the pattern has more than {TERMS_MAX} terms");
            Err(Refusal::bound(at, what, "share it as several indicators"))
        }
        false => Ok(()),
    }
}

/// A term while its parts are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Draft {
    /// A term that stands for itself.
    Whole(Term),
    /// Traits of traffic, to which AND may add others.
    Traffic(Traffic),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) src: Option<IpNet>,
    pub(super) dst: Option<IpNet>,
    pub(super) dst_port: Option<u16>,
    pub(super) protocol: Option<Proto>,
    /// `src_ref.type` and `dst_ref.type`: whether IPv6, and where that stands. They add nothing
    /// to an address, but patterns in the field have them beside it.
    pub(super) src_is_v6: Option<(bool, usize)>,
    pub(super) dst_is_v6: Option<(bool, usize)>,
}

impl Traffic {
    /// No trait yet.
    pub(super) const NONE: Self = Self {
        src: None,
        dst: None,
        dst_port: None,
        protocol: None,
        src_is_v6: None,
        dst_is_v6: None,
    };
}

impl Draft {
    fn and(&self, other: &Self, at: usize) -> Result<Self, Refusal> {
        match (self, other) {
            (Self::Traffic(left), Self::Traffic(right)) => left.and(*right, at).map(Self::Traffic),
            _ => Err(Refusal::unsupported(
                at,
                "AND here is not supported",
                ONE_TERM,
            )),
        }
    }

    fn finish(self) -> Result<Term, Refusal> {
        match self {
            Self::Whole(term) => Ok(term),
            Self::Traffic(traffic) => traffic.finish(),
        }
    }
}

impl Traffic {
    fn and(self, other: Self, at: usize) -> Result<Self, Refusal> {
        Ok(Self {
            src: one_of(self.src, other.src, at)?,
            dst: one_of(self.dst, other.dst, at)?,
            dst_port: one_of(self.dst_port, other.dst_port, at)?,
            protocol: one_of(self.protocol, other.protocol, at)?,
            src_is_v6: self.src_is_v6.or(other.src_is_v6),
            dst_is_v6: self.dst_is_v6.or(other.dst_is_v6),
        })
    }

    fn finish(self) -> Result<Term, Refusal> {
        check_family(self.src, self.src_is_v6)?;
        check_family(self.dst, self.dst_is_v6)?;
        let Self {
            src,
            dst,
            dst_port,
            protocol,
            ..
        } = self;
        Ok(Term::Traffic {
            src,
            dst,
            dst_port,
            protocol,
        })
    }
}

/// The condition that is there; of two, only if they are the same one.
fn one_of<T: PartialEq>(
    left: Option<T>,
    right: Option<T>,
    at: usize,
) -> Result<Option<T>, Refusal> {
    match (left, right) {
        (Some(left), Some(right)) if left != right => {
            let what = "AND joins two conditions on one property, which is not supported";
            Err(Refusal::unsupported(
                at,
                what,
                "keep the narrower of the two",
            ))
        }
        (left, right) => Ok(left.or(right)),
    }
}

fn check_family(address: Option<IpNet>, claim: Option<(bool, usize)>) -> Result<(), Refusal> {
    match (address, claim) {
        (None, Some((_, at))) => {
            let what = "a type of address without an address is not supported";
            Err(Refusal::unsupported(
                at,
                what,
                "add src_ref.value or dst_ref.value with AND",
            ))
        }
        (Some(net), Some((is_v6, at))) if is_v6 != matches!(net, IpNet::V6(_)) => {
            let what = "the address beside it is of the other type";
            Err(Refusal::value(at, what, "correct one of the two"))
        }
        _ => Ok(()),
    }
}

/// What a property test asks for, one draft for each constant.
fn drafts(test: &Test<'_>) -> Result<Vec<Draft>, Refusal> {
    let property = Property::of(&test.path)?;
    if let Some(at) = test.not {
        return Err(Refusal::unsupported(at, "NOT is not supported", OPERATORS));
    }
    let subset = test.relation == Relation::Subset;
    let supported =
        matches!(test.relation, Relation::Equal | Relation::In) || subset && property.is_address();
    if !supported {
        let what = format!(
            "{} on {} is not supported",
            test.relation.keyword(),
            test.path.text
        );
        return Err(Refusal::unsupported(test.operator_at, what, OPERATORS));
    }
    if test.operands.is_empty() {
        let what = "an empty set matches nothing";
        return Err(Refusal::value(
            test.operator_at,
            what,
            "name at least one constant",
        ));
    }
    test.operands
        .iter()
        .map(|operand| property.draft(operand, subset))
        .collect()
}
