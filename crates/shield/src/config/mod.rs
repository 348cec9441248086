//! `shield.toml`: what the operator typed (`typed`), then built values ([`Config`]).
//!
//! Parsing makes no system call and resolves nothing; what it accepts is only known to be well
//! formed. Every error names file, line and column and says what would mend it, and a key that
//! nobody reads is refused by name, since a misspelt protection is no protection.
//!
//! | section | key | default | meaning |
//! |---|---|---|---|
//! | | `name`, `data` | | the shield's name; its folder |
//! | `[hub]` | `url`, `identity` | absent: works alone | `https://host:port`; folder of `partner enrol` |
//! | `[capture]` | `interface` | absent: enforces only | what is inspected and enforced on |
//! | | `pcap`, `pace`, `shift`, `repeat` | `recorded`, true, false | or a file, replayed |
//! | `[enforce]` | `mode`, `pin` | `auto`, `/sys/fs/bpf/shieldwall` | `auto`, `native`, `generic`, `dry-run` |
//! | `[policy]` | `action` | `enforce` | or `monitor`: a dry run of the policy |
//! | | `confidence_min` | 50 | of leases and indicators, 0 to 100 |
//! | | `lease_max_s` | 3600 | longest lease; on a partner's word 60 at most |
//! | | `benign_sessions_max` | 8 | more of them: monitor; fewer: rate limit; none: as asked |
//! | | `rate_packets_per_s`, `rate_burst` | 10, 20 | what passes of a rate-limited source |
//! | | `private_from_exchange` | false | whether partners' word counts for private addresses |
//! | `[behaviour]` | `login-guessing`, `path-guessing` | `drop`, `escalate` | what follows: `alert`, `rate-limit`, `escalate`, `drop` |
//! | | `dns-tunnel`, `beacon` | `rate-limit`, `alert` | the same, of the far end |
//! | `[protect]` | `networks`, `automatic` | none, true | nobody's word blocks these |
//! | `[home]` | `networks` | none | where our services are |
//! | `[share]` | `tlp`, `audience` | absent: nothing leaves | marking; partners named beyond it |
//! | `[rules]` | `files`, `config` | absent: none | rules in Suricata's language; its YAML |
//! | | `drop`, `watch`, `partners` | true, true, true | what they may do, when read anew, whose |
//! | `[packs]` | `files`, `trust`, `admission` | absent: none | packs; whom to trust; what they may be |
//! | | `receipts` | false | whether who contributed a pack gets its counts |
//! | `[[repository]]` | `name`, `packs` | `community`, none | packs that are fetched: `PARTNER/PACK`, `PARTNER/*` |
//! | | `root`, `every_s` | absent: asked of the hub, 300 | first root of TUF; pause between looks |
//! | `[eve]` | `file`, `alerts_only` | absent: no records, false | EVE JSON of what is inspected |

mod build;
mod typed;

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use stix::Tlp;

use crate::policy::Settings;
use crate::repository::Subscription;

/// A shield's configuration, well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The shield's name, unique within its partner.
    pub name: String,
    /// Folder of the journal, the spool and the last known set.
    pub data: PathBuf,
    /// The exchange; absent: the shield works alone.
    pub hub: Option<Hub>,
    /// Where packets come from; absent: nothing is inspected, leases are still enforced.
    pub capture: Option<Capture>,
    /// How leases reach the kernel.
    pub enforce: Enforce,
    /// What this shield lets others, and itself, do.
    pub policy: Settings,
    /// Whom nobody's word blocks.
    pub protect: Protect,
    /// Where our services are: inbound means towards these.
    pub home: Vec<IpNet>,
    /// What may leave; absent: nothing does.
    pub share: Option<Share>,
    /// Rules that are looked for.
    pub rules: Rules,
    /// Packs whose models judge; absent: none.
    pub packs: Option<Packs>,
    /// Records of what is inspected; absent: none are written.
    pub eve: Option<Eve>,
    /// Where packs are fetched from.
    pub repositories: Vec<Subscription>,
}

