//! The domain objects (section 4).

use crate::tree::Json;

use super::check::Scope;
use super::common::{KILL_CHAIN_PHASES, OBJECT_REFS, filled};
use super::form;
use super::table::{
    Class, Kind, NUMBER, Record, Rule, TEXTS, TIME, Target, Type, is_observable_or_custom, opt, req,
};
use super::vocabulary as words;

const fn domain(name: &'static str, record: Record) -> Type {
    Type {
        name,
        class: Class::Domain,
        record,
        extensions: &[],
        contributing: &[],
    }
}

const NAME: Kind = Kind::Form(&form::FILLED);
const SEEN: Rule = Rule::NotBefore("first_seen", "last_seen");
const MOTIVATION: Kind = Kind::Open(&words::ATTACK_MOTIVATION);

pub(super) static TYPES: [Type; 19] = [
    domain("attack-pattern", ATTACK_PATTERN),
    domain("campaign", CAMPAIGN),
    domain("course-of-action", COURSE_OF_ACTION),
    domain("grouping", GROUPING),
    domain("identity", IDENTITY),
    domain("incident", INCIDENT),
    domain("indicator", INDICATOR),
    domain("infrastructure", INFRASTRUCTURE),
    domain("intrusion-set", INTRUSION_SET),
    domain("location", LOCATION),
    domain("malware", MALWARE),
    domain("malware-analysis", MALWARE_ANALYSIS),
    domain("note", NOTE),
    domain("observed-data", OBSERVED_DATA),
    domain("opinion", OPINION),
    domain("report", REPORT),
    domain("threat-actor", THREAT_ACTOR),
    domain("tool", TOOL),
    domain("vulnerability", VULNERABILITY),
];

const ATTACK_PATTERN: Record = Record {
    rule: "STIX 2.1 section 4.1.1",
    properties: &[
        req("name", NAME),
        opt("description", Kind::Text),
        opt("aliases", TEXTS),
        KILL_CHAIN_PHASES,
    ],
    rules: &[Rule::Own(|scope| {
        numbered(scope, "capec", "CAPEC-", "STIX 2.1 section 4.1.1")
    })],
};

const CAMPAIGN: Record = Record {
    rule: "STIX 2.1 section 4.2.1",
    properties: &[
        req("name", NAME),
        opt("description", Kind::Text),
        opt("aliases", TEXTS),
        opt("first_seen", TIME),
        opt("last_seen", TIME),
        opt("objective", Kind::Text),
    ],
    rules: &[SEEN],
};

const COURSE_OF_ACTION: Record = Record {
    rule: "STIX 2.1 section 4.3.1",
    properties: &[req("name", NAME), opt("description", Kind::Text)],
    rules: &[],
};

const GROUPING: Record = Record {
    rule: "STIX 2.1 section 4.4.1",
    properties: &[
        opt("name", NAME),
        opt("description", Kind::Text),
        req("context", Kind::Open(&words::GROUPING_CONTEXT)),
        req("object_refs", OBJECT_REFS),
    ],
    rules: &[Rule::Own(|scope| {
        filled(scope, "context", "STIX 2.1 section 4.4.1")
    })],
};

const IDENTITY: Record = Record {
    rule: "STIX 2.1 section 4.5.1",
    properties: &[
        req("name", NAME),
        opt("description", Kind::Text),
        opt("roles", TEXTS),
        opt("identity_class", Kind::Open(&words::IDENTITY_CLASS)),
        opt("sectors", Kind::List(&Kind::Open(&words::INDUSTRY_SECTOR))),
        opt("contact_information", Kind::Text),
    ],
    rules: &[],
};

const INCIDENT: Record = Record {
    rule: "STIX 2.1 section 4.6.1",
    properties: &[req("name", NAME), opt("description", Kind::Text)],
    rules: &[],
};

const INDICATOR: Record = Record {
    rule: "STIX 2.1 section 4.7.1",
    properties: &[
        opt("name", Kind::Text),
        opt("description", Kind::Text),
        opt(
            "indicator_types",
            Kind::List(&Kind::Open(&words::INDICATOR_TYPE)),
        ),
        req("pattern", Kind::Text),
        req("pattern_type", Kind::Open(&words::PATTERN_TYPE)),
        opt("pattern_version", Kind::Text),
        req("valid_from", TIME),
        opt("valid_until", TIME),
        KILL_CHAIN_PHASES,
    ],
    rules: &[
        Rule::After("valid_from", "valid_until"),
        Rule::Should(&["name", "description"]),
        Rule::Own(super::indicator::pattern),
    ],
};

const INFRASTRUCTURE: Record = Record {
    rule: "STIX 2.1 section 4.8.1",
    properties: &[
        req("name", NAME),
        opt("description", Kind::Text),
        opt(
            "infrastructure_types",
            Kind::List(&Kind::Open(&words::INFRASTRUCTURE_TYPE)),
        ),
        opt("aliases", TEXTS),
        KILL_CHAIN_PHASES,
        opt("first_seen", TIME),
        opt("last_seen", TIME),
    ],
    rules: &[SEEN],
};

