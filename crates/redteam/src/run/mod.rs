//! Runs of a suite: mutations alone, chains that are drawn, searches, and what carries over.

mod guided;
mod search;

use pack::{Digest, Name};

use crate::bounds::Share;
use crate::mutation::{Mutation, Outcome, Step, chain};
use crate::report::{Bypass, Chained, Results, Searched, Single, Transfer};
use crate::{Chance, Judge, Sample, Samples, Suite, chance};

/// Bypasses that a report lists.
const BYPASSES_MAX: usize = 2000;

/// What a run works with.
#[derive(Debug)]
pub struct Run<'a> {
    /// What is tried.
    pub suite: &'a Suite,
    /// On what.
    pub samples: &'a Samples,
    /// From this score on a sample counts as detected.
    pub threshold: f64,
    /// Whether bypasses are listed with their samples.
    pub payloads: bool,
}

/// Another pack, to which bypasses may carry.
#[expect(missing_debug_implementations, reason = "a judge is whatever judges")]
pub struct Other<'a> {
    /// Its name.
    pub pack: Name,
    /// SHA-256 of its model file.
    pub model: Digest,
    /// From this score on it detects.
    pub threshold: f64,
    /// What judges.
    pub judge: &'a mut dyn Judge,
}

/// A bypass that was found.
pub(crate) struct Found {
    sample: usize,
    by: &'static str,
    outcome: Outcome,
}

