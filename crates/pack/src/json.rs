//! Reading JSON that is signed: one form, no key twice, no field that nobody reads.

use serde::Serialize;
use serde::de::DeserializeOwned;
use stix::ObjectError;

use crate::path::PackPath;

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 32;
/// Longest text of others that is passed on in an error, in characters.
const WHY_CHARS_MAX: usize = 400;

/// What is wrong with a document, and where. The fault is its author's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {fault}; {}", fault.mend())]
pub struct DocumentError {
    /// A JSON path from the document, for example `$.models[0].thresholds`.
    pub path: Box<str>,
    /// What is wrong there.
    pub fault: Fault,
}

impl DocumentError {
    pub(crate) fn new(path: impl Into<Box<str>>, fault: Fault) -> Self {
        Self {
            path: path.into(),
            fault,
        }
    }
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not JSON, a key that stands twice, or nested too deep.
    #[error("{}", .0.fault)]
    Json(Box<ObjectError>),
    /// More bytes than the limit allows.
    #[error("{bytes} bytes, more than {max}")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// The bytes are not the canonical form of what they say.
    #[error("not in canonical form (RFC 8785) from byte {at} on")]
    NotCanonical {
        /// The first byte that differs.
        at: usize,
    },
    /// A field is unknown, missing, or holds what it cannot; in the words of the reader.
    #[error("{0}")]
    Shape(Box<str>),
    /// A document of another kind or of another version of the format.
    #[error("is {found:?}, not {want:?}")]
    Schema {
        /// What it says.
        found: Box<str>,
        /// What can be read.
        want: &'static str,
    },
    /// More elements than the bound allows.
    #[error("{count} elements, more than {max}")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Nothing stands where something must.
    #[error("is empty")]
    Empty,
    /// A number outside its range.
    #[error("is not within {low} and {high}")]
    Range {
        /// The least.
        low: Box<str>,
        /// The most.
        high: Box<str>,
    },
    /// A list that has an order is not in it, or has an element twice.
    #[error("is not in strictly {order} order")]
    Order {
        /// The order.
        order: &'static str,
    },
    /// The pack ends before it begins.
    #[error("is not later than $.created")]
    Ends,
    /// A model for a task that the pack is not for.
    #[error("is not in $.scope")]
    Scope,
    /// A file that the pack does not list, or that is no model.
    #[error("{0} is not a listed file with the role \"model\"")]
    NoModel(PackPath),
    /// A file in a place that another role, or none, has.
    #[error("{0} does not have this role by its place")]
    Role(PackPath),
}

impl Fault {
    /// What would mend it.
    #[must_use]
    pub fn mend(&self) -> &str {
        match self {
            Self::Json(error) => error.mend(),
            Self::TooLong { .. } | Self::TooMany { .. } => "make it smaller",
            Self::NotCanonical { .. } => "write it with `shieldwall pack build`",
            Self::Shape(_) => "write it as docs/packs.md says",
            Self::Schema { .. } => "write that, or use a program that reads the other",
            Self::Empty => "say at least one",
            Self::Range { .. } => "choose a number in that range",
            Self::Order { .. } => "sort it, and say each once",
            Self::Ends => "let the pack end after it begins",
            Self::Scope => "add the task to $.scope",
            Self::NoModel(_) => "name a file of the folder models/",
            Self::Role(_) => "move it to a folder that docs/packs.md lists",
        }
    }
}

/// Reads a document that must be, byte for byte, what [`write`] makes of it.
pub(crate) fn read<T: DeserializeOwned + Serialize>(
    raw: &[u8],
    bytes_max: usize,
) -> Result<T, DocumentError> {
    let value = read_any_form(raw, bytes_max)?;
    let form = write(&value)?;
    match form.as_bytes() == raw {
        true => Ok(value),
        false => {
            let same = form.bytes().zip(raw).take_while(|(a, b)| a == *b);
            let at = same.count();
            Err(DocumentError::new("$", Fault::NotCanonical { at }))
        }
    }
}

