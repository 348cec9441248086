//! What the specification says of what it does not define: custom properties, custom objects and
//! extensions (sections 3.1, 3.8, 7.3 and 11). Everything else about them is their authors' own.

use crate::id;
use crate::tree::{Json, Members, Path};

use super::check::Checker;
use super::form::{self, Level};
use super::report::Report;
use super::table::{Class, Type};
use super::vocabulary::EXTENSION_TYPE;

/// What to say of a property that the tables do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// At the top of an object: it should come from an extension.
    Top,
    /// At the top of an object whose extensions define it.
    Defined,
    /// Inside an extension, whose names are its own.
    Extension,
    /// Inside a value that the specification defines.
    Nested,
}

/// Names that section 3.8 keeps for later versions.
const RESERVED: [&str; 4] = ["action", "phone_numbers", "severity", "username"];

/// Checks a property that the tables do not know.
pub(super) fn property(
    report: &mut Report,
    unknown: Unknown,
    name: &str,
    value: &Json<'_>,
    path: &Path<'_>,
) {
    let mut error = |rule, what: &'static str, mend| {
        report.push(Level::Must, path, rule, what.into(), mend);
    };
    if !form::is_name(name) {
        let what =
            "a property's name must be 3 to 250 of a-z, 0-9 and '_', and begin with a letter";
        error("STIX 2.1 section 3.1", what, "rename the property");
    }
    if matches!(unknown, Unknown::Top | Unknown::Defined) && RESERVED.contains(&name) {
        let mend = "choose another name";
        error("STIX 2.1 section 3.8", "the name is reserved", mend);
    }
    if *value == Json::Null {
        error(
            "STIX 2.1 section 2",
            "must not be null",
            "leave the property out",
        );
    }
    let text = value.as_str();
    if name.ends_with("_hex") && text.is_some_and(|text| !(form::HEX.test)(text)) {
        error(form::HEX.rule, form::HEX.what, form::HEX.mend);
    }
    if name.ends_with("_bin") && text.is_some_and(|text| !(form::BINARY.test)(text)) {
        error(form::BINARY.rule, form::BINARY.what, form::BINARY.mend);
    }
    if value.as_list().is_some_and(<[_]>::is_empty) {
        error("STIX 2.1 section 2.12", EMPTY, "leave the property out");
    }
    if matches!(unknown, Unknown::Top | Unknown::Nested) {
        inside(report, value, path);
        let (what, mend) = match name.starts_with("x_") {
            true => (
                "a custom property should be defined by an extension",
                "define it in an extension-definition",
            ),
            false => (
                "not a property of this object; a custom one should be defined by an extension, or begin with x_",
                "define it in an extension-definition, or begin its name with x_ and its source",
            ),
        };
        report.push(
            Level::Should,
            path,
            "STIX 2.1 section 11.1",
            what.into(),
            mend,
        );
    }
}

const EMPTY: &str = "a list must have at least one element";

