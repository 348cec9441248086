//! Data markings (section 7.2): definitions, references to itself, and selectors.

use crate::id::StixId;
use crate::marking::Tlp;
use crate::tree::{Json, Members, Path};

use super::check::{Checker, Scope};
use super::form;

const RULE: &str = "STIX 2.1 section 7.2.1.1";
const TLP_RULE: &str = "STIX 2.1 section 7.2.1.4";

/// The extension of TLP 2.0 (OASIS, cti-stix-common-objects).
pub(super) const TLP_2_EXTENSION: &str =
    "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";

/// When the definitions of TLP 1 were made.
const TLP_1_CREATED: &str = "2017-01-20T00:00:00.000Z";

/// Which definition a marking has, and which identifiers are fixed.
pub(super) fn definition(scope: &mut Scope<'_, '_>) {
    let members = scope.members;
    let kind = members.text("definition_type");
    let both = ["definition_type", "definition"].map(|name| members.has(name));
    match both {
        [true, true] => {}
        [false, false] if members.has("extensions") => {}
        [true, false] | [false, true] | [false, false] => {
            let missing = if both == [true, false] {
                "definition"
            } else {
                "definition_type"
            };
            let what = "a marking must have a definition_type and a definition, or an extension";
            scope.error(missing, RULE, what, "add what is missing");
        }
    }
    let definition = members.get("definition");
    let object = definition.and_then(Json::as_object);
    if definition.is_some() && object.is_none() {
        scope.error(
            "definition",
            RULE,
            "must be an object",
            "write {\"statement\": text}",
        );
    }
    match kind {
        Some("statement") if object.is_some_and(|object| object.text("statement").is_none()) => {
            let what = "must have a statement, a string";
            let mend = "write {\"statement\": text}";
            scope.error("definition", "STIX 2.1 section 7.2.1.3", what, mend);
        }
        Some("statement") | None => {}
        Some("tlp") => tlp_1(scope, object),
        Some(_) => {
            let what = "should be statement or tlp; other markings should use an extension";
            let mend = "define the marking in an extension-definition";
            scope.warn("definition_type", RULE, what, mend);
        }
    }
    tlp_2(scope);
}

/// The four definitions of TLP 1 are fixed: identifier, time, name and colour.
fn tlp_1(scope: &mut Scope<'_, '_>, definition: Option<&Members<'_>>) {
    let members = scope.members;
    let colour = definition.and_then(|definition| definition.text("tlp"));
    let id = members.text("id").and_then(|id| StixId::parse(id).ok());
    let label = id.as_ref().and_then(|id| {
        let tlp = Tlp::from_marking(id)?;
        (tlp.marking_id() != *id).then_some(tlp)
    });
    let (want, name) = match label {
        Some(Tlp::Clear) => ("white", "TLP:WHITE"),
        Some(Tlp::Green) => ("green", "TLP:GREEN"),
        Some(Tlp::Amber) => ("amber", "TLP:AMBER"),
        Some(Tlp::Red) => ("red", "TLP:RED"),
        Some(Tlp::AmberStrict) | None => ("", ""),
    };
    let same = colour == Some(want)
        && members.text("name").is_none_or(|text| text == name)
        && members.text("created") == Some(TLP_1_CREATED)
        && !members.has("object_marking_refs")
        && !members.has("granular_markings");
    if !same {
        let what = "a marking of type tlp must be one of the four that the section gives";
        scope.error(
            "",
            TLP_RULE,
            what,
            "refer to the marking by its fixed identifier",
        );
    }
}

/// The five markings of TLP 2.0 are fixed too, by the extension that defines them.
fn tlp_2(scope: &mut Scope<'_, '_>) {
    let members = scope.members;
    let extensions = members.get("extensions").and_then(Json::as_object);
    let extension = extensions
        .and_then(|extensions| extensions.get(TLP_2_EXTENSION))
        .and_then(Json::as_object);
    let Some(extension) = extension else {
        return;
    };
    let label = extension
        .text("tlp_2_0")
        .and_then(|text| text.parse::<Tlp>().ok());
    let fixed = label.map(Tlp::marking_id);
    if fixed.as_ref().map(StixId::as_str) != members.text("id") {
        let what = "a marking of TLP 2.0 must be one of the five that its extension gives";
        let rule = "the extension definition of TLP 2.0";
        scope.error(
            "extensions",
            rule,
            what,
            "refer to the marking by its fixed identifier",
        );
    }
}

/// A marking does not mark itself, and each selector selects something.
pub(super) fn check(checker: &mut Checker<'_>, members: &Members<'_>, path: &Path<'_>) {
    let id = members.text("id").unwrap_or_default();
    let refs = members.get("object_marking_refs").and_then(Json::as_list);
    for (index, marking) in refs.into_iter().flatten().enumerate() {
        if marking.as_str() == Some(id) {
            let path = path.key("object_marking_refs");
            itself(checker, &path.index(index));
        }
    }
    let granular = members.get("granular_markings").and_then(Json::as_list);
    for (index, marking) in granular.into_iter().flatten().enumerate() {
        let path = path.key("granular_markings");
        let path = path.index(index);
        let Some(marking) = marking.as_object() else {
            continue;
        };
        if marking.text("marking_ref") == Some(id) {
            itself(checker, &path.key("marking_ref"));
        }
        let selectors = marking.get("selectors").and_then(Json::as_list);
        let path = path.key("selectors");
        for (index, selector) in selectors.into_iter().flatten().enumerate() {
            let text = selector.as_str().unwrap_or_default();
            if (form::SELECTOR.test)(text) && !selects(members, text) {
                let what = "selects nothing in this object";
                let mend = "name a property or an element that is there";
                checker.error(form::SELECTOR.rule, &path.index(index), what, mend);
            }
        }
    }
}

fn itself(checker: &mut Checker<'_>, path: &Path<'_>) {
    let what = "a marking must not mark itself";
    let mend = "leave the reference out";
    checker.error("STIX 2.1 section 7.2.1", path, what, mend);
}

/// Whether a selector (section 7.2.3.2) leads to a value.
fn selects(members: &Members<'_>, selector: &str) -> bool {
    let mut steps = selector.split('.');
    let first = steps.next().and_then(|name| members.get(name));
    let last = steps.try_fold(first, |value, step| {
        let index = step
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let next = match (value?, index) {
            (Json::List(list), Some(index)) => list.get(index.parse::<usize>().ok()?),
            (Json::Object(members), None) => members.get(step),
            _ => None,
        };
        next.map(Some)
    });
    last.flatten().is_some()
}
