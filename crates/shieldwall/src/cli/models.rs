//! What can be typed for models: `features` and `score`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `features`
#[derive(Debug, Args)]
pub(crate) struct Features {
    /// The extractor, with its version: http-field@1.
    #[arg(long, value_name = "NAME@V")]
    pub(crate) extractor: String,
    /// JSON lines: requests (method, uri, headers, body), payloads, URLs or domains.
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: PathBuf,
    /// Where to write: a table (FILE.csv), or a folder (DIR/) of plain arrays.
    #[arg(long, value_name = "FILE.csv|DIR/")]
    pub(crate) out: PathBuf,
}

/// `score`
#[derive(Debug, Args)]
pub(crate) struct Score {
    /// What is looked for.
    pub(crate) task: Task,
    /// The pack whose model judges; the one that comes with Shieldwall when not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: Option<PathBuf>,
    /// Whom to trust (TOML); without it, the key in FILE.pub beside the pack.
    #[arg(long, value_name = "FILE", requires = "pack")]
    pub(crate) trust: Option<PathBuf>,
    /// Also say why: the field, what of it was looked at, and what counted.
    #[arg(long)]
    pub(crate) explain: bool,
    /// Files of JSON lines; standard input when none is given.
    pub(crate) files: Vec<PathBuf>,
}

/// What a model looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Attacks in requests to web applications.
    WebAttack,
    /// URLs of pages that imitate others.
    PhishingUrl,
    /// Names that an algorithm of malware made.
    DgaDomain,
    /// Clients that ask for such names: {"names": ["a.example", {"name": "b.example", "missing": true}]}.
    DgaClient,
    /// Tunnels in DNS: {"queries": [{"t": seconds, "name": "x.t.example"}]} below one base.
    DnsTunnel,
    /// Beacons: {"contacts": [{"t": seconds, "bytes": sent}]} of a host with a service.
    Beacon,
    /// Scans, guessed passwords and beacons in connections: lines of Zeek's conn.log as JSON.
    Flow,
}

/// The extractors, for help.
pub(super) fn extractors() -> String {
    let names: Vec<&str> = features::EXTRACTORS.iter().map(|one| one.name()).collect();
    format!("Extractors: {}", names.join(", "))
}
