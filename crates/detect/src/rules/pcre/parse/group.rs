//! Everything that starts with a parenthesis.

use super::{Options, Parser};
use crate::rules::pcre::{
    Error, NAME_MAX,
    ast::{Condition, Node},
    bytes::ByteSet,
};

impl Parser<'_> {
    /// A group; its `(`, at `start`, is taken.
    pub(super) fn group(&mut self, start: usize) -> Result<(Node, bool), Error> {
        if self.peek() == Some(b'*') {
            return self.verb(start);
        }
        if !self.take(b'?') {
            if self.options.no_auto_capture {
                return Ok((self.body(start, false)?, true));
            }
            return Ok((self.capture(None, start)?, true));
        }
        let node = match self.next() {
            Some(b':') => self.body(start, false)?,
            Some(b'|') => self.body(start, true)?,
            Some(b'>') => Node::Atomic(Box::new(self.body(start, false)?)),
            Some(b'=') => self.look(start, false, false)?,
            Some(b'!') => self.look(start, false, true)?,
            Some(b'<') if self.take(b'=') => self.look(start, true, false)?,
            Some(b'<') if self.take(b'!') => self.look(start, true, true)?,
            Some(b'<') if self.peek() != Some(b'*') => self.named(b'>', start)?,
            Some(b'\'') => self.named(b'\'', start)?,
            Some(b'P') if self.take(b'<') => self.named(b'>', start)?,
            Some(b'P') if self.take(b'=') => {
                let name = self.name(b')')?;
                self.reference_by_name(&name, start)?
            }
            Some(b'(') => self.conditional(start)?,
            Some(b'R' | b'&' | b'0'..=b'9' | b'P' | b'+') => {
                return Err(refused(
                    start,
                    "recursion or a subroutine call",
                    "write the group out again",
                ));
            }
            Some(b'-') if self.peek().is_some_and(|byte| byte.is_ascii_digit()) => {
                return Err(refused(
                    start,
                    "a subroutine call",
                    "write the group out again",
                ));
            }
            Some(b'C') => return Err(refused(start, "a callout ((?C))", "take it out")),
            Some(b'*' | b'<') => {
                return Err(refused(
                    start,
                    "a non-atomic assertion",
                    "use (?=...) or (?<=...)",
                ));
            }
            _ => {
                self.at = start.saturating_add(2);
                return self.inline_options(start);
            }
        };
        Ok((node, true))
    }

    /// The inside of a group and its `)`. Options that it sets end with it.
    fn body(&mut self, start: usize, reset: bool) -> Result<Node, Error> {
        self.enter()?;
        let options = self.options;
        let node = self.alternation(reset)?;
        self.options = options;
        self.depth = self.depth.saturating_sub(1);
        if !self.take(b')') {
            return Err(Error::new(
                start,
                "missing closing parenthesis".to_owned(),
                "close the group, or escape the (",
            ));
        }
        Ok(node)
    }

    fn capture(&mut self, name: Option<String>, start: usize) -> Result<Node, Error> {
        let index = self.new_group(name, start)?;
        let node = Box::new(self.body(start, false)?);
        Ok(Node::Group { index, node })
    }

    fn named(&mut self, close: u8, start: usize) -> Result<Node, Error> {
        let name = self.name(close)?;
        self.capture(Some(name), start)
    }

    /// A name of a group up to `close`, which is taken.
    pub(super) fn name(&mut self, close: u8) -> Result<String, Error> {
        let start = self.at;
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        while self.peek().as_ref().is_some_and(is_name) {
            self.next();
        }
        let name = self.pattern.get(start..self.at).unwrap_or_default();
        let starts_well = name.first().is_some_and(|byte| !byte.is_ascii_digit());
        if !starts_well || name.len() > NAME_MAX || !self.take(close) {
            return Err(Error::new(
                start,
                "not the name of a group".to_owned(),
                "use up to 32 letters, digits and _, no digit first",
            ));
        }
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    fn look(&mut self, start: usize, behind: bool, negative: bool) -> Result<Node, Error> {
        let node = self.body(start, false)?;
        if holds_keep(&node) {
            return Err(refused(start, "\\K in an assertion", "take it out"));
        }
        if behind && !has_fixed_width(&node) {
            return Err(Error::new(
                start,
                "an alternative of a look-behind has no fixed width".to_owned(),
                "give each alternative at its top a fixed width",
            ));
        }
        if negative && node == Node::Empty {
            // `(?!)` never holds.
            return Ok(Node::Set(ByteSet::EMPTY));
        }
        Ok(Node::Look {
            behind,
            negative,
            node: Box::new(node),
        })
    }

    /// `(?(condition)yes|no)`; `(?(` is taken.
    fn conditional(&mut self, start: usize) -> Result<Node, Error> {
        let condition = self.condition(start)?;
        let body = self.body(start, false)?;
        let (yes, no) = if let Node::Alternate(branches) = body {
            let Ok([yes, no]) = <[Node; 2]>::try_from(branches) else {
                return Err(refused(
                    start,
                    "a condition with more than two branches",
                    "put further alternatives into (?:...)",
                ));
            };
            (yes, no)
        } else {
            (body, Node::Empty)
        };
        Ok(Node::Conditional {
            condition,
            yes: Box::new(yes),
            no: Box::new(no),
        })
    }

    fn condition(&mut self, start: usize) -> Result<Condition, Error> {
        if self.take(b'?') {
            let behind = self.take(b'<');
            let negative = match self.next() {
                Some(b'=') => false,
                Some(b'!') => true,
                _ => return Err(refused(start, "this condition", "use an assertion")),
            };
            let look = self.look(start, behind, negative)?;
            return Ok(Condition::Look(Box::new(look)));
        }
        let minus = self.take(b'-');
        let plus = !minus && self.take(b'+');
        if let Some(number) = self.digits() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let group = match (minus, plus) {
                (true, _) => self.groups.saturating_add(1).checked_sub(number),
                (_, true) => Some(self.groups.saturating_add(number)),
                _ => Some(number),
            };
            let group = group.filter(|group| *group > 0 && self.take(b')'));
            let Some(group) = group else {
                return Err(refused(
                    start,
                    "this condition",
                    "name a group, as in (?(1)",
                ));
            };
            self.reference(group, start);
            return Ok(Condition::Group(group));
        }
        let name = match self.peek() {
            Some(b'<') => self.next().map(|_| self.name(b'>')),
            Some(b'\'') => self.next().map(|_| self.name(b'\'')),
            _ => None,
        };
        let name = match name {
            Some(name) => {
                let name = name?;
                if !self.take(b')') {
                    return Err(refused(start, "this condition", "close it with )"));
                }
                name
            }
            None => self.name(b')')?,
        };
        match self.reference_by_name(&name, start) {
            Ok(Node::Backreference { group, .. }) => Ok(Condition::Group(group)),
            _ => Err(refused(
                start,
                &format!("the condition {name:?}"),
                "name a group that stands to the left",
            )),
        }
    }

    /// `(?i-s)`, which counts to the end of the group around it, and `(?i-s:...)`.
    fn inline_options(&mut self, start: usize) -> Result<(Node, bool), Error> {
        let outer = self.options;
        let mut on = true;
        let mut may_turn_off = true;
        if self.take(b'^') {
            may_turn_off = false;
            self.options = Options {
                dollar_endonly: outer.dollar_endonly,
                ungreedy: outer.ungreedy,
                ..Options::default()
            };
        }
        loop {
            let at = self.at;
            match self.next() {
                Some(b')') => return Ok((Node::Empty, false)),
                Some(b':') => {
                    let node = self.body(start, false)?;
                    self.options = outer;
                    return Ok((node, true));
                }
                Some(b'-') if on && may_turn_off => on = false,
                Some(option) => self.set_option(option, on, at)?,
                None => {
                    return Err(Error::new(
                        start,
                        "missing closing parenthesis".to_owned(),
                        "close the group, or escape the (",
                    ));
                }
            }
        }
    }

    fn set_option(&mut self, option: u8, on: bool, at: usize) -> Result<(), Error> {
        let more = option == b'x' && self.take(b'x');
        let options = &mut self.options;
        match option {
            b'i' => options.caseless = on,
            b's' => options.dotall = on,
            b'm' => options.multiline = on,
            b'n' => options.no_auto_capture = on,
            b'U' => options.ungreedy = on,
            b'x' => {
                options.extended = on;
                options.extended_more = on && more;
            }
            b'J' => return Err(refused(at, "(?J)", "give each group its own name")),
            _ => {
                return Err(refused(
                    at,
                    "the character behind (?",
                    "write \\( for a parenthesis",
                ));
            }
        }
        Ok(())
    }

    /// `(*FAIL)`; other verbs are refused by name.
    fn verb(&mut self, start: usize) -> Result<(Node, bool), Error> {
        if self.take_text(b"*FAIL)") || self.take_text(b"*F)") {
            return Ok((Node::Set(ByteSet::EMPTY), false));
        }
        let rest = self.pattern.get(start..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b')');
        let verb = rest.get(..=length.unwrap_or(0)).unwrap_or_default();
        let verb = verb.get(..NAME_MAX.min(verb.len())).unwrap_or_default();
        let what = format!("the verb {}", String::from_utf8_lossy(verb));
        Err(refused(start, &what, "escape the ( or the *"))
    }
}

fn holds_keep(node: &Node) -> bool {
    match node {
        Node::Keep => true,
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().any(holds_keep),
        Node::Repeat { node, .. }
        | Node::Group { node, .. }
        | Node::Atomic(node)
        | Node::Look { node, .. } => holds_keep(node),
        Node::Conditional { yes, no, .. } => holds_keep(yes) || holds_keep(no),
        Node::Empty | Node::Set(_) | Node::Assert(_) | Node::Backreference { .. } => false,
    }
}

fn has_fixed_width(node: &Node) -> bool {
    let fixed = |node: &Node| {
        let width = node.width();
        width.max == Some(width.min)
    };
    if let Node::Alternate(branches) = node {
        branches.iter().all(fixed)
    } else {
        fixed(node)
    }
}

fn refused(at: usize, what: &str, mend: &'static str) -> Error {
    Error::new(at, format!("{what} is not known here"), mend)
}
