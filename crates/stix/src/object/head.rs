//! From the JSON tree to the head: every property that a decision rests on is checked here.

use super::types::{self, Class};
use super::{Head, RawPattern};
use crate::error::{Fault, ObjectError};
use crate::id::StixId;
use crate::lease::{self, LeaseRequest};
use crate::pattern::{self, Pattern, PatternErrorKind};
use crate::time::Timestamp;
use crate::tree::{self, Json, Members};

/// Largest `count` of a sighting (STIX 2.1 section 5.2).
const COUNT_MAX: u64 = 999_999_999;

/// Reads the head of an object.
pub(super) fn read(value: &Json<'_>) -> Result<Head, ObjectError> {
    let members = value
        .as_object()
        .ok_or_else(|| ObjectError::new("$", Fault::Type("an object")))?;
    let object = Properties(members);
    let (id, kind) = identity(object)?;
    let class = types::class(&kind);
    let spec_version = spec_version(object, class)?;
    let [created, modified] = versions(object, class)?;
    let [valid_from, valid_until] = validity(object, &kind)?;
    sighting_times(object, &kind)?;
    let head = Head {
        id,
        spec_version,
        created,
        modified,
        created_by: object.id("created_by_ref")?,
        revoked: object.boolean("revoked")?.unwrap_or(false),
        confidence: object
            .integer("confidence", 100, "an integer from 0 to 100")?
            .map(narrow),
        valid_from,
        valid_until,
        markings: markings(object)?,
        granular_markings: granular_markings(object)?,
        pattern: raw_pattern(object, &kind)?,
        name: object.text("name")?.map(Into::into),
        sighting_of: sighting_of(object, &kind)?,
        count: object.count(&kind)?,
        lease: lease_request(object, &kind)?,
        kind,
    };
    check_pattern(&head)?;
    Ok(head)
}

fn identity(object: Properties<'_>) -> Result<(StixId, Box<str>), ObjectError> {
    let kind = object.require("type", object.text("type")?)?;
    let id = object.require("id", object.id("id")?)?;
    match id.kind() == kind {
        true => Ok((id, kind.into())),
        false => Err(refuse("type", Fault::TypeName)),
    }
}

fn spec_version(object: Properties<'_>, class: Class) -> Result<Option<Box<str>>, ObjectError> {
    let version = object.text("spec_version")?;
    match (version, class) {
        (Some("2.1"), _) | (None, Class::Other) => Ok(version.map(Into::into)),
        (None, Class::Versioned | Class::Marking) => Err(refuse("spec_version", Fault::Missing)),
        (Some(_), _) => Err(refuse("spec_version", Fault::SpecVersion)),
    }
}

fn versions(object: Properties<'_>, class: Class) -> Result<[Option<Timestamp>; 2], ObjectError> {
    let (created, modified) = (object.time("created")?, object.time("modified")?);
    if matches!(class, Class::Versioned | Class::Marking) {
        object.require("created", created)?;
    }
    if class == Class::Versioned {
        object.require("modified", modified)?;
    }
    match created
        .zip(modified)
        .is_some_and(|(created, modified)| modified < created)
    {
        true => Err(refuse(
            "modified",
            Fault::Order("not be earlier than created"),
        )),
        false => Ok([created, modified]),
    }
}

fn validity(object: Properties<'_>, kind: &str) -> Result<[Option<Timestamp>; 2], ObjectError> {
    let (from, until) = (object.time("valid_from")?, object.time("valid_until")?);
    if kind == "indicator" {
        object.require("valid_from", from)?;
    }
    match from.zip(until).is_some_and(|(from, until)| until <= from) {
        true => Err(refuse(
            "valid_until",
            Fault::Order("be later than valid_from"),
        )),
        false => Ok([from, until]),
    }
}

fn sighting_times(object: Properties<'_>, kind: &str) -> Result<(), ObjectError> {
    if kind != "sighting" {
        return Ok(());
    }
    let (first, last) = (object.time("first_seen")?, object.time("last_seen")?);
    match first.zip(last).is_some_and(|(first, last)| last < first) {
        true => Err(refuse(
            "last_seen",
            Fault::Order("not be earlier than first_seen"),
        )),
        false => Ok(()),
    }
}

fn markings(object: Properties<'_>) -> Result<Vec<StixId>, ObjectError> {
    let list = object.list("object_marking_refs")?;
    let read = |(index, value): (usize, &Json<'_>)| {
        let path = format!("$.object_marking_refs[{index}]");
        let text = value.as_str().ok_or(Fault::Type("a string"));
        let id = text.and_then(|text| StixId::parse(text).map_err(Fault::Id));
        match id {
            Ok(id) if id.kind() == "marking-definition" => Ok(id),
            Ok(_) => Err(ObjectError::new(
                path,
                Fault::IdKind("a marking-definition"),
            )),
            Err(fault) => Err(ObjectError::new(path, fault)),
        }
    };
    list.iter().enumerate().map(read).collect()
}

fn granular_markings(object: Properties<'_>) -> Result<bool, ObjectError> {
    object
        .list("granular_markings")
        .map(|list| !list.is_empty())
}

