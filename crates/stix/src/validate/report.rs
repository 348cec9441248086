//! What validation found.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::error::{Fault, ObjectError};
use crate::tree::Path;

use super::form::Level;

/// Most findings of either kind that one report lists; the rest is counted.
pub const FINDINGS_MAX: usize = 100;

/// What validation found in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Broken MUSTs: the object is not STIX 2.1.
    pub errors: Vec<Finding>,
    /// Broken SHOULDs: the object is STIX 2.1, and could be better.
    pub warnings: Vec<Finding>,
    /// How many findings there are beyond [`FINDINGS_MAX`] of each kind.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// One thing that is wrong, or could be better. The fault is the author's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where, as a JSON path (RFC 9535) from the document.
    pub path: Box<str>,
    /// The rule, for example `STIX 2.1 section 4.7.1`.
    pub rule: Cow<'static, str>,
    /// What is wrong there.
    pub what: Cow<'static, str>,
    /// What would mend it.
    pub mend: Cow<'static, str>,
}

impl Report {
    /// Whether every MUST is kept.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// A report of one refusal.
    pub(crate) fn refused(error: &ObjectError) -> Self {
        Self {
            errors: vec![Finding {
                path: error.path.clone(),
                rule: error.rule().to_owned().into(),
                what: error.fault.to_string().into(),
                mend: error.mend().to_owned().into(),
            }],
            ..Self::default()
        }
    }

    /// The first broken MUST, which says how many more there are.
    pub(crate) fn into_result(self) -> Result<(), ObjectError> {
        let more = self.errors.len().saturating_sub(1);
        let Some(first) = self.errors.into_iter().next() else {
            return Ok(());
        };
        let Finding {
            path,
            rule,
            what,
            mend,
        } = first;
        let fault = Fault::Broken {
            rule,
            what,
            mend,
            more,
        };
        Err(ObjectError { path, fault })
    }

    pub(super) fn push(
        &mut self,
        level: Level,
        path: &Path<'_>,
        rule: &'static str,
        what: Cow<'static, str>,
        mend: &'static str,
    ) {
        let list = match level {
            Level::Must => &mut self.errors,
            Level::Should => &mut self.warnings,
        };
        if list.len() >= FINDINGS_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        list.push(Finding {
            path: path.to_string().into(),
            rule: rule.into(),
            what,
            mend: mend.into(),
        });
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            rule,
            what,
            mend,
        } = self;
        write!(f, "{path}: {what} ({rule}); {mend}")
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
