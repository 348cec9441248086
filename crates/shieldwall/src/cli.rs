//! What can be typed. Names and flags are a contract; each subcommand's work is in `commands`.

mod feeds;
mod hub;
mod models;
mod pack;
mod redteam;
mod remote;
mod search;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::{
    feeds::{Export, Import, Wanted},
    hub::{Backup, Hub, HubPacks, Restore, Verify},
    models::{Features, Score, Task},
    pack::{Pack, PackStep, PackVerify, Publish, Publisher, Source},
    redteam::{Changed, OfPack, Redteam, RedteamMutate, RedteamRun, RedteamVerify},
    remote::Remote,
    search::Search,
};

/// A voluntary exchange for cyber defence: what one partner sees, every partner's shield stops.
///
/// Exit status: 0 done; 1 the answer is no; 2 bad use or bad input; 3 a fault of ours or of the
/// system.
#[derive(Debug, Parser)]
#[command(name = "shieldwall", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a hub, two shields and a console on this machine, and show the loop at work.
    Up(Up),
    /// Run a hub, the server of an exchange; back it up, restore and verify it.
    #[command(subcommand)]
    Hub(Hub),
    /// Run a shield, the sensor and enforcer at a partner.
    #[command(subcommand)]
    Shield(Shield),
    /// Inspect captures: EVE JSON out, indicators matched.
    Scan(Scan),
    /// Compile rules, and say what of them is refused and why.
    #[command(subcommand)]
    Rules(Rules),
    /// Judge STIX 2.1: patterns, matches, objects.
    #[command(subcommand)]
    Stix(Stix),
    /// Share an indicator, or a file of STIX objects, with the exchange.
    Share(Share),
    /// Share what another tool wrote: lists, CSV, MISP, CrowdSec, abuse.ch, STIX, TAXII servers.
    #[command(after_help = self::feeds::import_formats())]
    Import(Box<Import>),
    /// Write what is in force for another tool: lists, nftables, ipset, Suricata, DNS, TAXII servers.
    #[command(after_help = self::feeds::export_formats())]
    Export(Box<Export>),
    /// Find objects by what they say; exit status 1 when there are none.
    Search(Box<Search>),
    /// Follow what the exchange says to this partner, as it says it.
    Watch(Watch),
    /// Invite, enrol, list and revoke partners.
    #[command(subcommand)]
    Partner(Partner),
    /// Make, sign, verify and inspect packs of models, rules and indicators; have a shield run them.
    #[command(subcommand)]
    Pack(Pack),
    /// Write what models see: the features of rows, for training.
    #[command(after_help = self::models::extractors())]
    Features(Features),
    /// Say how malicious requests, URLs or names look: JSON lines in, JSON lines out.
    Score(Score),
    /// Attack packs: how far their models hold when the same attack is written otherwise.
    #[command(subcommand)]
    Redteam(Box<Redteam>),
    /// Attack and measure the loop, in network namespaces made for it.
    #[command(subcommand)]
    Lab(Lab),
}

/// `stix`: each line that is read is a question in JSON, and is answered by one line, in order; empty
/// lines are passed over. Exit status 1 when one of the answers is no.
#[derive(Debug, Subcommand)]
pub(crate) enum Stix {
    /// {"pattern": P} -> whether P is a legal pattern, its canonical form and fingerprint, and how far
    /// it can be enforced.
    Pattern(StixLines),
    /// {"pattern": P, "observations": [bundle, ...]} -> "match", "no-match" or "error".
    Match(StixLines),
    /// {"instance": OBJECT} -> which rules of STIX 2.1 an object or a bundle breaks; or judge files.
    ///
    /// A line is answered by {"errors": [...], "warnings": [...]}: a broken MUST is an error, a broken
    /// SHOULD a warning. Exit status 1 when something breaks a MUST.
    Validate(StixValidate),
}

/// Where questions come from.
#[derive(Debug, Args)]
pub(crate) struct StixLines {
    /// Files of JSON lines; without any, standard input.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// `rules`: rules in Suricata's language.
#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Compile the rules of files; exit status 1 when some are refused.
    Check(RulesCheck),
    /// Print the reference of all keywords, in Markdown.
    Keywords,
}

/// `rules check`.
#[derive(Debug, Args)]
pub(crate) struct RulesCheck {
    /// Files of rules.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A suricata.yaml whose variables the rules use; without one, those of most configurations.
    #[arg(long, value_name = "YAML")]
    pub(crate) config: Option<PathBuf>,
}

