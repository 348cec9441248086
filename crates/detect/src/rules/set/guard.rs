//! What payload must have before it is worth looking for the literals of rules in it.
//!
//! Rules about packets tend to say how a packet begins, or how long it is: that is asked in a moment,
//! and true of few, where their literals are looked for in every byte.

use std::sync::Arc;

use super::super::content::Content;
use super::super::keyword::number::Number;
use super::super::rule::{Inspection, Rule, Step};

/// What the rules of a group ask of all payload that they may match in: any of these.
#[derive(Debug, Default)]
pub(super) struct Guard {
    exact: Vec<Exact>,
    placed: Vec<Placed>,
    sizes: Vec<Number>,
}

/// What one rule asks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Demand {
    /// These bytes between two places, with regard to case or without.
    Bytes {
        from: usize,
        to: usize,
        bytes: Arc<[u8]>,
        nocase: bool,
    },
    /// So many bytes in all.
    Size(Number),
}

/// Literals that stand at one place.
#[derive(Debug)]
struct Exact {
    at: usize,
    /// A bit for each byte that one of them begins with, in either case.
    firsts: [u64; 4],
    literals: Vec<Content>,
}

/// A literal that stands between two places.
#[derive(Debug)]
struct Placed {
    from: usize,
    to: usize,
    literal: Content,
}

/// Whether payload of such a size is rare, or soon looked through.
fn are_few(size: Number) -> bool {
    match size {
        Number::Is(_) => true,
        Number::Below(than) | Number::AtMost(than) => than <= SIZES_MAX,
        Number::Between(from, to) => to.saturating_sub(from) <= SIZES_MAX,
        Number::IsNot(_)
        | Number::Above(_)
        | Number::AtLeast(_)
        | Number::Outside(..)
        | Number::Masked(..)
        | Number::NotMasked(..) => false,
    }
}

/// Most sizes of payload, bytes, that count as few.
const SIZES_MAX: u64 = 64;
/// A literal is asked for in so many bytes at most.
const WINDOW_MAX: usize = 512;

impl Demand {
    /// What tells most of what an inspection of a rule asks of payload, if it asks anything of this
    /// kind.
    pub(super) fn of(rule: &Rule, inspection: &Inspection) -> Option<Self> {
        let contents = inspection.steps.iter().filter_map(|step| match step {
            Step::Content(content) if !content.is_negated() => Some(content),
            Step::Content(_) | Step::Find(_) | Step::Check(_) => None,
        });
        let placed = contents.filter_map(|content| {
            let (from, to) = content.place()?;
            (to.saturating_sub(from) <= WINDOW_MAX).then_some((content, from, to))
        });
        // at one place rather than between two, and the longest of those
        let best = placed.max_by_key(|(content, from, to)| {
            let len = content.bytes().len();
            (to.saturating_sub(*from) == len, len)
        });
        let bytes = best.map(|(content, from, to)| Self::Bytes {
            from,
            to,
            bytes: content.bytes().into(),
            nocase: content.is_nocase(),
        });
        let size = rule.payload_size.filter(|size| are_few(*size));
        bytes.or(size.map(Self::Size))
    }
}

impl Guard {
    /// A guard that asks for any of these.
    pub(super) fn of<'d>(demands: impl IntoIterator<Item = &'d Demand>) -> Self {
        let mut guard = Self::default();
        let mut known: Vec<&Demand> = Vec::new();
        for demand in demands {
            if known.contains(&demand) {
                continue;
            }
            known.push(demand);
            match demand {
                Demand::Size(size) => guard.sizes.push(*size),
                Demand::Bytes {
                    from,
                    to,
                    bytes,
                    nocase,
                } => {
                    let mut literal = Content::new(bytes.to_vec(), false);
                    if *nocase {
                        literal.ignore_case();
                    }
                    guard.add(*from, *to, literal);
                }
            }
        }
        guard
    }

    fn add(&mut self, from: usize, to: usize, literal: Content) {
        if to.saturating_sub(from) != literal.bytes().len() {
            self.placed.push(Placed { from, to, literal });
            return;
        }
        let known = self.exact.iter().position(|exact| exact.at == from);
        let place = known.unwrap_or_else(|| {
            self.exact.push(Exact {
                at: from,
                firsts: [0; 4],
                literals: Vec::new(),
            });
            self.exact.len().saturating_sub(1)
        });
        if let Some(exact) = self.exact.get_mut(place) {
            exact.add(literal);
        }
    }

    /// Whether payload has what one of the rules asks.
    pub(super) fn lets(&self, payload: &[u8]) -> bool {
        let size = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        self.exact.iter().any(|exact| exact.is_in(payload))
            || self.sizes.iter().any(|wanted| wanted.holds(size))
            || self.placed.iter().any(|placed| placed.is_in(payload))
    }
}

impl Exact {
    fn add(&mut self, literal: Content) {
        if let Some(first) = literal.bytes().first() {
            for first in [first.to_ascii_lowercase(), first.to_ascii_uppercase()] {
                let (word, bit) = place_of(first);
                if let Some(word) = self.firsts.get_mut(word) {
                    *word |= bit;
                }
            }
        }
        self.literals.push(literal);
    }

    fn is_in(&self, payload: &[u8]) -> bool {
        let Some(there) = payload.get(self.at..) else {
            return false;
        };
        let begins = there.first().is_some_and(|first| {
            let (word, bit) = place_of(*first);
            self.firsts.get(word).is_some_and(|word| word & bit != 0)
        });
        begins
            && self.literals.iter().any(|literal| {
                let there = there.get(..literal.bytes().len());
                there.is_some_and(|there| literal.is(there))
            })
    }
}

impl Placed {
    fn is_in(&self, payload: &[u8]) -> bool {
        let there = payload.get(self.from..self.to.min(payload.len()));
        there.is_some_and(|there| self.literal.search(there).is_some())
    }
}

/// The word and the bit there of a byte, of 256 bits.
fn place_of(byte: u8) -> (usize, u64) {
    (usize::from(byte >> 6), 1_u64.wrapping_shl(u32::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(from: usize, to: usize, bytes: &[u8], nocase: bool) -> Demand {
        Demand::Bytes {
            from,
            to,
            bytes: bytes.into(),
            nocase,
        }
    }

    #[test]
    fn payload_is_let_through_where_one_demand_is_met() {
        let demands = [
            bytes(0, 2, b"\x16\x03", false),
            bytes(4, 8, b"smb%", true),
            bytes(0, 9, b"PDF", false),
            Demand::Size(Number::Is(5)),
            bytes(0, 2, b"\x16\x03", false),
        ];
        let guard = Guard::of(&demands);
        assert_eq!((guard.exact.len(), guard.placed.len()), (2, 1));
        for let_through in [
            &b"\x16\x03\x01 and more"[..],
            b"\0\0\0\0SmB%....",
            b"junk: PDF",
            b"12345",
        ] {
            assert!(guard.lets(let_through), "{let_through:?}");
        }
        for held_back in [
            &b""[..],
            b"\x16",
            b"\x16\x04\x03",
            b"\0\0\0SMB%....",
            b"\0\0\0\0SMB",
            b"junk:  PDF",
            b"junk: pdf",
            b"123456",
        ] {
            assert!(!guard.lets(held_back), "{held_back:?}");
        }
    }
}
