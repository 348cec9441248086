//! JA4 values of real captures against those that its author publishes (TCP; QUIC is not read).
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;

use common::{replay, shared};
use packet::{Config, Event};

#[test]
fn ja4_values_are_the_published_ones() {
    let name = "ja4_values_are_the_published_ones";
    let Some(path) = shared(name, "vectors/shield/ja4/expected.json") else {
        return;
    };
    let expected = captures_of(&std::fs::read_to_string(&path).unwrap());
    assert!(expected.len() > 5);
    let mut wrong = Vec::new();
    for (capture, mut wanted) in expected {
        let mut found = Vec::new();
        replay(
            &path.with_file_name(&capture),
            Config::default(),
            usize::MAX,
            &mut |event| {
                if let Event::Transaction(_, transaction) = event
                    && let Some(hello) = transaction.downcast_ref::<packet::tls::Hello>()
                {
                    found.push(hello.ja4().to_owned());
                }
            },
        );
        found.sort();
        wanted.retain(|value| value.starts_with('t'));
        wanted.sort();
        if found != wanted {
            wrong.push(format!("{capture}: found {found:?}, published {wanted:?}"));
        }
    }
    for line in &wrong {
        println!("{line}");
    }
    assert!(wrong.is_empty(), "{} captures differ", wrong.len());
}

/// The strings of the file's lists by capture; enough of JSON for this file.
fn captures_of(json: &str) -> BTreeMap<String, Vec<String>> {
    let mut captures = BTreeMap::new();
    let mut capture = String::new();
    for line in json.lines().map(str::trim) {
        let Some(text) = line
            .strip_prefix('"')
            .and_then(|rest| rest.split('"').next())
        else {
            continue;
        };
        if line.ends_with('[') {
            capture = text.to_owned();
            captures.insert(capture.clone(), Vec::new());
        } else {
            captures.get_mut(&capture).unwrap().push(text.to_owned());
        }
    }
    captures
}