/// `stix validate`.
#[derive(Debug, Args)]
pub(crate) struct StixValidate {
    /// Files of objects or bundles; without any, JSON lines from standard input.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// `up`: the whole exchange in one process.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Watch this interface instead of replaying a capture; as root, enforce on it.
    #[arg(long, value_name = "IF", conflicts_with = "pcap")]
    pub(crate) iface: Option<String>,
    /// Replay this capture instead of the bundled one.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Where to keep the store, identities and journals.
    #[arg(long, value_name = "DIR", default_value = ".shieldwall")]
    pub(crate) data: PathBuf,
    /// The console's address (loopback only) [default: 127.0.0.1:8080]; TAXII and push on TLS then
    /// listen on the next port [default: 8443].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Rules in Suricata's language that the first shield looks for; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
}

/// `shield ...`
#[derive(Debug, Subcommand)]
pub(crate) enum Shield {
    /// Capture, inspect, enforce and report until told to stop.
    Run {
        /// The shield's configuration (TOML).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Stop enforcing on an interface and leave it as it was.
    Detach {
        /// The interface.
        iface: String,
        /// Where the shield pinned its program and maps.
        #[arg(long, value_name = "DIR", default_value = DEFAULT_PIN)]
        pin: PathBuf,
    },
    /// What the shields of this machine enforce now; exit status 1 when there is nothing.
    Status {
        /// Where the shields pinned their programs and maps.
        #[arg(long, value_name = "DIR", default_value = DEFAULT_PIN)]
        pin: PathBuf,
    },
}

/// `scan ...`
#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Captures (pcap or pcapng).
    #[arg(required = true, value_name = "PCAP")]
    pub(crate) captures: Vec<PathBuf>,
    /// A STIX bundle whose indicators are looked for; may be given several times.
    #[arg(long, value_name = "BUNDLE")]
    pub(crate) indicators: Vec<PathBuf>,
    /// Rules in Suricata's language that are looked for; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
    /// A pack whose models judge requests, URLs and names, or a folder of packs; may be given several
    /// times.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) pack: Vec<PathBuf>,
    /// Whom to trust for the packs (TOML); without it, the key in FILE.pub beside each pack.
    #[arg(long, value_name = "FILE", requires = "pack")]
    pub(crate) trust: Option<PathBuf>,
    /// Write EVE records to this file; `-` is standard output.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) eve: Option<PathBuf>,
    /// Write eve.json, and the other files that the configuration's outputs name, into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) eve_dir: Option<PathBuf>,
    /// Write alerts alone.
    #[arg(long)]
    pub(crate) alerts_only: bool,
    /// A configuration as Suricata reads it (suricata.yaml).
    #[arg(long, value_name = "YAML")]
    pub(crate) config: Option<PathBuf>,
    /// A setting over the configuration; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Judge as if in the path of the packets: what is dropped does not reach its receiver.
    #[arg(long)]
    pub(crate) inline: bool,
    /// Whether packets with wrong checksums are left out, as their receiver would.
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub(crate) checksums: Checksums,
    /// Threads that inspect; each has the traffic of its own pairs of hosts.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads)]
    pub(crate) threads: usize,
}

/// Most threads of a scan.
const THREADS_MAX: usize = 256;

fn threads(text: &str) -> Result<usize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=THREADS_MAX).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {THREADS_MAX}"))
}

/// Whether checksums are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Checksums {
    /// A packet with a wrong checksum is not inspected.
    On,
    /// They may be wrong, as where the network card fills them in after the capture.
    Off,
}

/// `share ...`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Share {
    /// A bundle, an envelope or one STIX object.
    #[arg(group = "what", conflicts_with_all = ["ip", "domain", "url", "sha256", "revoke"])]
    pub(crate) file: Option<PathBuf>,
    /// An address or a prefix.
    #[arg(long, value_name = "A", group = "what")]
    pub(crate) ip: Vec<String>,
    /// A domain name.
    #[arg(long, value_name = "D", group = "what")]
    pub(crate) domain: Vec<String>,
    /// A URL.
    #[arg(long, value_name = "U", group = "what")]
    pub(crate) url: Vec<String>,
    /// A file's SHA-256.
    #[arg(long, value_name = "H", group = "what")]
    pub(crate) sha256: Vec<String>,
    /// Take back one of our own objects by its id.
    #[arg(long, value_name = "ID", group = "what", conflicts_with_all = ["ip", "domain", "url", "sha256"])]
    pub(crate) revoke: Option<String>,
    /// Who may see it.
    #[arg(long, value_name = "T", default_value = "TLP:AMBER")]
    pub(crate) tlp: String,
    /// A partner it is addressed to (AMBER and AMBER+STRICT); may be given several times.
    #[arg(long, value_name = "PARTNER")]
    pub(crate) audience: Vec<String>,
    /// How long it holds: 30s, 15m, 1h, 7d.
    #[arg(long, value_name = "D", default_value = "1d")]
    pub(crate) ttl: String,
    /// How sure we are, 0 to 100.
    #[arg(long, value_name = "N", default_value_t = 75, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) confidence: u8,
    /// Why, for the people who read it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
    /// Where and as whom.
    #[command(flatten)]
    pub(crate) peer: Peer,
}

