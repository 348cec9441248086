//! The linear part of the language: automata of `regex-automata`, built from the tree directly.

use std::ops::Range;

use regex_automata::{
    Anchored, Input,
    meta::{Config, Regex},
};
use regex_syntax::hir::{self, Class, ClassBytes, ClassBytesRange, Hir, Look};

use super::{
    AUTOMATON_MAX, CACHE_MAX, Match,
    ast::{Assertion, Mode, Node},
};

/// Number of the group that takes the newline behind a `$`. Group 1 is the pattern's own first one.
const NEWLINE: u32 = 2;

#[derive(Debug)]
pub(super) struct Linear {
    regex: Regex,
    anchored: bool,
    /// Whether the pattern has a first group.
    captures: bool,
    /// Whether a match may have taken the newline behind a `$`.
    dollar: bool,
}

/// What follows a node up to the end of the pattern.
#[derive(Clone, Copy)]
struct Rest {
    /// Nothing at all.
    nothing: bool,
    /// The least number of bytes that it takes.
    min: usize,
}

impl Linear {
    /// None when the pattern is not linear, or its automaton would be too large.
    pub(super) fn compile(node: &Node, anchored: bool) -> Option<Self> {
        let mut printer = Printer {
            captures: false,
            dollar: false,
        };
        let rest = Rest {
            nothing: true,
            min: 0,
        };
        let hir = printer.print(node, rest)?;
        let config = Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(AUTOMATON_MAX))
            .hybrid_cache_capacity(CACHE_MAX);
        let regex = Regex::builder()
            .configure(config)
            .build_from_hir(&hir)
            .ok()?;
        Some(Self {
            regex,
            anchored,
            captures: printer.captures,
            dollar: printer.dollar,
        })
    }

    pub(super) fn find(&self, hay: &[u8], from: usize) -> Option<Match> {
        if self.captures {
            return self.find_captures(hay, from);
        }
        let Range { start, end } = self.find_span(hay, from)?;
        Some(Match {
            start,
            end,
            group1: None,
        })
    }

    pub(super) fn find_span(&self, hay: &[u8], from: usize) -> Option<Range<usize>> {
        let found = self.regex.search(&self.input(hay, from)?)?;
        // Only a match up to a last newline may have taken it for a `$`.
        if self.dollar && found.end() == hay.len() && hay.ends_with(b"\n") {
            return self
                .find_captures(hay, found.start())
                .map(|found| found.start..found.end);
        }
        Some(found.range())
    }

    fn find_captures(&self, hay: &[u8], from: usize) -> Option<Match> {
        let mut captures = self.regex.create_captures();
        self.regex
            .search_captures(&self.input(hay, from)?, &mut captures);
        let whole = captures.get_match()?;
        let index = |group: u32| usize::try_from(group).unwrap_or(0);
        let newline = captures.get_group(index(NEWLINE)).filter(|_| self.dollar);
        let end = newline.map_or(whole.end(), |newline| newline.start);
        let group1 = captures.get_group(1).filter(|_| self.captures);
        Some(Match {
            start: whole.start(),
            end,
            group1: group1.map(|group| group.start.min(end)..group.end.min(end)),
        })
    }

    fn input<'h>(&self, hay: &'h [u8], from: usize) -> Option<Input<'h>> {
        let anchored = if self.anchored {
            Anchored::Yes
        } else {
            Anchored::No
        };
        (from <= hay.len()).then(|| Input::new(hay).range(from..).anchored(anchored))
    }
}

struct Printer {
    captures: bool,
    dollar: bool,
}

impl Printer {
    /// None where the language of the node is not linear, or means something else in `regex-automata`.
    fn print(&mut self, node: &Node, rest: Rest) -> Option<Hir> {
        Some(match node {
            Node::Empty => Hir::empty(),
            Node::Set(set) => {
                let ranges = set.ranges();
                let ranges = ranges
                    .iter()
                    .map(|(low, high)| ClassBytesRange::new(*low, *high));
                Hir::class(Class::Bytes(ClassBytes::new(ranges)))
            }
            Node::Concat(nodes) => self.concat(nodes, rest)?,
            Node::Alternate(nodes) => Hir::alternation(
                nodes
                    .iter()
                    .map(|node| self.print(node, rest))
                    .collect::<Option<_>>()?,
            ),
            Node::Repeat {
                node,
                min,
                max,
                mode,
            } => self.repeat(node, (*min, *max), *mode, rest)?,
            Node::Group { index: 1, node } => {
                self.captures = true;
                Hir::capture(hir::Capture {
                    index: 1,
                    name: None,
                    sub: Box::new(self.print(node, rest)?),
                })
            }
            Node::Group { node, .. } => self.print(node, rest)?,
            Node::Assert(assertion) => self.assertion(*assertion, rest)?,
            Node::Atomic(_)
            | Node::Look { .. }
            | Node::Backreference { .. }
            | Node::Conditional { .. }
            | Node::Keep => return None,
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
        if mode == Mode::Possessive || empty_loop {
            return None;
        }
        let rest = Rest {
            nothing: rest.nothing && max == Some(1),
            ..rest
        };
        Some(Hir::repetition(hir::Repetition {
            min,
            max,
            greedy: mode == Mode::Greedy,
            sub: Box::new(self.print(node, rest)?),
        }))
    }

    fn assertion(&mut self, assertion: Assertion, rest: Rest) -> Option<Hir> {
        Some(Hir::look(match assertion {
            Assertion::TextStart => Look::Start,
            Assertion::TextEnd => Look::End,
            // `regex-automata` lets it hold behind a newline that ends the text.
            Assertion::LineStart if rest.min > 0 => Look::StartLF,
            Assertion::LineEnd => Look::EndLF,
            Assertion::Word => Look::WordAscii,
            Assertion::NotWord => Look::WordAsciiNegate,
            // At the end of a pattern it takes a last newline, which the match then gives back.
            Assertion::TextEndOrNewline if rest.nothing => {
                self.dollar = true;
                let newline = Hir::capture(hir::Capture {
                    index: NEWLINE,
                    name: None,
                    sub: Box::new(Hir::literal(*b"\n")),
                });
                let before_newline = Hir::concat(vec![newline, Hir::look(Look::End)]);
                return Some(Hir::alternation(vec![Hir::look(Look::End), before_newline]));
            }
            Assertion::LineStart | Assertion::TextEndOrNewline | Assertion::SearchStart => {
                return None;
            }
        }))
    }
}
