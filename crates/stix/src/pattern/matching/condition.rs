//! What one object must be like, and whether it is.

use std::cmp::Ordering;

use ipnet::IpNet;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::observed::kind;
use super::path::{Place, Scope, walk};
use super::regex::Expression;
use super::wildcard::Wildcard;
use super::{MatchError, Steps};
use crate::canonical;
use crate::pattern::error::Refusal;
use crate::pattern::literal::{Literal, Moment, Number, latin};
use crate::pattern::tree::{Comparison, Operand, Relation, Step, Test};

/// What one object must be like.
#[derive(Debug)]
pub(super) enum Condition {
    Any(Vec<Self>),
    All(Vec<Self>),
    Property(Property),
}

/// What a property of an object must be like.
#[derive(Debug)]
pub(super) struct Property {
    object: Box<str>,
    path: Vec<Step<'static>>,
    not: bool,
    check: Check,
}

#[derive(Debug)]
enum Check {
    Exists,
    Order(Relation, Literal),
    /// Equal to one of them.
    Among(Vec<Literal>),
    Like(Wildcard),
    Matches(Box<Expression>),
    Subset(IpNet),
    Superset(IpNet),
}

impl Condition {
    pub(super) fn compile(comparison: &Comparison<'_>) -> Result<Self, Refusal> {
        let each = |parts: &[Comparison<'_>]| -> Result<Vec<Self>, Refusal> {
            parts.iter().map(Self::compile).collect()
        };
        Ok(match comparison {
            Comparison::Or(parts) => Self::Any(each(parts)?),
            Comparison::And { parts, .. } => Self::All(each(parts)?),
            Comparison::Test(test) => Self::Property(Property::compile(test)?),
        })
    }

    /// Whether an object is like it. All of it is looked at, so that broken data are told in
    /// whichever order the parts stand.
    pub(super) fn holds<'v>(
        &self,
        object: &'v Value,
        scope: &Scope<'v>,
        steps: &mut Steps,
    ) -> Result<bool, MatchError> {
        match self {
            Self::Any(parts) => parts.iter().try_fold(false, |any, part| {
                Ok(part.holds(object, scope, steps)? || any)
            }),
            Self::All(parts) => parts.iter().try_fold(true, |all, part| {
                Ok(part.holds(object, scope, steps)? && all)
            }),
            Self::Property(property) => property.holds(object, scope, steps),
        }
    }
}

/// How many regular expressions there are.
pub(super) fn expressions(comparison: &Comparison<'_>) -> usize {
    match comparison {
        Comparison::Or(parts) | Comparison::And { parts, .. } => {
            parts.iter().map(expressions).sum()
        }
        Comparison::Test(test) => usize::from(test.relation == Relation::Matches),
    }
}

impl Property {
    fn compile(test: &Test<'_>) -> Result<Self, Refusal> {
        let owned = |step: &Step<'_>| match step {
            Step::Key(key) => Step::Key(key.clone().into_owned().into()),
            Step::Any => Step::Any,
            Step::Index(index) => Step::Index(*index),
        };
        let not = test.not.is_some();
        let unequal = test.relation == Relation::Unequal;
        Ok(Self {
            object: test.path.object.into(),
            path: test.path.steps.iter().map(owned).collect(),
            not: not != unequal,
            check: check(test)?,
        })
    }

    fn holds<'v>(
        &self,
        object: &'v Value,
        scope: &Scope<'v>,
        steps: &mut Steps,
    ) -> Result<bool, MatchError> {
        if kind(object) != &*self.object {
            return Ok(false);
        }
        let places = walk(object, &self.path, scope, steps)?;
        if matches!(self.check, Check::Exists) {
            return Ok(places.is_empty() == self.not);
        }
        let mut holds = false;
        for place in &places {
            steps.take(1)?;
            holds |= self.check.holds(place, self.not, steps)?;
        }
        Ok(holds)
    }
}

fn check(test: &Test<'_>) -> Result<Check, Refusal> {
    use Relation as R;
    if test.relation == R::Exists {
        return Ok(Check::Exists);
    }
    let Some(operand) = test.operands.first() else {
        return Ok(Check::Among(Vec::new()));
    };
    Ok(match test.relation {
        R::Like => Check::Like(Wildcard::new(&operand.value.nfc().collect::<String>())),
        R::Matches => {
            let expression: String = operand.value.nfc().collect();
            let compiled = Expression::new(&expression).map_err(|why| {
                let what = format!("this is no regular expression: {why}");
                Refusal::value(operand.at, what, "follow the syntax of PCRE")
            })?;
            Check::Matches(Box::new(compiled))
        }
        R::Subset => Check::Subset(network(operand)?),
        R::Superset => Check::Superset(network(operand)?),
        R::Equal | R::Unequal | R::In | R::Exists => return set(test).map(Check::Among),
        relation @ (R::Less | R::AtMost | R::Greater | R::AtLeast) => {
            Check::Order(relation, Literal::of(operand)?)
        }
    })
}

