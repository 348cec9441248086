//! `stix validate`: which rules of STIX 2.1 objects and bundles break.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stix::Limits;
use stix::validate::{self, Finding, Report};

use crate::{
    cli::StixValidate,
    outcome::{Failure, Outcome},
    text,
};

/// Longest line that is read: an object or bundle at its limit, and what stands around it.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024 + 64;

pub(super) fn run(args: &StixValidate, json: bool) -> Result<Outcome, Failure> {
    if args.files.is_empty() {
        let input = BufReader::new(io::stdin().lock());
        let output = BufWriter::new(io::stdout().lock());
        return answer(input, output)
            .map_err(|error| Failure::system("standard input or output", error));
    }
    let mut outcome = Outcome::Done;
    for path in &args.files {
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

/// Answers each line by one line, in order; a line that cannot be read, by an error.
fn answer<R: Read>(mut input: BufReader<R>, mut output: impl Write) -> io::Result<Outcome> {
    let mut outcome = Outcome::Done;
    let mut line = Vec::new();
    while read_line(&mut input, &mut line)? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let report = match serde_json::from_slice::<Asked<'_>>(&line) {
            _ if line.len() >= LINE_BYTES_MAX => unread("the line is longer than 16 MiB"),
            Ok(asked) => validate::document(asked.instance.get().as_bytes(), &Limits::default()),
            Err(error) => unread(error),
        };
        if !report.is_valid() {
            outcome = Outcome::No;
        }
        serde_json::to_writer(&mut output, &report)?;
        output.write_all(b"\n")?;
        // Who waits for each answer before asking again gets it.
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    output.flush()?;
    Ok(outcome)
}

/// Reads one line without its end into `line`, of which no more is kept than is allowed; `false`
/// at the end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let max = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    if input.by_ref().take(max).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.len() >= LINE_BYTES_MAX && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(true)
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

    fn answers(input: &[u8]) -> (Outcome, Vec<serde_json::Value>) {
        let mut output = Vec::new();
        let outcome = answer(BufReader::new(input), &mut output).unwrap();
        let lines = output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let lines = lines.map(|line| serde_json::from_slice(line).unwrap());
        (outcome, lines.collect())
    }

    const FILE: &str = r#"{"instance":{"type":"file","id":"file--66156fad-2a0d-4237-bbb4-ba1912887cfe","name":"x"}}"#;

    #[test]
    fn each_line_is_answered_by_one_in_order() {
        let input = format!("{FILE}\n\nspam\n{{\"instance\":[]}}\n{{\"instance\":7}}\n{FILE}");
        let (outcome, answers) = answers(input.as_bytes());
        let wrong: Vec<bool> = answers
            .iter()
            .map(|answer| !answer["errors"].as_array().unwrap().is_empty())
            .collect();
        assert_eq!(wrong, [false, true, false, true, false]);
        assert_eq!(outcome, Outcome::No);
        let said = answers[1]["errors"][0]["what"].as_str().unwrap();
        assert!(said.starts_with("not such a line"), "{said}");
        assert!(answers[0]["warnings"].as_array().is_some());
    }

    #[test]
    fn a_line_that_is_too_long_is_answered_and_passed_over() {
        let mut input = vec![b'x'; LINE_BYTES_MAX + 10];
        input.push(b'\n');
        input.extend_from_slice(FILE.as_bytes());
        let (_, answers) = answers(&input);
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0]["errors"].as_array().unwrap().len(), 1);
        assert_eq!(answers[1]["errors"].as_array().unwrap().len(), 0);
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
            let (outcome, answers) = answers(line.as_bytes());
            assert_eq!((outcome, answers.len()), (Outcome::No, 1), "{line}");
        }
    }
}
