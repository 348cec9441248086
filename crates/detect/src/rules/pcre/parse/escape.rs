//! What a backslash means, outside and inside classes.

use super::{Parser, not_newline};
use crate::rules::pcre::{
    Error,
    ast::{Assertion, Node},
    bytes::ByteSet,
};

/// What an escape stands for that is the same in and out of a class.
pub(super) enum Escape {
    Byte(u8),
    Set(ByteSet),
}

impl Parser<'_> {
    /// An escape outside of a class; its backslash, at `start`, is taken.
    pub(super) fn escape(&mut self, start: usize) -> Result<(Node, bool), Error> {
        let assertion = match self.peek() {
            Some(b'b') => Some(Assertion::Word),
            Some(b'B') => Some(Assertion::NotWord),
            Some(b'A') => Some(Assertion::TextStart),
            Some(b'Z') => Some(Assertion::TextEndOrNewline),
            Some(b'z') => Some(Assertion::TextEnd),
            Some(b'G') => Some(Assertion::SearchStart),
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.next();
            return Ok((Node::Assert(assertion), false));
        }
        match self.peek() {
            Some(b'K') => {
                self.next();
                return Ok((Node::Keep, false));
            }
            Some(b'N') if self.names_a_character() => {
                return Err(unknown(start, "\\N{name}", "write the byte as \\x.."));
            }
            Some(b'N') => {
                self.next();
                return Ok((Node::Set(not_newline()), true));
            }
            Some(b'C') => {
                self.next();
                return Ok((Node::Set(ByteSet::ALL), true));
            }
            Some(b'R') => {
                self.next();
                return Ok((any_newline(), true));
            }
            Some(b'k') => {
                self.next();
                return Ok((self.named_reference(start)?, true));
            }
            Some(b'g') => {
                self.next();
                return Ok((self.g_reference(start)?, true));
            }
            Some(b'1'..=b'9') => {
                if let Some(node) = self.numbered_reference(start) {
                    return Ok((node, true));
                }
            }
            _ => {}
        }
        Ok(match self.common_escape(start)? {
            Escape::Byte(byte) => (self.literal(byte), true),
            Escape::Set(set) => (Node::Set(set), true),
        })
    }

    /// An escape that means the same in and out of a class.
    pub(super) fn common_escape(&mut self, start: usize) -> Result<Escape, Error> {
        let Some(byte) = self.next() else {
            return Err(self.error("\\ at the end of the pattern", "write \\\\"));
        };
        if let Some(set) = shorthand(byte) {
            return Ok(Escape::Set(set));
        }
        Ok(Escape::Byte(match byte {
            b'a' => 0x07,
            b'e' => 0x1b,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'c' => self.control(start)?,
            b'x' => self.hexadecimal(start)?,
            b'o' => self.braced_octal(start)?,
            b'0'..=b'7' => self.octal(start, byte)?,
            b'8' | b'9' => return Err(unknown(start, "the escape", "write the digit alone")),
            b'p' | b'P' | b'X' => {
                return Err(unknown(
                    start,
                    "a Unicode property",
                    "matching is over bytes; write the bytes",
                ));
            }
            _ if byte.is_ascii_alphabetic() => {
                let name = format!("\\{}", char::from(byte));
                return Err(unknown(start, &name, "write the letter alone"));
            }
            _ => byte,
        }))
    }

    fn names_a_character(&self) -> bool {
        let rest = self.pattern.get(self.at..).unwrap_or_default();
        // `\N{2}` and `\N{2,3}` are a repeated `\N`.
        rest.get(1) == Some(&b'{') && !rest.get(2).is_some_and(u8::is_ascii_digit)
    }

    /// `\1`; none when the number is octal instead: ten and above, with fewer groups to the left.
    fn numbered_reference(&mut self, start: usize) -> Option<Node> {
        let digits = self.at;
        let number = self.digits().and_then(|number| u32::try_from(number).ok());
        let eight = self.pattern.get(digits).is_some_and(|byte| *byte >= b'8');
        match number {
            Some(number) if number < 10 || eight || number <= self.groups => {
                Some(self.reference(number, start))
            }
            _ if eight => Some(self.reference(u32::MAX, start)),
            _ => {
                self.at = digits;
                None
            }
        }
    }

    /// `\k<name>`, `\k'name'`, `\k{name}`.
    fn named_reference(&mut self, start: usize) -> Result<Node, Error> {
        let close = match self.next() {
            Some(b'<') => b'>',
            Some(b'\'') => b'\'',
            Some(b'{') => b'}',
            _ => {
                return Err(unknown(start, "\\k without a name", "write \\k<name>"));
            }
        };
        let name = self.name(close)?;
        self.reference_by_name(&name, start)
    }

    /// `\g1`, `\g{1}`, `\g{-1}`, `\g{name}`.
    fn g_reference(&mut self, start: usize) -> Result<Node, Error> {
        if matches!(self.peek(), Some(b'<' | b'\'')) {
            return Err(unknown(
                start,
                "a subroutine call (\\g<...>)",
                "write the group out again",
            ));
        }
        let braced = self.take(b'{');
        let minus = self.take(b'-');
        let plus = !minus && self.take(b'+');
        let Some(number) = self.digits() else {
            if !braced || minus || plus {
                return Err(unknown(start, "\\g without a number", "write \\g{1}"));
            }
            let name = self.name(b'}')?;
            return self.reference_by_name(&name, start);
        };
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let group = if minus {
            self.groups.saturating_add(1).checked_sub(number)
        } else if plus {
            Some(self.groups.saturating_add(number))
        } else {
            Some(number)
        };
        if braced && !self.take(b'}') {
            return Err(self.error("missing } behind \\g{", "close it"));
        }
        match group {
            Some(group) if group > 0 => Ok(self.reference(group, start)),
            _ => Err(unknown(
                start,
                "the group that \\g refers to",
                "number groups from 1",
            )),
        }
    }

    pub(super) fn reference_by_name(&mut self, name: &str, start: usize) -> Result<Node, Error> {
        let found = self.names.iter().find(|(own, _)| own == name);
        match found.map(|(_, index)| *index) {
            Some(index) => Ok(self.reference(index, start)),
            None => Err(Error::new(
                start,
                format!("a group {name:?} to the left of the reference is not known here"),
                "name the group first",
            )),
        }
    }

    pub(super) fn reference(&mut self, group: u32, at: usize) -> Node {
        if group > self.farthest.0 {
            self.farthest = (group, at);
        }
        Node::Backreference {
            group,
            caseless: self.options.caseless,
        }
    }

    /// `\cA`
    fn control(&mut self, start: usize) -> Result<u8, Error> {
        match self.next() {
            Some(byte @ 0x20..=0x7e) => Ok(byte.to_ascii_uppercase() ^ 0x40),
            _ => Err(unknown(
                start,
                "\\c without a printable character",
                "write \\x..",
            )),
        }
    }

    /// `\x`, `\x4`, `\x41`, `\x{41}`.
    fn hexadecimal(&mut self, start: usize) -> Result<u8, Error> {
        if !self.take(b'{') {
            let mut value = 0_u8;
            for _ in 0..2 {
                let Some(digit) = self.peek().and_then(hex_digit) else {
                    break;
                };
                self.next();
                value = value.wrapping_shl(4) | digit;
            }
            return Ok(value);
        }
        self.braced(start, 16)
    }

    fn braced_octal(&mut self, start: usize) -> Result<u8, Error> {
        if !self.take(b'{') {
            return Err(unknown(start, "\\o without {", "write \\o{101}"));
        }
        self.braced(start, 8)
    }

    /// Digits up to a `}`.
    fn braced(&mut self, start: usize, radix: u32) -> Result<u8, Error> {
        let mut value = None;
        loop {
            let at = self.at;
            match self.next() {
                Some(b'}') => break,
                Some(byte) => match char::from(byte).to_digit(radix) {
                    Some(digit) => {
                        let before = value.unwrap_or(0_u32);
                        value = Some(before.saturating_mul(radix).saturating_add(digit));
                    }
                    None => return Err(unknown(at, "a digit of the number", "close it with }")),
                },
                None => return Err(self.error("missing } behind a number", "close it")),
            }
        }
        let Some(value) = value else {
            return Err(unknown(start, "a number without digits", "write \\x{41}"));
        };
        u8::try_from(value).map_err(|_| too_large(start))
    }

    /// `\0` and up to two more digits, `\101`.
    fn octal(&mut self, start: usize, first: u8) -> Result<u8, Error> {
        let mut value = u32::from(first.wrapping_sub(b'0'));
        for _ in 0..2 {
            let Some(digit @ b'0'..=b'7') = self.peek() else {
                break;
            };
            self.next();
            value = value.saturating_mul(8) | u32::from(digit.wrapping_sub(b'0'));
        }
        u8::try_from(value).map_err(|_| too_large(start))
    }
}

