//! From the text of a pattern to its tree: PCRE2 10.42's language without UTF.
//!
//! What PCRE2 refuses is refused here; what is refused although PCRE2 has it (recursion,
//! backtracking verbs, callouts, Unicode properties) is refused by its name.

mod class;
mod escape;
mod group;

use super::{
    Error, GROUPS_MAX, NEST_MAX, PATTERN_MAX, REPEAT_MAX,
    ast::{Assertion, Mode, Node},
    bytes::ByteSet,
};

/// Options of PCRE that change how the pattern is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// `i`
    pub(super) caseless: bool,
    /// `s`
    pub(super) dotall: bool,
    /// `m`
    pub(super) multiline: bool,
    /// `x`
    pub(super) extended: bool,
    /// `xx`: also inside classes.
    pub(super) extended_more: bool,
    /// `U` inside the pattern, `G` behind it.
    pub(super) ungreedy: bool,
    /// `n`: plain parentheses do not capture.
    pub(super) no_auto_capture: bool,
    /// `E`: `$` is the very end.
    pub(super) dollar_endonly: bool,
}

/// The tree of `pattern` and the names of its groups. `Error::at` counts from the start of `pattern`.
pub(super) fn parse(pattern: &[u8], options: Options) -> Result<Parsed, Error> {
    if pattern.len() > PATTERN_MAX {
        return Err(Error::new(
            PATTERN_MAX,
            format!("the pattern is longer than {PATTERN_MAX} bytes"),
            "split it",
        ));
    }
    let mut parser = Parser {
        pattern,
        at: 0,
        depth: 0,
        options,
        groups: 0,
        names: Vec::new(),
        farthest: (0, 0),
        quoting: false,
    };
    let node = parser.alternation(false)?;
    if parser.at < pattern.len() {
        return Err(parser.error("unmatched closing parenthesis", "escape it, or open it"));
    }
    let (group, at) = parser.farthest;
    if group > parser.groups {
        return Err(Error::new(
            at,
            format!("reference to group {group}, which does not exist"),
            "number groups from 1 in the order of their opening parentheses",
        ));
    }
    Ok(Parsed {
        node,
        groups: parser.groups,
        names: parser.names,
    })
}

pub(super) struct Parsed {
    pub(super) node: Node,
    pub(super) groups: u32,
    pub(super) names: Vec<(String, u32)>,
}

struct Parser<'a> {
    pattern: &'a [u8],
    at: usize,
    /// Of open groups.
    depth: usize,
    options: Options,
    /// The highest number of a group so far.
    groups: u32,
    names: Vec<(String, u32)>,
    /// The highest group that something refers to, and where.
    farthest: (u32, usize),
    /// Between `\Q` and `\E`.
    quoting: bool,
}