/// The hub to speak to, and the identity to speak as.
#[derive(Debug, Args)]
pub(crate) struct Peer {
    /// The hub; the one that the identity was enrolled at when not given.
    #[arg(long, value_name = "URL")]
    pub(crate) hub: Option<String>,
    /// The folder that `partner enrol` wrote.
    #[arg(long, value_name = "DIR")]
    pub(crate) identity: PathBuf,
}

/// `watch ...`
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Where and as whom.
    #[command(flatten)]
    pub(crate) peer: Peer,
    /// Resume behind this cursor (printed with each frame); everything from the start when not given.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) from: Option<String>,
}

/// `partner ...`
#[derive(Debug, Subcommand)]
pub(crate) enum Partner {
    /// Invite an organisation: prints an invitation, good once (on the hub's machine).
    Invite {
        /// The name that the partner will have in the exchange.
        name: String,
        /// The hub's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// What the partner is.
        #[arg(long, value_enum, default_value = "operator")]
        role: Role,
        /// The address that the partner reaches the hub at, where it is not the one that the hub
        /// listens on.
        #[arg(long, value_name = "URL")]
        hub: Option<String>,
        /// Make an API token for a client that has no certificate, instead of an invitation.
        #[arg(long)]
        token: bool,
    },
    /// Accept an invitation: makes a key here and has the hub certify it.
    Enrol {
        /// The text that `partner invite` printed.
        invitation: String,
        /// The folder to write key, certificate and the hub's CA to.
        #[arg(long, value_name = "DIR")]
        identity: PathBuf,
    },
    /// The partners of a hub (on the hub's machine).
    List {
        /// The hub's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Replace the certificate of an identity by a new one with a new key.
    Rotate {
        /// Where and as whom.
        #[command(flatten)]
        peer: Peer,
    },
    /// Take back a partner's certificates and tokens, at once (on the hub's machine).
    Revoke {
        /// The partner's name.
        name: String,
        /// The hub's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// `lab ...`
#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// Make the namespaces and start the hub, two shields, servers and bystanders in them.
    Up(LabUp),
    /// Attack partner A: a connect scan and a request for a listed URL.
    Attack {
        /// The attack.
        #[arg(long, value_enum, default_value = "loop")]
        kind: AttackKind,
        /// The lab's folder.
        #[command(flatten)]
        dir: LabDir,
    },
    /// Attack and revoke, round by round, and measure the time to shield.
    Measure {
        /// How many rounds.
        #[arg(long, value_name = "N", default_value_t = 20)]
        rounds: u32,
        /// Round-trip time between the hub and each shield, in milliseconds.
        #[arg(long, value_name = "MS", default_value_t = 0.0)]
        rtt: f64,
        /// Packets lost on those links, in percent.
        #[arg(long, value_name = "PCT", default_value_t = 0.0)]
        loss: f64,
        /// Also write the figures to this file, as JSON.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The lab's folder.
        #[command(flatten)]
        dir: LabDir,
    },
    /// Print the last measurement again.
    Report {
        /// The lab's folder.
        #[command(flatten)]
        dir: LabDir,
    },
    /// Stop everything and remove the namespaces.
    Down {
        /// The lab's folder.
        #[command(flatten)]
        dir: LabDir,
    },
    /// A role inside a namespace of the lab.
    #[command(hide = true)]
    Node {
        /// The role and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// `lab up`
#[derive(Debug, Args)]
pub(crate) struct LabUp {
    /// The lab's folder.
    #[command(flatten)]
    pub(crate) dir: LabDir,
}

/// Where a lab keeps its state.
#[derive(Debug, Args)]
pub(crate) struct LabDir {
    /// Where the lab keeps its state.
    #[arg(long, value_name = "DIR", default_value = "/run/shieldwall-lab")]
    pub(crate) dir: PathBuf,
}

/// The lab's attacks.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AttackKind {
    /// A connect scan (`nmap -sT`) and a request for a listed URL.
    Loop,
    /// A half-open scan (`nmap -sS`).
    Syn,
    /// SYNs in the names of a bystander, the resolver and a customer of B.
    Spoofed,
}

/// What a partner is; a role is never a rank.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// A government agency.
    Agency,
    /// An AI company.
    AiCompany,
    /// An operator of critical infrastructure, or anyone else who runs shields.
    Operator,
}

/// Where a shield pins its program and maps unless told otherwise.
pub(crate) const DEFAULT_PIN: &str = "/sys/fs/bpf/shieldwall";