/// Rules in Suricata's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Files of rules; `*` and `?` in the last part of a path stand for others.
    pub files: Vec<PathBuf>,
    /// A suricata.yaml: variables, classes, thresholds and what else rules refer to.
    pub config: Option<PathBuf>,
    /// Whether a `drop` or `reject` rule that matches accuses its offender, for policy to judge.
    /// Without it they alert.
    pub drop: bool,
    /// Whether files that change are read anew.
    pub watch: bool,
    /// Whether rules that partners share are looked for.
    pub partners: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            config: None,
            drop: true,
            watch: true,
            partners: true,
        }
    }
}

/// Packs of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packs {
    /// Files of packs that are taken into shadow where they are admitted; `*` and `?` in the last part
    /// of a path stand for others.
    pub files: Vec<PathBuf>,
    /// Whom to trust (TOML).
    pub trust: PathBuf,
    /// What packs may be and do here (TOML); absent: the strict default.
    pub admission: Option<PathBuf>,
}

/// Where records of what is inspected go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eve {
    /// The file that they are appended to.
    pub file: PathBuf,
    /// Alerts, and nothing else.
    pub alerts_only: bool,
}

/// Where the hub is and who we are to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// `https://host[:port]`, without a trailing slash.
    pub url: String,
    /// Folder that `partner enrol` wrote.
    pub identity: PathBuf,
}

/// Where packets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capture {
    /// A network interface, by name.
    Interface(String),
    /// A capture file, replayed.
    Pcap {
        /// The file.
        file: PathBuf,
        /// How fast it is replayed.
        pace: Pace,
        /// Whether packet times are moved so that the first packet is now.
        shift: bool,
        /// Whether it starts again at its end.
        repeat: bool,
    },
}

/// How fast a capture file is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// With the gaps that were recorded.
    Recorded,
    /// As fast as it can be read.
    Fast,
}

/// How leases reach the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforce {
    /// Which hook.
    pub mode: EnforceMode,
    /// Folder on bpffs where links and maps are pinned, so that enforcement outlives the process.
    pub pin: PathBuf,
}

/// Which hook enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnforceMode {
    /// Native XDP where the driver has it, else generic.
    Auto,
    /// Native XDP only.
    Native,
    /// Generic XDP only.
    Generic,
    /// Nothing is enforced; leases are kept and shown as such.
    DryRun,
}

/// Whom nobody's word blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protect {
    /// The operator's own networks.
    pub networks: Vec<IpNet>,
    /// Whether interface addresses, gateways, resolvers and the hub are added by the shield.
    pub automatic: bool,
}

/// With whom signals are shared, and how they are marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The marking of every signal.
    pub tlp: Tlp,
    /// Partners named beyond what the marking says; empty: by the marking alone.
    pub audience: Vec<Box<str>>,
    /// Whether those who contributed packs get the counts of what became of them.
    pub receipts: bool,
}

/// Reads and builds the configuration in `file`.
///
/// # Errors
/// The file cannot be read, or something in it is refused: the operator's to mend.
pub fn load(file: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read {
        file: file.to_owned(),
        source,
    })?;
    parse(&text, file)
}

/// Builds the configuration from its text; `file` is only named in errors.
///
/// # Errors
/// Something in the text is refused: the operator's to mend.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let at = Locator { text, file };
    let typed: typed::Typed = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    build::config(typed, &at)
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: cannot be read: {source}; name an existing file with --config", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}:{column}: {what}; {mend}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        what: String,
        /// What mends it.
        mend: String,
    },
}

/// Turns byte offsets of the text into file, line and column.
struct Locator<'a> {
    text: &'a str,
    file: &'a Path,
}

impl Locator<'_> {
    /// A refusal of what stands at byte `offset`.
    fn refuse(
        &self,
        offset: usize,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> ConfigError {
        let (line, column) = self.position(offset);
        let (what, mend) = (what.into(), mend.into());
        ConfigError::Refused {
            file: self.file.to_owned(),
            line,
            column,
            what,
            mend,
        }
    }

    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let what = error.message().trim().replace('\n', ", ");
        let mend = if what.starts_with("unknown field") {
            "remove it or correct its name"
        } else if what.starts_with("missing field") {
            "add it"
        } else {
            "correct it here; TOML is described at https://toml.io"
        };
        self.refuse(error.span().map_or(0, |span| span.start), what, mend)
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line = before.matches('\n').count().saturating_add(1);
        let column = before
            .get(line_start..)
            .map_or(0, |line| line.chars().count());
        (line, column.saturating_add(1))
    }
}

#[cfg(test)]
mod tests;