const INTRUSION_SET: Record = Record {
    rule: "STIX 2.1 section 4.9.1",
    properties: &[
        req("name", NAME),
        opt("description", Kind::Text),
        opt("aliases", TEXTS),
        opt("first_seen", TIME),
        opt("last_seen", TIME),
        opt("goals", TEXTS),
        opt("resource_level", Kind::Open(&words::ATTACK_RESOURCE_LEVEL)),
        opt("primary_motivation", MOTIVATION),
        opt("secondary_motivations", Kind::List(&MOTIVATION)),
    ],
    rules: &[SEEN],
};

const LOCATION: Record = Record {
    rule: "STIX 2.1 section 4.10.1",
    properties: &[
        opt("name", Kind::Text),
        opt("description", Kind::Text),
        opt("latitude", Kind::Float(-90.0, 90.0)),
        opt("longitude", Kind::Float(-180.0, 180.0)),
        opt("precision", NUMBER),
        opt("region", Kind::Open(&words::REGION)),
        opt("country", Kind::Form(&form::COUNTRY)),
        opt("administrative_area", Kind::Text),
        opt("city", Kind::Text),
        opt("street_address", Kind::Text),
        opt("postal_code", Kind::Text),
    ],
    rules: &[
        Rule::AnyOf(&["region", "country", "latitude"]),
        Rule::Requires("latitude", &["longitude"]),
        Rule::Requires("longitude", &["latitude"]),
        Rule::Requires("precision", &["latitude", "longitude"]),
    ],
};

const SOFTWARE: Target = Target {
    allows: |name| name == "software",
    what: "a software object",
    must: true,
};

const SAMPLE: Target = Target {
    allows: |name| matches!(name, "file" | "artifact"),
    what: "a file or an artifact",
    must: true,
};

const MALWARE: Record = Record {
    rule: "STIX 2.1 section 4.11.1",
    properties: &[
        opt("name", NAME),
        opt("description", Kind::Text),
        opt(
            "malware_types",
            Kind::List(&Kind::Open(&words::MALWARE_TYPE)),
        ),
        req("is_family", Kind::Boolean),
        opt("aliases", TEXTS),
        KILL_CHAIN_PHASES,
        opt("first_seen", TIME),
        opt("last_seen", TIME),
        opt("operating_system_refs", Kind::List(&Kind::Ref(&SOFTWARE))),
        opt(
            "architecture_execution_envs",
            Kind::List(&Kind::Open(&words::PROCESSOR_ARCHITECTURE)),
        ),
        opt(
            "implementation_languages",
            Kind::List(&Kind::Open(&words::IMPLEMENTATION_LANGUAGE)),
        ),
        opt(
            "capabilities",
            Kind::List(&Kind::Open(&words::MALWARE_CAPABILITIES)),
        ),
        opt("sample_refs", Kind::List(&Kind::Ref(&SAMPLE))),
    ],
    rules: &[SEEN, Rule::Own(family)],
};

const ANALYSED: Target = Target {
    allows: |name| matches!(name, "file" | "artifact" | "network-traffic"),
    what: "a file, an artifact or network traffic",
    must: true,
};

const OBSERVABLE: Target = Target {
    allows: is_observable_or_custom,
    what: "a cyber-observable object",
    must: true,
};

const MALWARE_ANALYSIS: Record = Record {
    rule: "STIX 2.1 section 4.12.1",
    properties: &[
        req("product", Kind::Form(&form::PRODUCT)),
        opt("version", Kind::Text),
        opt("host_vm_ref", Kind::Ref(&SOFTWARE)),
        opt("operating_system_ref", Kind::Ref(&SOFTWARE)),
        opt("installed_software_refs", Kind::List(&Kind::Ref(&SOFTWARE))),
        opt("configuration_version", Kind::Text),
        opt("modules", TEXTS),
        opt("analysis_engine_version", Kind::Text),
        opt("analysis_definition_version", Kind::Text),
        opt("submitted", TIME),
        opt("analysis_started", TIME),
        opt("analysis_ended", TIME),
        opt("result_name", Kind::Text),
        opt("result", Kind::Open(&words::MALWARE_RESULT)),
        opt("analysis_sco_refs", Kind::List(&Kind::Ref(&OBSERVABLE))),
        opt("sample_ref", Kind::Ref(&ANALYSED)),
    ],
    rules: &[
        Rule::AnyOf(&["result", "analysis_sco_refs"]),
        Rule::NotBefore("analysis_started", "analysis_ended"),
    ],
};

const NOTE: Record = Record {
    rule: "STIX 2.1 section 4.13.1",
    properties: &[
        opt("abstract", Kind::Text),
        req("content", NAME),
        opt("authors", TEXTS),
        req("object_refs", OBJECT_REFS),
    ],
    rules: &[],
};

const OBSERVED: Target = Target {
    allows: |name| matches!(name, "relationship" | "sighting") || is_observable_or_custom(name),
    what: "cyber-observable and relationship objects",
    must: true,
};

