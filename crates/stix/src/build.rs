//! Writing the few objects that this project authors itself: indicators, sightings, identities and
//! attack patterns.
//!
//! The same input gives the same bytes: properties stand in the order of the structs below, and
//! nothing is drawn at random. What is written goes through [`Object::parse`], so nothing leaves
//! that our own reader would refuse.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Fault, ObjectError};
use crate::id::StixId;
use crate::lease::{self, LeaseRequest};
use crate::limits::Limits;
use crate::marking::Tlp;
use crate::object::Object;
use crate::pattern::Pattern;
use crate::time::Timestamp;

/// What every object of ours has (STIX 2.1 section 3.2).
#[derive(Clone, Debug)]
pub struct Common<'a> {
    /// The identifier; its type must be that of the object.
    pub id: StixId,
    /// The identity that authors the object; `None` for an identity that speaks of itself.
    pub author: Option<&'a StixId>,
    /// When the first version was written: the same in every version.
    pub created: Timestamp,
    /// When this version was written; later than that of the version before.
    pub modified: Timestamp,
    /// Whether this version withdraws the object.
    pub revoked: bool,
    /// How sure the author is, 0 to 100.
    pub confidence: Option<u8>,
    /// Who may see it.
    pub tlp: Option<Tlp>,
}

/// An indicator (STIX 2.1 section 4.7).
#[derive(Clone, Debug)]
pub struct Indicator<'a> {
    /// What every object has.
    pub common: Common<'a>,
    /// A name for people.
    pub name: &'a str,
    /// Values of the open vocabulary `indicator-type-ov`, for example `malicious-activity`.
    pub indicator_types: &'a [&'a str],
    /// What to look for.
    pub pattern: &'a Pattern,
    /// From when on.
    pub valid_from: Timestamp,
    /// Until when, if it ends.
    pub valid_until: Option<Timestamp>,
    /// What others are asked to enforce.
    pub lease: Option<&'a LeaseRequest>,
}

/// A sighting (STIX 2.1 section 5.2).
#[derive(Clone, Debug)]
pub struct Sighting<'a> {
    /// What every object has.
    pub common: Common<'a>,
    /// What was sighted: an indicator, an attack pattern or another domain object.
    pub sighting_of: &'a StixId,
    /// Who sighted it, as an identity.
    pub where_sighted: Option<&'a StixId>,
    /// When it was sighted first.
    pub first_seen: Timestamp,
    /// When it was sighted last.
    pub last_seen: Timestamp,
    /// How often; at most 999,999,999, which larger numbers are written as.
    pub count: u64,
    /// The selector, evidence class and detector of what was sighted.
    pub lease: Option<&'a LeaseRequest>,
}

/// Writes an indicator.
///
/// # Errors
/// [`ObjectError`], when the parts contradict each other: a `valid_until` that is not later than
/// `valid_from`, an empty pattern, a lease that the pattern does not cover.
pub fn indicator(from: &Indicator<'_>) -> Result<Object, ObjectError> {
    let mut wire = Wire::of(&from.common, "indicator");
    wire.name = Some(from.name);
    wire.indicator_types = from.indicator_types;
    wire.pattern = Some(from.pattern.to_string());
    wire.pattern_type = Some("stix");
    wire.valid_from = Some(from.valid_from);
    wire.valid_until = from.valid_until;
    wire.extensions = extensions(from.lease);
    wire.object()
}

/// Writes a sighting.
///
/// # Errors
/// [`ObjectError`], when the parts contradict each other.
pub fn sighting(from: &Sighting<'_>) -> Result<Object, ObjectError> {
    let mut wire = Wire::of(&from.common, "sighting");
    wire.first_seen = Some(from.first_seen);
    wire.last_seen = Some(from.last_seen);
    wire.count = Some(from.count.min(COUNT_MAX));
    wire.sighting_of_ref = Some(from.sighting_of);
    wire.where_sighted_refs = from.where_sighted.into_iter().collect();
    wire.extensions = extensions(from.lease);
    wire.object()
}

/// Writes an identity (STIX 2.1 section 4.5); `class` is of the open vocabulary
/// `identity-class-ov`, for example `organization`.
///
/// # Errors
/// [`ObjectError`], when the parts contradict each other.
pub fn identity(common: &Common<'_>, name: &str, class: &str) -> Result<Object, ObjectError> {
    let mut wire = Wire::of(common, "identity");
    wire.name = Some(name);
    wire.identity_class = Some(class);
    wire.object()
}

/// Writes an attack pattern (STIX 2.1 section 4.1).
///
/// # Errors
/// [`ObjectError`], when the parts contradict each other.
pub fn attack_pattern(common: &Common<'_>, name: &str) -> Result<Object, ObjectError> {
    let mut wire = Wire::of(common, "attack-pattern");
    wire.name = Some(name);
    wire.object()
}

/// Largest `count` of a sighting (STIX 2.1 section 5.2).
pub const COUNT_MAX: u64 = 999_999_999;