/// Constants of one class.
fn set(test: &Test<'_>) -> Result<Vec<Literal>, Refusal> {
    let literals: Vec<Literal> = test
        .operands
        .iter()
        .map(Literal::of)
        .collect::<Result<_, _>>()?;
    let first = literals.first().map(Literal::class);
    let mut pairs = literals.iter().zip(&test.operands);
    match pairs.find(|(literal, _)| Some(literal.class()) != first) {
        None => Ok(literals),
        Some((_, operand)) => {
            let what = "the constants of the set are of several types";
            let mend = "make a set for each type, joined by OR";
            Err(Refusal::value(operand.at, what, mend))
        }
    }
}

fn network(operand: &Operand<'_>) -> Result<IpNet, Refusal> {
    canonical::network(&operand.value).ok_or_else(|| {
        let what = "this is no address and no network";
        let mend = "write an IPv4 or IPv6 address, with / and the length of its prefix";
        Refusal::value(operand.at, what, mend)
    })
}

impl Check {
    /// Whether a value is as asked; with `not`, whether it is otherwise. Values of different types
    /// are unequal, and have no order.
    fn holds(&self, place: &Place<'_>, not: bool, steps: &mut Steps) -> Result<bool, MatchError> {
        let is = match self {
            Self::Exists => true,
            Self::Order(relation, literal) => {
                let order = order(place, literal)?;
                return Ok(order.is_some_and(|order| has(*relation, order) != not));
            }
            Self::Among(literals) => {
                steps.take(literals.len())?;
                let mut any = false;
                for literal in literals {
                    any |= order(place, literal)? == Some(Ordering::Equal);
                }
                any
            }
            Self::Like(wildcard) => match place {
                Place::Value(Value::String(text)) => {
                    wildcard.is_match(&text.nfc().collect::<Vec<char>>(), steps)?
                }
                Place::Bytes(bytes) => {
                    let chars: Vec<char> = bytes.iter().copied().map(char::from).collect();
                    wildcard.is_match(&chars, steps)?
                }
                Place::Value(_) => false,
            },
            Self::Matches(expression) => match place {
                Place::Value(Value::String(text)) => {
                    expression.is_in_text(&text.nfc().collect::<String>(), steps)?
                }
                Place::Bytes(bytes) => expression.is_in_bytes(bytes, steps)?,
                Place::Value(_) => false,
            },
            Self::Subset(net) => net_of(place).is_some_and(|value| net.contains(&value)),
            Self::Superset(net) => net_of(place).is_some_and(|value| value.contains(net)),
        };
        Ok(is != not)
    }
}

fn has(relation: Relation, order: Ordering) -> bool {
    match relation {
        Relation::Less => order.is_lt(),
        Relation::AtMost => order.is_le(),
        Relation::Greater => order.is_gt(),
        Relation::AtLeast => order.is_ge(),
        // What asks for no order has been judged by other means.
        Relation::Equal
        | Relation::Unequal
        | Relation::In
        | Relation::Like
        | Relation::Matches
        | Relation::Subset
        | Relation::Superset
        | Relation::Exists => order.is_eq(),
    }
}

fn net_of(place: &Place<'_>) -> Option<IpNet> {
    match place {
        Place::Value(Value::String(text)) => canonical::network(text),
        Place::Value(_) | Place::Bytes(_) => None,
    }
}

/// The order of a value and a constant; none where their types cannot be compared. Text is compared
/// by its code points. Text and bytes are compared as bytes, where each character is one.
fn order(place: &Place<'_>, literal: &Literal) -> Result<Option<Ordering>, MatchError> {
    Ok(match (place, literal) {
        (Place::Value(Value::Number(number)), Literal::Number(other)) => {
            Number::of_json(number).order(*other)
        }
        (Place::Value(Value::Bool(truth)), Literal::Truth(other)) => Some(truth.cmp(other)),
        (Place::Value(Value::String(text)), Literal::Text(other)) => Some((**text).cmp(other)),
        (Place::Value(Value::String(text)), Literal::Bytes(other)) => {
            latin(text).map(|bytes| bytes.as_slice().cmp(other))
        }
        (Place::Bytes(bytes), Literal::Bytes(other)) => Some(bytes.cmp(other)),
        (Place::Bytes(bytes), Literal::Text(other)) => {
            latin(other).map(|other| (**bytes).cmp(&other))
        }
        (Place::Value(Value::String(text)), Literal::Time(other)) => {
            let time = Moment::parse(text).ok_or_else(|| {
                let text: String = text.chars().take(40).collect();
                let what = format!("{text:?} is compared with a timestamp and is none");
                MatchError::data(what, "correct the observed data, or compare with a string")
            });
            Some(time?.cmp(other))
        }
        _ => None,
    })
}
