//! Identifiers: the form of an object's own, and the deterministic ones of cyber-observable objects
//! (section 2.9).

use uuid::{Uuid, Variant, uuid};

use crate::id;
use crate::jcs;
use crate::tree::{Json, Members, Path};

use super::check::Checker;
use super::table::{self, Class, Type};

const RULE: &str = "STIX 2.1 section 2.9";

/// The namespace of deterministic identifiers (section 2.9).
pub const NAMESPACE: Uuid = uuid!("00abedb4-aa42-466c-9c01-fed23315a9b7");

/// The hashes that a deterministic identifier is made of, the first that is there (section 2.9).
const HASHES: [&str; 4] = ["MD5", "SHA-1", "SHA-256", "SHA-512"];

/// The UUID of the deterministic identifier of a cyber-observable object, from its JSON; `None`
/// where it has none of the properties that make it, or is no such object.
#[must_use]
pub fn deterministic(raw: &[u8]) -> Option<Uuid> {
    let limits = crate::Limits::default();
    if raw.len() > limits.object_bytes_max {
        return None;
    }
    let object = crate::json::read(raw, limits.depth_max).ok()?;
    let members = object.as_object()?;
    expected(table::find(members.text("type")?)?, members)
}

fn expected(known: &Type, members: &Members<'_>) -> Option<Uuid> {
    let one_hash;
    let mut entries = Vec::with_capacity(known.contributing.len());
    let mut hashes = None;
    for name in known.contributing {
        match (*name, members.get(name)) {
            (_, None) => {}
            ("hashes", Some(value)) => hashes = Some(value.as_object()?),
            (name, Some(value)) => entries.push((name, value)),
        }
    }
    if let Some(all) = hashes {
        let chosen = HASHES
            .iter()
            .find_map(|name| all.iter().find(|(key, _)| key == name))
            .or_else(|| all.iter().next())?;
        one_hash = Json::Object(Members(vec![(chosen.0.into(), chosen.1.clone())]));
        entries.push(("hashes", &one_hash));
    }
    if entries.is_empty() {
        return None;
    }
    let mut name = String::new();
    jcs::write_entries(&mut name, entries);
    Some(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
}

/// Checks `id` against the type and against what the UUID is to be made of.
pub(super) fn check(
    checker: &mut Checker<'_>,
    kind: &str,
    known: Option<&'static Type>,
    members: &Members<'_>,
    path: &Path<'_>,
) {
    let path = path.key("id");
    let Some(value) = members.get("id") else {
        return;
    };
    let Some(text) = value.as_str() else {
        let mend = "write type--UUID in lower case";
        return checker.error(RULE, &path, "must be an identifier", mend);
    };
    let (of, uuid) = match id::split(text) {
        Ok((of, uuid)) => (of, Uuid::try_parse(uuid).unwrap_or_default()),
        Err(error) => {
            let what = format!("not an identifier: {error}");
            return checker.error(RULE, &path, what, "write type--UUID in lower case");
        }
    };
    if of != kind {
        let what = "must begin with the type of the object";
        checker.error(
            RULE,
            &path,
            what,
            "use the type of the id, or the id of the type",
        );
    }
    let rfc = uuid.get_variant() == Variant::RFC4122 && (1..=8).contains(&uuid.get_version_num());
    if !rfc {
        let what = "should be a UUID of RFC 4122, with its version and variant";
        checker.warn(RULE, &path, what, "draw a UUID of version 4");
    }
    if checker.class == Class::Observable {
        if let Some(known) = known {
            observable(checker, known, uuid, members, &path);
        }
    } else if rfc && uuid.get_version_num() != 4 {
        let what = "should be a UUID of version 4";
        checker.warn(RULE, &path, what, "draw the UUID at random");
    }
}

fn observable(
    checker: &mut Checker<'_>,
    known: &'static Type,
    uuid: Uuid,
    members: &Members<'_>,
    path: &Path<'_>,
) {
    let contributes = known.contributing.iter().any(|name| members.has(name));
    let random = uuid.get_version_num() == 4;
    if !contributes {
        if uuid.get_version_num() == 5 {
            let what = "must be a UUID of version 4: none of the properties that make an identifier is there";
            checker.error(RULE, path, what, "draw the UUID at random");
        }
        return;
    }
    // A producer may write a timestamp in several ways: what the identifier is made of is not sure.
    let timed = ["start", "end"].iter().any(|name| members.has(name));
    match expected(known, members) {
        Some(expected) if expected != uuid && !random && !timed => {
            let what = format!(
                "should be the deterministic identifier, {}--{expected}",
                known.name
            );
            checker.warn(
                RULE,
                path,
                what,
                "derive the identifier as the section says",
            );
        }
        Some(_) if random => {
            let what = "should be a deterministic identifier, a UUID of version 5";
            checker.warn(
                RULE,
                path,
                what,
                "derive the identifier as the section says",
            );
        }
        Some(_) | None => {}
    }
}
