//! Properties that many objects have: section 3.2, and the data types of section 2 that are objects.

use super::check::Scope;
use super::form;
use super::table::{ANY, Kind, Precision, Property, Record, Rule, TEXTS, Target, opt, req};

/// What a data marking refers to.
pub(super) const MARKING: Target = Target {
    allows: |name| name == "marking-definition",
    what: "a marking-definition",
    must: true,
};

/// Who wrote an object.
const AUTHOR: Target = Target {
    allows: |name| name == "identity",
    what: "an identity",
    must: false,
};

const CREATED: Kind = Kind::Time(Precision::Millisecond);

/// Domain, relationship and meta objects (section 3.2).
pub(super) const VERSIONED: Record = Record {
    rule: "STIX 2.1 section 3.2",
    properties: &[
        req("type", Kind::Elsewhere),
        req("spec_version", Kind::Elsewhere),
        req("id", Kind::Elsewhere),
        opt("created_by_ref", Kind::Ref(&AUTHOR)),
        req("created", CREATED),
        req("modified", CREATED),
        opt("revoked", Kind::Boolean),
        opt("labels", TEXTS),
        opt("confidence", Kind::Integer(0, 100)),
        opt("lang", Kind::Form(&form::LANGUAGE)),
        EXTERNAL_REFERENCES,
        OBJECT_MARKINGS,
        GRANULAR_MARKINGS,
        EXTENSIONS,
    ],
    rules: &[Rule::NotBefore("created", "modified")],
};

/// Cyber-observable objects (section 3.2).
pub(super) const OBSERVABLE: Record = Record {
    rule: "STIX 2.1 section 3.2",
    properties: &[
        req("type", Kind::Elsewhere),
        req("id", Kind::Elsewhere),
        opt("spec_version", Kind::Elsewhere),
        OBJECT_MARKINGS,
        GRANULAR_MARKINGS,
        opt("defanged", Kind::Boolean),
        EXTENSIONS,
    ],
    rules: &[],
};

/// Marking definitions (sections 3.2 and 7.2.1).
pub(super) const MARKED: Record = Record {
    rule: "STIX 2.1 section 7.2.1.1",
    properties: &[
        req("type", Kind::Elsewhere),
        req("spec_version", Kind::Elsewhere),
        req("id", Kind::Elsewhere),
        opt("created_by_ref", Kind::Ref(&AUTHOR)),
        req("created", CREATED),
        EXTERNAL_REFERENCES,
        OBJECT_MARKINGS,
        GRANULAR_MARKINGS,
        EXTENSIONS,
    ],
    rules: &[],
};

const EXTERNAL_REFERENCES: Property = opt(
    "external_references",
    Kind::List(&Kind::Record(&EXTERNAL_REFERENCE)),
);
const OBJECT_MARKINGS: Property = opt("object_marking_refs", Kind::List(&Kind::Ref(&MARKING)));
const GRANULAR_MARKINGS: Property = opt(
    "granular_markings",
    Kind::List(&Kind::Record(&GRANULAR_MARKING)),
);
const EXTENSIONS: Property = opt("extensions", Kind::Elsewhere);

/// Section 2.5.
const EXTERNAL_REFERENCE: Record = Record {
    rule: "STIX 2.1 section 2.5",
    properties: &[
        req("source_name", Kind::Form(&form::FILLED)),
        opt("description", Kind::Text),
        opt("url", Kind::Form(&form::URL)),
        opt("hashes", Kind::Hashes),
        opt("external_id", Kind::Text),
    ],
    rules: &[Rule::Own(external_reference)],
};

/// Section 2.11.
pub(super) const KILL_CHAIN_PHASE: Record = Record {
    rule: "STIX 2.1 section 2.11",
    properties: &[
        req("kill_chain_name", Kind::Form(&form::KILL_CHAIN)),
        req("phase_name", Kind::Form(&form::KILL_CHAIN)),
    ],
    rules: &[
        Rule::Own(|scope| filled(scope, "kill_chain_name", "STIX 2.1 section 2.11")),
        Rule::Own(|scope| filled(scope, "phase_name", "STIX 2.1 section 2.11")),
    ],
};

/// A list of kill chain phases.
pub(super) const KILL_CHAIN_PHASES: Property = opt(
    "kill_chain_phases",
    Kind::List(&Kind::Record(&KILL_CHAIN_PHASE)),
);

/// Section 7.2.3.1; whether the selectors select something is seen from the whole object.
const GRANULAR_MARKING: Record = Record {
    rule: "STIX 2.1 section 7.2.3.1",
    properties: &[
        opt("lang", Kind::Form(&form::LANGUAGE)),
        opt("marking_ref", Kind::Ref(&MARKING)),
        req("selectors", Kind::List(&Kind::Form(&form::SELECTOR))),
    ],
    rules: &[Rule::OneOf(&["lang", "marking_ref"])],
};

/// A list of references to objects of any type.
pub(super) const OBJECT_REFS: Kind = Kind::List(&Kind::Ref(&ANY));

/// A required text that is empty says nothing.
pub(super) fn filled(scope: &mut Scope<'_, '_>, key: &'static str, rule: &'static str) {
    if scope.members.text(key) == Some("") {
        scope.error(key, rule, form::FILLED.what, form::FILLED.mend);
    }
}

fn external_reference(scope: &mut Scope<'_, '_>) {
    let members = scope.members;
    let (source, id) = (members.text("source_name"), members.text("external_id"));
    if let Some(form) = source.and_then(form::numbered)
        && !id.is_some_and(form.test)
    {
        scope.error("external_id", form.rule, form.what, form.mend);
    }
    let told = ["description", "url", "external_id"];
    if !told.iter().any(|name| members.has(name)) {
        scope.error(
            "",
            "STIX 2.1 section 2.5",
            "needs at least one of description, url and external_id",
            "say in one of them what is referred to",
        );
    }
    if members.has("url") && !members.has("hashes") {
        scope.warn(
            "hashes",
            "STIX 2.1 section 2.5",
            "a reference with a url should have hashes of what stands there",
            "add hashes, SHA-256 among them",
        );
    }
}
