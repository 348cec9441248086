//! Bundles (STIX 2.1 section 8) and TAXII envelopes (TAXII 2.1): many objects in one document.
//! One bad object does not spoil the rest.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::error::ObjectError;
use crate::id::StixId;
use crate::limits::Limits;
use crate::object::Object;

/// Reads a document: a bundle (`"type": "bundle"`), an envelope (`"objects"` and no type) or one
/// object. The results stand in the order of the document; the index of an error is its place,
/// and its path begins with `$.objects[index]`.
///
/// # Errors
/// [`BundleError`], when the document as a whole cannot be read.
pub fn parse(raw: &[u8], limits: &Limits) -> Result<Vec<Result<Object, ObjectError>>, BundleError> {
    parse_by(raw, limits, Object::parse)
}

/// As [`parse`], and refuses each object that breaks a MUST of STIX 2.1 ([`Object::parse_valid`]).
///
/// # Errors
/// [`BundleError`], when the document as a whole cannot be read.
pub fn parse_valid(
    raw: &[u8],
    limits: &Limits,
) -> Result<Vec<Result<Object, ObjectError>>, BundleError> {
    parse_by(raw, limits, Object::parse_valid)
}

type Parse = fn(&[u8], &Limits) -> Result<Object, ObjectError>;

fn parse_by(
    raw: &[u8],
    limits: &Limits,
    parse: Parse,
) -> Result<Vec<Result<Object, ObjectError>>, BundleError> {
    if raw.len() > limits.bytes_max {
        return Err(BundleError::TooLong {
            bytes: raw.len(),
            max: limits.bytes_max,
        });
    }
    if !raw.trim_ascii_start().starts_with(b"{") {
        return Err(BundleError::NotJson("it does not begin with '{'".into()));
    }
    let outer: Outer<'_> = serde_json::from_slice(raw).map_err(not_json)?;
    match (outer.kind()?.as_deref(), outer.objects) {
        (Some("bundle"), objects) => {
            check_bundle_id(outer.id)?;
            each(objects, limits, parse)
        }
        (Some(_), _) => Ok(vec![parse(raw, limits)]),
        (None, Some(objects)) => each(Some(objects), limits, parse),
        (None, None) if outer.more.is_some() || is_empty_object(raw) => Ok(Vec::new()),
        (None, None) => Err(BundleError::Neither),
    }
}

/// A bundle of these objects, byte for byte as they are. Its identifier follows from them, so the
/// same objects in the same order give the same bytes.
#[must_use]
pub fn bundle_of<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Vec<u8> {
    let mut digest = Sha256::new();
    let mut list = Vec::new();
    for object in objects {
        digest.update(object.digest());
        let separator: &[u8] = if list.is_empty() { b"" } else { b"," };
        list.extend_from_slice(separator);
        list.extend_from_slice(object.raw());
    }
    let name: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let id = StixId::v5("bundle", &name);
    let open = format!(r#"{{"type":"bundle","id":"{id}""#);
    match list.is_empty() {
        true => [open.as_bytes(), b"}"].concat(),
        false => [open.as_bytes(), br#","objects":["#, &list, b"]}"].concat(),
    }
}

/// Why a document as a whole is refused. The fault is its sender's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes are not one JSON object.
    #[error("not one JSON object: {0}")]
    NotJson(Box<str>),
    /// More bytes than the limit allows.
    #[error("{bytes} bytes, more than {max}; send less in one piece")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// More objects than the limit allows.
    #[error("more than {max} objects; send fewer in one piece")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// A bundle without a legal identifier of its own.
    #[error("$.id: not the identifier of a bundle (STIX 2.1 section 8.1); write bundle--UUID")]
    Id,
    /// Neither a bundle nor an envelope nor an object.
    #[error("$: neither a bundle nor an envelope nor an object; add \"type\" or \"objects\"")]
    Neither,
}

/// The outermost level of a document. A key of it that stands twice is refused.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    objects: Option<&'a RawValue>,
    more: Option<IgnoredAny>,
}

impl Outer<'_> {
    fn kind(&self) -> Result<Option<String>, BundleError> {
        self.kind
            .map(|raw| serde_json::from_str(raw.get()))
            .transpose()
            .map_err(not_json)
    }
}

fn not_json(error: serde_json::Error) -> BundleError {
    BundleError::NotJson(error.to_string().into())
}

