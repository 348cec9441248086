//! `stix pattern`: whether a pattern is legal, and what becomes of it.

use serde_json::{Map, Value, json};
use stix::pattern::{Expression, Fit, PatternError, Target};

use super::{Answer, question, text};

/// The places where a pattern can be put to use, as they are written in answers.
const TARGETS: [(&str, Target); 3] = [
    ("index", Target::Index),
    ("rule", Target::Rule),
    ("matcher", Target::Matcher),
];

/// `{"pattern": P}` -> `{"valid": ..., ...}`.
pub(super) fn judge(line: Result<&[u8], String>) -> Answer {
    let refused = |error: String| Answer {
        line: json!({"valid": false, "error": error}),
        yes: false,
    };
    let asked = match line.and_then(question) {
        Ok(asked) => asked,
        Err(error) => return refused(error),
    };
    let pattern = match text(&asked, "pattern") {
        Ok(pattern) => pattern,
        Err(error) => return refused(error),
    };
    let read = Expression::parse(pattern);
    match read.and_then(|pattern| pattern.check().map(|()| pattern)) {
        Ok(pattern) => Answer {
            line: legal(&pattern),
            yes: true,
        },
        Err(error) => Answer {
            line: illegal(&error),
            yes: false,
        },
    }
}

fn legal(pattern: &Expression<'_>) -> Value {
    let digest = pattern.fingerprint();
    let fingerprint: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let targets = TARGETS.iter().map(|(name, target)| {
        let Fit { grade, why } = pattern.fit(*target);
        let fit = match why {
            Some(why) => json!({"grade": grade.name(), "why": why}),
            None => json!({"grade": grade.name()}),
        };
        ((*name).to_owned(), fit)
    });
    let targets: Map<String, Value> = targets.collect();
    json!({
        "valid": true,
        "canonical": pattern.canonical(),
        "fingerprint": fingerprint,
        "enforceable": targets,
    })
}

fn illegal(error: &PatternError) -> Value {
    json!({
        "valid": false,
        "error": error.to_string(),
        "line": error.line,
        "column": error.column,
        "mend": error.mend,
    })
}
