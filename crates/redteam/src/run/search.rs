//! Search by scores alone: one parent, some children that differ by a step, the best goes on.

use super::{Found, Run, number, score, searched, step};
use crate::mutation::{Mutation, Outcome, Step, chain};
use crate::report::Searched;
use crate::{Chance, Judge, Sample, chance};

/// Steps of a chain.
const DEPTH_MAX: usize = 6;
/// Generations without a better child after which another beginning is tried.
const STALE_MAX: usize = 12;
/// Children that do not apply, in a row, after which a sample is left.
const IDLE_MAX: usize = 1000;

/// A chain with its score.
struct Candidate {
    outcome: Outcome,
    score: f32,
}

impl Run<'_> {
    pub(super) fn search(
        &self,
        malicious: &[bool],
        judge: &mut dyn Judge,
        found: &mut Vec<Found>,
        invalid: &mut usize,
    ) -> Vec<Searched> {
        let plan = &self.suite.search;
        let operators = self.suite.operators(&plan.without);
        let most = plan.budgets.last().copied().unwrap_or(0);
        let samples = self.samples.malicious.iter().zip(malicious);
        let (mut tried, mut queries) = (0_usize, Vec::new());
        for (index, (sample, clean)) in samples.enumerate().take(plan.samples_max) {
            tried = tried.saturating_add(1);
            if !clean {
                queries.push(0);
                continue;
            }
            let place = [chance::number("search"), number(index)];
            let mut chance = Chance::of(self.suite.seed, &place);
            let mut hunt = Hunt {
                run: self,
                sample,
                operators: &operators,
                left: most,
                invalid: 0,
                idle: 0,
            };
            let bypass = hunt.hunt(judge, &mut chance);
            *invalid = invalid.saturating_add(hunt.invalid);
            if let Some(outcome) = bypass {
                let asked = most.saturating_sub(hunt.left);
                queries.push(asked);
                found.push(Found {
                    sample: index,
                    by: "search",
                    outcome,
                });
            }
        }
        let budgets = plan.budgets.iter();
        budgets
            .map(|budget| searched(*budget, tried, queries.clone()))
            .collect()
    }
}

/// The search for one sample.
struct Hunt<'a> {
    run: &'a Run<'a>,
    sample: &'a Sample,
    operators: &'a [&'static dyn Mutation],
    left: usize,
    invalid: usize,
    idle: usize,
}

impl Hunt<'_> {
    /// A chain below the threshold, if one is found within the budget.
    fn hunt(&mut self, judge: &mut dyn Judge, chance: &mut Chance) -> Option<Outcome> {
        let children = self.run.suite.search.children.max(1);
        let mut parent: Option<Candidate> = None;
        let mut stale = 0_usize;
        while self.left > 0 && self.idle < IDLE_MAX {
            let mut best: Option<Candidate> = None;
            for _ in 0..children {
                let before = parent
                    .as_ref()
                    .map_or(&[][..], |parent| &parent.outcome.steps);
                let steps = self.child(before, chance);
                let Some(child) = self.judged(&steps, judge) else {
                    continue;
                };
                if f64::from(child.score) < self.run.threshold {
                    return Some(child.outcome);
                }
                if best.as_ref().is_none_or(|best| child.score < best.score) {
                    best = Some(child);
                }
            }
            let better = |best: &Candidate| {
                parent
                    .as_ref()
                    .is_none_or(|parent| best.score < parent.score)
            };
            match best {
                Some(best) if better(&best) => {
                    parent = Some(best);
                    stale = 0;
                }
                _ => stale = stale.saturating_add(1),
            }
            if stale >= STALE_MAX {
                parent = None;
                stale = 0;
            }
        }
        None
    }

    /// A chain that differs by a step.
    fn child(&self, steps: &[Step], chance: &mut Chance) -> Vec<Step> {
        let mut steps = steps.to_vec();
        let at = chance.below(steps.len());
        match chance.below(6) {
            0 if !steps.is_empty() => {
                steps.remove(at);
            }
            1 => {
                if let (Some(slot), Some(step)) = (steps.get_mut(at), step(self.operators, chance))
                {
                    *slot = step;
                }
            }
            2 => {
                if let Some(slot) = steps.get_mut(at) {
                    slot.seed = chance.next();
                }
            }
            _ => {}
        }
        if steps.len() < DEPTH_MAX && (steps.is_empty() || chance.holds(60)) {
            steps.extend(step(self.operators, chance));
        }
        steps
    }

    /// A chain with its score, which costs a query; `None` where nothing of it applies.
    fn judged(&mut self, steps: &[Step], judge: &mut dyn Judge) -> Option<Candidate> {
        let outcome = chain(self.sample, steps, &self.run.samples.benign);
        self.invalid = self.invalid.saturating_add(outcome.invalid);
        if outcome.steps.is_empty() || self.left == 0 {
            self.idle = self.idle.saturating_add(1);
            return None;
        }
        self.idle = 0;
        self.left = self.left.saturating_sub(1);
        let score = score(&outcome.sample, judge)?;
        Some(Candidate { outcome, score })
    }
}
