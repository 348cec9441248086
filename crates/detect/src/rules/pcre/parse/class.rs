//! Classes: `[...]`.

use super::{Parser, escape::Escape};
use crate::rules::pcre::{Error, ast::Node, bytes::ByteSet};

/// One item of a class.
enum Item {
    Byte(u8),
    Set(ByteSet),
    End,
}

impl Parser<'_> {
    /// A class; its `[`, at `start`, is taken.
    pub(super) fn class(&mut self, start: usize) -> Result<Node, Error> {
        if let Some(boundary) = self.word_boundary() {
            return Ok(boundary);
        }
        if let Some(name) = self.posix_name(start)? {
            return Err(Error::new(
                start,
                format!("[:{name}:] stands outside of a class"),
                "write [[:...:]]",
            ));
        }
        let negative = self.take(b'^');
        let mut set = ByteSet::EMPTY;
        let mut first = true;
        loop {
            let at = self.at;
            match self.class_item(start, first)? {
                Item::End => break,
                Item::Set(more) => {
                    set = set.union(&more);
                    self.no_range_behind_set(at)?;
                }
                Item::Byte(low) => {
                    let high = self.range_end(at, start)?.unwrap_or(low);
                    if high < low {
                        return Err(Error::new(
                            at,
                            "a range in a class is out of order".to_owned(),
                            "write the lower byte first, or escape the -",
                        ));
                    }
                    set.insert(low..=high);
                }
            }
            first = false;
        }
        if self.options.caseless {
            set = set.caseless();
        }
        Ok(Node::Set(if negative { set.complement() } else { set }))
    }

    /// `[[:<:]]` and `[[:>:]]`: start and end of a word.
    fn word_boundary(&mut self) -> Option<Node> {
        use crate::rules::pcre::ast::Assertion;
        let behind = if self.take_text(b"[:<:]]") {
            false
        } else if self.take_text(b"[:>:]]") {
            true
        } else {
            return None;
        };
        let word = ByteSet::ascii(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let look = Node::Look {
            behind,
            negative: false,
            node: Box::new(Node::Set(word)),
        };
        Some(Node::Concat(vec![Node::Assert(Assertion::Word), look]))
    }

    fn class_item(&mut self, start: usize, first: bool) -> Result<Item, Error> {
        loop {
            let at = self.at;
            let Some(byte) = self.next() else {
                return Err(Error::new(
                    start,
                    "missing ] of a class".to_owned(),
                    "close the class, or escape the [",
                ));
            };
            if self.quoting {
                if byte == b'\\' && self.take(b'E') {
                    self.quoting = false;
                    continue;
                }
                return Ok(Item::Byte(byte));
            }
            match byte {
                b']' if !first => return Ok(Item::End),
                b' ' | b'\t' if self.options.extended_more => {}
                b'[' => {
                    return Ok(match self.posix(at)? {
                        Some(set) => Item::Set(set),
                        None => Item::Byte(byte),
                    });
                }
                b'\\' if self.take(b'Q') => self.quoting = true,
                b'\\' if self.take(b'E') => {}
                b'\\' => return self.class_escape(at),
                _ => return Ok(Item::Byte(byte)),
            }
        }
    }

    fn class_escape(&mut self, at: usize) -> Result<Item, Error> {
        match self.peek() {
            Some(b'b') => {
                self.next();
                return Ok(Item::Byte(0x08));
            }
            Some(b'B' | b'R' | b'X' | b'N' | b'A' | b'Z' | b'z' | b'G' | b'K' | b'C') => {
                return Err(Error::new(
                    at,
                    "an escape that is not one byte stands in a class".to_owned(),
                    "take it out of the class",
                ));
            }
            _ => {}
        }
        Ok(match self.common_escape(at)? {
            Escape::Byte(byte) => Item::Byte(byte),
            Escape::Set(set) => Item::Set(set),
        })
    }

    /// The upper end of a range, if a `-` that makes one stands here. A `-` before the `]` is one byte.
    fn range_end(&mut self, at: usize, start: usize) -> Result<Option<u8>, Error> {
        let before = self.at;
        self.leave_quotes();
        if self.quoting || !self.take(b'-') {
            return Ok(None);
        }
        self.skip_in_class();
        if !self.quoting && self.peek() == Some(b']') {
            self.at = before;
            self.leave_quotes();
            return Ok(None);
        }
        match self.class_item(start, true)? {
            Item::Byte(high) => Ok(Some(high)),
            Item::Set(_) | Item::End => Err(range_with_set(at)),
        }
    }

    fn no_range_behind_set(&self, at: usize) -> Result<(), Error> {
        let rest = self.pattern.get(self.at..).unwrap_or_default();
        if rest.first() == Some(&b'-') && rest.get(1).is_some_and(|byte| *byte != b']') {
            return Err(range_with_set(at));
        }
        Ok(())
    }

    /// Over `\E`, inside of quotes and out of them.
    fn leave_quotes(&mut self) {
        while self.take_text(b"\\E") {
            self.quoting = false;
        }
    }

    fn skip_in_class(&mut self) {
        self.leave_quotes();
        while self.options.extended_more && matches!(self.peek(), Some(b' ' | b'\t')) {
            self.next();
            self.leave_quotes();
        }
    }

    /// `[:alpha:]` within a class; its `[`, at `at`, is taken.
    fn posix(&mut self, at: usize) -> Result<Option<ByteSet>, Error> {
        let Some(name) = self.posix_name(at)? else {
            return Ok(None);
        };
        let (name, negative) = match name.strip_prefix('^') {
            Some(rest) => (rest.to_owned(), true),
            None => (name, false),
        };
        let Some(set) = posix_set(&name, self.options.caseless) else {
            return Err(Error::new(
                at,
                format!("unknown POSIX class name {name:?}"),
                "see PCRE2's pattern syntax for the names",
            ));
        };
        Ok(Some(if negative { set.complement() } else { set }))
    }

    /// Takes `:name:]`, if that is what stands here.
    fn posix_name(&mut self, at: usize) -> Result<Option<String>, Error> {
        let rest = self.pattern.get(self.at..).unwrap_or_default();
        let Some(kind @ (b':' | b'.' | b'=')) = rest.first().copied() else {
            return Ok(None);
        };
        let body = rest.get(1..).unwrap_or_default();
        let Some(length) = posix_length(body, kind) else {
            return Ok(None);
        };
        if kind != b':' {
            return Err(Error::new(
                at,
                "POSIX collating elements are not known here".to_owned(),
                "write the bytes",
            ));
        }
        let name = body.get(..length).unwrap_or_default();
        self.at = self.at.saturating_add(length).saturating_add(3);
        Ok(Some(String::from_utf8_lossy(name).into_owned()))
    }
}

