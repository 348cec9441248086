//! Refusals: what stands where, and what mends it.

/// Why a text is not a pattern that can be enforced, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} column {column}: {what}; {mend}")]
pub struct PatternError {
    /// Whether the pattern is illegal, or legal and not enforceable.
    pub kind: PatternErrorKind,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// What stands there, by name.
    pub what: Box<str>,
    /// What would mend it.
    pub mend: &'static str,
}

/// Whose fault a [`PatternError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatternErrorKind {
    /// The text is not a STIX pattern.
    Syntax,
    /// The text is a STIX pattern, but this part of it cannot be enforced.
    Unsupported,
    /// The text is a STIX pattern, but this value is none of its kind and matches nothing.
    Value,
    /// The text is beyond a bound.
    Bound,
}

/// As [`PatternError`], at a byte of a text that the one who refuses need not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    kind: PatternErrorKind,
    at: usize,
    pub(super) what: Box<str>,
    mend: &'static str,
}

impl Refusal {
    pub(super) fn syntax(at: usize, what: impl Into<Box<str>>, mend: &'static str) -> Self {
        Self {
            kind: PatternErrorKind::Syntax,
            at,
            what: what.into(),
            mend,
        }
    }

    pub(super) fn unsupported(at: usize, what: impl Into<Box<str>>, mend: &'static str) -> Self {
        Self {
            kind: PatternErrorKind::Unsupported,
            at,
            what: what.into(),
            mend,
        }
    }

    pub(super) fn value(at: usize, what: impl Into<Box<str>>, mend: &'static str) -> Self {
        Self {
            kind: PatternErrorKind::Value,
            at,
            what: what.into(),
            mend,
        }
    }

    pub(super) fn bound(at: usize, what: impl Into<Box<str>>, mend: &'static str) -> Self {
        Self {
            kind: PatternErrorKind::Bound,
            at,
            what: what.into(),
            mend,
        }
    }

    /// The same with the place that a reader of `text` looks for.
    pub(super) fn in_text(self, text: &str) -> PatternError {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let last_line = before.rsplit('\n').next().unwrap_or(before);
        let column = last_line.chars().count().saturating_add(1);
        PatternError {
            kind: self.kind,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            what: self.what,
            mend: self.mend,
        }
    }
}
