//! Reading what other tools write. One file per format, one line in [`FORMATS`].

mod abuse;
mod columns;
mod crowdsec;
mod csv;
mod list;
mod misp;
mod stix;

use std::io::{self, BufRead};

use ::stix::Timestamp;

use crate::claim::Told;
use crate::value::Kind;

pub use misp::manifest;

/// Reads one format.
pub trait Import: Send + Sync {
    /// Reads a source to its end and tells what it says, piece by piece, in its order.
    ///
    /// # Errors
    /// [`ReadError`], when the source as a whole cannot be read; what was told before stands.
    fn read(&self, input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError>;
}

/// Takes a piece; an error when nobody wants more.
pub type Tell<'a> = dyn FnMut(Told) -> Result<(), ReadError> + 'a;

/// A format that can be read.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// As it is typed.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Makes its reader.
    pub new: fn(&Options) -> Result<Box<dyn Import>, OptionError>,
}

/// All formats.
pub const FORMATS: [Format; 6] = [
    Format {
        name: "abuse",
        about: "tables of abuse.ch: URLhaus, Feodo Tracker, ThreatFox, MalwareBazaar, SSLBL",
        new: abuse::new,
    },
    Format {
        name: "crowdsec",
        about: "CrowdSec's decisions: cscli decisions list -o json, or the local API's stream",
        new: crowdsec::new,
    },
    Format {
        name: "csv",
        about: "separated values; --column says which column is what",
        new: csv::new,
    },
    Format {
        name: "list",
        about: "one value per line, comments, defanged or not; files of hosts",
        new: list::new,
    },
    Format {
        name: "misp",
        about: "MISP's JSON: events, attributes of a search, the folder of a feed",
        new: misp::new,
    },
    Format {
        name: "stix",
        about: "STIX 2.1: a bundle, an envelope, an object, or lines of them; they go on as they are",
        new: stix::new,
    },
];

/// How a source is to be read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The kind of all values; guessed, or named by the source, when not given.
    pub kind: Option<Kind>,
    /// Which column says what: pairs of `FIELD` and `HEADING`.
    pub columns: Vec<(String, String)>,
    /// What separates columns; a comma when not given.
    pub separator: Option<u8>,
    /// Whether to share texts that people wrote.
    pub texts: bool,
    /// Whether to share with the named audience what the source gives to a group of its own.
    pub groups: bool,
    /// Whether what is missing will be taken for over: a source that tells what changed, and not all
    /// that it knows, is refused then.
    pub whole: bool,
    /// Now.
    pub now: Option<Timestamp>,
}

/// An option that cannot be followed; the fault is the caller's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionError(pub String);

/// Why a source as a whole cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes cannot be had.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not of this format; what would mend it stands in the text.
    #[error("{0}")]
    Form(String),
    /// Nobody wants more.
    #[error("stopped")]
    Stopped,
}

#[cfg(test)]
pub(crate) mod tests;
