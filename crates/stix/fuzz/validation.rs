//! What must hold of the validation of any bytes. A fuzzer and a test look at it.

use stix::validate::{self, FINDINGS_MAX, Report};
use stix::{Limits, Object, bundle};

pub(crate) fn run(data: &[u8]) -> Report {
    let limits = Limits::default();
    let report = validate::document(data, &limits);
    assert_eq!(
        report,
        validate::document(data, &limits),
        "the same each time"
    );
    for list in [&report.errors, &report.warnings] {
        assert!(list.len() <= FINDINGS_MAX);
        for finding in list {
            assert!(finding.path.starts_with('$'), "{finding}");
            assert!(
                !finding.rule.is_empty() && !finding.mend.is_empty(),
                "{finding}"
            );
        }
    }
    // What the exchange takes is what validation calls valid, byte for byte.
    if let Ok(object) = Object::parse_valid(data, &limits) {
        assert_eq!(object.raw(), data.trim_ascii());
        assert!(report.is_valid() || object.head().kind.as_ref() == "bundle");
    }
    for object in bundle::parse_valid(data, &limits)
        .into_iter()
        .flatten()
        .flatten()
    {
        assert!(
            validate::document(object.raw(), &limits).is_valid()
                || object.head().kind.as_ref() == "bundle"
        );
    }
    if let Some(uuid) = validate::deterministic(data) {
        assert_eq!(uuid.get_version_num(), 5);
    }
    report
}
