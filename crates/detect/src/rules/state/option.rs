//! The value of an option, taken apart.

use super::names::Names;

/// Why the value of an option is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (byte {at} of the value)")]
pub struct OptionError {
    /// Where in the value, bytes from its start.
    pub at: usize,
    /// What is wrong there.
    pub reason: String,
}

impl OptionError {
    pub(crate) fn new(at: usize, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { at, reason }
    }
}

/// A part of a value, without white space around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// Bytes from the start of the value.
    pub(crate) at: usize,
    pub(crate) text: &'a str,
}

impl<'a> Field<'a> {
    pub(crate) fn new(at: usize, text: &'a str) -> Self {
        let skipped = text.len().saturating_sub(text.trim_start().len());
        Self {
            at: at.saturating_add(skipped),
            text: text.trim(),
        }
    }

    pub(crate) fn error(&self, reason: impl Into<String>) -> OptionError {
        OptionError::new(self.at, reason)
    }

    /// The parts between separators.
    pub(crate) fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut at = self.at;
        self.text.split(separator).map(move |text| {
            let field = Self::new(at, text);
            at = at
                .saturating_add(text.len())
                .saturating_add(separator.len_utf8());
            field
        })
    }

    /// What stands before the first separator, and what after it.
    pub(crate) fn split_once(self, separator: char) -> (Self, Option<Self>) {
        let Some((before, after)) = self.text.split_once(separator) else {
            return (self, None);
        };
        let after_at = self
            .at
            .saturating_add(before.len())
            .saturating_add(separator.len_utf8());
        (Self::new(self.at, before), Some(Self::new(after_at, after)))
    }

    /// The first word, and what comes after it.
    pub(crate) fn word(self) -> (Self, Self) {
        let end = self.text.find(char::is_whitespace);
        let (word, rest) = self.text.split_at(end.unwrap_or(self.text.len()));
        let rest_at = self.at.saturating_add(word.len());
        (Self::new(self.at, word), Self::new(rest_at, rest))
    }

    /// A decimal number.
    pub(crate) fn number(&self) -> Result<u32, OptionError> {
        if self.text.is_empty() || !self.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.error("a number is expected"));
        }
        let number = self.text.parse();
        number.map_err(|_too_large| self.error("the number does not fit 32 bits"))
    }

    /// A name without white space, as its number.
    pub(crate) fn name(&self, names: &mut Names) -> Result<u32, OptionError> {
        if self.text.is_empty() {
            return Err(self.error("a name is expected"));
        }
        if self.text.contains(char::is_whitespace) {
            return Err(self.error("a name has no white space"));
        }
        let id = names.intern(self.text);
        id.ok_or_else(|| self.error("the name is too long, or there are too many names"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_know_where_they_stand() {
        let parts: Vec<_> = Field::new(0, " set , a|b ")
            .split(',')
            .map(|field| (field.at, field.text))
            .collect();
        assert_eq!(parts, [(1, "set"), (7, "a|b")]);
        let (word, rest) = Field::new(3, "track  by_src").word();
        assert_eq!(
            (word.at, word.text, rest.at, rest.text),
            (3, "track", 10, "by_src")
        );
        let (before, after) = Field::new(0, "é, b").split_once(',');
        assert_eq!((before.text, after.map(|field| field.at)), ("é", Some(4)));
    }
}
