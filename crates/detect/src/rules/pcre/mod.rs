//! Suricata's `pcre`: PCRE2's language over bytes, for patterns that others wrote.
//!
//! ```text
//! /PATTERN/FLAGS --> option (flags) --> parse --> ast --> automaton  (lazy, of regex-automata)
//!                                                    \--> backtrack  (everything, within a budget)
//!                                                    \--> literal    (what every match holds, for a prefilter)
//! ```
//!
//! One parser reads the pattern. In the linear part of the language an automaton answers. For the
//! rest (look-around, references, ...) the automaton of a wider pattern tells where a match can
//! start, and a backtracker looks there, which spends from a budget ([`Steps`]). It also finds the
//! first group, and stands in where an automaton would need too much memory. Matching never
//! recurses, and what it keeps is bounded.
//!
//! Under `R` Suricata searches the rest of the buffer behind the last match, and `^` is its start:
//! callers pass that rest as the text. A later try in the same text passes `from`.
//!
//! **Failure bias: open.** Where the budget or the stack of the backtracker ends, there is no
//! match, and [`Steps::exhausted`] says so.

mod ast;
mod automaton;
mod backtrack;
mod bytes;
mod literal;
mod option;
mod parse;

use std::ops::Range;

use automaton::Automaton;
use backtrack::Program;
pub use literal::Literal;
pub use option::Flags;
use parse::Options;

/// Longest pattern, in bytes.
pub const PATTERN_MAX: usize = 16 * 1024;
/// Deepest nesting of groups.
pub const NEST_MAX: usize = 100;
/// Most capturing groups.
pub const GROUPS_MAX: u32 = 256;
/// Highest count of a repeat (PCRE2's own bound).
pub const REPEAT_MAX: u32 = 65_535;
/// Longest name of a group (PCRE2's own bound).
pub const NAME_MAX: usize = 32;
/// Size of an automaton in bytes, above which the backtracker takes the pattern.
pub const AUTOMATON_MAX: usize = 1 << 17;
/// States that an automaton may cache per thread, in bytes; a pattern has two, one for each direction.
pub const CACHE_MAX: usize = 1 << 18;
/// Entries on the backtracker's stack, of 32 bytes.
pub const STACK_MAX: usize = 1 << 17;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pcre {
    automaton: Option<Automaton>,
    program: Program,
    literal: Option<Literal>,
    groups: u32,
    names: Vec<(String, u32)>,
    captures: Vec<Capture>,
}

/// A group whose bytes go to a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Its number, from 1.
    pub group: u32,
    /// Whose variable.
    pub of: Of,
    /// The variable's name.
    pub name: String,
}

/// Whose a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The flow's.
    Flow,
    /// The packet's.
    Packet,
    /// The alert's: it stands in its `context`.
    Alert,
}

/// Why an option was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {message}; {mend}")]
pub struct Error {
    /// Offset in the text of the option, in bytes.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub mend: &'static str,
}

impl Error {
    fn new(at: usize, message: String, mend: &'static str) -> Self {
        Self { at, message, mend }
    }
}

/// A match, as offsets in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where it starts (behind the last `\K`).
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
    /// What the first group took, where it took part.
    pub group1: Option<Range<usize>>,
    /// What the groups took that go to variables and those before them, from the first on; none
    /// where [`Pcre::captures`] names none.
    pub groups: Vec<Option<Range<usize>>>,
}

/// What the backtracker may still spend. Automata spend nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Steps left: one for each instruction, and one for every eight bytes that one runs over.
    pub left: u64,
    /// A search ended without an answer because a bound was hit.
    pub exhausted: bool,
}

impl Steps {
    /// A budget of `left` steps.
    pub fn new(left: u64) -> Self {
        Self {
            left,
            exhausted: false,
        }
    }

    /// Takes `count` steps; false when there were fewer.
    fn spend(&mut self, count: u64) -> bool {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left = 0;
                self.exhausted = true;
                false
            }
        }
    }
}

