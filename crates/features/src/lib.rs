//! What models see: named, versioned extractors.
//!
//! Features are part of the contract between who trains a model and who runs it: a pack names an
//! extractor (`http-field@1`), and the same code makes the numbers for training
//! (`shieldwall features`) and in the shield, so there is nothing to drift apart.
//!
//! An [`Extractor`] looks at one [`Subject`] (a request, a URL, a name, many of them) and adds rows to
//! [`Samples`]: numbers in named columns, and the ids of hashed n-grams. One subject may give
//! several rows, each a place in it; the pack says how their scores become one.
//!
//! An extractor that was published never changes: what it should see otherwise is a new version.
//!
//! The crate is sans-IO, and every bound is named.
#![forbid(unsafe_code)]

mod beacon;
mod dns_window;
mod domain;
mod gram;
mod http;
mod label;
mod normal;
mod row;
mod samples;
mod subject;
mod text;
mod url;

pub use beacon::{CONTACTS_MAX, Contacts};
pub use dns_window::{DnsWindow, WINDOW_QUERIES_MAX};
pub use gram::IDS;
pub use label::{LOOK, look, registrable};
pub use row::{Row, RowError};
pub use samples::Samples;
pub use subject::{Request, Subject};

/// A feature's name, and what it counts or measures in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// As in the head of the table that `shieldwall features` writes.
    pub name: &'static str,
    /// What it is, with its unit.
    pub meaning: &'static str,
}

/// Makes rows of numbers of what it is shown.
pub trait Extractor: Sync {
    /// Name and version, as packs refer to it: `http-field@1`.
    fn name(&self) -> &'static str;

    /// The numbers of a row, in order.
    fn columns(&self) -> &'static [Column];

    /// How many ids of hashed n-grams a row has at most; the rest is filled with 0, which stands
    /// for none. Ids are below [`IDS`].
    fn ids_max(&self) -> usize;

    /// Adds the rows of this subject.
    ///
    /// # Errors
    /// [`Unfit`] where the extractor looks at other things. Whatever the bytes say, there are rows.
    fn extract(&self, subject: &Subject<'_>, samples: &mut Samples) -> Result<(), Unfit>;
}

/// The subject is not of the kind that the extractor looks at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("extractor {extractor} looks at {wants}, and was given {given}")]
pub struct Unfit {
    /// Whose rows were asked for.
    pub extractor: &'static str,
    /// What it looks at.
    pub wants: &'static str,
    /// What it was given.
    pub given: &'static str,
}

/// All extractors.
pub static EXTRACTORS: &[&dyn Extractor] = &[
    &http::Fields,
    &url::Url,
    &domain::Domain,
    &dns_window::Window,
    &beacon::Beacon,
];

/// The extractor of this name and version.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Extractor> {
    EXTRACTORS.iter().copied().find(|one| one.name() == name)
}
