//! The syntax tree of a pattern: what was written, and where.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::lexer::Constant;

/// What is to be observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Observation<'a> {
    /// `[…]`.
    Test(Comparison<'a>),
    /// Several, joined by one operator, which stands at `at`.
    Joined {
        operator: Operator,
        at: usize,
        parts: Vec<Self>,
    },
    /// One with a qualifier after it. `direct`: it stands after `[…]` without parentheses between.
    Qualified {
        inner: Box<Self>,
        qualifier: Qualifier<'a>,
        at: usize,
        direct: bool,
    },
}

/// What joins observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operator {
    FollowedBy,
    Or,
    And,
}

/// What narrows an observation in time or number; the constants as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qualifier<'a> {
    /// In so many seconds.
    Within(&'a str),
    /// So many times.
    Repeats(&'a str),
    /// Two timestamps, without `t` and quotes.
    StartStop(&'a str, &'a str),
}

/// What one observation must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comparison<'a> {
    /// Any of them.
    Or(Vec<Self>),
    /// All of them; the first `AND` stands at `at`.
    And { at: usize, parts: Vec<Self> },
    /// A property against a constant.
    Test(Test<'a>),
}

/// One property test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test<'a> {
    pub(super) path: Path<'a>,
    pub(super) not: Option<usize>,
    pub(super) relation: Relation,
    /// Where the operator stands.
    pub(super) operator_at: usize,
    /// One constant; for `IN` any number, for `EXISTS` none.
    pub(super) operands: SmallVec<[Operand<'a>; 1]>,
}

/// What a comparison operator asks; `==` is `=`, and `<>` is `!=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Relation {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    Like,
    Matches,
    Subset,
    Superset,
    Exists,
}

/// An object path such as `file:hashes.'SHA-256'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path<'a> {
    pub(super) at: usize,
    pub(super) object: &'a str,
    pub(super) steps: SmallVec<[Step<'a>; 2]>,
    /// As written.
    pub(super) text: &'a str,
}

/// One step of an object path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step<'a> {
    Key(Cow<'a, str>),
    Any,
    /// Counted from 0; one that no list has is [`usize::MAX`].
    Index(usize),
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operand<'a> {
    pub(super) at: usize,
    pub(super) constant: Constant,
    /// The value of a string, the text of any other constant.
    pub(super) value: Cow<'a, str>,
}

impl Operator {
    pub(super) const fn keyword(self) -> &'static str {
        match self {
            Self::FollowedBy => "FOLLOWEDBY",
            Self::Or => "OR",
            Self::And => "AND",
        }
    }
}

impl Qualifier<'_> {
    pub(super) const fn keyword(&self) -> &'static str {
        match self {
            Self::Within(_) => "WITHIN",
            Self::Repeats(_) => "REPEATS",
            Self::StartStop(..) => "START",
        }
    }
}

impl Relation {
    pub(super) const fn keyword(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::In => "IN",
            Self::Like => "LIKE",
            Self::Matches => "MATCHES",
            Self::Subset => "ISSUBSET",
            Self::Superset => "ISSUPERSET",
            Self::Exists => "EXISTS",
        }
    }

    /// The relation that holds of two values that have an order where this one does not.
    pub(super) const fn opposite(self) -> Option<Self> {
        Some(match self {
            Self::Less => Self::AtLeast,
            Self::AtLeast => Self::Less,
            Self::Greater => Self::AtMost,
            Self::AtMost => Self::Greater,
            Self::Equal | Self::Unequal | Self::In | Self::Exists => return None,
            Self::Like | Self::Matches | Self::Subset | Self::Superset => return None,
        })
    }

    /// The relation that an operator asks for; nothing for another text.
    pub(super) fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            "=" | "==" => Self::Equal,
            "!=" | "<>" => Self::Unequal,
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::Greater,
            ">=" => Self::AtLeast,
            "IN" => Self::In,
            "LIKE" => Self::Like,
            "MATCHES" => Self::Matches,
            "ISSUBSET" => Self::Subset,
            "ISSUPERSET" => Self::Superset,
            _ => return None,
        })
    }
}

impl<'a> Path<'a> {
    /// The hash algorithm that a path such as `file:hashes.'SHA-256'` names.
    pub(super) fn hash_algorithm(&self) -> Option<&str> {
        match self.steps.as_slice() {
            [.., Step::Key(hashes), Step::Key(algorithm)] if hashes == "hashes" => Some(algorithm),
            _ => None,
        }
    }
}

impl Comparison<'_> {
    /// Where it begins.
    pub(super) fn at(&self) -> usize {
        match self {
            Self::Or(parts) | Self::And { parts, .. } => parts.first().map_or(0, Self::at),
            Self::Test(test) => test.path.at,
        }
    }
}
