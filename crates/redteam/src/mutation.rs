//! What a mutation is, the table of all, and chains of them.

use pack::manifest::Task;

use crate::{Chance, Sample, chance, dga, phishing, web};

/// Changes how a sample looks, and not what it does.
///
/// One folder or file for each task (`web`, `phishing`, `dga`), one line of its table for each
/// mutation.
pub trait Mutation: Sync + std::fmt::Debug {
    /// As suites and reports name it.
    fn name(&self) -> &'static str;
    /// What undoes it: the application, database, browser or shell in which the sample means the
    /// same as before.
    fn holds_in(&self) -> &'static str;
    /// The sample changed; `None` where it does not apply. `corpus` are harmless samples of the
    /// same task, for what imitates them.
    fn apply(&self, sample: &Sample, corpus: &[Sample], chance: &mut Chance) -> Option<Sample>;
    /// Whether `after` means what `before` meant: undone by other code than made it.
    fn same(&self, before: &Sample, after: &Sample) -> bool;
    /// Whether a harmless sample stays one, so that false alarms can be counted.
    fn keeps_harmless(&self) -> bool {
        true
    }
}

/// The mutations of a task.
#[must_use]
pub fn table(task: Task) -> &'static [&'static dyn Mutation] {
    match task {
        Task::WebAttack => web::TABLE,
        Task::PhishingUrl => phishing::TABLE,
        Task::DgaDomain => dga::TABLE,
        Task::Beacon | Task::DnsTunnel => &[],
    }
}

/// The mutation of this name.
#[must_use]
pub fn find(task: Task, name: &str) -> Option<&'static dyn Mutation> {
    table(task).iter().copied().find(|one| one.name() == name)
}

/// A mutation with the seed of its choices: the same on the same sample, always.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is done.
    pub mutation: &'static dyn Mutation,
    /// How.
    pub seed: u64,
}

impl Step {
    /// A step as logs name it: `case_random:00000000000000ff`.
    #[must_use]
    pub fn log(&self) -> String {
        format!("{}:{:016x}", self.mutation.name(), self.seed)
    }

    /// Does it; `None` where it does not apply.
    #[must_use]
    pub fn apply(&self, sample: &Sample, corpus: &[Sample]) -> Option<Sample> {
        let place = [chance::number(self.mutation.name())];
        let mut chance = Chance::of(self.seed, &place);
        self.mutation.apply(sample, corpus, &mut chance)
    }
}

/// What became of a chain.
#[derive(Debug)]
pub struct Outcome {
    /// The sample after all that applied.
    pub sample: Sample,
    /// What applied, in order.
    pub steps: Vec<Step>,
    /// Steps that changed the meaning: a fault of ours, and what they gave is left out.
    pub invalid: usize,
}

/// Does one step after the other, and looks after each whether the sample still means the same.
#[must_use]
pub fn chain(sample: &Sample, steps: &[Step], corpus: &[Sample]) -> Outcome {
    let mut outcome = Outcome {
        sample: sample.clone(),
        steps: Vec::new(),
        invalid: 0,
    };
    for step in steps {
        let Some(after) = step.apply(&outcome.sample, corpus) else {
            continue;
        };
        if step.mutation.same(&outcome.sample, &after) {
            outcome.sample = after;
            outcome.steps.push(*step);
        } else {
            outcome.invalid = outcome.invalid.saturating_add(1);
        }
    }
    outcome
}