const OBSERVED_DATA: Record = Record {
    rule: "STIX 2.1 section 4.14.1",
    properties: &[
        req("first_observed", TIME),
        req("last_observed", TIME),
        req("number_observed", Kind::Integer(1, 999_999_999)),
        opt("objects", Kind::Elsewhere),
        opt("object_refs", Kind::List(&Kind::Ref(&OBSERVED))),
    ],
    rules: &[
        Rule::NotBefore("first_observed", "last_observed"),
        Rule::OneOf(&["objects", "object_refs"]),
        Rule::Own(observables),
    ],
};

const OPINION: Record = Record {
    rule: "STIX 2.1 section 4.15.1",
    properties: &[
        opt("explanation", Kind::Text),
        opt("authors", TEXTS),
        req("opinion", Kind::Enum(&words::OPINION)),
        req("object_refs", OBJECT_REFS),
    ],
    rules: &[],
};

const REPORT: Record = Record {
    rule: "STIX 2.1 section 4.16.1",
    properties: &[
        req("name", NAME),
        opt("description", Kind::Text),
        opt("report_types", Kind::List(&Kind::Open(&words::REPORT_TYPE))),
        req("published", TIME),
        req("object_refs", OBJECT_REFS),
    ],
    rules: &[],
};

const THREAT_ACTOR: Record = Record {
    rule: "STIX 2.1 section 4.17.1",
    properties: &[
        req("name", NAME),
        opt("description", Kind::Text),
        opt(
            "threat_actor_types",
            Kind::List(&Kind::Open(&words::THREAT_ACTOR_TYPE)),
        ),
        opt("aliases", TEXTS),
        opt("first_seen", TIME),
        opt("last_seen", TIME),
        opt("roles", Kind::List(&Kind::Open(&words::THREAT_ACTOR_ROLE))),
        opt("goals", TEXTS),
        opt(
            "sophistication",
            Kind::Open(&words::THREAT_ACTOR_SOPHISTICATION),
        ),
        opt("resource_level", Kind::Open(&words::ATTACK_RESOURCE_LEVEL)),
        opt("primary_motivation", MOTIVATION),
        opt("secondary_motivations", Kind::List(&MOTIVATION)),
        opt("personal_motivations", Kind::List(&MOTIVATION)),
    ],
    rules: &[SEEN],
};

const TOOL: Record = Record {
    rule: "STIX 2.1 section 4.18.1",
    properties: &[
        req("name", NAME),
        opt("description", Kind::Text),
        opt("tool_types", Kind::List(&Kind::Open(&words::TOOL_TYPE))),
        opt("aliases", TEXTS),
        KILL_CHAIN_PHASES,
        opt("tool_version", Kind::Text),
    ],
    rules: &[],
};

const VULNERABILITY: Record = Record {
    rule: "STIX 2.1 section 4.19.1",
    properties: &[req("name", NAME), opt("description", Kind::Text)],
    rules: &[Rule::Own(|scope| {
        numbered(scope, "cve", "CVE-", "STIX 2.1 section 4.19.1")
    })],
};

/// A malware family must have a name.
fn family(scope: &mut Scope<'_, '_>) {
    let is_family = scope.members.get("is_family").and_then(Json::as_bool);
    if is_family == Some(true) && !scope.members.has("name") {
        let what = "a malware family must have a name";
        scope.error("name", MALWARE.rule, what, "add the property");
    }
}

/// `objects` is deprecated, and `object_refs` must name an observable.
fn observables(scope: &mut Scope<'_, '_>) {
    if scope.members.has("objects") {
        let what = "is deprecated";
        let mend = "share the observables as objects, and refer to them in object_refs";
        scope.warn("objects", OBSERVED_DATA.rule, what, mend);
    }
    let refs = scope.members.get("object_refs").and_then(Json::as_list);
    let kind = |value: &Json<'_>| {
        let text = value.as_str().unwrap_or_default();
        let kind = text.split_once("--").map_or("", |(kind, _)| kind);
        matches!(kind, "relationship" | "sighting")
    };
    if refs.is_some_and(|refs| !refs.is_empty() && refs.iter().all(kind)) {
        let what = "must refer to at least one cyber-observable object";
        scope.error(
            "object_refs",
            OBSERVED_DATA.rule,
            what,
            "add the observable",
        );
    }
}

/// An external reference with the number of a catalogue must name the catalogue in its own way.
fn numbered(scope: &mut Scope<'_, '_>, source: &str, prefix: &str, rule: &'static str) {
    let members = scope.members;
    let references = members.get("external_references").and_then(Json::as_list);
    let other = references.into_iter().flatten().any(|reference| {
        let Some(reference) = reference.as_object() else {
            return false;
        };
        let id = reference.text("external_id").unwrap_or_default();
        id.starts_with(prefix) && reference.text("source_name") != Some(source)
    });
    if other {
        let what = format!("the source_name of an external_id {prefix}... must be \"{source}\"");
        let mend = "write the source_name in lower case";
        scope.error("external_references", rule, what, mend);
    }
}
