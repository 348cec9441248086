//! A pattern as a tree, and what can be told from the tree alone.
//!
//! Options are gone here: letters under `i` are sets of two, `.` is the set that it stands for,
//! `$` is the assertion that it means. Functions recurse as deep as the tree, which the parser
//! bounds ([`super::NEST_MAX`]).

use super::bytes::ByteSet;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Empty,
    /// One byte of a set.
    Set(ByteSet),
    Concat(Vec<Self>),
    Alternate(Vec<Self>),
    Repeat {
        node: Box<Self>,
        min: u32,
        max: Option<u32>,
        mode: Mode,
    },
    Group {
        index: u32,
        node: Box<Self>,
    },
    /// `(?>...)`
    Atomic(Box<Self>),
    Look {
        behind: bool,
        negative: bool,
        node: Box<Self>,
    },
    Assert(Assertion),
    Backreference {
        group: u32,
        caseless: bool,
    },
    Conditional {
        condition: Condition,
        yes: Box<Self>,
        no: Box<Self>,
    },
    /// `\K`: the match starts here.
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    TextStart,
    /// `^` under `m`: not behind a newline that ends the text, unlike other libraries.
    LineStart,
    TextEnd,
    /// `$` and `\Z`: the end, or before a newline that is the last byte.
    TextEndOrNewline,
    LineEnd,
    Word,
    NotWord,
    /// `\G`: where the search began.
    SearchStart,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The group has matched.
    Group(u32),
    /// The look-around holds; a node that is none never does (`(?!)`).
    Look(Box<Node>),
}

/// Width of what a node takes, in bytes; no `max` when there is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width {
    pub(super) min: usize,
    pub(super) max: Option<usize>,
}

impl Width {
    const ZERO: Self = Self {
        min: 0,
        max: Some(0),
    };
    const ONE: Self = Self {
        min: 1,
        max: Some(1),
    };

    fn then(self, next: Self) -> Self {
        Self {
            min: self.min.saturating_add(next.min),
            max: self.max.zip(next.max).map(|(a, b)| a.saturating_add(b)),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.zip(other.max).map(|(a, b)| a.max(b)),
        }
    }

    fn times(self, min: u32, max: Option<u32>) -> Self {
        let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let most = match (self.max, max) {
            (Some(0), _) | (_, Some(0)) => Some(0),
            (Some(width), Some(n)) => Some(width.saturating_mul(count(n))),
            _ => None,
        };
        Self {
            min: self.min.saturating_mul(count(min)),
            max: most,
        }
    }
}

impl Node {
    pub(super) fn width(&self) -> Width {
        match self {
            Self::Empty | Self::Look { .. } | Self::Assert(_) | Self::Keep => Width::ZERO,
            Self::Set(_) => Width::ONE,
            Self::Concat(nodes) => nodes
                .iter()
                .fold(Width::ZERO, |sum, node| sum.then(node.width())),
            Self::Alternate(nodes) => nodes
                .iter()
                .map(Self::width)
                .reduce(Width::or)
                .unwrap_or(Width::ZERO),
            Self::Repeat { node, min, max, .. } => node.width().times(*min, *max),
            Self::Group { node, .. } | Self::Atomic(node) => node.width(),
            Self::Backreference { .. } => Width { min: 0, max: None },
            Self::Conditional { yes, no, .. } => yes.width().or(no.width()),
        }
    }

    /// The bytes that a match can start with, and whether it can be empty. An assertion counts
    /// as empty, so the set may be too wide, never too narrow.
    pub(super) fn first(&self) -> (ByteSet, bool) {
        match self {
            Self::Empty | Self::Look { .. } | Self::Assert(_) | Self::Keep => {
                (ByteSet::EMPTY, true)
            }
            Self::Set(set) => (*set, false),
            Self::Concat(nodes) => {
                let mut all = ByteSet::EMPTY;
                for node in nodes {
                    let (set, empty) = node.first();
                    all = all.union(&set);
                    if !empty {
                        return (all, false);
                    }
                }
                (all, true)
            }
            Self::Alternate(nodes) => nodes
                .iter()
                .map(Self::first)
                .fold((ByteSet::EMPTY, false), |(all, nullable), (set, empty)| {
                    (all.union(&set), nullable || empty)
                }),
            Self::Repeat { node, min, max, .. } => match (max, node.first()) {
                (Some(0), _) => (ByteSet::EMPTY, true),
                (_, (set, empty)) => (set, empty || *min == 0),
            },
            Self::Group { node, .. } | Self::Atomic(node) => node.first(),
            Self::Backreference { .. } => (ByteSet::ALL, true),
            Self::Conditional { yes, no, .. } => {
                let ((yes, empty), (no, nothing)) = (yes.first(), no.first());
                (yes.union(&no), empty || nothing)
            }
        }
    }

    /// Whether a match can only start where `assertion` holds.
    pub(super) fn starts_with(&self, assertion: Assertion) -> bool {
        match self {
            Self::Assert(own) => *own == assertion,
            Self::Concat(nodes) => {
                for node in nodes {
                    if node.starts_with(assertion) {
                        return true;
                    }
                    if node.width() != Width::ZERO {
                        return false;
                    }
                }
                false
            }
            Self::Alternate(nodes) => nodes.iter().all(|node| node.starts_with(assertion)),
            Self::Repeat { node, min, .. } => *min > 0 && node.starts_with(assertion),
            Self::Group { node, .. } | Self::Atomic(node) => node.starts_with(assertion),
            Self::Conditional { yes, no, .. } => {
                yes.starts_with(assertion) && no.starts_with(assertion)
            }
            Self::Empty
            | Self::Set(_)
            | Self::Look { .. }
            | Self::Backreference { .. }
            | Self::Keep => false,
        }
    }
}
