//! What must hold of every pattern, and of every pattern with observed data. Fuzzers and a test look
//! at it.
#![allow(dead_code, reason = "each fuzzer has one of them")]

use serde_json::Value;
use stix::pattern::matching::{MatchLimits, Observations};
use stix::pattern::{self, Expression, Grade, PatternErrorKind, Target};

/// So many steps that a fuzzer goes on.
const LIMITS: MatchLimits = MatchLimits {
    steps_max: 1_000_000,
    observations_max: 1000,
};

/// Reads a pattern; whether it is one. Its forms are patterns, and forms of themselves; what is
/// enforced of it is legal, and enforced alike when it is printed.
pub(crate) fn pattern(text: &str) -> bool {
    let terms = pattern::parse(text);
    let Ok(pattern) = Expression::parse(text) else {
        let kind = terms.map_err(|error| error.kind).err();
        assert!(
            matches!(
                kind,
                Some(PatternErrorKind::Syntax | PatternErrorKind::Bound)
            ),
            "{text:?}: what is no pattern is not enforced"
        );
        return false;
    };
    for target in [Target::Index, Target::Rule, Target::Matcher] {
        let fit = pattern.fit(target);
        assert_eq!(fit.why.is_none(), fit.grade == Grade::Exact);
    }
    type Print = fn(&Expression<'_>) -> String;
    let forms: [(String, Print); 2] = [
        (pattern.normal(), |again| again.normal()),
        (pattern.canonical(), |again| again.canonical()),
    ];
    for (form, print) in forms {
        match Expression::parse(&form) {
            Ok(again) => assert_eq!(print(&again), form, "{text:?}"),
            // A form may be longer, or nested deeper, than what is read.
            Err(error) => assert_eq!(error.kind, PatternErrorKind::Bound, "{text:?}: {form:?}"),
        }
        if pattern.check().is_ok()
            && let Ok(again) = Expression::parse(&form)
        {
            assert_eq!(again.check(), Ok(()), "{text:?}: {form:?}");
        }
    }
    if let Ok(terms) = terms {
        assert_eq!(pattern::parse(&terms.to_string()), Ok(terms), "{text:?}");
    }
    true
}

/// Matches the JSON after the first line with the pattern in it; whether it could be. The normal
/// form says the same.
pub(crate) fn matching(input: &str) -> Option<bool> {
    let (text, json) = input.split_once('\n')?;
    let documents: Value = serde_json::from_str(json).ok()?;
    let documents = documents.as_array()?;
    let observations = Observations::read(documents).ok()?;
    let pattern = Expression::parse(text).ok()?;
    let found = pattern
        .matcher()
        .ok()?
        .matches(&observations, &LIMITS)
        .ok()?;
    let normal = pattern.normal();
    if let Ok(again) = Expression::parse(&normal) {
        let matcher = again.matcher();
        assert!(matcher.is_ok(), "{text:?}: {normal:?}");
        let matcher = matcher.ok()?;
        // It may take other steps, and so hit the bound.
        if let Ok(other) = matcher.matches(&observations, &LIMITS) {
            assert_eq!(found.matched, other.matched, "{text:?}: {normal:?}");
        }
    }
    Some(found.matched)
}
