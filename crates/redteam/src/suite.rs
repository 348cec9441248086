//! Suites: what is tried, on which samples, how long.

use pack::manifest::Task;
use pack::{Digest, Name};
use serde::Deserialize;

use crate::mutation::{self, Mutation};

/// What a suite says it is.
pub const SCHEMA: &str = "https://shieldwall.dev/redteam-suite/v1";
/// Bytes of a suite that are read.
pub const SUITE_BYTES_MAX: usize = 1 << 20;
/// Samples of one kind.
const SAMPLES_MAX: usize = 200_000;
/// Chains of a sample, their depth, and queries for one sample.
const CHAINS_MAX: usize = 1000;
const DEPTH_MAX: usize = 16;
const BUDGET_MAX: usize = 1_000_000;

/// A suite, as its file says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// [`SCHEMA`].
    pub schema: String,
    /// Its name; that of the report follows from it.
    pub name: Name,
    /// What its samples are.
    pub task: Task,
    /// All that is drawn follows from it.
    pub seed: u64,
    /// The file of samples, beside the suite: JSON lines as `shieldwall score` takes them, each with
    /// a `label`, 1 malicious and 0 harmless.
    pub samples: String,
    /// The rate of false alarms whose threshold of the pack decides.
    pub fpr: f64,
    /// So many malicious samples, drawn by the seed where the file has more.
    #[serde(default = "most")]
    pub malicious_max: usize,
    /// So many harmless ones.
    #[serde(default = "most")]
    pub benign_max: usize,
    /// Mutations that are tried; all of the task when none is named.
    #[serde(default)]
    pub mutations: Vec<String>,
    /// Mutations that are tried alone, and left out of chains and searches: what was trained or tuned
    /// against those must hold against these too.
    #[serde(default)]
    pub held_out: Vec<String>,
    /// Chains that are drawn.
    #[serde(default)]
    pub chains: Chains,
    /// Search by scores alone.
    #[serde(default)]
    pub search: Search,
    /// Search by who has the model at hand.
    #[serde(default)]
    pub guided: Guided,
}

/// Chains that are drawn.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chains {
    /// Chains for each sample; 0 tries none.
    pub each: usize,
    /// Least and most mutations of a chain.
    pub depth: [usize; 2],
}

/// Search by scores alone: one parent, some children, the best goes on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Malicious samples that are tried, the first of those drawn; 0 tries none.
    pub samples_max: usize,
    /// Scores that may be asked for, for one sample; rising.
    pub budgets: Vec<usize>,
    /// Children of a parent.
    #[serde(default)]
    pub children: usize,
    /// Mutations that are left out here alone.
    #[serde(default)]
    pub without: Vec<String>,
}

/// Search by who has the model at hand: each step is the best of those that lessen what counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guided {
    /// Malicious samples that are tried; 0 tries none.
    pub samples_max: usize,
    /// Steps at most.
    pub depth: usize,
    /// Mutations that are left out here alone.
    #[serde(default)]
    pub without: Vec<String>,
}

const fn most() -> usize {
    2000
}

/// A suite cannot be used. Its author's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuiteError {
    /// No TOML, or not these fields.
    #[error("{0}")]
    Form(String),
    /// Another kind of file.
    #[error("schema is {0:?}, not {SCHEMA:?}: give a suite")]
    Schema(String),
    /// A mutation that the task does not have.
    #[error("{0:?} is no mutation for {1}: `shieldwall redteam mutations {1}` lists them")]
    Mutation(String, Task),
    /// A number outside of its range.
    #[error("{0} is not within {1} and {2}: choose another")]
    Range(&'static str, usize, usize),
    /// Budgets that do not rise.
    #[error("search.budgets do not rise: sort them, and say each once")]
    Budgets,
    /// A file elsewhere.
    #[error("samples is {0:?}: name a file in the suite's own folder")]
    Place(String),
}

impl Suite {
    /// Reads a suite (TOML).
    ///
    /// # Errors
    /// [`SuiteError`] says what of it is wrong.
    pub fn read(text: &str) -> Result<Self, SuiteError> {
        let suite: Self =
            toml::from_str(text).map_err(|error| SuiteError::Form(error.to_string()))?;
        if suite.schema != SCHEMA {
            return Err(SuiteError::Schema(suite.schema));
        }
        if suite.samples.contains('/') || suite.samples.starts_with('.') || suite.samples.is_empty()
        {
            return Err(SuiteError::Place(suite.samples));
        }
        let named = [
            &suite.mutations,
            &suite.held_out,
            &suite.search.without,
            &suite.guided.without,
        ];
        for name in named.into_iter().flatten() {
            if mutation::find(suite.task, name).is_none() {
                return Err(SuiteError::Mutation(name.clone(), suite.task));
            }
        }
        suite.check()?;
        Ok(suite)
    }

    fn check(&self) -> Result<(), SuiteError> {
        let [least, most] = self.chains.depth;
        let last = self.search.budgets.last().copied().unwrap_or(0);
        let ranges = [
            ("malicious_max", self.malicious_max, 1, SAMPLES_MAX),
            ("benign_max", self.benign_max, 0, SAMPLES_MAX),
            ("chains.each", self.chains.each, 0, CHAINS_MAX),
            ("chains.depth[1]", most, 0, DEPTH_MAX),
            ("chains.depth[0]", least, 0, most),
            (
                "search.samples_max",
                self.search.samples_max,
                0,
                SAMPLES_MAX,
            ),
            ("search.budgets", last, 0, BUDGET_MAX),
            ("search.children", self.search.children, 0, 64),
            (
                "guided.samples_max",
                self.guided.samples_max,
                0,
                SAMPLES_MAX,
            ),
            ("guided.depth", self.guided.depth, 0, DEPTH_MAX),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(SuiteError::Range(name, low, high));
            }
        }
        match self.search.budgets.is_sorted_by(|one, other| one < other) {
            true => Ok(()),
            false => Err(SuiteError::Budgets),
        }
    }

    /// The mutations that are tried alone, and whether each is held out.
    #[must_use]
    pub fn singles(&self) -> Vec<(&'static dyn Mutation, bool)> {
        let all = mutation::table(self.task).iter().copied();
        let named = |one: &&'static dyn Mutation| {
            let name = one.name();
            self.mutations.is_empty()
                || self.mutations.iter().any(|other| other == name)
                || self.held_out.iter().any(|other| other == name)
        };
        all.filter(named)
            .map(|one| (one, self.held_out.iter().any(|name| name == one.name())))
            .collect()
    }

    /// The mutations that chains and searches are made of.
    #[must_use]
    pub fn operators(&self, without: &[String]) -> Vec<&'static dyn Mutation> {
        let all = self.singles().into_iter();
        all.filter(|(one, held_out)| !held_out && !without.iter().any(|name| name == one.name()))
            .map(|(one, _)| one)
            .collect()
    }
}

/// Digest of a suite with its samples: of the lengths and bytes of both files.
#[must_use]
pub fn digest(suite: &[u8], samples: &[u8]) -> Digest {
    let mut bytes = format!("{} {}\n", suite.len(), samples.len()).into_bytes();
    bytes.extend_from_slice(suite);
    bytes.extend_from_slice(samples);
    Digest::of(&bytes)
}
