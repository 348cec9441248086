//! Who may see what, against an oracle that is a table.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use sharing::{Audience, Reach, may_see, reach};
use stix::{Head, Limits, Object, Tlp};

/// Markings (`-`: none, `?`: one that is no TLP label, `%`: granular) | partners that the lease is
/// addressed to | who of source `s`, addressed `a`, other addressed `b`, stranger `x` sees it, when
/// the default is TLP:AMBER. `z` is not enrolled.
const ORACLE: &str = "
CLEAR              |     | s a b x
GREEN              |     | s a b x
AMBER              |     | s
AMBER+STRICT       |     | s
RED                |     | s
-                  |     | s
?                  |     | s
CLEAR ?            |     | s
CLEAR %            |     | s
GREEN %            | a   | s
CLEAR GREEN        |     | s a b x
CLEAR AMBER        |     | s
GREEN AMBER        | a   | s a
GREEN RED          | a   | s
CLEAR              | a   | s a
GREEN              | a b | s a b
AMBER              | a   | s a
AMBER              | a b | s a b
AMBER              | a z | s a
AMBER              | z   | s
AMBER              | s   | s
AMBER+STRICT       | a   | s a
AMBER+STRICT       | b   | s b
RED                | a   | s
RED                | a b | s
-                  | a   | s a
?                  | a   | s
AMBER ?            | a   | s
white1             |     | s a b x
green1             |     | s a b x
amber1             | a   | s a
red1               | a   | s
red1 CLEAR         | a   | s
";

const ENROLLED: [&str; 4] = ["s", "a", "b", "x"];

fn marking(word: &str) -> Option<String> {
    let id = |text: &str| Some(format!("marking-definition--{text}"));
    match word {
        "-" | "%" => None,
        "?" => id("00000000-0000-4000-8000-000000000000"),
        "white1" => id("613f2e26-407d-48c7-9eca-b8e91df99dc9"),
        "green1" => id("34098fce-860f-48ae-8e50-ebd3cc5e41da"),
        "amber1" => id("f88d31f6-486f-44da-b317-01333bde0b82"),
        "red1" => id("5e57c739-391a-4eb3-b6be-7d15ca92d5ed"),
        "CLEAR" => id("94868c89-83c2-464b-929b-a1a8aa3c8487"),
        "GREEN" => id("bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
        "AMBER" => id("55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
        "AMBER+STRICT" => id("939a9414-2ddd-4d32-a0cd-375ea402b003"),
        "RED" => id("e828b379-4e03-4974-9ac4-e53a884c97c1"),
        other => panic!("{other}"),
    }
}

fn head(markings: &[&str], addressed: &[&str]) -> Head {
    let mut value = json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-11-22T00:00:00Z",
        "modified": "2026-11-22T00:00:00Z",
        "pattern": "[ipv4-addr:value = '192.0.2.1']",
        "pattern_type": "stix",
        "valid_from": "2026-11-22T00:00:00Z",
        "extensions": {stix::lease::EXTENSION_ID: {
            "extension_type": "property-extension",
            "selector": {"source": "192.0.2.1/32"},
            "action": "drop",
            "ttl_s": 60,
            "evidence": "exploit",
            "detector": "d@1",
            "audience": addressed,
        }},
    });
    let refs: Vec<Value> = markings
        .iter()
        .filter_map(|word| marking(word))
        .map(Value::from)
        .collect();
    if !refs.is_empty() {
        value["object_marking_refs"] = refs.into();
    }
    if markings.contains(&"%") {
        value["granular_markings"] =
            json!([{"selectors": ["pattern"], "marking_ref": marking("RED")}]);
    }
    let raw = value.to_string();
    Object::parse(raw.as_bytes(), &Limits::default())
        .unwrap()
        .head()
        .clone()
}

fn enrolled(name: &str) -> bool {
    ENROLLED.contains(&name)
}

fn partner(name: &str) -> Audience {
    Audience::Partner(name.into())
}

fn seers(reach: &Reach) -> Vec<&'static str> {
    ENROLLED
        .into_iter()
        .filter(|name| may_see(&partner(name), reach))
        .collect()
}

#[test]
fn each_marking_reaches_whom_the_oracle_says() {
    let rows: Vec<&str> = ORACLE.lines().filter(|row| !row.is_empty()).collect();
    assert!(rows.len() > 30);
    for row in rows {
        let [markings, addressed, sees] = row
            .split('|')
            .map(|cell| cell.split_whitespace().collect::<Vec<_>>())
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let reach = reach("s", &head(&markings, &addressed), &enrolled, Tlp::Amber);
        assert_eq!(seers(&reach), sees, "{row}");
        assert!(
            !may_see(&partner("z"), &reach) || reach == Reach::Community,
            "{row}"
        );
    }
}

