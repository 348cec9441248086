//! The pattern of an indicator (section 9).

use crate::pattern::{Expression, PatternErrorKind};

use super::check::Scope;

/// A pattern that says it is STIX must be STIX; patterns in other languages are their own.
pub(super) fn pattern(scope: &mut Scope<'_, '_>) {
    let members = scope.members;
    if members.text("pattern_type") != Some("stix") {
        return;
    }
    let Some(text) = members.text("pattern") else {
        return;
    };
    let legal = Expression::parse(text).and_then(|pattern| pattern.check());
    let Err(error) = legal else {
        return;
    };
    if error.kind == PatternErrorKind::Syntax {
        let what = format!(
            "not a STIX pattern: line {} column {}: {}",
            error.line, error.column, error.what
        );
        scope.error("pattern", "STIX 2.1 section 9", what, error.mend);
    }
}