fn raw_pattern(object: Properties<'_>, kind: &str) -> Result<Option<RawPattern>, ObjectError> {
    if kind != "indicator" {
        return Ok(None);
    }
    let pattern = object.require("pattern", object.text("pattern")?)?;
    let pattern_type = object.require("pattern_type", object.text("pattern_type")?)?;
    Ok(Some(RawPattern {
        pattern_type: pattern_type.into(),
        pattern: pattern.into(),
    }))
}

fn sighting_of(object: Properties<'_>, kind: &str) -> Result<Option<StixId>, ObjectError> {
    match kind {
        "sighting" => {
            let id = object.id("sighting_of_ref")?;
            object.require("sighting_of_ref", id).map(Some)
        }
        _ => Ok(None),
    }
}

fn lease_request(object: Properties<'_>, kind: &str) -> Result<Option<LeaseRequest>, ObjectError> {
    let extensions = match object.0.get("extensions") {
        None => return Ok(None),
        Some(Json::Object(extensions)) => extensions,
        Some(_) => return Err(refuse("extensions", Fault::Type("an object"))),
    };
    let Some(value) = extensions.get(lease::EXTENSION_ID) else {
        return Ok(None);
    };
    let request = match kind {
        "indicator" | "sighting" => LeaseRequest::from_extension(&value.to_value()),
        _ => Err("only an indicator or a sighting may carry it".to_owned()),
    };
    request
        .map(Some)
        .map_err(|why| lease_fault(Fault::Lease(why.into())))
}

/// A pattern that says it is STIX must be STIX, whether or not it can be enforced; and a lease
/// must stay within what the pattern says, or the indicator would block what it does not name.
fn check_pattern(head: &Head) -> Result<(), ObjectError> {
    let Some(raw) = &head.pattern else {
        return Ok(());
    };
    let pattern = match &*raw.pattern_type {
        "stix" => pattern::parse(&raw.pattern),
        _ => Ok(Pattern { terms: Vec::new() }),
    };
    let pattern = match pattern {
        Ok(pattern) => pattern,
        Err(error) if error.kind == PatternErrorKind::Syntax => {
            return Err(refuse("pattern", Fault::Pattern(error)));
        }
        Err(_) => Pattern { terms: Vec::new() },
    };
    match head
        .lease
        .as_ref()
        .is_none_or(|lease| lease.selector.covered_by(&pattern))
    {
        true => Ok(()),
        false => Err(lease_fault(Fault::LeaseBeyondPattern)),
    }
}

fn lease_fault(fault: Fault) -> ObjectError {
    let path = format!("$.extensions{}", tree::step(lease::EXTENSION_ID));
    ObjectError::new(path, fault)
}

fn refuse(key: &str, fault: Fault) -> ObjectError {
    ObjectError::new(format!("$.{key}"), fault)
}

/// Saturates; the range is checked before.
fn narrow(value: u64) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// Typed access to the properties of one object.
#[derive(Clone, Copy)]
struct Properties<'a>(&'a Members<'a>);

impl<'a> Properties<'a> {
    fn require<T>(self, key: &str, value: Option<T>) -> Result<T, ObjectError> {
        value.ok_or_else(|| refuse(key, Fault::Missing))
    }

    fn text(self, key: &str) -> Result<Option<&'a str>, ObjectError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(refuse(key, Fault::Type("a string"))),
        }
    }

    fn boolean(self, key: &str) -> Result<Option<bool>, ObjectError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(refuse(key, Fault::Type("true or false"))),
        }
    }

    fn integer(self, key: &str, max: u64, range: &'static str) -> Result<Option<u64>, ObjectError> {
        let Some(value) = self.0.get(key) else {
            return Ok(None);
        };
        match value.as_number().and_then(serde_json::Number::as_u64) {
            Some(number) if number <= max => Ok(Some(number)),
            _ => Err(refuse(key, Fault::Range(range))),
        }
    }

    fn count(self, kind: &str) -> Result<Option<u64>, ObjectError> {
        match kind {
            "sighting" => self.integer("count", COUNT_MAX, "an integer from 0 to 999999999"),
            _ => Ok(None),
        }
    }

    fn time(self, key: &str) -> Result<Option<Timestamp>, ObjectError> {
        let text = self.text(key)?;
        text.map(Timestamp::parse)
            .transpose()
            .map_err(|error| refuse(key, Fault::Time(error)))
    }

    fn id(self, key: &str) -> Result<Option<StixId>, ObjectError> {
        let text = self.text(key)?;
        text.map(StixId::parse)
            .transpose()
            .map_err(|error| refuse(key, Fault::Id(error)))
    }

    /// The list under `key`; empty when the key is absent. A list that is there has an element
    /// (STIX 2.1 section 2.12).
    fn list(self, key: &str) -> Result<&'a [Json<'a>], ObjectError> {
        match self.0.get(key) {
            None => Ok(&[]),
            Some(Json::List(list)) if !list.is_empty() => Ok(list),
            Some(_) => Err(refuse(key, Fault::Type("a list with at least one element"))),
        }
    }
}
