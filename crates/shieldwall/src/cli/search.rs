//! What can be typed for `search`.

use clap::Args;

use super::Peer;

/// The conditions of a search.
const CONDITIONS: [&str; 18] = [
    "value",
    "prefix",
    "under",
    "inside",
    "covers",
    "pattern",
    "kind",
    "source",
    "technique",
    "label",
    "marking",
    "refers_to",
    "added_after",
    "added_before",
    "created_after",
    "created_before",
    "modified_after",
    "modified_before",
];

/// `search ...`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Search {
    /// A value: an address, a network, a domain name, a URL, a digest, a mail address, a name.
    #[arg(long, value_name = "V", group = "what")]
    pub(crate) value: Option<String>,
    /// URLs, digests, mail addresses and names that begin so.
    #[arg(long, value_name = "TEXT", group = "what")]
    pub(crate) prefix: Option<String>,
    /// A domain name and those under it.
    #[arg(long, value_name = "DOMAIN", group = "what")]
    pub(crate) under: Option<String>,
    /// Addresses and networks in this network.
    #[arg(long = "in", value_name = "CIDR", group = "what")]
    pub(crate) inside: Option<String>,
    /// Networks that this address or network is in.
    #[arg(long, value_name = "ADDRESS", group = "what")]
    pub(crate) covers: Option<String>,
    /// Indicators whose STIX pattern says the same as this one.
    #[arg(long, value_name = "PATTERN", group = "what")]
    pub(crate) pattern: Option<String>,
    /// The type: indicator, malware, sighting and so on.
    #[arg(long = "type", value_name = "T", group = "what")]
    pub(crate) kind: Option<String>,
    /// The partner that shared it.
    #[arg(long, value_name = "PARTNER", group = "what")]
    pub(crate) source: Option<String>,
    /// A technique of ATT&CK or ATLAS, such as T1059, or a phase such as mitre-attack/execution; may be
    /// given several times.
    #[arg(long, value_name = "ID", group = "what")]
    pub(crate) technique: Vec<String>,
    /// A label; may be given several times.
    #[arg(long, value_name = "L", group = "what")]
    pub(crate) label: Vec<String>,
    /// A TLP label, or the identifier of another marking.
    #[arg(long, value_name = "M", group = "what")]
    pub(crate) marking: Option<String>,
    /// Objects that refer to this one.
    #[arg(long, value_name = "ID", group = "what")]
    pub(crate) refers_to: Option<String>,
    /// Added after this time: 2026-11-22T02:00:00Z, or how long ago: 15m, 1h, 7d. So are the others.
    #[arg(long, value_name = "TIME", group = "what")]
    pub(crate) added_after: Option<String>,
    /// Added before this time.
    #[arg(long, value_name = "TIME", group = "what")]
    pub(crate) added_before: Option<String>,
    /// Created after this time.
    #[arg(long, value_name = "TIME", group = "what")]
    pub(crate) created_after: Option<String>,
    /// Created before this time.
    #[arg(long, value_name = "TIME", group = "what")]
    pub(crate) created_before: Option<String>,
    /// Modified after this time.
    #[arg(long, value_name = "TIME", group = "what")]
    pub(crate) modified_after: Option<String>,
    /// Modified before this time.
    #[arg(long, value_name = "TIME", group = "what")]
    pub(crate) modified_before: Option<String>,
    /// What this object refers to, and what refers to it, instead of a search.
    #[arg(long, value_name = "ID", group = "what", conflicts_with_all = CONDITIONS)]
    pub(crate) related: Option<String>,
    /// Say who tells the same as each indicator.
    #[arg(long, conflicts_with = "related")]
    pub(crate) sources: bool,
    /// Most objects that are shown.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    /// Where and as whom.
    #[command(flatten)]
    pub(crate) peer: Peer,
}