impl Run<'_> {
    /// Runs all that the suite asks for; `tell` is called now and then with what is being done.
    pub fn run(
        &self,
        judge: &mut dyn Judge,
        others: &mut [Other<'_>],
        tell: &mut dyn FnMut(&str),
    ) -> Results {
        let mut results = Results::default();
        let malicious = self.detected(&self.samples.malicious, judge);
        let benign = self.detected(&self.samples.benign, judge);
        results.clean = Some(share(&malicious));
        results.clean_false_alarms = Some(share(&benign));
        let mut robust = malicious.clone();
        for (mutation, held_out) in self.suite.singles() {
            tell(mutation.name());
            let mut single = self.single(
                mutation,
                &malicious,
                &benign,
                &mut robust,
                judge,
                &mut results.invalid,
            );
            single.held_out = held_out;
            results.mutations.push(single);
        }
        results.robust = Some(share(&robust));
        if self.suite.chains.each > 0 {
            tell("chains");
            results.chains = Some(self.chains(&malicious, judge, &mut results.invalid));
        }
        let mut found = Vec::new();
        if self.suite.search.samples_max > 0 {
            tell("search");
            results.search = self.search(&malicious, judge, &mut found, &mut results.invalid);
        }
        if self.suite.guided.samples_max > 0 {
            tell("guided");
            results.guided = Some(self.guided(&malicious, judge, &mut found, &mut results.invalid));
        }
        for other in others {
            tell("transfer");
            results.transfer.push(self.transfer(&found, other));
        }
        results.bypasses_left_out = found.len().saturating_sub(BYPASSES_MAX);
        results.bypasses = found
            .iter()
            .take(BYPASSES_MAX)
            .map(|found| self.listed(found))
            .collect();
        results
    }

    /// Whether a sample is detected; one that cannot be judged is not.
    fn detects(&self, sample: &Sample, judge: &mut dyn Judge) -> bool {
        score(sample, judge).is_some_and(|score| f64::from(score) >= self.threshold)
    }

    fn detected(&self, samples: &[Sample], judge: &mut dyn Judge) -> Vec<bool> {
        samples
            .iter()
            .map(|sample| self.detects(sample, judge))
            .collect()
    }

    /// The step of a mutation on a sample, apart from all others.
    fn step(&self, mutation: &'static dyn Mutation, sample: usize) -> Step {
        let place = [chance::number(mutation.name()), number(sample)];
        let seed = Chance::of(self.suite.seed, &place).next();
        Step { mutation, seed }
    }

    fn single(
        &self,
        mutation: &'static dyn Mutation,
        malicious: &[bool],
        benign: &[bool],
        robust: &mut [bool],
        judge: &mut dyn Judge,
        invalid: &mut usize,
    ) -> Single {
        let mut pairs: Vec<(bool, bool)> = Vec::new();
        for (index, (sample, clean)) in self.samples.malicious.iter().zip(malicious).enumerate() {
            if let Some(hit) = self.one(mutation, index, sample, judge, invalid) {
                pairs.push((*clean, hit));
                if let Some(holds) = robust.get_mut(index) {
                    *holds &= hit;
                }
            }
        }
        let mut harmless: Vec<(bool, bool)> = Vec::new();
        if mutation.keeps_harmless() {
            for (index, (sample, clean)) in self.samples.benign.iter().zip(benign).enumerate() {
                let hit = self.one(mutation, index, sample, judge, invalid);
                harmless.extend(hit.map(|hit| (*clean, hit)));
            }
        }
        let of = |pairs: &[(bool, bool)], which: fn(&(bool, bool)) -> bool| {
            Share::new(pairs.iter().filter(|pair| which(pair)).count(), pairs.len())
        };
        Single {
            mutation: mutation.name().to_owned(),
            held_out: false,
            detected: of(&pairs, |(_, hit)| *hit),
            clean: of(&pairs, |(clean, _)| *clean),
            lost: of(&pairs, |(clean, hit)| *clean && !hit).hits,
            gained: of(&pairs, |(clean, hit)| !clean && *hit).hits,
            false_alarms: of(&harmless, |(_, hit)| *hit),
            false_alarms_clean: of(&harmless, |(clean, _)| *clean),
        }
    }

    /// Whether a sample is detected after a mutation; `None` where it does not apply.
    fn one(
        &self,
        mutation: &'static dyn Mutation,
        index: usize,
        sample: &Sample,
        judge: &mut dyn Judge,
        invalid: &mut usize,
    ) -> Option<bool> {
        let outcome = chain(sample, &[self.step(mutation, index)], &self.samples.benign);
        *invalid = invalid.saturating_add(outcome.invalid);
        (!outcome.steps.is_empty()).then(|| self.detects(&outcome.sample, judge))
    }

    fn chains(&self, malicious: &[bool], judge: &mut dyn Judge, invalid: &mut usize) -> Chained {
        let operators = self.suite.operators(&[]);
        let harmless: Vec<_> = operators
            .iter()
            .copied()
            .filter(|one| one.keeps_harmless())
            .collect();
        let (mut hits, mut all) = (0_usize, 0_usize);
        let mut robust = malicious.to_vec();
        for (index, sample) in self.samples.malicious.iter().enumerate() {
            for round in 0..self.suite.chains.each {
                let outcome = chain(
                    sample,
                    &self.drawn(&operators, index, round),
                    &self.samples.benign,
                );
                *invalid = invalid.saturating_add(outcome.invalid);
                if outcome.steps.is_empty() {
                    continue;
                }
                let hit = self.detects(&outcome.sample, judge);
                hits = hits.saturating_add(usize::from(hit));
                all = all.saturating_add(1);
                if let Some(holds) = robust.get_mut(index) {
                    *holds &= hit;
                }
            }
        }
        let mut alarms = Vec::new();
        for (index, sample) in self.samples.benign.iter().enumerate() {
            let outcome = chain(
                sample,
                &self.drawn(&harmless, index, 0),
                &self.samples.benign,
            );
            *invalid = invalid.saturating_add(outcome.invalid);
            if !outcome.steps.is_empty() {
                alarms.push(self.detects(&outcome.sample, judge));
            }
        }
        Chained {
            each: self.suite.chains.each,
            depth: self.suite.chains.depth,
            detected: Share::new(hits, all),
            robust: share(&robust),
            false_alarms: share(&alarms),
        }
    }

    /// A chain that is drawn.
    fn drawn(&self, operators: &[&'static dyn Mutation], sample: usize, round: usize) -> Vec<Step> {
        let place = [chance::number("chains"), number(sample), number(round)];
        let mut chance = Chance::of(self.suite.seed, &place);
        let [least, most] = self.suite.chains.depth;
        let more = chance.below(most.saturating_sub(least).saturating_add(1));
        let depth = least.saturating_add(more);
        let drawn = (0..depth).filter_map(|_| step(operators, &mut chance));
        drawn.collect()
    }

    fn transfer(&self, found: &[Found], other: &mut Other<'_>) -> Transfer {
        let there = Self {
            threshold: other.threshold,
            ..*self
        };
        let mut carried = Vec::new();
        for found in found {
            let Some(clean) = self.samples.malicious.get(found.sample) else {
                continue;
            };
            if !found.outcome.steps.is_empty() && there.detects(clean, other.judge) {
                carried.push(!there.detects(&found.outcome.sample, other.judge));
            }
        }
        Transfer {
            pack: other.pack.clone(),
            model: other.model,
            threshold: other.threshold,
            carried: share(&carried),
        }
    }

    fn listed(&self, found: &Found) -> Bypass {
        Bypass {
            sample: found.sample,
            by: found.by.to_owned(),
            steps: found.outcome.steps.iter().map(Step::log).collect(),
            line: self.payloads.then(|| found.outcome.sample.line()).flatten(),
        }
    }
}

/// The score of a sample.
fn score(sample: &Sample, judge: &mut dyn Judge) -> Option<f32> {
    sample.show(|subject| judge.score(subject)).flatten()
}

/// A step that is drawn.
fn step(operators: &[&'static dyn Mutation], chance: &mut Chance) -> Option<Step> {
    let mutation = *chance.pick(operators)?;
    let seed = chance.next();
    Some(Step { mutation, seed })
}

/// What a search of so many samples came to: those that no chain was found for.
fn searched(budget: usize, tried: usize, mut queries: Vec<usize>) -> Searched {
    queries.sort_unstable();
    let found: Vec<usize> = queries
        .iter()
        .copied()
        .filter(|asked| *asked <= budget)
        .collect();
    Searched {
        budget,
        robust: Share::new(tried.saturating_sub(found.len()), tried),
        queries_median: found.get(found.len() / 2).copied(),
    }
}

fn share(holds: &[bool]) -> Share {
    Share::new(holds.iter().filter(|holds| **holds).count(), holds.len())
}

fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}
