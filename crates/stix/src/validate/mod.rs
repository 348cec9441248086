//! Whole validation: every MUST of STIX 2.1 that one document can break is an error, every SHOULD a
//! warning. docs/spec/stix-validation.md lists them by section.
//!
//! The specification stands in tables, one room per family (`sdo`, `sro`, `sco`, `extension`,
//! `meta`, `common`); `check` holds an object against them; the rooms beside it say what a table
//! cannot. What STIX 2.1 does not define is checked only in what it says of such things (`custom`).

mod bundle;
mod check;
mod common;
mod custom;
mod extension;
mod form;
mod hash;
mod identity;
mod indicator;
mod marking;
mod meta;
mod registry;
mod relation;
mod report;
mod sco;
mod sdo;
mod sro;
mod table;
#[cfg(test)]
mod tests;
mod vocabulary;

use crate::json;
use crate::limits::Limits;
use crate::tree::{Json, Members, Path};

use check::Checker;
use custom::Unknown;
use table::Type;

pub use identity::{NAMESPACE, deterministic};
pub use report::{FINDINGS_MAX, Finding, Report};

/// Validates a document: an object, a bundle, or a list of those.
///
/// Bytes that are not JSON, or go beyond a limit, are the one error of the report.
#[must_use]
pub fn document(raw: &[u8], limits: &Limits) -> Report {
    let raw = raw.trim_ascii();
    if raw.len() > limits.bytes_max {
        let fault = crate::error::Fault::TooLong {
            bytes: raw.len(),
            max: limits.bytes_max,
        };
        return Report::refused(&crate::ObjectError::new("$", fault));
    }
    match json::read(raw, limits.depth_max) {
        Ok(document) => {
            let mut report = Report::default();
            any(&mut report, &document, &Path::Root);
            report
        }
        Err(error) => Report::refused(&error),
    }
}

/// One object or bundle, or a list of those.
fn any(report: &mut Report, value: &Json<'_>, path: &Path<'_>) {
    match value {
        Json::List(list) => {
            for (index, value) in list.iter().enumerate() {
                one(report, value, &path.index(index));
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::Object(_) => {
            one(report, value, path);
        }
    }
}

fn one(report: &mut Report, value: &Json<'_>, path: &Path<'_>) {
    match value.as_object() {
        Some(members) if members.text("type") == Some("bundle") => {
            bundle::check(report, members, path);
        }
        _ => object(report, value, path, None),
    }
}

/// Checks one object that is no bundle.
pub(crate) fn object(
    report: &mut Report,
    value: &Json<'_>,
    path: &Path<'_>,
    beside: Option<&Members<'_>>,
) {
    let must = form::Level::Must;
    let Some(members) = value.as_object() else {
        let what = "must be an object".into();
        let mend = "send one JSON object";
        return report.push(must, path, "STIX 2.1 section 2.13", what, mend);
    };
    let Some(kind) = members.get("type").and_then(Json::as_str) else {
        let what = "a required property is missing, or no string".into();
        let path = path.key("type");
        return report.push(
            must,
            &path,
            "STIX 2.1 section 3.2",
            what,
            "add the property",
        );
    };
    let known = table::find(kind);
    let class = known.map_or_else(|| custom::class(members), |known| known.class);
    let unknown = match known.is_none() || custom::defines_properties(members) {
        true => Unknown::Defined,
        false => Unknown::Top,
    };
    let mut checker = Checker {
        report,
        class,
        unknown,
        beside,
    };
    named(&mut checker, kind, known, members, path);
    checker.whole(
        sro::common(class),
        known.map(|known| &known.record),
        members,
        path,
    );
    if let Some(value) = members.get("extensions") {
        custom::extensions(&mut checker, known, value, path);
    }
    marking::check(&mut checker, members, path);
    if kind == "observed-data" {
        embedded(report, members, path);
    }
}

/// `type`, `id` and `spec_version`.
fn named(
    checker: &mut Checker<'_>,
    kind: &str,
    known: Option<&'static Type>,
    members: &Members<'_>,
    path: &Path<'_>,
) {
    if !crate::id::is_kind(kind) {
        let what = "a type's name must be 3 to 250 of a-z, 0-9 and single hyphens, and begin with a letter";
        checker.error(
            "STIX 2.1 section 3.1",
            &path.key("type"),
            what,
            "rename the type",
        );
    } else if known.is_none() {
        custom::object(checker, kind, members, path);
    }
    identity::check(checker, kind, known, members, path);
    if let Some(version) = members.get("spec_version")
        && version.as_str() != Some("2.1")
    {
        let what = "must be \"2.1\"";
        let mend = "set spec_version to \"2.1\", after converting the object";
        checker.error(
            "STIX 2.1 section 3.2",
            &path.key("spec_version"),
            what,
            mend,
        );
    }
}

/// The observables inside an observed-data object, which may refer to each other by key.
fn embedded(report: &mut Report, members: &Members<'_>, path: &Path<'_>) {
    let Some(objects) = members.get("objects") else {
        return;
    };
    let path = path.key("objects");
    let Some(objects) = objects.as_object().filter(|objects| !objects.is_empty()) else {
        let what = "must be a dictionary with at least one observable".into();
        let mend = "use object_refs";
        return report.push(
            form::Level::Must,
            &path,
            "STIX 2.1 section 4.14.1",
            what,
            mend,
        );
    };
    for (key, value) in objects.iter() {
        let path = path.key(key);
        let kind = value.as_object().and_then(|members| members.text("type"));
        if kind.is_some_and(|kind| !table::is_observable_or_custom(kind)) {
            let what = "must be a cyber-observable object".into();
            let mend = "share the object beside the observed data, and refer to it";
            report.push(
                form::Level::Must,
                &path,
                "STIX 2.1 section 4.14.1",
                what,
                mend,
            );
            continue;
        }
        object(report, value, &path, Some(objects));
    }
}