/// `\d` and the like, over ASCII.
fn shorthand(byte: u8) -> Option<ByteSet> {
    let set = match byte.to_ascii_lowercase() {
        b'd' => ByteSet::ascii(u8::is_ascii_digit),
        b's' => ByteSet::of(&[b'\t'..=b'\r', b' '..=b' ']),
        b'w' => ByteSet::ascii(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
        b'h' => ByteSet::of(&[b'\t'..=b'\t', b' '..=b' ', 0xa0..=0xa0]),
        b'v' => ByteSet::of(&[b'\n'..=b'\r', 0x85..=0x85]),
        _ => return None,
    };
    Some(if byte.is_ascii_uppercase() {
        set.complement()
    } else {
        set
    })
}

/// `\R`: never gives back the newline of a carriage return and newline.
fn any_newline() -> Node {
    let one = |byte: u8| Node::Set(ByteSet::of(&[byte..=byte]));
    Node::Atomic(Box::new(Node::Alternate(vec![
        Node::Concat(vec![one(b'\r'), one(b'\n')]),
        Node::Set(ByteSet::of(&[b'\n'..=b'\r', 0x85..=0x85])),
    ])))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn unknown(at: usize, what: &str, mend: &'static str) -> Error {
    Error::new(at, format!("{what} is not known here"), mend)
}

fn too_large(at: usize) -> Error {
    Error::new(
        at,
        "the number is above a byte's range".to_owned(),
        "matching is over bytes; write the bytes one by one",
    )
}
