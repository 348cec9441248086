//! Values and what is said about them, out of JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How deep keys with dots go.
const KEYS_MAX: usize = 16;

/// The objects of a file: the members of the list at `array_key`.
pub(super) fn objects<'a>(text: &'a str, array_key: &str) -> Result<Vec<&'a RawValue>, String> {
    let file: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let list = at(file, array_key).ok_or_else(|| format!("there is no {array_key:?} in it"))?;
    serde_json::from_str(list.get()).map_err(|_| match array_key {
        "" => "it is no list of objects".to_owned(),
        key => format!("{key:?} is no list of objects in it"),
    })
}

/// The string at a key with dots in an object.
pub(super) fn string(object: &RawValue, key: &str) -> Option<String> {
    serde_json::from_str(at(object, key)?.get()).ok()
}

/// JSON on one line: without the white space between its parts.
pub(super) fn compact(text: &str) -> Cow<'_, str> {
    if !text.contains(['\n', '\r', '\t', ' ']) {
        return Cow::Borrowed(text);
    }
    let (mut in_text, mut escaped) = (false, false);
    let kept = text.chars().filter(|letter| {
        let is_end = *letter == '"' && !escaped;
        escaped = in_text && *letter == '\\' && !escaped;
        in_text ^= is_end;
        in_text || !letter.is_ascii_whitespace()
    });
    Cow::Owned(kept.collect())
}

/// An object without what is at a key with dots.
pub(super) fn without(object: &str, key: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(object).ok()?;
    let mut within: &mut Map<String, Value> = value.as_object_mut()?;
    let (path, last) = match key.rsplit_once('.') {
        Some((path, last)) => (path, last),
        None => ("", key),
    };
    for key in path.split('.').filter(|key| !key.is_empty()).take(KEYS_MAX) {
        within = within.get_mut(key)?.as_object_mut()?;
    }
    within.remove(last);
    Some(value.to_string())
}

fn at<'a>(value: &'a RawValue, key: &str) -> Option<&'a RawValue> {
    let keys = key.split('.').filter(|key| !key.is_empty());
    keys.take(KEYS_MAX).try_fold(value, |value, key| {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(value.get()).ok()?;
        members.get(key).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_a_file() {
        let nested = r#"{"info": {"threat": [{"host": {"fqdn": "a"}, "n": 1}, {"n": 2}]}}"#;
        let found = objects(nested, "info.threat").unwrap();
        assert_eq!(string(found[0], "host.fqdn").as_deref(), Some("a"));
        assert_eq!(string(found[0], "n"), None);
        assert_eq!(string(found[1], "host.fqdn"), None);
        assert_eq!(objects(r#"[{"a": 1}]"#, "").unwrap().len(), 1);
        for (file, key) in [
            (nested, ""),
            (nested, "info.none"),
            ("[", ""),
            (r#"{"a": 1}"#, "a"),
        ] {
            assert!(objects(file, key).is_err(), "{file} {key}");
        }
        let deep = "[".repeat(100_000);
        assert!(objects(&deep, "").is_err());
    }

    #[test]
    fn objects_go_on_one_line() {
        let text = "{ \"a b\" :\n\t[1, \"x\\\" \\\\\", 2 ]\r\n}";
        assert_eq!(compact(text), r#"{"a b":[1,"x\" \\",2]}"#);
        assert_eq!(compact("{}"), "{}");
    }

    #[test]
    fn a_key_is_taken_out() {
        let object = r#"{"ioc": {"host": "a", "x": 1}, "y": 2}"#;
        assert_eq!(
            without(object, "ioc.host").as_deref(),
            Some(r#"{"ioc":{"x":1},"y":2}"#)
        );
        assert_eq!(
            without(object, "y").as_deref(),
            Some(r#"{"ioc":{"host":"a","x":1}}"#)
        );
    }
}
