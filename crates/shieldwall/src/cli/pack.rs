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
