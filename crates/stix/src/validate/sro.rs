//! The relationship objects (section 5).

use super::check::Scope;
use super::common;
use super::form;
use super::relation;
use super::table::{
    Class, Kind, Record, Rule, TIME, Target, Type, class, is_domain_or_custom, opt, req,
};

pub(super) static TYPES: [Type; 2] = [
    Type {
        name: "relationship",
        class: Class::Relationship,
        record: RELATIONSHIP,
        extensions: &[],
        contributing: &[],
    },
    Type {
        name: "sighting",
        class: Class::Relationship,
        record: SIGHTING,
        extensions: &[],
        contributing: &[],
    },
];

const END: Target = Target {
    allows: |name| {
        name != "bundle"
            && class(name).is_none_or(|class| matches!(class, Class::Domain | Class::Observable))
    },
    what: "a domain or a cyber-observable object",
    must: true,
};

const RELATIONSHIP: Record = Record {
    rule: "STIX 2.1 section 5.1.1",
    properties: &[
        req("relationship_type", Kind::Form(&form::RELATIONSHIP_TYPE)),
        opt("description", Kind::Text),
        req("source_ref", Kind::Ref(&END)),
        req("target_ref", Kind::Ref(&END)),
        opt("start_time", TIME),
        opt("stop_time", TIME),
    ],
    rules: &[Rule::After("start_time", "stop_time"), Rule::Own(suggested)],
};

const SIGHTED: Target = Target {
    allows: is_domain_or_custom,
    what: "a domain object",
    must: true,
};

const OBSERVED_DATA: Target = Target {
    allows: |name| name == "observed-data",
    what: "observed-data objects",
    must: true,
};

const WHERE: Target = Target {
    allows: |name| matches!(name, "identity" | "location"),
    what: "identities and locations",
    must: true,
};

const SIGHTING: Record = Record {
    rule: "STIX 2.1 section 5.2.1",
    properties: &[
        opt("description", Kind::Text),
        opt("first_seen", TIME),
        opt("last_seen", TIME),
        opt("count", Kind::Integer(0, 999_999_999)),
        req("sighting_of_ref", Kind::Ref(&SIGHTED)),
        opt("observed_data_refs", Kind::List(&Kind::Ref(&OBSERVED_DATA))),
        opt("where_sighted_refs", Kind::List(&Kind::Ref(&WHERE))),
        opt("summary", Kind::Boolean),
    ],
    rules: &[Rule::NotBefore("first_seen", "last_seen")],
};

/// The relationships that the sections of both objects suggest.
fn suggested(scope: &mut Scope<'_, '_>) {
    let text = |key| scope.members.text(key);
    let kind = |key| {
        text(key)
            .and_then(|id| id.split_once("--"))
            .map(|(kind, _)| kind)
    };
    let named = text("relationship_type").zip(kind("source_ref").zip(kind("target_ref")));
    let Some((relation, (source, target))) = named else {
        return;
    };
    let known = [source, target].iter().all(|name| class(name).is_some());
    if known && !relation::is_suggested(source, relation, target) {
        let what = format!(
            "{source} {} {target} is not a suggested relationship",
            shown(relation)
        );
        let mend = "use one that the sections of the two objects name, or related-to";
        scope.warn("relationship_type", "STIX 2.1 section 5.1.1", what, mend);
    }
}

fn shown(word: &str) -> String {
    const CHARS_SHOWN_MAX: usize = 80;
    word.chars().take(CHARS_SHOWN_MAX).collect()
}

/// What the specification says of objects that it does not define, is said of versioned ones.
pub(super) fn common(class: Class) -> &'static Record {
    match class {
        Class::Domain | Class::Relationship | Class::Meta => &common::VERSIONED,
        Class::Observable => &common::OBSERVABLE,
        Class::Marking => &common::MARKED,
    }
}
