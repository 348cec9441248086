//! What a source says, piece by piece.

use std::borrow::Cow;
use std::fmt;

use stix::{Object, Timestamp, Tlp};

use crate::value::{Value, ValueError};

/// One piece of what a source says.
#[derive(Clone, Debug)]
pub enum Told {
    /// Something to look for.
    Claim(Box<Claim>),
    /// An object that is STIX already.
    Object(Object),
    /// A piece that cannot be read.
    Refused(Refused),
    /// A piece that is good, and is not to be shared or not to be looked for: why, in words that
    /// are the same for all such pieces.
    PassedOver(&'static str),
}

/// Something to look for. What a source does not say is `None`; the [`crate::Author`] fills it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What to look for.
    pub value: Value,
    /// What tells claims of one source apart; the value itself when not given.
    pub key: Option<Box<str>>,
    /// A few words for people: a family, a scenario.
    pub name: Option<Box<str>>,
    /// Who may see it.
    pub tlp: Option<Tlp>,
    /// How sure the source is, 0 to 100.
    pub confidence: Option<u8>,
    /// When the source wrote it first.
    pub created: Option<Timestamp>,
    /// The version: when the source wrote this. Without one, every change is of now.
    pub modified: Option<Timestamp>,
    /// From when on it holds.
    pub valid_from: Option<Timestamp>,
    /// Until when it holds.
    pub valid_until: Option<Timestamp>,
    /// Whether the source takes it back.
    pub revoked: bool,
    /// Where it stands.
    pub place: Place,
}

impl Claim {
    /// A value at a place; all else as the author says.
    #[must_use]
    pub fn new(value: Value, place: Place) -> Self {
        Self {
            value,
            key: None,
            name: None,
            tlp: None,
            confidence: None,
            created: None,
            modified: None,
            valid_from: None,
            valid_until: None,
            revoked: false,
            place,
        }
    }
}

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line and a column, from 1; the column in characters.
    Line(u64, u64),
    /// What a JSON document calls it.
    Item(Box<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line, column) => write!(f, "line {line}, column {column}"),
            Self::Item(item) => f.write_str(item),
        }
    }
}

/// A piece that cannot be read; the rest goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub reason: String,
    /// What would mend it.
    pub mend: Cow<'static, str>,
}

impl Refused {
    pub(crate) fn new(place: Place, reason: impl Into<String>, mend: &'static str) -> Self {
        Self {
            place,
            reason: reason.into(),
            mend: mend.into(),
        }
    }

    pub(crate) fn value(place: Place, error: &ValueError) -> Self {
        Self::new(place, error.to_string(), error.mend())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.reason, self.mend)
    }
}