impl Parser<'_> {
    /// Alternatives up to the end of the pattern or a `)`, which stays. With `reset`, each one
    /// numbers its groups from the same start.
    fn alternation(&mut self, reset: bool) -> Result<Node, Error> {
        let first = self.groups;
        let mut most = first;
        let mut branches = vec![self.branch()?];
        while self.take(b'|') {
            most = most.max(self.groups);
            if reset {
                self.groups = first;
            }
            branches.push(self.branch()?);
        }
        self.groups = most.max(self.groups);
        Ok(match branches.len() {
            1 => branches.pop().unwrap_or(Node::Empty),
            _ => Node::Alternate(branches),
        })
    }

    fn branch(&mut self) -> Result<Node, Error> {
        let mut nodes = Vec::new();
        loop {
            self.skip()?;
            if !self.quoting && matches!(self.peek(), Some(b'|' | b')')) || self.peek().is_none() {
                break;
            }
            let start = self.at;
            let (node, repeatable) = self.item()?;
            self.skip()?;
            let node = match self.quantifier()? {
                None => node,
                Some(_) if !repeatable => return Err(self.not_repeatable(start)),
                Some(quantifier) => {
                    self.skip()?;
                    let behind = self.at;
                    if self.quantifier()?.is_some() {
                        return Err(self.not_repeatable(behind));
                    }
                    repeat(node, quantifier)
                }
            };
            if node != Node::Empty {
                nodes.push(node);
            }
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.pop().unwrap_or(Node::Empty),
            _ => Node::Concat(nodes),
        })
    }

    /// One item, and whether a quantifier may follow it.
    fn item(&mut self) -> Result<(Node, bool), Error> {
        let start = self.at;
        let Some(byte) = self.next() else {
            return Ok((Node::Empty, false));
        };
        if self.quoting {
            return Ok((self.literal(byte), true));
        }
        let options = self.options;
        Ok(match byte {
            b'\\' => return self.escape(start),
            b'[' => (self.class(start)?, true),
            b'(' => return self.group(start),
            b'.' if options.dotall => (Node::Set(ByteSet::ALL), true),
            b'.' => (Node::Set(not_newline()), true),
            b'^' if options.multiline => (Node::Assert(Assertion::LineStart), false),
            b'^' => (Node::Assert(Assertion::TextStart), false),
            b'$' if options.multiline => (Node::Assert(Assertion::LineEnd), false),
            b'$' if options.dollar_endonly => (Node::Assert(Assertion::TextEnd), false),
            b'$' => (Node::Assert(Assertion::TextEndOrNewline), false),
            b'*' | b'+' | b'?' => return Err(self.not_repeatable(start)),
            b'{' => {
                self.at = start;
                if self.quantifier()?.is_some() {
                    return Err(self.not_repeatable(start));
                }
                self.at = start.saturating_add(1);
                (self.literal(byte), true)
            }
            _ => (self.literal(byte), true),
        })
    }

    fn literal(&self, byte: u8) -> Node {
        let set = ByteSet::of(&[byte..=byte]);
        Node::Set(if self.options.caseless {
            set.caseless()
        } else {
            set
        })
    }

    /// Takes a quantifier, if one stands here. `{` that starts none is a literal.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>, Mode)>, Error> {
        let start = self.at;
        if self.quoting {
            return Ok(None);
        }
        let (min, max) = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => match self.braces()? {
                Some(counts) => counts,
                None => {
                    self.at = start;
                    return Ok(None);
                }
            },
            _ => return Ok(None),
        };
        if self.at == start {
            self.at = start.saturating_add(1);
        }
        self.skip()?;
        let mode = if !self.quoting && self.take(b'+') {
            Mode::Possessive
        } else if (!self.quoting && self.take(b'?')) == self.options.ungreedy {
            Mode::Greedy
        } else {
            Mode::Lazy
        };
        Ok(Some((min, max, mode)))
    }

    /// `{n}`, `{n,}` or `{n,m}`.
    fn braces(&mut self) -> Result<Option<(u32, Option<u32>)>, Error> {
        let start = self.at;
        self.at = start.saturating_add(1);
        let Some(min) = self.digits() else {
            return Ok(None);
        };
        let max = if self.take(b',') {
            self.digits().map(Some).unwrap_or(None)
        } else {
            Some(min)
        };
        if !self.take(b'}') {
            return Ok(None);
        }
        let repeat_max = u64::from(REPEAT_MAX);
        if min > repeat_max || max.is_some_and(|max| max > repeat_max) {
            return Err(Error::new(
                start,
                format!("a repeat count is above {REPEAT_MAX}"),
                "use a smaller count, or none",
            ));
        }
        if max.is_some_and(|max| max < min) {
            return Err(Error::new(
                start,
                "the counts of a {} quantifier are out of order".to_owned(),
                "write the smaller one first",
            ));
        }
        let small = |count: u64| u32::try_from(count).unwrap_or(REPEAT_MAX);
        Ok(Some((small(min), max.map(small))))
    }

    /// A decimal number; saturates.
    fn digits(&mut self) -> Option<u64> {
        let mut number = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            let value = u64::from(digit.wrapping_sub(b'0'));
            number = Some(
                number
                    .unwrap_or(0_u64)
                    .saturating_mul(10)
                    .saturating_add(value),
            );
            self.at = self.at.saturating_add(1);
        }
        number
    }

    /// Over what is no item: `\Q` and `\E`, comments, white space under `x`.
    fn skip(&mut self) -> Result<(), Error> {
        loop {
            let rest = self.pattern.get(self.at..).unwrap_or_default();
            if self.quoting {
                if !rest.starts_with(b"\\E") {
                    return Ok(());
                }
                self.quoting = false;
                self.at = self.at.saturating_add(2);
            } else if rest.starts_with(b"\\Q") || rest.starts_with(b"\\E") {
                self.quoting = rest.starts_with(b"\\Q");
                self.at = self.at.saturating_add(2);
            } else if rest.starts_with(b"(?#") {
                let Some(length) = rest.iter().position(|byte| *byte == b')') else {
                    return Err(self.error("missing ) behind a (?# comment", "close the comment"));
                };
                self.at = self.at.saturating_add(length).saturating_add(1);
            } else if self.options.extended && rest.first().is_some_and(is_space) {
                self.at = self.at.saturating_add(1);
            } else if self.options.extended && rest.first() == Some(&b'#') {
                let length = rest.iter().position(|byte| *byte == b'\n');
                self.at = self.at.saturating_add(length.unwrap_or(rest.len()));
            } else {
                return Ok(());
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.at = self.at.saturating_add(1);
        }
        there
    }

    fn take_text(&mut self, text: &[u8]) -> bool {
        let rest = self.pattern.get(self.at..).unwrap_or_default();
        let there = rest.starts_with(text);
        if there {
            self.at = self.at.saturating_add(text.len());
        }
        there
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > NEST_MAX {
            let message = format!("groups are nested more than {NEST_MAX} deep");
            return Err(Error::new(self.at, message, "flatten the pattern"));
        }
        Ok(())
    }

    fn new_group(&mut self, name: Option<String>, start: usize) -> Result<u32, Error> {
        self.groups = self.groups.saturating_add(1);
        if self.groups > GROUPS_MAX {
            let message = format!("more than {GROUPS_MAX} capturing groups");
            return Err(Error::new(
                start,
                message,
                "use (?:...) where nothing refers",
            ));
        }
        if let Some(name) = name {
            let taken = |(own, index): &(String, u32)| *own == name && *index != self.groups;
            if self.names.iter().any(taken) {
                let message = format!("two groups have the name {name:?}");
                return Err(Error::new(start, message, "give each its own name"));
            }
            self.names.push((name, self.groups));
        }
        Ok(self.groups)
    }

    fn error(&self, message: &str, mend: &'static str) -> Error {
        Error::new(self.at.min(self.pattern.len()), message.to_owned(), mend)
    }

    fn not_repeatable(&self, at: usize) -> Error {
        Error::new(
            at,
            "a quantifier does not follow something that can repeat".to_owned(),
            "escape it, or put what repeats into (?:...)",
        )
    }
}

fn repeat(node: Node, (min, max, mode): (u32, Option<u32>, Mode)) -> Node {
    // An assertion that holds once holds any number of times.
    let (min, max) = if matches!(node, Node::Look { .. }) {
        (min.min(1), Some(max.map_or(1, |max| max.min(1))))
    } else {
        (min, max)
    };
    match (min, max) {
        (1, Some(1)) if mode != Mode::Possessive => node,
        _ => Node::Repeat {
            node: Box::new(node),
            min,
            max,
            mode,
        },
    }
}

fn not_newline() -> ByteSet {
    ByteSet::of(&[b'\n'..=b'\n']).complement()
}

/// White space that `x` skips.
fn is_space(byte: &u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}
