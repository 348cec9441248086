//! Reading what other tools write. One file per format, one line in [`FORMATS`].

mod list;
mod misp;

use std::io::{self, BufRead};

use stix::Timestamp;

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
    /// Whether a source tells all that it knows each time, so that what is missing is over. A
    /// source that tells what changed does not.
    pub whole: bool,
    /// Makes its reader.
    pub new: fn(&Options) -> Result<Box<dyn Import>, OptionError>,
}

/// All formats.
pub const FORMATS: [Format; 2] = [
    Format {
        name: "list",
        about: "one value per line, comments, defanged or not; files of hosts",
        whole: true,
        new: list::new,
    },
    Format {
        name: "misp",
        about: "MISP's JSON: events, attributes of a search, the folder of a feed",
        whole: true,
        new: misp::new,
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