impl Pcre {
    /// Compiles `/PATTERN/FLAGS`, the option's value without its quotes and its `!`. Names that
    /// captures go to (`/(.*)/, flow:name`) follow the flags.
    ///
    /// # Errors
    /// What the option has that is wrong or not known here, with its place in `text`.
    pub fn parse(text: &str) -> Result<(Self, Flags), Error> {
        let option = option::split(text)?;
        let listed = &option.flags.captures;
        let pcre = Self::compile(option.pattern, option.options, option.anchored, listed);
        let pcre = pcre.map_err(|error| Error {
            at: error.at.saturating_add(option.at),
            ..error
        })?;
        Ok((pcre, option.flags))
    }

    /// Compiles a pattern that stands alone, without slashes and flags.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_pattern(pattern: &str) -> Result<Self, Error> {
        Self::compile(pattern.as_bytes(), Options::default(), false, &[])
    }

    fn compile(
        pattern: &[u8],
        options: Options,
        anchored: bool,
        listed: &[String],
    ) -> Result<Self, Error> {
        let parsed = parse::parse(pattern, options)?;
        let node = &parsed.node;
        let captures = option::captures_of(&parsed.names, listed, parsed.groups)?;
        let captured = captures.iter().map(|capture| capture.group).max();
        Ok(Self {
            automaton: Automaton::compile(node, anchored),
            program: Program::compile(node, anchored, captured.unwrap_or(0)),
            literal: literal::required(node),
            groups: parsed.groups,
            names: parsed.names,
            captures,
        })
    }

    /// The leftmost match in `hay` that starts at or behind `from`, the one of several that PCRE
    /// prefers. `^` and look-behind see `hay` from its start. The first group may be missing where
    /// [`Steps::exhausted`] is set.
    pub fn find(&self, hay: &[u8], from: usize, steps: &mut Steps) -> Option<Match> {
        self.search(hay, from, self.program.has_group1(), steps)
    }

    /// As [`find`](Self::find), without the first group: cheaper where a pattern has one.
    pub fn find_span(&self, hay: &[u8], from: usize, steps: &mut Steps) -> Option<Range<usize>> {
        let found = self.search(hay, from, false, steps)?;
        Some(found.start..found.end)
    }

    fn search(&self, hay: &[u8], from: usize, group1: bool, steps: &mut Steps) -> Option<Match> {
        let exact = self
            .automaton
            .as_ref()
            .filter(|automaton| automaton.is_exact());
        let Some(automaton) = exact else {
            let starts = self.automaton.as_ref();
            return self.program.find(hay, from, starts, steps);
        };
        let Ok(found) = automaton.find(hay, from) else {
            return self.program.find(hay, from, None, steps);
        };
        let Range { start, end } = found?;
        if automaton.takes_newline(hay, end) {
            return self.program.find_at(hay, start, steps);
        }
        let whole = Match {
            start,
            end,
            group1: None,
            groups: Vec::new(),
        };
        if group1 {
            // The match is certain, also where the budget does not do for its group.
            let found = self.program.find_at(hay, start, steps);
            return found.or(Some(whole));
        }
        Some(whole)
    }

    /// The longest literal known that every match holds.
    pub fn literal(&self) -> Option<&Literal> {
        self.literal.as_ref()
    }

    /// Whether an automaton finds the matches, so that no steps are spent but for the first group.
    pub fn is_linear(&self) -> bool {
        self.automaton.as_ref().is_some_and(Automaton::is_exact)
    }

    /// How many capturing groups the pattern has.
    pub fn groups(&self) -> u32 {
        self.groups
    }

    /// The groups that go to variables: those listed behind the flags, else those whose name begins
    /// with `flow_`, `pkt_` or `alert_`.
    pub fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// The named groups and their numbers.
    pub fn names(&self) -> &[(String, u32)] {
        &self.names
    }
}

#[cfg(test)]
mod tests;
