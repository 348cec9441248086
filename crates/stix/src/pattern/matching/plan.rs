//! What has to be found, and in which order and time.

use crate::pattern::literal::Moment;

/// The observations that a pattern asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// One sighting that fulfils the condition of this number.
    One(usize),
    /// All of them, each with sightings of its own.
    All(Vec<Self>),
    /// Any of them.
    Any(Vec<Self>),
    /// All of them, each not later than the next.
    Ordered(Vec<Self>),
    /// All in so many nanoseconds.
    Within(Box<Self>, i128),
    /// So often.
    Repeats(Box<Self>, u64),
    /// Each not before the first, and before the second.
    Between(Box<Self>, Moment, Moment),
}
