//! The object types of STIX 2.1, by the common properties that they must have.

/// What kind of object a type is (STIX 2.1 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Domain and relationship objects: `created`, `modified` and `spec_version` are required.
    Versioned,
    /// Marking definitions: `created` and `spec_version` are required, versions do not exist.
    Marking,
    /// Cyber-observable objects, and types that STIX 2.1 does not define: none is required.
    Other,
}

/// The class of a type.
pub(super) fn class(name: &str) -> Class {
    match name {
        "marking-definition" => Class::Marking,
        _ if VERSIONED.contains(&name) => Class::Versioned,
        _ => Class::Other,
    }
}

/// STIX 2.1 sections 4 (domain objects), 5 (relationship objects), 7.1 and 7.3 (meta objects).
const VERSIONED: [&str; 23] = [
    "attack-pattern",
    "campaign",
    "course-of-action",
    "extension-definition",
    "grouping",
    "identity",
    "incident",
    "indicator",
    "infrastructure",
    "intrusion-set",
    "language-content",
    "location",
    "malware",
    "malware-analysis",
    "note",
    "observed-data",
    "opinion",
    "relationship",
    "report",
    "sighting",
    "threat-actor",
    "tool",
    "vulnerability",
];