/// An envelope without objects may be written so (TAXII 2.1, envelopes).
fn is_empty_object(raw: &[u8]) -> bool {
    let inside = raw
        .trim_ascii()
        .strip_prefix(b"{")
        .and_then(|rest| rest.strip_suffix(b"}"));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

fn check_bundle_id(id: Option<&RawValue>) -> Result<(), BundleError> {
    let id = id.and_then(|raw| serde_json::from_str::<StixId>(raw.get()).ok());
    match id.is_some_and(|id| id.kind() == "bundle") {
        true => Ok(()),
        false => Err(BundleError::Id),
    }
}

fn each(
    objects: Option<&RawValue>,
    limits: &Limits,
    parse: Parse,
) -> Result<Vec<Result<Object, ObjectError>>, BundleError> {
    let read = |(index, raw): (usize, &RawValue)| {
        parse(raw.get().as_bytes(), limits).map_err(|error| error.within(index))
    };
    let objects = objects
        .map(|raw| split(raw, limits.objects_max))
        .transpose()?;
    Ok(objects
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(read)
        .collect())
}

/// The elements of a list, each as the bytes it is written in.
fn split(list: &RawValue, max: usize) -> Result<Vec<&RawValue>, BundleError> {
    let mut reader = serde_json::Deserializer::from_str(list.get());
    let elements = reader.deserialize_seq(Elements { max }).map_err(not_json)?;
    elements.ok_or(BundleError::TooMany { max })
}

/// Collects elements until there are too many; then the answer is `None`.
struct Elements {
    max: usize,
}

impl<'de> Visitor<'de> for Elements {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element::<&RawValue>()? {
            if elements.len() >= self.max {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            elements.push(element);
        }
        Ok(Some(elements))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    const FILE: &str = r#"{ "type":"file", "id":"file--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","x_odd" : [1.50, "\u00e9"] }"#;

    fn limits() -> Limits {
        Limits::default()
    }

    fn documents() -> [String; 3] {
        let id = "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
        [
            format!(r#"{{"type":"bundle","id":"{id}","objects":[ {FILE} , {FILE}]}}"#),
            format!(r#"{{"more":false,"objects":[{FILE},{FILE}]}}"#),
            format!("\n {FILE}\n"),
        ]
    }

    #[test]
    fn bundles_envelopes_and_objects_keep_the_bytes() {
        for (document, count) in documents().iter().zip([2, 2, 1]) {
            let objects = parse(document.as_bytes(), &limits()).unwrap();
            assert_eq!(objects.len(), count);
            for object in objects {
                assert_eq!(object.unwrap().raw(), FILE.as_bytes());
            }
        }
    }

    #[test]
    fn one_bad_object_does_not_spoil_the_rest() {
        let text = format!(r#"{{"objects":[{FILE},{{"type":"file"}},17,{FILE},{{"a":1,"a":2}}]}}"#);
        let objects = parse(text.as_bytes(), &limits()).unwrap();
        let good: Vec<bool> = objects.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, false, false, true, false]);
        let error = objects[1].as_ref().unwrap_err();
        assert_eq!(
            (&*error.path, &error.fault),
            ("$.objects[1].id", &Fault::Missing)
        );
        assert_eq!(&*objects[2].as_ref().unwrap_err().path, "$.objects[2]");
        assert_eq!(&*objects[4].as_ref().unwrap_err().path, "$.objects[4].a");
    }

    #[test]
    fn empty_documents_are_told_apart_from_wrong_ones() {
        assert_eq!(parse(b"{}", &limits()).unwrap().len(), 0);
        assert_eq!(parse(b"{\"more\":false}", &limits()).unwrap().len(), 0);
        assert_eq!(parse(b"{\"objects\":[]}", &limits()).unwrap().len(), 0);
        assert_eq!(
            parse(b"{\"spam\":1}", &limits()).unwrap_err(),
            BundleError::Neither
        );
        assert_eq!(
            parse(b"{\"type\":\"bundle\"}", &limits()).unwrap_err(),
            BundleError::Id
        );
        for wrong in [
            "",
            "[]",
            r#"["bundle","bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",[],null]"#,
            "{\"objects\":{}}",
            "{\"objects\":[}",
            "{\"type\":1}",
            "\u{feff}{}",
        ] {
            let error = parse(wrong.as_bytes(), &limits()).unwrap_err();
            assert!(matches!(error, BundleError::NotJson(_)), "{wrong}: {error}");
        }
        let twice = br#"{"objects":[],"objects":[]}"#;
        assert!(matches!(
            parse(twice, &limits()),
            Err(BundleError::NotJson(_))
        ));
    }

    #[test]
    fn every_limit_bites() {
        let text = format!(r#"{{"objects":[{FILE},{FILE},{FILE}]}}"#);
        let few = Limits {
            objects_max: 2,
            ..limits()
        };
        assert_eq!(
            parse(text.as_bytes(), &few).unwrap_err(),
            BundleError::TooMany { max: 2 }
        );
        let short = Limits {
            bytes_max: 20,
            ..limits()
        };
        assert!(matches!(
            parse(text.as_bytes(), &short),
            Err(BundleError::TooLong { .. })
        ));
        let small = Limits {
            object_bytes_max: 20,
            ..limits()
        };
        let objects = parse(text.as_bytes(), &small).unwrap();
        assert!(objects.iter().all(|object| {
            matches!(
                object.as_ref().unwrap_err().fault,
                Fault::TooLong { max: 20, .. }
            )
        }));
        let flat = Limits {
            depth_max: 1,
            ..limits()
        };
        let error = parse(FILE.as_bytes(), &flat)
            .unwrap()
            .remove(0)
            .unwrap_err();
        assert_eq!(
            (&*error.path, error.fault),
            ("$.x_odd", Fault::TooDeep { max: 1 })
        );
    }

    #[test]
    fn a_bundle_of_ours_is_read_back() {
        let object = Object::parse(FILE.as_bytes(), &limits()).unwrap();
        let bundle = bundle_of([&object, &object]);
        let read = parse(&bundle, &limits()).unwrap();
        assert!(
            read.iter()
                .all(|read| read.as_ref().unwrap().raw() == object.raw())
        );
        assert_eq!(bundle, bundle_of([&object, &object]));
        assert_eq!(parse(&bundle_of([]), &limits()).unwrap().len(), 0);
    }
}
