//! `stix validate`: which rules of STIX 2.1 objects and bundles break.

use std::{fmt::Display, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use stix::Limits;
use stix::validate::{self, Finding, Report};

use super::Answer;
use crate::{
    outcome::{Failure, Outcome},
    text,
};

/// Judges whole files.
pub(super) fn files(files: &[PathBuf], json: bool) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Done;
    for path in files {
        let raw = std::fs::read(path).map_err(|error| Failure::input(path.display(), error))?;
        let report = validate::document(&raw, &Limits::default());
        if !report.is_valid() {
            outcome = Outcome::No;
        }
        show(&path.display(), &report, json)?;
    }
    Ok(outcome)
}

/// One line of a program that asks.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    instance: &'a RawValue,
}

/// `{"instance": ...}` -> `{"errors": [...], "warnings": [...]}`.
pub(super) fn judge(line: Result<&[u8], String>) -> Answer {
    let asked = line.and_then(|line| {
        serde_json::from_slice::<Asked<'_>>(line).map_err(|error| error.to_string())
    });
    let report = match asked {
        Ok(asked) => validate::document(asked.instance.get().as_bytes(), &Limits::default()),
        Err(error) => unread(error),
    };
    Answer {
        yes: report.is_valid(),
        line: json!(report),
    }
}

fn unread(why: impl Display) -> Report {
    let finding = Finding {
        path: "$".into(),
        rule: "a line is {\"instance\": an object or a bundle}".into(),
        what: format!("not such a line: {why}").into(),
        mend: "write one JSON object a line, in UTF-8".into(),
    };
    Report {
        errors: vec![finding],
        ..Report::default()
    }
}

/// What a program reads of a file.
#[derive(Serialize)]
struct Judged<'a> {
    file: String,
    #[serde(flatten)]
    report: &'a Report,
}

fn show(file: &dyn Display, report: &Report, json: bool) -> Result<(), Failure> {
    if json {
        let judged = Judged {
            file: file.to_string(),
            report,
        };
        let line = serde_json::to_string(&judged)
            .map_err(|error| Failure::system("write the report", error))?;
        text::say(line);
        return Ok(());
    }
    for error in &report.errors {
        text::say(format_args!("{file}: error: {error}"));
    }
    for warning in &report.warnings {
        text::say(format_args!("{file}: warning: {warning}"));
    }
    if report.left_out > 0 {
        text::say(format_args!(
            "{file}: {} more are not listed",
            report.left_out
        ));
    }
    let verdict = if report.is_valid() {
        "valid"
    } else {
        "not valid"
    };
    text::say(format_args!("{file}: {verdict}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"instance":{"type":"file","id":"file--66156fad-2a0d-4237-bbb4-ba1912887cfe","name":"x"}}"#;

    #[test]
    fn what_breaks_a_must_is_told_with_where_and_why() {
        let answer = judge(Ok(FILE.as_bytes()));
        assert!(
            answer.yes && answer.line["warnings"].is_array(),
            "{}",
            answer.line
        );
        let answer = judge(Ok(FILE.replace("name", "mame").as_bytes()));
        assert!(!answer.yes, "{}", answer.line);
        let error = &answer.line["errors"][0];
        assert!(
            error["path"].is_string() && error["rule"].is_string(),
            "{error}"
        );
    }

    #[test]
    fn what_is_hostile_is_answered_by_an_error() {
        let deep = format!("{{\"instance\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for line in [
            deep.as_str(),
            r#"{"instance":{"type":"file","type":"file"}}"#,
            r#"{"instance":{"name":"\ud800"}}"#,
            r#"{"instance":{"size":1e999}}"#,
            r#"{"instance":{"#,
            r#"{"other":1}"#,
        ] {
            let answer = judge(Ok(line.as_bytes()));
            assert_eq!(answer.line["errors"].as_array().unwrap().len(), 1, "{line}");
            assert!(!answer.yes, "{line}");
        }
    }
}
