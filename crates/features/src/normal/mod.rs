//! A value as the application would read it: decoded to a fixed point, in one form.
//!
//! Attackers encode, double-encode and spell in other scripts; applications, frameworks and
//! databases undo it. What was undone is counted: it is evidence of its own.

mod entity;
mod escape;
mod fold;
mod percent;
mod unicode;

/// Rounds of decoding at most.
const ROUNDS_MAX: u8 = 6;

/// Bytes of a value that are looked at.
pub(crate) const VALUE_MAX: usize = 64 * 1024;

/// What the place of a value does to it, whatever it is: that is undone and not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Queries and forms: percent-encoded, and a `+` is a space.
    Form,
    /// Paths and cookies: percent-encoded.
    Percent,
    /// As it is: headers, JSON, parts.
    Plain,
}

/// What was undone on the way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Undone {
    /// Rounds that changed something.
    pub(crate) rounds: u8,
    /// `%41`, `%u0041`; not those that the place needs.
    pub(crate) percent: u32,
    /// `%zz`.
    pub(crate) percent_bad: u32,
    /// `&lt;`, `&#60;`.
    pub(crate) entities: u32,
    /// `\x41`, `\u0041`.
    pub(crate) escapes: u32,
    /// UTF-8 that is longer than it may be (RFC 3629, section 3).
    pub(crate) overlong: u32,
    /// Characters of other scripts that look like ASCII.
    pub(crate) lookalikes: u32,
    /// Zero bytes and other controls that nobody types.
    pub(crate) controls: u32,
    /// `/**/` and the like.
    pub(crate) comments: u32,
    /// Joints of split words: `'||'`, `''`, `${IFS}`.
    pub(crate) joints: u32,
    /// Base64 that held text.
    pub(crate) wrapped: u32,
}

/// Decodes; the memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Normal {
    text: Vec<u8>,
    spare: Vec<u8>,
    /// What was undone.
    pub(crate) undone: Undone,
}

impl Normal {
    /// Decodes a value to a fixed point; letters keep their case.
    pub(crate) fn decode(&mut self, value: &[u8], carried: Carried) -> &[u8] {
        self.undone = Undone::default();
        self.text.clear();
        self.text
            .extend_from_slice(value.get(..VALUE_MAX).unwrap_or(value));
        if carried == Carried::Form {
            for byte in &mut self.text {
                if *byte == b'+' {
                    *byte = b' ';
                }
            }
        }
        if carried != Carried::Plain {
            self.spare.clear();
            percent::decode(&self.text, &mut self.spare, &mut Undone::default());
            std::mem::swap(&mut self.text, &mut self.spare);
        }
        for _ in 0..ROUNDS_MAX {
            if !self.round() {
                break;
            }
            self.undone.rounds = self.undone.rounds.saturating_add(1);
        }
        &self.text
    }

    /// What was decoded, in one form: lower case, single spaces, split words joined, other scripts
    /// as two placeholders ([`fold::LETTER`], [`fold::SIGN`]).
    pub(crate) fn fold(&mut self) -> &[u8] {
        self.spare.clear();
        fold::fold(&self.text, &mut self.spare, &mut self.undone);
        std::mem::swap(&mut self.text, &mut self.spare);
        &self.text
    }

    fn round(&mut self) -> bool {
        let mut changed = false;
        for step in [
            percent::decode,
            entity::decode,
            escape::decode,
            unicode::decode,
        ] {
            self.spare.clear();
            if step(&self.text, &mut self.spare, &mut self.undone) {
                std::mem::swap(&mut self.text, &mut self.spare);
                changed = true;
            }
        }
        changed
    }
}

/// Adds to a count.
const fn count(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}

/// The value of hexadecimal digits; `None` with others, or with more than six.
fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        value.checked_mul(16)?.checked_add(digit)
    })
}

/// Writes a character as UTF-8; what is none becomes U+FFFD.
fn write(code: u32, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
}
