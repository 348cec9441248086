//! Reading JSON into a tree, with what `serde_json` lets pass: a key that stands twice is refused,
//! and so is nesting beyond a bound; both with the path to it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::error::{Fault, ObjectError};
use crate::limits::Limits;
use crate::tree::{Json, Members, Path};

/// Reads one JSON value that takes up all of `raw`.
pub(crate) fn read(raw: &[u8], depth_max: usize) -> Result<Json<'_>, ObjectError> {
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
    type Value = Json<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json<'de>, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let inner = self.enter()?;
        let mut values = Vec::new();
        loop {
            let path = Path::Index(self.path, values.len());
            match list.next_element_seed(inner.below(&path))? {
                Some(value) => values.push(value),
                None => return Ok(Json::List(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let inner = self.enter()?;
        let mut members = Members(Vec::with_capacity(MEMBERS_AS_A_RULE));
        let mut many = HashSet::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            let path = Path::Key(self.path, &key);
            let seed = inner.below(&path);
            let twice = match members.0.len() {
                0..=MEMBERS_SEARCHED_MAX => members.has(&key),
                _ => {
                    if many.is_empty() {
                        many.extend(members.0.iter().map(|(name, _)| name.clone()));
                    }
                    !many.insert(key.clone())
                }
            };
            if twice {
                return Err(seed.refuse(Fault::DuplicateKey));
            }
            let value = entries.next_value_seed(seed)?;
            members.0.push((key, value));
        }
        Ok(Json::Object(members))
    }
}

/// Room that is made for the members of an object at first.
const MEMBERS_AS_A_RULE: usize = 8;
/// Up to so many members a key is looked for one by one; beyond, in a set.
const MEMBERS_SEARCHED_MAX: usize = 24;

/// Reads a key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_owned()))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(value))
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
    fn a_key_that_stands_twice_among_many_is_refused() {
        let keys: Vec<String> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
        let once = format!("{{{}}}", keys.join(","));
        assert!(read(once.as_bytes(), 9).is_ok());
        for again in ["k0", "k24", "k25", "k99"] {
            let twice = format!("{{{},\"{again}\":1}}", keys.join(","));
            assert_eq!(
                refusal(&twice, 9),
                (format!("$.{again}"), Fault::DuplicateKey)
            );
        }
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
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match read(text.as_bytes(), Limits::DEPTH_CEILING) {
                Ok(ours) => prop_assert_eq!(ours.to_value(), theirs.unwrap()),
                Err(error) if error.fault == Fault::DuplicateKey => {}
                Err(_) => prop_assert!(theirs.is_err()),
            }
        }
    }
}
