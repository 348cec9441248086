//! The linear part of the language: lazy automata of `regex-automata`, built from the tree directly.
//!
//! A lazy automaton is fast while the states that a text needs fit its cache. Hostile patterns and
//! texts together need ever new states, each of which costs a step of the whole pattern; so a
//! search that fills the cache twice gives up, and the backtracker takes over with its budget.

use std::{
    fmt,
    ops::Range,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
};

use regex_automata::{
    Anchored, Input, MatchKind,
    hybrid::{
        dfa::{self, DFA},
        regex::{Cache, Regex},
    },
    nfa::thompson::{self, NFA, WhichCaptures},
    util::{pool::Pool, prefilter::Prefilter},
};
use regex_syntax::hir::{self, Class, ClassBytes, ClassBytesRange, Hir, Look};

use super::{
    AUTOMATON_MAX, CACHE_MAX,
    ast::{Assertion, Mode, Node},
    bytes::ByteSet,
};

/// Counts above this one are not kept in a widened pattern: automata hold a copy for each.
const COUNT: u32 = 8;

pub(super) struct Automaton {
    regex: Arc<Regex>,
    caches: Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>>,
    anchored: bool,
    exact: bool,
    dollar: bool,
}

impl fmt::Debug for Automaton {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Automaton")
            .field("anchored", &self.anchored)
            .field("exact", &self.exact)
            .finish_non_exhaustive()
    }
}

/// The states that the text needs do not fit the cache.
pub(super) struct GaveUp;

impl Automaton {
    /// The automaton of `node`; that of a wider pattern, which has a match wherever `node` has one
    /// and with the same start, where `node` is not linear or too large. None when that is too
    /// large as well.
    pub(super) fn compile(node: &Node, anchored: bool) -> Option<Self> {
        Self::build(node, anchored, false).or_else(|| Self::build(node, anchored, true))
    }

    fn build(node: &Node, anchored: bool, widen: bool) -> Option<Self> {
        let mut printer = Printer {
            widen,
            dollar: false,
        };
        let rest = Rest {
            nothing: true,
            min: 0,
        };
        let hir = printer.print(node, rest)?;
        let regex = Arc::new(regex(&hir)?);
        let own = Arc::clone(&regex);
        Some(Self {
            regex,
            caches: Pool::new(Box::new(move || own.create_cache())),
            anchored,
            exact: !widen,
            dollar: printer.dollar,
        })
    }

    /// Whether it matches what the pattern does, and not more.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// Whether a match may hold one byte too much, the newline that ends the text, which a `$` at the
    /// end of the pattern took.
    pub(super) fn takes_newline(&self, hay: &[u8], end: usize) -> bool {
        self.dollar && end == hay.len() && hay.ends_with(b"\n")
    }

    /// The leftmost match that starts at or behind `from`.
    pub(super) fn find(&self, hay: &[u8], from: usize) -> Result<Option<Range<usize>>, GaveUp> {
        if from > hay.len() {
            return Ok(None);
        }
        let anchored = if self.anchored {
            Anchored::Yes
        } else {
            Anchored::No
        };
        let input = Input::new(hay).range(from..).anchored(anchored);
        let mut cache = self.caches.get();
        let found = self.regex.try_search(&mut cache, &input).or_else(|_| {
            // Earlier texts may have filled it.
            self.regex.reset_cache(&mut cache);
            self.regex.try_search(&mut cache, &input)
        });
        match found {
            Ok(found) => Ok(found.map(|found| found.range())),
            Err(_) => {
                self.regex.reset_cache(&mut cache);
                Err(GaveUp)
            }
        }
    }
}

/// Forward and reverse automata of a pattern; none when they are too large.
fn regex(hir: &Hir) -> Option<Regex> {
    let nfa = |reverse: bool| -> Option<NFA> {
        let config = thompson::Config::new()
            .utf8(false)
            .reverse(reverse)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(AUTOMATON_MAX));
        thompson::Compiler::new()
            .configure(config)
            .build_from_hir(hir)
            .ok()
    };
    let config = dfa::Config::new()
        .cache_capacity(CACHE_MAX)
        .minimum_cache_clear_count(Some(0));
    let forward = config
        .clone()
        .prefilter(Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, hir));
    let forward = DFA::builder()
        .configure(forward)
        .build_from_nfa(nfa(false)?)
        .ok()?;
    let reverse = DFA::builder()
        .configure(config.match_kind(MatchKind::All))
        .build_from_nfa(nfa(true)?)
        .ok()?;
    Some(Regex::builder().build_from_dfas(forward, reverse))
}