/// Length of the name in `name:]`; none when a class goes on here instead.
fn posix_length(body: &[u8], kind: u8) -> Option<usize> {
    let mut pairs = body.windows(2).enumerate();
    while let Some((at, pair)) = pairs.next() {
        match *pair {
            [b'\\', b']' | b'\\'] => drop(pairs.next()),
            [b'[', next] if next == kind => return None,
            [b']', _] => return None,
            [first, b']'] if first == kind => return Some(at),
            _ => {}
        }
    }
    None
}

fn posix_set(name: &str, caseless: bool) -> Option<ByteSet> {
    Some(match name {
        // Under `i`, the classes of one case are those of both.
        "lower" | "upper" if caseless => ByteSet::ascii(u8::is_ascii_alphabetic),
        "alpha" => ByteSet::ascii(u8::is_ascii_alphabetic),
        "lower" => ByteSet::ascii(u8::is_ascii_lowercase),
        "upper" => ByteSet::ascii(u8::is_ascii_uppercase),
        "alnum" => ByteSet::ascii(u8::is_ascii_alphanumeric),
        "ascii" => ByteSet::ascii(|_| true),
        "blank" => ByteSet::of(&[b'\t'..=b'\t', b' '..=b' ']),
        "cntrl" => ByteSet::ascii(u8::is_ascii_control),
        "digit" => ByteSet::ascii(u8::is_ascii_digit),
        "graph" => ByteSet::ascii(u8::is_ascii_graphic),
        "print" => ByteSet::ascii(|byte| byte.is_ascii_graphic() || *byte == b' '),
        "punct" => ByteSet::ascii(u8::is_ascii_punctuation),
        "space" => ByteSet::of(&[b'\t'..=b'\r', b' '..=b' ']),
        "word" => ByteSet::ascii(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
        "xdigit" => ByteSet::ascii(u8::is_ascii_hexdigit),
        _ => return None,
    })
}

fn range_with_set(at: usize) -> Error {
    Error::new(
        at,
        "a range in a class starts or ends with a set of bytes".to_owned(),
        "escape the -, or put it last",
    )
}
