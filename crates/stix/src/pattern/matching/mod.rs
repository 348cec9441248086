//! Whether observed data match a pattern (STIX 2.1 sections 9.5 to 9.8).
//!
//! An observation is one `observed-data`, seen as often as its `number_observed` says, at some
//! time between its `first_observed` and its `last_observed`. Every `[…]` of a pattern takes one
//! sighting of one observation, and no two take the same. `docs/spec/stix-patterning.md` has what
//! follows from that for each operator.
//!
//! The work is bounded: each look at a value, an object or an observation is a step, and
//! [`MatchLimits`] says how many there may be.

mod condition;
mod observed;
mod path;
mod plan;
mod regex;
mod search;
mod wildcard;

use super::error::Refusal;
use super::literal::{Moment, moment, nanos};
use super::tree::{Observation, Operator, Qualifier};
use condition::Condition;
pub use observed::Observations;
use plan::Plan;

/// Most regular expressions in one pattern that is matched: what they may come to takes seconds to
/// compile.
const EXPRESSIONS_MAX: usize = 128;

/// Bounds on the work of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchLimits {
    /// Most steps: looks at a value, an object or an observation, and characters compared.
    pub steps_max: u64,
    /// Most observations.
    pub observations_max: usize,
}

impl Default for MatchLimits {
    fn default() -> Self {
        Self {
            steps_max: 50_000_000,
            observations_max: 10_000,
        }
    }
}

/// What came of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Whether the observations match.
    pub matched: bool,
    /// How many steps it took.
    pub steps: u64,
}

/// Why it cannot be said whether observations match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// The observed data are at fault.
    #[error("{what}; {mend}")]
    Data {
        /// What is wrong, and in which object.
        what: Box<str>,
        /// What would mend it.
        mend: &'static str,
    },
    /// The pattern and the data take more work than is allowed.
    #[error("more than {max} {what}; use a narrower pattern, or fewer observations")]
    Bound {
        /// What there are too many of.
        what: &'static str,
        /// The bound.
        max: u64,
    },
}

impl MatchError {
    fn data(what: impl Into<Box<str>>, mend: &'static str) -> Self {
        Self::Data {
            what: what.into(),
            mend,
        }
    }
}

/// Counts steps.
#[derive(Debug)]
pub(super) struct Steps {
    taken: u64,
    max: u64,
}

impl Steps {
    /// Takes some steps.
    fn take(&mut self, steps: usize) -> Result<(), MatchError> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.taken = self.taken.saturating_add(steps);
        match self.taken > self.max {
            true => Err(MatchError::Bound {
                what: "steps (steps_max)",
                max: self.max,
            }),
            false => Ok(()),
        }
    }
}

/// A pattern that is ready to be matched.
#[derive(Debug)]
pub struct Matcher {
    /// One for each `[…]`, in order.
    conditions: Vec<Condition>,
    plan: Plan,
}

impl Matcher {
    pub(super) fn compile(observation: &Observation<'_>) -> Result<Self, Refusal> {
        if expressions(observation) > EXPRESSIONS_MAX {
            let what = format!("the pattern has more than {EXPRESSIONS_MAX} MATCHES");
            return Err(Refusal::bound(0, what, "share it as several indicators"));
        }
        let mut conditions = Vec::new();
        let plan = compile(observation, &mut conditions)?;
        Ok(Self { conditions, plan })
    }

    /// Whether the observations match.
    ///
    /// # Errors
    /// [`MatchError`], when data that the pattern looks at are broken (a property that is compared
    /// with a timestamp has none, a `_hex` property has other digits), or when a bound is hit.
    pub fn matches(
        &self,
        observations: &Observations<'_>,
        limits: &MatchLimits,
    ) -> Result<Matched, MatchError> {
        let mut steps = Steps {
            taken: 0,
            max: limits.steps_max,
        };
        observations.check(limits)?;
        let mut fitting = Vec::with_capacity(self.conditions.len());
        for condition in &self.conditions {
            fitting.push(observations.fitting(condition, &mut steps)?);
        }
        let sightings = observations.sightings();
        let matched = search::find(&self.plan, &fitting, &sightings, &mut steps)?;
        Ok(Matched {
            matched,
            steps: steps.taken,
        })
    }
}

/// How many regular expressions there are.
fn expressions(observation: &Observation<'_>) -> usize {
    match observation {
        Observation::Test(comparison) => condition::expressions(comparison),
        Observation::Joined { parts, .. } => parts.iter().map(expressions).sum(),
        Observation::Qualified { inner, .. } => expressions(inner),
    }
}

fn compile(
    observation: &Observation<'_>,
    conditions: &mut Vec<Condition>,
) -> Result<Plan, Refusal> {
    match observation {
        Observation::Test(comparison) => {
            let number = conditions.len();
            conditions.push(Condition::compile(comparison)?);
            Ok(Plan::One(number))
        }
        Observation::Joined {
            operator, parts, ..
        } => {
            let parts = parts.iter().map(|part| compile(part, conditions));
            let parts = parts.collect::<Result<Vec<Plan>, Refusal>>()?;
            Ok(match operator {
                Operator::FollowedBy => Plan::Ordered(parts),
                Operator::Or => Plan::Any(parts),
                Operator::And => Plan::All(parts),
            })
        }
        Observation::Qualified {
            inner,
            qualifier,
            at,
            ..
        } => {
            let inner = Box::new(compile(inner, conditions)?);
            qualified(inner, qualifier, *at)
        }
    }
}

fn qualified(inner: Box<Plan>, qualifier: &Qualifier<'_>, at: usize) -> Result<Plan, Refusal> {
    match qualifier {
        Qualifier::Within(seconds) if seconds.bytes().any(|b| matches!(b, b'1'..=b'9')) => {
            Ok(Plan::Within(inner, nanos(seconds)))
        }
        Qualifier::Within(_) => {
            let what = "WITHIN 0 SECONDS is no time";
            Err(Refusal::value(at, what, "name a number above 0"))
        }
        Qualifier::Repeats(times) => match times.trim_start_matches('+').parse() {
            Ok(0) => {
                let what = "REPEATS 0 TIMES asks for nothing";
                Err(Refusal::value(at, what, "name a number above 0"))
            }
            Ok(times) => Ok(Plan::Repeats(inner, times)),
            Err(_) => Ok(Plan::Repeats(inner, u64::MAX)),
        },
        Qualifier::StartStop(start, stop) => {
            let (start, stop): (Moment, Moment) = (moment(at, start)?, moment(at, stop)?);
            Ok(Plan::Between(inner, start, stop))
        }
    }
}

#[cfg(test)]
mod tests;
