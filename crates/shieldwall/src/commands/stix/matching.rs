//! `stix match`: whether observed data match a pattern.

use serde_json::{Value, json};
use stix::pattern::Expression;
use stix::pattern::matching::{MatchLimits, Observations};

use super::{Answer, question, text};

/// `{"pattern": P, "observations": [bundle, ...]}` -> `{"result": ...}`.
pub(super) fn judge(line: Result<&[u8], String>) -> Answer {
    match line.and_then(question).and_then(|asked| matches(&asked)) {
        Ok(true) => Answer {
            line: json!({"result": "match"}),
            yes: true,
        },
        Ok(false) => Answer {
            line: json!({"result": "no-match"}),
            yes: false,
        },
        Err(error) => Answer {
            line: json!({"result": "error", "error": error}),
            yes: false,
        },
    }
}

fn matches(question: &Value) -> Result<bool, String> {
    let pattern = text(question, "pattern")?;
    let documents = question.get("observations").and_then(Value::as_array);
    let documents = documents.ok_or("the line names no \"observations\", which is an array")?;
    let matcher = Expression::parse(pattern).and_then(|pattern| pattern.matcher());
    let matcher = matcher.map_err(|error| error.to_string())?;
    let observations = Observations::read(documents).map_err(|error| error.to_string())?;
    let matched = matcher.matches(&observations, &MatchLimits::default());
    matched
        .map(|matched| matched.matched)
        .map_err(|error| error.to_string())
}