/// What follows a node up to the end of the pattern.
#[derive(Clone, Copy)]
struct Rest {
    /// Nothing at all.
    nothing: bool,
    /// The least number of bytes that it takes.
    min: usize,
}

struct Printer {
    /// Drop what is not linear, so that more matches.
    widen: bool,
    /// Some `$` may take a newline.
    dollar: bool,
}

impl Printer {
    /// None where the language of the node is not linear, or means something else in `regex-automata`.
    fn print(&mut self, node: &Node, rest: Rest) -> Option<Hir> {
        Some(match node {
            Node::Empty => Hir::empty(),
            Node::Set(set) => print_set(set),
            Node::Concat(nodes) => self.concat(nodes, rest)?,
            Node::Alternate(nodes) => {
                let print = |node| self.print(node, rest);
                Hir::alternation(nodes.iter().map(print).collect::<Option<_>>()?)
            }
            Node::Repeat {
                node,
                min,
                max,
                mode,
            } => self.repeat(node, (*min, *max), *mode, rest)?,
            Node::Group { node, .. } => self.print(node, rest)?,
            Node::Assert(assertion) => self.assertion(*assertion, rest)?,
            _ if !self.widen => return None,
            Node::Atomic(node) => self.print(node, rest)?,
            Node::Look { .. } | Node::Keep => Hir::empty(),
            Node::Backreference { .. } => Hir::repetition(hir::Repetition {
                min: 0,
                max: None,
                greedy: false,
                sub: Box::new(print_set(&ByteSet::ALL)),
            }),
            Node::Conditional { yes, no, .. } => {
                Hir::alternation(vec![self.print(yes, rest)?, self.print(no, rest)?])
            }
        })
    }

    fn concat(&mut self, nodes: &[Node], mut rest: Rest) -> Option<Hir> {
        let mut printed = Vec::with_capacity(nodes.len());
        for node in nodes.iter().rev() {
            printed.push(self.print(node, rest)?);
            rest.nothing = false;
            rest.min = rest.min.saturating_add(node.width().min);
        }
        printed.reverse();
        Some(Hir::concat(printed))
    }

    fn repeat(
        &mut self,
        node: &Node,
        (min, max): (u32, Option<u32>),
        mode: Mode,
        rest: Rest,
    ) -> Option<Hir> {
        // What an iteration that takes nothing does differs between libraries.
        let empty_loop = node.width().min == 0 && max != Some(1);
        if !self.widen && (mode == Mode::Possessive || empty_loop) {
            return None;
        }
        let rest = Rest {
            nothing: rest.nothing && max == Some(1),
            ..rest
        };
        let (min, max) = if self.widen {
            (min.min(COUNT), max.filter(|max| *max <= COUNT))
        } else {
            (min, max)
        };
        Some(Hir::repetition(hir::Repetition {
            min,
            max,
            greedy: mode != Mode::Lazy,
            sub: Box::new(self.print(node, rest)?),
        }))
    }

    fn assertion(&mut self, assertion: Assertion, rest: Rest) -> Option<Hir> {
        Some(Hir::look(match assertion {
            Assertion::TextStart => Look::Start,
            Assertion::TextEnd => Look::End,
            Assertion::LineEnd => Look::EndLF,
            Assertion::Word => Look::WordAscii,
            Assertion::NotWord => Look::WordAsciiNegate,
            // `regex-automata` lets it hold behind a newline that ends the text.
            Assertion::LineStart if rest.min > 0 || self.widen => Look::StartLF,
            Assertion::TextEndOrNewline if self.widen => Look::EndLF,
            Assertion::SearchStart if self.widen => return Some(Hir::empty()),
            // At the end of a pattern it may take the last newline, which has to be given back.
            Assertion::TextEndOrNewline if rest.nothing => {
                self.dollar = true;
                let newline = vec![Hir::literal(*b"\n"), Hir::look(Look::End)];
                return Some(Hir::alternation(vec![
                    Hir::look(Look::End),
                    Hir::concat(newline),
                ]));
            }
            Assertion::LineStart | Assertion::TextEndOrNewline | Assertion::SearchStart => {
                return None;
            }
        }))
    }
}

fn print_set(set: &ByteSet) -> Hir {
    let ranges = set.ranges();
    let ranges = ranges
        .iter()
        .map(|(low, high)| ClassBytesRange::new(*low, *high));
    Hir::class(Class::Bytes(ClassBytes::new(ranges)))
}
