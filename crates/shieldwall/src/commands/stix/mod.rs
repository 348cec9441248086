//! `stix`: questions about STIX in JSON lines, each answered by one line.
//!
//! A subcommand is a module with a function from a question to an answer, and a line in [`run`].

mod matching;
mod pattern;
mod validate;

use serde_json::Value;

use super::lines::{Answer, each, question};
use crate::{
    cli::Stix,
    outcome::{Failure, Outcome},
};

pub(super) fn run(args: &Stix, json: bool) -> Result<Outcome, Failure> {
    match args {
        Stix::Pattern(lines) => each(&lines.files, pattern::judge),
        Stix::Match(lines) => each(&lines.files, matching::judge),
        Stix::Validate(args) if args.files.is_empty() => each(&[], validate::judge),
        Stix::Validate(args) => validate::files(&args.files, json),
    }
}

/// A property of a question that must be text.
fn text<'q>(question: &'q Value, key: &str) -> Result<&'q str, String> {
    let text = question.get(key).and_then(Value::as_str);
    text.ok_or_else(|| format!("the line names no {key:?}, which is a string"))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::commands::lines::{Judge, answer};

    fn answers(input: &[u8], mut judge: impl Judge) -> (Vec<Value>, bool) {
        let mut out = Vec::new();
        let Ok(yes) = answer(BufReader::new(input), &mut out, &mut judge) else {
            panic!("a slice can be read");
        };
        let lines = out
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let lines = lines.map(|line| serde_json::from_slice(line).unwrap());
        (lines.collect(), yes)
    }

    #[test]
    fn each_line_has_its_answer_whatever_it_holds() {
        let input = b"{\"pattern\": \"[a:b = 1]\"}\n\n{\"pattern\": \"[a:b = \\ud800]\"}\nno JSON\n\xff\n{}\n[1]\n{\"pattern\": \"[a:b = 2]\"}";
        let (lines, yes) = answers(input, pattern::judge);
        let valid: Vec<bool> = lines.iter().map(|line| line["valid"] == true).collect();
        assert_eq!(valid, [true, false, false, false, false, false, true]);
        let told = lines.iter().filter(|line| line["error"].is_string());
        assert_eq!((told.count(), yes), (5, false));
    }

    #[test]
    fn a_pattern_is_told_with_its_form_and_what_can_enforce_it() {
        let (lines, yes) = answers(
            b"{\"pattern\": \"[domain-name:value=='EVIL.example'] OR [file:name LIKE '%.exe']\"}",
            pattern::judge,
        );
        let line = &lines[0];
        assert!(yes);
        let canonical = "[domain-name:value = 'evil.example' OR file:name LIKE '%.exe']";
        assert_eq!(line["canonical"], canonical);
        assert_eq!(line["fingerprint"].as_str().unwrap().len(), 64);
        assert_eq!(line["enforceable"]["index"]["grade"], "under");
        assert_eq!(line["enforceable"]["matcher"]["grade"], "exact");
        let (lines, _) = answers(b"{\"pattern\": \"[a:b = 1] OR\"}", pattern::judge);
        assert_eq!(
            (&lines[0]["column"], &lines[0]["valid"]),
            (&13.into(), &false.into())
        );
    }

    #[test]
    fn a_match_is_a_match_a_no_match_or_an_error() {
        let bundle = r#"{"type": "bundle", "objects": [{"type": "observed-data", "number_observed": 1, "first_observed": "2026-01-01T00:00:00Z", "last_observed": "2026-01-01T00:00:00Z", "object_refs": ["a--1"]}, {"type": "a", "id": "a--1", "b": 1}]}"#;
        let cases = [
            ("[a:b = 1]", bundle, "match"),
            ("[a:b = 2]", bundle, "no-match"),
            ("[a:b = ]", bundle, "error"),
            ("[a:b = 1] WITHIN 0 SECONDS", bundle, "error"),
            ("[a:b = 1]", r#"{"type": "a"}"#, "error"),
        ];
        let mut input = String::new();
        for (pattern, bundle, _) in cases {
            input.push_str(&format!(
                "{{\"pattern\": \"{pattern}\", \"observations\": [{bundle}]}}\n"
            ));
        }
        input.push_str("{\"pattern\": \"[a:b = 1]\"}\nno JSON\n");
        let (lines, yes) = answers(input.as_bytes(), matching::judge);
        let results: Vec<&str> = lines
            .iter()
            .map(|line| line["result"].as_str().unwrap())
            .collect();
        let wanted: Vec<&str> = cases
            .iter()
            .map(|(_, _, want)| *want)
            .chain(["error"; 2])
            .collect();
        assert_eq!((results, yes), (wanted, false));
    }

    #[test]
    fn a_line_that_is_too_long_is_answered_and_the_next_one_too() {
        let mut input = vec![b'x'; crate::commands::lines::LINE_BYTES_MAX + 10];
        input.extend(b"\n{\"pattern\": \"[a:b = 1]\"}\n");
        let (lines, _) = answers(&input, pattern::judge);
        assert!(lines[0]["error"].as_str().unwrap().contains("more than"));
        assert_eq!((lines.len(), &lines[1]["valid"]), (2, &true.into()));
    }
}