#[test]
fn the_default_stands_for_a_missing_marking_only() {
    let all = vec!["s", "a", "b", "x"];
    for (default, unmarked) in [
        (Tlp::Clear, all.clone()),
        (Tlp::Green, all),
        (Tlp::Amber, vec!["s"]),
        (Tlp::AmberStrict, vec!["s"]),
        (Tlp::Red, vec!["s"]),
    ] {
        assert_eq!(
            seers(&reach("s", &head(&["-"], &[]), &enrolled, default)),
            unmarked
        );
        assert_eq!(
            seers(&reach("s", &head(&["?"], &[]), &enrolled, default)),
            ["s"]
        );
        assert_eq!(
            seers(&reach("s", &head(&["RED"], &["a"]), &enrolled, default)),
            ["s"]
        );
    }
}

#[test]
fn the_addressed_are_sorted_and_each_named_once() {
    let reach = reach(
        "s",
        &head(&["AMBER"], &["x", "a", "a", "s", "z"]),
        &enrolled,
        Tlp::Amber,
    );
    let names: Vec<Arc<str>> = ["a", "s", "x"].map(Arc::from).to_vec();
    assert_eq!(reach, Reach::Addressed(names));
}

#[test]
fn several_partners_see_what_any_of_them_sees() {
    let amber = reach("s", &head(&["AMBER"], &["a"]), &enrolled, Tlp::Amber);
    let several =
        |names: &[&str]| Audience::Partners(names.iter().map(|name| Arc::from(*name)).collect());
    assert!(may_see(&several(&["x", "a"]), &amber));
    assert!(!may_see(&several(&["x", "b"]), &amber));
    assert!(!may_see(&several(&[]), &amber));
    assert!(!may_see(&several(&[]), &Reach::Community));
}

const WORDS: [&str; 12] = [
    "-",
    "?",
    "%",
    "CLEAR",
    "GREEN",
    "AMBER",
    "AMBER+STRICT",
    "RED",
    "white1",
    "green1",
    "amber1",
    "red1",
];

fn words() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 1..4)
}

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(
        proptest::sample::select(vec!["s", "a", "b", "x", "z"]),
        0..4,
    )
}

type Entry = (&'static str, Vec<&'static str>, Vec<&'static str>);

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (
        proptest::sample::select(ENROLLED.to_vec()),
        words(),
        names(),
    );
    proptest::collection::vec(entry, 0..12)
}

/// What a partner gets of a list: the places of its entries do not count, only what they are.
fn view<'a>(list: &[&'a Entry], name: &str) -> Vec<&'a Entry> {
    let seen = |entry: &&&Entry| {
        let (source, markings, addressed) = entry;
        may_see(
            &partner(name),
            &reach(source, &head(markings, addressed), &enrolled, Tlp::Amber),
        )
    };
    list.iter().filter(seen).copied().collect()
}

proptest! {
    #[test]
    fn what_a_partner_may_not_see_changes_nothing_for_it(
        list in entries(),
        name in proptest::sample::select(ENROLLED.to_vec()),
        gone in any::<proptest::sample::Index>(),
    ) {
        let all: Vec<&Entry> = list.iter().collect();
        let seen = view(&all, name);
        let mut hidden: Vec<usize> =
            (0..all.len()).filter(|place| !seen.iter().any(|s| std::ptr::eq(*s, *all.get(*place).unwrap()))).collect();
        if !hidden.is_empty() {
            let place = hidden.swap_remove(gone.index(hidden.len()));
            let mut less = all.clone();
            less.remove(place);
            prop_assert_eq!(view(&less, name), seen);
        }
    }

    #[test]
    fn one_more_marking_never_widens(markings in words(), more in words(), named in names()) {
        let mut both = markings.clone();
        both.extend(more.iter().filter(|word| **word != "-"));
        // A first marking replaces the default, which may be stricter than it.
        prop_assume!(markings.iter().any(|word| marking(word).is_some()));
        let narrow = reach("s", &head(&both, &named), &enrolled, Tlp::Amber);
        let wide = reach("s", &head(&markings, &named), &enrolled, Tlp::Amber);
        for name in seers(&narrow) {
            prop_assert!(seers(&wide).contains(&name));
        }
    }

    #[test]
    fn the_source_sees_what_it_sent(markings in words(), named in names(), source in proptest::sample::select(ENROLLED.to_vec())) {
        let reach = reach(source, &head(&markings, &named), &enrolled, Tlp::Amber);
        prop_assert!(may_see(&partner(source), &reach));
    }
}
