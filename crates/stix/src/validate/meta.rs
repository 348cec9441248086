//! The meta objects (section 7).

use crate::tree::Json;

use super::check::Scope;
use super::form;
use super::table::{Class, Kind, Record, Rule, TEXTS, TIME, Target, Type, opt, req};
use super::vocabulary as words;

const fn meta(name: &'static str, class: Class, record: Record) -> Type {
    Type {
        name,
        class,
        record,
        extensions: &[],
        contributing: &[],
    }
}

pub(super) static TYPES: [Type; 3] = [
    meta("extension-definition", Class::Meta, EXTENSION_DEFINITION),
    meta("language-content", Class::Meta, LANGUAGE_CONTENT),
    meta("marking-definition", Class::Marking, MARKING_DEFINITION),
];

const EXTENSION_DEFINITION: Record = Record {
    rule: "STIX 2.1 section 7.3.1",
    properties: &[
        req("name", Kind::Form(&form::FILLED)),
        opt("description", Kind::Text),
        req("schema", Kind::Text),
        req("version", Kind::Text),
        req(
            "extension_types",
            Kind::List(&Kind::Enum(&words::EXTENSION_TYPE)),
        ),
        opt("extension_properties", TEXTS),
    ],
    rules: &[Rule::Own(definition), Rule::Should(&["description"])],
};

const TRANSLATED: Target = Target {
    allows: |name| !matches!(name, "bundle" | "language-content"),
    what: "an object with texts of its own",
    must: true,
};

const LANGUAGE_CONTENT: Record = Record {
    rule: "STIX 2.1 section 7.1.1",
    properties: &[
        req("object_ref", Kind::Ref(&TRANSLATED)),
        opt("object_modified", TIME),
        req("contents", Kind::Dictionary(&Kind::Any)),
    ],
    rules: &[Rule::Own(contents)],
};

/// Which definitions a marking may have, and which identifiers are fixed: `marking`.
const MARKING_DEFINITION: Record = Record {
    rule: "STIX 2.1 section 7.2.1.1",
    properties: &[
        opt("name", Kind::Text),
        opt("definition_type", Kind::Text),
        opt("definition", Kind::Elsewhere),
    ],
    rules: &[Rule::Own(super::marking::definition)],
};

/// `created_by_ref` is required here, and `extension_properties` have one use.
fn definition(scope: &mut Scope<'_, '_>) {
    let rule = EXTENSION_DEFINITION.rule;
    if !scope.members.has("created_by_ref") {
        let what = "a required property is missing";
        scope.error("created_by_ref", rule, what, "add the property");
    }
    let types = scope.members.get("extension_types").and_then(Json::as_list);
    let top = types
        .into_iter()
        .flatten()
        .any(|kind| kind.as_str() == Some("toplevel-property-extension"));
    if scope.members.has("extension_properties") && !top {
        let what = "must be there for a toplevel-property-extension only";
        let mend = "add the type to extension_types, or leave the property out";
        scope.error("extension_properties", rule, what, mend);
    }
}

/// Language, then property, then text.
fn contents(scope: &mut Scope<'_, '_>) {
    let rule = LANGUAGE_CONTENT.rule;
    let contents = scope.members.get("contents").and_then(Json::as_object);
    let Some(contents) = contents else {
        return;
    };
    let mut wrong = None;
    for (language, texts) in contents.iter() {
        let texts = texts.as_object().filter(|texts| !texts.is_empty());
        let named = texts.is_some_and(|texts| texts.iter().all(|(name, _)| form::is_name(name)));
        let legal = (form::LANGUAGE.test)(language);
        wrong = wrong
            .or((!legal).then_some("its keys must be language codes of RFC 5646"))
            .or(texts
                .is_none()
                .then_some("each language must have at least one property"))
            .or((!named).then_some("the keys under a language must be names of properties"));
    }
    if let Some(what) = wrong {
        scope.error("contents", rule, what, "write {language: {property: text}}");
    }
}
