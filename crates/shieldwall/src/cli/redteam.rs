//! What can be typed for evasion: `redteam`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `redteam ...`
#[derive(Debug, Subcommand)]
pub(crate) enum Redteam {
    /// Attack a pack's model with a suite: mutations alone, chains, searches.
    Run(RedteamRun),
    /// Whether reports are on this pack's model and of this suite, by digest; exit status 1 when one
    /// is not.
    Verify(RedteamVerify),
    /// The mutations of a task, and in what the changed sample still means the same.
    Mutations {
        /// What is looked for.
        task: Changed,
    },
    /// Change samples: JSON lines in, JSON lines out, each with the chain that made it. For training.
    Mutate(RedteamMutate),
}

/// Which pack, and whom to trust.
#[derive(Debug, Args)]
pub(crate) struct OfPack {
    /// The pack.
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: PathBuf,
    /// Whom to trust (TOML); without it, the key in FILE.pub beside the pack.
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
}

/// `redteam run`
#[derive(Debug, Args)]
pub(crate) struct RedteamRun {
    /// The pack.
    #[command(flatten)]
    pub(crate) of: OfPack,
    /// The suite (TOML); its samples stand beside it.
    #[arg(long, value_name = "FILE")]
    pub(crate) suite: PathBuf,
    /// Other samples than the suite's.
    #[arg(long, value_name = "FILE")]
    pub(crate) samples: Option<PathBuf>,
    /// From this score on a sample counts as detected; the pack's own for the suite's rate when not
    /// given.
    #[arg(long, value_name = "SCORE")]
    pub(crate) threshold: Option<f64>,
    /// Another pack, with its key in FILE.pub: how far what is found carries to it. May be given
    /// several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) other: Vec<PathBuf>,
    /// The folder of the pack that the report goes into: DIR/evidence/redteam-SUITE.json.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Also write the samples that pass. They are attacks: keep them to yourself.
    #[arg(long)]
    pub(crate) payloads: bool,
}

/// `redteam verify`
#[derive(Debug, Args)]
pub(crate) struct RedteamVerify {
    /// The pack.
    #[command(flatten)]
    pub(crate) of: OfPack,
    /// The suite that the reports are said to be of.
    #[arg(long, value_name = "FILE")]
    pub(crate) suite: Option<PathBuf>,
    /// Other samples than the suite's.
    #[arg(long, value_name = "FILE", requires = "suite")]
    pub(crate) samples: Option<PathBuf>,
    /// Reports; those in the pack when none is given.
    #[arg(value_name = "REPORT")]
    pub(crate) reports: Vec<PathBuf>,
}

/// `redteam mutate`
#[derive(Debug, Args)]
pub(crate) struct RedteamMutate {
    /// What is looked for.
    pub(crate) task: Changed,
    /// Samples with labels, as suites have them.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// All that is drawn follows from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Mutations of a chain at most.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) depth: u8,
    /// A mutation that is left out, so that it can be measured against; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) without: Vec<String>,
}

/// What there are mutations for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Changed {
    /// Attacks in requests to web applications.
    WebAttack,
    /// URLs of pages that imitate others.
    PhishingUrl,
    /// Names that an algorithm of malware made.
    DgaDomain,
}
