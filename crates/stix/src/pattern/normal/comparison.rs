//! Comparisons in one wording.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization as _;

use super::Wording;
use super::value;
use crate::canonical;
use crate::pattern::display::PathText;
use crate::pattern::literal::{Class, Literal};
use crate::pattern::print::Quoted;
use crate::pattern::tree::{Comparison, Operand, Relation, Step, Test};

/// A comparison in one wording.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Plain {
    /// Joined by `AND`: at least two, sorted, none twice.
    All(Vec<Self>),
    /// Joined by `OR`: as above.
    Any(Vec<Self>),
    /// One of some constants of one class, or, with `not`, none of them; never empty.
    Among {
        path: String,
        not: bool,
        /// Whether the path leads to at most one value.
        single: bool,
        class: Class,
        values: BTreeSet<String>,
    },
    /// As it is.
    Other(String),
}

/// The one wording of a comparison.
pub(super) fn plain(comparison: &Comparison<'_>, wording: Wording) -> Plain {
    let each = |parts: &[Comparison<'_>]| parts.iter().map(|part| plain(part, wording)).collect();
    match comparison {
        Comparison::Or(parts) => Plain::any(each(parts)),
        Comparison::And { parts, .. } => Plain::all(each(parts)),
        Comparison::Test(test) => Plain::test(test, wording),
    }
}

impl Plain {
    /// Any of them. Constants that one property may equal are one set.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            if let Self::Any(parts) = part {
                flat.extend(parts);
            } else {
                flat.push(part);
            }
        }
        let merged = merge(flat, |not, _| !not);
        Self::joined(merged, Self::Any)
    }

    /// All of them. Constants that a property with one value must not equal are one set.
    fn all(parts: Vec<Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            if let Self::All(parts) = part {
                flat.extend(parts);
            } else {
                flat.push(part);
            }
        }
        let merged = merge(flat, |not, single| not && single);
        Self::joined(merged, Self::All)
    }

    fn joined(mut parts: BTreeSet<Self>, of: fn(Vec<Self>) -> Self) -> Self {
        match (parts.len(), parts.pop_last()) {
            (1, Some(only)) => only,
            (_, last) => of(parts.into_iter().chain(last).collect()),
        }
    }

    fn test(test: &Test<'_>, wording: Wording) -> Self {
        use Relation as R;
        let steps = value::steps(&test.path, wording);
        let path = PathText(test.path.object, &steps).to_string();
        let not = test.not.is_some();
        match test.relation {
            R::Equal | R::Unequal | R::In => {
                let not = not != (test.relation == R::Unequal);
                let single = !steps.contains(&Step::Any);
                return Self::among(test, wording, path, not, single);
            }
            R::Exists => {
                let not = if not { "NOT " } else { "" };
                return Self::Other(format!("{not}EXISTS {path}"));
            }
            R::Less | R::AtMost | R::Greater | R::AtLeast => {}
            R::Like | R::Matches | R::Subset | R::Superset => {}
        }
        let relation = test.relation.opposite().filter(|_| not);
        let keyword = relation.unwrap_or(test.relation).keyword();
        let not = if not && relation.is_none() {
            " NOT"
        } else {
            ""
        };
        let constant = test.operands.first().map_or(String::new(), |operand| {
            self::operand(test.relation, operand)
        });
        Self::Other(format!("{path}{not} {keyword} {constant}"))
    }

    fn among(test: &Test<'_>, wording: Wording, path: String, not: bool, single: bool) -> Self {
        let classes: Option<BTreeSet<Class>> = test
            .operands
            .iter()
            .map(|operand| Literal::of(operand).ok().map(|literal| literal.class()))
            .collect();
        let class = classes.filter(|classes| classes.len() == 1);
        if let Some(class) = class.and_then(|mut classes| classes.pop_first()) {
            let value = |operand: &Operand<'_>| match (class, wording) {
                (Class::Text, Wording::Named) => {
                    Quoted(&value::named(&test.path, &operand.value)).to_string()
                }
                _ => value::constant(operand),
            };
            return Self::Among {
                path,
                not,
                single,
                class,
                values: test.operands.iter().map(value).collect(),
            };
        }
        // An empty set, one of several classes, or a time that does not exist.
        let keyword = if not { " NOT IN" } else { " IN" };
        let values: BTreeSet<String> = test.operands.iter().map(value::constant).collect();
        Self::Other(format!("{path}{keyword} {}", set(&values)))
    }

    pub(super) fn text(&self) -> String {
        let joined = |parts: &[Self], operator: &str| {
            let parts = parts.iter().map(|part| match matches!(part, Self::Any(_)) {
                true => format!("({})", part.text()),
                false => part.text(),
            });
            parts.collect::<Vec<String>>().join(operator)
        };
        match self {
            Self::All(parts) => joined(parts, " AND "),
            Self::Any(parts) => joined(parts, " OR "),
            Self::Other(text) => text.clone(),
            Self::Among {
                path, not, values, ..
            } => match (values.len(), values.first(), not) {
                (1, Some(only), false) => format!("{path} = {only}"),
                (1, Some(only), true) => format!("{path} != {only}"),
                (_, _, false) => format!("{path} IN {}", set(values)),
                (_, _, true) => format!("{path} NOT IN {}", set(values)),
            },
        }
    }
}

/// The constant after an operator that is not one of equality.
fn operand(relation: Relation, operand: &Operand<'_>) -> String {
    match relation {
        Relation::Like | Relation::Matches => {
            let text: String = operand.value.nfc().collect();
            Quoted(&text).to_string()
        }
        Relation::Subset | Relation::Superset => match canonical::network(&operand.value) {
            Some(network) => Quoted(&value::network(network)).to_string(),
            None => Quoted(&operand.value).to_string(),
        },
        Relation::Equal | Relation::Unequal | Relation::In | Relation::Exists => {
            value::constant(operand)
        }
        Relation::Less | Relation::AtMost | Relation::Greater | Relation::AtLeast => {
            value::constant(operand)
        }
    }
}

fn set(values: &BTreeSet<String>) -> String {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    format!("({})", values.join(", "))
}

/// Puts those sets of one path and class together that `joins` says of their sign and path.
fn merge(parts: Vec<Plain>, joins: fn(not: bool, single: bool) -> bool) -> BTreeSet<Plain> {
    let mut sets: BTreeMap<(String, bool, bool, Class), BTreeSet<String>> = BTreeMap::new();
    let mut rest = BTreeSet::new();
    for part in parts {
        let is_set = matches!(&part, Plain::Among { not, single, .. } if joins(*not, *single));
        if !is_set {
            rest.insert(part);
        } else if let Plain::Among {
            path,
            not,
            single,
            class,
            values,
        } = part
        {
            let key = (path, not, single, class);
            sets.entry(key).or_default().extend(values);
        }
    }
    let sets = sets.into_iter();
    rest.extend(
        sets.map(|((path, not, single, class), values)| Plain::Among {
            path,
            not,
            single,
            class,
            values,
        }),
    );
    rest
}
