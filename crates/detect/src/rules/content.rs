//! Literals in buffers.

use memchr::memmem::Finder;

use super::rule::Found;
use super::walk::Walk;

/// A literal, and where it must stand.
#[derive(Debug)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    /// Finds it where case counts.
    finder: Option<Finder<'static>>,
    pub(crate) negated: bool,
    /// From where on, and in how many bytes, counted from the buffer's start.
    pub(crate) offset: Option<Value>,
    pub(crate) depth: Option<Value>,
    /// How far behind the match before it, and in how many bytes.
    pub(crate) distance: Option<Value>,
    pub(crate) within: Option<Value>,
    /// It stands at the buffer's end.
    pub(crate) at_end: bool,
}

/// A number, or a variable that holds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Number(i64),
    Variable(usize),
}

impl Value {
    pub(crate) fn get(self, walk: &Walk<'_, '_>) -> i64 {
        match self {
            Self::Number(number) => number,
            Self::Variable(at) => {
                let value = walk.variables.get(at).copied().unwrap_or_default();
                i64::try_from(value).unwrap_or(i64::MAX)
            }
        }
    }
}

impl Content {
    pub(crate) fn new(bytes: Vec<u8>, negated: bool) -> Self {
        Self {
            finder: Some(Finder::new(&bytes).into_owned()),
            bytes,
            negated,
            offset: None,
            depth: None,
            distance: None,
            within: None,
            at_end: false,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Case does not count from here on.
    pub(crate) fn ignore_case(&mut self) {
        self.bytes.make_ascii_lowercase();
        self.finder = None;
    }

    pub(crate) fn is_nocase(&self) -> bool {
        self.finder.is_none()
    }

    pub(crate) fn is_negated(&self) -> bool {
        self.negated
    }

    pub(crate) fn is_relative(&self) -> bool {
        self.distance.is_some() || self.within.is_some()
    }

    /// Whether its place is counted from the buffer's start.
    pub(crate) fn is_placed(&self) -> bool {
        self.offset.is_some() || self.depth.is_some()
    }

    /// In how many first bytes of its buffer it stands, where that is written.
    pub(crate) fn place_end(&self) -> Option<usize> {
        self.place().map(|(_, end)| end)
    }

    /// Between which bytes of its buffer it stands, where that is written.
    pub(crate) fn place(&self) -> Option<(usize, usize)> {
        let number = |value: Option<Value>| match value {
            None => Some(0),
            Some(Value::Number(number)) => Some(number),
            Some(Value::Variable(_)) => None,
        };
        let (offset, depth) = (number(self.offset)?, number(self.depth)?);
        let is_placed = self.depth.is_some() && !self.is_relative();
        let from = usize::try_from(offset.max(0)).ok()?;
        let to = usize::try_from(offset.max(0).saturating_add(depth)).ok()?;
        is_placed.then_some((from, to))
    }

    /// Between which bytes it must stand.
    pub(crate) fn window(&self, walk: &Walk<'_, '_>) -> Option<(usize, usize)> {
        let len = int(walk.bytes.len());
        let get = |value: Option<Value>| value.map(|value| value.get(walk));
        let (from, to) = if self.is_relative() {
            let base = int(walk.cursor).saturating_add(get(self.distance).unwrap_or(0));
            let to = get(self.within).map_or(len, |within| base.saturating_add(within));
            let from = get(self.offset).map_or(base, |offset| base.max(offset));
            let depth = get(self.depth).map_or(len, |depth| {
                depth.saturating_add(get(self.offset).unwrap_or(0))
            });
            (from, to.min(depth))
        } else {
            let from = get(self.offset).unwrap_or(0);
            (
                from,
                get(self.depth).map_or(len, |depth| from.saturating_add(depth)),
            )
        };
        let from = usize::try_from(from.max(0)).ok()?;
        let to = usize::try_from(to.min(len)).ok()?;
        (from <= to).then_some((from, to))
    }

    /// Its next place between two places of the buffer.
    pub(crate) fn find(&self, walk: &Walk<'_, '_>, from: usize, to: usize) -> Option<Found> {
        let start = match self.at_end {
            true => {
                let start = walk.bytes.len().checked_sub(self.bytes.len())?;
                let fits = start >= from && to == walk.bytes.len();
                let there = walk.bytes.get(start..).filter(|_| fits)?;
                self.is(there).then_some(start)?
            }
            false => from.saturating_add(self.search(walk.bytes.get(from..to)?)?),
        };
        Some(Found {
            start,
            end: start.saturating_add(self.bytes.len()),
            again: start.saturating_add(1),
        })
    }

    /// Whether it is these bytes.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        match self.finder {
            Some(_) => bytes == self.bytes,
            None => bytes.eq_ignore_ascii_case(&self.bytes),
        }
    }

    /// Where it stands first.
    pub(crate) fn search(&self, hay: &[u8]) -> Option<usize> {
        if let Some(finder) = &self.finder {
            return finder.find(hay);
        }
        let (first, len) = (*self.bytes.first()?, self.bytes.len());
        let last = hay.len().checked_sub(len)?;
        let starts = hay.get(..=last)?;
        memchr::memchr2_iter(first, first.to_ascii_uppercase(), starts).find(|start| {
            let end = start.saturating_add(len);
            hay.get(*start..end)
                .is_some_and(|there| there.eq_ignore_ascii_case(&self.bytes))
        })
    }
}

fn int(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