fn extensions(lease: Option<&LeaseRequest>) -> BTreeMap<&'static str, Extension<'_>> {
    let extension = lease.map(|lease| Extension {
        extension_type: "property-extension",
        lease,
    });
    extension
        .map(|extension| (lease::EXTENSION_ID, extension))
        .into_iter()
        .collect()
}

#[derive(Serialize)]
struct Extension<'a> {
    extension_type: &'static str,
    #[serde(flatten)]
    lease: &'a LeaseRequest,
}

/// The properties of all objects that are written here, in the order in which they are written.
#[derive(Default, Serialize)]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    spec_version: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by_ref: Option<&'a StixId>,
    created: Option<Timestamp>,
    modified: Option<Timestamp>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    revoked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_class: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    indicator_types: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sighting_of_ref: Option<&'a StixId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    where_sighted_refs: Vec<&'a StixId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    object_marking_refs: Vec<StixId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<&'static str, Extension<'a>>,
}

impl<'a> Wire<'a> {
    fn of(common: &'a Common<'_>, kind: &'static str) -> Self {
        Self {
            kind,
            spec_version: "2.1",
            id: common.id.as_str(),
            created_by_ref: common.author,
            created: Some(common.created),
            modified: Some(common.modified),
            revoked: common.revoked,
            confidence: common.confidence,
            object_marking_refs: common.tlp.map(Tlp::marking_id).into_iter().collect(),
            ..Self::default()
        }
    }

    fn object(&self) -> Result<Object, ObjectError> {
        let raw = serde_json::to_vec(self)
            .map_err(|error| ObjectError::new("$", Fault::NotJson(error.to_string().into())))?;
        Object::parse(&raw, &Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{Action, EvidenceClass, Proto, Selector, Service};
    use crate::pattern;

    fn common(kind: &str) -> Common<'static> {
        let at = Timestamp::parse("2026-11-22T00:00:00.123456Z").unwrap();
        Common {
            id: StixId::v5(kind, "one"),
            author: None,
            created: at,
            modified: at,
            revoked: false,
            confidence: Some(70),
            tlp: Some(Tlp::Green),
        }
    }

    fn lease() -> LeaseRequest {
        LeaseRequest {
            selector: Selector::Source("192.0.2.9/32".parse().unwrap()),
            service: Some(Service {
                address: None,
                protocol: Proto::Tcp,
                port: Some(80),
            }),
            action: Action::Drop,
            ttl_s: 60,
            evidence: EvidenceClass::PathProven,
            detector: "scan-trw@1".into(),
            audience: vec![],
        }
    }

    #[test]
    fn an_indicator_reads_back_as_it_was_meant() {
        let pattern = pattern::parse("[ipv4-addr:value = '192.0.2.9']").unwrap();
        let common = common("indicator");
        let lease = lease();
        let from = Indicator {
            common: common.clone(),
            name: "scan",
            indicator_types: &["malicious-activity"],
            pattern: &pattern,
            valid_from: common.created,
            valid_until: Some(Timestamp::MAX),
            lease: Some(&lease),
        };
        let object = indicator(&from).unwrap();
        let head = object.head();
        assert_eq!(head.id, common.id);
        assert_eq!(head.tlp(), Some(Tlp::Green));
        assert_eq!(head.confidence, Some(70));
        assert_eq!(head.lease.as_ref(), Some(&lease));
        assert_eq!(object.raw(), indicator(&from).unwrap().raw());
        let text = std::str::from_utf8(object.raw()).unwrap();
        assert!(text.starts_with(r#"{"type":"indicator","spec_version":"2.1","id":"indicator--"#));
        assert!(!text.contains("null"));
    }

    #[test]
    fn contradictions_are_not_written() {
        let pattern = pattern::parse("[ipv4-addr:value = '192.0.2.8']").unwrap();
        let common = common("indicator");
        let lease = lease();
        let mut from = Indicator {
            common: common.clone(),
            name: "scan",
            indicator_types: &[],
            pattern: &pattern,
            valid_from: common.created,
            valid_until: None,
            lease: Some(&lease),
        };
        assert_eq!(
            indicator(&from).unwrap_err().fault,
            Fault::LeaseBeyondPattern
        );
        from.lease = None;
        from.valid_until = Some(common.created);
        assert_eq!(&*indicator(&from).unwrap_err().path, "$.valid_until");
        from.valid_until = None;
        from.common.id = StixId::v5("sighting", "one");
        assert_eq!(&*indicator(&from).unwrap_err().path, "$.type");
    }

    #[test]
    fn a_sighting_reads_back_and_its_count_is_bounded() {
        let common = common("sighting");
        let of = StixId::v5("indicator", "one");
        let who = StixId::v5("identity", "a");
        let object = sighting(&Sighting {
            common: common.clone(),
            sighting_of: &of,
            where_sighted: Some(&who),
            first_seen: common.created,
            last_seen: common.created,
            count: u64::MAX,
            lease: None,
        });
        let object = object.unwrap();
        assert_eq!(object.head().sighting_of.as_ref(), Some(&of));
        assert_eq!(object.head().count, Some(COUNT_MAX));
    }
}
