//! What the fuzzers start from, replayed.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;

#[path = "../fuzz/patterns.rs"]
mod patterns;

fn seeds(name: &str) -> Vec<(String, String)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");
    let mut seeds = Vec::new();
    for part in ["corpus", "found"] {
        let Ok(files) = fs::read_dir(format!("{root}/{part}/{name}")) else {
            continue;
        };
        for file in files {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            seeds.push((
                path.display().to_string(),
                String::from_utf8_lossy(&bytes).into_owned(),
            ));
        }
    }
    assert!(seeds.len() >= 5, "{name}: there are seeds");
    seeds
}

#[test]
fn seeds_of_patterns_hold() {
    for (name, text) in seeds("pattern") {
        let is_pattern = patterns::pattern(&text);
        assert!(is_pattern || !name.contains("/corpus/"), "{name}");
        // Cut anywhere, and with a character put in anywhere, it is read or refused.
        for (at, _) in text.char_indices() {
            let (before, after) = text.split_at(at);
            patterns::pattern(before);
            for put in ["[", ")", "'", "NOT ", "\u{a0}"] {
                patterns::pattern(&format!("{before}{put}{after}"));
            }
        }
    }
}

#[test]
fn seeds_of_matches_hold() {
    let mut matched = 0_usize;
    for (name, input) in seeds("match") {
        let found = patterns::matching(&input);
        assert!(found.is_some() || !name.contains("/corpus/"), "{name}");
        matched = matched.saturating_add(usize::from(found == Some(true)));
    }
    assert!(matched >= 3);
}
