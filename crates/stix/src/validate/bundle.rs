//! Bundles (section 8), and what several versions of one object must have in common (section 3.6).

use std::collections::HashMap;

use crate::time::Timestamp;
use crate::tree::{Json, Members, Path};

use super::check::Checker;
use super::custom::{self, Unknown};
use super::form::Level;
use super::identity;
use super::report::Report;
use super::table::Class;

const RULE: &str = "STIX 2.1 section 8.1";
const VERSIONS: &str = "STIX 2.1 section 3.6";

pub(super) fn check(report: &mut Report, members: &Members<'_>, path: &Path<'_>) {
    let mut checker = Checker {
        report,
        class: Class::Domain,
        unknown: Unknown::Top,
        beside: None,
    };
    identity::check(&mut checker, "bundle", None, members, path);
    if !members.has("id") {
        let what = "a required property is missing";
        checker.error(RULE, &path.key("id"), what, "add bundle--UUID");
    }
    for (name, value) in members.iter() {
        if !matches!(name, "type" | "id" | "objects" | "extensions") {
            custom::property(checker.report, Unknown::Top, name, value, &path.key(name));
        }
    }
    let Some(objects) = members.get("objects") else {
        return;
    };
    let path = path.key("objects");
    let Some(objects) = objects.as_list().filter(|objects| !objects.is_empty()) else {
        let what = "must be a list with at least one object";
        return checker.error(RULE, &path, what, "leave the property out");
    };
    for (index, value) in objects.iter().enumerate() {
        let path = path.index(index);
        match value.as_object().and_then(|members| members.text("type")) {
            Some("bundle") => {
                let what = "a bundle must not hold another".into();
                let mend = "put its objects in its place";
                report.push(Level::Must, &path, RULE, what, mend);
            }
            _ => super::object(report, value, &path, None),
        }
    }
    versions(report, objects, &path);
}

/// What is compared between versions of one object.
struct Version<'a> {
    index: usize,
    modified: Option<Timestamp>,
    created: Option<&'a str>,
    author: Option<&'a str>,
    revoked: bool,
}

/// Versions of one object: the same `created` and author, no `modified` twice, nothing after a
/// revocation.
fn versions(report: &mut Report, objects: &[Json<'_>], path: &Path<'_>) {
    let mut by_id: HashMap<&str, Vec<Version<'_>>> = HashMap::new();
    let mut order = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        let Some((id, members)) = object
            .as_object()
            .and_then(|members| Some((members.text("id")?, members)))
        else {
            continue;
        };
        let time = |key| {
            members
                .text(key)
                .and_then(|text| Timestamp::parse(text).ok())
        };
        let versions = by_id.entry(id).or_insert_with(|| {
            order.push(id);
            Vec::new()
        });
        versions.push(Version {
            index,
            modified: time("modified"),
            created: members.text("created"),
            author: members.text("created_by_ref"),
            revoked: members.get("revoked").and_then(Json::as_bool) == Some(true),
        });
    }
    for id in order {
        if let Some(versions) = by_id.get_mut(id)
            && versions.len() > 1
        {
            versions.sort_by_key(|version| version.modified);
            compare(report, versions, path);
        }
    }
}

fn compare(report: &mut Report, versions: &[Version<'_>], path: &Path<'_>) {
    for pair in versions.windows(2) {
        let [before, after] = pair else {
            continue;
        };
        let path = path.index(after.index);
        if before.modified == after.modified {
            let what = "the same version of the object stands in the bundle twice".into();
            let mend = "keep one, or give the later one its own modified time";
            report.push(Level::Should, &path.key("modified"), VERSIONS, what, mend);
            continue;
        }
        if before.created != after.created {
            let what = "must be the same in every version of the object".into();
            let mend = "keep the created time of the first version";
            report.push(Level::Must, &path.key("created"), VERSIONS, what, mend);
        }
        if before.author != after.author {
            let what = "only the creator of an object should make new versions of it".into();
            let mend = "make an object of your own, and relate it by derived-from";
            report.push(
                Level::Should,
                &path.key("created_by_ref"),
                VERSIONS,
                what,
                mend,
            );
        }
        if before.revoked {
            let what = "an object that is revoked must not have later versions".into();
            let mend = "make a new object";
            report.push(Level::Must, &path.key("modified"), VERSIONS, what, mend);
        }
    }
}