/// What holds of any value: lists are not empty, keys of dictionaries are in lower case. What stands
/// deeper is the author's own, so these are warnings.
fn inside(report: &mut Report, value: &Json<'_>, path: &Path<'_>) {
    match value {
        Json::List(list) => {
            for (index, value) in list.iter().enumerate() {
                deeper(report, value, &path.index(index));
            }
        }
        Json::Object(members) => {
            for (key, value) in members.iter() {
                let path = path.key(key);
                if key.bytes().any(|b| b.is_ascii_uppercase()) {
                    let what = "a dictionary's key should be in lower case";
                    let mend = "write the key in lower case";
                    report.push(
                        Level::Should,
                        &path,
                        "STIX 2.1 section 2.3",
                        what.into(),
                        mend,
                    );
                }
                deeper(report, value, &path);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => {}
    }
}

fn deeper(report: &mut Report, value: &Json<'_>, path: &Path<'_>) {
    if value.as_list().is_some_and(<[_]>::is_empty) {
        let mend = "leave the property out";
        report.push(
            Level::Should,
            path,
            "STIX 2.1 section 2.12",
            EMPTY.into(),
            mend,
        );
    }
    inside(report, value, path);
}

/// The kinds of extensions that an object names.
fn extension_types<'a>(members: &'a Members<'_>) -> impl Iterator<Item = &'a str> {
    let extensions = members.get("extensions").and_then(Json::as_object);
    extensions
        .into_iter()
        .flat_map(Members::iter)
        .filter_map(|(_, value)| value.as_object()?.text("extension_type"))
}

/// Whether an extension defines properties at the top of the object.
pub(super) fn defines_properties(members: &Members<'_>) -> bool {
    extension_types(members).any(|kind| kind.starts_with("new-") || kind.starts_with("toplevel-"))
}

/// The class of an object whose type the specification does not define: as its extension says, else
/// as its properties do.
pub(super) fn class(members: &Members<'_>) -> Class {
    let named = extension_types(members).find_map(|kind| match kind {
        "new-sco" => Some(Class::Observable),
        "new-sdo" => Some(Class::Domain),
        "new-sro" => Some(Class::Relationship),
        _ => None,
    });
    named.unwrap_or_else(|| {
        let versioned = ["created", "modified", "created_by_ref", "revoked"];
        match versioned.iter().any(|name| members.has(name)) {
            true => Class::Domain,
            false => Class::Observable,
        }
    })
}

/// Checks the type of an object that the specification does not define.
pub(super) fn object(
    checker: &mut Checker<'_>,
    kind: &str,
    members: &Members<'_>,
    path: &Path<'_>,
) {
    let path = path.key("type");
    if kind == "action" {
        let mend = "choose another name";
        checker.error("STIX 2.1 section 3.8", &path, "the name is reserved", mend);
    }
    let defined = extension_types(members).any(|kind| kind.starts_with("new-"));
    if !defined {
        let what = "not a type of STIX 2.1; a custom one should be defined by an extension";
        let mend = "define it in an extension-definition, as new-sdo, new-sco or new-sro";
        checker.warn("STIX 2.1 section 11.2", &path, what, mend);
    }
    // `x-source-name`; a type that an extension defines needs no prefix.
    let sourced = kind.split('-').count() > 2;
    let prefixed = kind.starts_with("x-");
    if (prefixed && !sourced) || (!prefixed && !defined) {
        let what = "a custom type should be named x-, its source, a hyphen and its name";
        let mend = "rename the type, for example x-example-com-thing";
        checker.warn("STIX 2.1 section 11.2", &path, what, mend);
    }
}

/// Checks `extensions`, by the predefined ones of the type where it has some.
pub(super) fn extensions(
    checker: &mut Checker<'_>,
    known: Option<&'static Type>,
    value: &Json<'_>,
    path: &Path<'_>,
) {
    const RULE: &str = "STIX 2.1 section 3.2";
    let path = path.key("extensions");
    let Some(extensions) = value.as_object() else {
        let mend = "write {extension: {property: value}}";
        return checker.error(RULE, &path, "must be a dictionary", mend);
    };
    if extensions.is_empty() {
        let what = "a dictionary must have at least one entry";
        checker.error(
            "STIX 2.1 section 2.3",
            &path,
            what,
            "leave the property out",
        );
    }
    let predefined = known.map_or(&[][..], |known| known.extensions);
    for (key, value) in extensions.iter() {
        let path = path.key(key);
        let Some(members) = value.as_object().filter(|members| !members.is_empty()) else {
            let what = "an extension must be an object with at least one property";
            checker.error(RULE, &path, what, "give its properties, or leave it out");
            continue;
        };
        match predefined.iter().find(|(name, _)| *name == key) {
            Some((_, record)) => checker.record(record, members, &path),
            None => extension(checker, known.is_some(), key, members, &path),
        }
    }
}

/// An extension that the specification does not define.
fn extension(
    checker: &mut Checker<'_>,
    known: bool,
    key: &str,
    members: &Members<'_>,
    path: &Path<'_>,
) {
    const RULE: &str = "STIX 2.1 section 7.3";
    if key.starts_with("extension-definition--") {
        if id::split(key).is_err() {
            let what = "must be the identifier of an extension-definition";
            let mend = "write extension-definition--UUID";
            checker.error(RULE, path, what, mend);
        }
        let kind_path = path.key("extension_type");
        let kind = members.get("extension_type");
        let named = kind.map(|kind| kind.as_str().unwrap_or_default());
        match named {
            None => {
                let what = "a required property is missing";
                checker.error(RULE, &kind_path, what, "add the property");
            }
            Some(kind) if !EXTENSION_TYPE.words.contains(&kind) => {
                let what = "must be a word of extension-type-enum";
                let mend = "write new-sdo, new-sco, new-sro, property-extension or toplevel-property-extension";
                checker.error(EXTENSION_TYPE.rule, &kind_path, what, mend);
            }
            Some(kind) if known && kind.starts_with("new-") => {
                let what = "should not define anew a type that STIX 2.1 defines";
                checker.warn(RULE, &kind_path, what, "use property-extension");
            }
            Some(_) => {}
        }
        for (name, value) in members.iter() {
            if name != "extension_type" {
                property(
                    checker.report,
                    Unknown::Extension,
                    name,
                    value,
                    &path.key(name),
                );
            }
        }
        return;
    }
    let name = key.strip_suffix("-ext").filter(|name| is_kebab(name));
    match name {
        Some(_) => {
            let what = "a custom extension should have an extension-definition";
            let mend = "define it, and name it here by its identifier";
            checker.warn("STIX 2.1 section 11.3", path, what, mend);
        }
        None => {
            let what =
                "must be the identifier of an extension-definition, or a name that ends in -ext";
            checker.error(
                RULE,
                path,
                what,
                "define the extension, and name it by its identifier",
            );
        }
    }
}

fn is_kebab(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    starts && !name.contains("--") && !name.ends_with('-') && name.bytes().all(legal)
}
