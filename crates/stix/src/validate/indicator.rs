//! The pattern of an indicator (section 9).

use crate::pattern::{self, PatternErrorKind};

use super::check::Scope;

/// A pattern that says it is STIX must be STIX; patterns in other languages are their own.
pub(super) fn pattern(scope: &mut Scope<'_, '_>) {
    let members = scope.members;
    if members.text("pattern_type") != Some("stix") {
        return;
    }
    let Some(Err(error)) = members.text("pattern").map(pattern::parse) else {
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
