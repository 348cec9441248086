//! Writing what other tools read. One file per format, one line in [`FORMATS`].

mod csv;
mod ipset;
mod list;
mod nftables;
mod rpz;
mod stix;
mod suricata;

use std::io::{self, Write};
use std::time::Duration;

use ::stix::Timestamp;
use ipnet::IpNet;

use crate::live::{Entry, Live};
use crate::value::{Kind, Value};

/// Writes one format.
pub trait Export {
    /// Writes what is in force into one file or several.
    ///
    /// # Errors
    /// Those of `out`.
    fn write(&self, live: &Live, options: &Options, out: &mut dyn Folder) -> io::Result<()>;

    /// Why a value cannot be said in this format; `None` when it can.
    fn unsaid(&self, value: &Value) -> Option<&'static str>;
}

/// Where files go.
pub trait Folder {
    /// Whether several files are wanted; else all goes into one.
    fn is_folder(&self) -> bool;

    /// Makes a file and has `write` fill it.
    ///
    /// # Errors
    /// Those of the file, and what `write` returns.
    fn file(
        &mut self,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()>;
}

/// A format that can be written.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// As it is typed.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether it is several files that need each other.
    pub folder: bool,
    /// Whether it writes the objects themselves.
    pub objects: bool,
    /// Makes its writer.
    pub new: fn() -> Box<dyn Export>,
}

impl std::fmt::Debug for dyn Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Export")
    }
}

/// All formats.
pub const FORMATS: [Format; 8] = [
    Format {
        name: "csv",
        about: "a table: value, type, confidence, times, marking, indicator; import csv reads it",
        folder: false,
        objects: false,
        new: csv::new,
    },
    Format {
        name: "ipset",
        about: "sets of addresses and of addresses with ports, which end by themselves (ipset restore)",
        folder: false,
        objects: false,
        new: ipset::new,
    },
    Format {
        name: "list",
        about: "values, one per line; a file for each kind in a folder",
        folder: false,
        objects: false,
        new: list::new,
    },
    Format {
        name: "nftables",
        about: "sets of addresses and of addresses with ports, which end by themselves (nft -f)",
        folder: false,
        objects: false,
        new: nftables::new,
    },
    Format {
        name: "rpz",
        about: "a response policy zone for DNS servers (BIND, Unbound, Knot, PowerDNS): names and addresses",
        folder: false,
        objects: false,
        new: rpz::new,
    },
    Format {
        name: "stix",
        about: "a bundle of the indicators themselves, byte for byte",
        folder: false,
        objects: true,
        new: stix::new,
    },
    Format {
        name: "suricata",
        about: "rules, one or more for each value",
        folder: false,
        objects: false,
        new: suricata::rules,
    },
    Format {
        name: "suricata-datasets",
        about: "a few rules over lists of values, for large exports",
        folder: true,
        objects: false,
        new: suricata::datasets,
    },
];

/// How to write it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Now.
    pub now: Timestamp,
    /// First of the numbers of rules.
    pub sid_base: u32,
}

/// Where the numbers of rules begin unless told otherwise: above those that rule sets in the field
/// use.
pub const SID_BASE_DEFAULT: u32 = 3_000_000_000;

/// Networks without those that lie inside others, for sets whose elements must not overlap. The
/// wider one may end sooner; the next export then has the narrower one.
pub(crate) fn disjoint<'a>(
    networks: impl Iterator<Item = (IpNet, &'a Entry)>,
) -> Vec<(IpNet, &'a Entry)> {
    let mut all: Vec<_> = networks.collect();
    all.sort_by_key(|(net, _)| (net.network(), net.prefix_len()));
    let mut kept: Vec<(IpNet, &Entry)> = Vec::with_capacity(all.len());
    for (net, entry) in all {
        if kept.last().is_none_or(|(wide, _)| !wide.contains(&net)) {
            kept.push((net, entry));
        }
    }
    kept
}

/// How long an entry holds yet, in whole seconds, up to `max`; `None` has no end.
pub(crate) fn seconds_left(entry: &Entry, now: Timestamp, max: u64) -> Option<u64> {
    let left: Duration = entry.until?.since(now);
    Some(left.as_secs().clamp(1, max))
}

/// The entries of one kind.
pub(crate) fn of_kind(live: &Live, kind: Kind) -> impl Iterator<Item = (&Value, &Entry)> {
    let entries = live.entries.iter();
    entries.filter(move |(value, _)| value.kind() == kind)
}

/// The networks among the addresses.
pub(crate) fn addresses(live: &Live) -> impl Iterator<Item = (IpNet, &Entry)> {
    of_kind(live, Kind::Ip).filter_map(|(value, entry)| Some((value.network()?, entry)))
}

#[cfg(test)]
pub(crate) mod tests;
