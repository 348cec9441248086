//! `pcrexform`: what the group of a pattern took.

use std::sync::Arc;

use super::Operation;
use crate::rules::pcre::{Pcre, Steps};

/// Steps that the search for the group may take.
pub const STEPS_MAX: u64 = 100_000;

#[derive(Debug)]
struct Pattern {
    pcre: Pcre,
}

/// A pattern with one group, without slashes and flags.
pub(super) fn parse(value: Option<&str>) -> Result<Arc<dyn Operation>, String> {
    let pattern = value.ok_or("pcrexform needs a pattern")?;
    let pcre = Pcre::parse_pattern(pattern).map_err(|error| error.to_string())?;
    match pcre.groups() {
        1 => Ok(Arc::new(Pattern { pcre })),
        groups => Err(format!("pcrexform needs exactly one group, not {groups}")),
    }
}

impl Operation for Pattern {
    /// Where the pattern does not match, or its group is empty, the input stays.
    fn apply(&self, input: &[u8], out: &mut Vec<u8>) -> bool {
        let mut steps = Steps::new(STEPS_MAX);
        let found = self.pcre.find(input, 0, &mut steps);
        let group = found.and_then(|found| found.group1);
        let taken = group.and_then(|group| input.get(group));
        let taken = taken.filter(|taken| !taken.is_empty());
        out.extend(taken.unwrap_or(input));
        !steps.exhausted
    }
}
