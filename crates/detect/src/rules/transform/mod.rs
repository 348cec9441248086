//! Suricata's transforms: what a rule inspects instead of a buffer.
//!
//! A transform is one line of [`TRANSFORMS`]: its keyword, and the function that reads the
//! keyword's value. `luaxform` is none of them: rules of partners run no code here.
//!
//! **Failure bias: open.** What cannot be transformed (no base64, a pattern that does not match)
//! stays as it is or becomes empty, as in Suricata, so that a rule for the transformed text does
//! not match.

mod base64;
mod domain;
mod hash;
mod inflate;
mod pattern;
mod text;
mod url;
mod xor;

use std::{
    fmt::Debug,
    hash::{Hash, Hasher},
    sync::Arc,
};

pub use inflate::INFLATED_MAX;
pub use pattern::STEPS_MAX;

/// A transform with its value. Two are equal when they were written alike, so that buffers with
/// equal transforms can be shared.
#[derive(Clone, Debug)]
pub struct Transform {
    name: &'static str,
    value: Option<String>,
    operation: Arc<dyn Operation>,
}

/// What a transform does.
trait Operation: Debug + Send + Sync {
    /// Appends what `input` becomes to `out`. False when a bound cut it short.
    fn apply(&self, input: &[u8], out: &mut Vec<u8>) -> bool;

    /// Whether texts that hold `content` can come out.
    fn can_hold(&self, _content: &[u8]) -> bool {
        true
    }
}

/// Reads the value of a keyword.
type Parse = fn(Option<&str>) -> Result<Arc<dyn Operation>, String>;

/// Every transform.
const TRANSFORMS: [(&str, Parse); 18] = [
    ("dotprefix", |value| plain(value, text::dotprefix)),
    ("strip_whitespace", |value| {
        filter(value, text::strip_whitespace)
    }),
    ("compress_whitespace", |value| {
        filter(value, text::compress_whitespace)
    }),
    ("to_lowercase", |value| filter(value, text::to_lowercase)),
    ("to_uppercase", |value| filter(value, text::to_uppercase)),
    ("header_lowercase", |value| {
        plain(value, text::header_lowercase)
    }),
    ("strip_pseudo_headers", |value| {
        plain(value, text::strip_pseudo_headers)
    }),
    ("to_md5", |value| plain(value, hash::to_md5)),
    ("to_sha1", |value| plain(value, hash::to_sha1)),
    ("to_sha256", |value| plain(value, hash::to_sha256)),
    ("url_decode", |value| plain(value, url::decode)),
    ("domain", |value| plain(value, domain::domain)),
    ("tld", |value| plain(value, domain::tld)),
    ("xor", xor::parse),
    ("from_base64", base64::parse),
    ("gunzip", inflate::parse_gunzip),
    ("zlib_deflate", inflate::parse_zlib),
    ("pcrexform", pattern::parse),
];

/// Keywords, how their values are written, and what they mean.
pub(crate) const REFERENCE: [(&str, &str, &str); 18] = [
    ("dotprefix", "", "A dot in front of it."),
    ("strip_whitespace", "", "Without white space."),
    (
        "compress_whitespace",
        "",
        "With one space for each run of white space.",
    ),
    ("to_lowercase", "", "In small letters."),
    ("to_uppercase", "", "In capital letters."),
    (
        "header_lowercase",
        "",
        "With the names of header fields in small letters.",
    ),
    (
        "strip_pseudo_headers",
        "",
        "Without the header fields that begin with a colon.",
    ),
    ("to_md5", "", "Its MD5, 16 bytes."),
    ("to_sha1", "", "Its SHA-1, 20 bytes."),
    ("to_sha256", "", "Its SHA-256, 32 bytes."),
    ("url_decode", "", "With the escapes of URLs undone."),
    ("domain", "", "The registered domain of a name."),
    ("tld", "", "The public suffix of a name."),
    (
        "xor",
        "\"hexadecimal digits\"",
        "Each byte changed by a key.",
    ),
    (
        "from_base64",
        "[bytes N][,offset N][,mode rfc4648|rfc2045|strict]",
        "What Base64 stands for.",
    ),
    ("gunzip", "[max-size N]", "What gzip holds."),
    ("zlib_deflate", "[max-size N]", "What zlib holds."),
    (
        "pcrexform",
        "\"expression with one group\"",
        "What a group of an expression took.",
    ),
];

impl Transform {
    /// The transform that a keyword and its value, without quotes, name. None when the keyword is
    /// no transform.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn parse(name: &str, value: Option<&str>) -> Option<Result<Self, String>> {
        let (name, parse) = TRANSFORMS.iter().find(|(own, _)| *own == name)?;
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        Some(parse(value).map(|operation| Self {
            name,
            value: value.map(str::to_owned),
            operation,
        }))
    }

    /// Writes what `input` becomes into `out`, whose earlier content goes. False when a bound
    /// ([`INFLATED_MAX`] or the rule's own `max-size`, [`STEPS_MAX`]) cut it short.
    pub fn apply(&self, input: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        self.operation.apply(input, out)
    }

    /// Whether a text that holds `content` can come out. A rule that looks for one that cannot
    /// (a capital letter behind `to_lowercase`) never matches; Suricata refuses it.
    pub fn can_hold(&self, content: &[u8]) -> bool {
        self.operation.can_hold(content)
    }

    /// All keywords.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TRANSFORMS.iter().map(|(name, _)| *name)
    }

    /// How the keyword is written in a rule.
    pub(crate) fn usage(name: &str) -> String {
        let known = REFERENCE.iter().find(|(known, ..)| *known == name);
        match known.map_or("", |(_, usage, _)| *usage) {
            "" => format!("{name};"),
            usage => format!("{name}:{usage};"),
        }
    }

    /// The keyword.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl PartialEq for Transform {
    fn eq(&self, other: &Self) -> bool {
        (self.name, &self.value) == (other.name, &other.value)
    }
}

impl Eq for Transform {}

impl Hash for Transform {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, &self.value).hash(state);
    }
}

/// A transform without a value.
#[derive(Debug)]
struct Plain {
    apply: fn(&[u8], &mut Vec<u8>),
    /// What came out stays as it is when it goes in again.
    filter: bool,
}

impl Operation for Plain {
    fn apply(&self, input: &[u8], out: &mut Vec<u8>) -> bool {
        (self.apply)(input, out);
        true
    }

    fn can_hold(&self, content: &[u8]) -> bool {
        let mut out = Vec::new();
        if self.filter {
            (self.apply)(content, &mut out);
        }
        !self.filter || out == content
    }
}

fn plain(
    value: Option<&str>,
    apply: fn(&[u8], &mut Vec<u8>),
) -> Result<Arc<dyn Operation>, String> {
    no_value(value, apply, false)
}

/// A transform that leaves what came out of it as it is.
fn filter(
    value: Option<&str>,
    apply: fn(&[u8], &mut Vec<u8>),
) -> Result<Arc<dyn Operation>, String> {
    no_value(value, apply, true)
}

fn no_value(
    value: Option<&str>,
    apply: fn(&[u8], &mut Vec<u8>),
    filter: bool,
) -> Result<Arc<dyn Operation>, String> {
    match value {
        None => Ok(Arc::new(Plain { apply, filter })),
        Some(_) => Err("this transform takes no value".to_owned()),
    }
}

#[cfg(test)]
mod tests;
