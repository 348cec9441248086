//! Reading JSON into a tree, with what `serde_json` lets pass: a key that stands twice is refused,
//! and so is nesting beyond a bound; both with the path to it.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{Fault, ObjectError};
use crate::limits::Limits;

/// Reads one JSON value that takes up all of `raw`.
pub(crate) fn read(raw: &[u8], depth_max: usize) -> Result<Value, ObjectError> {
    let found = RefCell::new(None);
    let max = depth_max.min(Limits::DEPTH_CEILING);
    let seed = Seed {
        path: &Path::Root,
        depth: 0,
        max,
        found: &found,
    };
    let mut reader = serde_json::Deserializer::from_slice(raw);
    let value = seed
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| match found.take() {
        Some(found) => found,
        None => ObjectError::new("$", Fault::NotJson(error.to_string().into())),
    })
}

/// The way from the root to a value, on the stack; it becomes text only in an error.
enum Path<'a> {
    Root,
    Key(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_char('$'),
            Self::Key(parent, key) => write!(f, "{parent}{}", step(key)),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// One step of a JSON path (RFC 9535): `.name`, or quoted where the name needs it.
pub(crate) fn step(key: &str) -> String {
    const KEY_CHARS_SHOWN_MAX: usize = 80;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !key.is_empty() && key.chars().all(plain) && key.len() <= KEY_CHARS_SHOWN_MAX {
        true => format!(".{key}"),
        false => {
            let shown: String = key.chars().take(KEY_CHARS_SHOWN_MAX).collect();
            format!("['{}']", shown.escape_debug())
        }
    }
}

/// Builds the value below one path.
#[derive(Clone, Copy)]
struct Seed<'a> {
    path: &'a Path<'a>,
    depth: usize,
    max: usize,
    /// Where the first fault goes that is ours and not the JSON reader's.
    found: &'a RefCell<Option<ObjectError>>,
}

impl<'a> Seed<'a> {
    fn below(self, path: &'a Path<'a>) -> Self {
        Self { path, ..self }
    }

    /// One level deeper, if that is allowed.
    fn enter<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        match depth > self.max {
            true => Err(self.refuse(Fault::TooDeep { max: self.max })),
            false => Ok(Self { depth, ..self }),
        }
    }

    fn refuse<E: serde::de::Error>(self, fault: Fault) -> E {
        let error = E::custom(&fault);
        *self.found.borrow_mut() = Some(ObjectError::new(self.path.to_string(), fault));
        error
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.enter()?;
        let mut values = Vec::new();
        loop {
            let path = Path::Index(self.path, values.len());
            match list.next_element_seed(inner.below(&path))? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.enter()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = Path::Key(self.path, &key);
            let seed = inner.below(&path);
            if map.contains_key(&key) {
                return Err(seed.refuse(Fault::DuplicateKey));
            }
            let value = entries.next_value_seed(seed)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str, depth_max: usize) -> (String, Fault) {
        let error = read(text.as_bytes(), depth_max).unwrap_err();
        (error.path.into(), error.fault)
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_with_its_path() {
        let cases = [
            (r#"{"a":1,"a":1}"#, "$.a"),
            (
                r#"{"x":{"a":1,"b":[0,{"c d":1,"c\u0020d":2}]}}"#,
                "$.x.b[1]['c d']",
            ),
            (r#"{"":1,"":2}"#, "$['']"),
        ];
        for (text, path) in cases {
            assert_eq!(refusal(text, 9), (path.to_owned(), Fault::DuplicateKey));
        }
        assert!(read(br#"{"a":{"a":1},"b":{"a":1}}"#, 9).is_ok());
    }

    #[test]
    fn nesting_beyond_the_bound_is_refused_with_its_path() {
        assert!(read(br#"{"a":[1]}"#, 2).is_ok());
        assert_eq!(
            refusal(r#"{"a":[[1]]}"#, 2),
            ("$.a[0]".to_owned(), Fault::TooDeep { max: 2 })
        );
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let max = Limits::DEPTH_CEILING;
        assert_eq!(refusal(&deep, usize::MAX).1, Fault::TooDeep { max });
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "{} {}",
            "{\"a\":\"\\ud800\"}",
            "nul",
            "[1,]",
            "{\"a\":1e999}",
        ] {
            assert!(matches!(refusal(text, 9).1, Fault::NotJson(_)), "{text}");
        }
        assert!(matches!(
            read(b"\"\xff\"", 9).unwrap_err().fault,
            Fault::NotJson(_)
        ));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, text in "[\\[\\]{}:,\"a0\\\\ ]{0,60}") {
            for raw in [bytes.as_slice(), text.as_bytes()] {
                if let Err(error) = read(raw, 9) {
                    prop_assert!(error.path.starts_with('$'));
                }
            }
        }

        #[test]
        fn what_is_read_is_what_serde_json_reads(text in "[\\[\\]{}:,\"a0. ]{0,30}") {
            let theirs = serde_json::from_str::<Value>(&text);
            match read(text.as_bytes(), Limits::DEPTH_CEILING) {
                Ok(ours) => prop_assert_eq!(ours, theirs.unwrap()),
                Err(error) if error.fault == Fault::DuplicateKey => {}
                Err(_) => prop_assert!(theirs.is_err()),
            }
        }
    }
}
