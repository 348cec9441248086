//! Values that can only be built from legal text.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// Longest [`Name`], in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest [`Text`], in bytes.
pub const TEXT_BYTES_MAX: usize = 2000;

/// Why a text is not a value of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A digest is something else.
    #[error("a digest is 64 lower-case hexadecimal digits")]
    Digest,
    /// An extractor is something else.
    #[error("an extractor is NAME@VERSION, for example http-field@1")]
    Extractor,
    /// A name is something else.
    #[error(
        "a name is 1 to {NAME_BYTES_MAX} of a-z, 0-9 and '-', and begins and ends with none of '-'"
    )]
    Name,
    /// A text is something else.
    #[error(
        "a text is 1 to {TEXT_BYTES_MAX} bytes, without control characters and signs that turn the direction of writing"
    )]
    Text,
}

/// A SHA-256 digest, written in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
            *to = *from;
        }
        Self(out)
    }

    /// From its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte.wrapping_sub(b'0')),
            b'a'..=b'f' => Ok(byte.wrapping_sub(b'a').wrapping_add(10)),
            _ => Err(ValueError::Digest),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let pairs: &[[u8; 2]; 32] = pairs.try_into().map_err(|_| ValueError::Digest)?;
        let mut out = [0; 32];
        for (to, [high, low]) in out.iter_mut().zip(pairs) {
            *to = digit(*high)? << 4 | digit(*low)?;
        }
        match rest {
            [] => Ok(Self(out)),
            _ => Err(ValueError::Digest),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text for people: one line that cannot move a terminal's cursor or hide what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(Box<str>);

impl FromStr for Text {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let lines = |c: char| matches!(c, '\u{2028}' | '\u{2029}');
        let length = (1..=TEXT_BYTES_MAX).contains(&text.len());
        match length && !text.chars().any(|c| c.is_control() || turns(c) || lines(c)) {
            true => Ok(Self(text.into())),
            false => Err(ValueError::Text),
        }
    }
}

/// A name for programs: 1 to [`NAME_BYTES_MAX`] of `a-z`, `0-9` and `-` inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

impl FromStr for Name {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match is_name(text) {
            true => Ok(Self(text.into())),
            false => Err(ValueError::Name),
        }
    }
}

fn is_name(text: &str) -> bool {
    let plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let bytes = text.as_bytes();
    bytes.len() <= NAME_BYTES_MAX
        && bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
        && bytes.iter().all(|byte| plain(byte) || *byte == b'-')
}

/// What turns traffic into numbers for a model: a name and a version of its columns, `NAME@VERSION`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Extractor {
    text: Box<str>,
    version: u32,
}

impl Extractor {
    /// Which extractor.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.split('@').next().unwrap_or_default()
    }

    /// Which version of its columns, from 1.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }
}

impl FromStr for Extractor {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (name, number) = text.split_once('@').ok_or(ValueError::Extractor)?;
        let version: u32 = number.parse().map_err(|_| ValueError::Extractor)?;
        // One way to write a number: no sign, no leading zero.
        match is_name(name) && version > 0 && version.to_string() == number {
            true => Ok(Self {
                text: text.into(),
                version,
            }),
            false => Err(ValueError::Extractor),
        }
    }
}

/// Which pack: a publisher's name for it, whatever its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackId {
    /// Who publishes it.
    pub publisher: Text,
    /// What they call it.
    pub name: Name,
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.publisher)
    }
}

/// What text types have in common.
macro_rules! text {
    ($type:ty, $value:ident => $text:expr) => {
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                let $value = self;
                $text
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_ref())
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.as_ref().to_owned()
            }
        }
    };
}

text!(Text, value => &value.0);
text!(Name, value => &value.0);
text!(Extractor, value => &value.text);

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Deserialised from their text.
macro_rules! parsed {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = ValueError;

            fn try_from(text: String) -> Result<Self, ValueError> {
                text.parse()
            }
        }
    )*};
}

parsed!(Digest, Text, Name, Extractor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_way_to_be_written() {
        let digest = Digest::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        let upper = text.to_uppercase();
        for bad in [
            "",
            "e3",
            &upper,
            text.get(1..).unwrap(),
            &format!("{text}00"),
            &format!("{text}0"),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(ValueError::Digest), "{bad}");
        }
    }

    #[test]
    fn names_extractors_and_texts_are_read_strictly() {
        for good in ["a", "web-attack-2", &"x".repeat(NAME_BYTES_MAX)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "-", "a-", "-a", "A", "a b", "a/b", "é", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Name>(), Err(ValueError::Name), "{bad}");
        }
        let field: Extractor = "http-field@12".parse().unwrap();
        assert_eq!((field.name(), field.version()), ("http-field", 12));
        for bad in [
            "http-field",
            "@1",
            "a@",
            "a@0",
            "a@01",
            "a@+1",
            "a@1@2",
            "A@1",
            "a@4294967296",
        ] {
            assert_eq!(
                bad.parse::<Extractor>(),
                Err(ValueError::Extractor),
                "{bad}"
            );
        }
        assert!("Zürich & Söhne, 東京".parse::<Text>().is_ok());
        for bad in [
            "",
            "a\nb",
            "\u{1b}[2J",
            "a\u{202e}b",
            "\u{2066}",
            "a\u{2028}b",
            &"x".repeat(2001),
        ] {
            assert_eq!(bad.parse::<Text>(), Err(ValueError::Text), "{bad:?}");
        }
    }
}
