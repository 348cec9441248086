//! The syntax tree of a pattern: what was written, and where.

use std::borrow::Cow;

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
    /// One with a qualifier after it.
    Qualified {
        inner: Box<Self>,
        qualifier: Qualifier,
        at: usize,
    },
}

/// What joins observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    FollowedBy,
    Or,
    And,
}

/// What narrows an observation in time or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qualifier {
    Within,
    Repeats,
    StartStop,
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
    /// The operator as written (`=`, `IN`, `LIKE`, …, `EXISTS`) and where.
    pub(super) operator: &'a str,
    pub(super) operator_at: usize,
    pub(super) operands: Vec<Operand<'a>>,
}

/// An object path such as `file:hashes.'SHA-256'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path<'a> {
    pub(super) at: usize,
    pub(super) object: &'a str,
    pub(super) steps: Vec<Step<'a>>,
    /// As written.
    pub(super) text: &'a str,
}

/// One step of an object path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Key(Cow<'a, str>),
    Any,
    Index,
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

impl Qualifier {
    pub(super) const fn keyword(self) -> &'static str {
        match self {
            Self::Within => "WITHIN",
            Self::Repeats => "REPEATS",
            Self::StartStop => "START",
        }
    }
}
