//! Search by who has the model at hand: what counts in the score is known (by occlusion), each
//! mutation's effect on that is computed from its columns without asking the model, and the most
//! promising are tried first.

use features::Samples as Rows;

use super::{Found, Run, number, score, searched, step};
use crate::mutation::{Mutation, Outcome, Step, chain};
use crate::report::Searched;
use crate::{Chance, Judge, Sample, chance};

/// Promising children that are tried before all others are.
const FIRST: usize = 8;
/// Seeds that each mutation is tried with.
const SEEDS: usize = 2;
/// Beginnings that are tried: the sample itself, and after it drawn steps.
const BEGINNINGS: usize = 6;

impl Run<'_> {
    pub(super) fn guided(
        &self,
        malicious: &[bool],
        judge: &mut dyn Judge,
        found: &mut Vec<Found>,
        invalid: &mut usize,
    ) -> Searched {
        let plan = &self.suite.guided;
        let operators = self.suite.operators(&plan.without);
        let samples = self.samples.malicious.iter().zip(malicious);
        let (mut tried, mut queries) = (0_usize, Vec::new());
        for (index, (sample, clean)) in samples.enumerate().take(plan.samples_max) {
            tried = tried.saturating_add(1);
            if !clean {
                queries.push(0);
                continue;
            }
            let place = [chance::number("guided"), number(index)];
            let mut chance = Chance::of(self.suite.seed, &place);
            let mut asked = 0;
            for beginning in 0..BEGINNINGS {
                let drawn: Vec<Step> = (0..beginning.min(2))
                    .filter_map(|_| step(&operators, &mut chance))
                    .collect();
                let start = chain(sample, &drawn, &self.samples.benign);
                *invalid = invalid.saturating_add(start.invalid);
                let counts = (&mut asked, &mut *invalid);
                let bypass = self.descend(start, &operators, judge, &mut chance, counts);
                if let Some(outcome) = bypass {
                    queries.push(asked);
                    found.push(Found {
                        sample: index,
                        by: "guided",
                        outcome,
                    });
                    break;
                }
            }
        }
        let most = queries.iter().copied().max().unwrap_or(0);
        searched(most, tried, queries)
    }

    fn descend(
        &self,
        start: Outcome,
        operators: &[&'static dyn Mutation],
        judge: &mut dyn Judge,
        chance: &mut Chance,
        (asked, invalid): (&mut usize, &mut usize),
    ) -> Option<Outcome> {
        let mut best = f32::INFINITY;
        let (mut now, mut steps) = (start.sample, start.steps);
        for _ in 0..self.suite.guided.depth {
            let weights = now.show(|subject| judge.parts(subject)).unwrap_or_default();
            let mut children: Vec<(f32, Outcome)> = Vec::new();
            for mutation in operators {
                for _ in 0..SEEDS {
                    let step = Step {
                        mutation: *mutation,
                        seed: chance.next(),
                    };
                    let mut outcome = chain(&now, &[step], &self.samples.benign);
                    *invalid = invalid.saturating_add(outcome.invalid);
                    if !outcome.steps.is_empty() {
                        let left = left(&outcome.sample, &weights, judge);
                        outcome.steps = [steps.as_slice(), &outcome.steps].concat();
                        children.push((left, outcome));
                    }
                }
            }
            children.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            let before = best;
            let mut next: Option<Outcome> = None;
            for (at, (_, child)) in children.into_iter().enumerate() {
                if at >= FIRST && best < before {
                    break;
                }
                *asked = asked.saturating_add(1);
                let Some(score) = score(&child.sample, judge) else {
                    continue;
                };
                if f64::from(score) < self.threshold {
                    return Some(child);
                }
                if score < best {
                    best = score;
                    next = Some(child);
                }
            }
            let next = next?;
            now = next.sample;
            steps = next.steps;
        }
        None
    }
}

/// How much of what counted is left in a sample: of its rows the one with most.
fn left(sample: &Sample, weights: &[(String, f32)], judge: &dyn Judge) -> f32 {
    let extractor = judge.extractor();
    let mut rows = Rows::default();
    let extracted = sample.show(|subject| extractor.extract(subject, &mut rows).is_ok());
    if extracted != Some(true) {
        return f32::INFINITY;
    }
    let columns = extractor.columns();
    let (width, ids_max) = (columns.len(), extractor.ids_max());
    let numbers = rows.numbers().chunks(width.max(1));
    let ids = rows.ids().chunks(ids_max.max(1));
    let there = |name: &str, numbers: &[f32], ids: &[i64]| match name.strip_prefix("n-gram ") {
        Some(id) => id.parse().is_ok_and(|id: i64| ids.contains(&id)),
        None => {
            let column = columns.iter().position(|column| column.name == name);
            column
                .and_then(|at| numbers.get(at))
                .is_some_and(|value| *value != 0.0)
        }
    };
    numbers
        .zip(ids)
        .map(|(numbers, ids)| {
            let counted = weights.iter().filter(|(name, _)| there(name, numbers, ids));
            counted.map(|(_, weight)| *weight).sum::<f32>()
        })
        .fold(0.0, f32::max)
}
