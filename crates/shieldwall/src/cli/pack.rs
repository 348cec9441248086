//! What can be typed for packs: `pack`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Peer;

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
    /// Publish a pack at a hub, under your certificate and your publisher's key. Publish again, the
    /// same pack or the next version, before the role ends that is told.
    Publish(Publish),
    /// List a pack at a hub no longer. Who fetched it has it all the same.
    Withdraw {
        /// The pack's name.
        #[arg(value_name = "NAME")]
        name: pack::Name,
        /// How you publish.
        #[command(flatten)]
        publisher: Publisher,
    },
    /// List the packs that a hub offers you.
    List {
        /// Where they are.
        #[command(flatten)]
        source: Source,
    },
    /// Fetch a pack: what its contributor lists now, in no version below one that was seen.
    Fetch {
        /// PARTNER/NAME, as `pack list` shows it.
        #[arg(value_name = "PARTNER/NAME")]
        pack: String,
        /// Where it is.
        #[command(flatten)]
        source: Source,
        /// Where to write it; PARTNER.NAME.swpack in this folder when not given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// What became of the packs that you published, summed up over the shields that tell.
    Receipts {
        /// Where and as whom.
        #[command(flatten)]
        peer: Peer,
    },
}

/// `pack publish`
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// A signed pack, or the folder of one, which is built and signed then.
    #[arg(value_name = "FILE|DIR")]
    pub(crate) pack: PathBuf,
    /// How you publish.
    #[command(flatten)]
    pub(crate) publisher: Publisher,
}

/// Who publishes, and where.
#[derive(Debug, Args)]
pub(crate) struct Publisher {
    /// Your publisher's key (PKCS#8 in PEM): the one that signs your packs.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The key that you published under before, if it was another.
    #[arg(long, value_name = "FILE")]
    pub(crate) old_key: Option<PathBuf>,
    /// The repository.
    #[arg(long, value_name = "NAME", default_value = "community")]
    pub(crate) repository: String,
    /// How many days the role is good that lists your packs.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=399))]
    pub(crate) days: u16,
    /// Where and as whom.
    #[command(flatten)]
    pub(crate) peer: Peer,
}

/// Where packs are fetched.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The repository.
    #[arg(long, value_name = "NAME", default_value = "community")]
    pub(crate) repository: String,
    /// The first root, as the operator of the hub gave it to you; asked of the hub when not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
    /// Where and as whom.
    #[command(flatten)]
    pub(crate) peer: Peer,
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
