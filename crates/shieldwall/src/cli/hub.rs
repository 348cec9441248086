//! `hub`: what can be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `hub ...`
#[derive(Debug, Subcommand)]
pub(crate) enum Hub {
    /// Serve until told to stop.
    Run {
        /// The hub's configuration (TOML).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Write a backup of the log, the partners and the keys, while the hub runs or not.
    Backup(Backup),
    /// Make the store and the keys of a backup, on whatever store the configuration names; the hub must
    /// not run.
    ///
    /// What was erased since the backup was made stays erased. Cursors given out before are refused.
    Restore(Restore),
    /// Check a hub's store, a backup, or that both hold the same; exit status 1 when they differ.
    Verify(Verify),
    /// The repositories in which partners publish packs: their roots, and lost keys.
    #[command(subcommand)]
    Packs(HubPacks),
}

/// `hub packs ...`
#[derive(Debug, Subcommand)]
pub(crate) enum HubPacks {
    /// Make a repository: a root under keys of yours, and nothing in it. The hub need not run.
    Create {
        /// The hub and the repository.
        #[command(flatten)]
        of: OfRepository,
        /// How many of the keys must sign the next root; more than half of them when not given.
        #[arg(long, value_name = "N")]
        threshold: Option<usize>,
    },
    /// Make the next root, with a new online key: once a year, after a restore, or when a key is lost or
    /// stolen.
    Rotate {
        /// The hub and the repository.
        #[command(flatten)]
        of: OfRepository,
        /// Keys of the next root, in place of the present ones; made where there is no such file.
        #[arg(long, value_name = "FILE")]
        new_key: Vec<PathBuf>,
        /// How many of the new keys must sign the root after it.
        #[arg(long, value_name = "N", requires = "new_key")]
        threshold: Option<usize>,
    },
    /// Give a contributor another key, when the one it had is lost or stolen. Its packs are listed again
    /// when it publishes them under the new key.
    Rekey {
        /// The partner.
        #[arg(value_name = "PARTNER")]
        partner: String,
        /// Its new public key.
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        /// The hub's configuration (TOML).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The repository.
        #[arg(long, value_name = "NAME", default_value = "community")]
        repository: String,
    },
}

/// A repository, and the operator's keys.
#[derive(Debug, Args)]
pub(crate) struct OfRepository {
    /// The hub's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The repository.
    #[arg(long, value_name = "NAME", default_value = "community")]
    pub(crate) repository: String,
    /// A private key of the root (PKCS#8 in PEM); may be given several times. `create` makes one where
    /// there is no such file. Keep them away from the hub.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key: Vec<PathBuf>,
}

/// `hub backup`
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The hub's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// A folder, new or empty. It holds secrets: only this user may enter it.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// `hub restore`
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The hub's configuration (TOML): where the keys and the store go.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The folder that `hub backup` wrote.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// Replace what the store and the data folder hold.
    #[arg(long)]
    pub(crate) force: bool,
    /// The newest list of what was erased (`erasures.jsonl`), of a later backup or of the data folder
    /// that is gone; the one of the data folder and the one of the backup count in any case.
    #[arg(long, value_name = "FILE")]
    pub(crate) erasures: Option<PathBuf>,
    /// The newest list of revoked partners (`revocations.jsonl`), alike.
    #[arg(long, value_name = "FILE")]
    pub(crate) revocations: Option<PathBuf>,
}

/// `hub verify`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Verify {
    /// The configuration (TOML) of the hub whose store is checked.
    #[arg(long, value_name = "FILE", group = "what")]
    pub(crate) config: Option<PathBuf>,
    /// The folder of a backup that is checked.
    #[arg(long, value_name = "DIR", group = "what")]
    pub(crate) backup: Option<PathBuf>,
}