/// Reads a document in any form of JSON; a key that stands twice is refused all the same.
pub(crate) fn read_any_form<T: DeserializeOwned>(
    raw: &[u8],
    bytes_max: usize,
) -> Result<T, DocumentError> {
    if raw.len() > bytes_max {
        let (bytes, max) = (raw.len(), bytes_max);
        return Err(DocumentError::new("$", Fault::TooLong { bytes, max }));
    }
    let text = stix::jcs::canonical(raw, DEPTH_MAX).map_err(refused)?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => "$".to_owned(),
            path => format!("$.{path}"),
        };
        let why = error.into_inner().to_string();
        // The place in the canonical text says nothing to who wrote another.
        let why = why.split(" at line ").next().unwrap_or_default();
        DocumentError::new(plain(&path), Fault::Shape(plain(why)))
    })
}

/// The canonical form of a value (RFC 8785).
pub(crate) fn write(value: &impl Serialize) -> Result<String, DocumentError> {
    let text = serde_json::to_string(value)
        .map_err(|error| DocumentError::new("$", Fault::Shape(plain(&error.to_string()))))?;
    stix::jcs::canonical(text.as_bytes(), DEPTH_MAX).map_err(refused)
}

fn refused(error: ObjectError) -> DocumentError {
    let path = plain(&error.path);
    DocumentError::new(path, Fault::Json(Box::new(error)))
}

/// What others wrote, for a message: not too long, and nothing that moves a terminal's cursor.
fn plain(text: &str) -> Box<str> {
    let shown = text.chars().take(WHY_CHARS_MAX);
    let shown = shown.map(|c| match c.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    });
    shown.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        a: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        b: Option<Vec<Self>>,
    }

    fn refusal(raw: &str) -> (String, String) {
        let error = read::<Thing>(raw.as_bytes(), 1000).unwrap_err();
        (error.path.to_string(), error.fault.to_string())
    }

    #[test]
    fn one_form_is_read_and_others_are_refused_with_the_place() {
        let thing: Thing = read(br#"{"a":1,"b":[{"a":2}]}"#, 1000).unwrap();
        assert_eq!(write(&thing).unwrap(), r#"{"a":1,"b":[{"a":2}]}"#);
        let form = |at| format!("not in canonical form (RFC 8785) from byte {at} on");
        let cases = [
            (r#"{ "a":1}"#, "$", form(1)),
            (r#"{"a":1.0}"#, "$", form(6)),
            (r#"{"b":[],"a":1}"#, "$", form(2)),
            (r#"{"a":1,"b":null}"#, "$", form(6)),
            ("{\"a\":1}\n", "$", form(7)),
            (
                r#"{"a":1,"b":[{"a":2,"a":2}]}"#,
                "$.b[0].a",
                "the key stands twice".into(),
            ),
            (
                r#"{"a":1,"c":2}"#,
                "$.c",
                "unknown field `c`, expected `a` or `b`".into(),
            ),
            (r#"{"a":1,"b":[{}]}"#, "$.b[0]", "missing field `a`".into()),
            (
                r#"{"a":300}"#,
                "$.a",
                "invalid value: integer `300`, expected u8".into(),
            ),
        ];
        for (raw, path, fault) in cases {
            let (at, why) = refusal(raw);
            assert_eq!(at, path, "{raw}");
            // The words for a key that stands twice are those of the reader.
            if !fault.contains("twice") {
                assert_eq!(why, fault, "{raw}");
            }
        }
        let (path, why) = refusal("{\"a\":1,\"\\u001b[2J\":1}");
        assert!(!format!("{path}{why}").contains('\u{1b}'), "{path}{why}");
        let (path, _) = refusal("{\"\\u001b[2J\":1,\"\\u001b[2J\":1}");
        assert!(!path.contains('\u{1b}'), "{path}");
        let long = read::<Thing>(&[b' '; 1001], 1000).unwrap_err();
        assert_eq!(
            long.fault,
            Fault::TooLong {
                bytes: 1001,
                max: 1000
            }
        );
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_would_be_written(raw in "[{}\\[\\]\":,ab0-9 .e]{0,40}") {
            if let Ok(thing) = read::<Thing>(raw.as_bytes(), 1000) {
                prop_assert_eq!(write(&thing).unwrap(), raw);
            }
        }
    }
}
