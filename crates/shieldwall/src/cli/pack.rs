//! What can be typed for packs: `pack`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `pack ...`
#[derive(Debug, Subcommand)]
pub(crate) enum Pack {
    /// Make a key to sign packs with: FILE is secret, FILE.pub is for those who are to trust it.
    Keygen {
        /// Where to write the private key; nothing may be there.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Make a pack of a folder with a pack.json; nobody has signed it then.
    Build {
        /// The folder.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Where to write the pack.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Add a signature to a pack.
    Sign {
        /// The pack.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The private key (PKCS#8 in PEM).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Where to write the signed pack; in place of the pack when not given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Whether those whom a trust file names signed a pack, and whether it is whole and in force.
    ///
    /// Exit status 1 when it is refused; the refusal is named.
    Verify(PackVerify),
    /// Take a pack into a shield, where its models judge in the shadow: nothing follows yet.
    ///
    /// Exit status 1 when it is not admitted; each clause that it fails is named with what mends it.
    /// Works whether or not the shield runs, as do the three that follow.
    Admit {
        /// The pack.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where, who and why.
        #[command(flatten)]
        step: PackStep,
    },
    /// Take a pack one stage further: from the shadow to a share of the flows, from there to all.
    ///
    /// Exit status 1 when something stands against it, with how much is missing.
    Promote {
        /// The pack's name, or the first digits of its digest.
        #[arg(value_name = "PACK")]
        pack: String,
        /// The share of the flows of a canary, in a hundred.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
        percent: Option<u8>,
        /// Where, who and why.
        #[command(flatten)]
        step: PackStep,
    },
    /// Take a pack back: the version that is tried, else the one in force, for the one before it.
    Rollback {
        /// The pack's name, or the first digits of its digest.
        #[arg(value_name = "PACK")]
        pack: String,
        /// Where, who and why.
        #[command(flatten)]
        step: PackStep,
    },
    /// How far each pack of a shield is, what is seen of it, and what stands against the next step.
    Status {
        /// The shield's configuration (TOML).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show what a person needs to know to decide about a pack: who, what for, what it asks, what
    /// it reached. Nothing that it shows is verified unless --trust is given.
    Inspect {
        /// The pack.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Whom to trust (TOML): also say whether they signed it.
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
    },
}

/// A step in the life of a pack.
#[derive(Debug, Args)]
pub(crate) struct PackStep {
    /// The shield's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// Who, for the log; the user's name when not given.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

/// `pack verify`
#[derive(Debug, Args)]
pub(crate) struct PackVerify {
    /// The pack.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Whom to trust (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: PathBuf,
    /// The highest sequence of this pack that was seen before; a lower one is refused.
    #[arg(long, value_name = "N")]
    pub(crate) seen: Option<u64>,
}
