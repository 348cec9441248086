//! What can be typed for other tools' formats: `import`, `export`.

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use stix::Tlp;

use super::{Peer, Remote};

/// `import ...`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The format of the source; `shieldwall import --help` lists them.
    #[arg(value_name = "FORMAT", value_parser = import_format)]
    pub(crate) format: String,
    /// A file, `-` for standard input, the folder of a MISP feed, or the address of a TAXII server.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// Say what would change, and share nothing.
    #[arg(long)]
    pub(crate) preview: bool,
    /// Take back what this source told before and no longer tells.
    #[arg(long)]
    pub(crate) sync: bool,
    /// With --sync: also when pieces were refused, or more than half would be taken back.
    #[arg(long, requires = "sync")]
    pub(crate) force: bool,
    /// The name of the source, which with the value makes the identifiers; the file's name when
    /// not given.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where to remember what the source told; in the identity's folder when not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// taxii: ask for everything again, and not only for what was added since.
    #[arg(long)]
    pub(crate) from_start: bool,
    /// Who may see it. What a source marks stricter stays stricter [default: as the source says,
    /// else TLP:AMBER].
    #[arg(long, value_name = "T")]
    pub(crate) tlp: Option<Tlp>,
    /// A partner it is addressed to (AMBER and AMBER+STRICT); may be given several times.
    #[arg(long, value_name = "PARTNER")]
    pub(crate) audience: Vec<String>,
    /// How long it holds where the source does not say: 30s, 15m, 1h, 7d [default: 7d where the
    /// source is undated].
    #[arg(long, value_name = "D")]
    pub(crate) ttl: Option<String>,
    /// How sure we are where the source does not say, 0 to 100 [default: 50].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) confidence: Option<u8>,
    /// Why, for the people who read it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
    /// The kind of all values: ip, ip-port, domain, url, md5, sha1, sha256, ja3, ja4, email.
    #[arg(long = "type", value_name = "KIND")]
    pub(crate) kind: Option<feeds::Kind>,
    /// csv: which column says what, for example ip=src_addr or value=2; may be given several times.
    #[arg(long, value_name = "FIELD=HEADING", value_parser = pair)]
    pub(crate) column: Vec<(String, String)>,
    /// csv: what separates columns [default: a comma]; `tab` for a tabulator.
    #[arg(long, value_name = "C", value_parser = separator)]
    pub(crate) separator: Option<u8>,
    /// misp: also share what is for a sharing group of the source, with the named audience.
    #[arg(long, requires = "audience")]
    pub(crate) sharing_groups: bool,
    /// misp: share the title of an event as the name of its indicators.
    #[arg(long)]
    pub(crate) texts: bool,
    /// A network of ours, to be warned of; may be given several times.
    #[arg(long, value_name = "NET")]
    pub(crate) own: Vec<IpNet>,
    /// Leave out what is warned of.
    #[arg(long)]
    pub(crate) skip_protected: bool,
    /// The server to read from.
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Where and as whom to share.
    #[command(flatten)]
    pub(crate) peer: Peer,
}

/// What of the exchange is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// Only these kinds, separated by commas.
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(crate) kinds: Vec<feeds::Kind>,
    /// Only indicators that are at least so sure, 0 to 100.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) min_confidence: Option<u8>,
    /// Also TLP:RED, TLP:AMBER+STRICT and unknown markings.
    #[arg(long)]
    pub(crate) include_restricted: bool,
}

/// `export ...`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The format; `shieldwall export --help` lists them.
    #[arg(value_name = "FORMAT", value_parser = export_format)]
    pub(crate) format: String,
    /// taxii: the address of the server.
    #[arg(value_name = "URL")]
    pub(crate) to: Option<String>,
    /// A file, or a folder (that exists, or ends in `/`); standard output when not given.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What is meant.
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// A network of ours, which is left out; may be given several times.
    #[arg(long, value_name = "NET")]
    pub(crate) own: Vec<IpNet>,
    /// Also private and reserved networks, public resolvers and what else everybody uses.
    #[arg(long, conflicts_with = "own")]
    pub(crate) include_protected: bool,
    /// suricata: the first of the numbers that rules get.
    #[arg(long, value_name = "N", default_value_t = feeds::export::SID_BASE_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=i64::from(feeds::export::SID_BASE_DEFAULT)))]
    pub(crate) sid_base: u32,
    /// taxii: say what would be pushed, and push nothing.
    #[arg(long)]
    pub(crate) preview: bool,
    /// taxii: where to remember what was pushed; in the identity's folder when not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// The server to push to.
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Where and as whom.
    #[command(flatten)]
    pub(crate) peer: Peer,
}

/// The format that is no file but a server, for `import` and `export`.
const TAXII: (&str, &str, &str) = (
    "taxii",
    "a collection of a TAXII 2.1 server; what is new in it, objects as they are",
    "a collection of a TAXII 2.1 server: objects as they are, and what was taken back since",
);

/// The formats of `import`, for its help.
pub(crate) fn import_formats() -> String {
    let mut text = "Formats:\n".to_owned();
    let formats = feeds::import::FORMATS
        .iter()
        .map(|format| (format.name, format.about));
    for (name, about) in formats.chain([(TAXII.0, TAXII.1)]) {
        text.push_str(&format!("  {name:<18} {about}\n"));
    }
    text
}

/// The formats of `export`, for its help.
pub(crate) fn export_formats() -> String {
    let mut text = "Formats:\n".to_owned();
    let formats = feeds::export::FORMATS
        .iter()
        .map(|format| (format.name, format.about));
    for (name, about) in formats.chain([(TAXII.0, TAXII.2)]) {
        text.push_str(&format!("  {name:<18} {about}\n"));
    }
    text
}

fn import_format(text: &str) -> Result<String, String> {
    let names = feeds::import::FORMATS.iter().map(|format| format.name);
    let mut names = names.chain([TAXII.0]);
    match names.clone().any(|name| name == text) {
        true => Ok(text.to_owned()),
        false => Err(one_of(&mut names)),
    }
}

fn export_format(text: &str) -> Result<String, String> {
    let names = feeds::export::FORMATS.iter().map(|format| format.name);
    let mut names = names.chain([TAXII.0]);
    match names.clone().any(|name| name == text) {
        true => Ok(text.to_owned()),
        false => Err(one_of(&mut names)),
    }
}

fn one_of(names: &mut dyn Iterator<Item = &str>) -> String {
    format!("not one of {}", names.collect::<Vec<_>>().join(", "))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text
        .split_once('=')
        .filter(|(_, heading)| !heading.is_empty());
    let (field, heading) = pair.ok_or("write FIELD=HEADING")?;
    Ok((field.to_owned(), heading.to_owned()))
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if !matches!(byte, b'"' | b'\n' | b'\r') && byte.is_ascii() => Ok(*byte),
        _ => Err("one character, or tab".to_owned()),
    }
}
